// Package hybrid is forks of a warm parent: one template loads the application,
// does the one-time work, and forks a child for each job (or for a few), which
// inherits that work done.
//
// It is what Redash built when it called configure_mappers() before RQ's fork,
// and Pitchfork's mold, Android's Zygote and AFL's fork server applied to jobs:
// the isolation of a fork for each job at nearly the price of a pool.
package hybrid

import (
	"context"
	"strconv"

	"forkbench/models"
)

// A Model is forks of a warm parent. The zero value forks a child for each job.
type Model struct {
	// JobsPerChild is how many jobs a child runs before it exits; 0 means 1.
	JobsPerChild int

	// Spares is how many children the pool keeps forked ahead of need, so that
	// a job that arrives need not wait for its fork (Zygote's USAP pool; the
	// spare servers of Apache's prefork). 0 forks when the job is there.
	Spares int

	// Refork promotes a child that has run so many jobs to be the new
	// template, so that later children inherit all that those jobs did lazily:
	// warm without knowing what to warm (Pitchfork's refork_after). 0 means
	// never.
	Refork int
}

var (
	_ models.Executor   = Model{}
	_ models.Configured = Model{}
)

// Name is "hybrid".
func (Model) Name() string { return "hybrid" }

// JobsApart is for children that are forked for one job: see [models.JobsApart].
func (m Model) JobsApart() bool { return m.JobsPerChild <= 1 && m.Spares == 0 && m.Refork == 0 }

// Knobs are the model's settings. Its parent is always warm.
func (m Model) Knobs() map[string]string {
	return map[string]string{
		"jobs-per-child": strconv.Itoa(max(m.JobsPerChild, 1)),
		"spares":         strconv.Itoa(m.Spares),
		"refork":         strconv.Itoa(m.Refork),
		models.WarmKnob:  "",
	}
}

// Execute runs the jobs of h in children of one warm template.
func (m Model) Execute(ctx context.Context, h models.Host) error {
	parent, err := h.Boot(ctx)
	if err != nil {
		return err
	}
	defer parent.Close(ctx)
	if err := parent.Warm(ctx); err != nil {
		return err
	}

	n := &spares{template: parent, jobs: max(m.JobsPerChild, 1), wanted: m.Spares}
	defer n.close(ctx)
	return h.Parallel(ctx, h.Workers(), func(ctx context.Context, slot int) error {
		w := worker{Model: m, host: h, spares: n, candidate: m.Refork > 0 && slot == 0}
		return w.run(ctx)
	})
}

// A worker is one slot's loop.
type worker struct {
	Model
	host   models.Host
	spares *spares

	candidate bool // this slot's child is to become the template
	child     models.Process
	ran       int // jobs of child so far
}

func (w *worker) run(ctx context.Context) error {
	defer func() { w.endChild(ctx) }()
	if err := w.spares.refill(ctx); err != nil {
		return err
	}
	for job := range w.host.Jobs(ctx) {
		if w.child == nil {
			child, err := w.spares.take(ctx, w.candidate)
			if err != nil {
				return err
			}
			w.child, w.ran = child, 0
		}
		w.host.Settle(job, w.child.Run(ctx, job))
		w.ran++

		switch {
		case !w.child.Alive():
			w.endChild(ctx)
			if err := w.spares.refill(ctx); err != nil {
				return err
			}
		case w.candidate && w.ran >= w.Refork:
			if err := w.spares.promote(ctx, w.child); err != nil {
				return err
			}
			w.child, w.candidate = nil, false
		}
	}
	return nil
}

func (w *worker) endChild(ctx context.Context) {
	if w.child != nil {
		w.child.Close(ctx)
		w.child = nil
	}
}
