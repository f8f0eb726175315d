package explain

import (
	"testing"
	"time"

	"forkbench/calls"
)

// TestSpared: what computes is spared if both of its times are gone; a busy machine
// stretches those by the clock. What waits has only that one.
func TestSpared(t *testing.T) {
	tree := func(wall, cpu time.Duration) *calls.Node {
		load := at("load", 0)
		load.Self = calls.Cost{Wall: wall * time.Millisecond, CPU: cpu * time.Millisecond}
		return at("job", 1, load)
	}
	for _, c := range []struct {
		name          string
		before, after *calls.Node
		want          bool
	}{
		{"done before", tree(20, 20), tree(0, 0), true},
		{"done again", tree(20, 20), tree(20, 20), false},
		{"done again, and it was the machine that was busy before", tree(70, 20), tree(20, 18), false},
		{"done again, and it is the machine that is busy now", tree(20, 18), tree(70, 20), false},
		{"waited for before", tree(20, 0), tree(1, 0), true},
		{"waited for again", tree(20, 1), tree(20, 0), false},
	} {
		r := &run{frozen: c.before}
		f := &found{Finding: Finding{Call: calls.Function{Kind: calls.Python, Name: "load"}}}
		if got := r.spared(f, c.after); got != c.want {
			t.Errorf("%s: spared %t, want %t", c.name, got, c.want)
		}
	}
}
