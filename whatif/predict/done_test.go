package predict_test

import (
	"math"
	"testing"
	"time"

	"forkbench/models/prefork"
	"forkbench/sim"
	"forkbench/sim/profiles"
	"forkbench/whatif/predict"
)

// TestDone: what reaches its time limit is settled and not done, and throughput and CPU
// are of what is done.
func TestDone(t *testing.T) {
	p, err := profiles.Read(profiles.Default)
	if err != nil {
		t.Fatal(err)
	}
	p.OneTime.CPU, p.FirstJob.CPU = sim.Constant(0), sim.Constant(0)
	short, long := p.Jobs[0], p.Jobs[0]
	short.Name, short.CPU, long.Name, long.CPU = "short", sim.Constant(1), "long", sim.Constant(1000)
	p.Jobs = []sim.Class{short, long}
	q := predict.Question{
		Models:  []predict.Model{{Name: "prefork", Executor: prefork.Model{}}},
		Profile: p, Workers: 2, Cores: 4, Jobs: 40, Seed: 1, Replications: 3,
		Class: func(id uint64) int { return min(int(id%4), 1) }, // every fourth is short
	}
	for _, test := range []struct {
		timeout time.Duration
		done    int
	}{{0, 40}, {200 * time.Millisecond, 10}, {time.Microsecond, 0}} {
		q.Timeout = test.timeout
		a, err := predict.Run(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		m := &a.Models[0]
		share := float64(test.done) / 40
		if r := &m.Runs[0]; r.Jobs != test.done || r.Round.Settled != 40 {
			t.Errorf("a limit of %v: %d of %d jobs done, want %d of 40", test.timeout, r.Jobs, r.Round.Settled, test.done)
		}
		if want := share * m.Throughput.Value; math.Abs(m.Done.Value-want) > 1e-9*want || m.Throughput.Value <= 0 {
			t.Errorf("a limit of %v: %v jobs done per second of %v settled", test.timeout, m.Done.Value, m.Throughput.Value)
		}
		switch want := m.CPU.Value / share; {
		case test.done == 0:
			if m.CPUDone.Known() {
				t.Errorf("a limit of %v: %v ms per job done, and none was", test.timeout, m.CPUDone.Value)
			}
		case math.Abs(m.CPUDone.Value-want) > 1e-9*want:
			t.Errorf("a limit of %v: %v ms per job done, want %v", test.timeout, m.CPUDone.Value, want)
		}
	}
}
