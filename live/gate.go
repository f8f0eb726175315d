package live

import (
	"context"
	"sync"
	"time"
)

// A gate holds the jobs back until every slot is ready, and notices when the
// last slot has run out of jobs: the two moments between which work is measured.
type gate struct {
	root   *slot
	onOpen func() // called with every slot waiting: takes the accounts
	onIdle func() // called when the last slot that had jobs has none

	mu       sync.Mutex
	need     int  // top slots of the outermost Parallel
	asked    int  // that have asked for a job
	gone     int  // that have returned without asking
	inside   int  // slots inside Jobs, or between two calls of it
	parallel bool // the outermost Parallel runs
	open     chan struct{}
	zero     time.Duration // CLOCK_MONOTONIC when it opened; written before open is closed
}

func newGate(onOpen, onIdle func()) *gate {
	g := &gate{root: new(slot), need: 1, open: make(chan struct{}), onOpen: onOpen, onIdle: onIdle}
	g.root.top = g.root
	return g
}

// expect says how many slots there will be.
func (g *gate) expect(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.need, g.asked, g.gone, g.parallel = n, 0, 0, true
}

// joined says that they have returned.
func (g *gate) joined() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.parallel = false
}

func (g *gate) inParallel() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.parallel
}

// enter declares a slot ready and waits for the others. It reports false if the
// context has ended.
func (g *gate) enter(ctx context.Context, s *slot) bool {
	g.mu.Lock()
	if !s.top.asked {
		s.top.asked = true
		g.asked++
		g.maybeOpen()
	}
	g.mu.Unlock()
	select {
	case <-g.open:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !s.inside {
		s.inside = true
		g.inside++
	}
	return true
}

// leave says that a slot has seen the end of the jobs. One that only breaks off,
// or whose context has ended, may come again: it leaves when it returns.
func (g *gate) leave(s *slot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !s.inside {
		return
	}
	s.inside = false
	if g.inside--; g.inside == 0 {
		g.onIdle()
	}
}

// done says that a slot has returned: nobody need wait for it.
func (g *gate) done(s *slot) {
	g.leave(s)
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.top == s && !s.asked {
		g.gone++
		g.maybeOpen()
	}
}

func (g *gate) maybeOpen() {
	if g.asked == 0 || g.asked+g.gone < g.need || g.isOpen() {
		return
	}
	g.onOpen()
	g.zero = monotonic()
	close(g.open)
}

func (g *gate) isOpen() bool {
	select {
	case <-g.open:
		return true
	default:
		return false
	}
}
