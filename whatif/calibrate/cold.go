package calibrate

import (
	"math"
	"slices"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/sim"
)

// slice is for how long a process runs before another one's turn, in milliseconds:
// the timer's tick at CONFIG_HZ=250.
const slice = 4

// mostHot is for how long the kernel leaves a process on its core at most, in
// milliseconds.
const mostHot = 0.5

// mostLatency is what a core takes at most to wake up, in milliseconds: what others
// take it for is a misfit of something else.
const mostLatency = 0.02

// busy is the utilization from which on cores are taken to be busy all the time.
const busy = 0.8

// crowding is the probability that a tree of processes finds a core's caches filled
// by others: see sim.Cores.
func (r *Round) crowding() float64 {
	cores, trees := float64(r.Header.Environment.Cores), float64(r.trees())
	if trees <= cores || r.use < busy {
		return 0
	}
	return 1 - cores/trees
}

// turns is how often a process has lost its core within so much CPU.
func turns(ms float64) float64 { return math.Floor(ms / slice) }

// coldCaches finds what it costs to begin on a core that others have used: from
// rounds of one contestant with more and with fewer trees of processes.
func (c *calibration) coldCaches() {
	var parents, children slope
	for _, same := range c.byContestant() {
		var x, y, z, w []float64
		alone := false
		for _, r := range same {
			n := float64(r.forks())
			if n < enoughForks {
				continue
			}
			each := format.Millis(r.Children.Total()) / n
			jobs := float64(r.Settled) / n
			alone = alone || r.crowding() == 0
			x, y = append(x, 2*r.crowding()), append(y, format.Millis(r.Parents.Total())/n) // it forks, and it reaps
			z, w = append(z, r.crowding()*(1+jobs*turns(each/jobs))), append(w, each)
		}
		// Those with several crowdings above 0 tell too little.
		if alone && slices.Max(append(x, 0)) > 0 {
			parents.add(x, y)
			children.add(z, w)
		}
	}
	p := &c.profile.Cores
	p.HotMS = mostHot
	c.source("cores.hot_ms", "Linux's default of sched_migration_cost_ns")
	c.source("cores.packs", "not as Linux is released")
	p.SliceMS = slice
	c.source("cores.slice_ms", "the timer's tick on a kernel with CONFIG_HZ=250, taken to be this one's")
	if parents.none() {
		c.lacking("cores.cold_parent_ms", "no rounds of one model with more parents than cores, and with fewer: taken as none")
		c.lacking("cores.cold_child_ms", "as cold_parent_ms")
		return
	}
	p.ColdParent, p.ColdChild = sim.Constant(rounded(parents.value())), sim.Constant(rounded(children.value()))
	how := "CPU for each child, of rounds of one model with more and with fewer parents, per time that they begin on a core that others have used: least squares"
	c.source("cores.cold_parent_ms", "the parents' %s", how)
	c.source("cores.cold_child_ms", "the children's %s", how)
}

// warmed is what CPU a process would have used without others, that began so
// often.
func (c *calibration) warmed(r *Round, ms, begins float64) float64 {
	return max(ms-r.crowding()*begins*c.profile.Cores.ColdChild.Mean(), 0)
}

// byContestant is the rounds by their contestant's name, in the order of the first
// of each.
func (c *calibration) byContestant() [][]*Round {
	var all [][]*Round
	at := make(map[string]int)
	for _, r := range c.rounds {
		i, ok := at[r.Round.Model]
		if !ok {
			i = len(all)
			at[r.Round.Model] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], r)
	}
	return all
}

// A slope is the one of several lines, each with a height of its own.
type slope struct{ xy, xx float64 }

func (s *slope) add(x, y []float64) {
	mx, my := stats.Mean(x), stats.Mean(y)
	for i := range x {
		s.xy += (x[i] - mx) * (y[i] - my)
		s.xx += (x[i] - mx) * (x[i] - mx)
	}
}

func (s *slope) none() bool { return s.xx == 0 }

// value is 0 for a line that falls: others make nothing cheaper.
func (s *slope) value() float64 { return max(s.xy/s.xx, 0) }
