// Package flame draws call trees: as flame graphs and differential flame graphs
// (SVG for a browser), as folded stacks (the input of Brendan Gregg's
// flamegraph.pl and of speedscope), and as profiles that `go tool pprof` opens.
package flame

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"forkbench/calls"
)

// separators must not stand in a frame's name: they end it in folded stacks.
var separators = strings.NewReplacer(";", ":", "\n", " ", "\r", " ")

// WriteFolded writes a tree as folded stacks: a line for each, its frames with
// semicolons between them, then the microseconds of wall time that a job spends
// there itself.
func WriteFolded(w io.Writer, tree *calls.Node) error {
	b := new(bytes.Buffer)
	tree.Walk(func(path []*calls.Node) bool {
		last := path[len(path)-1]
		if us := last.Self.Wall.Microseconds(); us > 0 {
			names := make([]string, len(path))
			for i, n := range path {
				names[i] = separators.Replace(n.Function.String())
			}
			fmt.Fprintf(b, "%s %d\n", strings.Join(names, ";"), us)
		}
		return true
	})
	_, err := b.WriteTo(w)
	return err
}
