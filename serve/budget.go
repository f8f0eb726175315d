package serve

import (
	"fmt"
	"math"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// How much CPU time the service may take while a comparison is measured: a share of all
// cores over time, and so much at once, which is saved while nobody asks.
const (
	budgetShare = 0.005
	budgetBurst = 50 * time.Millisecond // a page is a few ms, a list of 10,000 runs 200

	// budgetHold is how long who asks is kept waiting for it. To refuse at once would
	// cost nearly as much as to answer, each time that a client asks again.
	budgetHold = time.Second
)

// A budget is what the service may take of the cores while a comparison is measured. It
// goes by the CPU time that the process took, whatever for: who follows a run, too, is
// booked on those who ask.
type budget struct {
	rate  float64 // CPU time for each unit of time
	hold  time.Duration
	now   func() time.Time
	spent func() time.Duration // CPU time of this process, so far

	mu     sync.Mutex
	begun  bool // by the first request while a comparison is measured
	at     time.Time
	before time.Duration // that was spent at that time
	credit time.Duration
}

func newBudget() *budget {
	return &budget{rate: budgetShare * float64(runtime.NumCPU()), hold: budgetHold, now: time.Now, spent: ownCPU}
}

// ownCPU is the CPU time of this process, without what it started.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil { // it fails for no caller like this
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// wait is how long to wait until something may be answered that can wait; 0 if it may be
// now, and always while nothing is measured.
func (b *budget) wait(measuring bool) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !measuring {
		b.begun = false
		return 0
	}
	now, spent := b.now(), b.spent()
	if !b.begun {
		b.begun, b.credit = true, budgetBurst
	} else {
		earned := time.Duration(b.rate * float64(now.Sub(b.at)))
		b.credit = min(b.credit+earned, budgetBurst) - (spent - b.before)
	}
	b.at, b.before = now, spent
	if b.credit >= 0 {
		return 0
	}
	return time.Duration(float64(-b.credit) / b.rate)
}

// canWait reports whether a route is refused while the budget is used up: what reads, and
// what deletes. What says that the service lives or lets somebody in is not, and streams
// of events are bounded otherwise.
func canWait(pattern string) bool {
	switch pattern {
	case "GET /healthz", "GET /login", "GET /static/{file}", "GET /api/v1/runs/{run}/events":
		return false
	case "POST /runs/{run}/delete":
		return true
	}
	return !strings.HasPrefix(pattern, http.MethodPost)
}

// sparing answers when there is budget, and if there is none soon says when to ask again.
func (s *Server) sparing(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wait := s.budget.wait(s.queue.busy())
		if wait > 0 {
			timer := time.NewTimer(min(wait, s.budget.hold))
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-r.Context().Done():
				return
			}
			wait = s.budget.wait(s.queue.busy())
		}
		if wait == 0 {
			h.ServeHTTP(w, r)
			return
		}
		seconds := int(math.Ceil(wait.Seconds()))
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		if r.Method == http.MethodGet {
			w.Header().Set("Refresh", strconv.Itoa(seconds)) // a page that was asked for comes by itself
		}
		s.fail(w, r, &httpError{http.StatusTooManyRequests, fmt.Sprintf(
			"a comparison is being measured, which so many requests would disturb: ask again in %d s, or follow its events", seconds)})
	})
}
