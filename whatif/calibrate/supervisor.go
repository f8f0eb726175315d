package calibrate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/models"
	"forkbench/record"
	"forkbench/sim"
	"forkbench/workload"
)

// A trial is a setting to simulate, with what was measured in it.
type trial struct {
	setting  Setting
	executor models.Executor
	rounds   []*Round
	class    func(id uint64) int // see sim.Round

	done *record.Round // what the simulation made of it
}

// supervisor is the CPU of the program that hands out the jobs, and what is left
// of the time.
func (c *calibration) supervisor(ctx context.Context) error {
	s := &c.profile.Supervisor
	user, system := 0.0, 0.0
	for _, r := range c.rounds {
		user, system = user+format.Millis(r.Supervisor.User), system+format.Millis(r.Supervisor.System)
	}
	s.System = rounded(system / max(user+system, 1e-9))
	c.source("supervisor.system_share", "its system time over all its time, summed over %d rounds", len(c.rounds))
	if e := &c.rounds[0].Header.Environment; e.SupervisorThreads > 0 {
		s.ThreadsPerCore = rounded(min(float64(e.SupervisorThreads)/float64(max(e.Cores, 1)), 1))
		c.source("supervisor.threads_per_core", "as many as the runs gave it: %d of %d cores (GOMAXPROCS)", e.SupervisorThreads, e.Cores)
	} else {
		s.ThreadsPerCore = 1
		c.source("supervisor.threads_per_core", "not in the records: one for each core, as the Go runtime has it by default")
	}
	trials, err := c.trials()
	if err != nil {
		return err
	}
	// What wakes cost depends on how many there are, which depends on what all
	// else costs: a few turns settle it.
	const turns = 3
	for turn := range turns {
		if err := c.simulate(ctx, trials); err != nil {
			return err
		}
		c.supervisorCPU(trials)
		if trials == nil {
			break
		}
		if turn > 0 {
			if err := c.scheduling(ctx, trials); err != nil {
				return err
			}
		}
	}
	if trials == nil {
		c.lacking("supervisor.latency_ms", "the rounds were not simulated: taken as none")
	}
	return nil
}

// trials are the settings of the rounds.
func (c *calibration) trials() ([]*trial, error) {
	if c.options.Executor == nil {
		return nil, nil
	}
	bySetting := make(map[Setting]*trial)
	var all []*trial
	for _, r := range c.rounds {
		s := r.Setting()
		t := bySetting[s]
		if t == nil {
			e, err := c.options.Executor(r.Model)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.Round.Model, err)
			}
			t = &trial{setting: s, executor: e, class: assigned(c.profile, &r.Header.Spec)}
			bySetting[s] = t
			all = append(all, t)
		}
		t.rounds = append(t.rounds, r)
	}
	return all, nil
}

// simulate runs the trials with the profile as it is now.
func (c *calibration) simulate(ctx context.Context, trials []*trial) error {
	for _, t := range trials {
		jobs, err := t.setting.jobs()
		if err != nil {
			return err
		}
		m := &sim.Machine{Workers: t.setting.Workers, Cores: t.setting.Cores, Profile: paced(c.profile, t.rounds), Seed: t.setting.Seed}
		t.done, err = m.Run(ctx, t.executor, sim.Round{Model: t.setting.Model, Jobs: jobs, Total: t.setting.Jobs, Class: t.class})
		if ctx.Err() != nil {
			return ctx.Err() // what was cut short says nothing
		}
		if err != nil {
			return fmt.Errorf("simulate %v: %w", t.setting, err)
		}
	}
	return nil
}

// jobs makes the jobs of the setting: when each is due is all that counts.
func (s Setting) jobs() (iter.Seq[workload.Job], error) {
	plan, err := workload.ParseArrivals(s.Arrivals)
	if err != nil {
		return nil, err
	}
	return func(yield func(workload.Job) bool) {
		id := uint64(0)
		for due := range plan.Due(s.Seed) {
			if id == uint64(s.Jobs) || !yield(workload.Job{ID: id, Due: due, Attempt: 1}) {
				return
			}
			id++
		}
	}, nil
}

