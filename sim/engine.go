package sim

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"sync/atomic"
)

// never is the time of what is not going to happen.
const never = math.MaxInt64

// later is t+d, but not beyond the end of time.
func later(t, d int64) int64 {
	if d > never-1-t {
		return never - 1
	}
	return t + d
}

// An actor is what can wait for something: a coroutine, in which a slot of the
// executor runs, or a machine, which only reacts.
type actor struct {
	fire func() // a machine's reaction; nil for a coroutine

	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	slot  *slot
	ctx   context.Context // that the slot was given
	index int             // in engine.actors
	owner goroutine       // in which it runs
	calls uint            // of the host
	askAt uint            // of them, when to look at the goroutine next

	place   place
	gen     uint32 // counts what it was woken from; older entries and queue places are stale
	reason  reason
	waitCtx context.Context // not nil: its end ends the wait
	foreign bool            // waitCtx was made by the executor

	// While it has a time limit: one entry of the event heap, put off rather
	// than removed, serves all the jobs that it runs.
	deadline int64 // 0 if there is none
	timer    bool  // the entry is in the heap

	// While it computes: what the one or the other kind of cores knows of it.
	share share
	run   run
	got   int64 // of its demand, if it was taken off early
}

// A place is what an actor waits for.
type place uint8

const (
	nowhere   place = iota
	computing       // for its share of the cores
	sleeping        // for time to pass
	queueing        // for a process or a server that others use
	atGate          // for the other slots to be ready
	atFeed          // for the stream to be read
	atSettler       // for room for an outcome
	hanging         // for nothing: its job never ends
	joining         // for the slots of its Parallel
)

var placeNames = [...]string{
	nowhere: "for nothing", computing: "for a core", sleeping: "for time to pass",
	queueing: "for a process that others use", atGate: "for the other slots to ask for a job",
	atFeed: "for the stream", atSettler: "for outcomes to be acknowledged",
	hanging: "for a job that never ends, without a time limit", joining: "for the slots of its Parallel",
}

// A reason is why a wait ended.
type reason uint8

const (
	ready     reason = iota // what it waited for has come
	cancelled               // its context ended
	timedOut                // the job exceeded its time
	killed                  // the round is over
)

// An engine runs actors in virtual time: one after another, in one goroutine at
// a time, in an order that depends on nothing else.
type engine struct {
	now     int64
	seq     uint64 // of the entries made so far
	events  heap
	cpu     cpus       // the cores, if they share all there is to run
	queues  *runqueues // the cores, if each has a queue; else nil
	ready   queue
	current *actor
	actors  []*actor // the coroutines that have not ended
	foreign int      // of which wait on contexts that the host did not make
	dead    bool     // killed: nothing waits any more, time stands still
	ending  bool     // stop has been called: nobody is resumed any more
	err     error    // why it was killed, if not by the caller

	poll    func() // looks at the real world
	pollIn  int
	pending func() bool // machines have work left when all coroutines have ended

	sampleAt int64 // when to look at the memory
	sample   func()

	beat    uint64
	turn    uint64        // whose it is: a slot, from 1
	pulse   atomic.Uint64 // beat, with the slot that was resumed, for the watchdog
	outside atomic.Int32  // in code of the caller that may take its time: the sink, the jobs
	lost    atomic.Bool   // the watchdog has given up on it
}

// pollEvery is how many events pass between two looks at the real world.
const pollEvery = 64

func (e *engine) init(cores int) {
	e.cpu = cpus{cores: float64(cores), rate: 1, due: never}
	e.sampleAt, e.pollIn = never, pollEvery
}

// spawn makes a coroutine that runs work and then done. It starts when its turn
// comes.
func (e *engine) spawn(ctx context.Context, s *slot, work func() error, done func(error)) {
	a := &actor{slot: s, ctx: ctx, index: len(e.actors)}
	a.next, a.stop = iter.Pull(func(yield func(struct{}) bool) {
		a.yield, a.owner = yield, thisGoroutine()
		err := work()
		last := len(e.actors) - 1
		e.actors[a.index] = e.actors[last]
		e.actors[a.index].index = a.index
		e.actors[last] = nil
		e.actors = e.actors[:last]
		done(err)
	})
	e.actors = append(e.actors, a)
	e.ready.push(a)
}

// run runs everything to its end. It must be followed by stop.
func (e *engine) run() {
	for len(e.actors) > 0 || !e.dead && e.pending() {
		if e.ready.empty() {
			switch {
			case e.step():
			case e.dead && e.ready.empty():
				return // what is left cannot be woken
			case e.dead: // by this step, which has woken all
			default:
				e.stuck()
			}
			continue
		}
		a := e.ready.pop()
		if a.fire != nil {
			a.fire()
			continue
		}
		e.mark(a)
		e.current = a
		a.next()
		e.current = nil
		e.afterUser()
	}
}

