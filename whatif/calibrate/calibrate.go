// Package calibrate makes a profile for package sim from the records of live
// runs, and holds what the profile predicts against other ones.
//
// A profile is a function of the records and of nothing else. What they do not
// tell is taken from a default, and the profile's sources and a warning say so.
//
// # What is told apart, and by what
//
//   - A job's CPU from its waiting: the process's own clock, and wall time where
//     cores were idle.
//   - The one-time work from the first job's other costs: the first jobs of
//     children of cold parents against those of warm ones, and those against
//     later jobs. It needs a model that warms its parent, one that does not, and
//     one whose children run several jobs.
//   - What a child costs from what a job costs: rounds with a child for each job
//     against rounds with many jobs for each.
//   - What cold caches cost from the rest: rounds of one model with more parents than
//     cores against rounds with fewer.
//   - What slow cores cost: rounds with different paces.
//   - What the supervisor spends on jobs, forks, round trips and on waking up:
//     least squares over the rounds.
//   - Times in which nobody computes and nothing is waited for (a process has
//     been handed something and has not looked at it yet): what is left of the
//     measured time when the same rounds are simulated.
package calibrate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/models"
	"forkbench/record"
	"forkbench/sim"
	"forkbench/workload"
)

// Options say what package calibrate cannot know itself.
type Options struct {
	Name string // of the profile

	// Executor builds a contestant's model. The supervisor's costs and the
	// latency are found by simulating the rounds; without it they are estimated
	// from the records alone.
	Executor func(record.Model) (models.Executor, error)

	// UseMarked has rounds that are marked as contaminated used as the others are.
	UseMarked bool

	// Least is the number of rounds that a profile must be made from; 0 is 1.
	Least int
}

// A Result is a profile and what should be known about it.
type Result struct {
	Profile  *sim.Profile
	Rounds   int      // that it was made from
	Excluded []string // rounds that were left out, and why
	Warnings []string // what the records do not tell; the profile has them, too
}

// Profile makes a profile from rounds of one workload. Rounds that cannot be
// used, contaminated ones first of all, are left out; with too few left it is a
// *TooFewError.
func Profile(ctx context.Context, rounds []*Round, o Options) (*Result, error) {
	c := &calibration{options: o, profile: &sim.Profile{Version: sim.ProfileVersion, Sources: make(map[string]string)}}
	for _, r := range rounds {
		if why := r.unusable(o.UseMarked); why != "" {
			c.Excluded = append(c.Excluded, r.place()+": "+why)
			continue
		}
		c.rounds = append(c.rounds, r)
	}
	if err := suffice(rounds, len(c.rounds), o); err != nil {
		return nil, err
	}
	if err := c.oneWarmUp(rounds); err != nil {
		return nil, err
	}
	c.Warnings = Doubtful(c.rounds, o.UseMarked)
	first := c.rounds[0]
	for _, r := range c.rounds {
		a, b := &first.Header.Spec, &r.Header.Spec
		if a.Workload != b.Workload || a.Runtime != b.Runtime || a.Payload != b.Payload {
			return nil, fmt.Errorf("%s is about %s in %s and %s about %s in %s: a profile is for one application",
				first.Run, a.Workload, a.Runtime, r.Run, b.Workload, b.Runtime)
		}
	}
	c.profile.Runs = []string{}
	for _, r := range c.rounds {
		if id := r.ID(); !slices.Contains(c.profile.Runs, id) {
			c.profile.Runs = append(c.profile.Runs, id)
		}
	}
	slices.Sort(c.profile.Runs)
	c.outcomes()
	c.hazards()
	c.pace()
	c.profile.Name = o.Name
	if o.Name == "" {
		e := &first.Header.Environment
		c.profile.Name = fmt.Sprintf("%s in %s on %s, calibrated", first.Header.Spec.Workload, first.Header.Spec.Runtime, e.CPU)
	}
	c.kinds()
	c.coldCaches()
	c.memory()
	c.boot()
	c.jobs()
	c.child()
	c.parent()
	c.redis()
	c.services()
	c.strays()
	if err := c.supervisor(ctx); err != nil {
		return nil, err
	}
	if err := c.profile.Validate(); err != nil {
		return nil, fmt.Errorf("the records lead to no valid profile: %w", err)
	}
	c.profile.Warnings = c.Warnings
	c.Rounds, c.Result.Profile = len(c.rounds), c.profile
	return &c.Result, nil
}

// A calibration is a profile in the making.
type calibration struct {
	Result
	options Options
	rounds  []*Round
	profile *sim.Profile

	elastic   map[string]float64 // by class: 1 if its jobs take more CPU on slower cores, else 0
	late      map[string]float64 // CPU of a late job, by class, ms
	bothKinds bool               // of children: with a socket, and without
}

// outcomes warns of jobs that were not done: they took time that no job of the
// profile takes.
func (c *calibration) outcomes() {
	lost, settled := 0, 0
	for _, r := range c.rounds {
		lost, settled = lost+r.Settled-len(r.jobs), settled+r.Settled
	}
	if lost > 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf(
			"jobs: %d of %d failed, crashed or timed out: those of the profile are all done, and what these cost is part of what the others do",
			lost, settled))
	}
}

