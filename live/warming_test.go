package live_test

import (
	"testing"
	"time"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/record"
)

// TestWarmingIsEachProcesssOwn: what a warm-up computes is on the clock of the process
// that does it, for each of them, and apart from loading; what it waits for is not.
func TestWarmingIsEachProcesssOwn(t *testing.T) {
	const burnt = 50 * time.Millisecond
	rig := newRig(t, script{text: `
import select, time
def warm():
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    select.select([], [], [], 0.2)
def job(*args):
    pass
`, function: "job", warm: []string{"script:warm"}})
	rig.machine.Workers = 2
	for _, test := range []struct {
		model   models.Executor
		parents int
		warm    bool
	}{{forkperjob.Model{Warm: true}, 2, true}, {hybrid.Model{}, 1, true}, {forkperjob.Model{}, 2, false}} {
		_, sink, err := rig.run(test.model, repeat(4, "[1]")...)
		if err != nil {
			t.Fatal(err)
		}
		parents := 0
		for _, p := range sink.processes {
			if p.Role == record.RoleChild || !test.warm {
				if p.BootCPUNS != 0 || p.WarmCPUNS != 0 {
					t.Errorf("%T: process %d was not warmed: %v, %v", test.model, p.ID, p.BootCPUNS, p.WarmCPUNS)
				}
				continue
			}
			parents++
			startup := p.StartupUserNS + p.StartupSysNS
			if p.BootCPUNS <= 0 || p.WarmCPUNS < burnt || p.BootCPUNS+p.WarmCPUNS > startup+time.Millisecond {
				t.Errorf("%T: process %d used %v to load and %v to warm up, of %v in all; want at least %v to warm up",
					test.model, p.ID, p.BootCPUNS, p.WarmCPUNS, startup, burnt)
			}
			if p.WarmNS < p.WarmCPUNS {
				t.Errorf("%T: process %d took %v for %v of CPU", test.model, p.ID, p.WarmNS, p.WarmCPUNS)
			}
		}
		if test.warm && parents != test.parents {
			t.Errorf("%T: %d parents, want %d", test.model, parents, test.parents)
		}
	}
	rig.machine.Runtime, rig.machine.Workload = live.Go{}, new(goState)
	_, sink, err := rig.run(hybrid.Model{}, repeat(2, "[]")...)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range sink.processes {
		if warmed := p.Role != record.RoleChild; (p.BootCPUNS > 0) != warmed {
			t.Errorf("process %d (%s) in Go used %v to load", p.ID, p.Role, p.BootCPUNS)
		}
	}
}
