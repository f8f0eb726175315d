package live

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"forkbench/proc"
)

// killChild kills a process that was forked by another, told by its pid. It does
// nothing if that pid is not a child of the given parent: then the child is gone,
// or somebody was told a wrong number, and a stranger has the pid. A parent that
// is dead has left its children to this program.
//
// The pidfd is taken before the look: if the process that it stands for ends
// meanwhile, the signal reaches nobody, whoever has the pid then.
func killChild(pid, parent int, orphaned bool) {
	if pid <= 1 || pid == os.Getpid() {
		return
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	standing, _ := proc.Stands(pid)
	maker := standing.Parent // 0 if it cannot be read
	verified := maker != 0 && maker == parent || orphaned && maker == os.Getpid()
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
