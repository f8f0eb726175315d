// Package sim is a machine for execution models in virtual time: the executors
// that package live runs on real processes run here, unchanged, on a machine of
// any size, at costs that a [Profile] gives. A million jobs take about a second.
//
// # How it works
//
// Each slot of an executor is a coroutine. When it blocks in a method of its
// host, the engine goes on to the next event, in the order of (time, sequence),
// in integer nanoseconds. One thing runs at a time, and random numbers are a
// function of the seed and of what they are for (the job, the process): the same
// seed gives the same records, byte for byte, however many cores the simulation
// itself has; and job k asks the same of every model.
//
// # What is modelled
//
//   - CPU: c cores, shared equally by all that is runnable (processor sharing),
//     or, where a profile says so, with a queue each, as a kernel has them.
//     Waiting takes none. More trees of processes than cores cost each other
//     what they had in the caches.
//   - Processes: each does one thing at a time, so a parent forks one child
//     after another, at a cost that grows with its size. Exit and reaping.
//   - One-time work: done by the first job in a process, or by Warm; forked
//     children inherit it. A penalty for the first job that cannot be inherited,
//     and what the next ones cost more while a process is young.
//   - Memory: pages shared with the parent and own ones, copied at the first
//     write; the PSS of the tree.
//   - The supervisor and Redis, as servers with queues, on the same cores.
//
// Not modelled: memory bandwidth, priorities, who is preempted when, swapping.
//
// # What it rests on
//
// Every round is held against Little's law and the conservation of jobs and CPU
// time; a violation is an [InvariantError]. The tests compare it with closed
// forms: Erlang C, Pollaczek-Khinchine, and the insensitivity of processor
// sharing.
package sim

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"forkbench/models"
	"forkbench/record"
	"forkbench/workload"
)

// A Machine is a simulated computer. Its fields are not changed once it runs; it
// may run several rounds at once.
type Machine struct {
	Workers int      // jobs that may run at once, from 1 to MaxWorkers
	Cores   int      // from 1 to MaxCores
	Profile *Profile // what things cost, not changed while it runs; see Profile.Validate
	Seed    uint64   // of all that is random here; the jobs have their own

	Timeout time.Duration // for a job; 0 means none

	// Ending says how a job ends; nil means that all end as models.Done. A job
	// that ends as models.TimedOut never ends by itself and needs a Timeout.
	Ending func(workload.Job) models.Status

	// Patience is how long the executor may take, in real time, between two
	// calls of its host; 0 means ten seconds. See StuckError.
	Patience time.Duration
}

// MaxCores bounds the cores, by plausibility only.
const MaxCores = 1 << 20

// A Round is one executor's turn at a comparison's jobs.
type Round struct {
	Number int    // from 0
	Model  string // as records name it

	// Jobs are what is in the stream, in order; they are made as they are
	// needed. Total is how many there are to be; more are not looked at.
	Jobs  iter.Seq[workload.Job]
	Total int

	// Class says of which of the profile's classes a job is, by its ID: for a mix
	// whose draw is known. Nil means that classes are drawn by their weights.
	Class func(id uint64) int

	Sink record.Sink // takes the records; nil for none

	// Stop asks for an early end when it is closed: no job is started any more,
	// those that run are finished and settled. It may be nil.
	Stop <-chan struct{}
}

// Validate checks the machine, its profile included, and reports every problem.
func (m *Machine) Validate() error {
	var errs []error
	if m.Workers < 1 || m.Workers > MaxWorkers {
		errs = append(errs, fmt.Errorf("workers=%d: must be from 1 to %d", m.Workers, MaxWorkers))
	}
	if m.Cores < 1 || m.Cores > MaxCores {
		errs = append(errs, fmt.Errorf("cores=%d: must be from 1 to %d", m.Cores, MaxCores))
	}
	if m.Timeout < 0 {
		errs = append(errs, fmt.Errorf("timeout=%v: must not be negative; 0 is for none", m.Timeout))
	}
	if m.Profile == nil {
		errs = append(errs, errors.New("no profile: a machine needs to know what things cost; sim/profiles has some"))
	} else {
		errs = append(errs, m.Profile.Validate())
	}
	return errors.Join(errs...)
}

// errInterrupted is the error of a round that was cancelled, not a failure.
var errInterrupted = errors.New("interrupted")

