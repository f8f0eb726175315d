package live

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"forkbench/internal/held"
	"forkbench/live/internal/harness"
	"forkbench/peers"
	"forkbench/record"
	"forkbench/workload"
)

var _ peers.Host = (*Host)(nil)

// RunPeer runs a job system of others: see peers.Host.
func (h *Host) RunPeer(ctx context.Context, s peers.System) error {
	python, ok := h.m.Runtime.(Python)
	w, isPython := h.m.Workload.(workload.Python)
	if !ok || !isPython {
		return fmt.Errorf("%s runs Python jobs: choose another --workload, or leave it out of --model", s.Name)
	}
	if h.m.Server == nil {
		return fmt.Errorf("%s needs a Redis server", s.Name)
	}
	lists, err := h.m.Server.Lists()
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	return harness.Run(ctx, peerMachine{h}, s, harness.Round{
		Model: h.r.Model, Number: h.r.Number, Workers: h.m.Workers,
		Function: w.PythonFunction(), Program: python.Program(), Path: python.Path, Setup: python.Setup, Warm: python.Warm,
		Env: slices.Concat(os.Environ(), h.m.Guard.temporary(), h.m.Env), Dir: h.m.Guard.directory(), Inspector: heldSource,
		Timeout: h.m.Timeout, BootTimeout: h.m.BootTimeout,
		Lists: lists, Private: h.m.Server.Private(), Group: h.r.Group, Sink: h.r.Sink, Stop: h.r.Stop,
	})
}

// A peerMachine is a host as the machine of a system of others.
type peerMachine struct{ *Host }

var _ harness.Machine = peerMachine{}

func (m peerMachine) Clock() time.Duration            { return monotonic() }
func (m peerMachine) Warn(format string, args ...any) { m.warn(format, args...) }
func (m peerMachine) Prepared(took time.Duration)     { m.apart = took }
func (m peerMachine) End()                            { m.gate.leave(m.gate.root) }

func (m peerMachine) Next(ctx context.Context) (workload.Job, bool) { return m.feed.pop(ctx) }

func (m peerMachine) Begin(ctx context.Context) (time.Duration, bool) {
	ok := m.gate.enter(ctx, m.gate.root)
	return m.gate.zero, ok
}

func (m peerMachine) Clear(ctx context.Context, patiently, told bool) {
	left := m.clear(ctx, patiently)
	if told {
		m.killed += left
	}
	m.gone = monotonic()
}

func (m peerMachine) Settled(n int, last time.Duration) {
	m.settle.mu.Lock()
	defer m.settle.mu.Unlock()
	m.settle.settled += n
	m.settle.last = max(m.settle.last, last)
}

func (m peerMachine) Taken(n int) {
	m.feed.mu.Lock()
	defer m.feed.mu.Unlock()
	m.feed.taken = n
}

func (m peerMachine) Start(slot int, program string, args []string) (harness.Main, error) {
	p := m.newProcess(roleParent, slot, nil)
	if err := m.openOutput(p); err != nil {
		return nil, err
	}
	if err := m.spawn(p, program, args, nil); err != nil {
		return nil, err
	}
	return &peerMain{process: p}, nil
}

// A peerMain is a main process of a system of others.
type peerMain struct {
	*process
	estate *estate // what the application has left in it, until a fork has been seen
}

func (p *peerMain) ID() int                 { return p.id }
func (p *peerMain) PID() int                { return p.pid }
func (p *peerMain) Exited() <-chan struct{} { return p.own.exited }
func (p *peerMain) Output() string          { return p.host.output(p.process).quoted() }
func (p *peerMain) Signalled() bool         { return p.own.cmd.ProcessState.ExitCode() < 0 }
func (p *peerMain) Ran(jobs int)            { p.ran.Store(int64(jobs)) }
func (p *peerMain) Reap()                   { p.reap(p.host.m.Grace) }

// Ready leaves out what its children have used: that is theirs.
func (p *peerMain) Ready(at time.Duration, used record.CPU, waited time.Duration) {
	p.ready, p.startup = at, used.Sub(p.children)
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	p.waited = max(waited-p.children.Total(), 0)
}

func (p *peerMain) Stop(ask bool) {
	p.closing.Store(true)
	p.end = monotonic()
	if ask {
		_ = unix.Kill(p.pid, unix.SIGTERM)
	}
}

func (p *peerMain) Kill() bool {
	p.kill()
	return p.ends()
}

func (p *peerMain) Forked(slot, pid int, began, ready time.Duration) harness.Child {
	child := p.host.newProcess(roleChild, slot, p.process)
	child.pid, child.forkBegan, child.ready = pid, began, ready
	child.foreign = true
	child.setState(running)
	p.host.register(child)
	return peerChild{child}
}

// A peerChild is a process that a main process has forked.
type peerChild struct{ *process }

func (p peerChild) ID() int { return p.id }

func (p peerChild) Reaped(e harness.Exit, ended time.Duration, jobs int) {
	p.close(exit{
		known: true, ours: true, status: e.Status, cpu: e.CPU, own: e.Own, minor: e.Minor, major: e.Major, at: e.At,
	}, ended, jobs)
	p.maker.booked(p.last)
}

func (p peerChild) Orphaned(ended time.Duration, jobs int) {
	// The pid is from a pipe that jobs can write to.
	e := p.host.endOrphan(p.pid, 0, func() { p.host.killChild(p.pid, p.maker.pid) })
	e.ours = e.known
	p.close(e, ended, jobs)
}

func (p peerChild) close(e exit, ended time.Duration, jobs int) {
	p.end, p.last = ended, e
	p.setState(closed)
	p.ran.Store(int64(jobs))
	p.host.account(p.process, e)
}

// Holds notes what the application has left in a main process.
func (p *peerMain) Holds(report []byte) error {
	var inside struct {
		heldReply
		Steps []stepReply `json:"steps"`
	}
	if err := json.Unmarshal(report, &inside); err != nil {
		return err
	}
	p.steps = inside.Steps
	e := &estate{inside: inside.heldReply, err: errUnseen}
	things, _ := held.Open(p.pid)
	for _, t := range things {
		if p.origin(thingName(t)) != "" {
			e.things = append(e.things, t)
		}
	}
	threads, _ := held.Threads(p.pid)
	for _, t := range threads {
		if p.origin(taskName(t)) != "" {
			e.threads = append(e.threads, t)
		}
	}
	p.estate = e
	return nil
}

// Passes notes what of it a fork has, and tells the hazards.
func (p *peerMain) Passes(child int, report []byte) error {
	inside, err := parseHeld(report)
	if err != nil {
		return err
	}
	// A lock that it takes for a moment, around the fork, is the system's own.
	inside.Locks = slices.DeleteFunc(inside.Locks, func(name string) bool { return !slices.Contains(p.estate.inside.Locks, name) })
	p.estate.see(child, inside)
	p.estate.left, _ = held.Threads(p.pid)
	p.Unseen()
	return nil
}

// Unseen tells the hazards by what is known.
func (p *peerMain) Unseen() {
	p.inspecting.Lock()
	defer p.inspecting.Unlock()
	p.assess(p.estate)
	p.host.endanger(p.found)
}
