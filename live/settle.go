package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"forkbench/models"
	"forkbench/record"
	"forkbench/stream"
	"forkbench/workload"
)

const (
	// settleBatch and settleLinger bound a round trip to Redis: an outcome waits
	// for others at most so long, and not when it is the last. A trip for each job
	// would cost more than a light job does, and one each 5 ms is still a tenth to a
	// fifth of the supervisor's CPU with jobs of 1 ms.
	settleBatch  = 256
	settleLinger = 20 * time.Millisecond
	// settleBytes are the results that may be on their way to Redis. Who comes with
	// more waits.
	settleBytes = 16 << 20
)

// A settler acknowledges outcomes in batches and then writes the jobs' records.
// Its own goroutine is flush.
type settler struct {
	host    *Host
	arrived chan settlement
	room    *semaphore.Weighted // for results, in bytes

	mu         sync.Mutex
	held       map[uint64]holding
	duplicated int
	settled    int
	notRun     int // given back
	unheard    int // run, and the acknowledgement was not heard
	cutOff     int // begun, and killed with the round
	last       time.Duration
}

// A holding is a job in a slot's hands.
type holding struct {
	slot     *slot
	dequeued time.Duration // CLOCK_MONOTONIC
}

type settlement struct {
	stream.Settlement
	record record.Job // stamps still on CLOCK_MONOTONIC, but for the due time
	cutOff bool       // its process died when the round was being ended
}

func newSettler(h *Host) *settler {
	return &settler{
		host: h, arrived: make(chan settlement, 2*settleBatch), room: semaphore.NewWeighted(settleBytes), held: make(map[uint64]holding),
	}
}

// taken notes who has a job.
func (s *settler) taken(job workload.Job, by *slot) {
	now := monotonic()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[job.ID] = holding{by, now}
}

// add takes an outcome from the executor.
func (s *settler) add(job workload.Job, o models.Outcome) error {
	s.mu.Lock()
	holding, ok := s.held[job.ID]
	if !ok {
		s.duplicated++
		s.mu.Unlock()
		return fmt.Errorf("model %s settled job %d twice, or without taking it", s.host.r.Model, job.ID)
	}
	delete(s.held, job.ID)
	if o.NotRun {
		s.notRun++
	}
	s.mu.Unlock()
	holding.slot.holds.Add(-1)
	if o.NotRun {
		return nil // it stays in the stream, unacknowledged
	}

	born := s.host.born
	r := record.Job{
		Model: s.host.r.Model, Round: s.host.r.Number,
		ID: job.ID, Slot: holding.slot.id, Process: o.Process, Seq: o.Seq, Attempt: job.Attempt,
		Status: o.Status, Detail: o.Detail, Dropped: o.Dropped,
		DueNS: job.Due, DequeuedNS: holding.dequeued, FinishedNS: born + o.Finished, CPUNS: o.CPU,
	}
	if o.Started != 0 {
		r.StartedNS = born + o.Started
	}
	if n := len(o.Result); n > 0 {
		_ = s.room.Acquire(context.Background(), weight(n)) // flush takes all, to the end
	}
	s.arrived <- settlement{
		stream.Settlement{ID: job.ID, Status: o.Status, Detail: o.Detail, Result: o.Result}, r,
		o.Status == models.Crashed && s.host.ended(),
	}
	return nil
}

// weight is a result's share of the room.
func weight(bytes int) int64 { return int64(min(bytes, settleBytes)) }

// release makes room for others' results.
func (s *settler) release(batch []settlement) {
	for i := range batch {
		if n := len(batch[i].Result); n > 0 {
			s.room.Release(weight(n))
		}
	}
}

// flush settles what arrives until the channel is closed. After the context has
// ended, or the first failure, it only notes what still comes.
func (s *settler) flush(ctx context.Context) {
	var batch []settlement
	broken, full := false, false
	for first := range s.arrived {
		clear(batch) // results are not to be kept alive
		batch = s.collect(append(batch[:0], first))
		var err error
		if !broken && ctx.Err() == nil {
			err = s.commit(ctx, batch)
			broken = err != nil
		} else {
			broken = true
		}
		if broken {
			batch = s.unacknowledged(batch)
		}
		s.release(batch)
		if !full {
			unwritten := s.write(batch)
			full = unwritten != nil
			err = errors.Join(err, unwritten)
		}
		if err != nil {
			broken = true
			s.host.fail(err)
		}
	}
}

// unacknowledged counts a batch whose acknowledgement was not heard, and returns the
// jobs that ran. Those whose processes were killed with the round may not have.
func (s *settler) unacknowledged(batch []settlement) []settlement {
	s.mu.Lock()
	defer s.mu.Unlock()
	ran := batch[:0]
	for _, one := range batch {
		if one.cutOff {
			s.cutOff++
			continue
		}
		s.unheard++
		one.record.Unacknowledged = true
		ran = append(ran, one)
	}
	return ran
}

// collect adds what arrives soon after the first, unless all jobs are in.
func (s *settler) collect(batch []settlement) []settlement {
	linger := time.NewTimer(settleLinger)
	defer linger.Stop()
	size := len(batch[0].Result)
	for len(batch) < settleBatch && size < settleBytes/2 && s.settled+len(batch) < s.host.r.Jobs {
		select {
		case next, ok := <-s.arrived:
			if !ok {
				return batch
			}
			batch = append(batch, next)
			size += len(next.Result)
		case <-linger.C:
			return batch
		}
	}
	return batch
}

// commit acknowledges a batch in one round trip.
func (s *settler) commit(ctx context.Context, batch []settlement) error {
	outcomes := make([]stream.Settlement, len(batch))
	for i := range batch {
		outcomes[i] = batch[i].Settlement
	}
	if err := s.host.r.Group.Settle(ctx, outcomes); err != nil {
		return fmt.Errorf("settle jobs: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settled += len(batch)
	s.last = monotonic()
	return nil
}

// write writes the records of jobs that have run.
func (s *settler) write(batch []settlement) error {
	zero := s.host.gate.zero
	for i := range batch {
		r := &batch[i].record
		r.DequeuedNS -= zero
		r.FinishedNS -= zero
		if !r.Unacknowledged {
			r.SettledNS = s.last - zero
		}
		if r.StartedNS != 0 {
			r.StartedNS -= zero
		}
		if err := s.host.r.Sink.Write(r); err != nil {
			return fmt.Errorf("write a record: %w", err)
		}
	}
	return nil
}