// stop ends the coroutines that have not ended: after a panic in one of them.
func (e *engine) stop() {
	e.dead, e.ending = true, true
	for len(e.actors) > 0 {
		a := e.actors[len(e.actors)-1]
		e.current = a
		a.stop()
		if n := len(e.actors); n > 0 && e.actors[n-1] == a {
			e.actors = e.actors[:n-1] // it had not begun
		}
	}
}

// mark tells the watchdog that the executor's code goes on, and where.
func (e *engine) mark(a *actor) {
	e.turn = uint64(a.slot.id + 1)
	e.live()
}

// live tells the watchdog that something goes on.
func (e *engine) live() {
	e.beat++
	e.pulse.Store(e.beat<<slotBits | e.turn)
}

const slotBits = 20 // MaxWorkers fits

// afterUser looks for what the executor's code may have done that the engine
// is not told of.
func (e *engine) afterUser() {
	if e.foreign > 0 {
		e.wakeCancelled()
	}
}

// park waits until the current actor is woken. Events are worked off right
// here, so that a switch of coroutines is needed only if another one is woken
// first.
func (e *engine) park(at place) reason {
	a := e.current
	if e.dead && at != joining {
		return killed
	}
	a.place = at
	e.afterUser()
	for {
		if e.ready.empty() {
			switch {
			case e.step():
			case e.dead:
				a.yield(struct{}{})
				return killed
			default:
				e.stuck()
			}
			continue
		}
		next := e.ready.front()
		if next == a {
			e.ready.pop()
			e.mark(a)
			break
		}
		if next.fire != nil {
			e.ready.pop()
			next.fire()
			continue
		}
		if !a.yield(struct{}{}) {
			e.current = a
			return killed
		}
		break
	}
	e.current = a
	return a.reason
}

// parkWithin is park, but not beyond the end of the context.
func (e *engine) parkWithin(ctx context.Context, at place) reason {
	e.within(ctx)
	return e.park(at)
}

// within bounds what the current actor is about to wait for.
func (e *engine) within(ctx context.Context) {
	a := e.current
	if e.dead {
		return
	}
	a.waitCtx = ctx
	if ctx = countWaiting(ctx, 1); ctx != a.ctx && ctx.Done() != a.ctx.Done() {
		a.foreign = true
		e.foreign++
	}
}

// wake ends an actor's wait. It is not waiting any more, though it has not run.
func (e *engine) wake(a *actor, why reason) {
	if a.place == computing && why != ready {
		if e.queues != nil {
			a.got = e.queues.remove(a, e.now)
		} else {
			a.got = e.cpu.remove(a, e.now)
		}
	}
	if a.foreign {
		a.foreign = false
		e.foreign--
	}
	if a.waitCtx != nil {
		countWaiting(a.waitCtx, -1)
	}
	a.place, a.waitCtx, a.reason = nowhere, nil, why
	a.gen++
	e.ready.push(a)
}

// step goes on to the next event. It reports false if there is none.
func (e *engine) step() bool {
	if e.pollIn--; e.pollIn <= 0 {
		e.pollIn = pollEvery
		e.poll()
		e.live()
		if e.lost.Load() {
			e.kill()
		}
	}
	if e.dead {
		return false
	}
	for len(e.events.list) > 0 {
		if top := &e.events.list[0]; top.kind == deadline && top.who.deadline == 0 {
			top.who.timer = false
		} else if !top.stale() {
			break
		}
		e.events.pop()
	}
	due := e.cpu.due
	if e.queues != nil {
		due = e.queues.due()
	}
	at, event := max(due, e.now), false
	if len(e.events.list) > 0 {
		if t := int64(e.events.list[0].key); t <= at {
			at, event = max(t, e.now), true
		}
	}
	if at == never {
		return false
	}
	for e.sampleAt <= at {
		e.now = max(e.now, e.sampleAt)
		e.sample()
	}
	e.now = at
	if !event {
		var a *actor
		if e.queues == nil {
			a = e.cpu.finish(at)
		} else {
			a = e.queues.next(at) // nil if nobody has come to an end
		}
		if a != nil {
			// As wake does, of an actor that waits within no context.
			a.place, a.reason = nowhere, ready
			a.gen++
			e.ready.push(a)
		}
		return true
	}
	if x := e.events.pop(); x.kind == deadline {
		e.expire(x.who)
	} else {
		e.wake(x.who, ready)
	}
	return true
}

// expire ends the job that an actor runs, if its time is up.
func (e *engine) expire(a *actor) {
	if a.deadline > e.now {
		e.schedule(a, a.deadline, deadline)
		return
	}
	a.timer = false
	if a.place == computing || a.place == sleeping || a.place == hanging {
		e.wake(a, timedOut)
	}
}

func (e *engine) schedule(a *actor, at int64, kind entryKind) {
	e.seq++
	e.events.push(entry{key: uint64(at), seq: e.seq, who: a, gen: a.gen, kind: kind})
}

