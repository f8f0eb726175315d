package sim

import (
	"context"
	"fmt"
	"iter"
	"time"

	"forkbench/models"
	"forkbench/record"
	"forkbench/workload"
)

// A Host is the simulated machine for the time of one round: models.Host in
// virtual time. Machine.Run makes it.
type Host struct {
	engine
	workers int
	profile *Profile
	timeout int64
	ending  func(workload.Job) models.Status
	round   Round
	cancel  context.CancelCauseFunc
	ended   func() bool // the executor's context has

	random     source
	mix        mixer
	supervisor station
	threads    int       // of the supervisor
	backends   []*thread // of services, that have nothing to do
	resting    []*thread // of it, that have nothing to do; the last one has rested least
	supervised int64     // when it last ended something: it goes on with the next without a wake-up
	server     *server   // Redis; nil if it costs nothing
	feed       feed
	settle     settler
	gate       gate
	parallel   bool // the outermost Parallel runs

	lastID      int
	first, last *process // open: started and not yet reaped
	processes   int      // of them
	trees       int      // of them that were booted
	running     *process // the root of the tree that last used a core
	turns       uint64   // how often that was another one than before
	cold        bool     // that costs something
	prompt      bool     // there is no latency, or it is a matter of the queues
	pages       pages

	used          clocks
	begin, finish clocks // around the work
	drained       bool   // finish has been taken
	gone          time.Duration
	wait4         time.Duration    // CPU of the reaped, summed
	made          []record.Process // reaped before work began: their times wait for its zero
	sampleEvery   time.Duration
	samples       int
	job           record.Job // reused: a sink does not keep it
	law           law
	foreignCall   foreignCall
}

var _ models.Host = (*Host)(nil)

// Workers is the number of slots.
func (h *Host) Workers() int { return h.workers }

// Now is the virtual time since the round began.
func (h *Host) Now() time.Duration { return time.Duration(h.now) }

// Sleep waits, but not beyond the context.
func (h *Host) Sleep(ctx context.Context, d time.Duration) error {
	if err := h.check(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	switch h.sleepWithin(ctx, int64(d)) {
	case cancelled:
		return ctx.Err()
	case killed:
		return errOver
	case ready, timedOut:
	}
	return nil
}

// WithTimeout is context.WithTimeout in virtual time.
func (h *Host) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if h.check() != nil {
		return context.WithCancel(ctx)
	}
	return newLimit(ctx, h, d)
}

// Backlog is how many of the jobs read ahead are due and not taken.
func (h *Host) Backlog() int {
	if h.check() != nil || !h.gate.open {
		return 0
	}
	return h.feed.backlog(h)
}

// Boot starts a process and has it load the application.
func (h *Host) Boot(context.Context) (models.Process, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	p := h.newProcess(h.current.slot.id, nil)
	if err := p.boot(); err != nil {
		return nil, fmt.Errorf("boot process %d: %w", p.id, err)
	}
	return p, nil
}

// A slot is one of the branches of Parallel. Work that calls no Parallel runs
// in a slot of its own.
type slot struct {
	id    int
	top   *slot     // the branch of the outermost Parallel; itself there
	holds []holding // jobs taken and not settled
	asked bool      // only of a top slot
	root  bool      // not of a Parallel

	inside bool         // it has asked for jobs, and has not yet been told that there are no more
	due    bool         // it waits until the job that it has picked is due
	picked workload.Job // which is this one
}

type slotKey struct{}

// MaxWorkers bounds the slots: each is a coroutine of some kilobytes.
const MaxWorkers = 100_000

// Parallel runs work in n slots.
func (h *Host) Parallel(ctx context.Context, n int, work func(ctx context.Context, slot int) error) error {
	if err := h.check(); err != nil {
		return err
	}
	if n < 1 || n > MaxWorkers {
		return fmt.Errorf("Parallel with %d slots: must be from 1 to %d", n, MaxWorkers)
	}
	outer := h.current.slot
	nested := !outer.root
	if !nested {
		h.gate.expect(n)
		h.parallel = true
		defer func() { h.parallel = false }()
	}
	branch, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	left, first := n, error(nil)
	self := h.current
	for i := range n {
		s := &slot{id: i}
		s.top = s
		if nested {
			s.id, s.top = outer.id, outer.top
		}
		named := context.WithValue(branch, slotKey{}, s)
		h.spawn(named, s, func() error { return work(named, i) }, func(err error) {
			h.gate.done(h, s)
			if err != nil && first == nil {
				first = err
				cancel(err)
				h.wakeCancelled()
			}
			if left--; left == 0 && self.place == joining {
				h.wake(self, ready)
			}
		})
	}
	for left > 0 && !h.engine.ending {
		h.park(joining)
	}
	return first
}

