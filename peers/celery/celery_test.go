package celery_test

import (
	"os"
	"testing"
	"time"

	"forkbench/live"
	"forkbench/live/livetest"
	"forkbench/models/modelstest"
	"forkbench/peers/celery"
	"forkbench/peers/peerstest"
	"forkbench/record"
)

func TestMain(m *testing.M) {
	live.Main()
	os.Exit(m.Run())
}

func TestOutcomes(t *testing.T) {
	peerstest.Need(t, celery.Requirement())
	m := livetest.New(t)
	t.Run("done and failed", func(t *testing.T) {
		peerstest.Run(t, m, celery.Model{}, modelstest.Scenario{Workers: 2, Acts: peerstest.Acts(40, modelstest.Done, modelstest.Fail)})
	})
	// One crash: of a second that comes soon after it Celery learns from a timer
	// only, five seconds later.
	t.Run("crashed", func(t *testing.T) {
		peerstest.Run(t, m, celery.Model{}, modelstest.Scenario{Workers: 2, Acts: peerstest.Acts(7, modelstest.Done, modelstest.Done, modelstest.Crash, modelstest.Done, modelstest.Done, modelstest.Done, modelstest.Done)})
	})
	t.Run("timed out", func(t *testing.T) {
		peerstest.Run(t, m, celery.Model{}, modelstest.Scenario{Workers: 2, Timeout: time.Second, Acts: peerstest.Acts(4, modelstest.Done, modelstest.Hang, modelstest.Done, modelstest.Done)})
	})
	t.Run("no jobs", func(t *testing.T) {
		peerstest.Run(t, m, celery.Model{}, modelstest.Scenario{Workers: 1})
	})
}

// A pool process ends after its tasks, and its CPU is booked.
func TestMaxTasksPerChild(t *testing.T) {
	peerstest.Need(t, celery.Requirement())
	_, sink := peerstest.Run(t, livetest.New(t), celery.Model{MaxTasksPerChild: 5}, modelstest.Scenario{Workers: 2, Acts: peerstest.Acts(20, modelstest.Done)})
	full, jobs := 0, 0
	for _, p := range sink.Processes {
		if p.Role != record.RoleChild {
			continue
		}
		jobs += p.Jobs
		if p.Jobs > 5 {
			t.Errorf("process %d ran %d jobs", p.ID, p.Jobs)
		}
		if p.Jobs == 5 {
			full++
		}
		if p.UserNS+p.SystemNS == 0 {
			t.Errorf("process %d used no CPU", p.ID)
		}
	}
	// Each of the two slots has one process at the end that may have run fewer.
	if full < 3 || jobs != 20 {
		t.Errorf("%d processes ran 5 jobs, all of them %d; want at least 3, and 20", full, jobs)
	}
}

// TestHazards: what the application left in the main process is told, Celery's own
// is not; and a receiver of Celery's signals may open something there, or close in
// a child what was opened.
func TestHazards(t *testing.T) {
	peerstest.Need(t, celery.Requirement())
	m := livetest.New(t)
	peerstest.Hazards(t, m, celery.Model{Warm: true})
	const text = `
import tempfile
from celery import signals
kept = [tempfile.TemporaryFile("w")]
@signals.worker_process_init.connect
def close(**_):
    kept.pop(0).close()
@signals.worker_init.connect
def connect(**_):
    kept.append(open(__file__ + ".spool", "w"))
def job(number):
    return [number]
`
	done, _, err := peerstest.Script(t.Context(), m, celery.Model{}, text, "job", 4, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Hazards) != 1 || done.Hazards[0].From != "the receivers of worker_init" {
		t.Errorf("hazards %+v; want one, from the receivers of worker_init", done.Hazards)
	}
}
