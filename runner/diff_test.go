package runner_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"forkbench/models"
	"forkbench/record"
	"forkbench/report"
	"forkbench/runner"
)

// slower is the run of the day on which a lazy import got into the job.
func slower(jobs, rounds int) *synthetic {
	late := forkperjob
	late.oneTime += 30 * ms
	s := newSynthetic(jobs, rounds, prefork, late, hybrid)
	s.header.Spec.Seed = 2
	return s
}

// diffOf compares two synthetic runs.
func diffOf(t *testing.T, before, now *synthetic) *runner.Diff {
	t.Helper()
	return runner.NewDiff(
		runner.DiffRun{Name: "before", Analysis: analyze(t, before)},
		runner.DiffRun{Name: "after", Analysis: analyze(t, now)},
	)
}

func figure(t *testing.T, d *runner.Diff, model, metric string) runner.FigureDiff {
	t.Helper()
	for _, m := range d.Models {
		for _, f := range m.Figures {
			if m.Model == model && f.Metric == metric {
				return f
			}
		}
	}
	t.Fatalf("no %s of %s in %+v", metric, model, d)
	return runner.FigureDiff{}
}

func TestDiffGolden(t *testing.T) {
	refused := newSynthetic(200, 3, prefork)
	refused.header.Spec.Workload = "noop"
	for _, c := range []struct {
		name string
		now  *synthetic
	}{{"diff-slower", slower(400, 4)}, {"diff-refused", refused}} {
		d := diffOf(t, newSynthetic(400, 4, prefork, forkperjob, hybrid), c.now)
		for _, form := range []struct {
			ext   string
			write func(io.Writer) error
		}{
			{"txt", func(w io.Writer) error { return d.WriteText(w, report.TextOptions{}) }},
			{"md", d.WriteMarkdown},
			{"json", d.WriteJSON},
		} {
			t.Run(c.name+"."+form.ext, func(t *testing.T) {
				var got bytes.Buffer
				if err := form.write(&got); err != nil {
					t.Fatal(err)
				}
				golden(t, c.name+"."+form.ext, got.Bytes())
			})
		}
	}
}

func TestDiffFindsWhatGotSlower(t *testing.T) {
	d := diffOf(t, newSynthetic(400, 4, prefork, forkperjob, hybrid), slower(400, 4))
	if f := figure(t, d, "forkperjob", runner.MetricCPUDone); f.Finding != runner.Worse || f.Ratio < 1.3 || f.Ratio > 1.6 || *f.Low > f.Ratio || *f.High < f.Ratio {
		t.Errorf("CPU per job of forkperjob: %+v", f)
	}
	if f := figure(t, d, "forkperjob", runner.MetricDone); f.Finding != runner.Worse || f.Ratio > 0.8 {
		t.Errorf("throughput of forkperjob: %+v", f)
	}
	for _, model := range []string{"prefork", "hybrid"} {
		if f := figure(t, d, model, runner.MetricCPUDone); f.Finding == runner.Worse || f.Finding == runner.Better {
			t.Errorf("CPU per job of %s: %+v", model, f)
		}
	}
	if !strings.HasPrefix(d.Verdict, "forkperjob got worse (0.") {
		t.Errorf("verdict: %s", d.Verdict)
	}
	// The other way round it got better, by the inverse.
	back := diffOf(t, slower(400, 4), newSynthetic(400, 4, prefork, forkperjob, hybrid))
	f, g := figure(t, d, "forkperjob", runner.MetricDone), figure(t, back, "forkperjob", runner.MetricDone)
	if g.Finding != runner.Better || math.Abs(f.Ratio*g.Ratio-1) > 1e-9 || math.Abs(*f.Low**g.High-1) > 1e-9 {
		t.Errorf("there: %+v, back: %+v", f, g)
	}
}

func TestDiffOfARunWithItself(t *testing.T) {
	d := diffOf(t, newSynthetic(400, 4, prefork, forkperjob, hybrid), newSynthetic(400, 4, prefork, forkperjob, hybrid))
	for _, m := range d.Models {
		for _, f := range m.Figures {
			if f.Ratio != 1 || f.Finding == runner.Better || f.Finding == runner.Worse {
				t.Errorf("%s: %+v", m.Model, f)
			}
		}
	}
	if len(d.Differences)+len(d.Refused)+len(d.Warnings) > 0 {
		t.Errorf("differences %v, refused %v, warnings %v", d.Differences, d.Refused, d.Warnings)
	}
}

