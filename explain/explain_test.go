package explain_test

import (
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
	w, err := workload.Parse("py:" + module + ":job")
	check(t, err)
	apps, err := filepath.Abs("testdata/apps")
	check(t, err)
	burst, err := workload.ParseArrivals("burst")
	check(t, err)
	m := livetest.New(t)
	p := explain.Plan{
		Machine: m.Live(w, live.Python{Path: []string{apps}, Warm: warm}, 1),
		Source:  func(n int) iter.Seq[workload.Job] { return workload.Jobs(w, burst, 1, n) },
		Jobs:    8, Rounds: 2, Verify: true, Dir: t.TempDir(),
	}
	r, err := p.Run(t.Context())
	check(t, err)
	return r
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
	if !strings.Contains(r.Verdict, "must not be made in the parent as it is: it leaves the file") {
		t.Errorf("verdict: %s", r.Verdict)
	}
}

func TestNothing(t *testing.T) {
	r := explained(t, "nothing")
	if !strings.HasPrefix(r.Verdict, "nothing worth hoisting: ") {
		t.Errorf("verdict: %s\nfindings: %+v", r.Verdict, r.Findings)
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
	if w := r.WarmUps[1]; w.Useless || !slices.Contains(w.Does, it.Call) {
		t.Errorf("%s: %s", w.Reference, w.Verdict)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
