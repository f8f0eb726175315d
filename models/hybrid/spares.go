package hybrid

import (
	"context"
	"sync"

	"forkbench/models"
)

// spares makes the children for all slots. Its lock is never held across a
// call that blocks.
type spares struct {
	jobs   int // a child's life
	wanted int

	mu       sync.Mutex
	template models.Process
	promoted models.Process   // the template, if it is not the booted parent
	idle     []models.Process // forked ahead of need
	forking  int              // spares being forked
}

// take returns a child that has run no job: a spare, or a new one. A candidate
// for promotion lives until it is closed.
func (s *spares) take(ctx context.Context, candidate bool) (models.Process, error) {
	s.mu.Lock()
	template := s.template
	if last := len(s.idle) - 1; last >= 0 && !candidate {
		child := s.idle[last]
		s.idle = s.idle[:last]
		s.mu.Unlock()
		return child, nil
	}
	s.mu.Unlock()
	if candidate {
		return template.Fork(ctx, 0)
	}
	return template.Fork(ctx, s.jobs)
}

// refill forks spares until there are enough.
func (s *spares) refill(ctx context.Context) error {
	for {
		s.mu.Lock()
		if len(s.idle)+s.forking >= s.wanted {
			s.mu.Unlock()
			return nil
		}
		s.forking++
		template := s.template
		s.mu.Unlock()

		child, err := template.Fork(ctx, s.jobs)

		s.mu.Lock()
		s.forking--
		if err == nil {
			s.idle = append(s.idle, child)
		}
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// promote makes a child the template of all children from now on. Its own
// parent stays, to reap it and the children it has made.
func (s *spares) promote(ctx context.Context, child models.Process) error {
	if err := child.Warm(ctx); err != nil {
		child.Close(ctx)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.template, s.promoted = child, child
	return nil
}

// close ends the spares that no job came for, and the promoted template.
func (s *spares) close(ctx context.Context) {
	for _, child := range s.idle {
		child.Close(ctx)
	}
	if s.promoted != nil {
		s.promoted.Close(ctx)
	}
}
