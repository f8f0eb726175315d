package live

import (
	"bytes"
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
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
	maker := parentOf(pid)
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

// parentOf is the pid of a process's parent; 0 if it cannot be read.
func parentOf(pid int) int {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// pid (comm) state ppid …, and comm may hold anything
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0
	}
	return parent
}
