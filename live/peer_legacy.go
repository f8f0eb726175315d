package live

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"forkbench/internal/held"
	"forkbench/internal/proc"
)

// A peer forks by itself, and its main processes hold much on purpose: their
// connection to the broker, pipes, event loops, threads. None of that is looked at.
// What counts is what the application's set-up, import and warming have left in a
// main process, which its driver has noted as our own template does. It is looked
// at before the first fork, and in a fork that is like those that run jobs: a pool
// process when it has been initialised, or else one that runs no job.

// maxHeld bounds what a peer's process can have this program read.
const maxHeld = 4 << 20

// A peerHeld is a file of a peer's process: see forkbench_peer.py.
type peerHeld struct {
	heldReply
	Steps []stepReply `json:"steps"`
}

func (p *peer) readHeld(pid int) (h peerHeld, err error) {
	file := filepath.Join(p.dir, fmt.Sprintf("held-%d.json", pid))
	info, err := os.Lstat(file)
	if err != nil {
		return h, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxHeld {
		return h, fmt.Errorf("%s is not what this program asked for", file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return h, err
	}
	err = json.Unmarshal(text, &h)
	return h, err
}

// hold notes what the application has left in a main process, and lets it go on.
func (p *peer) hold(pid int) {
	defer p.turn(pid)
	main := p.main(pid)
	if main == nil {
		return
	}
	inside, err := p.readHeld(pid)
	if err != nil {
		return // it has ended, which others will notice
	}
	main.steps = inside.Steps
	e := &estate{inside: inside.heldReply, err: errUnseen}
	things, _ := held.Open(pid)
	for _, t := range things {
		if main.origin(thingName(t)) != "" {
			e.things = append(e.things, t)
		}
	}
	threads, _ := held.Threads(pid)
	for _, t := range threads {
		if main.origin(taskName(t)) != "" {
			e.threads = append(e.threads, t)
		}
	}
	p.estates[main] = e
}

// look notes what of it a fork has, and lets the main process go on.
func (p *peer) look(pid, child int) {
	defer p.turn(pid)
	main := p.main(pid)
	e := p.estates[main]
	if main == nil || e == nil {
		return
	}
	// The pids are from a pipe that jobs can write to.
	if standing, ok := proc.Stands(child); !ok || standing.Parent != pid {
		return
	}
	inside, err := p.readHeld(child)
	if err != nil {
		return
	}
	// A lock that it takes for a moment, around the fork, is the system's own.
	inside.Locks = slices.DeleteFunc(inside.Locks, func(name string) bool { return !slices.Contains(e.inside.Locks, name) })
	e.see(child, inside.heldReply)
	e.left, _ = held.Threads(pid)
	p.tell(main)
}

// unseen tells what mains have of which no fork was seen.
func (p *peer) unseen() {
	for _, main := range p.mains {
		if p.estates[main] != nil {
			p.tell(main)
		}
	}
}

func (p *peer) tell(main *process) {
	main.inspecting.Lock()
	defer main.inspecting.Unlock()
	main.assess(p.estates[main])
	p.host.endanger(main.found)
	delete(p.estates, main)
}

// main is the main process of that pid, or nil.
func (p *peer) main(pid int) *process {
	i := slices.IndexFunc(p.mains, func(m *process) bool { return m.pid == pid })
	if i < 0 {
		return nil
	}
	return p.mains[i]
}

// turn tells a main process that it has been looked at.
func (p *peer) turn(pid int) {
	fd, err := unix.Open(filepath.Join(p.dir, fmt.Sprintf("turn-%d", pid)), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return // it does not wait
	}
	_, _ = unix.Write(fd, []byte{1})
	_ = unix.Close(fd)
}
