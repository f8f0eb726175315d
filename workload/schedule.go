package workload

import "time"

// A Schedule is how long jobs take to come.
type Schedule struct {
	Length time.Duration // from the start of work until the last job is due

	// Gap is the longest time in which no job is due, and Before the ID of the job
	// that ends it.
	Gap    time.Duration
	Before uint64
}

// ScheduleOf is the schedule of the first n jobs of a plan.
func ScheduleOf(a Arrivals, seed uint64, n int) (s Schedule) {
	if _, atOnce := a.(burst); atOnce || n <= 0 {
		return s
	}
	id := uint64(0)
	for due := range a.Due(seed) {
		if gap := due - s.Length; gap > s.Gap {
			s.Gap, s.Before = gap, id
		}
		s.Length = due
		if id++; id == uint64(n) {
			break
		}
	}
	return s
}
