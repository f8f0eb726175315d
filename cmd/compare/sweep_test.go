package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"forkbench/whatif/capacity"
	"forkbench/whatif/sweep"
)

// TestSweep makes one in each format; the answer is the same in all.
func TestSweep(t *testing.T) {
	b := newBench(t)
	args := []string{"sweep", "--jobs-per-child=1..1000", "--points=5", "--jobs=1000", "--replications=3"}
	text := b.run(append(args, "--out=text")...)
	text.want(t, exitDone)
	verdict, rest, _ := strings.Cut(text.stdout, "\n")
	if !strings.HasPrefix(verdict, "hybrid takes less than 10 % more CPU per job than prefork from ") {
		t.Errorf("verdict: %s", verdict)
	}
	for _, want := range []string{"jobs per child", "hybrid, ms", "whatever the jobs per child:", "results in text/", "sweep.json  report.md", "sweep  sweep-cost"} {
		if !strings.Contains(rest, want) {
			t.Errorf("lacks %q:\n%s", want, rest)
		}
	}
	want := []string{"report.md", "sweep-cost.png", "sweep-cost.svg", "sweep.json", "sweep.png", "sweep.svg"}
	if got := names(t, "text"); !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	asJSON := b.run(append(args, "--out=json", "--format=json")...)
	asJSON.want(t, exitDone, "results in json/")
	var r sweep.Result
	if err := json.Unmarshal([]byte(asJSON.stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.Verdict != verdict || len(r.Curves) != 3 || !r.Curves[0].Level || r.Curves[2].Level {
		t.Errorf("JSON: %s, %d curves", r.Verdict, len(r.Curves))
	}
	asCSV := b.run(append(args, "--out=csv", "--format=csv")...)
	asCSV.want(t, exitDone)
	lines, err := csv.NewReader(strings.NewReader(asCSV.stdout)).ReadAll()
	if err != nil || len(lines) != 1+2+len(r.Curves[2].Points) {
		t.Errorf("CSV: %v, %d lines", err, len(lines))
	}
	asMarkdown := b.run(append(args, "--out=markdown", "--format=markdown")...)
	asMarkdown.want(t, exitDone)
	report, err := os.ReadFile("markdown/report.md")
	if err != nil || !strings.HasPrefix(string(report), asMarkdown.stdout) || !strings.Contains(string(report), "(sweep.svg)") {
		t.Errorf("%v, report:\n%s\nMarkdown:\n%s", err, report, asMarkdown.stdout)
	}
	b.run(append(args, "--out=text")...).want(t, exitUsage, "--out=text: is not empty")
	b.run(append(args, "--out=text", "--force")...).want(t, exitDone)
}

// Every parameter can be varied. Drawing takes most of the time: with -short a
// few stand for all.
func TestSweepOverEverything(t *testing.T) {
	b := newBench(t)
	for i, c := range []struct{ flag, reference string }{
		{"--jobs-per-child=1..3", "prefork"}, {"--max-jobs-per-child=1..3", "prefork(max-jobs-per-child=0)"},
		{"--spares=0..2", "prefork"}, {"--refork=1..3", "prefork"}, {"--job-time=1ms..5ms", "prefork"}, {"--one-time=0..50ms", "prefork"},
		{"--parent-memory=20MB..60MB", "prefork"}, {"--workers=1..3", "prefork"}, {"--cores=1..3", "prefork"}, {"--rate=5/s..20/s", "prefork"},
		{"--workers=1..3 --model=hybrid,forkperjob --reference=forkperjob --rate=5/s --one-time=3ms", "forkperjob"},
	} {
		if testing.Short() && i%5 != 0 {
			continue
		}
		args := append([]string{"sweep", "--points=3", "--jobs=100", "--replications=3", "--format=json"}, strings.Fields(c.flag)...)
		r := b.run(args...)
		r.want(t, exitDone)
		var found sweep.Result
		if err := json.Unmarshal([]byte(r.stdout), &found); err != nil {
			t.Fatal(err)
		}
		if found.Spec.Reference != c.reference || found.Curves[0].Model != c.reference {
			t.Errorf("%s: the reference is %s, want %s", c.flag, found.Spec.Reference, c.reference)
		}
		// Some curve has a point at each end.
		if !slices.ContainsFunc(found.Curves, func(c sweep.Curve) bool {
			return !c.Level && len(c.Points) >= 3 && c.Points[0].X == found.Spec.From && c.Points[len(c.Points)-1].X == found.Spec.To
		}) {
			t.Errorf("%s: no curve goes from end to end", c.flag)
		}
	}
}

// One model alone, which cannot keep up at the end of the range.
func TestSweepBeyondCapacity(t *testing.T) {
	r := newBench(t).run("sweep", "--model=prefork", "--rate=10/s..100000/s", "--points=3", "--jobs=200", "--replications=3", "--format=json")
	r.want(t, exitDone)
	var found sweep.Result
	if err := json.Unmarshal([]byte(r.stdout), &found); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(found.Verdict, "p95 latency of prefork: ") || !strings.HasSuffix(found.Verdict, " with 10/s, none with 100000/s") {
		t.Errorf("the verdict is %q", found.Verdict)
	}
}

// TestSweepLive measures real processes and puts them on the curves; and the same
// points come from the former results.
func TestSweepLive(t *testing.T) {
	b := newBench(t)
	args := []string{
		"sweep", "--jobs-per-child=1..4", "--points=3", "--jobs=12", "--replications=3", "--format=json", "--workers=2",
	}
	r := b.run(append(args, "--live", "--live-points=2", "--rounds=2", "--out=live")...)
	r.want(t, exitDone)
	var found sweep.Result
	if err := json.Unmarshal([]byte(r.stdout), &found); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{1, 1, 2} { // prefork, forkperjob, hybrid at 1 and 4
		if got := len(found.Curves[i].Live); got != want {
			t.Errorf("%s has %d measured points, want %d", found.Curves[i].Model, got, want)
		}
	}
	for _, p := range found.Curves[2].Live {
		if e, ok := p.Value("cpu_ms_per_job"); !ok || e.Value <= 0 || e.Low == nil || p.Over == nil {
			t.Errorf("measured at %v: %+v", p.X, p)
		}
	}
	if _, err := os.Stat(filepath.Join("live", "live", recordsName)); err != nil {
		t.Error(err)
	}
	b.run("report", filepath.Join("live", "live")).want(t, exitDone)

	again := b.run(append(args, "--with=live/live", "--out=again")...)
	again.want(t, exitDone)
	var with sweep.Result
	if err := json.Unmarshal([]byte(again.stdout), &with); err != nil {
		t.Fatal(err)
	}
	if len(with.Curves[2].Live) != 2 || with.Curves[2].Live[1].Values["throughput"].Value != found.Curves[2].Live[1].Values["throughput"].Value {
		t.Errorf("with former results: %+v", with.Curves[2].Live)
	}
	other := b.run("sweep", "--jobs-per-child=1..4", "--points=2", "--jobs=20", "--replications=3", "--workers=2", "--with=live/live", "--out=other")
	other.want(t, exitDone)
	if !strings.Contains(strings.Join(strings.Fields(other.stdout), " "), "it is of 12 jobs, and the curve of 20 jobs") {
		t.Errorf("no word of what differs:\n%s", other.stdout)
	}
	b.run("sweep", "--one-time=0..1s", "--points=2", "--jobs=10", "--model=hybrid", "--jobs-per-child=9", "--with=live/live").want(t, exitFailed, "has no point of this sweep")
}

// Workers and job times are other machines and other jobs: a run for each.
func TestSweepLivePoints(t *testing.T) {
	for _, c := range []struct{ flag, dir string }{{"--workers=1..2", "live-2"}, {"--job-time=1ms..2ms", "live-2ms"}} {
		b := newBench(t)
		r := b.run("sweep", c.flag, "--live", "--points=2", "--live-points=2", "--jobs=8", "--rounds=1", "--model=prefork,hybrid", "--out=out", "--format=csv")
		r.want(t, exitDone)
		if n := strings.Count(r.stdout, ",measured,"); n != 4 {
			t.Errorf("%s: %d measured points, want 4:\n%s", c.flag, n, r.stdout)
		}
		if _, err := os.Stat(filepath.Join("out", c.dir, recordsName)); err != nil {
			t.Error(err)
		}
	}
}

// TestSweepCountsWhatIsDone: where jobs reach the time limit, nothing is got done, however
// fast.
func TestSweepCountsWhatIsDone(t *testing.T) {
	b := newBench(t)
	args := []string{"sweep", "--job-time=1ms..1s", "--points=2", "--timeout=400ms", "--metric=throughput", "--jobs=200", "--replications=3"}
	r := b.run(append(args, "--format=json")...)
	r.want(t, exitDone)
	var found sweep.Result
	if err := json.Unmarshal([]byte(r.stdout), &found); err != nil {
		t.Fatal(err)
	}
	if found.Spec.Metric != "jobs_done_per_s" {
		t.Errorf("--metric=throughput is %s", found.Spec.Metric)
	}
	for i := range found.Curves {
		c := &found.Curves[i]
		last := &c.Points[len(c.Points)-1]
		done, settled := last.Values["jobs_done_per_s"].Value, last.Values["throughput"].Value
		if last.X != 1000 || !(done < settled/2) || last.Doubts == nil {
			t.Errorf("%s, with jobs of %v ms: %v done per second, %v settled, doubts %q", c.Model, last.X, done, settled, last.Doubts)
		}
	}
	if !strings.Contains(strings.Join(found.Warnings, "\n"), "reached the time limit") {
		t.Errorf("warnings: %q", found.Warnings)
	}
}

// TestSweepInterrupted: what was found until then is shown.
// TestSweepBeyondTheJobs: a limit that no child comes to is said to be one.
func TestSweepBeyondTheJobs(t *testing.T) {
	b := newBench(t)
	for to, said := range map[string]bool{"50": false, "51": true} {
		r := b.run("sweep", "--jobs-per-child=1.."+to, "--points=2", "--jobs=200", "--workers=4", "--replications=3", "--format=json")
		r.want(t, exitDone)
		const text = "--jobs-per-child: beyond about 50 it comes to nothing, as the 200 jobs are no more than that for each of 4 workers: give --jobs=204"
		if strings.Contains(r.stdout, text) != said {
			t.Errorf("up to %s: want it said: %t\n%s", to, said, r.stdout)
		}
	}
}

func TestSweepInterrupted(t *testing.T) {
	b := newBench(t)
	b.signals <- syscall.SIGINT
	b.run("sweep", "--job-time=1ms..10s", "--points=200").want(t, exitInterrupted, "interrupted before anything was known")
}

// TestPlan sizes each model, and says why one cannot be.
func TestPlan(t *testing.T) {
	b := newBench(t)
	r := b.run("plan", "--rate=200/s", "--p95=2s", "--jobs=5000", "--out=out", "--cores-max=4")
	r.want(t, exitDone)
	verdict, rest, _ := strings.Cut(r.stdout, "\n")
	for _, want := range []string{"200/s at a p95 of 2 s or less: prefork with 1 core and 1 worker", "forkperjob at no size", "it runs out of cores (--cores-max)"} {
		if !strings.Contains(verdict, want) {
			t.Errorf("the verdict lacks %q: %s", want, verdict)
		}
	}
	if !regexp.MustCompile(`forkperjob tried \d+ sizes, of so many cores: 1! 2! 4!`).MatchString(rest) {
		t.Errorf("no trail:\n%s", rest)
	}
	if got, want := names(t, "out"), []string{"plan.json", "plan.png", "plan.svg", "report.md"}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	asJSON := b.run("plan", "--rate=200/s", "--p95=2s", "--jobs=5000", "--cores-max=4", "--format=json")
	asJSON.want(t, exitDone)
	var found capacity.Result
	if err := json.Unmarshal([]byte(asJSON.stdout), &found); err != nil {
		t.Fatal(err)
	}
	if found.Verdict != verdict || len(found.Models) != 3 {
		t.Errorf("JSON: %s", found.Verdict)
	}
	asCSV := b.run("plan", "--rate=200/s", "--p95=2s", "--jobs=5000", "--cores-max=4", "--format=csv")
	asCSV.want(t, exitDone)
	if n := strings.Count(asCSV.stdout, ",true,true,"); n != 2 {
		t.Errorf("%d sizes are chosen, want 2:\n%s", n, asCSV.stdout)
	}
}

func TestPlanInterrupted(t *testing.T) {
	b := newBench(t)
	b.signals <- syscall.SIGINT
	b.run("plan", "--rate=20000/s", "--p95=2s", "--jobs=1000000").want(t, exitInterrupted, "interrupted before anything was known")
}
