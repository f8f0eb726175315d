package live

import (
	"time"

	"forkbench/internal/proc"
)

// What was started before work and is none of the host's own processes: helpers of
// the application's. What they have used until then is start-up, whoever waits for
// them in the end.

// lookEarly reads the clocks of those that are there as work begins, also of those
// that have ended and that their parents have not waited for, and returns what all
// of them have used that nobody has waited for. It is for clocks.
func (h *Host) lookEarly(known map[int]bool) time.Duration {
	early := make(map[int]time.Duration)
	add := func(pid int) {
		if used, err := proc.CPU(pid); err == nil && !known[pid] {
			early[pid] = used
		}
	}
	for _, pid := range h.list(h.cgroup.dir == nil) {
		add(pid)
	}
	for parent := range known {
		for _, pid := range proc.Children(parent) {
			add(pid)
		}
	}
	var sum time.Duration
	for _, used := range early {
		sum += used
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.early = early
	return sum
}

// inherit corrects the clocks of the beginning of work, now that all have ended: of
// those that the host has not waited for, a parent has, and its account has them.
func (h *Host) inherit(begin *clocks) {
	for _, used := range h.early {
		begin.strays -= used
		begin.parents += used
	}
}
