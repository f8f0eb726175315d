package runner_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"forkbench/models"
	"forkbench/record"
	"forkbench/report"
	"forkbench/runner"
)

// A change is made to the lines of every round before they are analyzed.
type change func(lines []record.Line, m *record.Round) []record.Line

// job changes the job with the given ID.
func job(id uint64, f func(*record.Job)) change {
	return func(lines []record.Line, _ *record.Round) []record.Line {
		for _, l := range lines {
			if j, ok := l.(*record.Job); ok && j.ID == id {
				f(j)
			}
		}
		return lines
	}
}

// everyJob changes all of them.
func everyJob(f func(*record.Job)) change {
	return func(lines []record.Line, _ *record.Round) []record.Line {
		for _, l := range lines {
			if j, ok := l.(*record.Job); ok {
				f(j)
			}
		}
		return lines
	}
}

// process changes the process with the given ID.
func process(id int, f func(*record.Process)) change {
	return func(lines []record.Line, _ *record.Round) []record.Line {
		for _, l := range lines {
			if p, ok := l.(*record.Process); ok && p.ID == id {
				f(p)
			}
		}
		return lines
	}
}

func round(f func(*record.Round)) change {
	return func(lines []record.Line, m *record.Round) []record.Line { f(m); return lines }
}

func summarize(t *testing.T, s *synthetic, c change) *runner.Summary {
	t.Helper()
	if c != nil {
		s.each = c
	}
	return &analyze(t, s).Summary
}

func TestGoodRunHasNothingToSay(t *testing.T) {
	for _, s := range []*synthetic{
		newSynthetic(200, 3, prefork, forkperjob, hybrid),
		newSynthetic(100, 6, forkperjob),
	} {
		got := summarize(t, s, nil)
		if len(got.Errors) != 0 || len(got.Warnings) != 0 {
			t.Errorf("errors %q, warnings %q", got.Errors, got.Warnings)
		}
	}
}

