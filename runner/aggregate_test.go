package runner_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"forkbench/models"
	"forkbench/record"
	"forkbench/report"
	"forkbench/runner"
)

// near allows what a histogram may be off by.
var near = cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 0.001*max(math.Abs(a), math.Abs(b)) })

func sequence(lines ...record.Line) iter.Seq2[record.Line, error] {
	return withoutErrors(slices.Values(lines))
}

// withoutErrors is lines as record.Read yields those of a good file.
func withoutErrors(lines iter.Seq[record.Line]) iter.Seq2[record.Line, error] {
	return func(yield func(record.Line, error) bool) {
		for l := range lines {
			if !yield(l, nil) {
				return
			}
		}
	}
}

func header(jobs, rounds int, names ...string) *record.Header {
	h := &record.Header{Version: record.Version, Spec: record.Spec{
		Jobs: jobs, Workers: 2, Rounds: rounds, Workload: "noop", Runtime: "python", Arrivals: "burst",
	}}
	for _, name := range names {
		h.Spec.Models = append(h.Spec.Models, record.Model{Name: name})
	}
	return h
}

// Three jobs on two workers, whose every number is computed by hand.
func TestSummaryByHand(t *testing.T) {
	job := func(id uint64, process, seq int, dequeued, started, finished, settled time.Duration) *record.Job {
		return &record.Job{Model: "m", ID: id, Process: process, Seq: seq, Attempt: 1, Status: models.Done,
			DequeuedNS: dequeued, StartedNS: started, FinishedNS: finished, SettledNS: settled}
	}
	child := func(id, jobs int, fork, ready, end, reap time.Duration, faults int64) *record.Process {
		return &record.Process{Model: "m", ID: id, Parent: 1, Role: record.RoleChild, Jobs: jobs, Faults: faults,
			Before: fork < 0, ForkNS: fork, ReadyNS: ready, EndNS: end, ReapNS: reap}
	}
	a, err := runner.Analyze(sequence(
		header(4, 1, "m"),
		&record.Sample{Model: "m", AtNS: -ms, PSS: 30e6, ChildUSS: 0},
		job(0, 2, 1, 0, 1*ms, 11*ms, 12*ms),
		// Its process was forked for it: dequeued 0, forked 2, started 5.
		job(1, 3, 1, 0, 5*ms, 25*ms, 26*ms),
		child(3, 1, 2*ms, 4*ms, 25*ms, 28*ms, 300),
		&record.Sample{Model: "m", AtNS: 12 * ms, PSS: 50e6, ChildUSS: 8e6},
		job(2, 2, 2, 12*ms, 12*ms, 16*ms, 20*ms),
		// A spare: forked at 3, ready at 4, a job for it at 26, started at 27.
		job(3, 4, 1, 26*ms, 27*ms, 39*ms, 40*ms),
		&record.Sample{Model: "m", AtNS: 20 * ms, PSS: 40e6, ChildUSS: 10e6},
		child(4, 1, 3*ms, 4*ms, 39*ms, 40*ms, 100),
		child(2, 2, -5*ms, -4*ms, 40*ms, 42*ms, 200),
		&record.Process{Model: "m", ID: 1, Role: record.RoleParent, Faults: 9999, Before: true, ForkNS: -90 * ms, EndNS: 42 * ms, ReapNS: 43 * ms},
		&record.Round{Model: "m", Enqueued: 4, Taken: 4, Settled: 4,
			StartupNS: 90 * ms, WorkNS: 40 * ms, ShutdownNS: 3 * ms,
			Children:   record.CPU{User: 30 * ms, System: 6 * ms},
			Parents:    record.CPU{User: 1 * ms, System: 3 * ms},
			Supervisor: record.CPU{User: 1 * ms, System: 1 * ms},
			Redis:      record.CPU{User: 2 * ms, System: 4 * ms},
			Wait4NS:    199 * ms, CgroupNS: 200 * ms, RedisCommands: 10},
	))
	if err != nil {
		t.Fatal(err)
	}
	cpu := runner.CPU{Interval: runner.Interval{Median: 12}, Children: 10, Parents: 1, Supervisor: 0.5, Redis: 1.5}
	want := runner.ModelSummary{
		Model: "m", Rounds: 1, StartupS: 0.09, ElapsedS: 0.04,
		DonePerS: runner.Interval{Median: 100}, CPUDone: &cpu,
		Throughput: runner.Interval{Median: 100}, CPU: cpu,
		UserS: 0.034, SystemS: 0.014,
		Latency: runner.Quantiles{P50: 16, P95: 39, P99: 39, Max: 39}, // of 11, 16, 25, 39
		Phases: runner.Phases{
			Fork:            2,        // of 0 (before work), 3, and 1 + 1 for the spare
			FirstJobPenalty: new(8.0), // 12, the middle of 10, 20 and 12, minus 4
			Run:             4,        // the only later job
			Exit:            2,        // of 3, 1 and 2
		},
		Memory:       runner.Memory{PeakPSS: new(50.0), USSPerWorker: new(9.0)},
		FaultsPerJob: 150, CommandsPerJob: new(2.5), Processes: 4,
		ResidualPercent: new(0.5),
		Jobs:            runner.Jobs{Enqueued: 4, Settled: 4, Done: 4},
		Causes:          []runner.Cause{},
	}
	if diff := cmp.Diff(want, a.Summary.Models[0], near); diff != "" {
		t.Error(diff)
	}
	if len(a.Summary.Errors) != 0 {
		t.Errorf("errors: %q", a.Summary.Errors)
	}
	s := a.Series[0]
	wantSettled := make([]int, 40)
	wantSettled[11], wantSettled[16], wantSettled[25], wantSettled[39] = 1, 1, 1, 1
	if r := s.Rounds[0]; r.Bucket != ms || !slices.Equal(r.Settled, wantSettled) || len(r.Memory) != 3 {
		t.Errorf("round series %+v", r)
	}
	if diff := cmp.Diff([]runner.CDFPoint{{Millis: 11, Share: 0.25}, {Millis: 16, Share: 0.5}, {Millis: 25, Share: 0.75}, {Millis: 39, Share: 1}},
		s.Latency, near); diff != "" {
		t.Error(diff)
	}
	var processes, jobs []int
	for _, p := range s.Processes {
		processes = append(processes, p.ID)
	}
	for _, j := range s.Jobs {
		jobs = append(jobs, int(j.ID))
	}
	if !slices.Equal(processes, []int{1, 2, 3, 4}) || !slices.Equal(jobs, []int{0, 2, 1, 3}) {
		t.Errorf("first processes %v, jobs %v", processes, jobs)
	}
}

