package ondemand_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"forkbench/examples/ondemand"
	"forkbench/live"
	"forkbench/live/livetest"
	"forkbench/models"
	"forkbench/models/modelstest"
	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/sim"
	"forkbench/sim/simtest"
	"forkbench/workload"
)

func TestMain(m *testing.M) {
	live.Main()
	os.Exit(m.Run())
}

var profile = &sim.Profile{
	Version: sim.ProfileVersion, Name: "light jobs",
	Boot:   sim.Boot{CPU: sim.Constant(200)},
	Fork:   sim.Fork{Base: sim.Constant(1)},
	Memory: sim.Memory{BootedMB: 20, PageKB: 4},
	Jobs:   []sim.Class{{Weight: 1, CPU: sim.Constant(20)}},
}

// TestConformance holds the pool to the suite on both machines, with children that
// end between two jobs, too.
func TestConformance(t *testing.T) {
	machines := map[string]modelstest.Machine{"live": livetest.New(t), "simulated": simtest.Machine{Cores: 2, Profile: profile}}
	for name, m := range machines {
		for _, idle := range []time.Duration{0, time.Millisecond} {
			t.Run(fmt.Sprintf("%s, idle-timeout %v", name, idle), func(t *testing.T) {
				modelstest.Run(t, m, func() models.Executor { return ondemand.Pool{IdleTimeout: idle} })
			})
		}
	}
}

// A forks counts the children of a round.
type forks int

func (f *forks) Write(l record.Line) error {
	if p, ok := l.(*record.Process); ok && p.Role == record.RoleChild {
		*f++
	}
	return nil
}

// Two bursts of 8 jobs, a minute apart, on 8 workers.
func Example() {
	bursts := func(yield func(workload.Job) bool) {
		for i := range 16 {
			if !yield(workload.Job{ID: uint64(i), Due: time.Duration(i/8) * time.Minute}) {
				return
			}
		}
	}
	machine := sim.Machine{Workers: 8, Cores: 4, Profile: profile}
	for _, e := range []models.Executor{prefork.Model{}, ondemand.Pool{}, ondemand.Pool{IdleTimeout: time.Hour}} {
		var made forks
		round, err := machine.Run(context.Background(), e, sim.Round{Model: e.Name(), Jobs: bursts, Total: 16, Sink: &made})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %d jobs in %d children\n", e.Name(), round.Settled, made)
	}
	// Output:
	// prefork: 16 jobs in 8 children
	// ondemand: 16 jobs in 16 children
	// ondemand: 16 jobs in 8 children
}