// What cannot be is an error, named with its numbers, and the verdict says so.
func TestSanityChecks(t *testing.T) {
	for _, c := range []struct {
		name   string
		change change
		want   string
	}{
		{"lost", round(func(m *record.Round) { m.Lost, m.Settled = 2, 198 }),
			"forkperjob: in round 1, 2 of 200 jobs lost: neither run nor left in the stream"},
		{"duplicated", round(func(m *record.Round) { m.Duplicated = 3 }),
			"forkperjob: in round 1, 3 jobs settled more than once"},
		{"a job without a line", func(lines []record.Line, m *record.Round) []record.Line {
			for i, l := range lines {
				if j, ok := l.(*record.Job); ok && j.ID == 9 {
					return append(lines[:i:i], lines[i+1:]...)
				}
			}
			return lines
		}, "199 jobs are on record, but the stream counts 200 as settled"},
		{"unaccounted", round(func(m *record.Round) { m.Enqueued = 203 }),
			"of 203 jobs enqueued, 200 are accounted for: 200 settled, 0 run but not acknowledged, 0 cut off, 0 not run, 0 lost, 0 given up"},
		{"not the jobs asked for", round(func(m *record.Round) { m.Enqueued = 203 }),
			"200 jobs were asked for and 203 enqueued"},
		{"not run, but ended", round(func(m *record.Round) { m.Enqueued, m.NotRun = 203, 3 }),
			"3 of 203 jobs never run, although the round went to its end"},
		{"before it was due", job(7, func(j *record.Job) { j.DueNS = j.StartedNS + 5*ms }),
			"a job started before it was due (round 1, job 7: due "},
		{"before work", job(7, func(j *record.Job) { j.DequeuedNS = -3 * ms }),
			"a job was taken before work began (round 1, job 7: 3ms before)"},
		{"started before dequeued", job(7, func(j *record.Job) { j.StartedNS = j.DequeuedNS - ms }),
			"a job's times run backwards (round 1, job 7: dequeued "},
		{"finished before started", job(7, func(j *record.Job) { j.FinishedNS = j.StartedNS - ms }),
			"a job's times run backwards (round 1, job 7: dequeued "},
		{"settled before finished", job(7, func(j *record.Job) { j.SettledNS = j.FinishedNS - ms }),
			"a job's times run backwards (round 1, job 7: dequeued "},
		{"settled after work", job(7, func(j *record.Job) { j.SettledNS = time.Hour }),
			"the last job was settled at 1h0m0s, after the end of work at "},
		{"ready before forked", process(9, func(p *record.Process) { p.ReadyNS = p.ForkNS - ms }),
			"a process's times run backwards (round 1, process 9: forked "},
		{"reaped before ended", process(9, func(p *record.Process) { p.ReapNS = p.EndNS - ms }),
			"a process's times run backwards (round 1, process 9: forked "},
		{"ended before forked", process(9, func(p *record.Process) { p.EndNS = p.ForkNS - ms }),
			"a process's times run backwards (round 1, process 9: forked "},
		{"a job before its process", process(9, func(p *record.Process) { p.ForkNS += 20 * ms; p.ReadyNS = 0 }),
			"a process's times run backwards (round 1, process 9: forked "},
		// Four workers hold jobs nearly all the time: half the time is not enough.
		{"Little's law", round(func(m *record.Round) { m.WorkNS /= 2 }),
			"Little's law is violated: "},
		{"no time", round(func(m *record.Round) { m.WorkNS = 0 }),
			"200 jobs were settled in no time"},
		{"negative phase", round(func(m *record.Round) { m.StartupNS = -ms }),
			"a phase of the round has a negative length: start-up -1ms, "},
		{"negative CPU", round(func(m *record.Round) { m.Supervisor.User = -time.Hour }),
			"the CPU time of the supervisor is negative: -59m59.994s"},
		{"more CPU than cores", round(func(m *record.Round) { m.Children.User = time.Hour }),
			"of CPU time were used, more than 4 cores have in "},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := summarize(t, newSynthetic(200, 1, forkperjob), c.change)
			if !contains(s.Errors, c.want) {
				t.Errorf("errors %q, want %q", s.Errors, c.want)
			}
			if !strings.HasPrefix(s.Verdict, "Do not use these numbers: forkperjob: ") {
				t.Errorf("verdict %q", s.Verdict)
			}
		})
	}
}

// A round that was cut short cannot satisfy the checks of its clocks, but its
// jobs must add up all the same.
func TestChecksOfRoundsCutShort(t *testing.T) {
	clocks := map[string]change{
		"negative CPU":          round(func(m *record.Round) { m.Children.User = -time.Hour }),
		"more CPU than cores":   round(func(m *record.Round) { m.Children.User = time.Hour }),
		"negative phase":        round(func(m *record.Round) { m.ShutdownNS = -ms }),
		"no time":               round(func(m *record.Round) { m.WorkNS = 0 }),
		"Little's law":          round(func(m *record.Round) { m.WorkNS /= 2 }),
		"a process backwards":   process(9, func(p *record.Process) { p.ReadyNS, p.EndNS, p.ReapNS = p.ForkNS-ms, p.ForkNS-ms, p.ForkNS-2*ms }),
		"a job before its fork": process(9, func(p *record.Process) { p.ForkNS += 20 * ms; p.ReadyNS = 0 }),
	}
	counts := map[string]change{
		"1 of 200 jobs lost":    round(func(m *record.Round) { m.Lost, m.Settled = 1, 199 }),
		"are accounted for":     round(func(m *record.Round) { m.NotRun = 3 }),
		"settled more than":     round(func(m *record.Round) { m.Duplicated = 3 }),
		"times run backwards":   job(7, func(j *record.Job) { j.SettledNS = j.FinishedNS - ms }),
		"before work began":     job(7, func(j *record.Job) { j.DequeuedNS = -3 * ms }),
		"on record, but the st": round(func(m *record.Round) { m.Settled, m.NotRun = 199, 1 }),
	}
	for end, cut := range map[string]func(*record.Round){
		"interrupted":     func(m *record.Round) { m.Interrupted = true },
		"could not go on": func(m *record.Round) { m.Error = "boom" },
	} {
		errors := func(c change) []string {
			s := summarize(t, newSynthetic(200, 1, forkperjob), func(lines []record.Line, m *record.Round) []record.Line {
				cut(m)
				return c(lines, m)
			})
			return slices.DeleteFunc(s.Errors, func(text string) bool { return text == "forkperjob could not go on in round 1: boom" })
		}
		for name, c := range clocks {
			if got := errors(c); len(got) != 0 {
				t.Errorf("%s, %s: errors %q", end, name, got)
			}
		}
		for want, c := range counts {
			if got := errors(c); !contains(got, want) {
				t.Errorf("%s: errors %q, want %q", end, got, want)
			}
		}
	}
}

