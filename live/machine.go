// Package live is this computer as a machine for execution models: real
// operating-system processes, a real Redis, real time, and exact accounts.
//
// A [Machine] runs rounds. In each it gives an executor a host whose processes
// are made by a [Runtime]: [Python] (fork(2) of a Python template) or [Go] (this
// binary executed again). Every process is started, ended, waited for and
// accounted for here; what they used is what wait4 says they used.
//
// The protocol that host and processes speak is in docs/protocol.md.
package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"forkbench/models"
	"forkbench/record"
	"forkbench/service"
	"forkbench/stream"
	"forkbench/workload"
)

// A Machine runs rounds on this computer, one at a time. Fields are not changed
// once it runs.
type Machine struct {
	Workers  int // jobs that may run at once, at least 1
	Workload workload.Workload
	Runtime  Runtime
	Env      []string // NAME=VALUE, for the processes that run jobs, besides this program's own

	Timeout     time.Duration // for a job, from when its process has it; 0 means none
	BootTimeout time.Duration // for booting, warming and forking; 0 means a minute
	Grace       time.Duration // between asking a process to exit and killing it; 0 means two seconds

	Server *stream.Server // whose CPU is booked as Redis's
	// Services are other programs whose CPU is told apart, and where those are put
	// that the jobs are found to be connected to. Without it none are looked for.
	Services *service.Set

	Guard *Guard      // cleans up if this program is killed; may be nil
	Log   *zap.Logger // may be nil
}

// A Round is one executor's turn at a comparison's jobs.
type Round struct {
	Number int    // from 0
	Model  string // as records name it
	Jobs   int    // to be run: as many as the stream has, or fewer
	Group  *stream.Group
	Former stream.Counts // of the group, by which it has run fewer before: a round may be made in several goes
	Sink   record.Sink

	// Stop asks for an early end when it is closed: no job is started any more,
	// those that run are finished and settled. It may be nil.
	Stop <-chan struct{}
}

func (m *Machine) log() *zap.Logger {
	if m.Log == nil {
		return zap.NewNop()
	}
	return m.Log
}

// withDefaults returns the machine with its zero limits replaced.
func (m Machine) withDefaults() *Machine {
	if m.BootTimeout == 0 {
		m.BootTimeout = time.Minute
	}
	if m.Grace == 0 {
		m.Grace = 2 * time.Second
	}
	return &m
}

// Run gives the jobs of a round to an executor and returns what happened, with
// the records of jobs, processes and memory already written to the round's sink.
//
// When ctx is cancelled, every process is killed at once. The returned record is
// complete in any case; the error says why the executor could not go on, and
// stands in the record too. A job's failure is not an error.
func (m *Machine) Run(ctx context.Context, e models.Executor, r Round) (*record.Round, error) {
	if err := adoptOrphans(); err != nil {
		return nil, err
	}
	h := newHost(m.withDefaults(), r)
	h.cgroup = m.Guard.cgroup(fmt.Sprintf("%s-%d", r.Model, r.Number))
	defer h.cgroup.remove()

	err := h.execute(ctx, e)
	return h.summary(ctx, err), err
}

func newHost(m *Machine, r Round) *Host {
	h := &Host{
		m: m, r: r, born: monotonic(), cgroup: noCgroup("a check"), lineage: newLineage(), limit: endLimit,
	}
	h.awayBefore = h.away()
	h.gate = newGate(h.beginWork, h.endWork)
	h.feed = newFeed(r.Group, r.Jobs, r.Stop)
	h.settle = newSettler(h)
	return h
}

