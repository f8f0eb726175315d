package live

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"forkbench/conditions"
	"forkbench/models"
	"forkbench/record"
	"forkbench/workload"
)

// A Host is this computer for the time of one round: models.Host with real
// processes. Machine.Run makes it.
type Host struct {
	m      *Machine
	r      Round
	born   time.Duration // CLOCK_MONOTONIC at the start: zero of Now
	cancel context.CancelCauseFunc
	ended  func() bool // the executor's context has

	feed   *feed
	settle *settler
	gate   *gate
	cgroup *cgroup
	waits  sync.WaitGroup // one for each spawned process and each output

	// booking is held by whoever waits for orphans until they are booked, and by whoever
	// adds up what the living and the dead have used. It comes before all other locks.
	booking sync.Mutex
	// launching is held by whoever starts a process until the host knows it, and by
	// whoever waits for orphans.
	launching sync.RWMutex

	lineage lineage
	endless atomic.Bool   // a process of the host's own could not be ended
	limit   time.Duration // for a process to end that was killed

	services services
	noise    conditions.NoiseMeter
	meter    meter
	begin    window        // when work began
	finish   *window       // when it ended; nil before
	gone     time.Duration // when the last process was
	killed   int           // strays, at the end
	apart    time.Duration // before work, spent on what is no start-up of the model's

	awayBefore time.Duration // how long Redis had been away before the round

	mu        sync.Mutex
	lastID    int
	processes []*process // open: started and not yet reaped
	// What was there before work and is not the host's: its CPU then, until the host
	// has waited for it.
	early    map[int]time.Duration
	outputs  []*output
	seating  []*seats
	reaped   spent            // by processes that are gone
	startup  record.CPU       // of which by the booted ones before they were ready
	total    time.Duration    // wait4, summed
	made     []record.Process // reaped before work began: their times wait for its zero
	warnings []string
	hazards  []record.Hazard
	undone   []string // by parents that had run a job
	ending   bool     // what is started is killed
}

var _ models.Host = (*Host)(nil)

// spent is CPU by role. Strays are orphans that this program has waited for.
type spent struct{ children, parents, strays record.CPU }

// Workers is the number of slots.
func (h *Host) Workers() int { return h.m.Workers }

// Now is the time since the round began.
func (h *Host) Now() time.Duration { return monotonic() - h.born }

// since converts a CLOCK_MONOTONIC stamp to the clock of Now.
func (h *Host) since(stamp time.Duration) time.Duration { return stamp - h.born }

// Sleep waits, like time.Sleep, but not beyond the context.
func (h *Host) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// WithTimeout is context.WithTimeout: this host's clock is the real one.
func (h *Host) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

// Backlog is how many of the jobs read ahead are due and not taken.
func (h *Host) Backlog() int {
	if !h.gate.isOpen() {
		return 0
	}
	return h.feed.backlog(h.gate.zero)
}

// Boot starts a process and has it load the application.
func (h *Host) Boot(ctx context.Context) (models.Process, error) {
	s := h.slotOf(ctx)
	p := h.newProcess(roleParent, s.id, nil)
	p.birth = s.top
	if err := h.m.Runtime.boot(p); err != nil {
		return nil, err
	}
	return p, nil
}

// A slot is one of the branches of Parallel. Work that calls no Parallel runs
// in a slot of its own.
type slot struct {
	id    int
	top   *slot        // the branch of the outermost Parallel; itself there
	holds atomic.Int32 // jobs taken and not settled
	// Guarded by the gate.
	asked  bool // only of a top slot
	inside bool // it has asked for jobs, and has not yet been told that there are no more
}

type slotKey struct{}

func (h *Host) slotOf(ctx context.Context) *slot {
	if s, ok := ctx.Value(slotKey{}).(*slot); ok {
		return s
	}
	return h.gate.root
}

// Parallel runs work in n slots.
func (h *Host) Parallel(ctx context.Context, n int, work func(ctx context.Context, slot int) error) error {
	if n < 1 {
		return fmt.Errorf("Parallel with %d slots: needs at least 1", n)
	}
	outer, nested := ctx.Value(slotKey{}).(*slot)
	if !nested {
		h.gate.expect(n)
		defer h.gate.joined()
	}
	g, ctx := errgroup.WithContext(ctx)
	for i := range n {
		s := &slot{id: i}
		s.top = s
		if nested {
			s.id, s.top = outer.id, outer.top
		}
		g.Go(func() error {
			defer h.gate.done(s)
			return work(context.WithValue(ctx, slotKey{}, s), i)
		})
	}
	return g.Wait()
}

// Jobs yields jobs to the calling slot.
func (h *Host) Jobs(ctx context.Context) iter.Seq[workload.Job] {
	s := h.slotOf(ctx)
	return func(yield func(workload.Job) bool) {
		if s == h.gate.root && h.gate.inParallel() {
			h.fail(fmt.Errorf("model %s asked for jobs in no slot, while its slots run: "+
				"pass Jobs the context that Parallel gave to work, or one derived from it", h.r.Model))
			return
		}
		h.examineParents(s.top)
		if !h.gate.enter(ctx, s) {
			return
		}
		for {
			job, ok := h.feed.next(ctx, h.gate.zero)
			if !ok {
				if ctx.Err() == nil || h.ended() {
					h.gate.leave(s)
				}
				return
			}
			s.holds.Add(1)
			h.settle.taken(job, s)
			if !yield(job) {
				return
			}
		}
	}
}

