package sim_test

import (
	"math"
	"testing"
	"time"

	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/sim"
)

// TestSecondaryCosts follows what calibration found to count besides a job's own
// work, each alone and by hand: 4 jobs of 5 ms.
func TestSecondaryCosts(t *testing.T) {
	ms := func(x float64) time.Duration { return time.Duration(math.Round(x * 1e6)) }
	for _, test := range []struct {
		name           string
		e              models.Executor
		workers, cores int
		set            func(p *sim.Profile)
		work, cpu      float64 // ms; cpu of all parts
		waits          int64
	}{
		{"nothing", prefork.Model{}, 1, 1, func(*sim.Profile) {}, 20, 20, 0},
		{"young processes: 4, 2, 1 ms more", prefork.Model{}, 1, 1, func(p *sim.Profile) {
			p.Young = sim.Young{CPU: sim.Constant(4), Decay: 0.5}
		}, 27, 27, 0},
		{"two young processes each begin anew", prefork.Model{MaxJobsPerChild: 2}, 1, 1, func(p *sim.Profile) {
			p.Young = sim.Young{CPU: sim.Constant(4), Decay: 0.5}
		}, 28, 28, 0},
		{"a class that can do without the penalty", prefork.Model{}, 1, 1, func(p *sim.Profile) {
			p.FirstJob.CPU, p.OneTime.CPU = sim.Constant(3), sim.Constant(30)
			p.Jobs[0].Spared = 1
		}, 20, 20, 0},
		{"half of the penalty", prefork.Model{}, 1, 1, func(p *sim.Profile) {
			p.FirstJob.CPU, p.OneTime.CPU = sim.Constant(3), sim.Constant(30)
			p.Jobs[0].Spared = 0.5
		}, 36.5, 36.5, 0},
		{"the supervisor wakes up for the first job and for each outcome, and goes on with the next job", prefork.Model{}, 1, 1, func(p *sim.Profile) {
			p.Supervisor.Dispatch, p.Supervisor.Collect = sim.Constant(1), sim.Constant(1)
			p.Supervisor.Wake = sim.Constant(0.25)
		}, 20 + 4*2 + 5*0.25, 20 + 4*2 + 5*0.25, 5},
		{"an idle core wakes up for each hand-over", prefork.Model{}, 1, 2, func(p *sim.Profile) {
			p.Supervisor.Latency = sim.Constant(0.5)
		}, 20 + 4*2*0.5, 20, 0},
		{"pages of its own, given back: 100, each job", forkperjob.Model{}, 1, 1, func(p *sim.Profile) {
			p.FirstJob.Pages, p.Exit.PerPage = 100, 0.01
		}, 20 + 4*1, 20 + 4*1, 0},
		{"children with a socket: a reaping and a fork after each job, the last one after work", prefork.Model{MaxJobsPerChild: 1}, 1, 1, func(p *sim.Profile) {
			p.Socket = sim.Socket{Parent: sim.Constant(0.5), Child: sim.Constant(1), Supervisor: sim.Constant(0.125)}
		}, 20 + 3*1.75, 20 + 4*1.75, 8},
		{"children with a socket, made with the first of two jobs in hand", hybrid.Model{JobsPerChild: 2}, 1, 1, func(p *sim.Profile) {
			p.Socket = sim.Socket{Parent: sim.Constant(0.5), Child: sim.Constant(1), Supervisor: sim.Constant(0.125)}
		}, 20 + 2*1.375 + 0.375, 20 + 2*1.75, 4},
		{"a child made for its only job has no socket", forkperjob.Model{}, 1, 1, func(p *sim.Profile) {
			p.Socket = sim.Socket{Parent: sim.Constant(0.5), Child: sim.Constant(1), Supervisor: sim.Constant(0.125)}
		}, 20, 20, 0},
		{"what came of that job is told with its child's end", forkperjob.Model{}, 1, 1, func(p *sim.Profile) {
			p.Exit.Base, p.Fork.Reap = sim.Constant(1), sim.Constant(0.5)
		}, 20 + 4*1.5, 20 + 4*1.5, 0},
		{"a core each, with queues", prefork.Model{}, 2, 2, func(p *sim.Profile) {
			p.Cores = sim.Cores{HotMS: 0.5, SliceMS: 4}
		}, 10, 20, 0},
		{"an idle core wakes up", prefork.Model{}, 1, 1, func(p *sim.Profile) {
			p.Cores, p.Supervisor.Latency = sim.Cores{HotMS: 0.5, SliceMS: 4}, sim.Constant(1)
		}, 21, 20, 0},
		// The first one begins on an idle core; the others find what another tree has
		// left there, with a probability of a half.
		{"two trees on one core", forkperjob.Model{}, 2, 1, func(p *sim.Profile) {
			p.Cores.ColdChild = sim.Constant(1)
		}, 20 + 3*0.5, 20 + 3*0.5, 0},
		// A service computes for each job, in a process of its own, and the job waits;
		// what it waits for besides is less by that.
		{"a service", prefork.Model{}, 1, 1, func(p *sim.Profile) {
			p.Services = []sim.Service{{Job: sim.Constant(1), First: sim.Constant(2)}}
			p.Jobs[0].Wait = sim.Constant(1.5)
		}, 20 + 4*1.5 + 1.5, 20, 0},
		{"a service for first jobs", forkperjob.Model{}, 1, 1, func(p *sim.Profile) {
			p.Cores = sim.Cores{HotMS: 0.5, SliceMS: 4}
			p.Services = []sim.Service{{Job: sim.Constant(1), First: sim.Constant(2)}}
		}, 20 + 4*3, 20, 0},
		{"two trees on one core, and slices", forkperjob.Model{}, 2, 1, func(p *sim.Profile) {
			p.Cores.ColdChild, p.Cores.SliceMS = sim.Constant(1), 2
		}, 20 + 3*1.5, 20 + 3*1.5, 0},
		{"one tree on one core", hybrid.Model{}, 2, 1, func(p *sim.Profile) {
			p.Cores.ColdChild, p.Cores.SliceMS = sim.Constant(1), 2
		}, 20, 20, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := bare(sim.Constant(5))
			test.set(p)
			m := &sim.Machine{Workers: test.workers, Cores: test.cores, Profile: p}
			r, err := m.Run(t.Context(), test.e, round(t, 4, nil))
			if err != nil {
				t.Fatal(err)
			}
			const tick = 1 // ns, between the opening of the gate and the first job
			if d := r.WorkNS - ms(test.work) - tick; d < -2 || d > 2 {
				t.Errorf("work took %v; want %v", r.WorkNS, ms(test.work))
			}
			if cpu := r.Children.Add(r.Parents).Add(r.Supervisor).Total(); cpu != ms(test.cpu) {
				t.Errorf("work used %v of CPU; want %v", cpu, ms(test.cpu))
			}
			if p.Services != nil && r.ServiceCPU().Total() < ms(4) {
				t.Errorf("services used %v", r.ServiceCPU().Total())
			}
			if r.SupervisorWaits != test.waits {
				t.Errorf("the supervisor waited %d times; want %d", r.SupervisorWaits, test.waits)
			}
		})
	}
}

