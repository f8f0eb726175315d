package sim

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// An executor must block only in methods of its host. Two things catch one that
// does not: a watchdog in real time, which gives up on a slot that has not come
// back for long, and a look at which goroutine calls.

// A StuckError says that the executor did not come back to its host.
type StuckError struct {
	Model string
	Slot  int // whose code does not come back
	After time.Duration
}

func (e *StuckError) Error() string {
	return fmt.Sprintf("model %s, slot %d: has not called its Host for %v of real time: an executor must block only in"+
		" methods of its Host and its processes, with no channels, locks or sleeps of its own", e.Model, e.Slot, e.After)
}

// A ForeignGoroutineError says that the executor called its host from a goroutine of
// its own.
type ForeignGoroutineError struct{ Model string }

func (e *ForeignGoroutineError) Error() string {
	return fmt.Sprintf("model %s calls its Host from a goroutine of its own: an executor runs side by side only what it"+
		" gives to Host.Parallel", e.Model)
}

// foreignCall holds the first call from a goroutine that is none of the slots'.
type foreignCall struct {
	seen atomic.Pointer[ForeignGoroutineError]
}

// check is called first in every method of the host and its processes that an
// executor calls. It fails if it is not the slot whose turn it is that calls.
func (h *Host) check() error {
	if a := h.current; a != nil && a.calls < a.askAt && !h.lost.Load() {
		a.calls++
		return nil
	}
	return h.ask()
}

// ask is check, with a look at the goroutine. That takes many microseconds, so it
// is done for the first calls of each slot, and ever more rarely after that; more
// often where the executor is most likely to have started goroutines: before any
// Parallel.
func (h *Host) ask() error {
	a := h.current
	if a == nil {
		return h.intruder()
	}
	if a.calls >= a.askAt {
		if thisGoroutine() != a.owner {
			return h.intruder()
		}
		always, most := uint(16), uint(math.MaxUint)
		if a.slot.root {
			always, most = 64, 1024
		}
		a.askAt = a.calls + 1
		if a.calls >= always {
			a.askAt += min(a.calls, most)
		}
	}
	a.calls++
	if h.lost.Load() {
		h.kill()
	}
	return nil
}

func (h *Host) intruder() error {
	err := &ForeignGoroutineError{h.round.Model}
	h.foreignCall.seen.CompareAndSwap(nil, err)
	return err
}

// watch waits for done, or until the executor's code has not come back for
// longer than patience. It reports the slot in the second case.
func (h *Host) watch(done <-chan struct{}, patience time.Duration) (slot int, stuck bool) {
	tick := time.NewTicker(max(patience/8, time.Millisecond))
	defer tick.Stop()
	last, since := h.pulse.Load(), time.Now()
	for {
		select {
		case <-done:
			return 0, false
		case <-tick.C:
		}
		pulse := h.pulse.Load()
		switch {
		case pulse != last || h.outside.Load() > 0:
			last, since = pulse, time.Now()
		case time.Since(since) >= patience:
			h.lost.Store(true)
			return max(int(pulse&(1<<slotBits-1))-1, 0), true
		}
	}
}
