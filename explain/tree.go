package explain

import (
	"fmt"
	"io"
	"time"

	"forkbench/internal/calltree"
)

// A Tree is the calls of a typical job of one model, as flame graphs show them.
type Tree struct {
	Name  string // of the model; one of TreeNames
	About string // which of its jobs
	jobs  string // whose
	calls *calltree.Node
}

// TreeNames lists the names that the trees of a result can have.
func TreeNames() []string { return []string{coldName, laterName, afterName, warmName} }

func (t *Tree) graph() *calltree.Graph {
	return &calltree.Graph{Title: t.Name + ": " + t.About, About: t.jobs + ", typical of the jobs profiled", Tree: t.calls}
}

// WriteSVG writes a flame graph for a browser.
func (t *Tree) WriteSVG(w io.Writer) error { return t.graph().WriteSVG(w) }

// WriteFolded writes folded stacks in microseconds, for flamegraph.pl or speedscope.
func (t *Tree) WriteFolded(w io.Writer) error { return calltree.WriteFolded(w, t.calls) }

// WritePprof writes a profile of one job, made at that time, for `go tool pprof`.
func (t *Tree) WritePprof(w io.Writer, made time.Time) error {
	return calltree.WritePprof(w, t.calls, t.graph().Title, made)
}

// A Difference is what one tree adds to another.
type Difference struct {
	Title string
	graph *calltree.Graph
}

// Difference is what a cold fork's job does and the other model's does not: that of
// a warm parent, or else of a process that has run jobs. It is nil where there are no
// two trees.
func (r *Result) Difference() *Difference {
	if len(r.Trees) < 2 {
		return nil
	}
	cold, other := r.Trees[0], r.Trees[len(r.Trees)-1]
	title := fmt.Sprintf("%s, compared to %s", cold.Name, other.Name)
	return &Difference{title, &calltree.Graph{
		Title: title,
		About: fmt.Sprintf("%s: red is what %s adds to %s", r.Workload, cold.About, other.About),
		Tree:  cold.calls, Base: other.calls,
	}}
}

// WriteSVG writes the differential flame graph for a browser.
func (d *Difference) WriteSVG(w io.Writer) error { return d.graph.WriteSVG(w) }