// Jobs yields jobs to the calling slot.
func (h *Host) Jobs(ctx context.Context) iter.Seq[workload.Job] {
	return func(yield func(workload.Job) bool) {
		if h.check() != nil {
			return
		}
		s := h.current.slot
		if err := h.names(ctx, s); err != nil {
			h.fail(err)
			return
		}
		if !h.gate.enter(ctx, h, s) {
			return
		}
		for {
			job, ok := h.feed.next(ctx, h)
			if !ok {
				if ctx.Err() == nil || h.ended() {
					h.gate.leave(h, s)
				}
				return
			}
			h.law.take(h.now)
			s.holds = append(s.holds, holding{job.ID, h.now})
			if !yield(job) {
				return
			}
		}
	}
}

// names checks that a context names the slot that uses it.
func (h *Host) names(ctx context.Context, by *slot) error {
	if !h.parallel {
		return nil
	}
	const cure = "pass Jobs the context that Parallel gave to work, or one derived from it"
	switch s, ok := ctx.Value(slotKey{}).(*slot); {
	case !ok:
		return fmt.Errorf("model %s asked for jobs in no slot, while its slots run: %s", h.round.Model, cure)
	case s.top != by.top:
		return fmt.Errorf("model %s, slot %d: asked for jobs as slot %d: %s", h.round.Model, by.id, s.id, cure)
	}
	return nil
}

// Settle reports an outcome.
func (h *Host) Settle(job workload.Job, o models.Outcome) {
	if h.check() == nil {
		h.settle.add(h, &job, &o)
	}
}

// fail ends the round: the executor's context is cancelled with the cause. The
// first cause counts.
func (h *Host) fail(cause error) {
	h.cancel(cause)
	h.wakeCancelled()
}

func (h *Host) write(l record.Line) {
	if h.lost.Load() {
		return
	}
	h.outside.Add(1)
	err := h.round.Sink.Write(l)
	h.outside.Add(-1)
	if err != nil {
		h.fail(fmt.Errorf("write a record: %w", err))
	}
}

// newProcess makes the bookkeeping of a process; nothing of it runs yet.
func (h *Host) newProcess(slot int, maker *process) *process {
	h.lastID++
	p := &process{host: h, id: h.lastID, slot: slot, maker: maker, busy: station{free: 1}, extra: 1}
	p.root = p
	if maker != nil {
		p.root = maker.root
	}
	return p
}

// link notes that a process runs.
func (h *Host) link(p *process) {
	p.state = running
	p.before = !h.gate.open
	p.preceding = h.last
	if h.last == nil {
		h.first = p
	} else {
		h.last.following = p
	}
	h.last = p
	h.processes++
	if p.maker == nil {
		h.trees++
	}
}

// unlink notes that a process has been reaped.
func (h *Host) unlink(p *process) {
	if p.preceding == nil {
		h.first = p.following
	} else {
		p.preceding.following = p.following
	}
	if p.following == nil {
		h.last = p.preceding
	} else {
		p.following.preceding = p.preceding
	}
	p.preceding, p.following = nil, nil
	if p.maker == nil {
		h.trees--
	}
}

// toPages converts MiB.
func (h *Host) toPages(mb float64) int64 {
	if mb == 0 {
		return 0
	}
	return int64(mb*1024/h.profile.Memory.PageKB + 0.5)
}

// perMB is a cost in nanoseconds that grows with what a process has mapped.
func (h *Host) perMB(ms float64, p *process) int64 {
	if ms == 0 {
		return 0
	}
	return nanos(ms * float64(p.mem.mapped) * h.profile.Memory.PageKB / 1024)
}

// A mixer draws what each job asks for.
type mixer struct {
	classes []Class
	upTo    []float64 // cumulated weights; nil for one class
	plain   bool      // one class of constants: nothing to draw
}

func newMixer(classes []Class) mixer {
	m := mixer{classes: classes}
	if len(classes) == 1 {
		m.plain = classes[0].CPU.kind == constant && classes[0].Wait.kind == constant
		return m
	}
	total, sum := 0.0, 0.0
	for i := range classes {
		total += classes[i].Weight
	}
	for i := range classes {
		sum += classes[i].Weight
		m.upTo = append(m.upTo, sum/total)
	}
	return m
}

// demand is what one job asks for, in nanoseconds.
type demand struct {
	class     *Class
	cpu, wait int64
}

// class is one of several: that which the round says, or drawn.
func (h *Host) class(id uint64) *Class {
	m := &h.mix
	u, i := h.random.unit(), 0 // drawn in any case: the same seed gives the same times
	if known := h.round.Class; known != nil {
		if i = known(id); i < 0 || i >= len(m.classes) {
			h.fail(fmt.Errorf("job %d is of class %d, says the round: the profile has %d, from 0", id, i, len(m.classes)))
			i = 0
		}
		return &m.classes[i]
	}
	for i < len(m.upTo)-1 && u >= m.upTo[i] {
		i++
	}
	return &m.classes[i]
}

// demand depends on the seed and the job's ID alone.
func (h *Host) demand(id uint64) demand {
	m := &h.mix
	c := &m.classes[0]
	if !m.plain {
		h.random.begin(forJob, id)
		if m.upTo != nil {
			c = h.class(id)
		}
	}
	return demand{c, c.CPU.draw(&h.random), c.Wait.draw(&h.random)}
}
