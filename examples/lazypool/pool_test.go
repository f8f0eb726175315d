package main

import (
	"os"
	"testing"

	"forkbench/live"
	"forkbench/live/livetest"
	"forkbench/models"
	"forkbench/models/modelstest"
	"forkbench/sim"
	"forkbench/sim/simtest"
)

func TestMain(m *testing.M) {
	live.Main()
	os.Exit(m.Run())
}

// TestConformance runs the pool through everything that an executor must stand,
// on real processes and in virtual time.
func TestConformance(t *testing.T) {
	simulated := simtest.Machine{Cores: 2, Profile: &sim.Profile{
		Version: sim.ProfileVersion, Name: "light jobs",
		Boot:   sim.Boot{CPU: sim.Constant(200)},
		Fork:   sim.Fork{Base: sim.Constant(1)},
		Memory: sim.Memory{BootedMB: 20, PageKB: 4},
		Jobs:   []sim.Class{{Weight: 1, CPU: sim.Constant(2)}},
	}}
	machines := map[string]modelstest.Machine{"live": livetest.New(t), "simulated": simulated}
	for name, m := range machines {
		t.Run(name, func(t *testing.T) {
			modelstest.Run(t, m, func() models.Executor { return Pool{} })
		})
	}
}