func TestMediansOverRounds(t *testing.T) {
	h := header(100, 3, "a", "b")
	lines := []record.Line{h}
	add := func(model string, round int, work time.Duration, cpu time.Duration) {
		for i := range 100 {
			lines = append(lines, &record.Job{Model: model, Round: round, ID: uint64(i), Status: models.Done, Process: 1, Seq: i + 1,
				StartedNS: 1, FinishedNS: work / 100, SettledNS: work})
		}
		lines = append(lines, &record.Round{Model: model, Round: round, Enqueued: 100, Settled: 100, WorkNS: work,
			Children: record.CPU{User: cpu}})
	}
	// a: 100, 200, 50 jobs/s; b: half of that, always.
	for round, work := range []time.Duration{time.Second, time.Second / 2, 2 * time.Second} {
		add("a", round, work, time.Second)
		add("b", round, 2*work, time.Second)
	}
	a, err := runner.Analyze(sequence(lines...))
	if err != nil {
		t.Fatal(err)
	}
	ma, mb := a.Summary.Models[0], a.Summary.Models[1]
	// On the logarithms: mean ln 100, standard deviation ln 2, t(0.975, 2) = 4.30265.
	spread := math.Exp(4.302653 * math.Ln2 / math.Sqrt(3))
	want := runner.Interval{Median: 100, Low: new(100 / spread), High: new(100 * spread)}
	if diff := cmp.Diff(want, ma.Throughput, near); diff != "" {
		t.Error(diff)
	}
	if mb.Throughput.Median != 50 || ma.Rounds != 3 || ma.Jobs.Settled != 300 {
		t.Errorf("b: %+v, a: %+v", mb.Throughput, ma)
	}
	// Paired, the rounds agree: twice the rate, the same CPU, half the latency.
	wantComparisons := []runner.Comparison{
		{Metric: "jobs_done_per_s", A: "a", B: "b", Ratio: 2, Low: new(2.0), High: new(2.0), P: new(0.0), Corrected: new(0.0)},
		{Metric: "cpu_ms_per_job_done", A: "a", B: "b", Ratio: 1, Low: new(1.0), High: new(1.0), P: new(1.0), Corrected: new(1.0), Same: true},
		{Metric: "throughput", A: "a", B: "b", Ratio: 2, Low: new(2.0), High: new(2.0), P: new(0.0), Corrected: new(0.0)},
		{Metric: "cpu_ms_per_job", A: "a", B: "b", Ratio: 1, Low: new(1.0), High: new(1.0), P: new(1.0), Corrected: new(1.0), Same: true},
		{Metric: "p95", A: "a", B: "b", Ratio: 0.5, Low: new(0.5), High: new(0.5), P: new(0.0), Corrected: new(0.0)},
	}
	if diff := cmp.Diff(wantComparisons, a.Summary.Comparisons,
		cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-3 })); diff != "" {
		t.Error(diff)
	}
}