func TestDiffOfSingleRounds(t *testing.T) {
	d := diffOf(t, newSynthetic(400, 1, forkperjob), slower(400, 1))
	if f := figure(t, d, "forkperjob", runner.MetricDone); f.Finding != runner.Unknown || f.P != nil || f.Low != nil {
		t.Errorf("%+v", f)
	}
	if want := "forkperjob may differ by chance only"; !strings.Contains(d.Verdict, want) {
		t.Errorf("verdict %q lacks %q", d.Verdict, want)
	}
	if want := []string{"prefork", "hybrid"}; !slices.Equal(d.OnlyNew, want) {
		t.Errorf("only in the new run: %q, want %q", d.OnlyNew, want)
	}
}

// What became of the jobs comes first: what is fast at failing is not fast.
func TestDiffOfOutcomes(t *testing.T) {
	failing := newSynthetic(200, 3, prefork, forkperjob)
	failing.each = func(lines []record.Line, m *record.Round) []record.Line {
		for _, l := range lines {
			if j, ok := l.(*record.Job); ok && j.Model == "prefork" && j.ID%10 == 3 {
				j.Status, j.Detail = models.Failed, "ValueError: no"
			}
		}
		return lines
	}
	d := diffOf(t, newSynthetic(200, 3, prefork, forkperjob), failing)
	if m := d.Models[0]; !m.Outcome.Differ || len(m.Figures) > 0 || m.Outcome.NewUndone != 60 {
		t.Errorf("%+v", m)
	}
	if want := "prefork has no figures to compare: it did all of 600 jobs before and 540 of 600 jobs now"; !strings.HasPrefix(d.Verdict, want) {
		t.Errorf("verdict %q does not begin with %q", d.Verdict, want)
	}
	if m := d.Models[1]; m.Outcome.Differ || len(m.Figures) == 0 {
		t.Errorf("%+v", m)
	}
	// The same failures in both are no difference.
	if m := diffOf(t, failing, failing).Models[0]; m.Outcome.Differ || len(m.Figures) == 0 {
		t.Errorf("the same failures: %+v", m)
	}
}

func TestDiffOfHazards(t *testing.T) {
	unsafe := newSynthetic(200, 3, prefork, hybrid)
	unsafe.each = func(lines []record.Line, m *record.Round) []record.Line {
		if m.Model == "hybrid" {
			m.Unfit = []string{"its forks share a connection to port 5432"}
		}
		return lines
	}
	d := diffOf(t, newSynthetic(200, 3, prefork, hybrid), unsafe)
	if want := "hybrid has no figures to compare: it must not be used as it is now, because its forks share a connection"; !strings.HasPrefix(d.Verdict, want) {
		t.Errorf("verdict %q does not begin with %q", d.Verdict, want)
	}
	if m := d.Models[1]; len(m.Figures) > 0 || len(m.Hazards) != 1 {
		t.Errorf("%+v", m)
	}
	back := diffOf(t, unsafe, newSynthetic(200, 3, prefork, hybrid)).Models[1]
	if len(back.Figures) == 0 || len(back.Mended) != 1 {
		t.Errorf("mended: %+v", back)
	}
}

