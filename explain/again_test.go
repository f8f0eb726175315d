package explain

import (
	"math"
	"slices"
	"testing"
	"time"

	"forkbench/internal/calltree"
)

// took is a call in a tree, with what it takes itself.
func took(name string, self time.Duration, children ...*calltree.Node) *calltree.Node {
	return &calltree.Node{
		Function: calltree.Function{Kind: calltree.Python, Name: name}, Calls: 1, Jobs: 1,
		Self: calltree.Cost{Wall: self * time.Millisecond, CPU: self * time.Millisecond / 10}, Children: children,
	}
}

// TestAgain: what jobs do again is told by the calls that they make, though these take
// ten times as long on a machine that is busy then.
func TestAgain(t *testing.T) {
	connection := func(slower time.Duration, first ...*calltree.Node) *calltree.Node {
		connect := took("pool._Record.connect", 0, append(first, took("driver.connect", 41*slower))...)
		return took("app.job", 3, took("pool.Pool._create", 1*slower, connect))
	}
	before := connection(1, took("pool.exec_once.<locals>.go", 2, took("dialect.Dialect.initialize", 56)))
	f := &found{finding: finding{Call: before.Children[0].Function}}
	r := &run{frozen: before, findings: []*found{f}}
	after := connection(10)
	if got := r.notMade(f, after); math.Abs(got-0.58) > 1e-9 {
		t.Errorf("%.3f of it is not made again, want 0.58", got)
	}
	saved, left := r.again(f, after)
	if want := []string{"dialect.Dialect.initialize (58 % of it)"}; !slices.Equal(saved, want) {
		t.Errorf("spared: %q, want %q", saved, want)
	}
	if want := []string{"driver.connect (41 % of it)"}; !slices.Equal(left, want) {
		t.Errorf("made again: %q, want %q", left, want)
	}
	if got := r.notMade(f, before); got != 0 {
		t.Errorf("%.3f is spared where nothing is", got)
	}
	if got := r.notMade(f, took("app.job", 3)); got != 1 {
		t.Errorf("%.3f is spared where all is", got)
	}
}

// TestDoesAgain: a warm-up does what jobs do again, for another key, though the core
// was three times as fast; one that comes too early only calls it.
func TestDoesAgain(t *testing.T) {
	job := took("app.job", 3, took("app.table", 4, took("re.compile", 90)))
	f := &found{finding: finding{Call: job.Children[0].Function}}
	r := &run{cold: trees{first: job}, findings: []*found{f}}
	for _, c := range []struct {
		name string
		did  *calltree.Node
		want bool
	}{
		{"on a faster core", took("app.warm_up", 1, took("app.table", 1, took("re.compile", 30))), true},
		{"too early", took("app.warm_up", 1, took("app.table", 1)), false},
		{"too early, on a core as slow as that", took("app.warm_up", 1, took("app.table", 40)), false},
	} {
		if got := r.doesAgain(f, c.did); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
	// Whose own code is all there is.
	own := took("app.job", 3, took("app.count", 90))
	f = &found{finding: finding{Call: own.Children[0].Function}}
	r = &run{cold: trees{first: own}, findings: []*found{f}}
	if r.doesAgain(f, took("app.warm_up", 1, took("app.count", 1))) || !r.doesAgain(f, took("app.warm_up", 1, took("app.count", 80))) {
		t.Error("a call of its own code alone is not told by its time")
	}
}
