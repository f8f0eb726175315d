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
//
// A slot picks the next job, and then waits until it is due. If it gives up, the
// job goes back: it has not been taken.
type feed struct {
	pull func() ([]workload.Job, bool) // makes the next batch
	end  func()

	batch, ahead []workload.Job // being handed out; read and not touched
	fetching     bool
	over         bool // there are no more
	stopped      bool // none are to be started any more
	waiters      queue
	taken        int
	picked       int // jobs that are not due and that a slot waits for
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
// more, the context has ended, or none are to be started any more.
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
	if wait := f.until(&job, h); wait > 0 {
		var ok bool
		if job, ok = f.await(ctx, h, job, wait); !ok {
			return workload.Job{}, false
		}
	}
	f.taken++
	return job, true
}

// until is how long it is until a job is due.
func (f *feed) until(job *workload.Job, h *Host) int64 {
	return later(int64(h.gate.zero), int64(job.Due)) - h.now
}

// await has the current slot wait until a job that it has picked is due. It may
// come out with another one: see handBack.
func (f *feed) await(ctx context.Context, h *Host, job workload.Job, wait int64) (workload.Job, bool) {
	s := h.current.slot
	s.due, s.picked = true, job
	f.picked++
	h.schedule(h.current, later(h.now, wait), wakeUp)
	h.within(ctx)
	why := h.park(sleeping)
	s.due = false
	f.picked--
	if why != ready {
		f.handBack(h, s.picked)
		return workload.Job{}, false
	}
	if f.picked == 0 && f.over {
		f.wakeAll(h) // nothing can come back any more
	}
	return s.picked, true
}

// handBack takes a job back that a slot waited for in vain. Of the slots that wait
// for later ones, that of the last one gets it instead: so the others need not pass
// theirs on.
func (f *feed) handBack(h *Host, job workload.Job) {
	if h.dead || f.stopped {
		return
	}
	var last *actor
	for _, a := range h.actors {
		waits := a.place == sleeping && a.slot.due && a.slot.picked.Due > job.Due
		if waits && (last == nil || a.slot.picked.Due > last.slot.picked.Due) {
			last = a
		}
	}
	if last != nil {
		last.slot.picked, job = job, last.slot.picked
		last.gen++ // the entry of its old time is stale
		h.schedule(last, max(h.now, later(int64(h.gate.zero), int64(last.slot.picked.Due))), wakeUp)
	}
	f.batch = append([]workload.Job{job}, f.batch...)
	f.wakeAll(h)
}

// refill gets the next batch, or waits for it. It reports false if there is
// none.
func (f *feed) refill(ctx context.Context, h *Host) bool {
	switch {
	case f.stopped || h.dead || ctx.Err() != nil:
		return false
	case f.fetching:
		return f.queue(ctx, h)
	case f.ahead != nil:
		f.batch, f.ahead = f.ahead, nil
	case f.over:
		// A job that somebody waits for may come back.
		return f.picked > 0 && f.queue(ctx, h)
	}
	switch {
	case f.over:
	case h.server == nil:
		batch, ok := f.load(h)
		f.batch, f.over = batch, !ok
	default:
		f.fetch(h)
	}
	return true
}

// queue waits for jobs to be there.
func (f *feed) queue(ctx context.Context, h *Host) bool {
	f.waiters.push(h.current)
	return h.parkWithin(ctx, atFeed) == ready
}

// backlog is how many jobs are due and not taken, of those that have been read.
func (f *feed) backlog(h *Host) int {
	n := 0
	for _, batch := range [][]workload.Job{f.batch, f.ahead} {
		for i := range batch {
			if f.until(&batch[i], h) > 0 {
				return n
			}
			n++
		}
		if f.fetching {
			break // what comes after it is not there yet
		}
	}
	return n
}
