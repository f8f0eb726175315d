package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"forkbench/models"
	"forkbench/record"
	"forkbench/workload"
)

// A process is a simulated process: booted, forked, or about to be.
//
//	state     means                                  becomes
//	planned   Fork was put off until the first Run   running, closed
//	running   can take requests                      dead, closed
//	dead      crashed, killed, or its life is over   closed
//	closed    reaped and accounted for
type process struct {
	host   *Host
	id     int // within the round, from 1
	maker  *process
	root   *process // of its tree: the booted one
	slot   int
	life   int // jobs it may run; 0 for no end
	before bool
	once   bool // it is made for one job, with that in hand, and exits with it: one exchange
	state  processState

	thread thread
	turn   uint64 // of a root: the host's turns when its tree last did

	busy station // it does one thing at a time: run a job, fork, reap
	done float64 // of the one-time work, 0 to 1
	paid float64 // of the first job's penalty, 0 to 1

	extra float64 // of what a second job costs more, the share that the next one does

	mem       memory
	temporary int64 // of its pages, given back when the job ends

	ran     int
	refork  bool // it forked after it had run jobs
	warmed  bool
	killed  bool
	exit    string
	faults  int64
	cpu     record.CPU // used so far
	startup record.CPU // of which when it was last ready

	// On the clock of Host.Now.
	forkBegan, ready, end time.Duration
	warming               time.Duration // a span
	bootCPU, warmCPU      time.Duration // used when it was loaded, and by its warm-ups

	preceding, following *process // in the host's list, in the order of their making
}

type processState uint8

const (
	planned processState = iota
	running
	dead
	closed
)

var _ models.Process = (*process)(nil)

var (
	// errDead is why a request to a process that has ended fails.
	errDead = errors.New("the process has ended")
	// errOver is why a request fails once the round has been ended.
	errOver = errors.New("the round has been ended")
)

const (
	exitZero    = "exit status 0"
	exitKilled  = "signal: killed"
	exitCrashed = "signal: segmentation fault"
)

func (p *process) role() string {
	if p.maker == nil {
		return record.RoleParent
	}
	return record.RoleChild
}

// boot makes a parent.
func (p *process) boot() error {
	h := p.host
	b := &h.profile.Boot
	p.forkBegan = h.Now()
	h.link(p)
	h.random.begin(forBoot, uint64(p.id))
	cpu, wait := b.CPU.draw(&h.random), b.Wait.draw(&h.random)
	h.pages.boot(&p.mem, h.toPages(h.profile.Memory.BootedMB), h.toPages(h.profile.Memory.FileMB))
	p.faults += p.mem.own
	why := h.use(p, cpu, b.System)
	if why == ready {
		why = h.sleep(wait)
	}
	p.ready, p.startup = h.Now(), p.cpu
	if why != ready {
		p.kill()
		return errOver
	}
	return nil
}

// Warm does the one-time work, as far as the profile says that it can be done
// ahead of time.
func (p *process) Warm(context.Context) error {
	h := p.host
	if err := h.check(); err != nil {
		return err
	}
	if p.state != running {
		return fmt.Errorf("warm process %d: %w", p.id, errDead)
	}
	began := h.Now()
	if why := p.busy.enter(&h.engine); why != ready {
		return fmt.Errorf("warm process %d: %w", p.id, errOver)
	}
	h.random.begin(forOneTime, uint64(p.id))
	if !p.warmed {
		p.bootCPU = p.cpu.Total()
	}
	cpu, wait := p.oneTime(h.profile.OneTime.Warmable)
	p.warmCPU += time.Duration(cpu)
	why := h.use(p, cpu, 0)
	if why == ready {
		why = h.sleep(wait)
	}
	p.busy.leave(&h.engine)
	p.warming += h.Now() - began
	if why != ready {
		return fmt.Errorf("warm process %d: %w", p.id, errOver)
	}
	p.warmed, p.startup = true, p.cpu
	return nil
}

// oneTime is what it takes to have the one-time work done up to a share of it,
// in CPU and waiting. The memory is taken at once.
func (p *process) oneTime(share float64) (cpu, wait int64) {
	rest := share - p.done
	if rest <= 0 {
		return 0, 0
	}
	p.done = share
	h, o := p.host, &p.host.profile.OneTime
	cpu = int64(rest * float64(o.CPU.draw(&h.random)))
	wait = int64(rest * float64(o.Wait.draw(&h.random)))
	fresh := int64(rest * float64(h.toPages(o.MemoryMB)))
	cpu += p.touch(int64(rest*float64(o.Pages)), fresh)
	return cpu, wait
}

