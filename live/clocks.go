package live

import (
	"time"

	"forkbench/proc"
)

// A clocks is the CPU that the round's processes had used at one moment, the
// dead and the living.
type clocks struct {
	children, parents time.Duration // of those that the host knows
	strays            time.Duration // of all others
	cgroup            time.Duration // what the control group says of them all; 0 if there is none

	readings []reading // of the living
	// Those that had been waited for and whose account was still on its way.
	// They are in the sums with what was last seen of them.
	between []between
}

// A reading is what a process, known to be alive, was taken to have waited for.
type reading struct {
	*process
	others time.Duration
}

type between struct {
	*process
	seen time.Duration
}

// clocks reads them. Without a control group, which lists them, what is left behind
// and alive is not in it: a search through all processes takes milliseconds.
func (h *Host) clocks() clocks {
	var strays []int
	if h.cgroup.dir != nil {
		strays = h.strays(false)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c := clocks{children: h.reaped.children.Total(), parents: h.reaped.parents.Total()}
	for _, p := range h.processes {
		pid := p.number()
		others := p.others(pid) // before the clock: it is not to be gone in between
		if used, err := proc.CPU(pid); err == nil {
			p.seen = used + others
			c.readings = append(c.readings, reading{p, others})
		} else {
			c.between = append(c.between, between{p, p.seen})
		}
		c.add(p, p.seen)
	}
	c.strays = h.reaped.strays.Total() + h.usedBy(strays)
	c.cgroup = h.cgroup.usage() // the clocks were read: the kernel has booked all until then
	return c
}

// others is what processes used that this one has waited for and that the host does
// not know: its account has that, and its clock has not. As long as it lives it is
// known to the tick of 10 ms, and only if it has not waited for one of the host's.
func (p *process) others(pid int) time.Duration {
	p.mu.Lock()
	ours := p.children.Total()
	p.mu.Unlock()
	switch {
	case p.role != roleChild || ours > 0:
		return p.waited
	case p.ran.Load() == 0:
		return 0
	}
	return proc.Waited(pid)
}

func (c *clocks) add(p *process, used time.Duration) {
	if p.role == roleChild {
		c.children += used
	} else {
		c.parents += used
	}
}

// total is what all had used.
func (c *clocks) total() time.Duration { return c.children + c.parents + c.strays }

// settled is the clocks after all accounts have come in: what had been waited for
// had used all that it ever would.
func (c clocks) settled() clocks {
	for _, b := range c.between {
		c.add(b.process, b.spent-b.seen)
	}
	c.between = nil
	return c
}

// concluded is settled, with all that processes were ever to wait for: what they
// wait for after the last job is what jobs have begun.
func (c clocks) concluded() clocks {
	c = c.settled()
	for _, r := range c.readings {
		if r.told {
			c.add(r.process, r.waited-r.others)
		}
	}
	c.readings = nil
	return c
}
