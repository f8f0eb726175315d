package calibrate

import (
	"forkbench/internal/stats"
	"forkbench/sim"
)

// sockets is how many of the children made during work had a socket of their own,
// and how many had none.
func (r *Round) sockets() (with, without int) {
	for i := range r.children {
		switch p := &r.children[i]; {
		case p.Before:
		case p.Socket:
			with++
		default:
			without++
		}
	}
	return with, without
}

// few is how many jobs a child with a socket may run for its cost to be told from
// that of running on: the second job, and the parent's caches, which are cold when
// it forks rarely.
const few = 3

// kinds notes whether there are rounds that make children with a socket, for few
// jobs, and rounds that make children without: else what the socket costs is not
// told apart from what a fork does, or a second job.
func (c *calibration) kinds() {
	with, without := false, false
	for _, r := range c.rounds {
		w, o := r.sockets()
		with = with || w >= enoughForks && len(r.jobs) < few*w
		without = without || o >= enoughForks
	}
	c.bothKinds = with && without
	s := &c.profile.Socket
	s.Parent, s.Child, s.Supervisor = sim.Constant(0), sim.Constant(0), sim.Constant(0)
	switch {
	case c.bothKinds:
	case with:
		c.lacking("socket", "no round made %d children with their only job in hand: taken as none, and what it costs is in fork", enoughForks)
	default:
		c.lacking("socket", "no round made %d children with a socket of their own, for less than %d jobs each, during work: taken as none; prefork(max-jobs-per-child=1) does", enoughForks, few)
	}
}

// socketChild takes the child's part from the fit of what lives consist of.
func (c *calibration) socketChild(ms float64) {
	if !c.bothKinds {
		return
	}
	c.profile.Socket.Child = sim.Constant(rounded(ms))
	c.source("socket.child_ms", "a child's CPU besides its jobs, more for those with a socket: from the same least squares as supervisor.protocol_ms")
}

// socketParent takes the parent's part: its CPU for each child, medians of rounds
// whose children have a socket and of rounds whose children have none.
func (c *calibration) socketParent(with, without []float64) {
	if !c.bothKinds {
		return
	}
	c.profile.Socket.Parent = sim.Constant(rounded(stats.Median(with) - stats.Median(without)))
	c.source("socket.parent_ms", "the parents' CPU for each child, median of %d rounds whose children have a socket less that of %d whose children have none",
		len(with), len(without))
}
