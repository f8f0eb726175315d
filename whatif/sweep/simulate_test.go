package sweep_test

import (
	"context"
	"errors"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/report"
	"forkbench/sim"
	"forkbench/whatif/predict"
	"forkbench/whatif/sweep"
)

// constant is a machine on which a fork, with the exit and reaping of the child,
// costs 3 ms and a job costs 4, always.
func constant() *sim.Profile {
	return &sim.Profile{
		Version: sim.ProfileVersion, Name: "constant",
		Fork:   sim.Fork{Base: sim.Constant(1.5), Start: sim.Constant(0.7), Reap: sim.Constant(0.3)},
		Exit:   sim.Exit{Base: sim.Constant(0.5)},
		Memory: sim.Memory{BootedMB: 40, PageKB: 4},
		Jobs:   []sim.Class{{Weight: 1, CPU: sim.Constant(4)}},
	}
}

func models3(jobsPerChild int) []models.Executor {
	return []models.Executor{prefork.Model{}, hybrid.Model{JobsPerChild: jobsPerChild}, forkperjob.Model{}}
}

// swept sweeps one parameter over the three models, on one core.
func swept(t *testing.T, p *predict.Question, name, text string, edit func(*sweep.Sweep)) *sweep.Result {
	t.Helper()
	parameter := sweep.Named(name)
	r, err := parameter.Range(text)
	if err != nil {
		t.Fatal(err)
	}
	knob := name == sweep.JobsPerChild
	s := &sweep.Sweep{
		Range: r, Points: 9, Within: 0.1,
		Contestants: []sweep.Contestant{{"prefork", !knob}, {"hybrid", true}, {"forkperjob", !knob}},
		Evaluate: sweep.Simulate(parameter, *p, func(i int, x float64) models.Executor {
			n := 1
			if knob {
				n = int(x)
			}
			return models3(n)[i]
		}),
	}
	if edit != nil {
		edit(s)
	}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s.Result(sweep.Setting{Profile: p.Profile.Name, Jobs: p.Jobs, Workers: p.Workers, Cores: p.Cores})
}

func question() *predict.Question {
	return &predict.Question{Profile: constant(), Workers: 1, Cores: 1, Jobs: 6000, Replications: 3, Seed: 1}
}

// A fork of 3 ms shared among n jobs of 4 ms costs 75 %/n: at most 10 % from
// n = 7.5 on, so from 8.
func TestJobsPerChildBreakEven(t *testing.T) {
	r := swept(t, question(), sweep.JobsPerChild, "1..1000", nil)
	if len(r.BreakEvens) != 1 || r.BreakEvens[0].Model != "hybrid" {
		t.Fatalf("break-evens: %+v", r.BreakEvens)
	}
	b := r.BreakEvens[0]
	if len(b.Regions) != 1 || b.Regions[0].From == nil || b.Regions[0].To != nil || b.Regions[0].From.At != 8 {
		t.Errorf("%s; want from 8 on", b.Phrase)
	}
	if math.Abs(b.First.Value-1.75) > 1e-3 {
		t.Errorf("with 1 job per child it costs %v times as much, want 1.75", b.First.Value)
	}
	want := "hybrid takes less than 10 % more CPU per job than prefork from 8 jobs per child [8, 8] on (75 % more with 1)"
	if r.Verdict != want {
		t.Errorf("%s\nwant %s", r.Verdict, want)
	}
	var text strings.Builder
	if err := r.Report().WriteText(&text, report.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "whatever the jobs per child:") || !regexp.MustCompile(`forkperjob +7\.00 \[7\.00, 7\.00\] +1\.75×`).MatchString(text.String()) {
		t.Errorf("the table of what does not vary is not there:\n%s", text.String())
	}
}

// The same fork before a job of c ms costs 3/c: at most 10 % from 30 ms on.
func TestJobTimeBreakEven(t *testing.T) {
	r := swept(t, question(), sweep.JobTime, "1ms..10s", nil)
	if len(r.BreakEvens) != 2 {
		t.Fatalf("break-evens: %+v", r.BreakEvens)
	}
	for _, b := range r.BreakEvens {
		if len(b.Regions) != 1 || b.Regions[0].From == nil || math.Abs(b.Regions[0].From.At/30-1) > 0.01 {
			t.Errorf("%s: %s; want from 30 ms on", b.Model, b.Phrase)
		}
	}
}

