package live

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"forkbench/internal/proc"
	"forkbench/record"
)

// An exit is how a process ended and what it used, its own reaped children
// included, as wait4 counts them.
type exit struct {
	known  bool // someone could wait for it
	ours   bool // the host killed it
	status syscall.WaitStatus
	cpu    record.CPU
	own    time.Duration // of which on its own clock, its children not included; 0 if it is not known
	minor  int64
	major  int64
	at     time.Duration
}

func (e exit) String() string {
	switch {
	case !e.known:
		return "how is not known, nobody could wait for it"
	case e.status.Signaled() && e.status.Signal() == syscall.SIGKILL && !e.ours:
		return "signal: killed (by somebody else; if it was the out-of-memory killer, the kernel log says so)"
	case e.status.Signaled():
		return "signal: " + e.status.Signal().String()
	default:
		return fmt.Sprintf("exit status %d", e.status.ExitStatus())
	}
}

// kill ends the process at once. A parent takes its group along. The pid is
// still the process's own, because nobody waits for it before reap; somebody may
// for a foreign one, which ends with its maker or in sweep.
func (p *process) kill() {
	if s := p.currentState(); s == planned || s == closed || p.foreign {
		return
	}
	p.killed.Store(true)
	if p.own == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.state != closed {
			p.killForked()
		}
		return
	}
	p.own.kill()
}

// killForked kills a process that another has forked, if it still is that one's child.
// The caller holds p.mu.
func (p *process) killForked() {
	var pid int
	if p.seat != nil {
		pid = p.seat.pid() // p.pid comes with the answer, and is nobody's to read before
	} else {
		pid = p.pid
	}
	p.host.killChild(pid, p.maker.parentPID())
}

// parentPID is the pid that the process's children have as their parent.
func (p *process) parentPID() int {
	if p.forker != 0 {
		return p.forker
	}
	return p.number()
}

// over reports whether the process is known to be dead: its children are orphans.
func (p *process) over() bool {
	if p.own == nil {
		return p.is(closed) || p.killed.Load()
	}
	select {
	case <-p.own.exited:
		return true
	default:
		return false
	}
}

// kill ends the process and its group, unless it has been waited for.
func (s *spawned) kill() {
	s.killing.Lock()
	defer s.killing.Unlock()
	if s.gone {
		return
	}
	pid := s.cmd.Process.Pid
	_ = unix.Kill(-pid, unix.SIGKILL)
	_ = unix.Kill(pid, unix.SIGKILL) // it may have left its group
}

// ends reports whether the process, which was killed, has ended within the host's
// limit. If it has not, nobody waits for it any more, and that is said.
func (p *process) ends() bool {
	timer := time.NewTimer(p.host.limit)
	defer timer.Stop()
	select {
	case <-p.own.exited:
		return true
	case <-timer.C:
		p.host.endless.Store(true)
		p.host.outlived(p.pid)
		return false
	}
}

// endLimit is how long a process may take to end that was killed. It takes its time
// to give back much memory; what takes longer waits for a disk or a file system that
// does not answer, is frozen, or is another user's by now.
const endLimit = 10 * time.Second

// outlived says that a process has not ended, although it was killed.
func (h *Host) outlived(pid int) {
	h.warn("%s was killed and has not ended within %v: it is left behind, and its CPU is missing", described(pid), h.limit)
}

// described names a process for the reader of a warning.
func described(pid int) string {
	name, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("process %d (%s)", pid, bytes.TrimSpace(name))
}

// reap ends the process if it still runs (asked first, killed after the grace),
// waits for it and accounts for it. Only the first call does anything.
func (p *process) reap(grace time.Duration) exit {
	p.reaping.Lock()
	defer p.reaping.Unlock()
	if p.is(closed) {
		return p.last
	}
	p.closing.Store(true)
	if p.own == nil && p.maker.over() {
		if s, ok := proc.Stands(p.pid); ok {
			p.host.lineage.hadMark(p.pid, s, p.host.roundMark()) // while it lives; see ofRound
		}
	}
	if p.is(running) {
		p.conn.hangUp()
	}
	if p.own != nil {
		p.last = p.waitOwn(grace)
	} else {
		p.last = p.waitForked(grace)
	}
	p.last.ours = p.killed.Load()
	p.setState(closed)
	p.conn.close()
	p.dropSnapshot()
	p.host.account(p, p.last)
	return p.last
}