// Settle reports an outcome.
func (h *Host) Settle(job workload.Job, o models.Outcome) {
	if err := h.settle.add(job, o); err != nil {
		h.fail(err)
	}
}

// fail ends the round: the executor's context is cancelled with the cause. The
// first cause counts.
func (h *Host) fail(cause error) { h.cancel(cause) }

func (h *Host) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Contains(h.warnings, text) {
		h.warnings = append(h.warnings, text)
		h.m.log().Warn(text)
	}
}

// newProcess makes the bookkeeping of a process; nothing of it runs yet.
func (h *Host) newProcess(role string, slot int, maker *process) *process {
	p := &process{host: h, role: role, slot: slot, maker: maker, token: make(chan struct{}, 1)}
	p.runs.answers = kindDone
	p.token <- struct{}{}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastID++
	p.id = h.lastID
	return p
}

// register notes that a process runs.
func (h *Host) register(p *process) {
	p.before = !h.gate.isOpen()
	h.mu.Lock()
	h.processes = append(h.processes, p)
	if p.own != nil {
		h.lineage.spawn(p.pid)
	}
	ending := h.ending
	h.mu.Unlock()
	if ending {
		p.kill()
	}
}

// open is the processes that run, in the order of their making.
func (h *Host) open() []*process {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.processes)
}

// killAll ends all processes at once, and those that are just being started: the
// run was cancelled.
func (h *Host) killAll() {
	h.mu.Lock()
	h.ending = true
	h.mu.Unlock()
	for _, p := range h.open() {
		p.kill()
	}
}

// output is where a process and all that it forked print to.
func (h *Host) output(p *process) *output {
	for p.maker != nil {
		p = p.maker
	}
	return p.prints
}

// seats are those that a process's children sit in. What this program executes for
// a process that has none sits in its booted ancestor's.
func (h *Host) seats(p *process) *seats {
	for p.chairs == nil && p.maker != nil {
		p = p.maker
	}
	return p.chairs
}

// forget drops a process that was registered and never came to be.
func (h *Host) forget(p *process) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := slices.Index(h.processes, p); i >= 0 {
		h.processes = slices.Delete(h.processes, i, i+1)
	}
}

// account books a process that has been reaped and writes its record.
func (h *Host) account(p *process, e exit) {
	p.mu.Lock()
	own := e.cpu.Sub(p.children)
	minor, major := e.minor-p.faults, e.major-p.major
	p.mu.Unlock()

	if p.end == 0 || p.end > e.at {
		p.end = e.at
	}
	r := record.Process{
		Model: h.r.Model, Round: h.r.Number,
		ID: p.id, Role: p.role, Slot: p.slot, PID: p.pid,
		Jobs: int(p.ran.Load()), Exit: e.String(), Before: p.before, Refork: p.refork.Load(), Warmed: p.warm,
		Socket: p.role == roleChild && p.conn != nil,
		Faults: minor, Major: major, Killed: p.killed.Load(),
		ForkNS: p.forkBegan, ReadyNS: p.ready, WarmNS: p.warming, EndNS: p.end, ReapNS: e.at,
		UserNS: own.User, SystemNS: own.System,
		StartupUserNS: p.startup.User, StartupSysNS: p.startup.System,
		BootCPUNS: p.bootCPU, WarmCPUNS: p.warmCPU,
	}
	if p.maker != nil {
		r.Parent = p.maker.id
	}

	h.mu.Lock()
	p.spent = own.Total()
	if e.own > 0 {
		p.told, p.waited = true, max(p.spent-e.own, 0)
	}
	if i := slices.Index(h.processes, p); i >= 0 {
		h.processes = slices.Delete(h.processes, i, i+1)
	}
	if p.role == roleChild {
		h.reaped.children = h.reaped.children.Add(own)
	} else {
		h.reaped.parents = h.reaped.parents.Add(own)
		h.startup = h.startup.Add(p.startup)
	}
	h.total += own.Total()
	if !h.gate.isOpen() {
		h.made = append(h.made, r)
		h.mu.Unlock()
		return
	}
	h.mu.Unlock()
	h.write(r)
}

// write puts a process's record on the round's clock, whose zero is the start of
// work, and passes it on.
func (h *Host) write(r record.Process) {
	zero := h.gate.zero
	if zero == 0 {
		zero = h.born // work never began
	}
	for _, t := range []*time.Duration{&r.ForkNS, &r.ReadyNS, &r.EndNS, &r.ReapNS} {
		if *t != 0 { // a boot that failed was never ready
			*t -= zero
		}
	}
	if err := h.r.Sink.Write(&r); err != nil {
		h.fail(fmt.Errorf("write a record: %w", err))
	}
}

// flushMade writes the records that waited for the start of work.
func (h *Host) flushMade() {
	h.mu.Lock()
	made := h.made
	h.made = nil
	h.mu.Unlock()
	for _, r := range made {
		h.write(r)
	}
}

const (
	roleParent = record.RoleParent
	roleChild  = record.RoleChild
)

// errInterrupted is the cause of a cancellation that is not a failure.
var errInterrupted = errors.New("interrupted")
