package runner_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"forkbench/models"
	"forkbench/record"
	"forkbench/runner"
)

// TestAdvice: the clause about which model fits, by kinds of runs. # is a number or a
// name; "" is not advice.
func TestAdvice(t *testing.T) {
	with := func(b behaviour, run, oneTime time.Duration) behaviour {
		b.run, b.oneTime = run, oneTime
		return b
	}
	named := func(b behaviour, name string) behaviour { b.name = name; return b }
	cold := hybrid
	cold.unreached = cold.oneTime
	heavy := hybrid
	heavy.fork = 80 * ms
	light := 100 * µs // that first jobs cost more
	atRate := func(plan string, every time.Duration, bs ...behaviour) *synthetic {
		s := newSynthetic(1000, 3, bs...)
		s.header.Spec.Arrivals, s.every = plan, every
		return s
	}
	simulated := func(converged bool) *synthetic {
		s := newSynthetic(1000, 3, prefork, forkperjob, hybrid)
		s.header.Spec.Simulated, s.header.Spec.Simulation = true, &record.Simulation{Cores: 8}
		s.predictions = func(model string) *record.Prediction { return &record.Prediction{Model: model, Converged: converged} }
		return s
	}
	contaminated := round(func(m *record.Round) { m.Noise.Contaminated = "other processes used 31 % of the CPU" })
	unfit := func(names ...string) change {
		return round(func(m *record.Round) {
			for _, name := range names {
				if m.Model == name {
					m.Unfit = []string{"its forks share a connection to 127.0.0.1:5432"}
				}
			}
		})
	}
	// The last round of a model, cut short in the middle.
	cut := func(model string) change {
		return func(lines []record.Line, m *record.Round) []record.Line {
			if m.Model != model || m.Round != 2 {
				return lines
			}
			m.Settled, m.Interrupted = 500, true
			m.Taken, m.NotRun = m.Settled, m.Enqueued-m.Settled
			return slices.DeleteFunc(lines, func(l record.Line) bool { j, ok := l.(*record.Job); return ok && j.ID >= 500 })
		}
	}
	failing := everyJob(func(j *record.Job) {
		if j.ID%10 == 0 {
			j.Status = models.Failed
		}
	})
	for _, c := range []struct {
		name string
		run  *synthetic
		each change
		kind string
		want string
	}{
		{"the first-job penalty, and a warm parent", newSynthetic(1000, 3, prefork, forkperjob, hybrid), nil, runner.AdviceShared,
			"a warm parent closes # % of the gap: prefork fits, or hybrid where jobs must not share a process (# ms more CPU per job)"},
		{"the first-job penalty, no warm parent measured", newSynthetic(1000, 3, prefork, forkperjob), nil, runner.AdviceShared,
			"the first-job penalty is # % of the gap: prefork fits; where jobs must not share a process, measure a warm parent first"},
		{"the first-job penalty, a warm parent that is not", newSynthetic(1000, 3, prefork, forkperjob, cold), nil, runner.AdviceShared,
			"the first-job penalty is # % of the gap: prefork fits; where jobs must not share a process, measure a warm parent first"},
		{"the first-job penalty, a warm parent whose forks cost more", newSynthetic(1000, 3, prefork, forkperjob, heavy), nil, runner.AdviceShared,
			"prefork fits, or forkperjob where jobs must not share a process (# ms more CPU per job)"},
		{"a warm parent near the pool", newSynthetic(1000, 3, with(prefork, 20*ms, 61*ms), with(forkperjob, 20*ms, 61*ms), with(hybrid, 20*ms, 61*ms)), nil, runner.AdviceIsolated,
			"hybrid fits: a process for each job, at # % of the speed of prefork (# ms more CPU per job)"},
		{"CPU-bound jobs", newSynthetic(1000, 6, with(prefork, 200*ms, light), with(forkperjob, 200*ms, light)), nil, runner.AdviceNoDifference,
			"forkperjob fits: a process for each job costs no speed that matters"},
		{"forks, and nothing repeated", newSynthetic(1000, 3, with(prefork, 2*ms, light), with(forkperjob, 2*ms, light), with(hybrid, 2*ms, light)), nil, runner.AdviceShared,
			"prefork fits, or # where jobs must not share a process (# ms more CPU per job)"},
		{"each job in a process of its own, in both", newSynthetic(1000, 3, forkperjob, hybrid), nil, runner.AdviceIsolated,
			"hybrid fits: the fastest here, with a process for each job"},
		{"two pools", newSynthetic(1000, 3, with(prefork, 8*ms, light), named(prefork, "other")), nil, "", ""},
		{"one model", newSynthetic(1000, 3, hybrid), nil, "", ""},
		{"at a rate", atRate("rate:50", 20*ms, prefork, forkperjob, hybrid), nil, runner.AdviceShared,
			"prefork fits, or hybrid where jobs must not share a process (# ms more CPU per job, # cores at 50.0 jobs/s)"},
		{"in one round", newSynthetic(1000, 1, prefork, forkperjob, hybrid), nil, "", ""},
		{"few jobs", newSynthetic(40, 3, prefork, forkperjob, hybrid), nil, "", ""},
		{"on a busy machine", newSynthetic(1000, 3, prefork, forkperjob, hybrid), contaminated, "", ""},
		{"failing jobs, the same in all", newSynthetic(1000, 3, prefork, forkperjob, hybrid), failing, "", ""},
		{"a hazard in the warm parent", newSynthetic(1000, 3, prefork, forkperjob, hybrid), unfit("hybrid"), runner.AdviceShared,
			"the first-job penalty is # % of the gap: prefork fits; where jobs must not share a process, measure a warm parent first"},
		{"a hazard in the pool", newSynthetic(1000, 3, prefork, forkperjob, hybrid), unfit("prefork"), runner.AdviceIsolated,
			"hybrid fits: the fastest of those that are fit, with a process for each job"},
		{"a hazard in all but one", newSynthetic(1000, 3, prefork, forkperjob, hybrid), unfit("prefork", "hybrid"), "", ""},
		{"jobs lost", newSynthetic(1000, 3, prefork, forkperjob, hybrid), round(func(m *record.Round) { m.Settled, m.Lost = 999, 1 }), "", ""},
		{"cut short in a third round of the warm parent", newSynthetic(1000, 3, prefork, forkperjob, hybrid), cut("hybrid"), runner.AdviceShared,
			"a warm parent closes # % of the gap: prefork fits, or hybrid where jobs must not share a process (# ms more CPU per job)"},
		{"simulated", simulated(true), nil, runner.AdviceShared,
			"a warm parent closes # % of the gap: prefork fits, or hybrid where jobs must not share a process (# ms more CPU per job)"},
		{"simulated, not converged", simulated(false), nil, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := summarize(t, c.run, c.each)
			if s.Advice == nil {
				if c.want != "" {
					t.Errorf("no advice; want %q; verdict %s; comparisons %+v", c.want, s.Verdict, s.Comparisons)
				}
				if strings.Contains(s.Verdict, " fits") {
					t.Errorf("verdict %s", s.Verdict)
				}
				return
			}
			if s.Advice.Kind != c.kind || !matches(s.Advice.Text, c.want) {
				t.Errorf("%s: %q, want %s: %q", s.Advice.Kind, s.Advice.Text, c.kind, c.want)
			}
			if !strings.Contains(s.Verdict, s.Advice.Text) {
				t.Errorf("it is not in the verdict %q", s.Verdict)
			}
			for _, m := range s.Models {
				if m.Unfit != nil && (s.Advice.Fits == m.Model || s.Advice.Isolated == m.Model || strings.Contains(s.Advice.Text, m.Model)) {
					t.Errorf("%s is not fit: %q", m.Model, s.Advice.Text)
				}
			}
			if s.Advice.Simulated != s.Spec.Simulated || s.Spec.Simulated && !strings.HasPrefix(s.Verdict, "Simulated on 8 cores: ") {
				t.Errorf("simulated %v: %s", s.Advice.Simulated, s.Verdict)
			}
		})
	}
}

// The advice's figures are those of the summary.
func TestAdviceFigures(t *testing.T) {
	s := summarize(t, newSynthetic(1000, 3, prefork, forkperjob, hybrid), nil)
	a := s.Advice
	if a == nil || a.FirstJob == nil || a.CPU == nil {
		t.Fatalf("%+v", a)
	}
	pool, forks, warm := &s.Models[0], &s.Models[1], &s.Models[2]
	takes := func(m *runner.ModelSummary) float64 { return 4000 / m.DonePerS.Median }
	gap := takes(forks) - takes(pool)
	near := func(what string, got, want float64) {
		t.Helper()
		if got < want*0.999 || got > want*1.001 {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	near("the share of the gap", a.FirstJob.Share, *forks.Phases.FirstJobPenalty/gap)
	near("what a warm parent closes", a.FirstJob.Closes, (takes(forks)-takes(warm))/gap)
	near("the CPU", *a.CPU, warm.CPUDone.Median-pool.CPUDone.Median)
	if a.FirstJob.Model != "forkperjob" || a.FirstJob.Warm != "hybrid" || a.Fits != "prefork" || a.Isolated != "hybrid" || a.Cores != nil {
		t.Errorf("%+v %+v", a, a.FirstJob)
	}
}
