// Package celery runs jobs in the real Celery, as installed: `celery worker` with
// its prefork pool, from Redis, with results stored.
package celery

import (
	"context"
	_ "embed"

	"forkbench/models"
	"forkbench/peers"
)

//go:embed forkbench_celery.py
var driver string

// Packages are what must be installed beside the user's application.
var Packages = []string{"celery", "kombu", "billiard", "redis"}

// Model is the policy. Its fields have the names of Celery's settings.
type Model struct {
	// MaxTasksPerChild ends a pool process after this many jobs
	// (worker_max_tasks_per_child); 0 means never.
	MaxTasksPerChild int

	// Warm lists MODULE:FUNCTION calls to make in the main process before its
	// pool is forked.
	Warm []string
}

var _ models.Executor = Model{}

// Name is "celery".
func (Model) Name() string { return "celery" }

// Execute runs the jobs.
func (m Model) Execute(ctx context.Context, h models.Host) error {
	return peers.Run(ctx, h, peers.System{
		Name: m.Name(), Package: "celery", Driver: driver,
		Mains: 1, Pool: h.Workers(),
		Prefix: func(base string) string { return base + ":celery:" },
		Key:    func(prefix, queue string) string { return prefix + queue },
		// kombu pushes on the left and pops on the right.
		NextIsLast: true,
		Warm:       m.Warm,
		Settings:   map[string]any{"max_tasks_per_child": m.MaxTasksPerChild},
	})
}
