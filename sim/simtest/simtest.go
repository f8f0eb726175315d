// Package simtest gives tests a simulated computer as a machine for the
// conformance suite, the counterpart of live/livetest: an executor that passes
// the suite here does not block outside its host.
//
//	func TestConformance(t *testing.T) {
//		modelstest.Run(t, simtest.Machine{Cores: 2, Profile: profile}, func() models.Executor { return Pool{} })
//	}
package simtest

import (
	"context"
	"time"

	"forkbench/models"
	"forkbench/models/modelstest"
	"forkbench/record"
	"forkbench/sim"
	"forkbench/workload"
)

// A Machine is a simulated computer.
type Machine struct {
	Cores   int
	Profile *sim.Profile
	Seed    uint64
}

var _ modelstest.Machine = Machine{}

// Run runs a scenario of the conformance suite in virtual time.
func (m Machine) Run(ctx context.Context, e models.Executor, s modelstest.Scenario) (*record.Round, error) {
	machine := &sim.Machine{
		Workers: s.Workers, Cores: m.Cores, Profile: m.Profile, Seed: m.Seed, Timeout: s.Timeout,
		Ending: func(j workload.Job) models.Status { return ending(s.Acts[j.ID]) },
	}
	return machine.Run(ctx, e, sim.Round{
		Model: e.Name(), Total: len(s.Acts), Sink: s.Sink, Stop: s.Stop,
		Jobs: func(yield func(workload.Job) bool) {
			for i := range s.Acts {
				if !yield(workload.Job{ID: uint64(i), Due: time.Duration(i) * s.Every, Attempt: 1}) {
					return
				}
			}
		},
	})
}

func ending(a modelstest.Act) models.Status {
	switch a {
	case modelstest.Done:
		return models.Done
	case modelstest.Fail:
		return models.Failed
	case modelstest.Crash:
		return models.Crashed
	case modelstest.Hang:
		return models.TimedOut
	}
	return 0 // not an act: the machine says so
}
