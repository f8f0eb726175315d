// Package peerstest is what the tests of all peers have in common: rounds of a
// real system on this computer, and what must be true of them.
package peerstest

import (
	"slices"
	"sync"
	"testing"

	"forkbench/live/livetest"
	"forkbench/models"
	"forkbench/models/modelstest"
	"forkbench/record"
)

// A Sink keeps a round's records.
type Sink struct {
	mu        sync.Mutex
	Jobs      []record.Job
	Processes []record.Process
	Samples   []record.Sample
}

// Write keeps a line.
func (s *Sink) Write(l record.Line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch l := l.(type) {
	case *record.Job:
		s.Jobs = append(s.Jobs, *l)
	case *record.Process:
		s.Processes = append(s.Processes, *l)
	case *record.Sample:
		s.Samples = append(s.Samples, *l)
	}
	return nil
}

var statuses = map[modelstest.Act]models.Status{
	modelstest.Done: models.Done, modelstest.Fail: models.Failed,
	modelstest.Crash: models.Crashed, modelstest.Hang: models.TimedOut,
}

// Run puts a system through a scenario and checks that each job ended as it must,
// in a process that is on record, and that the accounts are those of the cgroup.
func Run(t *testing.T, m *livetest.Machine, e models.Executor, s modelstest.Scenario) (*record.Round, *Sink) {
	t.Helper()
	sink := new(Sink)
	s.Sink = sink
	round, err := m.Run(t.Context(), e, s)
	if err != nil {
		t.Fatalf("%s: %v", e.Name(), err)
	}
	if round.Settled != len(s.Acts) || round.Lost != 0 || round.NotRun != 0 || round.Strays != 0 {
		t.Errorf("settled %d, lost %d, not run %d, strays %d; want %d, 0, 0, 0 (%q)",
			round.Settled, round.Lost, round.NotRun, round.Strays, len(s.Acts), round.Warnings)
	}
	processes := make(map[int]record.Process)
	for _, p := range sink.Processes {
		if _, twice := processes[p.ID]; twice {
			t.Errorf("process %d is on record twice", p.ID)
		}
		processes[p.ID] = p
	}
	ran := make(map[int]int)
	for _, j := range sink.Jobs {
		if want := statuses[s.Acts[j.ID]]; j.Status != want {
			t.Errorf("job %d (%s): %v, want %v: %s", j.ID, s.Acts[j.ID], j.Status, want, j.Detail)
		}
		if _, known := processes[j.Process]; !known {
			t.Errorf("job %d ran in process %d, which is not on record", j.ID, j.Process)
		}
		ran[j.Process]++
		times := []int64{0, int64(j.DequeuedNS), int64(j.StartedNS), int64(j.FinishedNS), int64(j.SettledNS)}
		if !slices.IsSorted(times) {
			t.Errorf("job %d: its times run backwards: %v", j.ID, times)
		}
	}
	for id, n := range ran {
		if processes[id].Jobs != n {
			t.Errorf("process %d ran %d jobs, its record says %d", id, n, processes[id].Jobs)
		}
	}
	if round.CgroupNS != 0 {
		if d := float64(round.Wait4NS-round.CgroupNS) / float64(round.CgroupNS); d < -0.01 || d > 0.01 {
			t.Errorf("wait4 says %v, the cgroup %v: %.1f %% apart", round.Wait4NS, round.CgroupNS, 100*d)
		}
	}
	return round, sink
}

// Acts is n acts, the given ones in turn.
func Acts(n int, turn ...modelstest.Act) []modelstest.Act {
	all := make([]modelstest.Act, n)
	for i := range all {
		all[i] = turn[i%len(turn)]
	}
	return all
}