// supervisorCPU fits its costs to the measured CPU of each setting.
func (c *calibration) supervisorCPU(trials []*trial) {
	// Columns: jobs, forks, round trips, wakes, sockets.
	var rows [][]float64
	var targets []float64
	row := func(r *Round, roundTrips, wakes float64, measured float64) {
		// A job that a child is born with is not dispatched, only collected. The
		// errors count as shares of the whole round's CPU.
		jobs := float64(r.Settled) - float64(r.fused())/2
		whole := r.CPU() * float64(r.Settled)
		sockets, _ := r.sockets()
		if !c.bothKinds {
			sockets = 0
		}
		rows = append(rows, []float64{jobs / whole, float64(r.forks()) / whole, roundTrips / whole, wakes / whole, float64(sockets) / whole})
		targets = append(targets, measured/whole)
	}
	for _, t := range trials {
		var measured []float64
		for _, r := range t.rounds {
			measured = append(measured, format.Millis(r.Supervisor.Total()))
		}
		row(t.rounds[0], float64(t.done.RedisCommands), float64(t.done.SupervisorWaits), stats.Median(measured))
	}
	for _, r := range c.rounds {
		if trials == nil {
			row(r, float64(r.batches+r.reads()), 0, format.Millis(r.Supervisor.Total()))
		}
	}
	x := fit(rows, targets)
	s := &c.profile.Supervisor
	half := sim.Constant(rounded(x[0] / 2))
	s.Dispatch, s.Collect = half, half
	s.Fork = sim.Constant(rounded(x[1]))
	s.Batch, s.Wake = sim.Constant(rounded(x[2])), sim.Constant(rounded(x[3]))
	c.profile.Socket.Supervisor = sim.Constant(rounded(x[4] / 2))
	how := fmt.Sprintf("least squares of this program's CPU (its measuring not included) in %d settings over jobs, forks, children with a socket, round trips to Redis and simulated wakes", len(rows))
	for _, name := range []string{"dispatch", "collect", "fork", "batch", "wake"} {
		c.source("supervisor."+name+"_ms", "%s", how)
	}
	if c.bothKinds {
		c.source("socket.supervisor_ms", "%s", how)
	}
	if trials == nil {
		c.lacking("supervisor.wake_ms", "the rounds were not simulated: part of the others")
	}
}

// fused is how many children were forked with a job in hand.
func (r *Round) fused() int {
	began := make(map[int]time.Duration)
	for i := range r.children {
		began[r.children[i].ID] = r.children[i].ForkNS
	}
	n := 0
	for _, j := range r.jobs {
		if j.seq == 1 && began[j.process] >= j.dequeued {
			n++
		}
	}
	return n
}

// scheduling finds how the kernel shares the cores, as far as records do not tell:
// that with which the simulated rounds take as long as the measured ones.
func (c *calibration) scheduling(ctx context.Context, trials []*trial) error {
	measured := make([]float64, len(trials))
	for i, t := range trials {
		var all []float64
		for _, r := range t.rounds {
			all = append(all, r.Throughput())
		}
		measured[i] = stats.Median(all)
	}
	type way struct {
		latency, hot float64 // ms
		packs        bool
	}
	use := func(w way) {
		cores := &c.profile.Cores
		c.profile.Supervisor.Latency, cores.HotMS, cores.Packs = sim.Constant(w.latency), w.hot, w.packs
	}
	best := math.Inf(1)
	var found way
	try := func(w way) error {
		w.latency, w.hot = min(w.latency, mostLatency), min(w.hot, mostHot)
		use(w)
		if err := c.simulate(ctx, trials); err != nil {
			return err
		}
		sum := 0.0
		for i, t := range trials {
			d := math.Log(float64(t.done.Settled) / t.done.WorkNS.Seconds() / measured[i])
			sum += d * d
		}
		if sum < best {
			best, found = sum, w
		}
		return nil
	}
	// A kernel that packs says so on its command line, which records keep; older
	// ones do not have it.
	ways, told := []bool{false, true}, ""
	if told = c.rounds[0].Header.Environment.Packing; told != "" {
		ways = []bool{true}
	}
	// First a coarse look, then ever smaller steps around the best.
	for _, packs := range ways {
		for _, ms := range []float64{0, 0.002, 0.005, 0.01, mostLatency} {
			for _, hot := range []float64{0.02, 0.05, 0.1, 0.2, mostHot} {
				if err := try(way{ms, hot, packs}); err != nil {
					return err
				}
			}
		}
	}
	for step := 0.5; step > 0.06; step /= 2 {
		from := found
		for _, factor := range []float64{1 - step, 1 + step} {
			slower, longer := from, from
			slower.latency *= factor
			longer.hot *= factor
			if err := errors.Join(try(slower), try(longer)); err != nil {
				return err
			}
		}
	}
	use(way{rounded(found.latency), rounded(found.hot), found.packs})
	fitted := "cores.hot_ms and cores.packs"
	if told != "" {
		fitted = "cores.hot_ms"
		c.source("cores.packs", "the kernel's command line: %s", told)
	} else {
		c.source("cores.packs", "as supervisor.latency_ms")
	}
	c.source("supervisor.latency_ms", "what is left: with this and %s, the throughput of %d settings, simulated, is"+
		" nearest to the measured one (least squares of logarithms); at most %v", fitted, len(trials), mostLatency)
	c.source("cores.hot_ms", "as supervisor.latency_ms; at most Linux's default of sched_migration_cost_ns")
	return nil
}
