package autoscale_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"forkbench/examples/autoscale"
	"forkbench/live"
	"forkbench/live/livetest"
	"forkbench/models"
	"forkbench/models/modelstest"
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

// TestConformance holds the pool to the suite on both machines.
func TestConformance(t *testing.T) {
	machines := map[string]modelstest.Machine{"live": livetest.New(t), "simulated": simtest.Machine{Cores: 2, Profile: profile}}
	for name, m := range machines {
		t.Run(name, func(t *testing.T) {
			modelstest.Run(t, m, func() models.Executor { return autoscale.Pool{Min: 2, Keepalive: time.Millisecond} })
		})
	}
}

// A watch knows when each child lived.
type watch struct{ children []record.Process }

func (w *watch) Write(l record.Line) error {
	if p, ok := l.(*record.Process); ok && p.Role == record.RoleChild {
		w.children = append(w.children, *p)
	}
	return nil
}

// at is how many lived at a moment.
func (w *watch) at(t time.Duration) (n int) {
	for _, p := range w.children {
		if p.ReadyNS <= t && t < p.ReapNS {
			n++
		}
	}
	return n
}

// A burst of 200 jobs, and one job each ten seconds after it.
func Example() {
	jobs := func(yield func(workload.Job) bool) {
		for i := range 210 {
			if !yield(workload.Job{ID: uint64(i), Due: time.Duration(max(0, i-199)) * 10 * time.Second}) {
				return
			}
		}
	}
	machine := sim.Machine{Workers: 8, Cores: 4, Profile: profile}
	w := new(watch)
	e := autoscale.Pool{Min: 1}
	if _, err := machine.Run(context.Background(), e, sim.Round{Model: e.Name(), Jobs: jobs, Total: 210, Sink: w}); err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range []time.Duration{0, 1500 * time.Millisecond, 25 * time.Second, 45 * time.Second} {
		fmt.Printf("after %v: %d children\n", s, w.at(s))
	}
	// Output:
	// after 0s: 1 children
	// after 1.5s: 8 children
	// after 25s: 8 children
	// after 45s: 1 children
}