// firstJob is what it takes to have the first job's penalty paid up to a share
// of it, in CPU, waiting and faults.
func (p *process) firstJob(share float64) (cpu, wait, faults int64) {
	rest := share - p.paid
	if rest <= 0 {
		return 0, 0, 0
	}
	p.paid = share
	h, f := p.host, &p.host.profile.FirstJob
	cpu = int64(rest * float64(f.CPU.draw(&h.random)))
	wait = int64(rest * float64(f.Wait.draw(&h.random)))
	return cpu, wait, p.touch(int64(rest*float64(f.Pages)), 0)
}

// young is what a job costs more because its process has not run many.
func (p *process) young(id uint64) int64 {
	y := &p.host.profile.Young
	if p.extra < 1e-4 || y.CPU.zero() { // the beginning is over
		return 0
	}
	if y.CPU.kind != constant {
		p.host.random.begin(forYoung, id)
	}
	cost := int64(p.extra * float64(y.CPU.draw(&p.host.random)))
	p.extra *= y.Decay
	return cost
}

// touch has the process write to pages that it inherited and to new ones. It
// returns the CPU that the faults cost.
func (p *process) touch(inherited, fresh int64) int64 {
	h := p.host
	var cost int64
	if inherited > 0 {
		n := h.pages.write(&p.mem, inherited)
		p.faults += n
		cost = nanos(float64(n) * h.profile.Memory.Copy)
	}
	if fresh > 0 {
		h.pages.allocate(&p.mem, fresh)
		p.faults += fresh
		cost += nanos(float64(fresh) * h.profile.Memory.Fresh)
	}
	return cost
}

// Fork makes a child, or plans to: see models.Process.
func (p *process) Fork(_ context.Context, jobs int) (models.Process, error) {
	h := p.host
	if err := h.check(); err != nil {
		return nil, err
	}
	s := h.current.slot
	child := h.newProcess(s.id, p)
	child.life = jobs
	if len(s.holds) > 0 {
		return child, nil // fused with its first Run
	}
	if err := child.start(); err != nil {
		return nil, err
	}
	return child, nil
}

// start makes a planned child real.
func (p *process) start() error {
	h, m := p.host, p.maker
	if m.ran > 0 {
		m.refork = true
	}
	if err := p.fork(); err != nil {
		p.state = closed
		return fmt.Errorf("fork process %d (%s): %w", m.id, m.role(), err)
	}
	h.random.begin(forFork, uint64(p.id))
	h.profile.Fork.Base.draw(&h.random) // used by the parent
	cost := h.profile.Fork.Start.draw(&h.random) + p.touch(int64(h.profile.Fork.Pages), 0)
	if !p.once {
		cost += h.profile.Socket.Child.draw(&h.random)
	}
	why := h.use(p, cost, 1)
	if why == ready && !p.once {
		// The parent says that the child is there, and passes its socket on.
		why = h.supervise(&h.profile.Socket.Supervisor, forSocket, uint64(p.id))
	}
	if why != ready {
		p.kill()
		return errOver
	}
	return nil
}

// fork is the parent's part.
func (p *process) fork() error {
	h, m := p.host, p.maker
	why := h.supervise(&h.profile.Supervisor.Fork, forFork, uint64(p.id))
	if why == ready {
		why = h.handOver(forFork, ^uint64(p.id))
	}
	if why != ready {
		return errOver
	}
	if m.state != running {
		return errDead
	}
	if why := m.busy.enter(&h.engine); why != ready {
		return errOver
	}
	defer m.busy.leave(&h.engine)
	if m.state != running {
		return errDead
	}
	f := &h.profile.Fork
	p.forkBegan = h.Now()
	h.random.begin(forFork, uint64(p.id))
	cost := f.Base.draw(&h.random) + h.perMB(f.PerMB, m)
	if !p.once {
		cost += p.socket()
	}
	if why := h.use(m, cost, 1); why != ready {
		return errOver
	}
	if m.state != running {
		return errDead
	}
	h.pages.inherit(&p.mem, &m.mem)
	p.done = m.done
	p.ready = h.Now()
	h.link(p)
	return nil
}

