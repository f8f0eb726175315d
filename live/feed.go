package live

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"forkbench/stream"
	"forkbench/workload"
)

const (
	// readAhead is how many jobs are fetched in one round trip at most. The next ones
	// are fetched when no more than as many are left.
	readAhead = 256
	// readAheadBytes are the payloads that may wait here, nearly: how many jobs are
	// fetched follows the largest one of the last time.
	readAheadBytes = 16 << 20
)

// A feed hands out the jobs of a consumer group, each to one taker, none before
// it is due. Its own goroutine (fetch) reads ahead.
//
// Of the takers that find nothing to take one leads: it waits until there is a job
// and until that is due, and takes it only then. So a taker that gives up waiting
// has taken nothing, and the next one leads.
type feed struct {
	group *stream.Group
	jobs  int // to be handed out, at most
	stop  <-chan struct{}

	lead    chan struct{} // held by who leads
	arrived chan struct{} // jobs have been read since the leader looked
	room    chan struct{} // jobs have been taken since fetch looked
	drained chan struct{} // closed when no more will be read

	mu    sync.Mutex
	queue []workload.Job
	bytes int // of its payloads
	taken int
}

func newFeed(group *stream.Group, jobs int, stop <-chan struct{}) *feed {
	return &feed{
		group: group, jobs: jobs, stop: stop,
		lead: make(chan struct{}, 1), arrived: make(chan struct{}, 1), room: make(chan struct{}, 1), drained: make(chan struct{}),
	}
}

// fetch reads until all jobs have been, the stream is drained, the context ends, or it
// fails.
func (f *feed) fetch(ctx context.Context) error {
	defer close(f.drained)
	left := f.jobs
	for count := 1; left > 0; {
		batch, err := f.group.Read(ctx, min(count, left))
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read jobs: %w", err)
		}
		if len(batch) == 0 {
			return nil
		}
		left -= len(batch)
		count = following(count, batch)
		for f.add(batch); !f.hasRoom(); {
			select {
			case <-f.room:
			case <-f.stop:
				return nil
			case <-ctx.Done():
				return nil
			}
		}
	}
	return nil
}

// following is how many jobs to fetch after a batch: twice as many as before, if
// they may be as large as the largest in it.
func following(count int, batch []workload.Job) int {
	largest := 1
	for i := range batch {
		largest = max(largest, len(batch[i].Payload))
	}
	return max(1, min(2*count, readAheadBytes/largest, readAhead))
}

func (f *feed) add(batch []workload.Job) {
	f.mu.Lock()
	f.queue = append(f.queue, batch...)
	for i := range batch {
		f.bytes += len(batch[i].Payload)
	}
	f.mu.Unlock()
	notify(f.arrived)
}

func (f *feed) hasRoom() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.roomy()
}

// roomy is hasRoom for who has the lock.
func (f *feed) roomy() bool { return len(f.queue) <= readAhead && f.bytes <= readAheadBytes }

// notify wakes who waits for the channel, or who will next.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// next takes the next job once it is due, counted from zero. It reports false when
// there are no more, the context has ended, or none are to be started any more.
func (f *feed) next(ctx context.Context, zero time.Duration) (workload.Job, bool) {
	job, ok := f.take(ctx, func(job *workload.Job) time.Duration { return job.Due - (monotonic() - zero) })
	if ok {
		f.mu.Lock()
		f.taken++
		f.mu.Unlock()
	}
	return job, ok
}

// pop takes the next job, due or not, for somebody else to hand it out.
func (f *feed) pop(ctx context.Context) (workload.Job, bool) {
	return f.take(ctx, func(*workload.Job) time.Duration { return 0 })
}

// take takes the next job when until says that it is not too early.
func (f *feed) take(ctx context.Context, until func(*workload.Job) time.Duration) (workload.Job, bool) {
	if f.ended(ctx) {
		return workload.Job{}, false
	}
	if job, wait := f.tryTake(until); wait == 0 {
		return job, true
	}
	select {
	case f.lead <- struct{}{}:
	case <-f.stop:
		return workload.Job{}, false
	case <-ctx.Done():
		return workload.Job{}, false
	}
	defer func() { <-f.lead }()
	for over := false; !f.ended(ctx); {
		job, wait := f.tryTake(until)
		switch {
		case wait == 0:
			return job, true
		case wait > 0:
			f.await(ctx, wait)
		case over:
			return workload.Job{}, false
		default:
			over = f.awaitMore(ctx)
		}
	}
	return workload.Job{}, false
}

// unread is the wait for a job that has not been read.
const unread = -1

// tryTake takes the next job if it is time, or says how long that will be.
func (f *feed) tryTake(until func(*workload.Job) time.Duration) (workload.Job, time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		return workload.Job{}, unread
	}
	if wait := until(&f.queue[0]); wait > 0 {
		return workload.Job{}, wait
	}
	job := f.queue[0]
	f.queue[0] = workload.Job{} // its payload is not to be kept alive
	f.queue = f.queue[1:]
	f.bytes -= len(job.Payload)
	if f.roomy() {
		notify(f.room)
	}
	return job, 0
}

func (f *feed) ended(ctx context.Context) bool {
	select {
	case <-f.stop: // nil blocks for ever, which default is for
		return true
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

func (f *feed) await(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.stop:
	case <-ctx.Done():
	}
}

// awaitMore waits until more has been read. It reports whether nothing will be any
// more: then what has been read before is there.
func (f *feed) awaitMore(ctx context.Context) (over bool) {
	select {
	case <-f.arrived:
	case <-f.drained:
		return true
	case <-f.stop:
	case <-ctx.Done():
	}
	return false
}

// backlog is how many jobs are due and not taken, of those that have been read.
func (f *feed) backlog(zero time.Duration) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := monotonic() - zero
	n, _ := slices.BinarySearchFunc(f.queue, now, func(job workload.Job, now time.Duration) int {
		if job.Due <= now {
			return -1
		}
		return 1
	})
	return n
}

// count is how many jobs have been handed out.
func (f *feed) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.taken
}
