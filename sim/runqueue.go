package sim

import (
	"math"
	"slices"
)

// A thread is what runs on one core at a time: a process, the supervisor, Redis.
type thread struct {
	last  *core // where it ran last; nil if it never did
	until int64 // and until when
}

// runqueues are cores with a queue each, as a kernel has them. An actor runs until
// it has got its demand, or until its slice is over and another one waits.
//
// What wakes up begins on the core where it ran last if that is idle, or else on
// another idle one, or else on that of what has woken it with a message and runs
// there alone, or else on the one of these two with less to run (wake_affine and
// select_idle_sibling in Linux). A new process begins on an idle core, or else on
// that of its parent, unless another one has had clearly less to run of late
// (sched_balance_find_dst_group). Where they are packed, an idle core is left alone
// as long as nobody waits on the other one.
//
// A core that becomes idle takes over what waits elsewhere, but not what
// ran there a moment ago, whose caches are still warm: it stays, though a core is
// idle (task_hot, sched_migration_cost_ns), until the idle one looks again, a slice
// later. At the end of a slice the core with the least to run takes over, if it has
// two less.
//
// What has got its demand holds its core until time goes on: it may go on with the
// next one at once, and what it wakes finds the core busy.
type runqueues struct {
	most    int     // cores
	cores   []*core // those that ever had something to run
	idle    []*core // of those
	order   []*core // a binary heap by when something happens on them
	hot     int64   // ns
	slice   int64   // ns
	packs   bool
	latency func() int64
	waiting int // actors in queues

	// For the checks of conservation.
	got   int64 // by actors, the waking up of cores not included
	short int   // actors that ended without their demand
}

// A run is what runqueues know of an actor that computes, or has. The core stays that
// where it computed last.
type run struct {
	core   *core
	thread *thread
	exits  bool  // what wakes the next one is the end of a process, and not a message
	since  int64 // it came to this core
	demand int64 // with which it came to this core
	left   int64 // of the demand
	wanted int64 // the demand at first
	lead   int64 // of what it wanted, the core's waking up
}

// A core runs one actor after another.
type core struct {
	running *actor
	held    *thread // whose actor has just got its demand
	began   int64   // when what runs began to
	turn    int64   // when its thread did
	waited  int64   // for how long that had waited then
	queue   []*actor
	due     int64 // when something happens here
	idle    int   // its place in runqueues.idle; -1 if it is not idle
	rank    int   // its place in runqueues.order

	// How many actors it has had of late: see average.
	mean     float64
	meanAt   int64 // when it was that
	meanArea int64 // and what the area was then

	// For the checks of conservation and of Little's law.
	at                        int64 // up to when the area is known
	area, stay, given, served int64
}

func newRunqueues(cores int, c *Cores, latency func() int64) *runqueues {
	return &runqueues{
		most: cores, hot: nanos(c.HotMS), slice: nanos(c.SliceMS), packs: c.Packs, latency: latency,
	}
}

// n is how many actors the core has.
func (c *core) n() int {
	if c.running == nil {
		return len(c.queue)
	}
	return 1 + len(c.queue)
}

// load is how many threads want the core.
func (c *core) load() int {
	if c.held != nil {
		return c.n() + 1
	}
	return c.n()
}

// advance brings the sums up to date before the number of actors changes.
func (c *core) advance(now int64) {
	c.area += (now - c.at) * int64(c.n())
	c.at = now
}

// halfLife is that of what a core had to run in its average (PELT in Linux).
const halfLife = 32e6 // ns

// average is how many actors the core has had of late.
func (c *core) average(now int64) float64 {
	c.advance(now)
	if d := float64(now - c.meanAt); d > 0 {
		old := math.Exp2(-d / halfLife)
		c.mean = old*c.mean + (1-old)*float64(c.area-c.meanArea)/d
		c.meanAt, c.meanArea = now, c.area
	}
	return c.mean
}

// due is when something happens next.
func (r *runqueues) due() int64 {
	if len(r.order) == 0 {
		return never
	}
	return r.order[0].due
}

// busy reports whether there is no idle core.
func (r *runqueues) busy() bool { return len(r.cores) == r.most && len(r.idle) == 0 }

