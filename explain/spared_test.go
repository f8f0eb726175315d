package explain

import (
	"math"
	"testing"
	"time"

	"forkbench/internal/calltree"
)

// TestSpared: what computes is spared if both of its times are gone; a busy machine
// stretches those by the clock. What waits has only that one.
func TestSpared(t *testing.T) {
	tree := func(wall, cpu time.Duration) *calltree.Node {
		load := at("load", 0)
		load.Self = calltree.Cost{Wall: wall * time.Millisecond, CPU: cpu * time.Millisecond}
		return at("job", 1, load)
	}
	for _, c := range []struct {
		name          string
		before, after *calltree.Node
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
		f := &found{finding: finding{Call: calltree.Function{Kind: calltree.Python, Name: "load"}}}
		if got := r.spared(f, c.after); got != c.want {
			t.Errorf("%s: spared %t, want %t", c.name, got, c.want)
		}
	}
}

// TestSparedPart: that a part is spared shows in the calls; a core that was slower
// before looks the same by time.
func TestSparedPart(t *testing.T) {
	load := func(self time.Duration, below ...*calltree.Node) *calltree.Node {
		return at("job", 1, at("load", self, below...))
	}
	for _, c := range []struct {
		name          string
		before, after *calltree.Node
		want          float64
	}{
		{"all", load(1000), load(0), 1},
		{"nothing, on a core that was slower", load(1000, at("parse", 1000)), load(560, at("parse", 560)), 0},
		{"a call of two", load(0, at("parse", 1000), at("read", 1000)), load(0, at("read", 1000)), 0.5},
		{"a call of two, and the core is slower now", load(0, at("parse", 1000), at("read", 1000)), load(0, at("read", 1600)), 0.2},
	} {
		r := &run{frozen: c.before}
		f := &found{finding: finding{Call: calltree.Function{Kind: calltree.Python, Name: "load"}}}
		if got := r.sparedPart(f, c.after); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestOutranks: a saving that may be chance is not believed against the calls.
func TestOutranks(t *testing.T) {
	r := &run{result: new(Result), measured: &measurements{}}
	r.result.FirstJob.Wall.Median = 100
	between := func(low, high float64) Interval {
		return Interval{Median: (low + high) / 2, Low: &low, High: &high, rounds: 5}
	}
	ofTwo := between(25, 33)
	ofTwo.rounds = 2
	for _, c := range []struct {
		wall Interval
		want bool
	}{
		{between(25, 33), true}, {between(1, 23), false}, {between(-5, 20), false}, {between(0.01, 0.02), false},
		{Interval{Median: 28}, false}, {ofTwo, false},
	} {
		if got := r.outranks(&Try{Measured: Saving{Wall: c.wall}}); got != c.want {
			t.Errorf("%s: %t, want %t", bounds(c.wall), got, c.want)
		}
	}
}

// TestRoundsOfOneCore: jobs of a round share the core that they had, and that it was
// slow in one round is not a saving.
func TestRoundsOfOneCore(t *testing.T) {
	s := make(sample)
	for range 8 {
		s.add(1, 7)
		s.add(2, 7.2)
		s.add(3, -0.1)
	}
	if i := s.interval(); !i.spansZero() || i.Median != 7 || *i.High != 7.2 {
		t.Errorf("%s", bounds(i))
	}
}
