package sim_test

import (
	"context"
	"fmt"
	"log"

	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/sim"
	"forkbench/workload"
)

// A light job behind 80 ms of one-time work, on a machine with 32 cores. Fork per
// job repeats that work; a warm template does not, but forks one child at a time;
// unless each lives for many jobs.
func ExampleMachine_Run() {
	m := &sim.Machine{
		Workers: 64, Cores: 32, Seed: 1,
		Profile: &sim.Profile{
			Version: sim.ProfileVersion, Name: "an example",
			Boot:    sim.Boot{CPU: sim.Constant(200)},
			OneTime: sim.OneTime{CPU: sim.Constant(80), Warmable: 1},
			Fork:    sim.Fork{Base: sim.Constant(0.1), PerMB: 0.015},
			Exit:    sim.Exit{PerMB: 0.01},
			Memory:  sim.Memory{BootedMB: 40, PageKB: 4},
			Jobs:    []sim.Class{{Weight: 1, CPU: sim.Exponential(5), Wait: sim.Exponential(10)}},
		},
	}
	const jobs = 10_000
	burst, err := workload.ParseArrivals("burst")
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range []models.Executor{
		prefork.Model{}, forkperjob.Model{}, hybrid.Model{}, hybrid.Model{JobsPerChild: 100},
	} {
		done, err := m.Run(context.Background(), e, sim.Round{
			Model: e.Name(), Jobs: workload.Jobs(noPayload{}, burst, 1, jobs), Total: jobs,
		})
		if err != nil {
			log.Fatal(err)
		}
		cpu := done.Children.Add(done.Parents).Total()
		fmt.Printf("%-10s %5.0f jobs/s, %6.2f ms of CPU for each\n",
			e.Name(), jobs/done.WorkNS.Seconds(), cpu.Seconds()*1000/jobs)
	}
	// Output:
	// prefork     3955 jobs/s,   5.43 ms of CPU for each
	// forkperjob   371 jobs/s,  86.01 ms of CPU for each
	// hybrid      1421 jobs/s,   6.01 ms of CPU for each
	// hybrid      4183 jobs/s,   4.92 ms of CPU for each
}
