package sim

import (
	"context"
	"fmt"
	"iter"

	"forkbench/workload"
)

// freeBatch is how many jobs are made at once where reading them costs nothing.
const freeBatch = 256

// A feed hands out the jobs, each to one taker, none before it is due. Where
// Redis costs something it reads one batch ahead.
type feed struct {
	pull func() ([]workload.Job, bool) // makes the next batch
	end  func()

	batch, ahead []workload.Job // being handed out; read and not touched
	fetching     bool
	over         bool // there are no more
	stopped      bool // none are to be started any more
	waiters      queue
	taken        int
	reader       client
}

// start prepares a feed. The jobs are made in batches, to switch between
// coroutines once for many.
func (f *feed) start(h *Host) {
	size := freeBatch
	if h.server != nil {
		size = h.profile.Redis.Batch
	}
	f.pull, f.end = iter.Pull(func(yield func([]workload.Job) bool) {
		if h.round.Total == 0 {
			return
		}
		// Two, because one is handed out while the other is read.
		buffers := [2][]workload.Job{}
		n, which := 0, 0
		b := buffers[0]
		for job := range h.round.Jobs {
			b = append(b, job)
			if n++; n < h.round.Total && len(b) < size {
				continue
			}
			buffers[which] = b
			if !yield(b) || n == h.round.Total {
				return
			}
			which = 1 - which
			b = buffers[which][:0]
		}
		h.fail(fmt.Errorf("the round has %d jobs and was to have %d", n, h.round.Total))
		if len(b) > 0 {
			yield(b)
		}
	})
	if h.server != nil {
		f.reader = newClient(h, func() {
			f.fetching = false
			f.wakeAll(h)
		})
	}
}

// load makes the next batch.
func (f *feed) load(h *Host) ([]workload.Job, bool) {
	h.outside.Add(1)
	defer h.outside.Add(-1)
	return f.pull()
}

// fetch reads a batch ahead.
func (f *feed) fetch(h *Host) {
	batch, ok := f.load(h)
	if !ok {
		f.over = true
		return
	}
	f.ahead, f.fetching = batch, true
	f.reader.request(&h.profile.Redis.Read, len(batch))
}

func (f *feed) wakeAll(h *Host) {
	for !f.waiters.empty() {
		if a := f.waiters.pop(); a != nil {
			h.wake(a, ready)
		}
	}
}

// stop hands out no more jobs.
func (f *feed) stop(h *Host) {
	f.stopped = true
	f.wakeAll(h)
	for _, a := range h.actors {
		if a.place == sleeping && a.slot.due {
			h.wake(a, cancelled)
		}
	}
}

// next takes a job and waits until it is due. It reports false when there are no
// more, or none are to be started any more.
func (f *feed) next(ctx context.Context, h *Host) (workload.Job, bool) {
	if h.round.Stop != nil {
		h.pollStop()
	}
	for len(f.batch) == 0 {
		if !f.refill(ctx, h) {
			return workload.Job{}, false
		}
	}
	if f.stopped || h.dead || ctx.Err() != nil {
		return workload.Job{}, false
	}
	job := f.batch[0]
	f.batch = f.batch[1:]
	if wait := later(int64(h.gate.zero), int64(job.Due)) - h.now; wait > 0 {
		s := h.current.slot
		s.due = true
		h.schedule(h.current, later(h.now, wait), wakeUp)
		h.within(ctx)
		why := h.park(sleeping)
		s.due = false
		if why != ready {
			return job, false
		}
	}
	f.taken++
	return job, true
}

// refill gets the next batch, or waits for it. It reports false if there is
// none.
func (f *feed) refill(ctx context.Context, h *Host) bool {
	switch {
	case f.stopped || h.dead || ctx.Err() != nil:
		return false
	case h.server == nil:
		batch, ok := f.load(h)
		f.batch = batch
		return ok
	case f.fetching:
		f.waiters.push(h.current)
		return h.parkWithin(ctx, atFeed) == ready
	case f.over && f.ahead == nil:
		return false
	}
	f.batch, f.ahead = f.ahead, nil
	if !f.over {
		f.fetch(h)
	}
	return true
}