// hazards warns of models that must not be used as they are: a simulation of them
// knows their costs only.
func (c *calibration) hazards() {
	for _, r := range c.rounds {
		for _, why := range r.Unfit {
			text := fmt.Sprintf("%s: %s: it is simulated as fast as it was, and must not be used as it is", r.Round.Model, why)
			if !slices.Contains(c.Warnings, text) {
				c.Warnings = append(c.Warnings, text)
			}
		}
	}
}

// source says where a field, or a part, comes from.
func (c *calibration) source(path, format string, args ...any) {
	c.profile.Sources[path] = fmt.Sprintf(format, args...)
}

// lacking is source for what the records do not tell.
func (c *calibration) lacking(path, format string, args ...any) {
	c.source(path, format, args...)
	c.Warnings = append(c.Warnings, path+": "+c.profile.Sources[path])
}

// boot is from the parents' records.
func (c *calibration) boot() {
	var cold, warm sample
	wait, old := -1.0, false
	user, system := 0.0, 0.0
	for _, r := range c.rounds {
		var own, warmed []float64
		for i := range r.parents {
			p := &r.parents[i]
			cpu := format.Millis(p.StartupUserNS + p.StartupSysNS)
			if p.Warmed {
				if p.BootCPUNS > 0 {
					warmed = append(warmed, format.Millis(p.BootCPUNS))
				} else {
					old = true
					warmed = append(warmed, max(cpu-format.Millis(p.WarmNS), 0))
				}
				continue
			}
			own = append(own, cpu)
			user, system = user+format.Millis(p.StartupUserNS), system+format.Millis(p.StartupSysNS)
			if rest := format.Millis(p.ReadyNS-p.ForkNS) - cpu; r.trees() == 1 && (wait < 0 || rest < wait) {
				wait = rest
			}
		}
		cold.all, warm.all = append(cold.all, own...), append(warm.all, warmed...)
	}
	b := &c.profile.Boot
	switch {
	case !cold.empty():
		b.CPU = sim.Constant(rounded(stats.Median(cold.all)))
		c.source("boot", "median of the CPU of %d parents that were not warmed, from their records", len(cold.all))
		b.System = rounded(system / max(user+system, 1e-9))
	default:
		b.CPU = sim.Constant(rounded(stats.Median(warm.all)))
		b.System = 0.2
		if old {
			c.lacking("boot", "no parent without a warm-up: CPU of %d parents less the time that their warm-up took; the share of system time is assumed", len(warm.all))
		} else {
			c.lacking("boot", "no parent without a warm-up: CPU of %d parents before it; the share of system time is assumed", len(warm.all))
		}
	}
	b.Wait = sim.Constant(rounded(wait))
	if wait < 0 {
		c.lacking("boot.wait_ms", "no round boots one parent at a time: taken as none")
	} else {
		c.source("boot.wait_ms", "the least of ready - fork - CPU, of rounds that boot one parent")
	}
}

// classes names the class of each job, in the order of the names.
type classes struct {
	names []string
	of    func(id uint64) int
}

// maxClass is the length of arguments that still make a class of their own.
const maxClass = 48

// classesOf tells the jobs of a mix apart, by what the workload says that they
// do. Jobs of all other workloads are one class.
func classesOf(s *record.Spec) classes {
	one := classes{[]string{s.Workload}, func(uint64) int { return 0 }}
	w, err := workload.Parse(s.Workload)
	if err != nil || s.Payload != "" || !strings.Contains(s.Workload, ",") {
		return one
	}
	names := make(map[string]int)
	known := classes{}
	memo := make(map[uint64]int)
	known.of = func(id uint64) int {
		if i, ok := memo[id]; ok {
			return i
		}
		text := string(w.Payload(s.Seed, id))
		if len(text) > maxClass { // arguments of its own: the function tells the class
			text, _, _ = strings.Cut(text, ",")
		}
		i, ok := names[text]
		if !ok {
			i = len(known.names)
			names[text] = i
			known.names = append(known.names, text)
		}
		memo[id] = i
		return i
	}
	for id := range uint64(s.Jobs) {
		known.of(id)
	}
	return classes{known.names, known.of}
}

// assigned is which class of the profile each job of a run is of. It is nil where
// there is nothing to assign, or the profile does not know a class by its name:
// then they are drawn.
func assigned(p *sim.Profile, s *record.Spec) func(id uint64) int {
	if len(p.Jobs) < 2 {
		return nil
	}
	index := make(map[string]int)
	for i := range p.Jobs {
		index[p.Jobs[i].Name] = i
	}
	own := classesOf(s)
	of := make([]int, s.Jobs)
	for id := range of {
		i, ok := index[own.names[own.of(uint64(id))]]
		if !ok {
			return nil
		}
		of[id] = i
	}
	return func(id uint64) int { return of[id] }
}

// byUse sorts rounds, those with the most idle cores first.
func (c *calibration) byUse() []*Round {
	return slices.SortedStableFunc(slices.Values(c.rounds), func(a, b *Round) int {
		return cmp.Compare(a.use, b.use)
	})
}
