package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"forkbench/internal/proc"
)

// A system forks by itself, and its main processes hold much on purpose: their
// connection to the broker, pipes, event loops, threads. None of that is looked at.
// What counts is what the application's set-up, import and warming have left in a
// main process, which its driver has noted as our own template does. It is looked
// at before the first fork, and in a fork that is like those that run jobs: a pool
// process when it has been initialised, or else one that runs no job.

// maxReport bounds what a system's process can have this program read.
const maxReport = 4 << 20

// report reads what a process says that it holds: see forkbench_peer.py.
func (r *run) report(pid int) ([]byte, error) {
	file := filepath.Join(r.dir, fmt.Sprintf("held-%d.json", pid))
	info, err := os.Lstat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxReport {
		return nil, fmt.Errorf("%s is not what this program asked for", file)
	}
	return os.ReadFile(file)
}

// hold passes on what the application has left in a main process, and lets it go on.
func (r *run) hold(pid int) {
	defer r.turn(pid)
	main := r.main(pid)
	if main == nil {
		return
	}
	report, err := r.report(pid)
	if err != nil {
		return // it has ended, which others will notice
	}
	if main.Holds(report) == nil {
		r.holding[main] = true
	}
}

// look passes on what of it a fork has, and lets the main process go on.
func (r *run) look(pid, child int) {
	defer r.turn(pid)
	main := r.main(pid)
	if main == nil || !r.holding[main] {
		return
	}
	// The pids are from a pipe that jobs can write to.
	if standing, ok := proc.Stands(child); !ok || standing.Parent != pid {
		return
	}
	report, err := r.report(child)
	if err != nil {
		return
	}
	if main.Passes(child, report) == nil {
		delete(r.holding, main)
	}
}

// unseen gives up waiting for forks of mains.
func (r *run) unseen() {
	for _, main := range r.mains {
		if r.holding[main] {
			main.Unseen()
			delete(r.holding, main)
		}
	}
}

// main is the main process of that pid, or nil.
func (r *run) main(pid int) Main {
	i := slices.IndexFunc(r.mains, func(m Main) bool { return m.PID() == pid })
	if i < 0 {
		return nil
	}
	return r.mains[i]
}

// turn tells a main process that it has been looked at.
func (r *run) turn(pid int) {
	fd, err := unix.Open(filepath.Join(r.dir, fmt.Sprintf("turn-%d", pid)), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return // it does not wait
	}
	_, _ = unix.Write(fd, []byte{1})
	_ = unix.Close(fd)
}
