package conditions

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// paceLimit is how much more CPU time a piece of work may take than it did at
// its fastest, on the mean over a measurement: beyond that the cores were not the
// cores that they had been. A core that has just been idle takes up to 1.2.
const paceLimit = 1.30

// The length of the piece of work: about 100 us, after a tenth of that to wake
// the core up and to warm its cache.
const (
	paceBlocks = 240
	paceWarmUp = paceBlocks / 10
)

// A Pacer tells how fast the cores are, by the CPU time that the same piece of
// work takes again and again. A virtual machine's core slows down when another
// tenant uses the other half of the physical one, and every core with its clock:
// all CPU times grow then, and nothing in the system's accounts says so.
//
// It is safe for concurrent use.
type Pacer struct {
	mu    sync.Mutex
	best  time.Duration // since it was made
	sum   time.Duration // since Start
	count int
	made  uint64 // by the work: the compiler must not leave it out
}

// NewPacer returns a Pacer that knows how fast the cores can be right now.
func NewPacer() *Pacer {
	p := new(Pacer)
	for range 30 {
		p.Look()
	}
	return p
}

// Start begins a measurement.
func (p *Pacer) Start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum, p.count = 0, 0
}

// Look does the piece of work once, on the core that it happens to be on.
func (p *Pacer) Look() {
	runtime.LockOSThread() // so that the thread's clock is this goroutine's
	made := work(paceWarmUp)
	began, err := threadTime()
	made ^= work(paceBlocks)
	ended, err2 := threadTime()
	runtime.UnlockOSThread()
	if err != nil || err2 != nil {
		return
	}
	p.add(ended-began, made)
}

func (p *Pacer) add(took time.Duration, made uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made ^= made
	if p.best == 0 || took < p.best {
		p.best = took
	}
	p.sum += took
	p.count++
}

// Pace is what the piece of work took since Start, on the mean, in CPU time, and
// as a multiple of the least that it ever took; 0 if there was no look.
// Contaminated says why the round's times should not be trusted; it is empty if
// they can be. The least falls as time goes on: what is compared with other
// measurements is the time.
func (p *Pacer) Pace() (pace float64, piece time.Duration, contaminated string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count == 0 || p.best == 0 {
		return 0, 0, ""
	}
	piece = p.sum / time.Duration(p.count)
	pace = float64(p.sum) / float64(p.count) / float64(p.best)
	if pace > paceLimit {
		contaminated = fmt.Sprintf("the cores were slower than before: the same work took %.0f %% more CPU time", 100*(pace-1))
	}
	return pace, piece, contaminated
}

var paceTable = func() (t [1024]uint64) {
	x := uint64(88172645463325252)
	for i := range t {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		t[i] = x
	}
	return t
}()

// work keeps the arithmetic units and the first-level cache busy, which is what
// the tenants of two hardware threads share.
func work(blocks int) uint64 {
	var a, b, c, d uint64 = 1, 2, 3, 4
	for range blocks {
		for i := 0; i < len(paceTable); i += 4 {
			a = a*6364136223846793005 ^ paceTable[i]
			b = b*2862933555777941757 ^ paceTable[i+1]
			c = c*3202034522624059733 ^ paceTable[i+2]
			d = d*3935559000370003845 ^ paceTable[i+3]
		}
	}
	return a ^ b ^ c ^ d
}

func threadTime() (time.Duration, error) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano()), err
}
