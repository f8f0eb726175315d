package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"forkbench/record"
	"forkbench/sim/profiles"
)

// wrongProfile is a profile with several things wrong.
func wrongProfile(t *testing.T) string {
	t.Helper()
	p, err := profiles.Read(profiles.Default)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		`"page_kb":4`: `"page_kb":-4`, `"warmable":1`: `"warmable":2`, `"reap_ms":`: `"reaping_ms":`,
		fmt.Sprintf(`"booted_mb":%v`, p.Memory.BootedMB): `"booted_mb":"14"`,
	} {
		changed := strings.Replace(string(text), from, to, 1)
		if changed == string(text) {
			t.Fatalf("the profile has no %s", from)
		}
		text = []byte(changed)
	}
	return string(text)
}

// timeless is a summary or report without what differs from machine to machine.
func timeless(text string) string {
	return regexp.MustCompile(`go1[.0-9a-z]+|linux/[a-z0-9]+`).ReplaceAllString(text, "X")
}

func TestSimulate(t *testing.T) {
	b := newBench(t)
	r := b.run("simulate", "--jobs=300", "--out=out", "--model=all,forkperjob(warm)", "--profile=redash")
	r.want(t, exitDone)
	// What takes ten seconds, as on a busy machine, says how far it is.
	for line := range strings.Lines(r.stderr) {
		if !strings.HasPrefix(line, "simulating ") {
			t.Errorf("standard error: %q", line)
		}
	}
	b.golden("simulate/text", timeless(r.stdout))
	s := summaryIn(t, "out")
	for _, m := range s.Models {
		if m.Rounds != 10 || m.Jobs.Done != 3000 || m.Simulation == nil || !m.Simulation.Converged {
			t.Errorf("%s: %d rounds, %+v, %+v", m.Model, m.Rounds, m.Jobs, m.Simulation)
		}
	}
	// All is on record, so that it can be shown and drawn again.
	again := b.run("report", "out")
	again.want(t, exitDone)
	if !strings.HasPrefix(r.stdout, again.stdout) {
		t.Errorf("the report is not that of the run:\n%s\n%s", r.stdout, again.stdout)
	}
	b.run("plot", "out").want(t, exitDone)
}

// TestSimulateSameBytes: same seed, same bytes, however many replications go on
// at once.
func TestSimulateSameBytes(t *testing.T) {
	var records, summaries [][]byte
	for _, procs := range []int{1, 4} {
		b := newBench(t)
		before := runtime.GOMAXPROCS(procs)
		b.run("simulate", "--jobs=400", "--out=out", "--arrivals=poisson:100", "--quiet").want(t, exitDone)
		runtime.GOMAXPROCS(before)
		records, summaries = append(records, read(t, "out", recordsName)), append(summaries, read(t, "out", summaryName))
	}
	if !bytes.Equal(records[0], records[1]) {
		t.Error("the records differ")
	}
	if !bytes.Equal(summaries[0], summaries[1]) {
		t.Error("the summaries differ")
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSimulateAboveCapacity(t *testing.T) {
	b := newBench(t)
	r := b.run("simulate", "--jobs=2000", "--out=out", "--profile=redash", "--arrivals=poisson:20/s", "--format=csv")
	r.want(t, exitDone)
	s := summaryIn(t, "out")
	slow, fast := s.Models[1], s.Models[0]
	if x := slow.Simulation; x.Converged || !x.Unstable || math.Abs(x.Capacity-9.75) > 0.1 || math.Abs(x.Offered-20) > 1 {
		t.Errorf("forkperjob: %+v; want unstable, with a capacity of 9.75/s", x)
	}
	if !slow.Latency.Unknown || fast.Latency.Unknown || fast.Simulation.Unstable {
		t.Errorf("latencies are %+v and %+v", fast.Latency, slow.Latency)
	}
	if want := "forkperjob runs 9.75 jobs per second at most, and "; !strings.Contains(s.Verdict, want) {
		t.Errorf("the verdict is %q; want %q in it", s.Verdict, want)
	}
	if strings.Contains(string(read(t, "out", summaryName)), `"p95": 0`) {
		t.Error("a latency that does not exist is 0")
	}
}

// What the latencies leave out is said beside them.
func TestSimulateWarmUp(t *testing.T) {
	r := newBench(t).run("simulate", "--model=prefork", "--jobs=3000", "--replications=3", "--arrivals=poisson:1000/s", "--out=out")
	r.want(t, exitDone)
	x := summaryIn(t, "out").Models[0].Simulation
	if x.WarmUp == 0 {
		t.Fatal("a cold start has no warm-up")
	}
	for _, want := range []string{fmt.Sprintf("  left out as warm-up, jobs %d ", x.WarmUp), "the max is of all jobs, warm-up included"} {
		if !strings.Contains(strings.Join(strings.Fields(r.stdout), " "), strings.TrimSpace(want)) {
			t.Errorf("the report lacks %q:\n%s", want, r.stdout)
		}
	}
}

// TestSimulateLarge: of many jobs a sample is recorded, and the report is that of
// all.
func TestSimulateLarge(t *testing.T) {
	b := newBench(t)
	r := b.run("simulate", "--model=prefork,hybrid", "--jobs=30000", "--replications=2", "--out=out", "--fail-if=prefork.p95>1h")
	r.want(t, exitDone)
	jobs, rounds := 0, 0
	f, err := os.Open(filepath.Join("out", recordsName))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for l, err := range record.Read(f) {
		if err != nil {
			t.Fatal(err)
		}
		switch l.(type) {
		case *record.Job:
			jobs++
		case *record.Round:
			rounds++
		}
	}
	if jobs != 60_000 || rounds != 4 {
		t.Errorf("%d jobs and %d rounds are on record; want 60000, those of the first replication, and 4", jobs, rounds)
	}
	again := b.run("report", "out")
	again.want(t, exitDone)
	if !strings.HasPrefix(r.stdout, again.stdout) {
		t.Errorf("the report is not that of the run:\n%s\n%s", r.stdout, again.stdout)
	}
	b.run("plot", "out").want(t, exitFailed, "holds a sample of the records only")
}

func TestSimulateUntil(t *testing.T) {
	b := newBench(t)
	b.run("simulate", "--model=prefork", "--jobs=500", "--replications=3", "--until=0.5%", "--out=out").want(t, exitDone)
	m := summaryIn(t, "out").Models[0]
	x := m.Simulation
	if half := (*x.P99.High - *x.P99.Low) / 2 / x.P99.Median; !x.Converged || m.Rounds <= 3 || half > 0.005 {
		t.Errorf("converged=%v after %d, p99 within %.4f; want 0.005", x.Converged, m.Rounds, half)
	}
}

func TestSimulateInterrupted(t *testing.T) {
	b := newBench(t)
	c := b.start("simulate", "--jobs=100000000", "--replications=1000", "--out=out")
	c.eventually("it has begun", func() bool {
		info, err := os.Stat(filepath.Join("out", recordsName))
		return err == nil && info.Size() > 0
	})
	c.signal(os.Interrupt)
	r := c.wait()
	r.want(t, exitInterrupted, sayStopping, "interrupted: the report is about what was measured until then")
	if s := summaryIn(t, "out"); firstLine(r.stdout) != s.Verdict || s.Models[0].Simulation.Converged {
		t.Errorf("the first line is %q; converged=%v", firstLine(r.stdout), s.Models[0].Simulation.Converged)
	}
}
