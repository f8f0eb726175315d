package calibrate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/report"
	"forkbench/sim"
	"forkbench/whatif/calibrate"
	"forkbench/workload"
)

// truth is a machine that there is not, whose records are to be calibrated with.
func truth() *sim.Profile {
	return &sim.Profile{
		Version: sim.ProfileVersion, Name: "truth",
		Boot:     sim.Boot{CPU: sim.Constant(40), Wait: sim.Constant(2), System: 0.25},
		OneTime:  sim.OneTime{CPU: sim.Constant(25), Warmable: 1, MemoryMB: 2},
		FirstJob: sim.FirstJob{CPU: sim.Constant(2)},
		Fork:     sim.Fork{Base: sim.Constant(0.3), Start: sim.Constant(0.25), Reap: sim.Constant(0.4)},
		Exit:     sim.Exit{Base: sim.Constant(0.25)},
		Cores:    sim.Cores{HotMS: 0.5, SliceMS: 4},
		Memory:   sim.Memory{BootedMB: 16, FileMB: 5, PageKB: 4},
		Jobs:     []sim.Class{{Weight: 1, CPU: sim.Quantiles([]float64{0, 1}, []float64{0.5, 1.5}), System: 0.1}},
		Supervisor: sim.Supervisor{
			Dispatch: sim.Constant(0.02), Collect: sim.Constant(0.02), Fork: sim.Constant(0.05),
			Latency: sim.Constant(0.05), Protocol: sim.Constant(0.03), System: 0.5, ThreadsPerCore: 1,
		},
		Redis: sim.Redis{
			Command: sim.Constant(0.1), Read: sim.Constant(0.002), Settle: sim.Constant(0.002), LingerMS: 5, Batch: 256, System: 0.5,
		},
	}
}

// contestants are the models that tell all costs apart.
func contestants() map[string]models.Executor {
	return map[string]models.Executor{
		"prefork": prefork.Model{}, "forkperjob": forkperjob.Model{}, "hybrid": hybrid.Model{},
		"hybrid(jobs-per-child=10)": hybrid.Model{JobsPerChild: 10}, "prefork(max-jobs-per-child=1)": prefork.Model{MaxJobsPerChild: 1},
		"forkperjob(warm)": forkperjob.Model{Warm: true},
	}
}

func executor(m record.Model) (models.Executor, error) {
	e, ok := contestants()[m.Name]
	if !ok {
		return nil, fmt.Errorf("no model %q", m.Name)
	}
	return e, nil
}

// run simulates contestants and returns the rounds as they are read from a file.
func run(t *testing.T, p *sim.Profile, seed uint64, names ...string) []*calibrate.Round {
	t.Helper()
	return runOn(t, p, seed, 3, names...)
}

func runOn(t *testing.T, p *sim.Profile, seed uint64, workers int, names ...string) []*calibrate.Round {
	t.Helper()
	return runWith(t, p, seed, workers, func(record.Line) {}, names...)
}

// An editor changes the records on their way.
type editor struct {
	next record.Sink
	edit func(record.Line)
}

func (e editor) Write(l record.Line) error {
	e.edit(l)
	return e.next.Write(l)
}

