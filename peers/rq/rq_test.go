package rq_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"forkbench/live"
	"forkbench/live/livetest"
	"forkbench/models"
	"forkbench/models/modelstest"
	"forkbench/peers/peerstest"
	"forkbench/peers/rq"
	"forkbench/record"
)

func TestMain(m *testing.M) {
	live.Main()
	os.Exit(m.Run())
}

// Each class settles jobs as it does, in processes of its kind.
func TestClasses(t *testing.T) {
	peerstest.Need(t, rq.Requirement())
	m := livetest.New(t)
	for _, class := range rq.Classes() {
		t.Run(class, func(t *testing.T) {
			s := modelstest.Scenario{
				Workers: 2, Timeout: time.Second,
				Acts: peerstest.Acts(12, modelstest.Done, modelstest.Fail, modelstest.Crash, modelstest.Done, modelstest.Done, modelstest.Hang),
			}
			if class == rq.SimpleWorker { // a crash takes the worker with it, for good
				s.Acts = peerstest.Acts(12, modelstest.Done, modelstest.Fail, modelstest.Done, modelstest.Hang)
			}
			_, sink := peerstest.Run(t, m, rq.Model{Class: class}, s)
			children := 0
			for _, p := range sink.Processes {
				if p.Role == record.RoleChild {
					children++
				}
			}
			want := len(s.Acts)
			if class == rq.SimpleWorker {
				want = 0
			}
			if children != want {
				t.Errorf("%d processes were forked for %d jobs, want %d", children, len(s.Acts), want)
			}
		})
	}
}

const application = `
import os

loaded = os.getpid()
warmed = 0

def warm():
    global warmed
    warmed = os.getpid()

def where(number):
    return [loaded, warmed, os.getpid()]
`

// What is imported and warmed where is what the knobs say.
func TestPreload(t *testing.T) {
	peerstest.Need(t, rq.Requirement())
	m := livetest.New(t)
	for name, test := range map[string]struct {
		model rq.Model
		// where the module was loaded, and warmed: in the worker, the job's own
		// process, or nowhere
		loaded, warmed string
	}{
		"as a script":  {rq.Model{}, "worker", "nowhere"},
		"as rq worker": {rq.Model{Lazy: true}, "job", "nowhere"},
		"warm":         {rq.Model{Warm: true}, "worker", "worker"},
	} {
		t.Run(name, func(t *testing.T) {
			round, sink, err := peerstest.Script(t.Context(), m, test.model, application, "where", 6, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			if round.Settled != 6 {
				t.Fatalf("settled %d jobs of 6", round.Settled)
			}
			workers, jobs := map[int]bool{}, map[int]int{}
			for _, p := range sink.Processes {
				if p.Role == record.RoleParent {
					workers[p.PID] = true
				} else {
					jobs[p.ID] = p.PID
				}
			}
			for _, j := range sink.Jobs {
				pids := sink.Results[j.ID]
				at := func(pid int) string {
					switch {
					case pid == 0:
						return "nowhere"
					case workers[pid]:
						return "worker"
					case pid == jobs[j.Process]:
						return "job"
					}
					return "elsewhere"
				}
				if len(pids) != 3 || at(pids[0]) != test.loaded || at(pids[1]) != test.warmed || at(pids[2]) != "job" {
					t.Errorf("job %d: %v: loaded in %s, warmed in %s, want %s, %s", j.ID, pids, at(pids[0]), at(pids[1]), test.loaded, test.warmed)
				}
			}
		})
	}
}

const returning = `
import sys

print("an application that prints when it is imported")

class Odd(list):
    def __init__(self, number):
        super().__init__([number])
        self.number = number
    def __reduce__(self):
        return (again, (self.number,))

def again(number):
    if number % 3 == 0:
        sys.exit("not again")
    raise RuntimeError("not again")

def odd(number):
    return [number] if number % 2 else Odd(number)
`

// What a job returned is a pickle for RQ, also where it is JSON for the rule: one that cannot be read again, or whose
// module prints, says nothing about how the job ended.
func TestResults(t *testing.T) {
	peerstest.Need(t, rq.Requirement())
	m := livetest.New(t)
	_, sink, err := peerstest.Script(t.Context(), m, rq.Model{Class: rq.SimpleWorker}, returning, "odd", 8, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(sink.Jobs) != 8 {
		t.Errorf("%d jobs are on record, want 8", len(sink.Jobs))
	}
	for _, j := range sink.Jobs {
		if j.Status != models.Done {
			t.Errorf("job %d: %v: %s", j.ID, j.Status, j.Detail)
		}
		if got := sink.Results[j.ID]; j.ID%2 == 1 && !slices.Equal(got, []int{int(j.ID)}) {
			t.Errorf("job %d returned %v", j.ID, got)
		}
	}
}

const deadly = `
import os

class Deadly(list):
    def __reduce__(self):
        return (die, ())

def die():
    import forkbench_peer
    forkbench_peer.answer.flush()
    os._exit(3)

def last(number):
    return Deadly() if number == 4 else None
`

// Where the outcomes cannot be read to their end, those that were read count, and
// the others as not run.
func TestSomeResults(t *testing.T) {
	peerstest.Need(t, rq.Requirement())
	round, sink, err := peerstest.Script(t.Context(), livetest.New(t), rq.Model{Class: rq.SimpleWorker}, deadly, "last", 6, 0, nil)
	if err == nil || !strings.Contains(err.Error(), "collect the outcomes of rq: exit status 3") {
		t.Errorf("the error is %v", err)
	}
	if round.Settled != 4 || round.NotRun != 2 || round.Lost != 0 || len(sink.Jobs) != 4 {
		t.Errorf("settled %d, not run %d, lost %d, on record %d; want 4, 2, 0, 4", round.Settled, round.NotRun, round.Lost, len(sink.Jobs))
	}
}

// RQ has whole seconds: the shortest time limit is one, not none.
func TestShortTimeout(t *testing.T) {
	peerstest.Need(t, rq.Requirement())
	peerstest.Run(t, livetest.New(t), rq.Model{Class: rq.SimpleWorker}, modelstest.Scenario{
		Workers: 1, Timeout: time.Microsecond, Acts: peerstest.Acts(1, modelstest.Hang),
	})
}

// TestHazards: what the application left in a worker that forks is told, RQ's own
// is not; other classes fork nothing.
func TestHazards(t *testing.T) {
	peerstest.Need(t, rq.Requirement())
	m := livetest.New(t)
	peerstest.Hazards(t, m, rq.Model{Warm: true})
	const text = "import tempfile\nkept = tempfile.TemporaryFile()\ndef job(number):\n    return [number]\n"
	for name, e := range map[string]rq.Model{
		"imported in each job": {Lazy: true}, "no fork": {Class: rq.SimpleWorker}, "a new interpreter": {Class: rq.SpawnWorker},
	} {
		t.Run(name, func(t *testing.T) {
			if done, _, err := peerstest.Script(t.Context(), m, e, text, "job", 4, 0, nil); err != nil || len(done.Hazards) > 0 {
				t.Errorf("%v, hazards %+v; want none", err, done.Hazards)
			}
		})
	}
}
