package live

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"forkbench/peers"
	"forkbench/stream"
	"forkbench/workload"
)

const (
	// peerQueue is the peer's name of the queue that the jobs are in.
	peerQueue = "jobs"
	// peerGrace is how long a peer may take to end its workers when it has no job:
	// RQ joins a thread for a second, Celery its pool.
	peerGrace = 10 * time.Second
	// peerPatience bounds a question to Redis while the peer works.
	peerPatience = 5 * time.Second
	// peerBacklog is the size of the pipe that the peer's stamps come through:
	// about ten thousand lines, so that nobody waits for this program.
	peerBacklog = 1 << 20
)

// A peer is a system of others in the hands of a host, for one round. All of it
// runs in the goroutine of RunPeer, but for release.
type peer struct {
	host   *Host
	system peers.System
	python Python
	lists  *stream.Lists
	jobs   []workload.Job

	dir  string   // of its files and pipe, private to this user
	pipe *os.File // its stamps
	base string   // what all of its keys begin with

	prefix, live, held string // the prefix as it gets it, and the lists that jobs are taken from and held back in

	mains   []*process
	estates map[*process]*estate // what mains have that the application left in them
	kids    map[int]*kid         // by pid: the mains, and what they have forked and not yet reaped
	ready   int                  // mains that have said so
	born    int                  // children that could take a job
	fates   []fate               // by job ID
	left    int                  // jobs that are not over
	running int                  // that have begun and are not over
	stopped time.Duration
	heard   time.Duration // when the last line came
	buf     []byte        // what is read into
	rest    []byte        // of a line that has not come whole
}

var _ peers.Host = (*Host)(nil)

// RunPeer runs a job system of others: see peers.Host.
func (h *Host) RunPeer(ctx context.Context, s peers.System) (err error) {
	began := monotonic()
	p, err := h.newPeer(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.remove(ctx)) }()
	if err := p.enqueue(ctx); err != nil {
		return fmt.Errorf("enqueue the jobs for %s: %w", s.Name, err)
	}
	h.apart = monotonic() - began

	err = p.start(ctx)
	p.unseen()
	if err == nil {
		err = p.work(ctx)
	}
	p.stop(ctx, err == nil)
	h.gone = monotonic()
	if err == nil && ctx.Err() == nil {
		err = p.settle(ctx)
	}
	return err
}

// start starts the peer's processes and waits until all can take a job.
func (p *peer) start(ctx context.Context) error {
	h := p.host
	for slot := range p.system.Mains {
		main := h.newProcess(roleParent, slot, nil)
		if err := h.openOutput(main); err != nil {
			return err
		}
		args := []string{"-u", filepath.Join(p.dir, "run.py"), p.system.Module(), "work"}
		if err := h.spawn(main, p.python.Program(), args, nil); err != nil {
			return err
		}
		p.mains = append(p.mains, main)
		p.kids[main.pid] = &kid{process: main}
	}
	deadline := monotonic() + h.m.BootTimeout
	err := p.listen(ctx, func() (bool, error) {
		if p.ready == len(p.mains) && p.born >= p.system.Pool {
			return true, nil
		}
		if monotonic() > deadline {
			return false, fmt.Errorf("%s was not ready within %v: see --boot-timeout%s", p.system.Name, h.m.BootTimeout, p.quoted())
		}
		return false, nil
	})
	return err
}

// quoted is the last that the peer printed, as the end of an error's text.
func (p *peer) quoted() string {
	for _, main := range p.mains {
		if text := p.host.output(main).quoted(); text != "" {
			return text
		}
	}
	return ""
}

// work releases the jobs and waits until all are over, or none may be begun any
// more.
func (p *peer) work(ctx context.Context) error {
	h := p.host
	if !h.gate.enter(ctx, h.gate.root) {
		return context.Cause(ctx)
	}
	defer h.gate.leave(h.gate.root)
	p.heard = monotonic()

	working, end := context.WithCancelCause(ctx)
	released := make(chan struct{})
	go func() {
		defer close(released)
		if err := p.release(working); err != nil {
			end(fmt.Errorf("release the jobs: %w", err))
		}
	}()
	err := p.listen(working, p.over())
	end(nil)
	<-released
	return err
}

