// Package harness runs a job system of others for one round: it has the system's own
// code enqueue the jobs, starts its workers, releases the jobs when all can take one,
// listens to what the processes say of themselves, ends them, and asks for the
// outcomes. What its processes use is the business of a [Machine]: package live is one.
//
// What the processes say, and how, is in forkbench_peer.py, which each runs with its
// system's driver.
package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"forkbench/peers"
	"forkbench/workload"
)

const (
	// queue is the system's name of the queue that the jobs are in.
	queue = "jobs"
	// grace is how long a system may take to end its workers when it has no job:
	// RQ joins a thread for a second, Celery its pool.
	grace = 10 * time.Second
	// patience bounds a question to Redis while the system works.
	patience = 5 * time.Second
	// backlog is the size of the pipe that the system's stamps come through:
	// about ten thousand lines, so that nobody waits for this program.
	backlog = 1 << 20
)

// A run is a system in the hands of a machine, for one round. All of it runs in the
// goroutine of Run, but for release.
type run struct {
	Round
	machine Machine
	system  peers.System
	jobs    []workload.Job

	dir  string   // of its files and pipe, private to this user
	pipe *os.File // its stamps
	base string   // what all of its keys begin with

	prefix, live, held string // the prefix as it gets it, and the lists that jobs are taken from and held back in

	mains     []Main
	holding   map[Main]bool    // mains that have said what they hold, and of which no fork was seen
	processes map[int]*process // by pid: the mains, and what they have forked and not yet reaped
	ready     int              // mains that have said so
	born      int              // children that could take a job
	times     []times          // by job ID
	left      int              // jobs that are not over
	running   int              // that have begun and are not over
	zero      time.Duration    // of work
	stopped   time.Duration
	heard     time.Duration // when the last line came
	buf       []byte        // what is read into
	rest      []byte        // of a line that has not come whole
}

// Run gives a round's jobs to a system and returns when it has run them and all of its
// processes have been ended and accounted for.
func Run(ctx context.Context, m Machine, s peers.System, round Round) (err error) {
	began := m.Clock()
	r, err := prepare(m, s, round)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.remove(ctx)) }()
	if err := r.enqueue(ctx); err != nil {
		return fmt.Errorf("enqueue the jobs for %s: %w", s.Name, err)
	}
	m.Prepared(m.Clock() - began)

	err = r.start(ctx)
	r.unseen()
	if err == nil {
		err = r.work(ctx)
	}
	r.stop(ctx, err == nil)
	if err == nil && ctx.Err() == nil {
		err = r.settle(ctx)
	}
	return err
}

// start starts the system's processes and waits until all can take a job.
func (r *run) start(ctx context.Context) error {
	args := []string{"-u", filepath.Join(r.dir, "run.py"), r.system.Module(), "work"}
	for slot := range r.system.Mains {
		main, err := r.machine.Start(slot, r.Program, args)
		if err != nil {
			return err
		}
		r.mains = append(r.mains, main)
		r.processes[main.PID()] = &process{main: main, slot: slot}
	}
	deadline := r.machine.Clock() + r.BootTimeout
	return r.listen(ctx, func() (bool, error) {
		if r.ready == len(r.mains) && r.born >= r.system.Pool {
			return true, nil
		}
		if r.machine.Clock() > deadline {
			return false, fmt.Errorf("%s was not ready within %v: see --boot-timeout%s", r.system.Name, r.BootTimeout, r.quoted())
		}
		return false, nil
	})
}

// quoted is the last that the system printed, as the end of an error's text.
func (r *run) quoted() string {
	for _, main := range r.mains {
		if text := main.Output(); text != "" {
			return text
		}
	}
	return ""
}

// work releases the jobs and waits until all are over, or none may be begun any
// more.
func (r *run) work(ctx context.Context) error {
	zero, ok := r.machine.Begin(ctx)
	if !ok {
		return context.Cause(ctx)
	}
	defer r.machine.End()
	r.zero, r.heard = zero, r.machine.Clock()

	working, end := context.WithCancelCause(ctx)
	released := make(chan struct{})
	go func() {
		defer close(released)
		if err := r.release(working); err != nil {
			end(fmt.Errorf("release the jobs: %w", err))
		}
	}()
	err := r.listen(working, r.over())
	end(nil)
	<-released
	return err
}

// release hands over the jobs as they become due.
func (r *run) release(ctx context.Context) error {
	if len(r.jobs) == 0 {
		return nil
	}
	if r.jobs[len(r.jobs)-1].Due == 0 { // a burst
		return r.Lists.Move(ctx, r.held, r.live)
	}
	for next := 0; next < len(r.jobs); {
		now := r.machine.Clock() - r.zero
		due := next
		for due < len(r.jobs) && r.jobs[due].Due <= now {
			due++
		}
		if due == next {
			if err := r.machine.Sleep(ctx, r.jobs[next].Due-now); err != nil {
				return err
			}
			continue
		}
		if err := r.Lists.Pass(ctx, r.held, r.live, r.system.NextIsLast, due-next); err != nil {
			return err
		}
		next = due
	}
	return nil
}

// over says when there is nothing more to wait for. A job that was lost is not
// waited for longer than a process may take to boot.
func (r *run) over() func() (bool, error) {
	asked := r.machine.Clock()
	return func() (bool, error) {
		if r.left == 0 || r.isStopped() {
			return true, nil
		}
		now := r.machine.Clock()
		if now-asked < time.Second {
			return false, nil
		}
		asked = now
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		// Passing jobs makes the list anew whenever it was empty.
		if err := r.Lists.ExpireOne(ctx, r.live); err != nil {
			return false, err
		}
		waiting, err := r.Lists.Len(ctx, r.live)
		if err != nil {
			return false, err
		}
		held, err := r.Lists.Len(ctx, r.held)
		if err != nil {
			return false, err
		}
		if r.running == 0 && waiting == 0 && held == 0 && now-r.heard > r.BootTimeout {
			r.machine.Warn("%s has said nothing for %v, with %d jobs neither waiting nor running: they are lost", r.system.Name, r.BootTimeout, r.left)
			return true, nil
		}
		return false, nil
	}
}

// isStopped reports whether no more jobs are to be begun.
func (r *run) isStopped() bool {
	select {
	case <-r.Stop: // nil blocks for ever, which default is for
		return true
	default:
		return false
	}
}

// stop ends the system's processes: asked first, killed after a grace, or at once
// when ctx has ended. Jobs that run are waited for if that is asked.
func (r *run) stop(ctx context.Context, patiently bool) {
	r.stopped = r.machine.Clock()
	if r.left > 0 {
		// No more are begun. A server that is gone has none to give.
		_ = r.Lists.Move(ctx, r.live, r.base+":left")
	}
	for _, main := range r.mains {
		main.Stop(ctx.Err() == nil)
	}
	_ = r.listen(ctx, func() (bool, error) { // an error says that ctx has ended
		waits := patiently && r.running > 0
		return r.exited() || !waits && r.machine.Clock()-r.stopped > grace, nil
	})
	killed := false
	for _, main := range r.mains {
		if !hasExited(main) && !main.Kill() {
			killed = true
			continue
		}
		killed = killed || main.Signalled()
	}
	_ = r.drain(time.Now()) // all that could speak is dead
	r.reapRest()
	for _, main := range r.mains {
		main.Reap()
	}
	r.machine.Clear(ctx, patiently, !killed)
}

func (r *run) exited() bool {
	for _, main := range r.mains {
		if !hasExited(main) {
			return false
		}
	}
	return true
}

func hasExited(main Main) bool {
	select {
	case <-main.Exited():
		return true
	default:
		return false
	}
}
