package explain_test

import (
	"net"
	"slices"
	"strings"
	"testing"

	"forkbench/explain"
)

// together is what several calls at once were measured to save.
func together(t *testing.T, r *explain.Result, name string) explain.Try {
	t.Helper()
	i := slices.IndexFunc(r.Together, func(s explain.Try) bool { return strings.HasPrefix(s.Name, name) })
	if i < 0 {
		t.Fatalf("%q was not measured: %+v", name, r.Together)
	}
	return r.Together[i]
}

// TestPlacebo: a warm-up that does nothing is not credited with what the collector
// does not do in a frozen parent; freezing is, and is advice.
func TestPlacebo(t *testing.T) {
	r := explained(t, "collected", "collected:nothing")
	if r.Freezing == nil {
		t.Fatal("freezing was not measured")
	}
	// Each collection in a cold fork copies 300,000 objects.
	freezing, nothing := r.Freezing.Measured.CPU.Median, together(t, r, "the warm-ups as given")
	if saved := nothing.Measured.CPU.Median; saved > freezing/2 {
		t.Errorf("a warm-up that does nothing saves %.1f ms, freezing alone %.1f", saved, freezing)
	}
	if over := nothing.OverCold.CPU.Median; over < freezing/2 {
		t.Errorf("a warm-up that does nothing saves %.1f ms against a cold fork, freezing alone %.1f", over, freezing)
	}
	if w := r.WarmUps[0]; !w.Useless || w.TakesMS == nil {
		t.Errorf("the warm-up that does nothing: %+v", w)
	}
	if !strings.Contains(r.Verdict, "gc.freeze() in the parent before the fork, and nothing else, saves ") {
		t.Errorf("verdict: %s", r.Verdict)
	}
	wantText(t, r.Notes, "`import gc; gc.collect(); gc.freeze()`")
}

// TestOpenedInline: a database that is opened inline is seen by what the process holds, and
// then nothing that would share it is recommended or measured as a saving.
func TestOpenedInline(t *testing.T) {
	r := explained(t, "opened_inline")
	if !strings.Contains(r.NoRefork, "an SQLite connection to ") {
		t.Errorf("why no refork: %q", r.NoRefork)
	}
	if len(r.Together) > 0 {
		t.Errorf("measured: %+v", r.Together)
	}
	for _, it := range r.Findings {
		if it.Refork || it.WarmUp != nil {
			t.Errorf("%s is recommended: %q, refork %v", it.Call, it.WarmUp, it.Refork)
		}
	}
}

// TestDrawn: what is to differ from process to process gets its warning beside the
// recommendation.
func TestDrawn(t *testing.T) {
	r := explained(t, "drawn", "drawn:prepare")
	it := wantPaste(t, r, "drawn:prepare", "drawn.prepare()")
	if want := []string{"a uuid (uuid.uuid4)", "the seed of a random.Random"}; !slices.Equal(it.Draws, want) {
		t.Errorf("draws %q, want %q", it.Draws, want)
	}
	const warning = "draws a uuid (uuid.uuid4) and the seed of a random.Random: what it keeps of that is then the same in every child"
	wantText(t, r.Notes, "drawn.prepare() "+warning)
	if !strings.Contains(r.Verdict, "; but it draws a uuid (uuid.uuid4) and the seed of a random.Random, which is then the same in every child (see below)") {
		t.Errorf("verdict: %s", r.Verdict)
	}
	if !slices.Equal(r.WarmUps[0].Draws, it.Draws) {
		t.Errorf("given, it draws %q", r.WarmUps[0].Draws)
	}
}

// TestCured: where connections are given up before each fork, as it is advised
// where they are not, a parent that has run jobs is measured.
func TestCured(t *testing.T) {
	needs(t, "sqlalchemy")
	r := explained(t, "cured")
	if r.NoRefork != "" {
		t.Errorf("no refork: %s", r.NoRefork)
	}
	if s := together(t, r, "all of it (--refork=5)"); s.Unfit != nil {
		t.Errorf("unfit: %q", s.Unfit)
	}
}

// TestGoesOn: what was given is where the explanation goes on, to what remains.
func TestGoesOn(t *testing.T) {
	needs(t, "sqlalchemy")
	r := explained(t, "twice", "twice:load_rates")
	if r.After == nil {
		t.Fatalf("it does not go on: %s", r.Verdict)
	}
	for _, it := range r.After.Findings {
		if strings.HasPrefix(it.Call, "twice.load_rates") {
			t.Errorf("what was given remains: %s", it.Call)
		}
	}
	it := wantFirst(t, r.After, "sqlalchemy.pool.base.Pool._create_connection")
	if it.OneJob == 0 {
		t.Errorf("one job spares none of it: %q", r.After.Notes)
	}
	together(t, r.After, "one job, and what it opened given up")
	if !strings.Contains(r.Verdict, "; after the warm-ups as given, ") {
		t.Errorf("verdict: %s", r.Verdict)
	}
	if !slices.ContainsFunc(r.Trees, func(m explain.Tree) bool { return m.Name == "after" }) {
		t.Errorf("no tree of what remains")
	}
}

// TestStandingHazard: what forks share of the application as it is loaded is told
// once, first of all, and does not make a call in the parent of no use.
func TestStandingHazard(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Addr().String())
	check(t, err)
	t.Setenv("LEFT_OPEN_PORT", port)
	r := explained(t, "left_open")
	it := wantPaste(t, r, "left_open:table", "left_open.table()")
	if it.Saved != nil && it.Saved.Unfit != nil {
		t.Errorf("the call is said to be unsafe: %q", it.Saved.Unfit)
	}
	wantText(t, r.Warnings, "whatever is done in the parent, its forks share a TCP connection to 127.0.0.1:")
	wantText(t, []string{r.Verdict}, "; but as it is loaded, the application must not be forked: its forks share")
}