// add has an actor run for a thread until it has got its demand.
func (r *runqueues) add(a *actor, t *thread, now, demand int64) {
	c := r.place(a, t, now)
	a.run.lead = 0
	if c.idle >= 0 {
		a.run.lead = r.latency() // it has to wake up
	}
	a.run.thread, a.run.demand = t, demand+a.run.lead
	a.run.left, a.run.wanted, a.run.core = a.run.demand, a.run.demand, c
	r.put(c, a, now)
}

// place picks the core.
func (r *runqueues) place(a *actor, t *thread, now int64) *core {
	last := t.last
	fresh := last == nil
	if fresh {
		last = a.run.core // of its parent, which has just made it
	}
	idle := len(r.idle) > 0 || len(r.cores) < r.most
	switch {
	case !fresh && (last.held == t || last.idle >= 0):
		return last // it goes on, or its core is idle
	case idle && r.packs && last != nil && last.room(fresh):
		return last
	case idle:
		return r.anIdle()
	case last == nil || a.run.core == nil:
		return r.least()
	case fresh:
		return r.forChild(last, now)
	case !a.run.exits && len(a.run.core.queue) == 0:
		return a.run.core // what runs there is about to sleep
	case a.run.core.load() < last.load():
		return a.run.core
	}
	return last
}

// long is how long a parent has waited for its core if that has no room for its
// children: more than a moment of the supervisor's.
const long = 100e3 // ns

// room reports whether the core is to take one more, though another one is idle:
// nobody waits there, nor has the parent of what is new done so.
func (c *core) room(fresh bool) bool {
	return len(c.queue) == 0 && !(fresh && c.waited > long)
}

// anIdle is one of the idle cores.
func (r *runqueues) anIdle() *core {
	if n := len(r.idle); n > 0 {
		return r.idle[n-1]
	}
	c := &core{idle: 0, rank: len(r.order), due: never}
	r.cores, r.idle, r.order = append(r.cores, c), append(r.idle, c), append(r.order, c)
	return c
}

// forChild is the core for a new process if none is idle: its parent's, unless the
// one with the least to run has had less of late, by more than imbalance.
func (r *runqueues) forChild(parent *core, now int64) *core {
	var other *core
	for _, c := range r.cores {
		if c != parent && (other == nil || len(c.queue) < len(other.queue)) {
			other = c
		}
	}
	if other != nil && parent.average(now) > imbalance*other.average(now) {
		return other
	}
	return parent
}

// imbalance is that of two cores with caches of their own, which Linux bears with
// (imbalance_pct).
const imbalance = 1.17

// least is a core with the least to run.
func (r *runqueues) least() *core {
	if len(r.idle) > 0 {
		return r.idle[len(r.idle)-1]
	}
	least := r.cores[0]
	for _, c := range r.cores[1:] {
		if len(c.queue) < len(least.queue) {
			least = c
		}
	}
	return least
}

// put has a core run an actor now, or when its turn comes.
func (r *runqueues) put(c *core, a *actor, now int64) {
	c.advance(now)
	a.run.since = now
	switch {
	case c.held == a.run.thread && c.held != nil:
		c.running, c.held, c.began = a, nil, now // and it is still its turn
	case c.idle >= 0:
		last := r.idle[len(r.idle)-1]
		r.idle[c.idle], last.idle = last, c.idle
		r.idle = r.idle[:len(r.idle)-1]
		c.idle = -1
		c.running, c.began, c.turn, c.waited = a, now, now, 0
	default:
		c.queue = append(c.queue, a)
		r.waiting++
	}
	r.plan(c, now)
}

// plan sets when something happens next on a core.
func (r *runqueues) plan(c *core, now int64) {
	c.due = never
	switch {
	case c.held != nil:
		c.due = now
	case c.running != nil:
		c.due = later(c.began, c.running.run.left)
		if len(c.queue) > 0 {
			c.due = min(c.due, max(later(c.turn, r.slice), now))
		}
	case c.idle >= 0 && r.waiting > 0:
		c.due = later(now, r.slice) // it looks again
	}
	if c.due >= never-1 {
		c.due = never // beyond the end of time
	}
	r.replan(c)
}

