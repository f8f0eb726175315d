package sim

import (
	"time"

	"forkbench/record"
)

// clocks is the CPU used so far, by whom.
type clocks struct {
	children, parents, supervisor, redis record.CPU
	services                             record.CPU // all of them
	commands                             int64      // Redis's round trips
	waits                                int64      // times that the supervisor had nothing to do
}

// split is d nanoseconds with a share of system time.
func split(d int64, system float64) record.CPU {
	if system == 0 {
		return record.CPU{User: time.Duration(d)}
	}
	s := time.Duration(float64(d) * system)
	return record.CPU{User: time.Duration(d) - s, System: s}
}

// use has the current actor compute for a process.
func (h *Host) use(p *process, d int64, system float64) reason {
	b := h.beginBurst(p, d)
	if b.parks {
		b.why = h.park(computing)
	}
	h.endBurst(p, &b, system)
	return b.why
}

// beginBurst and endBurst are what is to be done for a process before and after a
// burst. See there.
func (h *Host) beginBurst(p *process, d int64) burst {
	if h.cold && d > 0 {
		d += h.warmCaches(p, d)
	}
	return h.burst(&p.thread, d)
}

func (h *Host) endBurst(p *process, b *burst, system float64) int64 {
	if b.parks && h.queues == nil { // the queues note it themselves
		p.thread.until = h.now
	}
	got := h.got(b)
	if got > 0 {
		p.book(split(got, system))
	}
	return got
}

// warmCaches is what p's next d of CPU is more because the caches of its core hold
// what other trees of processes have left there. See Cores.
func (h *Host) warmCaches(p *process, d int64) int64 {
	tree := p.root
	if h.running != tree {
		h.running = tree
		h.turns++
	}
	c := &h.profile.Cores
	trees := float64(h.trees)
	// How many of them have had a turn since this one had: no more than there are.
	others := min(float64(h.turns-tree.turn), trees)
	tree.turn = h.turns
	if trees <= h.cpu.cores || !h.busy() {
		return 0
	}
	times := 0.0
	if others > h.cpu.cores && p.thread.until != h.now { // else it goes on with what it did
		times = 1 - h.cpu.cores/others
	}
	if slice := nanos(c.SliceMS); slice > 0 {
		times += float64(d/slice) * (1 - h.cpu.cores/trees)
	}
	cost := &c.ColdChild
	if p == tree {
		cost = &c.ColdParent
	}
	if cost.kind != constant {
		h.random.begin(forCold, h.seq)
	}
	return int64(times * float64(cost.draw(&h.random)))
}

// book notes CPU that a process has used.
func (p *process) book(c record.CPU) {
	p.cpu = p.cpu.Add(c)
	if p.state == closed { // closed by another slot, in the middle of something
		p.host.wait4 += c.Total()
	}
	if p.maker == nil {
		p.host.used.parents = p.host.used.parents.Add(c)
	} else {
		p.host.used.children = p.host.used.children.Add(c)
	}
}

// supervise has the current actor pass through the supervisor.
func (h *Host) supervise(cost *Dist, p purpose, id uint64) reason {
	if cost.zero() {
		return h.alive()
	}
	return h.occupy(cost, p, id)
}

func (h *Host) occupy(cost *Dist, p purpose, id uint64) reason {
	if cost.kind != constant {
		h.random.begin(p, ^id) // apart from what the process itself draws
	}
	d := cost.draw(&h.random) + h.wakeSupervisor()
	if why := h.supervisor.enter(&h.engine); why != ready {
		return why
	}
	t := h.supervisorThread()
	b := h.burst(t, d)
	if b.parks {
		b.why = h.park(computing)
	}
	h.resting = append(h.resting, t)
	h.used.supervisor = h.used.supervisor.Add(split(h.got(&b), h.profile.Supervisor.System))
	h.supervisor.leave(&h.engine)
	h.supervised = h.now
	return b.why
}

// supervisorThread is one of the supervisor's that has nothing to do. Whoever takes
// it has entered the supervisor, and puts it back.
func (h *Host) supervisorThread() *thread {
	n := len(h.resting)
	if n == 0 {
		return new(thread)
	}
	t := h.resting[n-1]
	h.resting = h.resting[:n-1]
	return t
}

// wakeSupervisor is what it costs the supervisor to begin something, besides the
// thing itself: nothing, unless it had nothing to do.
func (h *Host) wakeSupervisor() int64 {
	if h.supervisor.free < h.threads || h.supervised == h.now {
		return 0
	}
	h.used.waits++
	wake := &h.profile.Supervisor.Wake
	if wake.kind != constant {
		h.random.begin(forWake, uint64(h.used.waits))
	}
	return wake.draw(&h.random)
}

// handOver is the time until another process looks at what it is given: a core
// that was idle has to wake up, from a virtual machine's halt at the most. Where
// all cores are busy, the other process gets its share of one at once.
func (h *Host) handOver(p purpose, id uint64) reason {
	if h.prompt {
		return h.alive()
	}
	return h.awaken(p, id)
}

func (h *Host) awaken(p purpose, id uint64) reason {
	if h.busy() {
		return h.alive()
	}
	latency := &h.profile.Supervisor.Latency
	if latency.kind != constant {
		h.random.begin(p, id+handOverID)
	}
	return h.sleep(latency.draw(&h.random))
}

