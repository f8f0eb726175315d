package sim

import (
	"errors"
	"fmt"
	"math"
	"time"

	"forkbench/models"
	"forkbench/workload"
)

// law holds every round against what is true of any queue. The sums wrap at
// 2^64, on both sides alike.
type law struct {
	at   int64
	held int64 // jobs in the slots' hands
	area int64 // sum over time of held
	stay int64 // sum of the times that jobs were held
	odd  error // the first job whose times run backwards
}

func (l *law) start(now int64) { l.at = now }

func (l *law) until(now int64) {
	l.area += l.held * (now - l.at)
	l.at = now
}

func (l *law) take(now int64) {
	l.until(now)
	l.held++
}

func (l *law) settle(now, taken int64) {
	l.until(now)
	l.held--
	l.stay += now - taken
}

// check looks at the order of one job's times. An executor may settle a job with
// an outcome of its own making: that has no process.
func (l *law) check(job *workload.Job, o *models.Outcome, taken, settled, zero time.Duration) {
	if l.odd != nil || o.Process == 0 || o.Started == 0 {
		return
	}
	if due := zero + job.Due; taken < due || o.Started < taken || o.Finished < o.Started || settled < o.Finished {
		l.odd = fmt.Errorf("job %d was due at %v, taken at %v, started at %v, finished at %v and settled at %v",
			job.ID, due, taken, o.Started, o.Finished, settled)
	}
}

// An InvariantError says that the simulation itself is wrong: a round broke a
// law of queues. Its numbers count for nothing.
type InvariantError struct{ Err error }

func (e *InvariantError) Error() string { return "the simulation contradicts itself: " + e.Err.Error() }

// Unwrap returns what was violated.
func (e *InvariantError) Unwrap() error { return e.Err }

// verify checks cores that have nothing to run any more.
func (c *cpus) verify(fail func(format string, args ...any)) {
	if c.n != 0 {
		return
	}
	if c.area != c.stay {
		fail("Little's law: the cores had tasks for %d ns, tasks were there for %d ns", c.area, c.stay)
	}
	// Each end is rounded to a nanosecond.
	if slack := float64(c.ops) + 1e-9*c.given; math.Abs(c.given-c.served) > slack {
		fail("the cores worked for %.0f ns, tasks received %.0f ns", c.given, c.served)
	}
}

// verify checks a round that has ended: Little's law (Little 1961, "A proof for
// the queuing formula L = λW") for the jobs in slots and for the cores, and that
// jobs and CPU time are conserved.
func (h *Host) verify() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	l, s := &h.law, &h.settle
	if l.odd != nil {
		errs = append(errs, l.odd)
	}
	if l.held == 0 && l.area != l.stay {
		fail("Little's law: jobs spent %d ns in slots, the slots held jobs for %d ns", l.stay, l.area)
	}
	if out := s.settled + s.abandoned + int(l.held); out != h.feed.taken {
		fail("%d jobs were taken, %d are accounted for", h.feed.taken, out)
	}
	h.cpu.verify(fail)
	if q := h.queues; q != nil {
		if q.short > 0 {
			fail("%d tasks came to their end without the time that they asked for", q.short)
		}
		u := &h.used
		if all := u.children.Add(u.parents).Add(u.supervisor).Add(u.redis).Add(u.services).Total(); !h.dead && int64(all) != q.got {
			fail("tasks received %d ns, %d ns are booked", q.got, all)
		}
		for _, c := range h.queues.cores {
			c.verify(fail)
		}
	}
	if used := (h.used.children.Add(h.used.parents)).Total(); used != h.wait4 {
		fail("processes used %v, their records say %v", used, h.wait4)
	}
	if h.processes != 0 || h.pages.frames != 0 || h.pages.mapped != 0 {
		fail("%d processes with %d pages are left", h.processes, h.pages.frames)
	}
	if len(errs) == 0 {
		return nil
	}
	return &InvariantError{errors.Join(errs...)}
}