// socket is half of what it costs a parent more that its child has a socket: the
// other half is in reaping it.
func (p *process) socket() int64 {
	c := &p.host.profile.Socket.Parent
	if c.zero() {
		return 0
	}
	p.host.random.begin(forSocket, ^uint64(p.id))
	return c.draw(&p.host.random) / 2
}

// Run executes one job.
func (p *process) Run(_ context.Context, job workload.Job) models.Outcome {
	h := p.host
	o := models.Outcome{Process: p.id, Seq: p.ran + 1}
	if err := h.check(); err != nil {
		return p.unrun(o, err)
	}
	s := &h.profile.Supervisor
	why := ready
	fused := p.state == planned
	if fused { // it is born with the job in hand
		p.once = p.life == 1
		if err := p.start(); err != nil {
			return p.unrun(o, err)
		}
	}
	if p.state != running {
		return p.unrun(o, errDead)
	}
	if !fused {
		if why = h.supervise(&s.Dispatch, forJob, job.ID); why == ready {
			why = h.handOver(forExit, ^job.ID)
		}
	}
	if why == ready {
		why = p.busy.enter(&h.engine)
		if why == ready {
			if h.timeout > 0 {
				h.limit(h.timeout)
			}
			why = p.work(&job, &o)
			h.current.deadline = 0
			p.giveBack()
			p.busy.leave(&h.engine)
		}
	}
	p.end = h.Now()
	o.Finished = p.end
	if why != ready {
		p.cutShort(&o, why)
		return o
	}
	if !p.once {
		h.handOver(forExit, job.ID)
	}
	if o.Status != models.Done {
		if p.endBadly(job, &o); o.Status == models.Crashed {
			return o
		}
	}
	p.ran++
	if p.life > 0 && p.ran >= p.life {
		p.state = dead // it exits by itself
	}
	if p.once {
		p.reap() // what came of the job is told with its end
	}
	if h.supervise(&s.Collect, forJob, ^job.ID) != ready {
		p.kill() // the job had ended
	}
	return o
}

// cutShort ends a job, and the process with it, before its end.
func (p *process) cutShort(o *models.Outcome, why reason) {
	if why == timedOut {
		o.Status = models.TimedOut
		o.Detail = fmt.Sprintf("exceeded the time limit of %v (--timeout) and was killed", time.Duration(p.host.timeout))
		p.killed, p.exit = true, exitKilled
		p.reap()
	} else {
		o.Status, o.Detail = models.Crashed, "its process ended under it: "+exitKilled
		p.kill()
	}
	o.CPU = 0 // its process died under it
}

// endBadly is what follows the last instruction of a job that does not end as
// Done.
func (p *process) endBadly(job workload.Job, o *models.Outcome) {
	switch o.Status {
	case models.Failed:
		o.Detail = "the simulated job failed"
	case models.Crashed:
		o.Detail = "its process ended under it: " + exitCrashed
		o.CPU = 0
		p.exit = exitCrashed
		p.reap()
	default:
		p.host.fail(fmt.Errorf("job %d ends as %v, says the machine's Ending: not a way to end", job.ID, o.Status))
		o.Status = models.Failed
	}
}

// work is the job's time in the process, from the request to the last
// instruction.
func (p *process) work(job *workload.Job, o *models.Outcome) reason {
	h := p.host
	s := &h.profile.Supervisor
	if !s.Protocol.zero() {
		h.random.begin(forProtocol, job.ID)
		if why := h.use(p, s.Protocol.draw(&h.random), s.System); why != ready {
			return why
		}
	}
	o.Started = h.Now()
	d := h.demand(job.ID)
	c := d.class
	retained := h.toPages(c.RetainedMB)
	p.temporary = h.toPages(c.MemoryMB) - retained
	faults := int64(0)
	if need := 1 - c.Spared; p.done < need || p.paid < need {
		h.random.begin(forOneTime, uint64(p.id))
		cpu, wait := p.oneTime(need)
		d.cpu, d.wait = d.cpu+cpu, d.wait+wait
		cpu, wait, faults = p.firstJob(need)
		d.cpu, d.wait = d.cpu+cpu, d.wait+wait
	}
	if p.ran > 0 {
		d.cpu += p.young(job.ID)
	}
	faults += p.touch(int64(c.Pages), retained+p.temporary)

	b := h.beginBurst(p, d.cpu+faults) // use, but for a level of calls
	if b.parks {
		b.why = h.park(computing)
	}
	o.CPU = time.Duration(h.endBurst(p, &b, p.systemShare(d.cpu, faults, c)))
	if b.why != ready {
		return b.why
	}
	if h.profile.Services != nil {
		used, why := h.serve(job.ID, p.ran == 0)
		if why != ready {
			return why
		}
		d.wait = max(d.wait-used, 0)
	}
	if why := h.sleep(d.wait); why != ready {
		return why
	}
	o.Status = models.Done
	if h.ending != nil {
		o.Status = h.ending(*job)
	}
	if o.Status == models.TimedOut {
		return h.hang()
	}
	return ready
}

