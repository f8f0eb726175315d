package runner

import "slices"

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

// Rounds has each model take a turn in each of a number of rounds.
type rounds struct {
	turns []int // that are to come
}

func newRounds(models, n int) *rounds {
	r := new(rounds)
	for round := range n {
		r.turns = append(r.turns, Order(models, round)...)
	}
	return r
}

func (r *rounds) next() (model, block int, ok bool) {
	if len(r.turns) == 0 {
		return 0, 0, false
	}
	model, r.turns = r.turns[0], r.turns[1:]
	return model, 0, true
}

func (*rounds) took(int, float64, float64) {}

func (r *rounds) drop(model int) {
	r.turns = slices.DeleteFunc(r.turns, func(m int) bool { return m == model })
}