// One-time work of w ms again in each job of 4 + 3 ms costs w/4 + 75 % in
// fork per job; hybrid's parent does it once.
func TestOneTimeBreakEven(t *testing.T) {
	r := swept(t, question(), sweep.OneTime, "0..500ms", func(s *sweep.Sweep) { s.Within = 1 })
	fork := r.BreakEvens[1]
	if fork.Model != "forkperjob" || len(fork.Regions) != 1 || fork.Regions[0].To == nil {
		t.Fatalf("%+v", fork)
	}
	// In prefork's one child the first of 6000 jobs does it, too: (7+w)/(4+w/6000) = 2.
	if at := fork.Regions[0].To.At; math.Abs(at-1) > 0.02 {
		t.Errorf("up to %v ms of one-time work; want 1", at)
	}
	if h := r.BreakEvens[0]; len(h.Regions) != 1 || h.Regions[0].From != nil || h.Regions[0].To != nil {
		t.Errorf("hybrid: %s; want throughout", h.Phrase)
	}
}

func TestNoBreakEvenSaysOnWhichSide(t *testing.T) {
	for _, c := range []struct{ parameter, text, want string }{
		{sweep.JobsPerChild, "1..5", "hybrid takes at least 10 % more CPU per job than prefork throughout 1..5 " +
			"(75 % more with 1, 15 % more with 5); a break-even, if there is one, is above 5"},
		{sweep.JobsPerChild, "10..1000", "hybrid takes less than 10 % more CPU per job than prefork throughout 10..1000 " +
			"(7.5 % more with 10, 0.075 % more with 1000); a break-even, if there is one, is below 10"},
	} {
		r := swept(t, question(), c.parameter, c.text, nil)
		if r.Verdict != c.want {
			t.Errorf("%s\nwant %s", r.Verdict, c.want)
		}
	}
}

// More than the fork per job can do: the curve ends at its capacity.
func TestRateAboveCapacity(t *testing.T) {
	q := question()
	q.Jobs = 20_000
	r := swept(t, q, sweep.ArrivalRate, "50/s..240/s", func(s *sweep.Sweep) { s.Metric, s.Within = sweep.P95, 4 })
	b := r.BreakEvens[1]
	if b.Model != "forkperjob" || len(b.Regions) == 0 || b.Regions[len(b.Regions)-1].To == nil {
		t.Fatalf("%+v", b)
	}
	// 1000/(4+3) jobs per second is its capacity, prefork's 250.
	if at := b.Regions[len(b.Regions)-1].To.At; at > 142.9 || at < 100 {
		t.Errorf("break-even at %v/s; want below 142.9", at)
	}
	if b.Last != nil {
		t.Errorf("at the end of the range it costs %+v; want nothing known", b.Last)
	}
	if !strings.Contains(r.Verdict, "it cannot keep up") {
		t.Error(r.Verdict)
	}
	if w := strings.Join(r.Warnings, "\n"); !strings.Contains(w, "forkperjob") || !strings.Contains(w, "unstable") {
		t.Errorf("warnings: %s", w)
	}
}

// One that is cut short has the ends of the range, and says so.
func TestCutShort(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := sweep.Named(sweep.JobsPerChild)
	r, err := p.Range("1..1000")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	s := &sweep.Sweep{
		Range: r, Points: 13, Within: 0.1,
		Contestants: []sweep.Contestant{{"a", false}, {"b", true}},
		Evaluate: func(_ context.Context, _ int, x float64) (sweep.Answer, error) {
			if n++; n == 5 {
				cancel()
			}
			return sweep.Answer{Replications: []sweep.Values{{sweep.CPU: 1 + 1/x}}}, nil
		},
	}
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	found := s.Result(sweep.Setting{})
	var xs []float64
	for _, pt := range found.Curves[1].Points {
		xs = append(xs, pt.X)
	}
	if !slices.Equal(xs, []float64{1, 32, 1000}) || !found.Interrupted || len(found.Warnings) == 0 {
		t.Errorf("points %v, warnings %q", xs, found.Warnings)
	}
}

func TestEvaluateFails(t *testing.T) {
	p := sweep.Named(sweep.Workers)
	r, err := p.Range("1..4")
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("out of order")
	s := &sweep.Sweep{
		Range: r, Points: 4, Contestants: []sweep.Contestant{{"a", true}},
		Evaluate: func(context.Context, int, float64) (sweep.Answer, error) { return sweep.Answer{}, broken },
	}
	if err := s.Run(t.Context()); !errors.Is(err, broken) || err.Error() != "a at workers=1: out of order" {
		t.Errorf("got %v", err)
	}
}