// release hands over the jobs as they become due.
func (p *peer) release(ctx context.Context) error {
	if len(p.jobs) == 0 {
		return nil
	}
	if p.jobs[len(p.jobs)-1].Due == 0 { // a burst
		return p.lists.Move(ctx, p.held, p.live)
	}
	for next := 0; next < len(p.jobs); {
		now := monotonic() - p.host.gate.zero
		due := next
		for due < len(p.jobs) && p.jobs[due].Due <= now {
			due++
		}
		if due == next {
			if err := p.host.Sleep(ctx, p.jobs[next].Due-now); err != nil {
				return err
			}
			continue
		}
		if err := p.lists.Pass(ctx, p.held, p.live, p.system.NextIsLast, due-next); err != nil {
			return err
		}
		next = due
	}
	return nil
}

// over says when there is nothing more to wait for. A job that was lost is not
// waited for longer than a process may take to boot.
func (p *peer) over() func() (bool, error) {
	h := p.host
	asked := monotonic()
	return func() (bool, error) {
		if p.left == 0 {
			return true, nil
		}
		select {
		case <-h.r.Stop: // nil blocks for ever, which default is for
			return true, nil
		default:
		}
		now := monotonic()
		if now-asked < time.Second {
			return false, nil
		}
		asked = now
		ctx, cancel := context.WithTimeout(context.Background(), peerPatience)
		defer cancel()
		// Passing jobs makes the list anew whenever it was empty.
		if err := p.lists.ExpireOne(ctx, p.live); err != nil {
			return false, err
		}
		waiting, err := p.lists.Len(ctx, p.live)
		if err != nil {
			return false, err
		}
		held, err := p.lists.Len(ctx, p.held)
		if err != nil {
			return false, err
		}
		if p.running == 0 && waiting == 0 && held == 0 && now-p.heard > h.m.BootTimeout {
			h.warn("%s has said nothing for %v, with %d jobs neither waiting nor running: they are lost", p.system.Name, h.m.BootTimeout, p.left)
			return true, nil
		}
		return false, nil
	}
}

// stop ends the peer's processes: asked first, killed after a grace, or at once
// when ctx has ended. Jobs that run are waited for if that is asked.
func (p *peer) stop(ctx context.Context, patiently bool) {
	p.stopped = monotonic()
	if p.left > 0 {
		// No more are begun. A server that is gone has none to give.
		_ = p.lists.Move(ctx, p.live, p.base+":left")
	}
	for _, main := range p.mains {
		main.closing.Store(true)
		main.end = p.stopped
		if ctx.Err() == nil {
			_ = unix.Kill(main.pid, unix.SIGTERM)
		}
	}
	_ = p.listen(ctx, func() (bool, error) { // an error says that ctx has ended
		waits := patiently && p.running > 0
		return p.exited() || !waits && monotonic()-p.stopped > peerGrace, nil
	})
	killed := false
	for _, main := range p.mains {
		select {
		case <-main.own.exited:
		default:
			main.kill()
			if !main.ends() {
				killed = true
				continue
			}
		}
		killed = killed || main.own.cmd.ProcessState.ExitCode() < 0
	}
	_ = p.drain(time.Now()) // all that could speak is dead
	p.bury()
	for _, main := range p.mains {
		main.reap(p.host.m.Grace)
	}
	left := p.host.clear(ctx, patiently)
	if !killed { // else it may not have told of its last fork, which is nobody's leaving
		p.host.killed += left
	}
}

func (p *peer) exited() bool {
	for _, main := range p.mains {
		select {
		case <-main.own.exited:
		default:
			return false
		}
	}
	return true
}
