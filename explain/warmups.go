package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"forkbench/internal/calltree"
	"forkbench/internal/format"
	"forkbench/live"
	"forkbench/models/hybrid"
	"forkbench/workload"
)

// A WarmUp is a warm-up that the user gave, or the workload names, and what it is
// good for.
type WarmUp struct {
	Reference string   `json:"reference"`
	TookMS    float64  `json:"took_ms"`               // under the profiler; 0 where it breaks the jobs
	TakesMS   *float64 `json:"takes_ms,omitempty"`    // without one, measured
	Does      []string `json:"does,omitempty"`        // the findings that jobs need not do any more
	Verdict   string   `json:"verdict"`               // in words
	Useless   bool     `json:"useless"`               // it changes nothing for these jobs
	Hazards   []string `json:"hazards,omitempty"`     // what it leaves behind in the parent
	Draws     []string `json:"draws,omitempty"`       // what it draws, which is then the same in all children
	Undone    []string `json:"undone,omitempty"`      // what it left open and gave up, and how
	Saved     *Try     `json:"saved_alone,omitempty"` // by it alone, measured

	parts  map[*found]float64 // of each finding's cost, what it spares the jobs
	spares bool               // a finding, or a part of one that is worth telling
	read   bool               // it is an attribute, which is computed when it is read
	broken bool               // no job is done by forks of a parent that has done it
}

// givenWarmUps lists them: the workload's own, then the user's.
func (r *run) givenWarmUps() []string {
	own := r.Machine.Workload.(workload.Python).PythonFunction().Warm
	return slices.Concat(own, r.Machine.Runtime.(live.Python).Warm)
}

// checkWarmUps makes each given warm-up alone, in a parent, and looks at whether
// its children's jobs are spared anything.
func (r *run) checkWarmUps(ctx context.Context) error {
	if r.base != nil {
		return nil // they are where this begins
	}
	r.userWarm = r.givenWarmUps()
	breaks := false
	for _, reference := range r.userWarm {
		r.doing("trying %s in a parent", reference)
		list, err := r.lookQuietly(ctx, hybrid.Model{}, triedJobs, setup{warm: []string{reference}, look: &settings{Jobs: 1}})
		if why := r.refusal(err); why != "" {
			r.result.WarmUps = append(r.result.WarmUps, WarmUp{Reference: reference, Verdict: "must not be made in the parent: " + why, broken: true})
			breaks = true
			continue
		}
		if failed, ok := errors.AsType[*JobError](err); ok {
			r.result.WarmUps = append(r.result.WarmUps, WarmUp{Reference: reference, Verdict: "breaks the jobs: " + failed.short(), broken: true})
			breaks = true
			continue
		}
		if err != nil {
			return err
		}
		left := r.added()
		t, err := jobTrees(list)
		if err != nil {
			return err
		}
		w := WarmUp{Reference: reference}
		did := new(calltree.Node)
		for _, p := range list {
			if p.Kind != "warm" {
				continue
			}
			w.TookMS = format.Millis(time.Duration(p.WallNS))
			w.Undone = append(w.Undone, p.Undone...)
			w.read = w.read || p.Read
			if w.Hazards = hazards([]observation{{LeftOpen: p.LeftOpen, Threads: p.Threads}}); w.Hazards == nil && left != "" {
				w.Hazards = []string{"must not be made in the parent: " + left}
			}
			if did, err = p.tree(); err != nil {
				return err
			}
		}
		w.Draws = draws(did)
		w.parts = make(map[*found]float64)
		var inPart []string
		for _, f := range r.findings {
			if f.in(r.frozen) > 0 {
				w.parts[f] = r.sparedPart(f, t.first)
			}
			if r.spared(f, t.first) && r.share(f) >= smallest {
				w.Does = append(w.Does, f.Call.String())
			} else if w.parts[f] >= gone && r.share(f) >= smallest {
				inPart = append(inPart, fmt.Sprintf("%s of %s", format.Percent(w.parts[f], 0), f.Call))
			}
		}
		w.spares = len(w.Does)+len(inPart) > 0
		if w.spares {
			w.Verdict = "spares each job " + strings.Join(slices.Concat(w.Does, inPart), ", ")
		} else if w.Verdict, err = r.whyUseless(ctx, reference, did); err != nil {
			return err
		} else {
			w.Useless = true
		}
		r.result.WarmUps = append(r.result.WarmUps, w)
	}
	if breaks {
		r.userWarm = nil // there is nothing to measure
	}
	return nil
}