func TestErrorsOfManyJobsAreOne(t *testing.T) {
	s := summarize(t, newSynthetic(200, 2, prefork), everyJob(func(j *record.Job) { j.SettledNS = j.FinishedNS - time.Millisecond }))
	if len(s.Errors) != 1 || !strings.Contains(s.Errors[0], "prefork: a job's times run backwards, 400 times (first in round 1, job 0: dequeued 0s, ") {
		t.Errorf("errors %q", s.Errors)
	}
}

// Little's law by hand: 10 jobs in a second, each 500 ms in a slot, are 5 at
// once. Five workers may, four may not.
func TestLittlesLaw(t *testing.T) {
	for workers, fails := range map[int]bool{4: true, 5: false} {
		h := header(10, 1, "m")
		h.Spec.Workers = workers
		lines := []record.Line{h}
		for i := range 10 {
			at := time.Duration(i%2) * 500 * ms
			lines = append(lines, &record.Job{Model: "m", ID: uint64(i), Status: models.Done,
				DequeuedNS: at, StartedNS: at, FinishedNS: at + 500*ms, SettledNS: at + 500*ms})
		}
		lines = append(lines, &record.Round{Model: "m", Enqueued: 10, Settled: 10, WorkNS: time.Second})
		a, err := runner.Analyze(sequence(lines...))
		if err != nil {
			t.Fatal(err)
		}
		want := "m: in round 1, Little's law is violated: 10.0 jobs/s, each in a slot for 500 ms, make 5.00 at once, but there were 4 workers"
		if got := contains(a.Summary.Errors, want); got != fails {
			t.Errorf("%d workers: errors %q", workers, a.Summary.Errors)
		}
	}
}

// Times of two processes are rounded apart: a microsecond is not a violation.
func TestRoundingIsNoViolation(t *testing.T) {
	s := summarize(t, newSynthetic(200, 1, prefork), everyJob(func(j *record.Job) {
		j.StartedNS = j.DequeuedNS - µs
	}))
	if len(s.Errors) != 0 {
		t.Errorf("errors %q", s.Errors)
	}
}

