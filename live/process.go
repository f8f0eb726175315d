package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"forkbench/models"
	"forkbench/record"
	"forkbench/workload"
)

// A process is a live process: booted, forked, or about to be.
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
	role   string
	slot   int
	life   int // jobs it may run; 0 for no end
	before bool
	// foreign says that a system of others has forked it and waits for it: see
	// RunPeer.
	foreign bool

	pid    int
	conn   *conn
	own    *spawned // not nil if it is the host's own child
	prints *output  // of a booted process; its children share it
	chairs *seats   // of its children; nil if those are its maker's

	token chan struct{} // of who may read conn; see ask
	runs  waiter        // of Run, which one slot at a time may call

	sending sync.Mutex // held before mu: requests are sent in the order of waiting

	mu       sync.Mutex
	state    processState
	waiting  []*waiter // requests sent and not yet answered, oldest first
	seat     *seat     // of a child made for one job, while it runs
	watch    *time.Timer
	late     bool          // its job exceeded its limit
	hopeless bool          // its maker was killed for it
	deadline time.Duration // when its parent has to have reaped it; 0 while it is to run
	children record.CPU    // that wait4 will count as this process's too
	faults   int64         // minor, of the reaped children likewise
	major    int64

	birth *slot // of a booted process: where it was asked for
	legacy

	snapshotting sync.Mutex
	snapshot     *os.File // its warm state (Go), for its children

	ran     atomic.Int64
	refork  atomic.Bool // it forked after it had run jobs
	killed  atomic.Bool
	closing atomic.Bool
	warm    bool
	startup record.CPU // used when it was last ready

	version, executable string // of a booted process
	forker              int    // its pid, by its own word; 0 if it has none

	reaping sync.Mutex
	last    exit

	// Guarded by host.mu: its CPU when last looked at, and in the end, and that of
	// processes that it had waited for when it was loaded or warmed, which are not
	// ours: of a shell script that became Python, of what an import runs.
	seen, spent, waited time.Duration
	told                bool // waited is exact, from its account: it has ended

	// Stamps of CLOCK_MONOTONIC.
	asked, forkBegan, ready, end time.Duration
	warming                      time.Duration // a span
	bootCPU, warmCPU             time.Duration // used when it was loaded, and by its warm-ups
}

type processState uint8

const (
	planned processState = iota
	running
	dead
	closed
)

var _ models.Process = (*process)(nil)

// errNoChild is why a fork failed whose answer did not come in time.
var errNoChild = errors.New("no child in time")

// errDead is why a request to a process that has ended fails.
var errDead = errors.New("the process has ended")

// Warm asks the process to do the one-time work.
func (p *process) Warm(context.Context) error {
	began := monotonic()
	if !p.warm && !p.host.gate.isOpen() {
		p.bootCPU = p.startup.Total()
	}
	if p.own == nil {
		p.conn.carries.Store(true) // the seats of a process that becomes a template
	}
	job := p.host.m.warmJob()
	answer, err := p.prepare(func(b []byte) []byte { return append(appendHeader(b, kindWarm, len(job)), job...) })
	p.warming += monotonic() - began
	if err != nil {
		return fmt.Errorf("warm process %d: %w", p.pid, err)
	}
	p.warm = true
	p.prepared(&answer)
	p.dropSnapshot()
	return nil
}

// prepared takes what a process says that it has used once it is loaded or warm.
func (p *process) prepared(answer *readyReply) {
	p.mu.Lock()
	children := p.children
	p.mu.Unlock()
	p.host.mu.Lock()
	p.waited = answer.waited() - children.Total()
	p.host.mu.Unlock()
	p.steps = append(p.steps, answer.Steps...)
	p.host.undid(answer.Undone)
	if !p.host.gate.isOpen() { // a promoted child is warmed in the middle of work
		p.startup = answer.cpu().Sub(children)
		p.warmCPU += time.Duration(answer.WarmedUS) * time.Microsecond
	}
}

// load sends the boot order, and a job right behind it if there is one, and
// waits until the application is loaded.
func (p *process) load(order bootOrder, job *fusedJob) error {
	body, err := json.Marshal(order)
	if err != nil {
		return err
	}
	answer, err := p.prepare(func(b []byte) []byte {
		b = append(appendHeader(b, kindBoot, len(body)), body...)
		if job != nil {
			b = appendRun(b, job.id, job.payload)
		}
		return b
	})
	p.ready = monotonic()
	if err == nil {
		p.prepared(&answer)
		p.version, p.executable = answer.Version, answer.Executable
		p.forker = answer.PID // it has run no job that could have told it so
		if answer.NoPidfd {
			p.chairs.retire()
		}
		return nil
	}
	e := p.reap(p.host.m.Grace)
	var boot *BootError
	if !errors.As(err, &boot) {
		boot = &BootError{Kind: "Exit", Message: err.Error()}
		if hungUp(err) {
			boot.Message = "the process ended while it loaded the application: " + e.String()
		}
	}
	boot.Output = p.host.output(p).tail()
	return boot
}

