package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"forkbench/internal/calltree"
	"forkbench/workload"
)

const (
	// nearly is the share of a finding's cost that a call below holds for it to be
	// the finding's work under another name.
	nearly = 0.8

	// busy is the share of a caller's first cost from which on later jobs have it do
	// something, too: who calls it in a parent does more than what is done once.
	busy = 0.2

	// A part of a finding that is looked at holds such a share of it, and is no
	// deeper than so many parts in one another.
	partly, partsDeep = 0.15, 3

	// callers are looked at so far up.
	callers = 12

	// Of the places that a finding is called from, so many are looked at; of small
	// ones together, so many are called.
	gathered = 50
)

// A spot is a place in the tree of a first job's calls that is watched.
type spot struct {
	path []*calltree.Node // from the job's function
	job  bool             // it is that function, or what calls it: not to be called outside of a job
	seen []observation
}

func (s *spot) node() *calltree.Node { return s.path[len(s.path)-1] }

// key names the place for profile.py.
func (s *spot) key() []string {
	var names []string
	for _, n := range s.path {
		names = append(names, fmt.Sprintf("%s %s %d", n.Kind, n.Name, n.Line))
	}
	return names
}

// survey lists the places at which a finding can be taken hold of: itself, wherever
// it is called from; what holds nearly all of it further down; who calls it, and
// has nothing else to do for later jobs; and its parts, which are findings.
func (r *run) survey(f *found, deep int) {
	add := func(list *[]*spot, path []*calltree.Node) {
		*list = append(*list, &spot{path: slices.Clone(path), job: r.isJob(path)})
	}
	for _, path := range f.Paths[:min(gathered, len(f.Paths))] {
		add(&f.here, path)
	}
	if f.group != "" {
		return
	}
	path := f.Paths[0]
	for i := len(path) - 2; i > r.jobItself(path) && len(f.above) < callers && f.within == nil; i-- {
		first, later := path[i], r.laterAt(path[:i+1])
		if first.Kind == calltree.C {
			continue
		}
		if cost(later).score() > busy*cost(first.Total()).score() {
			break
		}
		add(&f.above, path[:i+1])
	}
	if f.Own {
		return
	}
	bottom := spine(path, nearly)
	for i := len(path); i < len(bottom); i++ {
		if bottom[i].Kind != calltree.C {
			add(&f.below, bottom[:i+1])
		}
	}
	if deep == partsDeep {
		return
	}
	for _, c := range bottom[len(bottom)-1].Children {
		part := &found{finding: finding{Call: c.Function, Cost: c.Total(), Calls: c.Calls, Jobs: c.Jobs}, within: f}
		part.Paths = [][]*calltree.Node{append(slices.Clone(bottom), c)}
		if cost(part.Cost).score() >= partly*cost(f.Cost).score() && r.share(part) >= worth {
			f.parts = append(f.parts, part)
			r.survey(part, deep+1)
		}
	}
}

// spine goes down from the end of a path, into the one call that holds such a
// share of it.
func spine(path []*calltree.Node, share float64) []*calltree.Node {
	path = slices.Clone(path)
	least := share * cost(path[len(path)-1].Total()).score()
	for {
		n := path[len(path)-1]
		i := slices.IndexFunc(n.Children, func(c *calltree.Node) bool { return cost(c.Total()).score() >= least })
		if i < 0 || least <= 0 {
			return path
		}
		path = append(path, n.Children[i])
	}
}

// jobItself is where on a path the job's own function stands: the first that is
// the application's. What is before is how this or another job system calls it.
func (r *run) jobItself(path []*calltree.Node) int {
	return max(0, slices.IndexFunc(path, func(n *calltree.Node) bool { return ofApplication(n.Function) }))
}

// isJob reports whether a path ends at the job, or at what calls it: the function in the
// application is another than the first where a decorator's comes before it.
func (r *run) isJob(path []*calltree.Node) bool {
	n, job := path[len(path)-1], r.Machine.Workload.(workload.Python).PythonFunction()
	return n.Kind != calltree.Import && (len(path)-1 <= r.jobItself(path) || n.Name == job.Module+"."+job.Function)
}

// laterAt is what later jobs have a place cost.
func (r *run) laterAt(path []*calltree.Node) calltree.Cost {
	n := r.cold.later
	for _, p := range path[1:] {
		if n = n.Child(p.Function); n == nil {
			return calltree.Cost{}
		}
	}
	return n.Total()
}