func TestWarnings(t *testing.T) {
	fail := func(status models.Status, detail string) change {
		return everyJob(func(j *record.Job) { j.Status, j.Detail = status, detail })
	}
	contaminate := round(func(m *record.Round) {
		if m.Round < 2 {
			m.Noise.Contaminated = "other processes used 31 % of the CPU"
		}
	})
	for _, c := range []struct {
		name   string
		spec   func(h *record.Header)
		change change
		want   string
	}{
		{"few jobs", func(h *record.Header) { h.Spec.Jobs = 99 }, nil,
			"99 jobs in a round are few"},
		{"one round", func(h *record.Header) { h.Spec.Rounds = 1 }, nil,
			"one round gives no interval and no p-value"},
		{"two rounds", func(h *record.Header) { h.Spec.Rounds = 2 }, nil,
			"2 rounds give very wide intervals"},
		{"miniredis", func(h *record.Header) { h.Environment.Redis = "miniredis v2.40.0 (private)" }, nil,
			"the jobs went through miniredis"},
		{"all failed", nil, fail(models.Failed, "Traceback\n  File x\nModuleNotFoundError: No module named 'app'\n"),
			"forkperjob and hybrid: every job failed, so the times are those of failing: ModuleNotFoundError: No module named 'app'"},
		{"all crashed", nil, fail(models.Crashed, "signal: killed"),
			"forkperjob and hybrid: every job crashed, so the times are those of dying: signal: killed"},
		{"without a reason", nil, fail(models.TimedOut, ""),
			"forkperjob and hybrid: every job timed out, so the times are those of dying: no reason given"},
		{"one failed", nil, job(5, func(j *record.Job) { j.Status, j.Detail = models.Failed, "ValueError: 5" }),
			"forkperjob and hybrid: 3 of 600 jobs failed: ValueError: 5"},
		{"hostile detail", nil, job(5, func(j *record.Job) { j.Status, j.Detail = models.Failed, "x\n\x1b]0;owned\x07" }),
			"3 of 600 jobs failed: \x1b]0;owned\x07"},
		{"contaminated", nil, contaminate,
			"forkperjob and hybrid: 2 of 3 rounds were contaminated (in round 1, other processes used 31 % of the CPU); a quiet machine gives better numbers"},
		{"interrupted", func(h *record.Header) { h.Spec.Rounds = 4 }, round(func(m *record.Round) { m.Interrupted = m.Round == 2 }),
			"forkperjob and hybrid: 1 round was interrupted, and does not count"},
		{"all interrupted", nil, round(func(m *record.Round) { m.Interrupted = true }),
			"forkperjob and hybrid: no round went to its end: the numbers are those of 3 rounds cut short"},
		{"strays", nil, round(func(m *record.Round) { m.Strays = 2 }),
			"forkperjob and hybrid: jobs left 6 processes behind, killed at the end of the round"},
		{"dead letters", nil, func(lines []record.Line, m *record.Round) []record.Line {
			m.Settled, m.Dead = m.Settled-1, 1
			return slices.DeleteFunc(lines, func(l record.Line) bool {
				j, ok := l.(*record.Job)
				return ok && j.ID == 7
			})
		}, "forkperjob and hybrid: 3 jobs were given up without an outcome, as dead letters"},
		{"the machine's own", nil, round(func(m *record.Round) { m.Warnings = []string{"the disk is\nslow"} }),
			"forkperjob and hybrid: the disk is slow"},
		{"supervisor", nil, round(func(m *record.Round) {
			m.Supervisor.System = (m.Children.Total()+m.Parents.Total()+m.Redis.Total())/9 - m.Supervisor.User
		}), "forkperjob and hybrid: this program itself took 10 % of the CPU time, which the jobs did not have"},
		{"unbooked CPU", nil, round(func(m *record.Round) { m.BookedNS = m.CgroupNS * 95 / 100 }),
			"forkperjob and hybrid: 5.0 % of the CPU time that its control group used is in none of the figures here"},
		{"CPU booked twice", nil, round(func(m *record.Round) { m.BookedNS = m.CgroupNS * 105 / 100 }),
			"forkperjob and hybrid: 5.0 % more CPU time was booked on its processes than their control group used"},
		{"unbooked CPU in older records", nil, round(func(m *record.Round) { m.BookedNS, m.CgroupNS = 0, m.Wait4NS*100/95 }),
			"forkperjob and hybrid: 5.0 % of the CPU time that its control group used is in none of the figures here"},
		{"cold hybrid", func(h *record.Header) { h.Spec.Warm = nil }, nil,
			"hybrid: its parent did nothing before the forks"},
		{"cold hybrid that refuses to refork", func(h *record.Header) {
			h.Spec.Warm = nil
			h.Spec.Models[1].Knobs = map[string]string{"refork": "0"}
		}, nil, "hybrid: its parent did nothing before the forks"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := newSynthetic(200, 3, forkperjob, hybrid)
			if c.spec != nil {
				c.spec(&run.header)
			}
			s := summarize(t, run, c.change)
			if !contains(s.Warnings, c.want) {
				t.Errorf("warnings %q, want %q", s.Warnings, c.want)
			}
			if strings.Contains(strings.Join(s.Warnings, "\n"), "--") {
				t.Errorf("a library names no flag: %q", s.Warnings)
			}
			if len(s.Warnings) != 1 {
				t.Errorf("%d warnings: %q", len(s.Warnings), s.Warnings)
			}
		})
	}
}