func runWith(t *testing.T, p *sim.Profile, seed uint64, workers int, edit func(record.Line), names ...string) []*calibrate.Round {
	t.Helper()
	const jobs, cores = 400, 2
	var file bytes.Buffer
	w := record.NewWriter(&file)
	h := record.Header{Version: record.Version, Started: time.Unix(0, 0)}
	h.Spec = record.Spec{Jobs: jobs, Workers: workers, Rounds: 1, Seed: seed, Workload: "record_event", Runtime: "python", Arrivals: "burst"}
	h.Environment.Cores = cores
	for _, name := range names {
		h.Spec.Models = append(h.Spec.Models, record.Model{Name: name})
	}
	write := func(l record.Line) {
		if err := w.Write(l); err != nil {
			t.Fatal(err)
		}
	}
	write(&h)
	for _, name := range names {
		m := &sim.Machine{Workers: workers, Cores: cores, Profile: p, Seed: seed}
		done, err := m.Run(t.Context(), contestants()[name], sim.Round{
			Model: name, Jobs: burst(jobs), Total: jobs, Sink: editor{w, edit},
		})
		if err != nil {
			t.Fatal(err)
		}
		write(done)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	rounds, err := calibrate.Read("memory", record.Read(&file))
	if err != nil {
		t.Fatal(err)
	}
	return rounds
}

func burst(n int) iter.Seq[workload.Job] {
	return func(yield func(workload.Job) bool) {
		for i := range uint64(n) {
			if !yield(workload.Job{ID: i, Attempt: 1}) {
				return
			}
		}
	}
}

// TestFindsTheTruth calibrates with records of a simulated machine, whose costs
// are known.
func TestFindsTheTruth(t *testing.T) {
	made, err := calibrate.Profile(t.Context(), run(t, truth(), 1, "prefork", "forkperjob", "hybrid", "hybrid(jobs-per-child=10)"),
		calibrate.Options{Executor: executor})
	if err != nil {
		t.Fatal(err)
	}
	got, want := made.Profile, truth()
	sum := func(ds ...sim.Dist) (ms float64) {
		for i := range ds {
			ms += ds[i].Mean()
		}
		return ms
	}
	for _, c := range []struct {
		name      string
		got, want float64
		within    float64 // relative
	}{
		{"boot", sum(got.Boot.CPU), 40, 0.001},
		{"boot, waiting, with the core's waking up", sum(got.Boot.Wait), 2.05, 0.001},
		{"boot, system", got.Boot.System, 0.25, 0.001},
		{"one-time work", sum(got.OneTime.CPU), 25, 0.05},
		{"first job, its faults included", sum(got.FirstJob.CPU) + float64(got.FirstJob.Pages)*got.Memory.Copy, 2, 0.1},
		{"job", sum(got.Jobs[0].CPU), 1, 0.03},
		{"protocol", sum(got.Supervisor.Protocol), 0.03, 0.3},
		{"start and exit", sum(got.Fork.Start, got.Exit.Base) + got.Exit.PerMB*got.Memory.BootedMB, 0.5, 0.1},
		{"fork and reap", sum(got.Fork.Base, got.Fork.Reap) + got.Fork.PerMB*got.Memory.BootedMB, 0.7, 0.02},
		{"booted", got.Memory.BootedMB, 16, 0.01},
		{"files", got.Memory.FileMB, 5, 0.2},
		{"redis, a job", sum(got.Redis.Read, got.Redis.Settle), 0.004, 0.5},
	} {
		if math.Abs(c.got/c.want-1) > c.within {
			t.Errorf("%s: %.4g; want %.4g within %v %%", c.name, c.got, c.want, 100*c.within)
		}
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}

	rows, excluded, err := calibrate.Validate(t.Context(), got, run(t, want, 2, "prefork", "forkperjob", "hybrid"), calibrate.Options{Executor: executor})
	if err != nil || excluded != nil {
		t.Fatal(err, excluded)
	}
	for _, s := range calibrate.Summarize(rows) {
		if s.Metric != calibrate.PeakPSS && math.Abs(s.Worst) > 6 {
			t.Errorf("%s is off by %.1f %% in %s", s.Metric, s.Worst, s.Where)
		}
	}
}

// TestFindsColdCaches: what it costs to begin on a core that other trees have used,
// where there are rounds with more trees than cores, and rounds with no more.
func TestFindsColdCaches(t *testing.T) {
	want := truth()
	want.Cores.ColdParent, want.Cores.ColdChild = sim.Constant(0.1), sim.Constant(0.3)
	rounds := runOn(t, want, 1, 8, "prefork", "forkperjob", "hybrid")
	made, err := calibrate.Profile(t.Context(), rounds, calibrate.Options{Executor: executor})
	if err != nil {
		t.Fatal(err)
	}
	if got := made.Profile.Cores.ColdChild.Mean(); got != 0 {
		t.Errorf("with 8 workers only, cold caches cost %v ms; want that not to be told apart", got)
	}
	made, err = calibrate.Profile(t.Context(), append(rounds, runOn(t, want, 1, 2, "forkperjob")...), calibrate.Options{Executor: executor})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		got, want sim.Dist
		within    float64 // relative
	}{
		{"of a parent", made.Profile.Cores.ColdParent, want.Cores.ColdParent, 0.7},
		{"of a child", made.Profile.Cores.ColdChild, want.Cores.ColdChild, 0.4},
	} {
		if got, want := c.got.Mean(), c.want.Mean(); math.Abs(got/want-1) > c.within {
			t.Errorf("%s: %.4g ms; want %.4g within %v %%", c.name, got, want, 100*c.within)
		}
	}
}