// TestRoundTripsCostTheSupervisor: each of them, and it wakes up for it.
func TestRoundTripsCostTheSupervisor(t *testing.T) {
	p := bare(sim.Constant(5))
	p.Supervisor.Batch = sim.Constant(2)
	p.Redis = sim.Redis{Command: sim.Constant(0.5), Batch: 256}
	m := &sim.Machine{Workers: 1, Cores: 4, Profile: p}
	r, err := m.Run(t.Context(), prefork.Model{}, round(t, 10, nil))
	if err != nil {
		t.Fatal(err)
	}
	// The read, and without a linger each job by itself; the last one's round trip
	// ends after the account is taken.
	if want := 10 * 2 * time.Millisecond; r.RedisCommands != 10 || r.Supervisor.Total() != want {
		t.Errorf("the supervisor used %v in %d round trips; want %v", r.Supervisor.Total(), r.RedisCommands, want)
	}
}

// TestFilesAreShared: parents that were booted apart share what they map from
// files.
func TestFilesAreShared(t *testing.T) {
	p := bare(sim.Constant(300)) // long enough to be looked at
	p.Memory.BootedMB, p.Memory.FileMB = 20, 8
	got := new(lines)
	m := &sim.Machine{Workers: 3, Cores: 4, Profile: p}
	if _, err := m.Run(t.Context(), forkperjob.Model{}, round(t, 3, got)); err != nil {
		t.Fatal(err)
	}
	if len(got.samples) == 0 {
		t.Fatal("no sample")
	}
	const mebi = 1 << 20
	s := got.samples[len(got.samples)-1]
	if want := int64(8+3*12) * mebi; s.PSS != want {
		t.Errorf("PSS %d MiB; want %d", s.PSS/mebi, want/mebi)
	}
	if want := int64(6*20) * mebi; s.Processes == 6 && s.RSS != want {
		t.Errorf("RSS %d MiB of %d processes; want %d", s.RSS/mebi, s.Processes, want/mebi)
	}
}

// TestTheDeadHaveNoMemory: children that have ended and wait for a parent that is
// slow to reap them are in no sum, as on a real machine.
func TestTheDeadHaveNoMemory(t *testing.T) {
	const mebi = 1 << 20
	p := bare(sim.Constant(150))
	p.Jobs[0].MemoryMB, p.Jobs[0].RetainedMB = 8, 8
	p.Fork.Reap = sim.Constant(1000) // of the parent's, one after another
	got := new(lines)
	m := &sim.Machine{Workers: 8, Cores: 16, Profile: p}
	if _, err := m.Run(t.Context(), hybrid.Model{}, round(t, 8, got)); err != nil {
		t.Fatal(err)
	}
	alive, dead := 0, 0
	for _, s := range got.samples {
		switch {
		case s.Processes == 9 && s.PSS == (20+8*8)*mebi:
			alive++
		case s.Processes == 1 && s.PSS == 20*mebi:
			dead++
		default:
			t.Errorf("at %v %d processes of %d MiB; want 9 of 84 while the jobs run, then 1 of 20", s.AtNS, s.Processes, s.PSS/mebi)
		}
	}
	if alive == 0 || dead == 0 {
		t.Errorf("%d samples while the jobs ran, %d after; want some of both", alive, dead)
	}
}
