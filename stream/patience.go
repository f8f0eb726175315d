package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// How a server that is away is waited for.
const (
	retryFirst = 20 * time.Millisecond // before the second try; doubled for each further one
	retryMost  = time.Second
	slowAfter  = 2 * time.Second // an answer that takes longer is told of
	tellEvery  = 10 * time.Second
)

// A patience is how long a server may be away, and what is known of its absences.
type patience struct {
	limit time.Duration // 0 does not wait at all
	tell  func(text string)

	mu      sync.Mutex
	gaveUp  bool      // it has been waited for in vain: nobody waits again before it answers
	waiting int       // operations that wait for it
	since   time.Time // when the first of them began
	told    time.Time
	total   time.Duration // of absences that are over
}

// SetPatience has the groups of the server's streams wait for it where it is away
// for a while: it is restarted and loads its data, refuses or breaks connections,
// does not answer in time, is a replica since a fail-over, or its memory is full.
// What they do is tried again until it succeeds, or the server has been away for the
// limit; what fails for another reason, as when the data is gone ([ErrLost]), fails
// at once, and so does all that follows before the server has answered again. Tell gets a line when an absence is noticed, now and then while it lasts,
// and when it is over; it is called by any goroutine, one at a time, and may be nil.
//
// It is called before anything else uses the server. Without it, nothing waits.
func (s *Server) SetPatience(limit time.Duration, tell func(text string)) {
	if tell == nil {
		tell = func(string) {}
	}
	s.patience.limit, s.patience.tell = limit, tell
}

// Away is how long the server has been waited for so far, all absences together.
func (s *Server) Away() time.Duration {
	p := &s.patience
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting > 0 {
		return p.total + time.Since(p.since)
	}
	return p.total
}

// patiently does something that may be repeated, until it succeeds, fails for good,
// or the server was away for too long.
func (s *Server) patiently(ctx context.Context, do func(ctx context.Context) error) error {
	p := &s.patience
	if !p.waits() {
		err := do(ctx)
		p.answered(err)
		return err
	}
	began := time.Now()
	limited, cancel := context.WithDeadline(ctx, began.Add(p.limit))
	defer cancel()
	waits := false
	var cause error // why it is waited for: more than that the time is over
	wait := func(err error) {
		if !waits {
			waits = true
			p.await(began)
		}
		p.report(err)
	}
	for pause := retryFirst; ; pause = min(2*pause, retryMost) {
		silent := s.noticeSilence(wait)
		err := do(limited)
		silent()
		if err == nil || ctx.Err() != nil || !passing(err) {
			if waits {
				p.resume(s.where, err)
			}
			return err
		}
		if cause == nil || limited.Err() == nil {
			cause = err
		}
		wait(err)
		if sleep(limited, pause) == nil {
			continue
		}
		p.resume(s.where, cause)
		if ctx.Err() == nil {
			p.giveUp()
			cause = fmt.Errorf("%w: it was waited for, for %v (--redis-patience)", cause, p.limit)
		}
		return cause
	}
}

// waits reports whether the server is waited for.
func (p *patience) waits() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limit > 0 && !p.gaveUp
}

func (p *patience) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gaveUp = true
}

// answered notes how an operation ended that did not wait.
func (p *patience) answered(err error) {
	if err == nil && p.limit > 0 {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.gaveUp = false
	}
}

// noticeSilence has it told when an answer takes long. The function that it returns
// ends that, and waits where it is being told.
func (s *Server) noticeSilence(wait func(error)) (end func()) {
	done := make(chan struct{})
	timer := time.AfterFunc(slowAfter, func() {
		defer close(done)
		wait(fmt.Errorf("redis at %s: no answer for %v", s.where, slowAfter))
	})
	return func() {
		if !timer.Stop() {
			<-done
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// await notes that an operation, begun then, waits for the server.
func (p *patience) await(began time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting++; p.waiting == 1 || began.Before(p.since) {
		p.since = began
	}
}

// report tells why the server is waited for, unless that was told a moment ago.
func (p *patience) report(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.told) < tellEvery {
		return
	}
	p.told = now
	p.tell(fmt.Sprintf("%v: waiting for it, %v of at most %v (--redis-patience)", err, now.Sub(p.since).Round(time.Second), p.limit))
}

// resume notes that an operation waits no more, with how it ended.
func (p *patience) resume(where string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting--; p.waiting > 0 {
		return
	}
	away := time.Since(p.since)
	p.total += away
	p.told = time.Time{}
	if err == nil {
		p.tell(fmt.Sprintf("redis at %s is there again, after %v", where, away.Round(10*time.Millisecond)))
	}
}

// passing reports whether an error is one of a server that may come back with its
// data: that could not be reached, or that says so itself.
func passing(err error) bool {
	if errors.Is(err, ErrLost) || errors.Is(err, context.Canceled) || errors.Is(err, redis.ErrClosed) {
		return false
	}
	if !isReply(err) {
		return true
	}
	// By the beginning of the reply, wherever in the error it is: go-redis knows some
	// replies by their type only, and does not always give them that.
	return slices.ContainsFunc(passingReplies, func(prefix string) bool { return redis.HasErrorPrefix(err, prefix) })
}

// passingReplies are the beginnings of what a server says that may come back.
var passingReplies = []string{
	"LOADING", "READONLY", "OOM", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "NOREPLICAS", "MISCONF", "BUSY ", "UNBLOCKED",
	"max number of clients", // after ERR
}
