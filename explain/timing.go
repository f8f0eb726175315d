package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"forkbench/internal/stats"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
)

// A timing is what a finding takes of a first job, without a
// profiler: under one, code that makes many calls is slowed down more than other
// code.
type timing struct {
	wall, cpu float64 // shares of the job's time
	pages     float64 // page faults
}

// copying is what forks of a warm parent pay for: each page of the parent's that
// a child writes to is copied. Where it has done nothing, those that the one-time work wrote
// to are the child's own already.
type copying struct {
	cost  float64            // of a page, in milliseconds of CPU
	cold  float64            // page faults of a first job in a fork of a frozen parent
	pages map[string]float64 // the same, in forks of the parent of a contestant
}

// time times the findings at full speed: in cold forks, and in forks of a parent
// that is frozen, where a collection is cheap.
func (r *run) time(ctx context.Context) error {
	look := r.timers()
	if len(look.Time) == 0 {
		return nil
	}
	r.doing("timing them without the profiler")
	for _, frozen := range []bool{false, true} {
		var model models.Executor = forkperjob.Model{}
		if frozen {
			model = hybrid.Model{}
		}
		if frozen && !r.Verify {
			break
		}
		list, err := r.look(ctx, model, timedJobs, setup{look: look})
		if failed, ok := errors.AsType[*JobError](err); ok {
			r.result.Notes = append(r.result.Notes, fmt.Sprintf("With timers around what was found, %s: "+
				"what it takes and what is predicted come from the profile, which slows down some code more than other.", failed.short()))
			return nil
		}
		if err != nil {
			return err
		}
		for _, f := range slices.Concat(r.findings, r.hoisted()) {
			if t := timings(list, f); frozen {
				f.frozen = t
			} else {
				f.timed = t
			}
		}
		if frozen {
			var costs []float64
			for _, p := range list {
				costs = append(costs, float64(p.FaultNS)/1e6)
			}
			r.copying = copying{cost: stats.Median(costs), cold: faults(list, 0), pages: make(map[string]float64)}
		}
	}
	return nil
}

// timings is what a finding takes of the jobs in a list.
func timings(list []*profile, f *found) *timing {
	var walls, cpus, pages []float64
	for _, p := range list {
		i := slices.IndexFunc(p.Watched, func(o observation) bool { return !f.Own && f.group == "" && o.Name == f.Call.String() })
		if i >= 0 && p.WallNS > 0 && p.CPUNS > 0 {
			o := p.Watched[i]
			walls = append(walls, float64(o.WallNS)/float64(p.WallNS))
			cpus = append(cpus, float64(o.CPUNS)/float64(p.CPUNS))
			pages = append(pages, float64(o.Faults))
		}
	}
	if walls == nil {
		return nil
	}
	of := float64(len(walls)) / float64(len(list)) // not all jobs make the call
	return &timing{of * stats.Median(walls), of * stats.Median(cpus), stats.Median(pages)}
}

// faults is the median of the page faults of jobs in processes that were forked
// from one that had run so many jobs or more.
func faults(list []*profile, inherited int) float64 {
	var all []float64
	for _, p := range list {
		if p.Kind == "job" && p.Inherited >= inherited {
			all = append(all, float64(p.Faults))
		}
	}
	return stats.Median(all)
}

// countPages counts the page faults of jobs in forks of each parent that is going
// to be measured. It is a count, not a time: it is there to predict the time.
func (r *run) countPages(ctx context.Context) error {
	if !r.Verify || r.copying.pages == nil {
		return nil
	}
	r.doing("counting the pages that forks of a warm parent copy")
	count := func(c contestant, jobs, inherited int) error {
		c.setup.look = r.timers()
		list, err := r.look(ctx, c.executor, jobs, c.setup)
		if err == nil {
			r.copying.pages[c.name] = faults(list, inherited)
		}
		return err
	}
	for _, c := range r.warmedParents() {
		jobs, inherited := triedJobs+1, 0
		if m, ok := c.executor.(hybrid.Model); ok && m.Refork > 0 {
			jobs, inherited = jobs+m.Refork, 1
		}
		if err := count(c, jobs, inherited); err != nil {
			return err
		}
	}
	return nil
}

// copied is what the jobs in forks of a contestant's parent pay more, in
// milliseconds, for pages that the findings have written to in a cold fork.
func (r *run) copied(contestant string, list []*found) float64 {
	pages, ok := r.copying.pages[contestant]
	if !ok {
		return 0
	}
	left := r.copying.cold
	for _, f := range list {
		if f.frozen != nil {
			left -= f.frozen.pages
		}
	}
	return max(0, pages-max(0, left)) * r.copying.cost
}
