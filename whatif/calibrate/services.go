package calibrate

import (
	"slices"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/record"
	"forkbench/sim"
)

// services are what other programs of the machine use for jobs: for each, and more
// for the first of a process, by rounds with many and with few jobs for each
// process.
func (c *calibration) services() {
	var names []string
	for _, r := range c.rounds {
		for _, s := range r.Services {
			if s.CPU.Total() > 0 && !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
	}
	slices.Sort(names)
	for _, name := range names {
		var line slope
		var x, y []float64 // first jobs for each job, and its CPU
		var user, system float64
		for _, r := range c.rounds {
			jobs := float64(r.Settled)
			used := 0.0
			for _, s := range r.Services {
				if s.Name == name {
					used += format.Millis(s.CPU.Total())
					user, system = user+format.Millis(s.CPU.User), system+format.Millis(s.CPU.System)
				}
			}
			x, y = append(x, float64(r.busy())/jobs), append(y, used/jobs)
		}
		line.add(x, y)
		s := sim.Service{Name: name, System: rounded(system / max(user+system, 1e-9))}
		first := 0.0
		if line.xx > leastFirsts*leastFirsts*float64(len(x)) {
			first = min(line.value(), max(stats.Mean(y)/max(stats.Mean(x), 1e-9), 0))
		} else {
			c.Warnings = append(c.Warnings, "services: no rounds with many and with few jobs for each process: what "+name+
				" does for the first job of a process, a connection, is not told from what it does for each")
		}
		s.First = sim.Constant(rounded(first))
		s.Job = sim.Constant(rounded(max(stats.Mean(y)-first*stats.Mean(x), 0)))
		c.profile.Services = append(c.profile.Services, s)
	}
	if names != nil {
		c.source("services", "the CPU of each service during work, per job, and per process that ran jobs: least squares over %d rounds; whoever else asked it meanwhile is in it", len(c.rounds))
	}
}

// leastFirsts is how much the share of first jobs must vary over rounds, as a
// standard deviation, to tell what they cost.
const leastFirsts = 0.05

// busy is how many processes ran jobs.
func (r *Round) busy() int {
	n := 0
	for _, list := range [][]record.Process{r.children, r.parents} {
		for i := range list {
			if list[i].Jobs > 0 {
				n++
			}
		}
	}
	return n
}
