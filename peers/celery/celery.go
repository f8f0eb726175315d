// Package celery runs jobs in the real Celery, as installed: `celery worker` with
// its prefork pool, from Redis, with results stored.
package celery

import (
	"context"
	_ "embed"
	"strconv"

	"forkbench/models"
	"forkbench/peers"
)

//go:embed forkbench_celery.py
var driver string

// Requirement is what must be installed beside the user's application.
func Requirement() peers.Requirement {
	return peers.Requirement{
		Modules: []string{"celery", "billiard", "kombu", "kombu.transport.redis", "redis"},
		Install: "'celery[redis]'",
	}
}

// Model is the policy. Its fields have the names of Celery's settings.
type Model struct {
	// MaxTasksPerChild ends a pool process after this many jobs
	// (worker_max_tasks_per_child); 0 means never.
	MaxTasksPerChild int

	// Warm has the main process do the one-time work before it forks its pool.
	Warm bool
}

var (
	_ models.Executor   = Model{}
	_ models.Configured = Model{}
)

// Name is "celery".
func (Model) Name() string { return "celery" }

// Knobs are the model's settings.
func (m Model) Knobs() map[string]string {
	knobs := map[string]string{"max-tasks-per-child": strconv.Itoa(m.MaxTasksPerChild)}
	if m.Warm {
		knobs[models.WarmKnob] = ""
	}
	return knobs
}

// Execute runs the jobs.
func (m Model) Execute(ctx context.Context, h models.Host) error {
	return peers.Run(ctx, h, peers.System{
		Name: m.Name(), Driver: driver,
		Mains: 1, Pool: h.Workers(),
		Prefix: func(base string) string { return base + ":celery:" },
		Key:    func(prefix, queue string) string { return prefix + queue },
		// kombu pushes on the left and pops on the right.
		NextIsLast: true,
		Warm:       m.Warm,
		Settings:   map[string]any{"max_tasks_per_child": m.MaxTasksPerChild},
	})
}
