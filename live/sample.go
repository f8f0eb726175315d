package live

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"forkbench/conditions"
	"forkbench/record"
)

const (
	// paceEvery is the time between two looks at the cores' pace.
	paceEvery = 50 * time.Millisecond
	// sampleEvery is the shortest time between two looks at memory.
	sampleEvery = 100 * time.Millisecond
	// sampleShare bounds the sampling's own cost: a look that took t is followed
	// by a pause of at least t times this, which is less than 1 % of a core.
	sampleShare = 110
)

// pacer compares the pace of all rounds of this program.
var pacer = sync.OnceValue(conditions.NewPacer)

// A meter adds up what measuring costs, which is not the supervisor's work.
type meter struct{ user, system atomic.Int64 }

func (m *meter) used() record.CPU {
	return record.CPU{User: time.Duration(m.user.Load()), System: time.Duration(m.system.Load())}
}

// sample writes the tree's memory, again and again until done is closed. The
// kernel walks the page tables for it, about 10 us for each MB, so the pause
// follows the cost.
func (h *Host) sample(done <-chan struct{}) {
	runtime.LockOSThread() // so that the thread's clock is this goroutine's
	defer runtime.UnlockOSThread()
	select {
	case <-done:
		return
	case <-h.gate.open:
	}
	next := time.Duration(0)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-done:
			return
		case <-timer.C:
		}
		began := ownThread()
		pacer().Look()
		looked := ownThread()
		h.meter.user.Add(int64(looked - began))
		if now := monotonic(); now >= next {
			if s, ok := h.look(); ok {
				if err := h.r.Sink.Write(&s); err != nil {
					h.fail(fmt.Errorf("write a record: %w", err))
					return
				}
			}
			cost := ownThread() - looked
			h.meter.system.Add(int64(cost)) // the kernel walks page tables
			next = now + max(sampleEvery, sampleShare*cost)
		}
		timer.Reset(paceEvery)
	}
}

// look is the round's memory and CPU now. It has nothing to say when no process
// could be read.
func (h *Host) look() (record.Sample, bool) {
	s := record.Sample{Model: h.r.Model, Round: h.r.Number, AtNS: monotonic() - h.gate.zero}
	used := h.clocks(h.grouped)
	s.CPUNS = used.total()
	c := h.census()
	s.Processes, s.PSS, s.RSS, s.ChildUSS = c.processes, c.pss, c.rss, c.own
	return s, s.Processes > 0
}