// prepare sends boot or warm and waits for the ready reply.
func (p *process) prepare(request func([]byte) []byte) (readyReply, error) {
	var answer readyReply
	r := p.ask(&waiter{answers: kindReady}, p.host.m.BootTimeout, request)
	if r.file >= 0 && r.err == nil {
		s, err := adoptSeats(r.file, p.host.m.Workers)
		if err != nil {
			return answer, err
		}
		p.host.seat(p, s)
	}
	if r.err != nil {
		if errors.Is(r.err, os.ErrDeadlineExceeded) {
			return answer, fmt.Errorf("it was not ready within %v: see --boot-timeout", p.host.m.BootTimeout)
		}
		return answer, r.err
	}
	if err := json.Unmarshal(r.body, &answer); err != nil {
		return answer, fmt.Errorf("its ready reply is not one: %w", err)
	}
	if answer.Error != "" {
		return answer, &BootError{Kind: answer.Kind, Message: answer.Error, Traceback: answer.Traceback}
	}
	return answer, nil
}

// Fork makes a child, or plans to: see models.Process.
func (p *process) Fork(ctx context.Context, jobs int) (models.Process, error) {
	s := p.host.slotOf(ctx)
	p.pass()
	child := p.host.newProcess(record.RoleChild, s.id, p)
	child.life = jobs
	if s.holds.Load() > 0 {
		return child, nil // fused with its first Run
	}
	if err := child.start(nil); err != nil {
		return nil, err
	}
	return child, nil
}

// start makes a planned child real.
func (p *process) start(job *fusedJob) error {
	if p.maker.ran.Load() > 0 {
		p.maker.refork.Store(true)
	}
	if err := p.host.m.Runtime.fork(p, job); err != nil {
		p.setState(closed)
		unsure := job != nil && !errors.Is(err, errUnsent) && (hungUp(err) || errors.Is(err, errNoChild))
		if err = p.forkFailed(err); unsure {
			err = fmt.Errorf("%w: %w", err, errUnsure)
		}
		return err
	}
	return nil
}

// errUnsure marks what went wrong while a child with a job in hand was made: it
// may have been made all the same.
var errUnsure = errors.New("the job may have begun")

func (p *process) forkFailed(err error) error {
	if hungUp(err) {
		err = p.maker.obituary()
	}
	return fmt.Errorf("fork process %d (%s): %w", p.maker.pid, p.maker.role, err)
}

// Run executes one job.
func (p *process) Run(_ context.Context, job workload.Job) models.Outcome {
	o := models.Outcome{Process: p.id, Seq: int(p.ran.Load()) + 1}
	fused := p.is(planned)
	if fused && p.sit(job) {
		return p.once(job, o)
	}
	if fused {
		if err := p.start(&fusedJob{job.ID, job.Payload}); err != nil {
			return p.unrun(o, err)
		}
	}
	if !p.is(running) {
		return p.unrun(o, errDead)
	}
	ask := func(b []byte) []byte { return appendRun(b, job.ID, job.Payload) }
	if fused {
		ask = nil // it has the job already
	}
	r := p.ask(&p.runs, p.host.m.Timeout, ask)
	p.end = monotonic()
	if errors.Is(r.err, errUnsent) && hungUp(r.err) {
		return p.unstarted(o)
	}
	if r.err != nil {
		return p.broken(o, r.err)
	}
	done, err := parseDone(r.body)
	if err == nil {
		err = p.believe(done, job.ID, p.end)
	}
	if err != nil {
		return p.broken(o, err)
	}
	p.dropSnapshot()
	o = p.conclude(o, done)
	if p.life > 0 && int(p.ran.Load()) >= p.life {
		p.setState(dead) // it exits by itself
	}
	return o
}

// believe says what cannot be so of a report, which a job may have written to
// itself: where it did, its process counts as crashed. The limit is when the process
// had ended, or the report was there.
func (p *process) believe(done doneReply, job uint64, limit time.Duration) error {
	switch {
	case done.id != job:
		return fmt.Errorf("it answered for job %d when it was given job %d", done.id, job)
	case done.started < p.forkBegan || done.finished < done.started || done.finished > limit+clockSlack || done.cpu < 0:
		return fmt.Errorf("what it reported of job %d cannot be: started %v and finished %v after its fork, which lasted %v, with %v of CPU",
			job, done.started-p.forkBegan, done.finished-p.forkBegan, limit-p.forkBegan, done.cpu)
	}
	return nil
}

// clockSlack is how far this program's idea of CLOCK_MONOTONIC may be off.
const clockSlack = time.Millisecond

