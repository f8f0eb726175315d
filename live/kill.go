package live

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"forkbench/internal/proc"
)

// killIf kills a process, told by its pid, if it is the one that is meant.
//
// The pidfd is taken before the look: if the process that it stands for ends
// meanwhile, the signal reaches nobody, whoever has the pid then.
func killIf(pid int, meant func(proc.Standing) bool) {
	if pid <= 1 || pid == os.Getpid() {
		return
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	s, ok := proc.Stands(pid)
	verified := ok && meant(s)
	if err != nil { // no pidfds here, or the limit of open files
		if verified {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		return
	}
	defer unix.Close(fd)
	if verified {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}

// killChild kills a process that was forked by another. It does nothing if the pid is
// not a child of the given parent: then the child is gone, or somebody was told a
// wrong number, and a stranger has the pid. A parent that is dead has left its
// children to this program, which may have others: such a one has to be of the round.
func (h *Host) killChild(pid, parent int) {
	own := os.Getpid()
	killIf(pid, func(s proc.Standing) bool {
		return s.Parent == parent && parent != own || s.Parent == own && h.ofRound(pid, s)
	})
}

// killStrays kills processes of the round that are none of the host's own, with all
// that they may be starting meanwhile: a control group is killed at once, and so is
// a process group that has nobody else's processes in it.
func (h *Host) killStrays(pids []int) {
	session, _ := unix.Getsid(0)
	for _, pid := range pids {
		killIf(pid, func(s proc.Standing) bool {
			if !h.ofRound(pid, s) {
				return false
			}
			// Who has left this program's session has made one, and is in it with its own.
			if s.Group > 1 && (h.lineage.leads(s.Group) || s.Session != session) {
				_ = unix.Kill(-s.Group, unix.SIGKILL)
			}
			return true
		})
	}
	h.cgroup.kill()
}