func (p *process) waitOwn(grace time.Duration) exit {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.own.exited:
	case <-timer.C:
		p.kill()
		if !p.ends() {
			return exit{at: monotonic()}
		}
	}
	return p.own.exit()
}

// exit is how the process ended, once it has.
func (s *spawned) exit() exit {
	state := s.cmd.ProcessState
	if state == nil { // somebody else in this program has waited for it
		return exit{at: s.at}
	}
	e := exit{known: true, at: s.at, own: s.used}
	e.status, _ = state.Sys().(syscall.WaitStatus)
	if ru, ok := state.SysUsage().(*syscall.Rusage); ok {
		e.cpu = record.CPU{User: time.Duration(ru.Utime.Nano()), System: time.Duration(ru.Stime.Nano())}
		e.minor, e.major = ru.Minflt, ru.Majflt
	}
	return e
}

// waitForked has the maker wait for the process.
func (p *process) waitForked(grace time.Duration) exit {
	timer := time.AfterFunc(grace, p.kill)
	defer timer.Stop()
	w := &waiter{answers: kindReaped, which: p.pid}
	r := p.maker.ask(w, grace+p.host.m.BootTimeout, func(b []byte) []byte { return appendReap(b, p.pid) })
	if r.err != nil {
		return p.waitOrphan()
	}
	reaped, err := parseReaped(r.body)
	if err != nil {
		reaped.status = -1
	}
	return p.exitOf(reaped)
}

// exitOf is what the maker says of the process's end.
func (p *process) exitOf(reaped reapedReply) exit {
	if reaped.status == -1 {
		p.host.warn("the application waited for its template's children itself, or ignores SIGCHLD: " +
			"their CPU is missing, or booked on their parent")
		return exit{at: monotonic()}
	}
	e := exit{
		known: true, status: syscall.WaitStatus(reaped.status), at: reaped.at,
		cpu: record.CPU{User: reaped.user, System: reaped.system}, own: reaped.own,
		minor: reaped.minor, major: reaped.major,
	}
	p.maker.booked(e)
	return e
}

// number is the process's pid, 0 if it has none yet or any more.
func (p *process) number() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seat != nil && p.own == nil {
		return p.seat.pid()
	}
	return p.pid
}

// booked notes what wait4 will say of this process too, because it has waited
// for a child that used it.
func (p *process) booked(e exit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.children = p.children.Add(e.cpu)
	p.faults += e.minor
	p.major += e.major
}

// waitOrphan waits for a child whose maker is gone. The kernel has given it to
// the host, the nearest subreaper, as soon as the maker was dead.
func (p *process) waitOrphan() exit {
	p.kill()
	p.maker.kill() // it did not answer: make sure that it is dead
	patience := p.host.m.Grace
	if p.maker.own != nil {
		if !p.maker.ends() {
			return exit{at: monotonic()}
		}
		if p.maker.parentPID() == p.maker.pid {
			patience = 0 // else a script is dead, and the one that forks is about to be
		}
	}
	if p.pid == 0 {
		p.forkBegan, p.ready = p.asked, p.seat.returned()
		p.pid = p.number() // the maker is dead: nobody changes it any more
	}
	if p.pid == 0 {
		return exit{at: monotonic()} // it had been waited for, or was never made
	}
	return p.host.endOrphan(p.pid, patience, p.kill)
}

// closeAll closes what the executor left open: nothing, unless it is wrong or
// was cancelled. It returns how many there were.
func (h *Host) closeAll(ctx context.Context) int {
	left := h.open()
	// Children first: their parents reap them.
	for _, l := range slices.Backward(left) {
		_ = l.Close(ctx)
	}
	return len(left)
}
