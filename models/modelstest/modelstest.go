// Package modelstest is the conformance suite for execution models, and for the
// machines that run them: what [models.Executor] promises, as tests.
//
// A custom executor is held to it so:
//
//	func TestMain(m *testing.M) {
//		live.Main() // the test binary is also the program of its processes
//		os.Exit(m.Run())
//	}
//
//	func TestConformance(t *testing.T) {
//		modelstest.Run(t, livetest.New(t), func() models.Executor { return Pool{} })
//	}
//
// The machine may be this computer (package live/livetest) or a simulated one; [Host]
// holds it to what [models.Host] promises.
package modelstest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"forkbench/models"
	"forkbench/record"
)

// An Act is what a job of a scenario does.
type Act string

// The acts, and how a job that does it must be settled.
const (
	Done  Act = "done"  // models.Done
	Fail  Act = "fail"  // models.Failed
	Crash Act = "crash" // models.Crashed: it kills its process
	Hang  Act = "hang"  // models.TimedOut: it never ends by itself
)

var statusOf = map[Act]models.Status{
	Done: models.Done, Fail: models.Failed, Crash: models.Crashed, Hang: models.TimedOut,
}

// A Scenario is what an executor is put through.
type Scenario struct {
	Workers int
	Acts    []Act         // one for each job, in order of the jobs' IDs
	Timeout time.Duration // for a job; 0 means none
	Every   time.Duration // job n is due n times this after the start of work; 0 is all at once

	// Stop asks for an early end when it is closed. It may be nil.
	Stop <-chan struct{}
	// Sink takes the records as they are made.
	Sink record.Sink
}

// A Machine runs an executor through a scenario.
type Machine interface {
	Run(ctx context.Context, e models.Executor, s Scenario) (*record.Round, error)
}

// hangLimit is the time limit in scenarios with jobs that hang: long enough for
// any fork, short enough to wait for.
const hangLimit = 500 * time.Millisecond

// Run runs the suite for the executors that newExecutor returns, one for each
// scenario, on the machine.
func Run(t *testing.T, m Machine, newExecutor func() models.Executor) {
	scenarios := []struct {
		name string
		Scenario
	}{
		{"every job is settled once", Scenario{Workers: 3, Acts: acts(40, Done)}},
		{"one worker", Scenario{Workers: 1, Acts: acts(10, Done)}},
		{"more workers than jobs", Scenario{Workers: 4, Acts: acts(2, Done)}},
		{"no jobs", Scenario{Workers: 2}},
		{"jobs that come over time", Scenario{Workers: 3, Acts: acts(20, Done), Every: 5 * time.Millisecond}},
		{"a failed job is an outcome", Scenario{Workers: 2, Acts: acts(12, Done, Fail)}},
		{"a crashed child is replaced", Scenario{Workers: 2, Acts: acts(12, Done, Crash, Done)}},
		{"nothing but crashes", Scenario{Workers: 2, Acts: acts(8, Crash)}},
		{"a hung child is killed and replaced", Scenario{
			Workers: 2, Acts: acts(7, Done, Done, Hang), Timeout: hangLimit,
		}},
		{"all at once", Scenario{
			Workers: 3, Acts: acts(20, Done, Fail, Crash, Done, Done, Hang, Fail), Timeout: hangLimit,
		}},
	}
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			sink := new(sink)
			s.Sink = sink
			round, err := m.Run(t.Context(), newExecutor(), s.Scenario)
			if err != nil {
				t.Fatalf("Execute: %v", err)
			}
			sink.checkAll(t, round, s.Scenario)
			sink.checkProcesses(t)
			sink.checkSlots(t, s.Workers)
		})
	}
	t.Run("a stop finishes what runs", func(t *testing.T) { testStop(t, m, newExecutor()) })
	t.Run("a cancellation ends everything", func(t *testing.T) { testCancel(t, m, newExecutor()) })
}

// acts is n acts, the given ones in turn.
func acts(n int, turn ...Act) []Act {
	all := make([]Act, n)
	for i := range all {
		all[i] = turn[i%len(turn)]
	}
	return all
}

// enough is a stream that no executor gets through before the test ends it.
const enough = 20000

func testStop(t *testing.T, m Machine, e models.Executor) {
	stop := make(chan struct{})
	sink := &sink{at: 5, then: func() { close(stop) }}
	round, err := m.Run(t.Context(), e, Scenario{Workers: 2, Acts: acts(enough, Done), Stop: stop, Sink: sink})
	if err != nil {
		t.Fatalf("Execute: %v", err)
	}
	if !round.Interrupted || round.NotRun == 0 {
		t.Errorf("interrupted %v, %d jobs not run; want true and some", round.Interrupted, round.NotRun)
	}
	sink.checkPartial(t, round)
	sink.checkProcesses(t)
}

