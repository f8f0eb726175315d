package sim

import (
	"fmt"
	"slices"
	"time"

	"forkbench/models"
	"forkbench/record"
	"forkbench/workload"
)

// A holding is a job in a slot's hands.
type holding struct {
	id       uint64
	dequeued int64
}

// A settlement is an outcome on its way to the stream, with times on the clock
// of Host.Now.
type settlement struct {
	job      workload.Job
	outcome  models.Outcome
	slot     int
	dequeued int64
}

// A settler acknowledges outcomes in batches and then writes the jobs' records,
// as the one of a real machine does: the first one waits for others, up to a
// limit of time and number. A settler that gets too far behind holds up those
// who come with more.
type settler struct {
	pending    []settlement
	state      settlerState
	sending    int // of pending, in the request under way
	waiters    queue
	timer      actor // of the wait for others
	writer     client
	settled    int
	duplicated int
	abandoned  int // given back, or settled by the executor and not acknowledged any more
	last       time.Duration
}

type settlerState uint8

const (
	settlerIdle settlerState = iota
	lingering
	committing
)

func (s *settler) start(h *Host) {
	s.writer = newClient(h, func() { s.committed(h) })
	s.timer.fire = func() { s.commit(h) }
}

// add takes an outcome from the executor.
func (s *settler) add(h *Host, job *workload.Job, o *models.Outcome) {
	by, held := h.holder(job.ID)
	if by == nil {
		s.duplicated++
		h.fail(fmt.Errorf("model %s settled job %d twice, or without taking it", h.round.Model, job.ID))
		return
	}
	h.law.settle(h.now, held.dequeued)
	if o.NotRun {
		s.abandoned++ // it stays in the stream
		return
	}
	if h.server == nil || h.dead {
		s.finish(h, job, o, by.id, held.dequeued)
		return
	}
	s.enqueue(h, job, o, by.id, held.dequeued)
}

// enqueue adds an outcome to those that wait for a round trip.
func (s *settler) enqueue(h *Host, job *workload.Job, o *models.Outcome, slot int, dequeued int64) {
	for len(s.pending) >= 2*h.profile.Redis.Batch {
		s.waiters.push(h.current)
		if h.park(atSettler) != ready {
			break
		}
	}
	s.pending = append(s.pending, settlement{*job, *o, slot, dequeued})
	switch {
	case h.dead:
	case s.state == settlerIdle:
		s.linger(h)
	case s.state == lingering && s.full(h):
		s.timer.gen++ // its event is stale
		s.commit(h)
	}
}

// full reports whether there is nothing more to wait for.
func (s *settler) full(h *Host) bool {
	return len(s.pending) >= h.profile.Redis.Batch || s.settled+len(s.pending) >= h.round.Total
}

func (s *settler) linger(h *Host) {
	s.state = lingering
	if wait := nanos(h.profile.Redis.LingerMS); wait > 0 && !s.full(h) {
		s.timer.place = sleeping
		h.schedule(&s.timer, later(h.now, wait), wakeUp)
		return
	}
	s.commit(h)
}

func (s *settler) commit(h *Host) {
	if h.dead {
		return
	}
	s.state = committing
	s.sending = min(len(s.pending), h.profile.Redis.Batch)
	s.writer.request(&h.profile.Redis.Settle, s.sending)
}

func (s *settler) committed(h *Host) {
	for i := range s.sending {
		x := &s.pending[i]
		s.finish(h, &x.job, &x.outcome, x.slot, x.dequeued)
	}
	s.pending = slices.Delete(s.pending, 0, s.sending)
	s.sending = 0
	s.state = settlerIdle
	for !s.waiters.empty() {
		if a := s.waiters.pop(); a != nil {
			h.wake(a, ready)
		}
	}
	if len(s.pending) > 0 {
		s.linger(h)
	}
}

// finish counts an outcome that is in the stream and writes its record; one
// that comes after the round was ended did not happen.
func (s *settler) finish(h *Host, job *workload.Job, o *models.Outcome, slot int, dequeued int64) {
	if h.dead {
		s.abandoned++
		return
	}
	s.settled++
	s.last = h.Now()
	h.law.check(job, o, time.Duration(dequeued), s.last, h.gate.zero)
	if h.round.Sink != nil {
		s.write(h, job, o, slot, dequeued)
	}
}

func (s *settler) write(h *Host, job *workload.Job, o *models.Outcome, slot int, dequeued int64) {
	zero := h.gate.zero
	r := &h.job
	*r = record.Job{
		Model: h.round.Model, Round: h.round.Number,
		ID: job.ID, Slot: slot, Process: o.Process, Seq: o.Seq, Attempt: job.Attempt,
		Status: o.Status, Detail: o.Detail,
		DueNS: job.Due, DequeuedNS: time.Duration(dequeued) - zero,
		FinishedNS: o.Finished - zero, SettledNS: s.last - zero, CPUNS: o.CPU,
	}
	if o.Started != 0 {
		r.StartedNS = o.Started - zero
	}
	h.write(r)
}

// abandon counts what was never acknowledged.
func (s *settler) abandon() {
	s.abandoned += len(s.pending)
	s.pending = nil
}

// holder finds the slot that took a job and has not settled it, nearly always
// the current one, and takes the job off its hands.
func (h *Host) holder(id uint64) (*slot, holding) {
	take := func(s *slot) (holding, bool) {
		for i := range s.holds {
			if s.holds[i].id == id {
				held := s.holds[i]
				s.holds = slices.Delete(s.holds, i, i+1)
				return held, true
			}
		}
		return holding{}, false
	}
	mine := h.current.slot
	if len(mine.holds) == 1 && mine.holds[0].id == id {
		held := mine.holds[0]
		mine.holds = mine.holds[:0]
		return mine, held
	}
	if held, ok := take(mine); ok {
		return mine, held
	}
	for _, a := range h.actors {
		if held, ok := take(a.slot); ok {
			return a.slot, held
		}
	}
	return nil, holding{}
}
