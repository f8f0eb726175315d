package live

import (
	"context"
	"fmt"
	"sync"
	"time"

	"forkbench/stream"
	"forkbench/workload"
)

// readAhead is how many jobs are fetched in one round trip.
const readAhead = 256

// A feed hands out the jobs of a consumer group, each to one taker, none before
// it is due. Its own goroutine (fetch) reads ahead.
type feed struct {
	group   *stream.Group
	stop    <-chan struct{}
	batches chan []workload.Job

	mu    sync.Mutex
	batch []workload.Job
	taken int
}

func newFeed(group *stream.Group, stop <-chan struct{}) *feed {
	return &feed{group: group, stop: stop, batches: make(chan []workload.Job, 1)}
}

// fetch reads until the stream is drained, the context ends, or it fails.
func (f *feed) fetch(ctx context.Context) error {
	defer close(f.batches)
	for {
		batch, err := f.group.Read(ctx, readAhead)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read jobs: %w", err)
		}
		if len(batch) == 0 {
			return nil
		}
		select {
		case f.batches <- batch:
		case <-f.stop:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// next takes a job and waits until it is due. It reports false when there are no
// more, or none are to be started any more.
func (f *feed) next(ctx context.Context, zero time.Duration) (workload.Job, bool) {
	job, ok := f.pop(ctx)
	if !ok {
		return job, false
	}
	if wait := job.Due - (monotonic() - zero); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-f.stop:
			return job, false
		case <-ctx.Done():
			return job, false
		}
	}
	f.mu.Lock()
	f.taken++
	f.mu.Unlock()
	return job, true
}

func (f *feed) pop(ctx context.Context) (workload.Job, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.stop:
		return workload.Job{}, false
	case <-ctx.Done():
		return workload.Job{}, false
	default:
	}
	if len(f.batch) == 0 {
		// Others may wait for the lock meanwhile: they need the same batch.
		select {
		case batch, ok := <-f.batches:
			if !ok {
				return workload.Job{}, false
			}
			f.batch = batch
		case <-f.stop:
			return workload.Job{}, false
		case <-ctx.Done():
			return workload.Job{}, false
		}
	}
	job := f.batch[0]
	f.batch = f.batch[1:]
	return job, true
}

// count is how many jobs have been handed out.
func (f *feed) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.taken
}