// reference says where first jobs are measured against.
func TestFirstJobPenaltyReference(t *testing.T) {
	penalty := func(bs ...behaviour) map[string]*float64 {
		s := newSynthetic(100, 1, bs...)
		s.noise = 0
		of := make(map[string]*float64)
		for _, m := range analyze(t, s).Summary.Models {
			of[m.Model] = m.Phases.FirstJobPenalty
		}
		return of
	}
	slow := prefork // its later jobs take longer than the others'
	slow.run = 10 * ms
	for _, c := range []struct {
		name string
		got  map[string]*float64
		want map[string]*float64
	}{
		{"own later jobs", penalty(prefork), map[string]*float64{"prefork": new(61.0)}},
		{"nobody's", penalty(forkperjob, hybrid), map[string]*float64{"forkperjob": nil, "hybrid": nil}},
		{"the others'", penalty(slow, forkperjob), map[string]*float64{"prefork": new(61.0), "forkperjob": new(55.0)}},
	} {
		if diff := cmp.Diff(c.want, c.got, near); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// A first job's time is what the model's phases say it is.
func TestPhasesAddUp(t *testing.T) {
	s := newSynthetic(400, 1, prefork, forkperjob, hybrid)
	s.noise = 0
	for _, m := range analyze(t, s).Summary.Models {
		if m.Phases.FirstJobPenalty == nil {
			t.Fatalf("%s: no penalty", m.Model)
		}
		want := millis(4 * ms)
		if m.Model != "hybrid" {
			want = millis(65 * ms)
		}
		if got := m.Phases.Run + *m.Phases.FirstJobPenalty; math.Abs(got-want) > 0.002*want {
			t.Errorf("%s: a first job takes %v ms, want %v", m.Model, got, want)
		}
	}
}

func millis(d time.Duration) float64 { return float64(d) / 1e6 }

// The live run feeds the aggregator as things happen, a report feeds it from
// the file: both must give the same bytes. The slots write at once, so the order
// of the lines within a round must not matter either.
func TestSameBytesFromFileAndInAnyOrder(t *testing.T) {
	for name, s := range map[string]*synthetic{
		"redash":   newSynthetic(500, 2, prefork, forkperjob, hybrid),
		"troubled": troubled(),
	} {
		var file bytes.Buffer
		w := record.NewWriter(&file)
		direct, shuffled := runner.NewAggregator(), runner.NewAggregator()
		random := rand.New(rand.NewPCG(1, 2))
		var round []record.Line
		for l := range s.lines() {
			for _, sink := range []record.Sink{w, direct} {
				if err := sink.Write(l); err != nil {
					t.Fatal(err)
				}
			}
			_, isRound := l.(*record.Round)
			_, isHeader := l.(*record.Header)
			if !isRound && !isHeader {
				round = append(round, l)
				continue
			}
			random.Shuffle(len(round), func(i, j int) { round[i], round[j] = round[j], round[i] })
			for _, l := range append(round, l) {
				if err := shuffled.Write(l); err != nil {
					t.Fatal(err)
				}
			}
			round = nil
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		read, err := runner.Analyze(record.Read(&file))
		if err != nil {
			t.Fatal(err)
		}
		want := direct.Analysis()
		if diff := cmp.Diff(want, read); diff != "" {
			t.Errorf("%s: from the file: %s", name, diff)
		}
		got := shuffled.Analysis()
		for _, series := range [][]runner.Series{want.Series, got.Series} {
			for _, s := range series {
				for _, r := range s.Rounds {
					// One sampler writes these, in order.
					slices.SortFunc(r.Memory, func(a, b record.Sample) int { return int(a.AtNS - b.AtNS) })
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: shuffled: %s", name, diff)
		}
		var first, second bytes.Buffer
		for out, a := range map[*bytes.Buffer]*runner.Analysis{&first: want, &second: read} {
			for _, err := range []error{
				runner.WriteJSON(out, &a.Summary), runner.WriteText(out, &a.Summary, report.TextOptions{}),
				runner.WriteMarkdown(out, &a.Summary), runner.WriteCSV(out, &a.Summary),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		if first.String() != second.String() {
			t.Errorf("%s: other bytes: %s", name, cmp.Diff(first.String(), second.String()))
		}
	}
}

func TestConcurrentWritesAndSnapshots(t *testing.T) {
	s := newSynthetic(400, 1, prefork)
	lines := s.round(0, 0)
	a := runner.NewAggregator()
	if err := a.Write(&s.header); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	const slots = 4
	for slot := range slots {
		wg.Go(func() {
			for i := slot; i < len(lines)-1; i += slots {
				if err := a.Write(lines[i]); err != nil {
					t.Error(err)
				}
				if i%100 == 0 {
					a.Analysis()
				}
			}
		})
	}
	wg.Wait()
	if err := a.Write(lines[len(lines)-1]); err != nil {
		t.Fatal(err)
	}
	first := a.Analysis()
	if diff := cmp.Diff(analyze(t, s).Summary, first.Summary); diff != "" {
		t.Error(diff)
	}
	// A snapshot is the caller's to keep.
	first.Summary.Spec.Models[0].Name = "changed"
	first.Series[0].Rounds[0].Settled[0] = -1
	if second := a.Analysis(); second.Summary.Spec.Models[0].Name != "prefork" || second.Series[0].Rounds[0].Settled[0] == -1 {
		t.Error("two snapshots share memory")
	}
}

func TestWriteRefusesWhatDoesNotFit(t *testing.T) {
	h := header(1, 2, "m", "n")
	job := func(model string, round int) *record.Job {
		return &record.Job{Model: model, Round: round, Status: models.Done}
	}
	for _, c := range []struct {
		name  string
		lines []record.Line
		want  string
	}{
		{"no header", []record.Line{job("m", 0)}, "the header must come before every other line"},
		{"two headers", []record.Line{h, h}, "a second header"},
		{"unknown model", []record.Line{h, job("x", 0)}, `model "x" is not in the header`},
		{"unknown model's sample", []record.Line{h, &record.Sample{Model: "x"}}, `model "x" is not in the header`},
		{"unknown model's process", []record.Line{h, &record.Process{Model: "x"}}, `model "x" is not in the header`},
		{"unknown model's round", []record.Line{h, &record.Round{Model: "x"}}, `model "x" is not in the header`},
		{"negative round", []record.Line{h, job("m", -1)}, "m: round -1: rounds count from 0"},
		{"no status", []record.Line{h, &record.Job{Model: "m", ID: 5}}, "job 5 has no valid status"},
		{"next round too early", []record.Line{h, job("m", 0), job("n", 1), job("m", 1)}, "m: a line of round 1 before the end of round 0"},
		{"after the end", []record.Line{h, &record.Round{Model: "m"}, job("m", 0)}, "m: a line of round 0 after that round's end"},
		{"round twice", []record.Line{h, &record.Round{Model: "m"}, &record.Round{Model: "m"}}, "m: a line of round 0 after that round's end"},
		{"nothing", []record.Line{h, nil}, "a line of unknown kind"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := runner.Analyze(sequence(c.lines...))
			var at *record.SyntaxError
			if !errors.As(err, &at) || at.Line != len(c.lines) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want line %d: %s", err, len(c.lines), c.want)
			}
		})
	}
	if _, err := runner.Analyze(sequence()); err == nil {
		t.Error("no lines: no error")
	}
	broken := errors.New("broken")
	if _, err := runner.Analyze(func(yield func(record.Line, error) bool) { yield(nil, broken) }); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

// A sample may come after its round's end.
func TestLateSample(t *testing.T) {
	s := newSynthetic(100, 1, prefork)
	a := runner.NewAggregator()
	for l := range s.lines() {
		if err := a.Write(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Write(&record.Sample{Model: "prefork", PSS: 500e6}); err != nil {
		t.Fatal(err)
	}
	if got := *a.Analysis().Summary.Models[0].Memory.PeakPSS; got != 500 {
		t.Errorf("peak %v MB, want 500", got)
	}
}

// What a killed run leaves is worth a report.
func TestKilledRun(t *testing.T) {
	var file bytes.Buffer
	w := record.NewWriter(&file)
	for l := range newSynthetic(100, 2, prefork, forkperjob).lines() {
		if err := w.Write(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	for cut := file.Len() - 1; cut > 0; cut -= file.Len()/16 + 1 {
		a, err := runner.Analyze(record.Read(bytes.NewReader(file.Bytes()[:cut])))
		if err != nil {
			if cut < 1000 {
				continue // not even the header is whole
			}
			t.Fatalf("cut at %d of %d: %v", cut, file.Len(), err)
		}
		if len(a.Summary.Errors) != 0 {
			t.Fatalf("cut at %d: errors %q", cut, a.Summary.Errors)
		}
		if file.Bytes()[cut-1] != '\n' && !contains(a.Summary.Warnings, "the records end early, in the middle of a line: the run was killed, or could not write them (a full disk)") {
			t.Fatalf("cut at %d: warnings %q", cut, a.Summary.Warnings)
		}
	}
}

func contains(texts []string, part string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, part) })
}

func ExampleAnalyze() {
	// A file that a run wrote; here, one made up on the spot.
	var file bytes.Buffer
	w := record.NewWriter(&file)
	for l := range newSynthetic(1000, 3, forkperjob, hybrid).lines() {
		if err := w.Write(l); err != nil {
			fmt.Println(err)
		}
	}
	if err := w.Flush(); err != nil {
		fmt.Println(err)
	}

	a, err := runner.Analyze(record.Read(&file))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range a.Summary.Models {
		fmt.Printf("%s: %.0f jobs/s, %.1f ms of CPU each\n", m.Model, m.Throughput.Median, m.CPU.Median)
	}
	// Output:
	// forkperjob: 60 jobs/s, 66.2 ms of CPU each
	// hybrid: 707 jobs/s, 5.1 ms of CPU each
}
