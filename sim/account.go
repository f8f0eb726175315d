package sim

import (
	"time"

	"forkbench/record"
)

// clocks is the CPU used so far, by whom.
type clocks struct {
	children, parents, supervisor, redis record.CPU
	commands                             int64 // Redis's round trips
	waits                                int64 // times that the supervisor had nothing to do
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
func (h *Host) use(p *process, d int64, system float64) (int64, reason) {
	got, why := h.compute(d)
	if got > 0 {
		p.book(split(got, system))
	}
	return got, why
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
	if cost.kind != constant {
		h.random.begin(p, ^id) // apart from what the process itself draws
	}
	d := cost.draw(&h.random) + h.wakeSupervisor()
	if why := h.supervisor.enter(&h.engine); why != ready {
		return why
	}
	got, why := h.compute(d)
	h.used.supervisor = h.used.supervisor.Add(split(got, h.profile.Supervisor.System))
	h.supervisor.leave(&h.engine)
	h.supervised = h.now
	return why
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
	latency := &h.profile.Supervisor.Latency
	if latency.zero() || float64(h.cpu.n) >= h.cpu.cores {
		return h.alive()
	}
	if latency.kind != constant {
		h.random.begin(p, id+handOverID)
	}
	return h.sleep(latency.draw(&h.random))
}

// handOverID keeps the draws for a hand-over apart from others with the same
// purpose.
const handOverID = 1 << 62

// account books a process that has been reaped and writes its record.
func (h *Host) account(p *process) {
	h.unlink(p)
	h.pages.end(p)
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
	if h.first == nil {
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
		if p.maker == nil {
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
	r.RedisCommands = f.commands - b.commands
	r.SupervisorWaits = f.waits - b.waits
	return r
}
