package explain

import (
	"testing"

	"forkbench/internal/calltree"
)

// TestCollected: a collection falls into whichever code makes the object too many,
// and is no work of that function's: with a frozen parent it is not there.
func TestCollected(t *testing.T) {
	first := at("job", 10, at("load", 200), at("reconstruct", 900))
	frozen := at("job", 10, at("load", 210), at("reconstruct", 2))
	later := at("job", 10, at("load", 1), at("reconstruct", 2))
	r := &run{cold: trees{first: first, later: later}, frozen: frozen}
	for _, f := range attribute(first, later) {
		r.findings = append(r.findings, &found{finding: f})
	}
	if n := len(r.findings); n != 2 || r.findings[0].Call.Name != "reconstruct" || !r.findings[0].Own {
		t.Fatalf("%d findings, the first %+v", n, r.findings[0].finding)
	}
	r.lastCollections()
	if got := r.findings[0]; got.Call.Name != "load" || r.collected(got) {
		t.Errorf("first is %s, a collection: %t; want load, which a frozen parent's forks do, too", got.Call.Name, r.collected(got))
	}
	if got := r.findings[1]; !r.collected(got) {
		t.Errorf("%s is no collection", got.Call.Name)
	}
	called := &found{finding: finding{Call: calltree.Function{Kind: calltree.Python, Name: "reconstruct"}}}
	if r.collected(called) {
		t.Error("a call that later jobs do not make is no collection")
	}
}
