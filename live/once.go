package live

import (
	"strings"
	"time"

	"forkbench/models"
	"forkbench/workload"
)

// A child that is made for one job and exits with it is one exchange with its
// template: make it, and tell when it has ended. It has no socket, what it says
// is in its seat, and the host wakes once.

// once forks a planned process at a seat, has it run the job, and waits for its
// end.
func (p *process) once(job workload.Job, o models.Outcome) models.Outcome {
	if p.maker.ran.Load() > 0 {
		p.maker.refork.Store(true)
	}
	p.asked = monotonic()
	p.mu.Lock()
	p.state = running
	p.watch = time.AfterFunc(p.patience(), p.overdue)
	p.mu.Unlock()
	p.host.register(p)

	w := &waiter{answers: kindEnded, which: p.seat.number}
	r := p.maker.ask(w, 0, func(b []byte) []byte { return appendOnce(b, p.seat.number, job.ID, job.Payload) })
	p.end = monotonic()
	cause := r.err
	var ended endedReply
	if cause == nil {
		ended, cause = parseEnded(r.body)
	}
	if cause == nil && ended.refusal != "" {
		p.leave()
		p.host.forget(p)
		return p.unrun(o, p.forkFailed(&ForkError{Reason: strings.TrimSpace(ended.refusal)}))
	}
	if cause != nil {
		p.last = p.waitOrphan()
		p.host.fail(p.forkFailed(cause))
	} else {
		p.pid, p.forkBegan, p.ready = ended.pid, ended.began, ended.returned
		p.last = p.exitOf(ended.reapedReply)
	}
	p.last.ours = p.killed.Load()

	done, ok, err := p.seat.said()
	p.leave()
	if ok && done.id == job.ID {
		o = p.conclude(o, done)
	} else {
		o = p.died(o, p.last, err)
	}
	p.host.account(p, p.last)
	return o
}

// leave gives the process's seat back.
func (p *process) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch.Stop()
	p.host.seats(p).give(p.seat)
	p.seat = nil
	p.state = closed
}

// patience is when to look for the first time whether a child is overdue.
func (p *process) patience() time.Duration {
	if p.host.m.Timeout > 0 {
		return min(p.host.m.Timeout, p.host.m.BootTimeout)
	}
	return p.host.m.BootTimeout
}

// overdue looks whether a child has been made in time, and has ended in time.
// The limit of its job counts from when it was there.
func (p *process) overdue() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seat == nil {
		return // it has ended
	}
	now, m := monotonic(), p.host.m
	returned := p.seat.returned()
	switch {
	case returned == 0 && now-p.asked >= m.BootTimeout, p.late && now >= p.deadline:
		p.maker.kill() // it neither forks nor reaps
	case returned == 0:
		p.watch.Reset(min(10*time.Millisecond, m.BootTimeout))
	case m.Timeout == 0:
	case now-returned < m.Timeout:
		p.watch.Reset(m.Timeout - (now - returned))
	default:
		if !p.late {
			p.late, p.deadline = true, now+m.Grace+m.BootTimeout
		}
		p.killed.Store(true)
		p.seat.kill()
		p.watch.Reset(m.Grace)
	}
}
