package live_test

import (
	"testing"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/workload"
)

const noop = "def noop(*args):\n    return None\n"

func TestModelsOnBothRuntimes(t *testing.T) {
	runtimes := map[string]struct {
		runtime live.Runtime
		work    workload.Workload
	}{
		"python": {live.Python{}, script{text: noop, function: "noop"}},
		"go":     {live.Go{}, goEcho{}},
	}
	executors := []models.Executor{
		prefork.Model{}, prefork.Model{MaxJobsPerChild: 3}, forkperjob.Model{},
		hybrid.Model{}, hybrid.Model{JobsPerChild: 4, Spares: 2}, hybrid.Model{Refork: 5},
	}
	for name, rt := range runtimes {
		t.Run(name, func(t *testing.T) {
			rig := newRig(t, rt.work)
			rig.machine.Runtime = rt.runtime
			for _, e := range executors {
				done, sink, err := rig.run(e, repeat(100, "[1]")...)
				if err != nil {
					t.Errorf("%#v: %v", e, err)
				}
				if done.Settled != 100 || done.Lost != 0 || done.Duplicated != 0 || done.Strays != 0 {
					t.Errorf("%#v: settled %d, lost %d, duplicated %d, strays %d; want 100, 0, 0, 0",
						e, done.Settled, done.Lost, done.Duplicated, done.Strays)
				}
				for _, j := range sink.jobs {
					if j.Status != models.Done {
						t.Fatalf("%#v: job %d: %v %s", e, j.ID, j.Status, j.Detail)
					}
				}
			}
		})
	}
}
