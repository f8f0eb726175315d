package sim

import (
	"context"
	"time"
)

// A gate holds the jobs back until every slot is ready, and notices when the
// last slot has run out of jobs: the two moments between which work is measured.
type gate struct {
	need   int // top slots of the outermost Parallel
	asked  int // that have asked for a job
	gone   int // that have returned without asking
	inside int // slots inside Jobs, or between two calls of it
	open   bool
	zero   time.Duration // of the clock of Host.Now: when it opened
}

// expect says how many slots there will be.
func (g *gate) expect(n int) { g.need, g.asked, g.gone = n, 0, 0 }

// enter declares a slot ready and waits for the others. It reports false if the
// context ended first.
func (g *gate) enter(ctx context.Context, h *Host, s *slot) bool {
	if !s.top.asked {
		s.top.asked = true
		g.asked++
		g.maybeOpen(h)
	}
	if ctx.Err() != nil || h.dead {
		return false
	}
	if !g.open && h.parkWithin(ctx, atGate) != ready {
		return false
	}
	if !s.inside {
		s.inside = true
		g.inside++
	}
	return true
}

// leave says that a slot has seen the end of the jobs. One that only breaks off,
// or whose context has ended, may come again: it leaves when it returns.
func (g *gate) leave(h *Host, s *slot) {
	if !s.inside {
		return
	}
	s.inside = false
	if g.inside--; g.inside == 0 {
		h.finish, h.drained = h.used, true
	}
}

// done says that a slot has returned: nobody need wait for it.
func (g *gate) done(h *Host, s *slot) {
	g.leave(h, s)
	if s.top == s && !s.asked {
		g.gone++
		g.maybeOpen(h)
	}
}

func (g *gate) maybeOpen(h *Host) {
	if g.asked == 0 || g.asked+g.gone < g.need || g.open || h.dead {
		return
	}
	g.open = true
	g.zero = h.Now()
	// A job cannot start at 0, which stands for never.
	h.now++
	h.begin = h.used
	h.law.start(h.now)
	if h.round.Sink != nil {
		h.sampleAt = h.now
		h.flush()
	}
	for _, a := range h.actors {
		if a.place == atGate {
			h.wake(a, ready)
		}
	}
}
