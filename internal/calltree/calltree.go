// Package calltree holds call trees: what a job called, where from, how often, and
// how long each call took. Trees of several jobs are merged, and one is compared to
// another place by place. They are written as flame graphs and differential flame
// graphs (SVG for a browser), as folded stacks (the input of Brendan Gregg's
// flamegraph.pl and of speedscope), and as profiles that `go tool pprof` opens.
package calltree

import (
	"cmp"
	"slices"
	"time"

	"forkbench/internal/stats"
)

// A Kind says what a function is.
type Kind string

// The kinds of functions.
const (
	Python Kind = "python"
	C      Kind = "c"
	Import Kind = "import" // the import of a module, with all that it does
)

// A Function is what a node of a tree calls.
type Function struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"`           // with its module: sqlalchemy.orm.mapper.configure_mappers
	File string `json:"file,omitempty"` // of Python code
	Line int    `json:"line,omitempty"` // where it is defined
}

// String is how people call it.
func (f Function) String() string {
	if f.Kind == Import {
		return "import " + f.Name
	}
	return f.Name
}

// A Cost is time by the clock and time on a processor.
type Cost struct {
	Wall time.Duration
	CPU  time.Duration
}

// Add is c plus d.
func (c Cost) Add(d Cost) Cost { return Cost{c.Wall + d.Wall, c.CPU + d.CPU} }

// Sub is c minus d.
func (c Cost) Sub(d Cost) Cost { return Cost{c.Wall - d.Wall, c.CPU - d.CPU} }

// A Node is a function called in one place of the tree: the same function called
// from elsewhere is another node.
type Node struct {
	Function
	CallLine int     // of the caller, where the call stands; 0 if unknown
	Calls    float64 // for each job, on average
	Jobs     float64 // the share of the jobs that come by here, at most 1
	Self     Cost    // for each job, without the calls below
	Least    Cost    // the least Self of the jobs that come by here
	Children []*Node // no two call the same function
}

// Total is the cost of the call with all that it calls.
func (n *Node) Total() Cost {
	sum := n.Self
	for _, c := range n.Children {
		sum = sum.Add(c.Total())
	}
	return sum
}

// Child is the node below n that calls f, or nil. It is nil below nil.
func (n *Node) Child(f Function) *Node {
	if n == nil {
		return nil
	}
	for _, c := range n.Children {
		if c.Function == f {
			return c
		}
	}
	return nil
}

// Walk calls visit for every node of the tree with the nodes on the way to it,
// outermost first and the node itself last. The path is valid during the call.
// Where visit returns false, what is below is left out.
func (n *Node) Walk(visit func(path []*Node) bool) { n.walk(nil, visit) }

func (n *Node) walk(path []*Node, visit func([]*Node) bool) {
	path = append(path, n)
	if !visit(path) {
		return
	}
	for _, c := range n.Children {
		c.walk(path, visit)
	}
}

// Sort puts the children of every node into an order that depends on nothing but
// the tree: the most expensive first.
func (n *Node) Sort() {
	totals := make(map[*Node]time.Duration, len(n.Children))
	for _, c := range n.Children {
		c.Sort()
		totals[c] = c.Total().Wall
	}
	slices.SortFunc(n.Children, func(a, b *Node) int {
		return cmp.Or(
			cmp.Compare(totals[b], totals[a]), cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}

// Typical is a tree that stands for several: in each place the median of the jobs
// that come by there, times their share of all jobs. One that was disturbed does
// not count for more than any other. It is an empty node if there are none.
func Typical(trees []*Node) *Node {
	n := new(Node)
	if len(trees) > 0 {
		n = typical(trees, float64(len(trees)))
	}
	n.Sort()
	return n
}

// typical merges nodes that are the same place in trees of different jobs.
func typical(same []*Node, jobs float64) *Node {
	n := &Node{Function: same[0].Function, CallLine: same[0].CallLine, Jobs: float64(len(same)) / jobs, Least: same[0].Self}
	var walls, cpus []time.Duration
	var order []Function
	below := make(map[Function][]*Node)
	for _, s := range same {
		n.Calls += s.Calls / jobs
		walls, cpus = append(walls, s.Self.Wall), append(cpus, s.Self.CPU)
		n.Least = Cost{min(n.Least.Wall, s.Self.Wall), min(n.Least.CPU, s.Self.CPU)}
		for _, c := range s.Children {
			if below[c.Function] == nil {
				order = append(order, c.Function)
			}
			below[c.Function] = append(below[c.Function], c)
		}
	}
	n.Self = Cost{scale(stats.Median(walls), n.Jobs), scale(stats.Median(cpus), n.Jobs)}
	for _, f := range order {
		n.Children = append(n.Children, typical(below[f], jobs))
	}
	return n
}

func scale(d time.Duration, by float64) time.Duration { return time.Duration(float64(d) * by) }

// WithoutOverhead is the tree without what the profiler itself added: so much for
// each call, half of it booked on the caller and half on the called. No node
// gets less than nothing.
func (n *Node) WithoutOverhead(each Cost) *Node {
	mine := *n
	calls := n.Calls / 2
	mine.Children = make([]*Node, len(n.Children))
	for i, c := range n.Children {
		calls += c.Calls / 2
		mine.Children[i] = c.WithoutOverhead(each)
	}
	mine.Self.Wall = max(0, n.Self.Wall-time.Duration(calls*float64(each.Wall)))
	mine.Self.CPU = max(0, n.Self.CPU-time.Duration(calls*float64(each.CPU)))
	return &mine
}