func TestDiffSaysWhatElseDiffers(t *testing.T) {
	for _, c := range []struct {
		change  func(*record.Header)
		kind    runner.Kind
		verdict string
	}{
		{func(h *record.Header) { h.Environment.CPU = "Xeon" }, runner.DiffersMachine, "But the machine is another one"},
		{func(h *record.Header) { h.Environment.Cores = 8 }, runner.DiffersMachine, "But the machine is another one"},
		{func(h *record.Header) { h.Environment.Python = "Python 3.13.1" }, runner.DiffersPython, "But the Python is another one"},
		{func(h *record.Header) { h.Environment.Kernel = "7.0" }, runner.DiffersSoftware, "But other software is of another version (kernel)"},
		{func(h *record.Header) { h.Spec.Workers = 2 }, runner.DiffersSettings, "But the settings differ (workers)"},
		{func(h *record.Header) { h.Spec.Warm = nil }, runner.DiffersSettings, "But the settings differ (warm-ups)"},
		{func(h *record.Header) { h.Spec.Models[0].Knobs = map[string]string{"max-jobs-per-child": "10"} }, runner.DiffersSettings, "But the settings differ (knobs of prefork)"},
	} {
		now := newSynthetic(200, 3, prefork)
		c.change(&now.header)
		d := diffOf(t, newSynthetic(200, 3, prefork), now)
		if len(d.Refused) > 0 || !slices.ContainsFunc(d.Differences, func(x runner.Difference) bool { return x.Kind == c.kind }) {
			t.Errorf("refused %q, differences %v; want one of kind %s", d.Refused, d.Differences, c.kind)
		}
		if !strings.Contains(d.Verdict, c.verdict) {
			t.Errorf("verdict %q lacks %q", d.Verdict, c.verdict)
		}
	}

	// The same machine whose cores were slower.
	paced := func(piece time.Duration) *synthetic {
		s := newSynthetic(200, 3, prefork)
		s.each = func(lines []record.Line, m *record.Round) []record.Line {
			m.Noise.PieceNS = piece
			return lines
		}
		return s
	}
	if d := diffOf(t, paced(100*µs), paced(103*µs)); len(d.Differences) > 0 {
		t.Errorf("a pace within 5 %%: %v", d.Differences)
	}
	if d := diffOf(t, paced(100*µs), paced(120*µs)); !strings.Contains(d.Verdict, "But the cores were not as fast") {
		t.Errorf("verdict: %s", d.Verdict)
	}
}

func TestDiffWarnsOfDisturbedRounds(t *testing.T) {
	disturbed := newSynthetic(200, 3, prefork, hybrid)
	disturbed.each = func(lines []record.Line, m *record.Round) []record.Line {
		if m.Round > 0 {
			m.Noise.Contaminated = "other processes used 31 % of the CPU"
		}
		return lines
	}
	want := []string{"in after, other programs disturbed 2 of 3 rounds of prefork and 2 of 3 rounds of hybrid: their times are too long"}
	if d := diffOf(t, newSynthetic(200, 3, prefork, hybrid), disturbed); !slices.Equal(d.Warnings, want) {
		t.Errorf("warnings %q", d.Warnings)
	}
}

func TestDiffRefuses(t *testing.T) {
	for want, change := range map[string]func(*synthetic){
		"other jobs: record_event and noop":       func(s *synthetic) { s.header.Spec.Workload = "noop" },
		"another runtime: python and go":          func(s *synthetic) { s.header.Spec.Runtime = "go" },
		"another number of jobs: 200 and 100":     func(s *synthetic) { *s = *newSynthetic(100, 3, prefork) },
		"another number of payloads: 0 and 7":     func(s *synthetic) { s.header.Spec.Listed = 7 },
		"other arrivals: burst and rate:5/s":      func(s *synthetic) { s.header.Spec.Arrivals = "rate:5/s" },
		"before was measured and after simulated": func(s *synthetic) { s.header.Spec.Simulated = true },
		"a build with the race detector":          func(s *synthetic) { s.header.Environment.Race = true },
		"no model is in both":                     func(s *synthetic) { *s = *newSynthetic(200, 3, hybrid) },
		"the numbers of after must not be used": func(s *synthetic) {
			s.each = func(lines []record.Line, m *record.Round) []record.Line { m.Settled--; m.Lost++; return lines }
		},
		"the numbers of after must not be used: hybrid: in round 1, 1 of 200 jobs lost": func(s *synthetic) { // and not for what stopped another
			*s = *newSynthetic(200, 3, prefork, hybrid)
			s.each = func(lines []record.Line, m *record.Round) []record.Line {
				switch {
				case m.Model == "hybrid":
					m.Settled--
					m.Lost++
				case m.Round == 2:
					m.Error = "its parent died"
				}
				return lines
			}
		},
		"in after no round was finished": func(s *synthetic) {
			s.each = func(lines []record.Line, m *record.Round) []record.Line {
				m.Interrupted, m.Settled, m.NotRun = true, 0, m.Enqueued
				return []record.Line{}
			}
		},
	} {
		now := newSynthetic(200, 3, prefork)
		change(now)
		d := diffOf(t, newSynthetic(200, 3, prefork), now)
		if !strings.Contains(strings.Join(d.Refused, "\n"), want) || len(d.Models) > 0 {
			t.Errorf("refused %q, models %v; want %q", d.Refused, d.Models, want)
		}
		if !strings.HasPrefix(d.Verdict, "These cannot be compared: ") {
			t.Errorf("verdict: %s", d.Verdict)
		}
	}
}

