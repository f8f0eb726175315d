package explain_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"forkbench/explain"
	"forkbench/live"
	"forkbench/live/livetest"
	"forkbench/workload"
)

func TestMain(m *testing.M) {
	live.Main()
	os.Exit(m.Run())
}

// needs skips a test where python3 on PATH has no such module.
func needs(t *testing.T, module string) {
	t.Helper()
	err := exec.Command("python3", "-c", "import "+module).Run()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("python3 on PATH has no %s: %v", module, err)
	default:
		t.Skipf("python3 on PATH has no %s: run `make test`, which has its own Python", module)
	}
}

// explained explains the jobs of a test application.
func explained(t *testing.T, module string, warm ...string) *explain.Result {
	t.Helper()
	r, err := plan(t, module, warm...).Run(t.Context())
	check(t, err)
	wantConsistent(t, r)
	return r
}

// wantConsistent checks that no line of a report says the opposite of another.
func wantConsistent(t *testing.T, r *explain.Result) {
	t.Helper()
	for _, text := range r.Warnings {
		if strings.Contains(text, "contradicts itself") {
			t.Errorf("%s: %s", r.Workload, text)
		}
	}
}

// sorts are the applications that do for a short run: one of each way to go on from
// what was found.
var sorts = []string{"nothing", "lazy_import", "lazy_table", "mapped", "connection", "not_in_parent", "twice"}

// plan is to explain the jobs of a test application.
func plan(t *testing.T, module string, warm ...string) *explain.Plan {
	t.Helper()
	if testing.Short() && !slices.Contains(sorts, module) {
		t.Skip("another application for code that the race detector has seen at work on others")
	}
	w, err := workload.Parse("py:" + module + ":job")
	check(t, err)
	apps, err := filepath.Abs("testdata/apps")
	check(t, err)
	burst, err := workload.ParseArrivals("burst")
	check(t, err)
	m := livetest.New(t)
	return &explain.Plan{
		Machine: m.Live(w, live.Python{Path: []string{apps}, Warm: warm}, 1),
		Source:  func(n int) iter.Seq[workload.Job] { return workload.Jobs(w, burst, 1, n) },
		Jobs:    8, Rounds: 2, Verify: true, Dir: t.TempDir(),
	}
}

// wantFirst checks the finding that stands first, and that the verdict names it.
func wantFirst(t *testing.T, r *explain.Result, call string) explain.Item {
	t.Helper()
	if len(r.Findings) == 0 {
		t.Fatalf("nothing found: %s", r.Verdict)
	}
	first := r.Findings[0]
	if first.Call != call {
		t.Fatalf("%s is named first, want %s: %s", first.Call, call, r.Verdict)
	}
	return first
}

// wantHoisted checks that a finding takes most of the one-time work, that a
// parent can do it, and that the jobs are then spared most of that.
func wantHoisted(t *testing.T, it explain.Item, warmUp ...string) {
	t.Helper()
	if !slices.Equal(it.WarmUp, warmUp) {
		t.Errorf("%s is hoisted by %q, want %q (tried: %q)", it.Call, it.WarmUp, warmUp, it.Tried)
	}
	if it.ShareCPU < 0.7 {
		t.Errorf("%s takes %.0f %% of the one-time CPU, want most of it", it.Call, 100*it.ShareCPU)
	}
	if it.Saved == nil {
		t.Fatalf("what %s saves was not measured", it.Call)
	}
	// Half and double: whatever else the machine does meanwhile.
	if got, want := it.Saved.Measured.CPU.Median, it.Saved.PredictedCPU; got < want/2 || got > 2*want {
		t.Errorf("%s saves %.2f ms of CPU, %.2f ms were predicted", it.Call, got, want)
	}
}

