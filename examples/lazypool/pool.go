package main

import (
	"context"

	"forkbench/models"
)

// A Pool is a pool that forks lazily: a slot's child is made when the first job
// comes for it, and lives on. Compared with prefork, start-up is shorter and the
// first jobs pay for it.
type Pool struct{}

var _ models.Executor = Pool{}

// Name is "lazypool".
func (Pool) Name() string { return "lazypool" }

// Execute runs the jobs of h in at most h.Workers() children.
func (Pool) Execute(ctx context.Context, h models.Host) error {
	parent, err := h.Boot(ctx)
	if err != nil {
		return err
	}
	defer parent.Close(ctx)

	return h.Parallel(ctx, h.Workers(), func(ctx context.Context, _ int) error {
		var child models.Process
		defer func() {
			if child != nil {
				child.Close(ctx)
			}
		}()
		for job := range h.Jobs(ctx) {
			if child == nil || !child.Alive() { // the first job, or the last one killed it
				next, err := parent.Fork(ctx, 0)
				if err != nil {
					return err
				}
				child = next
			}
			h.Settle(job, child.Run(ctx, job))
		}
		return nil
	})
}
