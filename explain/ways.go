package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"forkbench/internal/calltree"
	"forkbench/internal/format"
	"forkbench/live"
	"forkbench/models/hybrid"
)

const (
	// worth is the share of the one-time work from which on a finding is worth
	// trying to hoist.
	worth = 0.03

	// gone is the share of a call's cost that may be left for it to count as
	// hoisted.
	gone = 0.3

	// little is the share of it that is left of a call that returns at once.
	little = 0.05

	// computing is the share of CPU in a call's time from which on both of its times
	// have to be gone: on a busy machine the clock alone may say so by chance.
	computing = 0.2

	// triedJobs are looked at for each try: more than a rare key can spoil.
	triedJobs = 4

	// Of a finding so many calls are tried at most, of all findings so many.
	triedEach, triedAll = 4, 16
)

// tryWays finds out for each finding how it can be done in a parent: each call by
// name that may do it is made alone, in a parent, and it is looked at whether its
// children's jobs still do it. Where none of a finding's does, its parts are tried.
func (r *run) tryWays(ctx context.Context) error {
	for _, f := range r.findings {
		if f.spared != nil {
			continue
		}
		if r.share(f) < worth {
			f.untried = f.likeliest()
			continue
		}
		if err := r.tryFinding(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// likeliest is the first call that may do a finding's work, and leaves nothing
// behind.
func (f *found) likeliest() []warmCall {
	for _, c := range f.candidates() {
		if len(hazards(c.spot.seen)) == 0 && len(cautions(c.spot.seen)) == 0 {
			return c.calls
		}
	}
	return nil
}

func (r *run) tryFinding(ctx context.Context, f *found) error {
	each := 0
	for _, c := range f.candidates() {
		if len(hazards(c.spot.seen)) > 0 || len(cautions(c.spot.seen)) > 0 {
			continue // it is not for us to do that where nobody asked for it
		}
		if !r.Verify || each == triedEach || r.attempts == triedAll {
			f.untried = c.calls
			if !r.Verify && c.tier() == 0 { // public, and needs nothing: the better name, tried or not
				f.nameBy(c)
			}
			break
		}
		each++
		r.attempts++
		r.doing("trying %s in a parent", c.calls[0])
		seen, err := r.try(ctx, f, c.calls)
		if err != nil {
			return err
		}
		if seen.why == "" {
			f.draws = seen.draws
			r.adopt(f, c, seen.tree)
			return nil
		}
		f.tried = append(f.tried, fmt.Sprintf("%s, made in a parent, %s", c.calls[0], seen.why))
	}
	for _, p := range f.parts {
		if err := r.tryFinding(ctx, p); err != nil {
			return err
		}
	}
	return r.tryReleased(ctx, f)
}

// mayDo is what was not tried, and may do a finding; or, where nothing was found to
// call it by, the first part of it.
func (f *found) mayDo() (untried []warmCall, part bool) {
	if len(f.untried) > 0 || len(f.ways) > 0 {
		return f.untried, false
	}
	for _, p := range f.parts {
		if untried, _ := p.mayDo(); len(untried) > 0 {
			return untried, true
		}
	}
	return nil, false
}

// adopt takes a candidate that works for the finding's answer.
func (r *run) adopt(f *found, c candidate, after *calltree.Node) {
	f.ways, f.after, f.untried = c.calls, after, nil
	f.nameBy(c)
	for _, other := range r.findings {
		if other != f && other.ways == nil && other.spared == nil && r.spared(other, after) {
			other.spared = f
		}
	}
}

// nameBy calls a finding by what holds nearly all of it, where that is the candidate.
func (f *found) nameBy(c candidate) {
	if n := c.spot.node(); !c.up && !f.Own && f.group == "" && n.Function != f.Call {
		f.Call, f.seen = n.Function, c.spot.seen
		f.Paths = [][]*calltree.Node{c.spot.path}
	}
}

// try has a parent make calls, and says why its children's jobs still do what the
// finding is; or nothing, and how the jobs are then.
func (r *run) try(ctx context.Context, f *found, ways []warmCall) (sight, error) {
	seen, err := r.inParent(ctx, ways)
	if err != nil || seen.why != "" || r.spared(f, seen.tree) {
		return seen, err
	}
	seen.why = "changes nothing: the jobs do it again"
	if part := r.sparing(seen.tree)[f]; part >= gone {
		seen.why = fmt.Sprintf("spares the jobs %s of it only", format.Percent(part, 0))
	}
	return seen, nil
}

// A sight is what was seen of a parent that made calls.
type sight struct {
	tree   *calltree.Node // a first job of its children
	undone []string       // what the calls left open, and how it was given up
	draws  []string       // what they draw, of what is to differ from process to process
	why    string         // it is not to be: what it leaves, or breaks; or ""
}

// inParent has a parent make calls, and looks at its children's jobs.
func (r *run) inParent(ctx context.Context, ways []warmCall) (sight, error) {
	list, err := r.lookQuietly(ctx, hybrid.Model{}, triedJobs, setup{warm: references(ways), look: &settings{Jobs: 1}})
	if why := r.refusal(err); why != "" {
		return sight{why: "must not be: " + why}, nil
	}
	if boot, ok := errors.AsType[*live.BootError](err); ok {
		return sight{why: "raises " + shortened(boot.Message, 120)}, nil
	}
	if failed, ok := errors.AsType[*JobError](err); ok {
		return sight{why: "breaks the jobs: " + failed.short()}, nil
	}
	if died, ok := errors.AsType[*live.DeathError](err); ok {
		return sight{why: "kills it: " + shortened(died.Obituary, 120)}, nil
	}
	if err != nil {
		return sight{}, err
	}
	var seen sight
	for _, p := range list {
		if p.Kind != "warm" {
			continue
		}
		seen.undone = append(seen.undone, p.Undone...)
		did, err := p.tree()
		if err != nil {
			return sight{}, err
		}
		seen.draws = slices.Compact(slices.Sorted(slices.Values(append(seen.draws, draws(did)...))))
		if reasons := hazards([]observation{{LeftOpen: p.LeftOpen, Threads: p.Threads}}); len(reasons) > 0 && len(p.Undone) == 0 {
			return sight{why: reasons[0]}, nil
		}
	}
	if why := r.added(); why != "" {
		return sight{why: "must not be: " + why}, nil
	}
	t, err := jobTrees(list)
	seen.tree = t.first
	return seen, err
}

// hoisted lists the findings and the parts of findings that can be done in a
// parent.
func (r *run) hoisted() (list []*found) {
	var collect func(of []*found)
	collect = func(of []*found) {
		for _, f := range of {
			if len(f.ways) > 0 {
				list = append(list, f)
			}
			collect(f.parts)
		}
	}
	collect(r.findings)
	return slices.Clip(list)
}

// in is what a finding's call costs in a tree, wherever it is called from.
func (f *found) in(tree *calltree.Node) float64 { return f.costIn(tree).score() }

func (f *found) costIn(tree *calltree.Node) cost {
	var sum calltree.Cost
	functions := f.functions()
	// What an import does is the import's, unless the finding is in one itself.
	imported := slices.ContainsFunc(f.Paths, func(path []*calltree.Node) bool {
		return slices.ContainsFunc(path, func(n *calltree.Node) bool { return n.Kind == calltree.Import })
	})
	tree.Walk(func(path []*calltree.Node) bool {
		n := path[len(path)-1]
		switch {
		case n.Kind == calltree.Import && !imported:
			return false
		case !slices.Contains(functions, n.Function):
			return true
		case f.Own:
			sum = sum.Add(n.Self)
			return true
		}
		sum = sum.Add(n.Total())
		return false
	})
	return cost(sum)
}

// share is a finding's part of what a first job costs more, by the clock or in
// CPU, whichever is larger.
func (r *run) share(f *found) float64 {
	s := r.shares(f)
	return max(s.wall, s.cpu)
}

type shares struct{ wall, cpu float64 }

func (r *run) shares(f *found) shares {
	all := calltree.Cost(difference(r.cold.first, r.cold.later))
	// More than 1 where later jobs do other things instead.
	return shares{part(int64(f.Cost.Wall), int64(all.Wall)), part(int64(f.Cost.CPU), int64(all.CPU))}
}