// giveBack frees the memory that a job had while it ran.
func (p *process) giveBack() {
	if p.temporary > 0 {
		p.host.pages.allocate(&p.mem, -p.temporary)
		p.temporary = 0
	}
}

// systemShare is that of a job's CPU, whose faults are all the system's.
func (p *process) systemShare(cpu, faults int64, c *Class) float64 {
	if faults == 0 {
		return c.System
	}
	return (float64(cpu)*c.System + float64(faults)) / float64(cpu+faults)
}

// unrun is the outcome of a job that could not be given to the process.
func (p *process) unrun(o models.Outcome, err error) models.Outcome {
	p.host.fail(err)
	o.Status, o.Process, o.Seq, o.NotRun = models.Crashed, 0, 0, true
	o.Detail = "the job was not started: " + err.Error()
	o.Finished = p.host.Now()
	return o
}

// Alive reports whether the process can take another request.
func (p *process) Alive() bool { return p.state == planned || p.state == running }

// Usage is the process's state.
func (p *process) Usage() models.Usage {
	u := models.Usage{Jobs: p.ran}
	if p.state == running {
		u.Resident = int64(float64(p.mem.mapped) * p.host.profile.Memory.PageKB * 1024)
	}
	return u
}

// Close ends the process and has its parent reap it.
func (p *process) Close(ctx context.Context) error {
	if err := p.host.check(); err != nil {
		return err
	}
	switch p.state {
	case closed:
	case planned:
		p.state = closed
	case running, dead:
		if p.end == 0 {
			p.end = p.host.Now()
		}
		if ctx.Err() != nil {
			p.killed, p.exit = true, exitKilled
		}
		p.reap()
	}
	return nil
}

// kill ends the process in no time: the round is over.
func (p *process) kill() {
	if p.state == closed || p.state == planned {
		return
	}
	p.killed, p.exit = true, exitKilled
	p.close()
}

// reap is the end of the process: its exit and its parent's wait for it.
func (p *process) reap() {
	h := p.host
	if p.state == closed {
		return
	}
	p.state = dead
	h.random.begin(forExit, uint64(p.id))
	x := &h.profile.Exit
	cost, reap := x.Base.draw(&h.random)+h.perMB(x.PerMB, p), h.profile.Fork.Reap.draw(&h.random)
	if !p.once {
		reap += p.socket()
	}
	cost += nanos(x.PerPage * float64(p.mem.own))
	why := h.use(p, cost, 1)
	h.vacate(p)
	if m := p.maker; why == ready && m != nil && m.state == running {
		if why = h.handOver(forReap, uint64(p.id)); why == ready {
			why = m.wait(reap)
		}
		if why == ready && !p.once {
			h.supervise(&h.profile.Socket.Supervisor, forReap, uint64(p.id))
		}
	}
	p.close()
}

// wait is a parent's work to wait for a child that has ended.
func (p *process) wait(cost int64) reason {
	h := p.host
	if cost == 0 || p.state != running {
		return h.alive()
	}
	if why := p.busy.enter(&h.engine); why != ready {
		return why
	}
	h.current.run.exits = true
	why := h.use(p, cost, 1)
	h.current.run.exits = false
	p.busy.leave(&h.engine)
	if why != ready {
		return why
	}
	return h.handOver(forReap, ^uint64(p.id))
}

// close accounts for the process, once.
func (p *process) close() {
	if p.state == closed {
		return
	}
	p.state = closed
	if p.exit == "" {
		p.exit = exitZero
	}
	if p.end == 0 {
		p.end = p.host.Now()
	}
	p.host.account(p)
}
