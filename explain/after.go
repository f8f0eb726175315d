package explain

import (
	"context"
	"fmt"
	"slices"

	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
)

// Where warm-ups were given that are of use, the explanation goes on from there:
// all is looked at again in forks of a parent that has done them, and what is found
// and saved is over and above that.

// afterName is the tree of a first job in a fork of such a parent.
const afterName = "after"

// from puts the warm-ups that all parents here do before others. A cold fork is
// then one of a parent that has done them, and a pool's child is forked from it.
func (l *lab) from(e models.Executor, s setup) (models.Executor, setup) {
	if len(l.base) == 0 {
		return e, s
	}
	s.warm = slices.Concat(l.base, s.warm)
	switch m := e.(type) {
	case forkperjob.Model:
		e = hybrid.Model{}
	case prefork.Model:
		if e = (hybrid.Model{JobsPerChild: m.MaxJobsPerChild}); m.MaxJobsPerChild == 0 {
			e = hybrid.Model{JobsPerChild: maxLife}
		}
	}
	return e, s
}

// maxLife of a child is more jobs than are ever looked at here.
const maxLife = 1 << 20

// goOn explains what remains when the warm-ups as given have been done.
func (r *run) goOn(ctx context.Context) error {
	if len(r.userWarm) == 0 || len(r.base) > 0 {
		return nil
	}
	useful := slices.ContainsFunc(r.result.WarmUps, func(w WarmUp) bool { return !w.Useless || len(w.parts) > 0 && slices.Max(values(w.parts)) >= partly })
	unsafe := slices.ContainsFunc(r.result.WarmUps, func(w WarmUp) bool { return len(w.Hazards) > 0 })
	if !useful || unsafe {
		return nil
	}
	plan := *r.Plan
	plan.Sink, plan.Begin, plan.Began = nil, nil, nil
	plan.Doing = func(stage string) { r.doing("after the warm-ups: %s", stage) }
	next := plan.begin()
	next.dir, next.base = r.dir, r.userWarm
	next.looks = r.looks
	next.result.Env = slices.Clone(r.result.Env)
	rest, err := next.explain(ctx)
	if err != nil {
		return err
	}
	rest.Freezing = nil // it is frozen, as what it is compared to
	r.result.After = rest
	return nil
}

func values(parts map[*found]float64) (list []float64) {
	for _, p := range parts {
		list = append(list, p)
	}
	return list
}

// rest tells in a sentence what remains.
func (r *Result) rest() string {
	a := r.After
	if a == nil {
		return ""
	}
	return fmt.Sprintf("; after the warm-ups as given, %s of each job remain in a fork, and %s in a process that has run others: %s",
		milliseconds(a.FirstJob.Wall.Median), milliseconds(a.LaterJob.Wall.Median), a.Verdict)
}
