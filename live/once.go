package live

import (
	"errors"
	"time"

	"forkbench/models"
	"forkbench/workload"
)

// A child that is made for one job and exits with it is one exchange: make it, and
// tell when it has ended. It has no socket, what it says is in its seat, and the
// host wakes once.

// sit gives a process that is about to be made for this one job a seat, if there
// is one that holds it.
func (p *process) sit(job workload.Job) bool {
	if p.life != 1 || len(job.Payload) > seatSize-seatSaid {
		return false
	}
	p.seat = p.host.seats(p).take()
	return p.seat != nil
}

// once makes a planned process, has it run the job, and waits for its end.
func (p *process) once(job workload.Job, o models.Outcome) models.Outcome {
	if p.maker.ran.Load() > 0 {
		p.maker.refork.Store(true)
	}
	p.asked = monotonic()
	p.mu.Lock()
	p.state = running
	p.watch = time.AfterFunc(p.patience(), p.overdue)
	p.mu.Unlock()

	e, made, err := p.host.m.Runtime.once(p, job)
	if !made {
		p.leave()
		p.host.forget(p)
		return p.unrun(o, p.forkFailed(err))
	}
	if err != nil {
		p.host.fail(p.forkFailed(err))
	}
	e.ours = p.killed.Load()
	p.last = e

	done, ok, err := p.seat.said(p.own != nil)
	p.leave()
	if ok {
		err = p.believe(done, job.ID, e.at)
	}
	var unready *BootError
	switch {
	case errors.As(err, &unready):
		unready.Output = p.host.output(p).tail()
		o = p.unrun(o, p.forkFailed(unready))
	case ok && err == nil:
		o = p.conclude(o, done)
	default:
		o = p.died(o, e, err)
	}
	p.host.account(p, e)
	return o
}

// leave gives the process's seat back.
func (p *process) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch.Stop()
	p.seat.of.give(p.seat)
	p.seat = nil
	p.state = closed
}

// patience is when to look next whether a child is overdue.
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
	left := p.patience()
	if m.Timeout > 0 {
		left = min(left, m.Timeout-(now-returned))
	}
	switch {
	case p.hopeless:
		p.maker.conn.abandon() // it does not even end
		return
	case returned == 0 && now-p.asked >= m.BootTimeout, p.deadline != 0 && now >= p.deadline:
		p.maker.kill() // it neither forks nor reaps
		p.hopeless = true
		p.watch.Reset(p.host.limit)
		return
	case returned == 0:
		left = min(10*time.Millisecond, m.BootTimeout)
	case left <= 0:
		p.late = true
		p.expectEnd(now)
		p.killed.Store(true)
		if p.own != nil {
			p.own.kill()
		} else {
			p.killForked()
		}
		left = m.Grace
	case p.own == nil && p.seat.gone():
		p.expectEnd(now)
	}
	if p.deadline != 0 {
		left = min(left, p.deadline-now)
	}
	p.watch.Reset(left)
}

// expectEnd sets when its maker has to have reaped a child that has ended, or is
// about to.
func (p *process) expectEnd(now time.Duration) {
	if p.deadline == 0 {
		p.deadline = now + p.host.m.Grace + p.host.m.BootTimeout
	}
}
