package live

import (
	"slices"
	"time"

	"forkbench/internal/proc"
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

// A reading is what a process, known to be alive, was taken to have waited for, and
// to have used with that.
type reading struct {
	*process
	others, used time.Duration
}

type between struct {
	*process
	seen time.Duration
}

// clocks reads them. What the host does not know and what is alive is read by
// strays, which is told what the host knows, for a search through all processes takes
// milliseconds. Nobody who starts or ends a process waits for the reading.
func (h *Host) clocks(strays func(known map[int]bool) time.Duration) clocks {
	h.booking.Lock() // no stray goes over from the living to the dead meanwhile
	defer h.booking.Unlock()
	h.mu.Lock()
	c := clocks{children: h.reaped.children.Total(), parents: h.reaped.parents.Total()}
	open := slices.Clone(h.processes)
	waited := make([]time.Duration, len(open))
	for i, p := range open {
		waited[i] = p.waited
	}
	h.mu.Unlock()

	pids := make([]int, len(open))
	known := make(map[int]bool, len(open))
	for i, p := range open {
		pids[i] = p.number()
		known[pids[i]] = true
	}
	for _, pid := range h.lineage.living() {
		known[pid] = true
	}
	c.strays = strays(known)
	now := make([]reading, 0, len(open))
	var gone []*process
	for i, p := range open {
		others := p.others(pids[i], waited[i]) // before the clock: it is not to be gone in between
		if used, err := proc.CPU(pids[i]); err == nil {
			now = append(now, reading{p, others, used + others})
		} else {
			gone = append(gone, p)
		}
	}
	c.cgroup = h.cgroup.usage() // the clocks were read: the kernel has booked all until then

	h.mu.Lock()
	defer h.mu.Unlock()
	c.strays += h.reaped.strays.Total()
	for _, r := range now {
		r.seen = r.used
		c.add(r.process, r.used)
	}
	for _, p := range gone {
		c.add(p, p.seen)
		c.between = append(c.between, between{p, p.seen})
	}
	c.readings = now
	return c
}

// grouped is what those have used that the control group lists and the host does not
// know; nothing without one.
func (h *Host) grouped(known map[int]bool) time.Duration {
	return h.usedBy(unknown(h.cgroup.processes(), known))
}

// everywhere is what all of the round have used that the host does not know.
func (h *Host) everywhere(known map[int]bool) time.Duration {
	return h.usedBy(unknown(h.list(true), known))
}

// unknown is those that are not known.
func unknown(pids []int, known map[int]bool) []int {
	return slices.DeleteFunc(pids, func(pid int) bool { return known[pid] })
}

// others is what processes used that this one has waited for and that the host does
// not know: its account has that, and its clock has not. As long as it lives it is
// known to the tick of 10 ms, and only if it has not waited for one of the host's.
func (p *process) others(pid int, waited time.Duration) time.Duration {
	p.mu.Lock()
	ours := p.children.Total()
	p.mu.Unlock()
	switch {
	case p.role != roleChild || ours > 0:
		return waited
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