// TestKnownPacking: whether the kernel packs is known where records have its command
// line, and is not fitted then, though throughput may look as if it did not.
func TestKnownPacking(t *testing.T) {
	rounds := run(t, truth(), 1, "prefork", "forkperjob")
	for _, test := range []struct {
		packing string
		packs   bool
		source  string
	}{
		{"", false, "as supervisor.latency_ms"},
		{"sched_vcpu_pack=15", true, "the kernel's command line: sched_vcpu_pack=15"},
	} {
		rounds[0].Header.Environment.Packing = test.packing
		made, err := calibrate.Profile(t.Context(), rounds, calibrate.Options{Executor: executor})
		if err != nil {
			t.Fatal(err)
		}
		if got, source := made.Profile.Cores.Packs, made.Profile.Sources["cores.packs"]; got != test.packs || source != test.source {
			t.Errorf("packing %q: cores.packs is %t, by %q; want %t, by %q", test.packing, got, source, test.packs, test.source)
		}
	}
}

// TestFindsTheSocket: what a child with a socket costs more, where some have one for
// few jobs and others have none; and that it is not told apart where that is not so.
func TestFindsTheSocket(t *testing.T) {
	want := truth()
	want.Socket = sim.Socket{Parent: sim.Constant(0.2), Child: sim.Constant(0.3), Supervisor: sim.Constant(0.1)}
	names := []string{"prefork", "forkperjob", "hybrid", "hybrid(jobs-per-child=10)", "prefork(max-jobs-per-child=1)"}
	rounds := run(t, want, 1, names...)
	made, err := calibrate.Profile(t.Context(), rounds, calibrate.Options{Executor: executor})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		got, want sim.Dist
	}{
		{"parent", made.Profile.Socket.Parent, want.Socket.Parent},
		{"child", made.Profile.Socket.Child, want.Socket.Child},
		{"supervisor", made.Profile.Socket.Supervisor, want.Socket.Supervisor},
	} {
		if math.Abs(c.got.Mean()/c.want.Mean()-1) > 0.1 {
			t.Errorf("%s: %.4g; want %.4g within 10 %%", c.name, c.got.Mean(), c.want.Mean())
		}
	}
	for _, left := range []struct {
		rounds []*calibrate.Round
		says   string
	}{
		{rounds[:4], "socket: no round made 10 children with a socket of their own, for less than 3 jobs each"},
		{rounds[4:], "socket: no round made 10 children with their only job in hand"},
	} {
		made, err := calibrate.Profile(t.Context(), left.rounds, calibrate.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := &made.Profile.Socket
		if s.Parent.Mean() != 0 || s.Child.Mean() != 0 || s.Supervisor.Mean() != 0 {
			t.Errorf("%d rounds: socket %+v; want none", len(left.rounds), s)
		}
		if !strings.Contains(strings.Join(made.Warnings, "\n"), left.says) {
			t.Errorf("no warning %q in %q", left.says, made.Warnings)
		}
	}
}

// TestSourcesAreComplete: the profile can be written and read again, which wants
// a source for each number.
func TestSourcesAreComplete(t *testing.T) {
	for _, names := range [][]string{{"prefork"}, {"forkperjob"}, {"hybrid"}, {"prefork", "hybrid"}} {
		options := []calibrate.Options{{}, {Executor: executor}}
		if len(names) > 1 {
			options = options[:1] // simulating takes the time
		}
		for _, o := range options {
			if testing.Short() && o.Executor != nil && names[0] != "forkperjob" {
				continue
			}
			made, err := calibrate.Profile(t.Context(), run(t, truth(), 1, names...), o)
			if err != nil {
				t.Fatalf("%v: %v", names, err)
			}
			var b bytes.Buffer
			if err := made.Profile.Write(&b); err != nil {
				t.Fatal(err)
			}
			read, err := sim.ReadProfile(&b)
			if err != nil {
				t.Fatalf("%v: %v", names, err)
			}
			if len(made.Warnings) == 0 {
				t.Errorf("%v: no warning, and one model cannot tell everything", names)
			}
			if !slices.Equal(read.Warnings, made.Warnings) {
				t.Errorf("%v: the profile says %q, calibration %q", names, read.Warnings, made.Warnings)
			}
		}
	}
}