// execute runs the executor with all that serves it, and ends when everything
// that it started has ended.
func (h *Host) execute(ctx context.Context, e models.Executor) error {
	exec, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h.cancel, h.ended = cancel, func() bool { return exec.Err() != nil }
	defer context.AfterFunc(ctx, h.killAll)()

	var serving errgroup.Group
	serving.Go(func() error {
		if err := h.feed.fetch(exec); err != nil {
			h.fail(err)
		}
		return nil
	})
	serving.Go(func() error {
		h.settle.flush(ctx)
		return nil
	})
	serving.Go(func() error {
		h.stopStartup(exec)
		return nil
	})
	sampled := make(chan struct{})
	serving.Go(func() error {
		h.sample(sampled)
		return nil
	})
	serving.Go(func() error {
		h.reap(sampled)
		return nil
	})

	err := e.Execute(exec, h)
	h.gate.leave(h.gate.root)
	if ctx.Err() == nil && context.Cause(exec) != nil && !errors.Is(err, context.Cause(exec)) {
		err = errors.Join(context.Cause(exec), ignoreCancelled(err))
	}
	if left := h.closeAll(exec); left > 0 && err == nil {
		err = fmt.Errorf("model %s left %d processes open: close each process that was booted or forked", h.r.Model, left)
	}
	close(sampled)
	h.killed += h.clear(ctx, err == nil)
	if h.killed > 0 {
		h.m.log().Sugar().Warnf("jobs left %d processes behind: they were killed", h.killed)
	}
	if h.gone == 0 {
		h.gone = monotonic()
	}

	close(h.settle.arrived)
	cancel(nil) // fetch may wait for a taker
	_ = serving.Wait()
	h.closeShared()
	h.flushMade()
	if err == nil && ctx.Err() == nil {
		err = context.Cause(exec)
		if errors.Is(err, context.Canceled) {
			err = nil
		}
	}
	if ctx.Err() != nil {
		err = errInterrupted
	}
	return err
}

// stopStartup ends the round if it is to be stopped before work has begun: there
// is nothing to finish.
func (h *Host) stopStartup(ctx context.Context) {
	select {
	case <-h.r.Stop:
		if !h.gate.isOpen() {
			h.fail(errInterrupted)
			h.killAll()
		}
	case <-h.gate.open:
	case <-ctx.Done():
	}
}

// ignoreCancelled drops an error that only says that the context had ended.
func ignoreCancelled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// openOutput gives a booted process somewhere to print to.
func (h *Host) openOutput(p *process) error {
	o, err := newOutput()
	if err != nil {
		return err
	}
	p.prints = o
	h.mu.Lock()
	h.outputs = append(h.outputs, o)
	h.mu.Unlock()
	h.waits.Go(o.drain)
	return nil
}

// openSeats gives a booted process memory that it shares with its children.
func (h *Host) openSeats(p *process) error {
	s, err := newSeats(h.m.Workers)
	if err != nil {
		return err
	}
	h.seat(p, s)
	return nil
}

// seat has a process's children sit in s.
func (h *Host) seat(p *process, s *seats) {
	p.chairs = s
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seating = append(h.seating, s)
}

// closeShared closes what booted processes shared with their children, when all
// of them are gone. Whoever waits for one that could not be ended is left to it.
func (h *Host) closeShared() {
	for _, o := range h.outputs {
		o.close()
	}
	if h.endless.Load() {
		return
	}
	h.waits.Wait()
	for _, s := range h.seating {
		s.close()
	}
}

// An Application is what Check found out about the code to run.
type Application struct {
	Version    string // of the language
	Executable string // the interpreter's file
}

// Check boots one process and ends it again, so that a name that does not
// exist, an import that fails or a missing interpreter is known before anything
// else is started. Errors are a *MissingError, a *BootError, or the system's.
func (m *Machine) Check(ctx context.Context) (Application, error) {
	if err := m.Runtime.check(m.Workload); err != nil {
		return Application{}, err
	}
	if err := adoptOrphans(); err != nil {
		return Application{}, err
	}
	probe := &prober{}
	r := Round{Model: "check", Sink: discard{}}
	h := newHost(m.withDefaults(), r)
	err := h.probe(ctx, probe)
	return probe.found, err
}

type prober struct{ found Application }

func (h *Host) probe(ctx context.Context, to *prober) error {
	exec, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h.cancel = cancel
	defer context.AfterFunc(ctx, h.killAll)()
	p, err := h.Boot(exec)
	if err == nil {
		booted := p.(*process)
		to.found = Application{Version: booted.version, Executable: booted.executable}
		err = p.Close(exec)
	}
	h.clear(ctx, false)
	h.closeShared()
	if ctx.Err() != nil {
		err = errInterrupted
	}
	return err
}

// discard is a sink for what nobody will read.
type discard struct{}

func (discard) Write(record.Line) error { return nil }
