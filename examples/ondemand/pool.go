// Package ondemand is php-fpm's pm = ondemand as an execution model: no child is
// made before there is a job for it, and one that has had none for a while ends.
//
// A site that is quiet at night holds no memory then; the first jobs after that pay
// for their children. It is an example of a model that waits with a limit
// ([models.Host].WithTimeout) and runs on real processes and in virtual time.
package ondemand

import (
	"context"
	"time"

	"forkbench/models"
)

// IdleTimeout is php-fpm's default for process_idle_timeout.
const IdleTimeout = 10 * time.Second

// A Pool is children on demand, at most one for each worker (pm.max_children).
type Pool struct {
	// IdleTimeout is how long a child waits for its next job before it ends
	// (pm.process_idle_timeout). 0 means the constant of that name.
	IdleTimeout time.Duration
}

var _ models.Executor = Pool{}

// Name is "ondemand".
func (Pool) Name() string { return "ondemand" }

// Execute runs the jobs of h.
func (m Pool) Execute(ctx context.Context, h models.Host) error {
	if m.IdleTimeout == 0 {
		m.IdleTimeout = IdleTimeout
	}
	parent, err := h.Boot(ctx)
	if err != nil {
		return err
	}
	defer parent.Close(ctx)
	return h.Parallel(ctx, h.Workers(), func(ctx context.Context, _ int) error {
		for more := true; more; {
			var err error
			if more, err = m.child(ctx, h, parent); err != nil {
				return err
			}
		}
		return nil
	})
}

// child waits for a job, and runs that and those that follow soon enough in one
// child. It reports whether there may be others.
func (m Pool) child(ctx context.Context, h models.Host, parent models.Process) (more bool, err error) {
	var child models.Process
	defer func() {
		if child != nil {
			child.Close(ctx)
		}
	}()
	wait, cancel := ctx, context.CancelFunc(func() {})
	for {
		took := false
		for job := range h.Jobs(wait) {
			cancel()
			if child == nil {
				if child, err = parent.Fork(ctx, 0); err != nil {
					return false, err
				}
			}
			h.Settle(job, child.Run(ctx, job))
			took = true
			break // the limit is for each job anew
		}
		idle := wait.Err() != nil && ctx.Err() == nil
		cancel()
		if !took || !child.Alive() {
			return took || idle, nil
		}
		wait, cancel = h.WithTimeout(ctx, m.IdleTimeout)
	}
}