func TestLazyImport(t *testing.T) {
	r := explained(t, "lazy_import")
	it := wantFirst(t, r, "import heavy_report")
	wantHoisted(t, it, "import heavy_report")
	if it.Kind != "import" || it.CalledFrom != "lazy_import.py:5" || it.Repeated != 16 || it.Pages < 100 {
		t.Errorf("kind %s, called from %s, repeated %d times, dirties %.0f pages", it.Kind, it.CalledFrom, it.Repeated, it.Pages)
	}
	if !strings.HasPrefix(r.Verdict, "import heavy_report runs again in every fork") {
		t.Errorf("verdict: %s", r.Verdict)
	}
}

func TestLazyTable(t *testing.T) {
	r := explained(t, "lazy_table")
	it := wantFirst(t, r, "lazy_table.table")
	wantHoisted(t, it, "lazy_table.table('en')")
}

// TestConnection: a connection is named, and never made in a parent.
func TestConnection(t *testing.T) {
	needs(t, "sqlalchemy")
	r := explained(t, "connection")
	it := wantFirst(t, r, "sqlalchemy.pool.base.Pool._create_connection")
	if it.WarmUp != nil || it.Saved != nil || len(it.Hazards) == 0 || !strings.Contains(it.Hazards[0], "forkbench-explain") {
		t.Errorf("hoisted by %q, saved %v, hazards %q", it.WarmUp, it.Saved, it.Hazards)
	}
	if !strings.Contains(r.Verdict, "; it leaves the file ") || !strings.Contains(r.Verdict, "given up before the fork (--warm=undo:connection:engine.connect)") {
		t.Errorf("verdict: %s", r.Verdict)
	}
	// What the first connection of an engine asks once is spared all the same.
	if one := together(t, r, "one job, and what it opened given up (--warm=job)"); one.Unfit != nil || it.OneJob == 0 {
		t.Errorf("one job in the parent spares %.2f of it, unfit %q", it.OneJob, one.Unfit)
	}
	wantText(t, r.Notes, "connection.engine.dispose()")
	// And how a parent that has run jobs may have forks.
	wantText(t, r.Notes, "os.register_at_fork(before=lambda: (session.remove(), connection.engine.dispose()))")
}

func TestNothing(t *testing.T) {
	r := explained(t, "nothing", "nothing:start")
	if !strings.HasPrefix(r.Verdict, "nothing worth hoisting: ") {
		t.Errorf("verdict: %s\nfindings: %+v", r.Verdict, r.Findings)
	}
	// A warm-up after which the parent refuses to fork is told, and ends nothing else.
	const why = `must not be made in the parent: its forks lack the thread "Thread-1 (wait)"`
	if len(r.WarmUps) != 1 || !strings.HasPrefix(r.WarmUps[0].Verdict, why) || !strings.Contains(r.Verdict, "; the warm-up nothing:start "+why) {
		t.Errorf("warm-ups: %+v\nverdict: %s", r.WarmUps, r.Verdict)
	}
}

// TestUselessWarmUps: a warm-up that is no use is told so, and why.
func TestUselessWarmUps(t *testing.T) {
	r := explained(t, "lazy_table", "lazy_table:warm_up", "lazy_table:nothing_yet")
	wants := []string{
		"it calls lazy_table.table('en-us'), the jobs lazy_table.table('en')",
		"called too early",
	}
	if len(r.WarmUps) != len(wants) {
		t.Fatalf("%d warm-ups, want %d", len(r.WarmUps), len(wants))
	}
	for i, want := range wants {
		if w := r.WarmUps[i]; !w.Useless || !strings.Contains(w.Verdict, want) {
			t.Errorf("%s: %s; want %q in it", w.Reference, w.Verdict, want)
		}
	}
	if !strings.Contains(r.Verdict, "the warm-ups lazy_table:warm_up and lazy_table:nothing_yet change nothing") {
		t.Errorf("verdict: %s", r.Verdict)
	}
}

