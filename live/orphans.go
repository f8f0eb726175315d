package live

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"forkbench/internal/proc"
	"forkbench/record"
)

// An orphan is a process of the round whose parent has ended, or never waited for
// it until it did: what jobs start and leave. The kernel gives it to this program,
// the nearest reaper of orphans, which waits for it while the round goes on and
// books what it used, with all that it had waited for itself.

// orphansEvery is the time between two looks for orphans that have ended. Services
// are looked for in some of them: the first few, and then now and again.
const (
	orphansEvery = 50 * time.Millisecond
	fewLooks     = 10
	manyLooks    = 40
)

// adoptOrphans has the kernel give this program the children of its processes
// that die.
func adoptOrphans() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the reaper of orphans: %w", err)
	}
	return nil
}

// reap waits for orphans, again and again until done is closed.
func (h *Host) reap(done <-chan struct{}) {
	runtime.LockOSThread() // so that the thread's clock is this goroutine's
	defer runtime.UnlockOSThread()
	tick := time.NewTicker(orphansEvery)
	defer tick.Stop()
	for n := 0; ; {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		began := ownThread()
		h.reapOrphans()
		if h.m.Services != nil && h.gate.isOpen() {
			if n++; n < fewLooks || n%manyLooks == 0 {
				h.findServices(math.MaxInt)
			}
		}
		h.meter.system.Add(int64(ownThread() - began))
	}
}

// reapOrphans waits for those that have ended.
func (h *Host) reapOrphans() {
	if h.cgroup.dir != nil && !childEnded() {
		return // the usual case, one call to the system
	}
	_ = h.orphans() // without a control group also to see who is there
}

// orphans waits for those that have ended, and lists those that have not. It does
// not touch what anybody else in this program waits for: a process that the host
// knows, or one that is not of this round.
func (h *Host) orphans() []int {
	h.booking.Lock()
	defer h.booking.Unlock()
	return h.waitForOrphans()
}

// waitForOrphans is orphans for who holds booking. What is waited for may have left
// children of its own since the list was made: so it is made again until there is
// nothing to wait for.
func (h *Host) waitForOrphans() []int {
	for {
		alive, some := h.waitForSome()
		if !some {
			return alive
		}
	}
}

// waitForSome goes through the list once, and reports whether it has waited for one.
func (h *Host) waitForSome() (alive []int, some bool) {
	// A process that is just being started is not known yet.
	h.launching.Lock()
	defer h.launching.Unlock()
	known := h.known()
	for _, pid := range proc.Children(os.Getpid()) {
		if known[pid] {
			continue
		}
		s, ok := proc.Stands(pid)
		if !ok || !h.ofRound(pid, s) {
			continue
		}
		var used unix.Rusage
		got, err := unix.Wait4(pid, nil, unix.WNOHANG, &used)
		if err == nil && got == 0 {
			alive = append(alive, pid)
		}
		if got != pid {
			continue
		}
		some = true
		cpu := cpuOf(&used)
		h.lineage.forget(pid, s)
		h.mu.Lock()
		h.reaped.strays = h.reaped.strays.Add(cpu)
		h.total += cpu.Total()
		delete(h.early, pid)
		h.mu.Unlock()
	}
	return alive, some
}

// endOrphan kills a process that was made by one that is dead, and waits for it. It
// touches none but a child of this program that is of the round: the pid may be
// wrong, and then it is anybody's. It waits for the kernel to give it to this
// program, for so long, and for its end, within the host's limit.
func (h *Host) endOrphan(pid int, patience time.Duration, kill func()) exit {
	began := time.Now()
	for ; ; time.Sleep(time.Millisecond) {
		s, ok := proc.Stands(pid)
		switch {
		case !ok || s.Parent != os.Getpid():
			if ok && time.Since(began) < patience {
				kill() // its maker may be about to die
				continue
			}
			return exit{at: monotonic()}
		case !h.ofRound(pid, s):
			if !h.lineage.isSpawned(pid) {
				h.warn("%s is a child of this program's, and nothing shows that it is one that was forked for a job, as a process "+
					"that is dead had it: it was left alone, and the CPU of that one is missing", described(pid))
			}
			return exit{at: monotonic()}
		}
		kill()
		var status unix.WaitStatus
		var used unix.Rusage
		got, err := unix.Wait4(pid, &status, unix.WNOHANG, &used)
		switch {
		case got == pid:
			h.lineage.forget(pid, s)
			return exit{
				known: true, status: syscall.WaitStatus(status), at: monotonic(), cpu: cpuOf(&used),
				minor: used.Minflt, major: used.Majflt,
			}
		case err != nil && !errors.Is(err, unix.EINTR):
			return exit{at: monotonic()}
		case time.Since(began) > h.limit:
			h.outlived(pid)
			return exit{at: monotonic()}
		}
	}
}

// cpuOf is what the system says that a process used.
func cpuOf(used *unix.Rusage) record.CPU {
	return record.CPU{User: time.Duration(used.Utime.Nano()), System: time.Duration(used.Stime.Nano())}
}

// childEnded reports whether there is a child that has ended and was not waited
// for, whoever is going to.
func childEnded() bool {
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err == nil && info.Signo != 0
		}
	}
}
