package runner

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"forkbench/models"
	"forkbench/record"
)

// An apart executor's jobs have a process of their own each.
type apart struct{ models.Executor }

func (apart) JobsApart() bool { return true }

// A sliced machine makes rounds of 200 jobs, or parts of them, one job after another in
// virtual time, each in a process of its own. Later jobs take longer.
type sliced struct {
	jobs  int
	turns []Turn
	stop  func(turn int) bool // in the middle of it
}

func (m *sliced) Run(_ context.Context, _ models.Executor, t Turn) (*record.Round, error) {
	m.turns = append(m.turns, t)
	first := 0
	for part := range t.Part {
		first += piece(m.jobs, part, t.Parts)
	}
	n := t.jobs(m.jobs)
	r := &record.Round{Model: t.Model, Round: t.Round, Enqueued: n, StartupNS: time.Second, CgroupNS: time.Second, BookedNS: time.Second}
	cut := m.stop != nil && m.stop(len(m.turns))
	for i := range n {
		if cut && i == n/2 {
			r.Interrupted, r.NotRun = true, n-i
			break
		}
		took := time.Duration(10+(first+i)/10) * time.Millisecond
		time.Sleep(took)
		from := r.WorkNS
		r.WorkNS += took
		r.Taken++
		r.Settled++
		r.Children.User += took
		lines := []record.Line{
			&record.Job{
				Model: t.Model, Round: t.Round, ID: uint64(first + i), Process: i + 1, Seq: 1, Status: models.Done,
				DequeuedNS: from, StartedNS: from + 1, FinishedNS: r.WorkNS, SettledNS: r.WorkNS,
			},
			&record.Process{
				Model: t.Model, Round: t.Round, ID: i + 1, Role: record.RoleChild, Jobs: 1,
				ForkNS: from + 1, ReadyNS: from + 1, EndNS: r.WorkNS, ReapNS: r.WorkNS,
			},
		}
		if i%20 == 0 {
			lines = append(lines, &record.Sample{Model: t.Model, Round: t.Round, AtNS: from, PSS: 1e6, CPUNS: from})
		}
		for _, l := range lines {
			if err := t.Sink.Write(l); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

// kept keeps lines.
type kept struct{ lines []record.Line }

func (k *kept) Write(l record.Line) error {
	k.lines = append(k.lines, l)
	return nil
}

func runSliced(t *testing.T, m *sliced, until Until) (*Summary, []record.Line) {
	t.Helper()
	var s *Summary
	var lines kept
	synctest.Test(t, func(t *testing.T) {
		sums := NewAggregator()
		plan := Plan{Rounds: 3, Until: &until, Sums: sums}
		plan.Header.Spec = record.Spec{
			Jobs: m.jobs, Workers: 1, Rounds: 3, Until: &record.Until{HalfWidth: until.HalfWidth, MostNS: until.Most},
			Models: []record.Model{{Name: "forks"}, {Name: "others"}},
		}
		for _, name := range []string{"forks", "others"} {
			plan.Contestants = append(plan.Contestants, Contestant{Name: name, Executor: apart{}, Machine: m})
		}
		if err := plan.Run(t.Context(), nil, both{sums, &lines}); err != nil {
			t.Error(err)
		}
		s = &sums.Analysis().Summary
	})
	return s, lines.lines
}

// TestParts: a round that is made in parts, between which others take theirs, is in the
// records as if it had been made in one go.
func TestParts(t *testing.T) {
	m := &sliced{jobs: 200}
	s, lines := runSliced(t, m, Until{HalfWidth: 0.9, Most: 0})
	if len(s.Errors) != 0 {
		t.Errorf("errors %q", s.Errors)
	}
	if slices.ContainsFunc(s.Warnings, func(text string) bool { return strings.Contains(text, "round") }) {
		t.Errorf("warnings %q", s.Warnings)
	}
	for i, turn := range m.turns {
		if turn.Parts != maxParts || i%2 == 1 && turn.Model == m.turns[i-1].Model {
			t.Errorf("turn %d is %s's at part %d of %d", i, turn.Model, turn.Part, turn.Parts)
		}
	}
	var whole time.Duration
	for i := range m.jobs {
		whole += time.Duration(10+i/10) * time.Millisecond
	}
	last := make(map[string]time.Duration)
	processes := make(map[string]int)
	for _, l := range lines {
		switch l := l.(type) {
		case *record.Job:
			if l.SettledNS <= last[l.Model] || l.DequeuedNS != last[l.Model] {
				t.Errorf("%s: job %d was taken at %v and settled at %v, the one before it at %v", l.Model, l.ID, l.DequeuedNS, l.SettledNS, last[l.Model])
			}
			last[l.Model] = l.SettledNS
			if l.Process != int(l.ID)+1 {
				t.Errorf("%s: job %d ran in process %d", l.Model, l.ID, l.Process)
			}
		case *record.Process:
			if processes[l.Model]++; l.ID != processes[l.Model] {
				t.Errorf("%s: process %d is the %dth", l.Model, l.ID, processes[l.Model])
			}
		case *record.Sample:
			if l.AtNS != last[l.Model] && l.CPUNS > l.AtNS {
				t.Errorf("%+v at %v", l, last[l.Model])
			}
		case *record.Round:
			if l.WorkNS != whole || l.Settled != m.jobs || l.Enqueued != m.jobs || l.NotRun != 0 || l.Interrupted || len(l.Parts) != maxParts || l.StartupNS != time.Second || l.CgroupNS != maxParts*time.Second {
				t.Errorf("%+v", l)
			}
		}
	}
	for i := range s.Models {
		x := &s.Models[i]
		if x.Rounds != 1 || x.Parts != maxParts || s.Spec.Models[i].Parts != maxParts || x.Processes != m.jobs {
			t.Errorf("%+v", x)
		}
		// Parts differ, as their jobs do; the centre is the round's.
		if want := float64(m.jobs) / whole.Seconds(); math.Abs(x.DonePerS.Median/want-1) > 1e-9 || x.DonePerS.Low == nil || *x.DonePerS.Low >= want {
			t.Errorf("%s: %+v jobs per second, want %v", x.Model, x.DonePerS, want)
		}
		if want := 1000 * whole.Seconds() / float64(m.jobs); math.Abs(x.CPU.Median/want-1) > 1e-9 {
			t.Errorf("%s: %+v ms of CPU per job, want %v", x.Model, x.CPU, want)
		}
	}
	if c, ok := s.comparison(MetricDone, "forks", "others"); !ok || c.P == nil || c.Ratio != 1 {
		t.Errorf("%+v", c)
	}
	if c, ok := s.comparison(MetricLatency, "forks", "others"); !ok || c.P != nil || c.Ratio != 1 {
		t.Errorf("%+v", c)
	}
}

// TestPartsInterrupted: what was measured of rounds of which parts are to come is kept, of
// the model that was interrupted and of the other.
func TestPartsInterrupted(t *testing.T) {
	m := &sliced{jobs: 200, stop: func(turn int) bool { return turn == 6 }}
	s, lines := runSliced(t, m, Until{HalfWidth: 0.9, Most: 0})
	if len(s.Errors) != 0 {
		t.Errorf("errors %q", s.Errors)
	}
	rounds := 0
	for _, l := range lines {
		if r, ok := l.(*record.Round); ok {
			rounds++
			if !r.Interrupted || r.Enqueued != m.jobs || r.Settled+r.NotRun != m.jobs || len(r.Parts) != 3 {
				t.Errorf("%+v", r)
			}
		}
	}
	if rounds != 2 {
		t.Errorf("%d rounds are in the records", rounds)
	}
	for i := range s.Models {
		if x := &s.Models[i]; x.Jobs.Undone != 0 || x.Jobs.Done < 60 || x.Rounds != 1 {
			t.Errorf("%+v", x)
		}
	}
	if _, ok := s.comparison(MetricDone, "forks", "others"); !ok {
		t.Errorf("no comparison in %+v", s.Comparisons)
	}
}

// TestWholeRounds: where a number of rounds was asked for, each is made in one go.
func TestWholeRounds(t *testing.T) {
	m := &sliced{jobs: 200}
	s, _ := runSliced(t, m, Until{HalfWidth: 0.9, Most: 0, Whole: true})
	if slices.ContainsFunc(m.turns, func(turn Turn) bool { return turn.Parts != 0 }) || s.Models[0].Rounds != 3 || s.Models[0].Parts != 0 {
		t.Errorf("%+v, turns %+v", s.Models[0], m.turns)
	}
}
