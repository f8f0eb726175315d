package calibrate

import (
	"fmt"
	"math"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/record"
	"forkbench/sim"
)

// What a fork and an exit cost for each MiB of the parent, measured on a virtual
// machine with an AMD EPYC: 0.020 and 0.028 ms per MB.
const (
	defaultForkPerMB = 0.020
	defaultExitPerMB = 0.028
)

// mebi is bytes in a MiB.
const mebi = 1 << 20

// memory is what a parent holds.
func (c *calibration) memory() {
	var cold, warm []float64
	for _, r := range c.rounds {
		var own []float64
		for _, s := range r.samples {
			parents := r.trees()
			children := s.Processes - parents
			if children < 0 || parents != 1 || s.PSS == 0 {
				continue
			}
			if alone := float64(s.PSS) - float64(s.ChildUSS)*float64(children); alone > 0 {
				own = append(own, alone/mebi)
			}
		}
		if len(own) == 0 {
			continue
		}
		if r.warm() {
			warm = append(warm, stats.Median(own))
		} else {
			cold = append(cold, stats.Median(own))
		}
	}
	m := &c.profile.Memory
	m.PageKB = 4
	c.source("memory.page_kb", "the page of this architecture; huge pages are %q", c.rounds[0].Header.Environment.HugePages)
	switch {
	case len(cold) > 0:
		m.BootedMB = rounded(stats.Median(cold))
		c.source("memory.booted_mb", "PSS of the tree less the children's own memory, in %d rounds with one cold parent", len(cold))
	case len(warm) > 0:
		m.BootedMB = rounded(stats.Median(warm))
		c.lacking("memory.booted_mb", "no round with one cold parent: from %d rounds with a warm one", len(warm))
	default:
		m.BootedMB = 10
		c.lacking("memory.booted_mb", "no round with one parent was long enough for a sample: 10 is a bare interpreter's")
	}
	c.files()
	if len(cold) > 0 && len(warm) > 0 {
		c.profile.OneTime.MemoryMB = rounded(max(stats.Median(warm)-stats.Median(cold), 0))
		c.source("one_time.memory_mb", "the same of %d rounds with one warm parent, less that", len(warm))
	} else {
		c.lacking("one_time.memory_mb", "no rounds with one cold and with one warm parent to compare: taken as none")
	}
}

// files finds what all processes of a tree share although they were booted apart.
func (c *calibration) files() {
	m := &c.profile.Memory
	var shared []float64
	for _, r := range c.rounds {
		n := float64(r.trees())
		var own []float64
		for _, s := range r.samples {
			children := float64(s.Processes) - n
			if n < 2 || children < 0 || s.PSS == 0 {
				continue
			}
			parents := (float64(s.PSS) - float64(s.ChildUSS)*children) / mebi
			own = append(own, (n*m.BootedMB-parents)/(n-1))
		}
		if len(own) > 0 {
			shared = append(shared, min(max(stats.Median(own), 0), m.BootedMB))
		}
	}
	if len(shared) == 0 {
		c.lacking("memory.file_mb", "no round with several parents: taken as none")
		return
	}
	m.FileMB = rounded(stats.Median(shared))
	c.source("memory.file_mb", "what is missing in the tree's PSS in %d rounds with several parents, for each parent but one", len(shared))
}

