package sim

import "math"

// cpus is c cores shared by egalitarian processor sharing: each of n runnable
// actors runs at the rate min(1, c/n). It is what a fair scheduler comes to when
// its time slice is short against the work, and moving to another core costs
// nothing.
//
// It costs O(log n) for each event, by virtual time (Parekh and Gallager 1993,
// "A generalized processor sharing approach to flow control"): V grows at the
// rate that each actor runs at, and one that comes at V with a demand of w leaves
// when V reaches V+w, whoever comes and goes in between. V starts again from 0
// whenever nobody runs, so that its precision does not decay.
type cpus struct {
	cores float64
	n     int     // runnable
	rate  float64 // of each: busy cores over n
	v     float64
	at    int64 // when v was that
	heap  heap  // by the V at which they leave
	due   int64 // when the first of them leaves, at the present rate

	// For the checks of conservation and of Little's law: what a core gave is
	// what somebody got, and time spent here is number here over time.
	ops    int64
	given  float64 // core time given out, from the rate
	served float64 // core time received, from the demands
	area   int64   // sum over time of n; wraps, like stay
	stay   int64   // sum of everybody's time here
}

// A share is what cpus know of an actor that computes.
type share struct {
	demand int64
	vEnd   float64 // the V at which it leaves
	since  int64
}

func (c *cpus) advance(now int64) {
	dt := now - c.at
	c.at = now
	if dt == 0 || c.n == 0 {
		return
	}
	c.v += float64(dt) * c.rate
	c.area += dt * int64(c.n)
	c.given += float64(dt) * c.rate * float64(c.n)
}

// add has an actor run until it has got its demand, in nanoseconds of one core.
func (c *cpus) add(a *actor, now, demand int64, seq uint64) {
	c.advance(now)
	c.n++
	c.ops++
	a.share.demand, a.share.vEnd, a.share.since = demand, c.v+float64(demand), now
	c.heap.push(entry{key: math.Float64bits(a.share.vEnd), seq: seq, who: a, gen: a.gen})
	c.plan()
}

// finish returns the actor that leaves next; now is when that was due.
func (c *cpus) finish(now int64) *actor {
	c.advance(now)
	a := c.heap.pop().who
	c.leave(a, a.share.demand)
	return a
}

// remove takes an actor off before its end. It returns what it got.
func (c *cpus) remove(a *actor, now int64) int64 {
	c.advance(now)
	got := a.share.demand - int64(math.Round(max(a.share.vEnd-c.v, 0)))
	got = min(max(got, 0), a.share.demand)
	a.gen++ // its entry is stale
	c.leave(a, got)
	return got
}

func (c *cpus) leave(a *actor, got int64) {
	c.served += float64(got)
	c.stay += c.at - a.share.since
	a.gen++
	c.n--
	if c.n == 0 {
		c.v = 0
		c.heap.clear()
	}
	c.plan()
}

func (c *cpus) plan() {
	if c.n == 0 {
		c.due = never
		return
	}
	for c.heap.list[0].stale() {
		c.heap.pop()
	}
	c.rate = 1
	n := float64(c.n)
	if n > c.cores {
		c.rate = c.cores / n
	}
	left := math.Float64frombits(c.heap.list[0].key) - c.v
	if c.rate != 1 {
		left /= c.rate
	}
	switch {
	case left <= 0:
		c.due = c.at
	case left > never/2:
		c.due = later(c.at, never/2)
	default:
		// Rounded, not rounded up, so that the error has no bias.
		c.due = later(c.at, int64(left+0.5))
	}
}