// next goes on at a time when something is due, and returns the actor that has got
// its demand, or nil if it was something else.
func (r *runqueues) next(now int64) *actor {
	c := r.order[0]
	a := c.running
	switch {
	case c.held != nil:
		r.release(c, now)
		return nil
	case a == nil:
		r.pull(c, now)
		return nil
	}
	ran := now - c.began
	if ran >= a.run.left {
		r.leave(c, now)
		r.got += a.run.wanted - a.run.lead
		if a.run.left != 0 {
			r.short++
		}
		return a
	}
	c.advance(now)
	c.given += ran
	a.run.left -= ran
	a.run.thread.until = now
	if to := r.least(); to.n() <= c.n()-2 {
		r.shift(c, now)
		r.account(c, a, now)
		a.run.demand = a.run.left
		a.run.core = to
		r.put(to, a, now)
		return nil
	}
	c.queue = append(c.queue, a)
	r.waiting++
	r.shift(c, now)
	return nil
}

// shift begins with the first in the queue, which has one.
func (r *runqueues) shift(c *core, now int64) {
	a := c.queue[0]
	c.queue = slices.Delete(c.queue, 0, 1)
	r.waiting--
	c.running, c.began, c.turn, c.waited = a, now, now, now-a.run.since
	r.plan(c, now)
}

// leave takes the running actor off.
func (r *runqueues) leave(c *core, now int64) {
	a := c.running
	c.advance(now)
	c.given += now - c.began
	a.run.left -= now - c.began
	r.account(c, a, now)
	a.run.thread.last, a.run.thread.until = c, now
	c.running, c.held = nil, a.run.thread
	r.plan(c, now)
}

// release lets the next one run on a core that was held.
func (r *runqueues) release(c *core, now int64) {
	c.held = nil
	if len(c.queue) > 0 {
		r.shift(c, now)
		return
	}
	c.idle = len(r.idle)
	r.idle = append(r.idle, c)
	r.pull(c, now)
}

func (r *runqueues) account(c *core, a *actor, now int64) {
	c.stay += now - a.run.since
	c.served += a.run.demand - a.run.left
}

// remove takes an actor off before its end. It returns what it got.
func (r *runqueues) remove(a *actor, now int64) int64 {
	c := a.run.core
	if c.running == a {
		r.leave(c, now)
	} else {
		r.unqueue(c, slices.Index(c.queue, a), now)
	}
	got := max(a.run.wanted-a.run.left-a.run.lead, 0)
	r.got += got
	return got
}

// unqueue takes out one of those that wait.
func (r *runqueues) unqueue(c *core, i int, now int64) *actor {
	c.advance(now)
	a := c.queue[i]
	c.queue = slices.Delete(c.queue, i, i+1)
	r.waiting--
	r.account(c, a, now)
	r.plan(c, now)
	return a
}

// pull has an idle core take over one that waits, from the core with the most to
// run of those that have one that may be moved.
func (r *runqueues) pull(to *core, now int64) {
	var from *core
	which := 0
	if r.waiting > 0 {
		for _, c := range r.cores {
			if from != nil && len(c.queue) <= len(from.queue) {
				continue
			}
			for i, a := range c.queue {
				if t := a.run.thread; t.last == nil || t.until <= now-r.hot {
					from, which = c, i
					break
				}
			}
		}
	}
	if from == nil {
		r.plan(to, now)
		return
	}
	a := r.unqueue(from, which, now)
	a.run.demand, a.run.core = a.run.left, to
	r.put(to, a, now)
}

// replan puts a core whose next time has changed in its place in the order.
func (r *runqueues) replan(c *core) {
	i := c.rank
	for i > 0 {
		parent := (i - 1) / 2
		if r.order[parent].due <= c.due {
			break
		}
		r.rank(r.order[parent], i)
		i = parent
	}
	for {
		least := 2*i + 1
		if least >= len(r.order) {
			break
		}
		if least+1 < len(r.order) && r.order[least+1].due < r.order[least].due {
			least++
		}
		if r.order[least].due >= c.due {
			break
		}
		r.rank(r.order[least], i)
		i = least
	}
	r.rank(c, i)
}

func (r *runqueues) rank(c *core, i int) { r.order[i], c.rank = c, i }

// verify checks cores that have nothing to run any more.
func (c *core) verify(fail func(format string, args ...any)) {
	if c.running != nil {
		return
	}
	if c.area != c.stay {
		fail("Little's law: a core had tasks for %d ns, tasks were there for %d ns", c.area, c.stay)
	}
	if c.given != c.served {
		fail("a core worked for %d ns, tasks received %d ns", c.given, c.served)
	}
}