// limit sets the time limit of the current actor.
func (e *engine) limit(d int64) {
	a := e.current
	a.deadline = later(e.now, d)
	if !a.timer {
		a.timer = true
		e.schedule(a, a.deadline, deadline)
	}
}

// add has an actor use the cores for a thread.
func (e *engine) add(a *actor, t *thread, d int64) {
	e.seq++
	if e.queues != nil {
		e.queues.add(a, t, e.now, d)
	} else {
		e.cpu.add(a, e.now, d, e.seq)
	}
}

// busy reports whether no core is idle.
func (e *engine) busy() bool {
	if e.queues != nil {
		return e.queues.busy()
	}
	return float64(e.cpu.n) >= e.cpu.cores
}

// A burst is some CPU for a thread, by the current actor:
//
//	b := e.burst(t, d)
//	if b.parks {
//		b.why = e.park(computing)
//	}
//	got := e.got(&b)
//
// It is not one function for speed: after a switch of coroutines the processor
// does not know where to return to, and each level of calls above park costs some
// nanoseconds. For the same reason within is apart from park.
type burst struct {
	ns    int64
	parks bool   // there is something to wait for
	why   reason // it ended
}

// burst puts the current actor on the cores, if it has to wait for them.
func (e *engine) burst(t *thread, d int64) burst {
	switch {
	case d <= 0 || e.dead:
		return burst{why: e.alive()}
	case e.overdue(e.current):
		return burst{why: timedOut}
	}
	e.add(e.current, t, d)
	return burst{ns: d, parks: true}
}

// got is what the current actor got.
func (e *engine) got(b *burst) int64 {
	if b.parks && b.why != ready {
		return e.current.got
	}
	return b.ns
}

// sleepWithin has the current actor wait for time to pass, or for the end of the
// context.
func (e *engine) sleepWithin(ctx context.Context, d int64) reason {
	if d <= 0 || e.dead {
		return e.alive()
	}
	e.schedule(e.current, later(e.now, d), wakeUp)
	return e.parkWithin(ctx, sleeping)
}

// sleep has the current actor wait for time to pass.
func (e *engine) sleep(d int64) reason {
	if d <= 0 || e.dead {
		return e.alive()
	}
	if e.overdue(e.current) {
		return timedOut
	}
	e.schedule(e.current, later(e.now, d), wakeUp)
	return e.park(sleeping)
}

// hang has the current actor wait for nothing but its time limit.
func (e *engine) hang() reason {
	if e.overdue(e.current) {
		return timedOut
	}
	return e.park(hanging)
}

// overdue reports whether the actor's time was up when it went from one wait to
// the next, where expire could not end any.
func (e *engine) overdue(a *actor) bool { return a.deadline != 0 && a.deadline <= e.now }

func (e *engine) alive() reason {
	if e.dead {
		return killed
	}
	return ready
}

// wakeCancelled ends the waits whose contexts have ended.
func (e *engine) wakeCancelled() {
	for _, a := range e.actors {
		if a.waitCtx != nil && a.waitCtx.Err() != nil {
			e.wake(a, cancelled)
		}
	}
}

// kill ends all waits: time stands still from here on. Those that wait for
// their slots follow when these have ended.
func (e *engine) kill() {
	if e.dead {
		return
	}
	e.dead = true
	for _, a := range e.actors {
		if a.place != nowhere && a.place != joining {
			e.wake(a, killed)
		}
	}
}

// A DeadlockError says that the executor waits for what can never come.
type DeadlockError struct {
	Model string
	Slot  int    // one that waits
	For   string // what it waits for
}

func (e *DeadlockError) Error() string {
	return fmt.Sprintf("model %s is deadlocked: slot %d waits %s", e.Model, e.Slot, e.For)
}

// stuck is called when coroutines wait and nothing is going to happen.
func (e *engine) stuck() {
	d := &DeadlockError{For: placeNames[joining]}
	for _, a := range e.actors {
		if a.place != nowhere && a.place != joining {
			d.Slot, d.For = a.slot.id, placeNames[a.place]
			break
		}
	}
	e.err = errors.Join(e.err, d)
	e.kill()
}

// A station is what only so many can use at a time, in the order in which they
// came: a process, a server.
type station struct {
	free  int
	queue queue
}

// enter waits until the current actor may use the station. It must leave it
// again if that is so, and only then.
func (s *station) enter(e *engine) reason {
	if s.free > 0 && !e.dead {
		s.free--
		return ready
	}
	s.queue.push(e.current)
	return e.park(queueing)
}

// leave lets the next one in.
func (s *station) leave(e *engine) {
	for !e.dead && !s.queue.empty() {
		if a := s.queue.pop(); a != nil {
			e.wake(a, ready)
			return
		}
	}
	s.free++
}
