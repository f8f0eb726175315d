package calltree

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// separators must not stand in a frame's name: they end it in folded stacks.
var separators = strings.NewReplacer(";", ":", "\n", " ", "\r", " ")

// WriteFolded writes a tree as folded stacks: a line for each, its frames with
// semicolons between them, then the microseconds of wall time that a job spends
// there itself. Where no frame comes to one, the outermost stands alone, with 0: a
// file without a line does not say what it is of.
func WriteFolded(w io.Writer, tree *Node) error {
	b := new(bytes.Buffer)
	tree.Walk(func(path []*Node) bool {
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
	if b.Len() == 0 && tree.Jobs > 0 {
		fmt.Fprintf(b, "%s 0\n", separators.Replace(tree.Function.String()))
	}
	_, err := b.WriteTo(w)
	return err
}