func TestWarningsThatDoNotApply(t *testing.T) {
	for _, c := range []struct {
		name     string
		spec     func(h *record.Header)
		change   change
		unwanted string
	}{
		{"a hybrid that reforks", func(h *record.Header) {
			h.Spec.Warm = nil
			h.Spec.Models[1].Knobs = map[string]string{"refork": "500"}
		}, nil, "its parent did nothing"},
		{"a hybrid that reforked", func(h *record.Header) { h.Spec.Warm = nil },
			process(5, func(p *record.Process) { p.Refork = true }), "its parent did nothing"},
		{"a Go hybrid", func(h *record.Header) { h.Spec.Warm, h.Spec.Runtime = nil, "go" }, nil, "its parent did nothing"},
		{"short jobs", nil, func(lines []record.Line, m *record.Round) []record.Line {
			m.Children = record.CPU{User: 50 * ms}
			return lines
		}, "this program itself"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := newSynthetic(200, 3, forkperjob, hybrid)
			if c.spec != nil {
				c.spec(&run.header)
			}
			if s := summarize(t, run, c.change); contains(s.Warnings, c.unwanted) {
				t.Errorf("warnings %q", s.Warnings)
			}
		})
	}
}

// The warning is about any model that warms its parent, whatever its name.
func TestColdParentOfAnyName(t *testing.T) {
	own := hybrid
	own.name = "nursery"
	run := newSynthetic(200, 3, forkperjob, own)
	run.header.Spec.Warm = nil
	s := summarize(t, run, nil)
	if !contains(s.Warnings, "nursery: its parent did nothing before the forks") || len(s.Warnings) != 1 {
		t.Errorf("warnings %q", s.Warnings)
	}
	if s.Models[0].WarmParent || !s.Models[1].WarmParent {
		t.Errorf("warm parents: forkperjob %t, nursery %t", s.Models[0].WarmParent, s.Models[1].WarmParent)
	}
}

// Rounds cut short do not count beside whole ones, and are better than nothing
// without.
func TestInterruptedRounds(t *testing.T) {
	cut := func(rounds ...int) change {
		return round(func(m *record.Round) {
			for _, r := range rounds {
				if m.Round == r {
					m.Interrupted = true
					m.WorkNS *= 2 // would halve the throughput
				}
			}
		})
	}
	whole := summarize(t, newSynthetic(200, 3, prefork), nil).Models[0]
	some := summarize(t, newSynthetic(200, 3, prefork), cut(1)).Models[0]
	none := summarize(t, newSynthetic(200, 3, prefork), cut(0, 1, 2)).Models[0]
	if some.Rounds != 2 || some.Throughput.Median < 0.9*whole.Throughput.Median {
		t.Errorf("one of three cut: %d rounds, %v jobs/s of %v", some.Rounds, some.Throughput.Median, whole.Throughput.Median)
	}
	if none.Rounds != 3 || none.Throughput.Median > 0.6*whole.Throughput.Median || none.Latency == (runner.Quantiles{}) {
		t.Errorf("all cut: %+v", none)
	}
	if some.Jobs != whole.Jobs || none.Jobs != whole.Jobs {
		t.Errorf("jobs: %+v and %+v, want %+v", some.Jobs, none.Jobs, whole.Jobs)
	}
}