// child is a child's CPU besides its jobs: to start, to end, for each job, and
// while it is young.
func (c *calibration) child() {
	var all []*lives
	var starts, exits []float64
	most, least := 0.0, math.Inf(1) // jobs for each child
	for _, r := range c.rounds {
		l := c.lives(r)
		if len(l.children) == 0 || l.jobs == 0 || l.cpu == 0 {
			continue
		}
		all = append(all, l)
		each := l.jobs / float64(len(l.children))
		most, least = max(most, each), min(least, each)
		s, e := r.ends()
		starts, exits = append(starts, s...), append(exits, e...)
	}
	tellFaults(all)
	var x []float64
	decay := defaultDecay
	if len(all) > 0 {
		x, decay = bestLives(all)
	} else {
		x = make([]float64, 5)
	}
	outside, protocol, page, young := x[0], x[1], x[2], x[3]
	switch {
	case len(all) == 0:
		c.lacking("supervisor.protocol_ms", "no child ran a job to its end: taken as none")
	case most < 3*least && least < 3:
		// Nothing to tell them apart by: all of it is the child's.
		outside, protocol = outside+protocol, 0
		c.lacking("supervisor.protocol_ms", "no rounds with few and with many jobs for each child: it is part of the fork's and the exit's")
	default:
		c.source("supervisor.protocol_ms", "the children's CPU besides their jobs, for each job: least squares over children, jobs, faults and young processes in %d rounds", len(all))
	}
	c.profile.Young = sim.Young{CPU: sim.Constant(rounded(young)), Decay: rounded(decay)}
	c.source("young", "what is left of the children's CPU after late jobs, first jobs, start, end and protocol: a geometric series over a child's jobs, the decay with the least squares in %d rounds", len(all))
	c.socketChild(x[4])
	c.profile.Supervisor.Protocol = sim.Constant(rounded(protocol))
	share := 0.5
	if len(starts) > 0 {
		s, e := stats.Median(starts), stats.Median(exits)
		share = s / max(s+e, 1e-9)
	}
	f, exit := &c.profile.Fork, &c.profile.Exit
	f.Start = sim.Constant(rounded(outside * share))
	// A page of a child's own costs something at its end; sim counts those that
	// are left, which are fewer than the faults.
	exit.PerPage = c.perPage(page)
	end := outside * (1 - share)
	exit.PerMB = rounded(min(defaultExitPerMB, end/2/max(c.profile.Memory.BootedMB, 1)))
	exit.Base = sim.Constant(rounded(max(end-exit.PerMB*c.profile.Memory.BootedMB, 0)))
	text := "a child's CPU besides its jobs (least squares, children and jobs of each round), divided as the times before its first job and after its last"
	switch {
	case outside == 0:
		c.lacking("fork.start_ms", "no rounds that fork for few jobs each: taken as none")
		c.lacking("exit", "as fork.start_ms")
	case len(starts) == 0:
		c.lacking("fork.start_ms", "a child's CPU besides its jobs, half of it: no child was forked with its job in hand, which would tell its start from its end")
		c.source("exit", "the other half of that; the growth with size as for fork.per_mb_ms")
	default:
		c.source("fork.start_ms", "%s (%d children)", text, len(starts))
		c.source("exit", "%s; the growth with size as measured elsewhere, 0.028 ms per MiB, or half of it all", text)
	}
	c.source("fork.touched_pages", "not told apart from first_job.touched_pages, which they are in")
}

// perPage is the exit's cost of a page, from that of a fault.
func (c *calibration) perPage(fault float64) float64 {
	var cold, warm float64
	for _, r := range c.rounds {
		for i := range r.children {
			if p := &r.children[i]; p.Jobs == 1 {
				if r.warm() {
					warm = max(warm, float64(p.Faults))
				} else {
					cold = max(cold, float64(p.Faults))
				}
			}
		}
	}
	own := float64(c.profile.FirstJob.Pages + c.profile.OneTime.Pages)
	if own == 0 {
		return 0
	}
	return rounded(fault * max(cold, warm) / own)
}

// ends is the wall times before the first job and after the last one, of children
// that were forked with their only job in hand.
func (r *Round) ends() (starts, exits []float64) {
	born := make(map[int]*record.Process)
	for i := range r.children {
		if p := &r.children[i]; p.Jobs == 1 && !p.Before && !p.Killed {
			born[p.ID] = p
		}
	}
	for _, j := range r.jobs {
		if p := born[j.process]; p != nil && p.ForkNS >= j.dequeued {
			starts = append(starts, max(format.Millis(j.started-p.ReadyNS), 0))
			exits = append(exits, max(format.Millis(p.ReapNS-p.EndNS), 0))
		}
	}
	return starts, exits
}

// enoughForks is the number of forks from which a round tells what one costs.
const enoughForks = 10

