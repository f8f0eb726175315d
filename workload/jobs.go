package workload

import "iter"

// Jobs yields the first n jobs of a comparison: what w makes, when a says. They
// are a pure function of the arguments, and made one at a time.
func Jobs(w Workload, a Arrivals, seed uint64, n int) iter.Seq[Job] {
	return func(yield func(Job) bool) {
		if n <= 0 {
			return
		}
		id := uint64(0)
		for due := range a.Due(seed) {
			if !yield(Job{ID: id, Payload: w.Payload(seed, id), Due: due, Attempt: 1}) {
				return
			}
			if id++; id == uint64(n) {
				return
			}
		}
	}
}
