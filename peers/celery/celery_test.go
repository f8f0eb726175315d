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