// TestMappers: SQLAlchemy calls a private function when a mapped class is used
// first; who reads the answer is to call the public one.
func TestMappers(t *testing.T) {
	needs(t, "sqlalchemy")
	r := explained(t, "mapped", "mapped:too_early", "sqlalchemy.orm:configure_mappers")
	it := wantFirst(t, r, "sqlalchemy.orm.mapper._configure_registries")
	wantHoisted(t, it, "sqlalchemy.orm.configure_mappers()")
	if it.Flag != "sqlalchemy.orm:configure_mappers" {
		t.Errorf("--warm=%s", it.Flag)
	}
	if !strings.HasPrefix(r.Verdict, "sqlalchemy.orm.configure_mappers() runs again in every fork") {
		t.Errorf("verdict: %s", r.Verdict)
	}
	if w := r.WarmUps[0]; !w.Useless || !strings.Contains(w.Verdict, "called too early") {
		t.Errorf("%s: %s", w.Reference, w.Verdict)
	}
	// The same call is predicted to save the same, whoever named it.
	given := slices.IndexFunc(r.Together, func(s explain.Try) bool { return s.Name == "the warm-ups as given" })
	if given < 0 || it.Saved == nil || (r.Together[given].CopiedMS > 0) != (it.Saved.CopiedMS > 0) {
		t.Errorf("predicted of %+v: %+v", it.Saved, r.Together)
	}
	if w := r.WarmUps[1]; w.Useless || !slices.Contains(w.Does, it.Call) {
		t.Errorf("%s: %s", w.Reference, w.Verdict)
	}
}

// TestRecursion: a function that calls itself is timed in its full depth, and what
// is not told of the tree is said.
func TestRecursion(t *testing.T) {
	r := explained(t, "recursion")
	it := wantFirst(t, r, "recursion.depth")
	if !it.Timed {
		t.Errorf("it was not timed: %q", r.Notes)
	}
	wantText(t, r.Warnings, "too deep in one another")
}

// TestOwnProfiler: where the job has a profiler of its own, ours sees nothing, and
// must not say that there is nothing.
func TestOwnProfiler(t *testing.T) {
	wantText(t, explained(t, "own_profiler").Warnings, "25 of 25 profiled jobs set a profiler of their own")
}

// TestCallerMatters: a function that looks at its caller cannot have a timer around
// it; it is explained all the same.
func TestCallerMatters(t *testing.T) {
	r := explained(t, "caller_matters")
	if it := wantFirst(t, r, "caller_matters.table"); it.Timed || it.CallMS <= 0 {
		t.Errorf("timed: %v, takes %v ms", it.Timed, it.CallMS)
	}
	wantText(t, r.Notes, "With timers around what was found, a job ended as failed (RuntimeError: called by run)")
}

// TestNotInParent: what breaks the jobs when it is done in a parent is not a warm-up.
func TestNotInParent(t *testing.T) {
	r := explained(t, "not_in_parent", "not_in_parent:prepare")
	it := wantFirst(t, r, "not_in_parent.prepare")
	if it.WarmUp != nil || it.Saved != nil || len(r.Together) > 0 {
		t.Errorf("hoisted by %q, saved %v, together %v", it.WarmUp, it.Saved, r.Together)
	}
	const why = "a job ended as failed (RuntimeError: made in another process)"
	wantText(t, it.Tried, "breaks the jobs: "+why)
	wantText(t, []string{r.NoRefork}, why)
	if len(r.WarmUps) != 1 || r.WarmUps[0].Verdict != "breaks the jobs: "+why {
		t.Errorf("warm-ups: %+v", r.WarmUps)
	}
}

// TestInterrupted: what was measured until an interrupt is not an explanation.
func TestInterrupted(t *testing.T) {
	p := plan(t, "nothing")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p.Began = func(int, string) { cancel() }
	if r, err := p.Run(ctx); r != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("result %+v, error %v", r, err)
	}
}

// wantText checks that one of some texts has a part.
func wantText(t *testing.T, texts []string, part string) {
	t.Helper()
	if !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, part) }) {
		t.Errorf("no %q in %q", part, texts)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
