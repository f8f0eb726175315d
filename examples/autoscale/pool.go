// Package autoscale is Celery's worker --autoscale=max,min as an execution model: a
// pool that grows with the jobs that wait, and shrinks when it has been too large
// for a while.
//
// It is an example of a model that looks at its load ([models.Host].Backlog) and at
// the clock, and runs on real processes and in virtual time.
package autoscale

import (
	"context"
	"sync"
	"time"

	"forkbench/models"
)

// Celery's defaults.
const (
	Keepalive = 30 * time.Second // AUTOSCALE_KEEPALIVE
	every     = time.Second      // between two looks of its Autoscaler
)

// A Pool has from Min to h.Workers() children.
type Pool struct {
	Min int // 0 means 1

	// Keepalive is how long after it has grown the pool does not shrink
	// (AUTOSCALE_KEEPALIVE). 0 means the constant of that name.
	Keepalive time.Duration
}

var _ models.Executor = Pool{}

// Name is "autoscale".
func (Pool) Name() string { return "autoscale" }

// Execute runs the jobs of h.
func (m Pool) Execute(ctx context.Context, h models.Host) error {
	parent, err := h.Boot(ctx)
	if err != nil {
		return err
	}
	defer parent.Close(ctx)
	s := &scaler{Pool: m, host: h, children: min(max(m.Min, 1), h.Workers())}
	if s.Keepalive == 0 {
		s.Keepalive = Keepalive
	}
	s.Min = s.children
	return h.Parallel(ctx, h.Workers(), func(ctx context.Context, slot int) error {
		for !s.isOver() {
			work := s.rest
			if s.wants(slot) {
				work = s.work
			}
			if err := work(ctx, parent, slot); err != nil {
				return err
			}
			s.look()
		}
		return nil
	})
}

// A scaler says how many children there are to be. What it does is Celery's
// Autoscaler._maybe_scale.
type scaler struct {
	Pool
	host models.Host

	mu       sync.Mutex
	children int // wanted: those of the first slots
	busy     int
	grown    time.Duration // when it last grew
	over     bool          // there are no more jobs
}

// rest is what a slot does that the pool has no child for.
func (s *scaler) rest(ctx context.Context, _ models.Process, _ int) error {
	// It asks for no job, but says that nobody need wait for it.
	done, cancel := s.host.WithTimeout(ctx, 0)
	defer cancel()
	for range s.host.Jobs(done) {
		return nil
	}
	return s.host.Sleep(ctx, every)
}

// work is one child's life: until the pool shrinks, or it dies.
func (s *scaler) work(ctx context.Context, parent models.Process, slot int) error {
	child, err := parent.Fork(ctx, 0)
	if err != nil {
		return err
	}
	defer child.Close(ctx)
	for s.wants(slot) && child.Alive() {
		limited, cancel := s.host.WithTimeout(ctx, every)
		stopped := false
		for job := range s.host.Jobs(limited) {
			s.count(+1)
			s.host.Settle(job, child.Run(ctx, job))
			s.count(-1)
			if stopped = !s.wants(slot) || !child.Alive(); stopped {
				break
			}
		}
		over := !stopped && limited.Err() == nil
		cancel()
		if over || ctx.Err() != nil {
			s.end()
			return nil
		}
		s.look()
	}
	return nil
}

// look grows the pool to what there is to do, or shrinks it.
func (s *scaler) look() {
	backlog, now := s.host.Backlog(), s.host.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	load := backlog + s.busy
	if up := min(load, s.host.Workers()); up > s.children {
		s.children, s.grown = up, now
	} else if down := max(load, s.Min); down < s.children && now-s.grown > s.Keepalive {
		s.children = down
	}
}

// count notes that a job begins or has ended.
func (s *scaler) count(change int) {
	s.mu.Lock()
	s.busy += change
	s.mu.Unlock()
	if change > 0 {
		s.look()
	}
}

func (s *scaler) wants(slot int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slot < s.children && !s.over
}

func (s *scaler) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

func (s *scaler) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}
