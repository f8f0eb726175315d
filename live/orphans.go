package live

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"forkbench/proc"
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
	// A process that is just being started is not known yet.
	h.launching.Lock()
	defer h.launching.Unlock()
	var alive []int
	known := h.known()
	for _, pid := range proc.Children(os.Getpid()) {
		if known[pid] {
			continue
		}
		s, ok := proc.Stands(pid)
		if !ok || !h.isOrphan(pid, s) {
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
		cpu := record.CPU{User: time.Duration(used.Utime.Nano()), System: time.Duration(used.Stime.Nano())}
		h.mu.Lock()
		h.reaped.strays = h.reaped.strays.Add(cpu)
		h.total += cpu.Total()
		delete(h.adopted, pid)
		delete(h.early, pid)
		h.mu.Unlock()
	}
	return alive
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

// isOrphan reports whether a child of this program, which the host does not know,
// is of this round. Where there is no control group to tell, it is so if it is in
// the process group or session of a process that was booted, or had the round's
// mark when it was first seen alive.
func (h *Host) isOrphan(pid int, s proc.Standing) bool {
	if h.cgroup.dir != nil {
		return h.cgroup.holds(pid)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, seen := h.adopted[pid]; !seen && s.State != 'Z' {
		h.adopted[pid] = hasMark(pid, h.roundMark())
	}
	return h.adopted[pid] || h.booted[s.Group] || h.booted[s.Session]
}

// hasPlace reports whether a living process is of this round: by its control group,
// or else by the round's mark.
func (h *Host) hasPlace(pid int) bool {
	if h.cgroup.dir != nil {
		return h.cgroup.holds(pid)
	}
	return hasMark(pid, h.roundMark())
}
