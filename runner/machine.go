package runner

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"time"

	"forkbench/live"
	"forkbench/models"
	"forkbench/record"
	"forkbench/stream"
	"forkbench/workload"
)

// A Backlog is a comparison's jobs in Redis: enqueued once, and read by every
// turn through a consumer group of its own, so that no model gets an easier
// stream.
type Backlog struct {
	jobs *stream.Stream
	n    int
}

// Enqueue puts jobs, in the order of their due times, on a stream of the
// server's. The caller closes the backlog.
func Enqueue(ctx context.Context, server *stream.Server, jobs iter.Seq[workload.Job]) (*Backlog, error) {
	s, err := server.Create(ctx, "forkbench:"+rand.Text()+":jobs")
	if err != nil {
		return nil, err
	}
	b := &Backlog{jobs: s}
	if b.n, err = s.Enqueue(ctx, jobs); err != nil {
		return nil, errors.Join(fmt.Errorf("enqueue the jobs: %w", err), b.Close())
	}
	return b, nil
}

// cleanUp bounds the removal of a comparison's keys from the user's Redis.
const cleanUp = 10 * time.Second

// Close removes the jobs from the server.
func (b *Backlog) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanUp)
	defer cancel()
	if err := b.jobs.Delete(ctx); err != nil {
		return fmt.Errorf("remove the job stream: %w", err)
	}
	return nil
}

// Machine is m with the backlog's jobs to run.
func (b *Backlog) Machine(m *live.Machine) Machine { return &onStream{Backlog: b, machine: m} }

// onStream is this computer, with the jobs of a backlog. It is for one contestant.
type onStream struct {
	*Backlog
	machine *live.Machine

	group  *stream.Group // of the round, as long as parts of it are to come
	former stream.Counts // of its parts before
}

// Run gives the executor a consumer group of its own for its turn; a round's parts read
// on in one.
func (r *onStream) Run(ctx context.Context, e models.Executor, t Turn) (*record.Round, error) {
	if t.Part == 0 {
		group, err := r.jobs.Group(ctx, fmt.Sprintf("%s-%d", t.Model, t.Round))
		if err != nil {
			return nil, err
		}
		r.group, r.former = group, stream.Counts{}
	}
	group := r.group
	done, err := r.machine.Run(ctx, e, live.Round{
		Number: t.Round, Model: t.Model, Jobs: t.jobs(r.n), Group: group, Former: r.former, Sink: t.Sink, Stop: t.Stop,
	})
	if err != nil || done.Interrupted {
		return done, err
	}
	r.former.Settled += done.Settled
	r.former.Dead += done.Dead
	if t.Part+1 < t.Parts {
		return done, nil
	}
	// A group's outcomes are as many as the jobs: they need not pile up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	if err := group.Close(ctx); err != nil {
		return done, fmt.Errorf("remove the consumer group: %w", err)
	}
	return done, nil
}