// Run gives the jobs of a round to an executor and returns what happened, with
// the records of jobs, processes and memory already written to the round's sink.
//
// The error says why the executor could not go on and stands in the record too;
// a job's failure is not an error. It may be a *DeadlockError, a *StuckError, a
// *ForeignGoroutineError or an *InvariantError. After a StuckError the executor's
// goroutine, which nothing can end, is left behind, and the record holds
// nothing but the error. A panic of the executor is a panic of Run.
//
// When ctx is cancelled, virtual time stands still and every process is killed.
// The record is complete then, too.
func (m *Machine) Run(ctx context.Context, e models.Executor, r Round) (*record.Round, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if r.Total < 0 || r.Total > 0 && r.Jobs == nil {
		return nil, fmt.Errorf("a round of %d jobs: must have as many, or 0", r.Total)
	}
	h := m.newHost(r)
	result := struct {
		round    *record.Round
		err      error
		panicked any
		complete bool
	}{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if !result.complete {
				result.panicked = recover() // nil after runtime.Goexit
			}
		}()
		result.round, result.err = h.execute(ctx, e)
		result.complete = true
	}()
	patience := m.Patience
	if patience <= 0 {
		patience = 10 * time.Second
	}
	if slot, stuck := h.watch(done, patience); stuck {
		err := &StuckError{Model: r.Model, Slot: slot, After: patience}
		return &record.Round{Model: r.Model, Round: r.Number, Enqueued: r.Total, NotRun: r.Total, Error: err.Error()}, err
	}
	switch {
	case result.complete:
		return result.round, result.err
	case result.panicked != nil:
		panic(result.panicked)
	}
	return nil, fmt.Errorf("model %s ended its goroutine with runtime.Goexit", r.Model)
}

func (m *Machine) newHost(r Round) *Host {
	p := *m.Profile
	h := &Host{
		workers: m.Workers, profile: &p,
		timeout: int64(m.Timeout), ending: m.Ending, round: r,
		random: newSource(m.Seed), mix: newMixer(p.Jobs),
		gate: gate{need: 1}, sampleEvery: sampleEvery,
	}
	h.init(m.Cores)
	if p.Cores.HotMS > 0 {
		h.queues = newRunqueues(m.Cores, &p.Cores, h.latency)
	}
	h.cold = !p.Cores.ColdParent.zero() || !p.Cores.ColdChild.zero()
	h.prompt = h.queues != nil || p.Supervisor.Latency.zero()
	h.threads = p.Supervisor.Threads(m.Cores)
	h.supervisor.free = h.threads
	if !p.Redis.free() {
		h.server = &server{station: station{free: 1}}
	}
	h.sample = h.look
	h.pending = func() bool { return h.settle.state != settlerIdle }
	return h
}

// execute runs the executor to its end and makes the round's record.
func (h *Host) execute(ctx context.Context, e models.Executor) (*record.Round, error) {
	exec, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h.cancel, h.ended = cancel, func() bool { return exec.Err() != nil }
	h.poll = func() {
		h.pollStop()
		if ctx.Err() != nil {
			h.kill()
		} else if h.foreign > 0 {
			h.wakeCancelled()
		}
	}
	h.settle.start(h)
	h.feed.start(h)
	defer h.feed.end()
	defer h.stop()

	root := &slot{root: true}
	root.top = root
	var err error
	h.spawn(exec, root, func() error { return e.Execute(exec, h) }, func(failure error) {
		h.gate.leave(h, root)
		err = failure
		h.gone = h.Now()
	})
	if h.server != nil {
		h.feed.fetch(h)
	}
	h.poll()
	h.run()

	h.pollStop() // one that came too late counts as an early end, too
	left := h.closeAll()
	h.settle.abandon()
	if !h.gate.open {
		h.gate.open = true // for the records that waited for the start of work
		h.gate.zero = h.Now()
		h.flush()
		h.gate.open = false
	}
	err = h.failure(ctx, exec, err, left)
	if broken := h.verify(); broken != nil {
		err = errors.Join(err, broken)
	}
	interrupted := ctx.Err() != nil || h.feed.stopped
	recorded := err
	if errors.Is(err, errInterrupted) {
		recorded = nil
	}
	return h.summary(recorded, interrupted), err
}

// failure is why the executor could not go on, or nil.
func (h *Host) failure(ctx, exec context.Context, err, left error) error {
	cause := context.Cause(exec)
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case h.foreignCall.seen.Load() != nil:
		return h.foreignCall.seen.Load()
	case h.err != nil:
		if d, ok := errors.AsType[*DeadlockError](h.err); ok {
			d.Model = h.round.Model
		}
		return h.err
	case cause != nil && !errors.Is(err, cause):
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		return errors.Join(cause, err)
	case err != nil:
		return err
	}
	return left
}

// pollStop looks whether an early end has been asked for.
func (h *Host) pollStop() {
	if h.feed.stopped {
		return
	}
	select {
	case <-h.round.Stop: // never, if it is nil
		h.feed.stop(h)
	default:
	}
}

// closeAll closes what the executor left open: nothing, unless it is wrong or
// was cut short. It returns what there was.
func (h *Host) closeAll() error {
	if h.first == nil {
		return nil
	}
	n := 0
	for p := h.first; p != nil; p = p.following {
		n++
	}
	example := fmt.Sprintf("the first is process %d, a %s made by slot %d", h.first.id, h.first.role(), h.first.slot)
	for h.last != nil { // children first
		h.last.kill()
	}
	return fmt.Errorf("model %s left %d processes open, %s: close each process that was booted or forked",
		h.round.Model, n, example)
}

// flush writes the records of processes that waited for the start of work.
func (h *Host) flush() {
	for i := range h.made {
		h.writeProcess(&h.made[i])
	}
	h.made = nil
}