// conclude is the outcome of a job that its process reported.
func (p *process) conclude(o models.Outcome, done doneReply) models.Outcome {
	p.ran.Add(1)
	p.end = done.finished
	o.Status, o.CPU = done.status, done.cpu
	o.Started, o.Finished = p.host.since(done.started), p.host.since(done.finished)
	switch {
	case done.status == models.Failed:
		o.Detail = string(done.detail)
	case done.dropped:
		o.Dropped = strings.ToValidUTF8(string(done.detail[:min(len(done.detail), maxDropped)]), "")
	case len(done.detail) > 0 && !json.Valid(done.detail):
		o.Dropped = "not JSON: what the process sent"
	case len(done.detail) > 0:
		o.Result = append([]byte(nil), done.detail...)
	}
	return o
}

// maxDropped bounds the words for why a result was dropped, in bytes.
const maxDropped = 256

// unrun is the outcome of a job that could not be given to the process, which
// ends the round. Where a child may have had it before the fork failed, it counts
// as crashed: nobody can say that it did not begin.
func (p *process) unrun(o models.Outcome, err error) models.Outcome {
	p.host.fail(err)
	o.Status, o.Process, o.Seq = models.Crashed, 0, 0
	o.NotRun = !errors.Is(err, errUnsure)
	o.Detail = "the job was not started: " + err.Error()
	if !o.NotRun {
		o.Detail = "its process was lost while it was made: " + err.Error()
	}
	o.Finished = p.host.Now()
	return o
}

// unstarted is the outcome of a job that came to a process which had ended while
// it had none. It is not tried again: an executor that wants that sees that it
// was never started.
func (p *process) unstarted(o models.Outcome) models.Outcome {
	o.Status, o.Process, o.Seq = models.Crashed, 0, 0
	o.Detail = "the job was not started: its process had ended before, between two jobs: " + p.reap(p.host.m.Grace).String()
	o.Finished = p.host.Now()
	return o
}

// broken is the outcome of a job whose process did not answer as it should:
// the time ran out, or the process is gone.
func (p *process) broken(o models.Outcome, cause error) models.Outcome {
	if errors.Is(cause, os.ErrDeadlineExceeded) {
		p.late = true
		p.kill()
	}
	return p.died(o, p.reap(p.host.m.Grace), cause)
}

// died is the outcome of a job whose process is gone. The cause is what was
// wrong before, if anything.
func (p *process) died(o models.Outcome, e exit, cause error) models.Outcome {
	o.Finished = p.host.since(p.end)
	if p.late {
		o.Status = models.TimedOut
		o.Detail = fmt.Sprintf("exceeded the time limit of %v (--timeout) and was killed", p.host.m.Timeout)
		return o
	}
	o.Status = models.Crashed
	o.Detail = "its process ended under it: " + e.String()
	if cause != nil && !hungUp(cause) {
		o.Detail += " (" + cause.Error() + ")"
	}
	if tail := p.host.output(p).tail(); tail != "" {
		o.Detail += "\nlast output of the process tree:\n" + tail
	}
	return o
}

// hungUp reports whether an error says that the other end is gone.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, unix.EPIPE)
}

// obituary says how a process that hung up ended.
func (p *process) obituary() *DeathError {
	how := fmt.Sprintf("process %d, promoted to template, ended by itself", p.pid)
	if p.own != nil {
		select {
		case <-p.own.exited:
			how = fmt.Sprintf("the parent process %d ended by itself: %s", p.pid, p.own.cmd.ProcessState)
		case <-time.After(p.host.m.Grace):
			how = fmt.Sprintf("the parent process %d closed its socket", p.pid)
		}
	}
	return &DeathError{how + p.host.output(p).quoted()}
}

// Alive reports whether the process can take another request.
func (p *process) Alive() bool { return p.is(planned) || p.is(running) }

// Usage reads the system's accounts of the process.
func (p *process) Usage() models.Usage {
	u := models.Usage{Jobs: int(p.ran.Load())}
	if p.is(running) {
		u.Resident = residentOf(p.pid)
	}
	return u
}

// Close ends the process: its socket is closed, which it takes as the request
// to exit; after the grace period it is killed.
func (p *process) Close(ctx context.Context) error {
	switch p.currentState() {
	case closed:
		return nil
	case planned:
		p.setState(closed)
		return nil
	case running, dead:
	}
	if p.end == 0 {
		p.end = monotonic()
	}
	if ctx.Err() != nil {
		p.kill()
	}
	p.reap(p.host.m.Grace)
	return nil
}

func (p *process) is(s processState) bool { return p.currentState() == s }

func (p *process) currentState() processState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

func (p *process) setState(s processState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = s
}

// dropSnapshot forgets a warm state that is no longer the process's.
func (p *process) dropSnapshot() {
	p.snapshotting.Lock()
	defer p.snapshotting.Unlock()
	if p.snapshot != nil {
		_ = p.snapshot.Close()
		p.snapshot = nil
	}
}