// spots lists all places of a finding and its parts.
func (f *found) spots() []*spot {
	list := slices.Concat(f.here, f.below, f.above)
	for _, p := range f.parts {
		list = append(list, p.spots()...)
	}
	return list
}

// A candidate is a call by name that may do a finding's work in a parent: calls of
// one function, with each of the arguments that jobs had for it.
type candidate struct {
	calls []warmCall
	spot  *spot
	up    bool // a caller of the finding
}

// candidates lists them, the best first: public names before private ones; the
// finding itself, or what it comes down to, before those who call it; without
// arguments before with; near before far.
func (f *found) candidates() []candidate {
	if f.group != "" {
		return f.togetherInOne()
	}
	if f.Call.Kind == calltree.Import {
		return []candidate{{calls: []warmCall{{Module: f.Call.Name}}, spot: f.here[0]}}
	}
	var list []candidate
	collect := func(spots []*spot, up bool) {
		for _, s := range spots {
			if s.job {
				continue
			}
			if s.node().Kind == calltree.Import {
				list = append(list, candidate{[]warmCall{{Module: s.node().Name}}, s, up})
				continue
			}
			for _, c := range s.named() {
				c.up = up
				// A caller with other arguments in each job is not a key to anything.
				if !up || len(c.calls) == 1 || len(c.calls) <= len(s.seen)/2 {
					list = append(list, c)
				}
			}
		}
	}
	collect(f.here, false)
	collect(f.below, false)
	collect(f.above, true)
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(a.tier(), b.tier()) })
	var known []string
	return slices.DeleteFunc(list, func(c candidate) bool {
		again := slices.Contains(known, c.calls[0].Module+":"+c.calls[0].Name)
		known = append(known, c.calls[0].Module+":"+c.calls[0].Name)
		return again
	})
}

// tier orders candidates.
func (c candidate) tier() int {
	t := 0
	if c.calls[0].privacy() > 0 {
		t += 4
	}
	if c.up {
		t += 2
	}
	if len(c.calls[0].Args) > 0 {
		t++
	}
	return t
}

// named lists the ways that were seen to call what stands at a place, each with
// its different arguments, the most usual first.
func (s *spot) named() []candidate {
	type key struct{ module, name string }
	var order []key
	ways := make(map[key][]warmCall)
	counts := make(map[string]int)
	for _, o := range s.seen {
		for _, w := range o.Ways {
			k := key{w.Module, w.Name}
			if w.Name == "" {
				k.module = "" // imports, one like the other
			}
			if ways[k] == nil {
				order = append(order, k)
			}
			if counts[w.String()]++; counts[w.String()] == 1 {
				ways[k] = append(ways[k], w)
			}
		}
	}
	var list []candidate
	for _, k := range order {
		slices.SortStableFunc(ways[k], func(a, b warmCall) int { return cmp.Compare(counts[b.String()], counts[a.String()]) })
		list = append(list, candidate{calls: ways[k], spot: s})
	}
	return list
}

// machinery reports whether a function is what Python or a decorator puts between
// a caller and what is called, by what it is called: a descriptor's __get__, a
// __call__, a wrapper. It says nothing of what is done.
func machinery(f calltree.Function) bool {
	if f.Kind != calltree.Python {
		return false
	}
	name := f.Name[strings.LastIndexByte(f.Name, '.')+1:]
	switch name {
	case "__get__", "__call__", "__getattr__", "__getattribute__", "__getitem__", "__missing__", "__enter__":
		return true
	}
	return strings.Contains(f.Name, "<locals>") && !strings.HasSuffix(f.Name, ">")
}

// togetherInOne is to make the calls of small ones one after the other: those of
// which nothing stays that must not.
func (f *found) togetherInOne() []candidate {
	c := candidate{spot: &spot{path: f.here[0].path}}
	known := make(map[string]bool)
	for _, s := range f.here {
		if len(hazards(s.seen)) > 0 || len(cautions(s.seen)) > 0 {
			continue
		}
		var ways []warmCall
		if n := s.node(); n.Kind == calltree.Import {
			ways = append(ways, warmCall{Module: n.Name})
		}
		for _, named := range s.named() {
			ways = append(ways, named.calls...)
		}
		for _, w := range ways {
			if !known[w.String()] && len(c.calls) < gathered {
				known[w.String()] = true
				c.calls = append(c.calls, w)
			}
		}
	}
	if c.calls == nil {
		return nil
	}
	return []candidate{c}
}