func TestContaminatedRoundsAreLeftOut(t *testing.T) {
	rounds := run(t, truth(), 1, "prefork", "hybrid")
	rounds[0].Noise.Contaminated = "somebody else"
	made, err := calibrate.Profile(t.Context(), rounds, calibrate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if made.Rounds != 1 || len(made.Excluded) != 1 || !strings.Contains(made.Excluded[0], "prefork, round 1, in memory: contaminated: somebody else") {
		t.Errorf("%d rounds used, left out: %q", made.Rounds, made.Excluded)
	}
	rounds[1].Interrupted = true
	_, err = calibrate.Profile(t.Context(), rounds, calibrate.Options{})
	few, ok := errors.AsType[*calibrate.TooFewError](err)
	const want = "0 of 2 rounds can be used, and 1 are needed: 1 × contaminated: somebody else; 1 × it was interrupted"
	if !ok || few.Marked != 1 || err.Error() != want {
		t.Errorf("with no round left: %v; want %s, one of them marked", err, want)
	}
}

// Marked rounds are used if that is asked, and it is said; fewer rounds than are
// asked for make no profile.
func TestMarkedRounds(t *testing.T) {
	rounds := run(t, truth(), 1, "prefork", "hybrid")
	rounds[0].Noise.Contaminated = "somebody else"
	o := calibrate.Options{UseMarked: true, Executor: executor}
	made, err := calibrate.Profile(t.Context(), rounds, o)
	if err != nil {
		t.Fatal(err)
	}
	if made.Rounds != 2 || len(made.Excluded) != 0 || !slices.ContainsFunc(made.Warnings, func(w string) bool {
		return strings.HasPrefix(w, "1 of the 2 rounds that were used are marked as contaminated")
	}) {
		t.Errorf("%d rounds used, left out: %q, warnings: %q", made.Rounds, made.Excluded, made.Warnings)
	}
	if rows, excluded, err := calibrate.Validate(t.Context(), made.Profile, rounds, o); err != nil || len(rows) != 2 || len(excluded) != 0 {
		t.Errorf("validate: %d rows, left out %q, %v", len(rows), excluded, err)
	}
	for _, o := range []calibrate.Options{{Least: 3, UseMarked: true}, {Least: 2}} {
		if _, err := calibrate.Profile(t.Context(), rounds, o); err == nil {
			t.Errorf("%+v: a profile was made", o)
		}
	}
}

// What services do for jobs is found apart from what they do for the first job of a
// process, predicted, and no waiting of the jobs' own.
func TestFindsServices(t *testing.T) {
	want := truth()
	want.Jobs[0].Wait = sim.Constant(6)
	want.Services = []sim.Service{{Name: "postgres", Job: sim.Constant(1), First: sim.Constant(4), System: 0.5}}
	made, err := calibrate.Profile(t.Context(), run(t, want, 1, "prefork", "forkperjob", "hybrid", "hybrid(jobs-per-child=10)"),
		calibrate.Options{Executor: executor})
	if err != nil {
		t.Fatal(err)
	}
	got := made.Profile.Services
	if len(got) != 1 || got[0].Name != "postgres" {
		t.Fatalf("the services are %+v", got)
	}
	if job, first := got[0].Job.Mean(), got[0].First.Mean(); math.Abs(job-1) > 0.05 || math.Abs(first-4) > 0.1 || math.Abs(got[0].System-0.5) > 0.01 {
		t.Errorf("%v ms for a job, %v more for a first one, %v of it the system's; want 1, 4, 0.5", job, first, got[0].System)
	}
	rows, _, err := calibrate.Validate(t.Context(), made.Profile, run(t, want, 2, "prefork", "forkperjob", "hybrid"), calibrate.Options{Executor: executor})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range calibrate.Summarize(rows) {
		if s.Metric == calibrate.CPUPerJob && math.Abs(s.Worst) > 6 {
			t.Errorf("%s is off by %.1f %% in %s", s.Metric, s.Worst, s.Where)
		}
	}
	var file bytes.Buffer
	if err := made.Profile.Write(&file); err != nil {
		t.Fatal(err)
	}
	if _, err := sim.ReadProfile(&file); err != nil {
		t.Errorf("it cannot be read again: %v", err)
	}
}

// A model that must not be used as it is is simulated as if nothing was wrong with
// it: that is said, once.
func TestUnfitModels(t *testing.T) {
	rounds := run(t, truth(), 1, "prefork", "hybrid")
	rounds = append(rounds, rounds[1])
	rounds[1].Unfit = []string{"its forks share a TCP connection to 127.0.0.1:5432"}
	made, err := calibrate.Profile(t.Context(), rounds, calibrate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const want = "hybrid: its forks share a TCP connection to 127.0.0.1:5432: it is simulated as fast as it was, and must not be used as it is"
	if told := slices.DeleteFunc(made.Warnings, func(w string) bool { return w != want }); len(told) != 1 {
		t.Errorf("%d times: %s", len(told), want)
	}
}

func TestJobsThatWereNotDone(t *testing.T) {
	none := run(t, truth(), 1, "prefork")
	some := run(t, truth(), 1, "hybrid")
	none[0].Settled += 10
	made, err := calibrate.Profile(t.Context(), append(none, some...), calibrate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(made.Warnings, func(w string) bool { return strings.Contains(w, "10 of 810 failed, crashed or timed out") }) {
		t.Errorf("no warning of them: %q", made.Warnings)
	}
	h := record.Header{Version: record.Version, Started: time.Unix(0, 0), Spec: none[0].Header.Spec}
	h.Spec.Models = []record.Model{{Name: "prefork"}}
	failed, err := calibrate.Read("memory", func(yield func(record.Line, error) bool) {
		_ = yield(&h, nil) && yield(&record.Job{Model: "prefork", Status: models.Failed}, nil) &&
			yield(&record.Round{Model: "prefork", Settled: 1, WorkNS: 1}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = "0 of 1 rounds can be used, and 1 are needed: 1 × no job was done"
	if _, err := calibrate.Profile(t.Context(), failed, calibrate.Options{}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("calibrate: %v", err)
	}
	profile := truth()
	if _, _, err := calibrate.Validate(t.Context(), profile, failed, calibrate.Options{Executor: executor}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("validate: %v", err)
	}
}

// What jobs leave running is in no profile, and that is said.
func TestLeftBehind(t *testing.T) {
	rounds := run(t, truth(), 1, "prefork", "hybrid")
	for _, strayed := range []time.Duration{0, time.Duration(rounds[0].Settled) * 20 * time.Millisecond} {
		rounds[0].Strayed.User = strayed
		rounds[0].Children.User += strayed
		made, err := calibrate.Profile(t.Context(), rounds, calibrate.Options{})
		if err != nil {
			t.Fatal(err)
		}
		const want = "what jobs leave running used 10 ms of CPU for each job"
		said := slices.ContainsFunc(made.Warnings, func(w string) bool { return strings.Contains(w, want) })
		if said != (strayed > 0) {
			t.Errorf("%v left behind: the warnings are %q", strayed, made.Warnings)
		}
	}
}

// A prediction that was cut short is none.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rounds, profile := run(t, truth(), 1, "prefork"), truth()
	o := calibrate.Options{Executor: executor}
	if _, err := calibrate.Profile(ctx, rounds, o); !errors.Is(err, context.Canceled) {
		t.Errorf("calibrate: %v", err)
	}
	if _, _, err := calibrate.Validate(ctx, profile, rounds, o); !errors.Is(err, context.Canceled) {
		t.Errorf("validate: %v", err)
	}
}

// A prediction that cannot be stood up for says so.
func TestDoubtsOfAPrediction(t *testing.T) {
	rounds, profile := run(t, truth(), 1, "forkperjob"), truth()
	rounds[0].Header.Spec.Arrivals = "poisson:100000/s"
	rows, _, err := calibrate.Validate(t.Context(), profile, rounds, calibrate.Options{Executor: executor})
	if err != nil {
		t.Fatal(err)
	}
	if len(rows[0].Doubts) == 0 || !strings.Contains(rows[0].Doubts[0], "unstable") {
		t.Errorf("doubts %q", rows[0].Doubts)
	}
	v := calibrate.Validation{Rows: rows}
	var text strings.Builder
	if err := v.Report().WriteText(&text, report.TextOptions{}); err != nil || !strings.Contains(text.String(), "warning: forkperjob, 3 workers, predicted: unstable") {
		t.Errorf("%v: %s", err, text.String())
	}
}

func TestOneApplicationOnly(t *testing.T) {
	a, b := run(t, truth(), 1, "prefork"), run(t, truth(), 1, "prefork")
	b[0].Header.Spec.Workload = "noop"
	_, err := calibrate.Profile(t.Context(), append(a, b...), calibrate.Options{})
	if err == nil || !strings.Contains(err.Error(), "a profile is for one application") {
		t.Errorf("two workloads: %v", err)
	}
}

func Example() {
	// Nothing was recorded, so there is nothing to calibrate with.
	_, err := calibrate.Read("run", record.Read(strings.NewReader("")))
	fmt.Println(err)
	// Output: line 1: the file is empty
}
