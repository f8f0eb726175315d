package explain

import (
	"cmp"
	"slices"

	"forkbench/internal/calltree"
)

// A finding is one-time work: a call that costs a process's first job something
// and its later jobs nothing, or next to nothing.
type finding struct {
	Call calltree.Function

	// Own is set where a function is called by later jobs too, and what is
	// one-time is in its own code, not in anything that it calls.
	Own bool

	// Paths are the places that it is called from, each as the nodes from the
	// job's function to the call, the most expensive first.
	Paths [][]*calltree.Node

	Cost  calltree.Cost // what it costs a first job more than a later one
	Calls float64       // in a first job
	Jobs  float64       // the share of first jobs that make the call, at most 1
}

const (
	// smallest is the share of the difference between a first and a later job
	// below which a call is not looked at.
	smallest = 0.01

	// repeated is the share of a first job's cost from which on a call that later
	// jobs make, too, is not one-time work as a whole.
	repeated = 0.10
)

// attribute names the calls that make first jobs more expensive than later ones.
//
// It goes down from the job's function, into each call that costs a first job
// more. Where a call is one that later jobs do not make, it stops: what is below
// is how the one-time work is done, and the call is the place where it is decided
// that it must be. So it names the highest call that explains the difference,
// but none that merely contains it. Where later jobs make the call too, the
// difference lies in some of what it calls, or in its own code.
func attribute(first, later *calltree.Node) []finding {
	a := attribution{least: smallest * difference(first, later).score()}
	if a.least <= 0 {
		return nil
	}
	a.descend([]*calltree.Node{first}, later)
	slices.SortFunc(a.found, func(x, y *finding) int {
		return cmp.Or(cmp.Compare(y.Cost.Wall+y.Cost.CPU, x.Cost.Wall+x.Cost.CPU), cmp.Compare(x.Call.String(), y.Call.String()))
	})
	list := make([]finding, len(a.found))
	for i, f := range a.found {
		slices.SortStableFunc(f.Paths, func(x, y []*calltree.Node) int {
			return cmp.Compare(y[len(y)-1].Total().Wall, x[len(x)-1].Total().Wall)
		})
		list[i] = *f
	}
	return list
}

type cost calltree.Cost

// score is the larger of both times: work that waits and work that computes both
// count.
func (c cost) score() float64 { return float64(max(c.Wall, c.CPU)) }

// difference is what a call costs first jobs more than later ones.
func difference(first, later *calltree.Node) cost {
	c := first.Total()
	if later != nil {
		c = c.Sub(later.Total())
	}
	return cost(c)
}

type attribution struct {
	least float64
	found []*finding
}

// descend looks at the last node of a path, which is worth looking at.
func (a *attribution) descend(path []*calltree.Node, later *calltree.Node) {
	first := path[len(path)-1]
	if len(path) > 1 && once(first, later) {
		// Machinery says nothing: what it calls does.
		for _, c := range first.Children {
			if machinery(first.Function) && cost(c.Total()).score() >= nearly*cost(first.Total()).score() {
				a.descend(append(path, c), later.Child(c.Function))
				return
			}
		}
		a.add(path, calltree.Cost(difference(first, later)), false)
		return
	}
	rest := difference(first, later)
	for _, child := range first.Children {
		same := later.Child(child.Function)
		d := difference(child, same)
		if d.score() < a.least {
			continue
		}
		rest = cost(calltree.Cost(rest).Sub(calltree.Cost(d)))
		a.descend(append(path, child), same)
	}
	// What is left: its own code, and calls too small to look at.
	own, least := first.Self, cost(first.Least)
	before := calltree.Cost{}
	if later != nil {
		before = later.Self
	}
	own = own.Sub(before)
	// Code that only ran slower (cold caches, pages copied) did nothing once.
	if min(rest.score(), cost(own).score()) >= a.least && least.score() >= 2*cost(before).score() {
		a.add(path, own, true)
	}
}

// once reports whether a call is one-time work as a whole: later jobs do not make
// it, or an import that has nothing left to do.
func once(first, later *calltree.Node) bool {
	if later == nil || later.Jobs <= repeated*first.Jobs {
		return true
	}
	return first.Kind == calltree.Import && cost(later.Total()).score() <= repeated*cost(first.Total()).score()
}

// add counts a call from one more place.
func (a *attribution) add(path []*calltree.Node, c calltree.Cost, own bool) {
	n := path[len(path)-1]
	i := slices.IndexFunc(a.found, func(f *finding) bool { return f.Call == n.Function && f.Own == own })
	if i < 0 {
		i = len(a.found)
		a.found = append(a.found, &finding{Call: n.Function, Own: own})
	}
	f := a.found[i]
	f.Paths = append(f.Paths, slices.Clone(path))
	f.Cost = f.Cost.Add(c)
	f.Calls += n.Calls
	f.Jobs = min(1, f.Jobs+n.Jobs)
}