// latency is how long an idle core takes to begin, for runqueues.
func (h *Host) latency() int64 {
	latency := &h.profile.Supervisor.Latency
	if latency.kind != constant {
		h.random.begin(forWake, h.seq+handOverID)
	}
	return latency.draw(&h.random)
}

// handOverID keeps the draws for a hand-over apart from others with the same
// purpose.
const handOverID = 1 << 62

// account books a process that has been reaped and writes its record.
func (h *Host) account(p *process) {
	h.vacate(p)
	h.unlink(p)
	h.wait4 += p.cpu.Total()
	if h.round.Sink == nil {
		return
	}
	r := record.Process{
		Model: h.round.Model, Round: h.round.Number,
		ID: p.id, Role: p.role(), Slot: p.slot, PID: p.id,
		Jobs: p.ran, Exit: p.exit, Before: p.before, Refork: p.refork, Warmed: p.warmed,
		Socket: p.maker != nil && !p.once, Faults: p.faults, Killed: p.killed,
		ForkNS: p.forkBegan, ReadyNS: p.ready, WarmNS: p.warming, EndNS: p.end, ReapNS: h.Now(),
		UserNS: p.cpu.User, SystemNS: p.cpu.System,
		StartupUserNS: p.startup.User, StartupSysNS: p.startup.System,
		BootCPUNS: p.bootCPU, WarmCPUNS: p.warmCPU,
	}
	if p.maker != nil {
		r.Parent = p.maker.id
	}
	if h.gate.open {
		h.writeProcess(&r)
	} else {
		h.made = append(h.made, r)
	}
}

// vacate takes the memory of a process that has ended: what waits to be reaped has
// none, as on a real machine.
func (h *Host) vacate(p *process) {
	if !p.mem.gone {
		h.pages.end(p)
		h.processes--
	}
}

// writeProcess puts a process's record on the round's clock, whose zero is the
// start of work, and passes it on.
func (h *Host) writeProcess(r *record.Process) {
	for _, t := range []*time.Duration{&r.ForkNS, &r.ReadyNS, &r.EndNS, &r.ReapNS} {
		*t -= h.gate.zero
	}
	h.write(r)
}

// sampleMost is how many children are looked at for the median, as on a real
// machine; sampleRow is how many samples are taken before the interval is
// doubled, so that their number grows with the logarithm of the time.
const (
	sampleMost  = 16
	sampleEvery = 100 * time.Millisecond
	sampleRow   = 1000
)

// look writes a sample of the tree's memory and sets the time of the next.
func (h *Host) look() {
	h.samples++
	if h.samples%sampleRow == 0 {
		h.sampleEvery = min(2*h.sampleEvery, never/4)
	}
	h.sampleAt = later(h.now, int64(h.sampleEvery))
	if h.processes == 0 {
		return
	}
	page := int64(h.profile.Memory.PageKB * 1024)
	s := record.Sample{
		Model: h.round.Model, Round: h.round.Number, AtNS: h.Now() - h.gate.zero,
		Processes: h.processes, PSS: h.pages.frames * page, RSS: h.pages.mapped * page,
		ChildUSS: h.medianOwn() * page,
		CPUNS:    h.used.children.Total() + h.used.parents.Total(),
	}
	h.write(&s)
}

// medianOwn is the median of the private pages of the first few children.
func (h *Host) medianOwn() int64 {
	var own [sampleMost]int64
	n := 0
	for p := h.first; p != nil && n < sampleMost; p = p.following {
		if p.maker == nil || p.mem.gone {
			continue
		}
		i := n
		for ; i > 0 && own[i-1] > p.mem.own; i-- {
			own[i] = own[i-1]
		}
		own[i] = p.mem.own
		n++
	}
	return own[n/2]
}

// summary makes the round's record after everything has ended.
func (h *Host) summary(cause error, interrupted bool) *record.Round {
	r := &record.Round{
		Model: h.round.Model, Round: h.round.Number,
		Enqueued: h.round.Total, Taken: h.feed.taken, Settled: h.settle.settled,
		Duplicated: h.settle.duplicated, Wait4NS: h.wait4,
		NotRun:      h.round.Total - h.feed.taken + h.settle.abandoned,
		Interrupted: interrupted,
	}
	if cause != nil {
		r.Error = cause.Error()
	}
	r.Lost = max(r.Enqueued-r.Settled-r.NotRun, 0)
	if !h.gate.open {
		r.StartupNS = h.Now()
		return r
	}
	zero := h.gate.zero
	r.StartupNS = zero
	end := h.settle.last
	if end == 0 {
		end = h.gone
	}
	r.WorkNS = end - zero
	r.ShutdownNS = max(h.gone-end, 0)
	b, f := h.begin, h.finish
	if !h.drained {
		f = b // cancelled before any slot came out of Jobs
	}
	r.Children = f.children.Sub(b.children)
	r.Parents = f.parents.Sub(b.parents)
	r.Supervisor = f.supervisor.Sub(b.supervisor)
	r.Redis = f.redis.Sub(b.redis)
	if used := f.services.Sub(b.services); used.Total() > 0 {
		r.Services = []record.Service{{Name: h.profile.serviceNames(), CPU: used}}
	}
	r.RedisCommands = f.commands - b.commands
	r.SupervisorWaits = f.waits - b.waits
	return r
}
