package predict

import (
	"context"
	"fmt"
	"iter"
	"time"

	"forkbench/record"
	"forkbench/sim"
	"forkbench/workload"
)

// How many jobs a saturated run has: some for each worker, so that the first
// jobs of the processes do not count for much, and enough for the average of
// random times.
const (
	saturatedEach  = 40
	saturatedLeast = 20_000
	saturatedMost  = 400_000
)

// Capacity is how many jobs per second a model settles on the question's machine
// when there is always one waiting: its arrivals are not looked at. It takes one
// short run.
func (q *Question) Capacity(ctx context.Context, m Model) (float64, error) {
	n := min(max(saturatedEach*q.Workers, saturatedLeast), max(saturatedMost, 4*q.Workers))
	// Between the two, all slots are busy: the first quarter has the processes'
	// first jobs, and at the end the slots run out of work one after another.
	s := &saturation{from: n / 4, to: max(n-2*q.Workers, n/2)}
	done, err := q.machine(0).Run(ctx, m.Executor, sim.Round{
		Model: m.Name, Jobs: jobs(nil, 0, n), Total: n, Sink: s, Stop: q.Stop,
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("model %s, saturated: %w", m.Name, err)
	case done.Interrupted:
		return 0, errStopped
	case s.end <= s.begin: // nothing costs anything
		return float64(n) / max(done.WorkNS.Seconds(), 1e-9), nil
	}
	return float64(s.to-s.from) / (s.end - s.begin).Seconds(), nil
}

// saturation notes when two of the jobs were settled, in the order of settling.
type saturation struct {
	from, to   int
	seen       int
	begin, end time.Duration
}

func (s *saturation) Write(l record.Line) error {
	if j, ok := l.(*record.Job); ok {
		switch s.seen++; s.seen {
		case s.from:
			s.begin = j.FinishedNS
		case s.to:
			s.end = j.FinishedNS
		}
	}
	return nil
}

// jobs makes the jobs of a run: when each is due. What they do is the profile's.
func jobs(a workload.Arrivals, seed uint64, n int) iter.Seq[workload.Job] {
	return func(yield func(workload.Job) bool) {
		if a == nil {
			for id := range uint64(n) {
				if !yield(workload.Job{ID: id, Attempt: 1}) {
					return
				}
			}
			return
		}
		id := uint64(0)
		for due := range a.Due(seed) {
			if id == uint64(n) || !yield(workload.Job{ID: id, Due: due, Attempt: 1}) {
				return
			}
			id++
		}
	}
}

// offered is the mean rate at which a question's jobs come, per second; 0 where
// they are all due at once. Where there is a rate, it is that: the jobs of one
// replication come faster or slower by chance.
func (q *Question) offered() float64 {
	if q.Arrivals == nil {
		return 0
	}
	if s, ok := q.Arrivals.(workload.Steady); ok {
		return s.Rate()
	}
	first, last := time.Duration(-1), time.Duration(0)
	for job := range jobs(q.Arrivals, q.Seed, q.Jobs) {
		if first < 0 {
			first = job.Due
		}
		last = job.Due
	}
	if last <= first {
		return 0
	}
	return float64(q.Jobs-1) / (last - first).Seconds()
}