// Of runs of rounds that vary by 10 %, intervals hold the true ratio, and few of those
// without a difference are said to have one.
func TestDiffCoverage(t *testing.T) {
	random := rand.New(rand.NewPCG(14, 2))
	run := func(rounds int, scale float64) *runner.Analysis {
		a := &runner.Analysis{Summary: runner.Summary{Models: []runner.ModelSummary{{Model: "m", Rounds: rounds, Jobs: runner.Jobs{Done: 100}}}}}
		s := runner.Series{Model: "m"}
		for range rounds {
			work := scale * math.Exp(0.1*random.NormFloat64())
			s.Rounds = append(s.Rounds, runner.RoundSeries{JobsDone: 100, Measure: record.Round{Settled: 100, WorkNS: time.Duration(work * 1e9)}})
		}
		a.Series = []runner.Series{s}
		return a
	}
	const trials = 1000
	held, wrong := 0, 0
	for i := range trials {
		scale := 1.0
		if i%2 == 1 {
			scale = 1.25
		}
		d := runner.NewDiff(runner.DiffRun{Name: "a", Analysis: run(3, 1)}, runner.DiffRun{Name: "b", Analysis: run(4, scale)})
		f := figure(t, d, "m", runner.MetricDone)
		if *f.Low <= 1/scale && 1/scale <= *f.High {
			held++
		}
		if scale == 1 && (f.Finding == runner.Better || f.Finding == runner.Worse) {
			wrong++
		}
	}
	if share := float64(held) / trials; share < 0.93 || share > 0.99 {
		t.Errorf("%.3f of the intervals hold the ratio", share)
	}
	if share := float64(wrong) / (trials / 2); share > 0.07 {
		t.Errorf("%.3f of runs alike are said to differ", share)
	}
}

func TestBaselineGate(t *testing.T) {
	before, now := &analyze(t, newSynthetic(200, 3, prefork, forkperjob)).Summary, &analyze(t, slower(200, 3)).Summary
	foreign, few := *before, *before
	foreign.Environment.CPU = "Xeon"
	few.Models = few.Models[:1]
	few.Models[0].Jobs.Undone = 0
	failing := *before
	failing.Models = slices.Clone(failing.Models)
	failing.Models[1].Jobs.Undone, failing.Models[1].Jobs.Failed = 5, 5
	other := *before
	other.Spec.Workload = "noop"
	for _, c := range []struct {
		expr string
		base *runner.Summary
		want string // in why it is crossed; "" if it is not
	}{
		{"forkperjob.cpu > 1.1*baseline", before, "was "},
		{"cpu > 1.1 * baseline", before, "cpu_ms_per_job_done of forkperjob is "},
		{"forkperjob.cpu > 2*baseline", before, ""},
		{"prefork.cpu > 1.1*baseline", before, ""},
		{"throughput < 0.9*baseline", before, "jobs_done_per_s of forkperjob is "},
		{"forkperjob.p95 > baseline", before, "crosses forkperjob.p95 > 1*baseline"},
		{"failed > baseline", before, ""},
		{"hybrid.cpu > baseline", before, "hybrid was not run in the baseline"},
		{"forkperjob.cpu > 2*baseline", &few, "forkperjob was not run in the baseline"},
		{"forkperjob.cpu > 2*baseline", &foreign, "ANOTHER MACHINE: CPU was Xeon and is AMD EPYC"},
		{"forkperjob.cpu > 2*baseline", &other, "other jobs: noop and record_event"},
		{"forkperjob.cpu > 2*baseline", &failing, "in the baseline, forkperjob did "},
		{"forkperjob.cpu > 2*baseline", nil, "there is no baseline"},
	} {
		threshold, err := runner.ParseThreshold(c.expr)
		if err != nil || !threshold.Baseline() {
			t.Errorf("%s: baseline %t, error %v", c.expr, threshold.Baseline(), err)
			continue
		}
		if again, err := runner.ParseThreshold(threshold.String()); err != nil || again.String() != threshold.String() {
			t.Errorf("%s: written %q, read again %q, error %v", c.expr, threshold, again, err)
		}
		gate := runner.Gate{Thresholds: []runner.Threshold{threshold}}
		if c.base != nil {
			gate.Baseline = &runner.Baseline{Name: "base", Summary: c.base}
		}
		switch crossed := gate.Crossed(now); {
		case c.want == "" && crossed != nil:
			t.Errorf("%s: crossed: %q", c.expr, crossed)
		case c.want != "" && !strings.Contains(fmt.Sprint(crossed), c.want):
			t.Errorf("%s: crossed: %q, want %q in it", c.expr, crossed, c.want)
		}
	}
}