// parent is a parent's CPU for its children.
func (c *calibration) parent() {
	var with, without, calls []float64 // the first two: of children with a socket, and of those without
	for _, r := range c.rounds {
		n := r.forks()
		if n < enoughForks {
			continue
		}
		each := format.Millis(r.Parents.Total()) / float64(n)
		each -= 2 * r.crowding() * c.profile.Cores.ColdParent.Mean() // it forks, and it reaps
		if sockets, _ := r.sockets(); 2*sockets > n {
			with = append(with, each)
		} else {
			without = append(without, each)
		}
		var own []float64
		for i := range r.children {
			if p := &r.children[i]; !p.Before {
				own = append(own, format.Millis(p.ReadyNS-p.ForkNS))
			}
		}
		calls = append(calls, stats.Median(own))
	}
	f := &c.profile.Fork
	all := len(with) + len(without)
	if all == 0 {
		f.Base, f.Reap, f.PerMB = sim.Constant(0.3), sim.Constant(0.2), 0
		c.lacking("fork", "no round forked %d children during work: what a small Python process takes, measured elsewhere", enoughForks)
		return
	}
	total := stats.Median(without)
	if len(without) == 0 {
		total = stats.Median(with)
	}
	c.socketParent(with, without)
	call := min(stats.Median(calls), total)
	f.PerMB = rounded(min(defaultForkPerMB, call/2/max(c.profile.Memory.BootedMB, 1)))
	f.Base = sim.Constant(rounded(max(call-f.PerMB*c.profile.Memory.BootedMB, 0)))
	f.Reap = sim.Constant(rounded(total - call))
	c.source("fork.base_ms", "median time of the fork call, in %d rounds with forks, less what grows with size", all)
	c.source("fork.reap_ms", "the parents' CPU for each child, median of those of the same rounds whose children have no socket, or else of all, less the fork call")
	c.source("fork.per_mb_ms", "as measured elsewhere, 0.020 ms per MiB, or half of the call: parents of one size do not tell")
}

// redis is the server's CPU.
func (c *calibration) redis() {
	var rows [][]float64
	var ones []float64
	user, system := 0.0, 0.0
	for _, r := range c.rounds {
		total := format.Millis(r.Redis.Total())
		if total <= 0 {
			continue
		}
		user, system = user+format.Millis(r.Redis.User), system+format.Millis(r.Redis.System)
		rows = append(rows, []float64{float64(r.batches+r.reads()) / total, float64(r.Settled) / total})
		ones = append(ones, 1)
	}
	d := &c.profile.Redis
	d.Batch, d.LingerMS = readAhead, linger
	c.source("redis.batch", "that of package live")
	c.source("redis.linger_ms", "that of package live")
	c.source("redis.round_trip_ms", "a server on the same machine: part of supervisor.latency_ms")
	if len(rows) == 0 {
		c.lacking("redis", "the server did not tell its CPU: taken as none")
		return
	}
	x := fit(rows, ones)
	d.Command = sim.Constant(rounded(x[0]))
	d.Read, d.Settle = sim.Constant(rounded(x[1]/2)), sim.Constant(rounded(x[1]/2))
	d.System = rounded(system / (user + system))
	c.source("redis", "the server's CPU in %d rounds: least squares over round trips (distinct times of settling, and reads of %d jobs) and jobs; reading and settling are taken to cost the same",
		len(rows), readAhead)
}

// What package live does.
const (
	readAhead = 256
	linger    = 20
)

// reads is how many round trips it took to read the jobs.
func (r *Round) reads() int { return (r.Enqueued + readAhead - 1) / readAhead }

// strays says what the profile does not have: a simulated job leaves nothing
// running.
func (c *calibration) strays() {
	var left, all, jobs float64
	for _, r := range c.rounds {
		left += format.Millis(r.Strayed.Total())
		all += format.Millis(r.Children.Total())
		jobs += float64(r.Settled)
	}
	if left > noStrays*all {
		c.Warnings = append(c.Warnings, fmt.Sprintf(
			"what jobs leave running used %.3g ms of CPU for each job, %.0f %% of all that their processes used, and is not in the profile: a simulated job costs so much less",
			left/jobs, 100*left/all))
	}
}

// noStrays is the share of the processes' CPU up to which what jobs leave running
// can be overlooked.
const noStrays = 0.01