// Ctrl-C ends a run before the last models had their turn.
func TestRunCutShort(t *testing.T) {
	var lines []record.Line
	for l := range newSynthetic(200, 3, prefork, forkperjob).lines() {
		if r, ok := l.(*record.Round); ok && r.Round == 1 {
			break
		}
		lines = append(lines, l)
	}
	a, err := runner.Analyze(sequence(lines...))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"prefork: the records end early, in round 2, which does not count: the run was killed, or could not write them (a full disk)",
		"forkperjob: 1 of 3 rounds were run",
	} {
		if !contains(a.Summary.Warnings, want) {
			t.Errorf("warnings %q, want %q", a.Summary.Warnings, want)
		}
	}
	if m := a.Summary.Models[0]; m.Rounds != 1 || m.Jobs.Settled != 200 {
		t.Errorf("%d rounds and %d jobs count, want 1 and 200", m.Rounds, m.Jobs.Settled)
	}
}

func TestRaceBuildPublishesNoNumbers(t *testing.T) {
	run := newSynthetic(200, 3, prefork, forkperjob)
	run.header.Environment.Race = true
	a := analyze(t, run)
	for i, m := range a.Summary.Models {
		if want := (runner.ModelSummary{Model: m.Model, Jobs: m.Jobs, Causes: []runner.Cause{}}); !cmp.Equal(m, want) || m.Jobs.Done != 600 {
			t.Errorf("%+v", m)
		}
		if s := a.Series[i]; s.Model != m.Model || s.Rounds != nil || s.Latency != nil || s.Jobs != nil {
			t.Errorf("series %+v", s)
		}
	}
	if len(a.Summary.Comparisons) != 0 {
		t.Errorf("comparisons %+v", a.Summary.Comparisons)
	}
	if !contains(a.Summary.Warnings, "-race") || !strings.Contains(a.Summary.Verdict, "-race") {
		t.Errorf("warnings %q, verdict %q", a.Summary.Warnings, a.Summary.Verdict)
	}
}

// How many jobs were done, and why the others were not, is as true of a slow program.
func TestRaceBuildSaysOutcomes(t *testing.T) {
	run := newSynthetic(200, 3, prefork, forkperjob)
	run.header.Environment.Race = true
	s := summarize(t, run, undone("prefork", func(j *record.Job) bool { return j.ID%4 != 0 }, models.Failed, "KeyError: 'x'"))
	if want := "prefork did 150 of 600 jobs, 450 failed: "; !strings.HasPrefix(s.Verdict, want) || !strings.Contains(s.Verdict, ". Nothing is said of speed: built with -race") {
		t.Errorf("verdict %q, want %q first", s.Verdict, want)
	}
	if len(s.Shares) != 1 || !s.Shares[0].Differ || len(s.Comparisons) != 0 {
		t.Errorf("shares %+v, comparisons %+v", s.Shares, s.Comparisons)
	}
}

func TestManyErrorsAreBounded(t *testing.T) {
	s := summarize(t, newSynthetic(5, 100, prefork), round(func(m *record.Round) { m.Duplicated = m.Round + 1 }))
	if n := len(s.Errors); n != 41 || s.Errors[40] != "and 60 more" {
		t.Errorf("%d errors, the last %q", n, s.Errors[n-1])
	}
}

func TestEmptyRun(t *testing.T) {
	for name, a := range map[string]*runner.Analysis{
		"no header": runner.NewAggregator().Analysis(),
		"no rounds": func() *runner.Analysis {
			a, err := runner.Analyze(sequence(header(100, 3, "m")))
			if err != nil {
				t.Fatal(err)
			}
			return a
		}(),
	} {
		if got, want := a.Summary.Verdict, "No verdict: no round was finished."; got != want {
			t.Errorf("%s: verdict %q, want %q", name, got, want)
		}
		var out strings.Builder
		if err := runner.WriteText(&out, &a.Summary, report.TextOptions{}); err != nil || out.Len() == 0 {
			t.Errorf("%s: %v, %d bytes", name, err, out.Len())
		}
	}
}

func ExampleOrder() {
	names := []string{"prefork", "forkperjob", "hybrid"}
	for round := range 3 {
		order := runner.Order(len(names), round)
		fmt.Println(names[order[0]], names[order[1]], names[order[2]])
	}
	// Output:
	// prefork forkperjob hybrid
	// hybrid forkperjob prefork
	// forkperjob hybrid prefork
}
