// Package forkperjob is a fork for each job: every worker is a parent that
// takes a job, forks a child for it, and waits for the child to exit.
//
// It is RQ's Worker and Resque's. A job cannot harm the next one, and all
// one-time work that a job does lazily is done again in every child and
// forgotten with it.
package forkperjob

import (
	"context"

	"forkbench/models"
)

// A Model is a fork for each job. The zero value's parents are cold, as RQ's
// are.
type Model struct {
	// Warm has each parent do the one-time work before its first fork: a worker
	// script of one's own that imports and calls ahead (RQ's documentation,
	// "Performance notes"), and Redash's one call.
	Warm bool
}

var (
	_ models.Executor   = Model{}
	_ models.Configured = Model{}
)

// Name is "forkperjob".
func (Model) Name() string { return "forkperjob" }

// JobsApart is true: see [models.JobsApart].
func (Model) JobsApart() bool { return true }

// Knobs are the model's settings.
func (m Model) Knobs() map[string]string {
	if m.Warm {
		return map[string]string{models.WarmKnob: ""}
	}
	return map[string]string{}
}

// Execute runs the jobs of h with a parent for each worker and a child for each
// job.
func (m Model) Execute(ctx context.Context, h models.Host) error {
	return h.Parallel(ctx, h.Workers(), func(ctx context.Context, _ int) error {
		parent, err := h.Boot(ctx)
		if err != nil {
			return err
		}
		defer parent.Close(ctx)
		if m.Warm {
			if err := parent.Warm(ctx); err != nil {
				return err
			}
		}

		for job := range h.Jobs(ctx) {
			child, err := parent.Fork(ctx, 1)
			if err != nil {
				return err
			}
			h.Settle(job, child.Run(ctx, job))
			child.Close(ctx)
		}
		return nil
	})
}
