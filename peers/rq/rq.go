// Package rq runs jobs in the real RQ, as installed: a worker for each slot, from
// Redis, with results stored.
package rq

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"forkbench/models"
	"forkbench/peers"
)

//go:embed forkbench_rq.py
var driver string

// Requirement is what must be installed beside the user's application.
func Requirement() peers.Requirement {
	return peers.Requirement{Modules: []string{"rq", "redis"}, Install: "rq"}
}

// The classes of worker, as `rq worker --worker-class` names them.
const (
	Worker       = "Worker"       // forks for each job
	SimpleWorker = "SimpleWorker" // runs the jobs itself
	SpawnWorker  = "SpawnWorker"  // starts a new interpreter for each job
)

// Classes lists them, the usual one first.
func Classes() []string { return []string{Worker, SimpleWorker, SpawnWorker} }

// Model is the policy.
type Model struct {
	Class string // one of Classes; empty means Worker

	// Lazy leaves the import of the jobs' module to each job's process, as `rq
	// worker` does. Otherwise the worker is the script that RQ's documentation
	// advises under "Performance notes": it imports the module before it forks,
	// as the parents of our own models do.
	Lazy bool

	// Warm has such a script do the one-time work as well.
	Warm bool

	// Unprefixed is for an RQ before 3.0, whose keys cannot be kept apart from
	// others: the server must be for nobody else.
	Unprefixed bool
}

var (
	_ models.Executor   = Model{}
	_ models.Configured = Model{}
)

// Name is "rq".
func (Model) Name() string { return "rq" }

// Knobs are the model's settings.
func (m Model) Knobs() map[string]string {
	knobs := map[string]string{"rq-class": cmp.Or(m.Class, Worker), "rq-import": "worker"}
	if m.Lazy {
		knobs["rq-import"] = "job"
	}
	if m.Warm {
		knobs[models.WarmKnob] = ""
	}
	return knobs
}

// Execute runs the jobs.
func (m Model) Execute(ctx context.Context, h models.Host) error {
	class := m.Class
	if class == "" {
		class = Worker
	}
	if !slices.Contains(Classes(), class) {
		return fmt.Errorf("rq has no worker class %q: there are %s", class, strings.Join(Classes(), ", "))
	}
	prefix := func(base string) string { return base + ":rq" }
	if m.Unprefixed {
		prefix = func(string) string { return "rq" }
	}
	return peers.Run(ctx, h, peers.System{
		Name: m.Name(), Driver: driver,
		Mains:    h.Workers(),
		Prefix:   prefix,
		Key:      func(prefix, queue string) string { return prefix + ":queue:" + queue },
		Warm:     m.Warm,
		Settings: map[string]any{"class": class, "preload": !m.Lazy},
	})
}
