package hybrid

import (
	"context"
	"sync"

	"forkbench/models"
)

// A nursery makes the children for all slots. Its lock is never held across a
// call that blocks.
type nursery struct {
	jobs   int // a child's life
	spares int

	mu       sync.Mutex
	template models.Process
	promoted models.Process   // the template, if it is not the booted parent
	idle     []models.Process // forked ahead of need
	forking  int              // spares being forked
}

// take returns a child that has run no job: a spare, or a new one. A candidate
// for promotion lives until it is closed.
func (n *nursery) take(ctx context.Context, candidate bool) (models.Process, error) {
	n.mu.Lock()
	template := n.template
	if last := len(n.idle) - 1; last >= 0 && !candidate {
		child := n.idle[last]
		n.idle = n.idle[:last]
		n.mu.Unlock()
		return child, nil
	}
	n.mu.Unlock()
	if candidate {
		return template.Fork(ctx, 0)
	}
	return template.Fork(ctx, n.jobs)
}

// refill forks spares until there are enough.
func (n *nursery) refill(ctx context.Context) error {
	for {
		n.mu.Lock()
		if len(n.idle)+n.forking >= n.spares {
			n.mu.Unlock()
			return nil
		}
		n.forking++
		template := n.template
		n.mu.Unlock()

		child, err := template.Fork(ctx, n.jobs)

		n.mu.Lock()
		n.forking--
		if err == nil {
			n.idle = append(n.idle, child)
		}
		n.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// promote makes a child the template of all children from now on. Its own
// parent stays, to reap it and the children it has made.
func (n *nursery) promote(ctx context.Context, child models.Process) error {
	if err := child.Warm(ctx); err != nil {
		child.Close(ctx)
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.template, n.promoted = child, child
	return nil
}

// close ends the spares that no job came for, and the promoted template.
func (n *nursery) close(ctx context.Context) {
	for _, child := range n.idle {
		child.Close(ctx)
	}
	if n.promoted != nil {
		n.promoted.Close(ctx)
	}
}