// Jobs are counted over all rounds, and a run goes on for as many as it needs: what a
// baseline allows is the share.
func TestBaselineGateOfAnotherNumberOfRounds(t *testing.T) {
	run := func(failing uint64, rounds int) *runner.Summary {
		s := newSynthetic(200, rounds, prefork)
		s.each = everyJob(func(j *record.Job) {
			if j.ID < failing {
				j.Status = models.Failed
			}
		})
		return &analyze(t, s).Summary
	}
	threshold, err := runner.ParseThreshold("failed > baseline")
	if err != nil {
		t.Fatal(err)
	}
	gate := runner.Gate{Thresholds: []runner.Threshold{threshold}, Baseline: &runner.Baseline{Name: "base", Summary: run(10, 9)}}
	for _, c := range []struct {
		failing uint64
		rounds  int
		want    string
	}{{11, 3, "failed of prefork is 33, and was 90 in base, which crosses failed > 1*baseline (30)"}, {10, 3, ""}, {10, 12, ""}} {
		if crossed := strings.Join(gate.Crossed(run(c.failing, c.rounds)), "; "); crossed != c.want {
			t.Errorf("%d of 200 jobs failing in %d rounds: %q, want %q", c.failing, c.rounds, crossed, c.want)
		}
	}
}

// A round that was made in parts tells as much as several rounds, of what is known of
// parts.
func TestDiffOfParts(t *testing.T) {
	inParts := func(slower float64) *synthetic {
		s := newSynthetic(800, 1, forkperjob)
		s.each = func(lines []record.Line, m *record.Round) []record.Line {
			const parts = 8
			cpu, work := m.CPU(), m.WorkNS
			m.WorkNS = 0
			for i := range parts {
				// The later jobs take longer.
				share := slower * (1 + 0.1*float64(i)) / parts
				p := record.Part{
					Block: i + 1, Settled: m.Settled / parts, Done: m.Settled / parts, StartupNS: m.StartupNS,
					WorkNS: time.Duration(share * float64(work)), CPU: record.CPU{User: time.Duration(share * float64(cpu.Total()))},
				}
				m.Parts, m.Block, m.WorkNS = append(m.Parts, p), p.Block, m.WorkNS+p.WorkNS
			}
			return lines
		}
		return s
	}
	before, after := inParts(1.4), inParts(2.8)
	d := diffOf(t, before, after)
	f := figure(t, d, "forkperjob", runner.MetricDone)
	if f.Finding != runner.Worse || math.Abs(f.Ratio-0.5) > 1e-6 || f.Low == nil || *f.Low > 0.5 || *f.High < 0.5 {
		t.Errorf("%+v", f)
	}
	if want := analyze(t, before).Summary.Models[0].DonePerS.Median; math.Abs(f.Old/want-1) > 1e-9 {
		t.Errorf("%v jobs per second before; its own table says %v", f.Old, want)
	}
	if !strings.HasPrefix(d.Verdict, "forkperjob got worse (0.500× ") {
		t.Errorf("verdict: %s", d.Verdict)
	}
	// Nobody knows the latency of a part.
	if f := figure(t, d, "forkperjob", runner.MetricLatency); f.Finding != runner.Unknown || f.Low != nil {
		t.Errorf("%+v", f)
	}
}
