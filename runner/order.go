package runner

// Order is the order in which the models, numbered from 0, take their turns in a
// round. It changes from round to round, so that what drifts during a comparison
// (heat, other load, a growing Redis) favours none of them: each two rounds run
// the same order forwards and backwards (ABBA), and each such pair begins with
// another model. After as many pairs as there are models, each one has been in
// each place equally often.
func Order(models, round int) []int {
	order := make([]int, models)
	for i := range order {
		place := i
		if round%2 == 1 {
			place = models - 1 - i
		}
		order[place] = (i + round/2) % models
	}
	return order
}
