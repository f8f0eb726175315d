package explain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"forkbench/calls"
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

	// triedJobs are looked at for each try.
	triedJobs = 2
)

// tryWays finds out for each finding how it can be done in a parent: each call by
// name that may do it is made alone, in a parent, and it is looked at whether its
// children's jobs still do it.
func (r *run) tryWays(ctx context.Context) error {
	if !r.Verify {
		return nil
	}
	tried := 0
	for _, f := range r.findings {
		if tried == verified || r.share(f) < worth {
			continue
		}
		if len(hazards(f.seen)) > 0 || len(cautions(f.seen)) > 0 {
			continue // it is not for us to do that where nobody asked for it
		}
		ways := f.candidates()
		if len(ways) == 0 {
			continue
		}
		tried++
		for _, way := range ways {
			r.doing("trying %s in a parent", way[0])
			works, why, err := r.try(ctx, f, way)
			if err != nil {
				return err
			}
			if works {
				f.ways = way
				break
			}
			f.tried = append(f.tried, fmt.Sprintf("%s, called in a parent, %s", way[0], why))
		}
	}
	return nil
}

// candidates lists the calls that may do a finding's work, the most usual first.
// Each is a list: calls of one function with the arguments that jobs had for it.
func (f *found) candidates() [][]warmCall {
	if f.Call.Kind == calls.Import {
		return [][]warmCall{{{Module: f.Call.Name}}}
	}
	var list [][]warmCall
	for _, o := range f.seen {
		for _, way := range o.Ways {
			i := slices.IndexFunc(list, func(l []warmCall) bool { return l[0].Module == way.Module && l[0].Name == way.Name })
			if i < 0 {
				list = append(list, []warmCall{way})
			} else if !slices.ContainsFunc(list[i], func(w warmCall) bool { return slices.Equal(w.Args, way.Args) }) {
				list[i] = append(list[i], way)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b []warmCall) int {
		return cmp.Or(cmp.Compare(a[0].privacy(), b[0].privacy()), cmp.Compare(len(a[0].Args), len(b[0].Args)))
	})
	return list
}

// privacy counts the names that begin with an underscore.
func (c warmCall) privacy() int { return strings.Count("."+c.Module+"."+c.Name, "._") }

// try has a parent make calls, and says whether its children's jobs still do what
// the finding is.
func (r *run) try(ctx context.Context, f *found, ways []warmCall) (works bool, why string, err error) {
	list, err := r.look(ctx, hybrid.Model{}, triedJobs, setup{ways: ways, look: &settings{Jobs: 1}})
	if boot, ok := errors.AsType[*live.BootError](err); ok {
		return false, "raises " + shortened(boot.Message, 120), nil
	}
	if failed, ok := errors.AsType[*JobError](err); ok {
		return false, "breaks the jobs: " + failed.short(), nil
	}
	if err != nil {
		return false, "", err
	}
	for _, p := range list {
		if p.Kind != "warm" {
			continue
		}
		if reasons := hazards([]observation{{LeftOpen: p.LeftOpen, Threads: p.Threads}}); len(reasons) > 0 {
			return false, reasons[0], nil
		}
	}
	t, err := jobTrees(list)
	if err != nil {
		return false, "", err
	}
	if f.in(t.first) <= gone*f.in(r.cold.first) {
		return true, "", nil
	}
	return false, "changes nothing: the jobs do it again", nil
}

// in is what a finding's call costs in a tree, wherever it is called from.
func (f *found) in(tree *calls.Node) float64 {
	var sum calls.Cost
	tree.Walk(func(path []*calls.Node) bool {
		n := path[len(path)-1]
		switch {
		case n.Function != f.Call:
			return true
		case f.Own:
			sum = sum.Add(n.Self)
			return true
		}
		sum = sum.Add(n.Total())
		return false
	})
	return cost(sum).score()
}

// share is a finding's part of what a first job costs more, by the clock or in
// CPU, whichever is larger.
func (r *run) share(f *found) float64 {
	s := r.shares(f)
	return max(s.wall, s.cpu)
}

type shares struct{ wall, cpu float64 }

func (r *run) shares(f *found) shares {
	all := calls.Cost(difference(r.cold.first, r.cold.later))
	part := func(x, of int64) float64 {
		if of <= 0 {
			return 0
		}
		return max(0, float64(x)/float64(of)) // more than 1 where later jobs do other things instead
	}
	return shares{part(int64(f.Cost.Wall), int64(all.Wall)), part(int64(f.Cost.CPU), int64(all.CPU))}
}