// givenParents lists the parents that do what was given: all of it, and each alone.
func (r *run) givenParents() (list []contestant) {
	if len(r.userWarm) == 0 {
		return nil
	}
	if len(r.userWarm) > 1 {
		for _, reference := range r.userWarm[:min(givenAlone, len(r.userWarm))] {
			list = append(list, alone(reference))
		}
	}
	return append(list, warmed(userWarm, setup{warm: r.userWarm}))
}

// givenAlone are measured alone at most.
const givenAlone = 6

// alone is the parent that does one of several warm-ups that were given.
func alone(reference string) contestant {
	return warmed("given: "+reference, setup{warm: []string{reference}})
}

// judge puts what was measured of the warm-ups that were given above what was seen
// of them in a profile: a saving that was measured is one, wherever it comes from.
func (r *run) judge() {
	for i := range r.result.WarmUps {
		w := &r.result.WarmUps[i]
		name := alone(w.Reference).name
		if len(r.userWarm) == 1 {
			name = warmed(userWarm, setup{}).name
		}
		if w.Saved = r.tried(name, w.Reference, frozen().name); w.Saved == nil {
			continue
		}
		takes := r.measured.warm(name)
		w.TakesMS = &takes
		if w.Useless && r.outranks(w.Saved) {
			w.Useless = false
			w.Verdict = "saves " + w.Saved.savings() + ", though it does none of the calls above"
		}
	}
}

// credited is what of the findings the warm-ups as given spare the jobs: the
// largest part that one of them does.
func (r *run) credited() sparing {
	parts := make(sparing)
	for _, w := range r.result.WarmUps {
		for f, part := range w.parts {
			parts[f] = max(parts[f], part)
		}
	}
	return parts
}

// whyUseless says why a warm-up spares the jobs nothing.
func (r *run) whyUseless(ctx context.Context, reference string, did *calltree.Node) (string, error) {
	if len(r.findings) == 0 {
		return "changes nothing: these jobs have no one-time work", nil
	}
	// The call that did the most of what a job does once.
	var same *found
	for _, f := range r.findings {
		if f.in(did) > 0 && (same == nil || f.in(did) > same.in(did)) {
			same = f
		}
	}
	all := difference(r.cold.first, r.cold.later).score()
	switch {
	case same != nil && r.doesAgain(same, did):
		text := fmt.Sprintf("changes nothing: it does %s, and each job does it again: for something else (another key), or it does not find what was done", same.Call)
		with, err := r.arguments(ctx, reference, same)
		if err != nil || with == "" {
			return text, err
		}
		return fmt.Sprintf("changes nothing: it does %s for another key: %s", same.Call, with), nil
	case same != nil:
		return fmt.Sprintf("changes nothing: it calls %s, which had nothing to do yet: called too early, before what it works on is there", same.Call), nil
	case cost(did.Total()).score() < smallest*all:
		return "changes nothing: it did next to nothing itself: called too early, before what it works on is there, or not at all what the jobs need", nil
	}
	return "changes nothing: what it does is nothing that these jobs do once", nil
}

// doesAgain reports whether a warm-up does what each job does again, and is not only
// called: half of it by the calls that it makes. A call that has nothing to do may have
// no calls below it that tell, and is told by the time that it takes.
func (r *run) doesAgain(f *found, did *calltree.Node) bool {
	return f.made(r.cold.first, did) >= half && f.in(did) >= idle*f.in(r.cold.first)
}

// idle is the share of its time that a call takes at most if it has nothing to do: so
// little that no change of the core's speed comes to that.
const idle = 0.2

// arguments says with which arguments a warm-up and the jobs make the same call.
func (r *run) arguments(ctx context.Context, reference string, f *found) (string, error) {
	list, err := r.look(ctx, hybrid.Model{}, 1, setup{
		warm: []string{reference}, look: &settings{Jobs: 1, Watch: []string{f.Call.String()}},
	})
	if err != nil {
		return "", err
	}
	made := map[string][]string{}
	for _, p := range list {
		for _, o := range p.Watched {
			for _, way := range o.Ways {
				if len(way.Args) > 0 && !slices.Contains(made[p.Kind], way.String()) {
					made[p.Kind] = append(made[p.Kind], way.String())
				}
			}
		}
	}
	if made["warm"] == nil || made["job"] == nil || slices.Equal(made["warm"], made["job"]) {
		return "", nil
	}
	return fmt.Sprintf("it calls %s, the jobs %s", strings.Join(made["warm"], ", "), strings.Join(made["job"], ", ")), nil
}
