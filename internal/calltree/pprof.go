package calltree

import (
	"fmt"
	"io"
	"time"

	"github.com/google/pprof/profile"
)

// WritePprof writes a tree as a profile for `go tool pprof`, compressed. Its
// values are of one job, so profiles of different models can be compared with
// -diff_base as they are.
func WritePprof(w io.Writer, tree *Node, about string, now time.Time) error {
	p := &profile.Profile{
		// The first is a count by convention; pprof shows the default.
		SampleType:        []*profile.ValueType{{Type: "calls", Unit: "count"}, {Type: "wall", Unit: "nanoseconds"}, {Type: "cpu", Unit: "nanoseconds"}},
		DefaultSampleType: "wall",
		TimeNanos:         now.UnixNano(),
		DurationNanos:     int64(tree.Total().Wall),
		Comments:          []string{about},
	}
	functions := make(map[Function]*profile.Function)
	type place struct {
		function Function
		line     int
	}
	locations := make(map[place]*profile.Location)
	// A location is a line in a function. Of a caller that is where the call
	// stands; of the innermost, where the function begins.
	location := func(f Function, line int) *profile.Location {
		at := place{f, line}
		if l := locations[at]; l != nil {
			return l
		}
		fn := functions[f]
		if fn == nil {
			fn = &profile.Function{
				ID: uint64(len(functions) + 1), Name: f.String(), SystemName: f.Name, Filename: f.File, StartLine: int64(f.Line),
			}
			functions[f] = fn
			p.Function = append(p.Function, fn)
		}
		l := &profile.Location{ID: uint64(len(locations) + 1), Line: []profile.Line{{Function: fn, Line: int64(line)}}}
		locations[at] = l
		p.Location = append(p.Location, l)
		return l
	}
	tree.Walk(func(path []*Node) bool {
		last := path[len(path)-1]
		stack := make([]*profile.Location, len(path)) // the innermost first
		for i, n := range path {
			line := n.Line
			if i+1 < len(path) && n.File != "" && path[i+1].CallLine > 0 {
				line = path[i+1].CallLine
			}
			stack[len(path)-1-i] = location(n.Function, line)
		}
		p.Sample = append(p.Sample, &profile.Sample{
			Location: stack,
			Value:    []int64{int64(last.Calls + 0.5), int64(last.Self.Wall), int64(last.Self.CPU)},
		})
		return true
	})
	if err := p.CheckValid(); err != nil {
		return fmt.Errorf("make a pprof profile: %w", err)
	}
	return p.Write(w)
}