func testCancel(t *testing.T, m Machine, e models.Executor) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sink := &sink{at: 5, then: cancel}
	round, err := m.Run(ctx, e, Scenario{Workers: 2, Acts: acts(enough, Done), Sink: sink})
	if round == nil {
		t.Fatalf("no record of the round: %v", err)
	}
	if err == nil {
		t.Error("Run does not say that it was cancelled")
	}
	sink.checkProcesses(t)
	if round.Strays != 0 {
		t.Errorf("%d processes were left behind", round.Strays)
	}
	if !round.Interrupted {
		t.Error("the round does not say that it was interrupted")
	}
	if round.Settled+round.Unacknowledged+round.CutOff+round.NotRun+round.Lost != enough || round.Lost != 0 {
		t.Errorf("of %d jobs %d settled, %d not run, %d lost; want all accounted for and none lost",
			enough, round.Settled, round.NotRun, round.Lost)
	}
}

// A sink keeps the lines, and does something after a number of jobs.
type sink struct {
	at   int
	then func()

	mu        sync.Mutex
	jobs      []record.Job
	processes []record.Process
}

func (s *sink) Write(l record.Line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch l := l.(type) {
	case *record.Job:
		s.jobs = append(s.jobs, *l)
		if s.then != nil && len(s.jobs) == s.at {
			s.then()
		}
	case *record.Process:
		s.processes = append(s.processes, *l)
	}
	return nil
}

// checkAll checks that each job was settled once, as its act demands.
func (s *sink) checkAll(t *testing.T, round *record.Round, want Scenario) {
	t.Helper()
	if round.Settled != len(want.Acts) || round.Taken != len(want.Acts) {
		t.Errorf("%d jobs taken and %d settled; want %d", round.Taken, round.Settled, len(want.Acts))
	}
	s.checkPartial(t, round)
	for _, j := range s.jobs {
		if int(j.ID) >= len(want.Acts) {
			t.Errorf("job %d was settled and never enqueued", j.ID)
			continue
		}
		if act := want.Acts[j.ID]; j.Status != statusOf[act] {
			t.Errorf("job %d (%s) was settled as %v; want %v\n%s", j.ID, act, j.Status, statusOf[act], j.Detail)
		}
	}
}

// checkPartial checks what holds for a run that was cut short too.
func (s *sink) checkPartial(t *testing.T, round *record.Round) {
	t.Helper()
	seen := make(map[uint64]bool)
	for _, j := range s.jobs {
		if seen[j.ID] {
			t.Errorf("job %d was settled twice", j.ID)
		}
		seen[j.ID] = true
		if j.DequeuedNS < j.DueNS {
			t.Errorf("job %d was due at %v and dequeued at %v, before", j.ID, j.DueNS, j.DequeuedNS)
		}
		if j.FinishedNS < j.DequeuedNS || j.SettledNS < j.FinishedNS {
			t.Errorf("job %d was dequeued at %v, finished at %v and settled at %v",
				j.ID, j.DequeuedNS, j.FinishedNS, j.SettledNS)
		}
	}
	if len(seen) != round.Settled {
		t.Errorf("the records have %d jobs, the round %d", len(seen), round.Settled)
	}
	if round.Lost != 0 || round.Duplicated != 0 || round.Strays != 0 {
		t.Errorf("%d jobs lost, %d duplicated, %d processes left behind; want none",
			round.Lost, round.Duplicated, round.Strays)
	}
}

// checkProcesses checks that a process that died under a job ran no other, and
// that no process ran two jobs at once.
func (s *sink) checkProcesses(t *testing.T) {
	t.Helper()
	known := make(map[int]record.Process)
	for _, p := range s.processes {
		if _, twice := known[p.ID]; twice {
			t.Errorf("process %d was reaped twice", p.ID)
		}
		known[p.ID] = p
	}
	byProcess := make(map[int][]record.Job)
	for _, j := range s.jobs {
		if j.Process != 0 {
			byProcess[j.Process] = append(byProcess[j.Process], j)
		}
	}
	for id, jobs := range byProcess {
		if _, ok := known[id]; !ok {
			t.Errorf("process %d ran %d jobs and was never reaped", id, len(jobs))
		}
		slices.SortFunc(jobs, func(a, b record.Job) int { return cmp.Compare(a.Seq, b.Seq) })
		for i, j := range jobs {
			if j.Seq != i+1 {
				t.Errorf("process %d: job %d is its number %d; want %d", id, j.ID, j.Seq, i+1)
			}
			dead := j.Status == models.Crashed || j.Status == models.TimedOut
			if dead && i < len(jobs)-1 {
				t.Errorf("process %d was given job %d after job %d had ended it", id, jobs[i+1].ID, j.ID)
			}
			if i > 0 && j.StartedNS != 0 && j.StartedNS < jobs[i-1].FinishedNS {
				t.Errorf("process %d ran jobs %d and %d at once", id, jobs[i-1].ID, j.ID)
			}
		}
	}
}

// checkSlots checks that no more jobs ran at once than there are workers.
func (s *sink) checkSlots(t *testing.T, workers int) {
	t.Helper()
	type edge struct {
		at    time.Duration
		delta int
	}
	var edges []edge
	for _, j := range s.jobs {
		if j.StartedNS != 0 {
			edges = append(edges, edge{j.StartedNS, 1}, edge{j.FinishedNS, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.delta, b.delta))
	})
	running, most := 0, 0
	for _, e := range edges {
		running += e.delta
		most = max(most, running)
	}
	if most > workers {
		t.Errorf("%d jobs ran at once on %d workers", most, workers)
	}
}
