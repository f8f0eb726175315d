// Package prefork is the pre-forked pool: the children are made once, before
// the first job, and each runs many jobs.
//
// It is Celery's prefork pool (and php-fpm's, gunicorn's and Apache's prefork)
// in the variant in which each child takes its own jobs: no buffer and no pipe
// between the parent and its children, so no head-of-line blocking either.
// One-time work that a job does lazily is paid once in each child.
package prefork

import (
	"context"
	"fmt"
	"strconv"

	"forkbench/models"
)

// A Model is the pre-forked pool. The zero value never recycles a child.
type Model struct {
	// MaxJobsPerChild recycles a child after so many jobs (Celery:
	// worker_max_tasks_per_child); 0 means never.
	MaxJobsPerChild int

	// MaxMemoryPerChild recycles a child whose resident memory exceeds so many
	// bytes after a job (Celery: worker_max_memory_per_child); 0 means never.
	// Resident memory includes what the child shares with its parent, so a
	// limit below the parent's own size recycles after every job.
	MaxMemoryPerChild int64

	// Warm has the parent do the one-time work before it forks the children, so
	// that none of them, and none that replaces them, does it again (gunicorn:
	// preload_app, with a call in it).
	Warm bool
}

var (
	_ models.Executor   = Model{}
	_ models.Configured = Model{}
)

// Name is "prefork".
func (Model) Name() string { return "prefork" }

// Knobs are the model's settings.
func (m Model) Knobs() map[string]string {
	knobs := map[string]string{
		"max-jobs-per-child":   strconv.Itoa(m.MaxJobsPerChild),
		"max-memory-per-child": "0",
	}
	if m.MaxMemoryPerChild > 0 {
		knobs["max-memory-per-child"] = fmt.Sprintf("%dB", m.MaxMemoryPerChild)
	}
	if m.Warm {
		knobs[models.WarmKnob] = ""
	}
	return knobs
}

// Execute runs the jobs of h in a pool of h.Workers() children.
func (m Model) Execute(ctx context.Context, h models.Host) error {
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

	return h.Parallel(ctx, h.Workers(), func(ctx context.Context, _ int) error {
		child, err := parent.Fork(ctx, m.MaxJobsPerChild)
		if err != nil {
			return err
		}
		defer func() { child.Close(ctx) }()

		for job := range h.Jobs(ctx) {
			h.Settle(job, child.Run(ctx, job))
			if child.Alive() && !m.tooLarge(child) {
				continue
			}
			// It crashed, timed out, or has had its share: replace it.
			child.Close(ctx)
			next, err := parent.Fork(ctx, m.MaxJobsPerChild)
			if err != nil {
				return err
			}
			child = next
		}
		return nil
	})
}

func (m Model) tooLarge(p models.Process) bool {
	return m.MaxMemoryPerChild > 0 && p.Usage().Resident > m.MaxMemoryPerChild
}
