package sim

import (
	"context"
	"time"
)

// A limit is a context that ends by virtual time. Those derived from it end with
// it, as with any other.
type limit struct {
	context.Context // cancelled with the limit
	parent          context.Context
	over            bool // its time is up
	waiting         int  // actors that it bounds
}

// countWaiting counts an actor that waits within a context, and returns the nearest
// one above that is no limit: of a limit's end the engine is told, and whom it
// concerns.
func countWaiting(ctx context.Context, change int) context.Context {
	for {
		l, ok := ctx.(*limit)
		if !ok {
			return ctx
		}
		l.waiting += change
		ctx = l.parent
	}
}

// newLimit makes a context that ends after d.
func newLimit(parent context.Context, h *Host, d time.Duration) (*limit, context.CancelFunc) {
	inner, cancel := context.WithCancel(parent)
	l := &limit{Context: inner, parent: parent}
	end := func() {
		cancel()
		if l.waiting > 0 || h.foreign > 0 { // who waits for a context derived from it is among these
			h.wakeCancelled()
		}
	}
	if d <= 0 {
		l.over = true
		cancel()
		return l, cancel
	}
	timer := &actor{place: sleeping}
	timer.fire = func() {
		l.over = parent.Err() == nil
		end()
	}
	h.schedule(timer, later(h.now, int64(d)), wakeUp)
	return l, func() {
		if timer.place == sleeping {
			timer.place = nowhere
			timer.gen++ // its event is stale
			end()
		}
	}
}

// Err is as of context.WithTimeout.
func (l *limit) Err() error {
	if err := l.Context.Err(); err == nil || !l.over {
		return err
	}
	return context.DeadlineExceeded
}
