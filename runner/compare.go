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

// A Machine runs one model's turn at the jobs. *live.Machine is one.
type Machine interface {
	Run(ctx context.Context, e models.Executor, r live.Round) (*record.Round, error)
}

var _ Machine = (*live.Machine)(nil)

// A Plan is a comparison to be made: the same jobs for every model, round by round.
type Plan struct {
	Header    record.Header // written first
	Executors []models.Executor
	Rounds    int
	Jobs      int
	Source    iter.Seq[workload.Job] // the jobs, in the order of their due times
	Machine   Machine
	Server    *stream.Server

	// Turn, if not nil, is called before each model's turn at each round.
	Turn func(round int, model string)
}

// cleanUp bounds the removal of a comparison's keys from the user's Redis.
const cleanUp = 10 * time.Second

// Run makes the comparison and writes its records to the sink. The jobs are
// enqueued once, and every turn reads them through a consumer group of its own.
//
// Closing stop ends it early and in order: no further job is started. Cancelling
// ctx kills what runs. In both cases, and when a model cannot go on, the records
// of what was measured have been written; only the latter is an error.
func (p *Plan) Run(ctx context.Context, stop <-chan struct{}, sink record.Sink) (err error) {
	if err := sink.Write(&p.Header); err != nil {
		return fmt.Errorf("write a record: %w", err)
	}
	jobs, err := p.Server.Create(ctx, "forkbench:"+rand.Text()+":jobs")
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
		defer cancel()
		if e := jobs.Delete(ctx); e != nil && err == nil {
			err = fmt.Errorf("remove the job stream: %w", e)
		}
	}()
	if _, err := jobs.Enqueue(ctx, p.Source); err != nil {
		return fmt.Errorf("enqueue the jobs: %w", err)
	}
	for round := range p.Rounds {
		for _, i := range Order(len(p.Executors), round) {
			done, err := p.turn(ctx, stop, jobs, p.Executors[i], round, sink)
			if err != nil {
				return err
			}
			if done.Interrupted {
				return nil
			}
		}
	}
	return nil
}

// turn gives one model its turn.
func (p *Plan) turn(
	ctx context.Context, stop <-chan struct{}, jobs *stream.Stream, e models.Executor, round int, sink record.Sink,
) (*record.Round, error) {
	if p.Turn != nil {
		p.Turn(round, e.Name())
	}
	group, err := jobs.Group(ctx, fmt.Sprintf("%s-%d", e.Name(), round))
	if err != nil {
		return nil, err
	}
	done, err := p.Machine.Run(ctx, e, live.Round{
		Number: round, Model: e.Name(), Jobs: p.Jobs, Group: group, Sink: sink, Stop: stop,
	})
	if done == nil {
		return nil, err
	}
	if werr := sink.Write(done); werr != nil {
		return done, errors.Join(err, fmt.Errorf("write a record: %w", werr))
	}
	if err != nil && !done.Interrupted {
		return done, fmt.Errorf("model %s, round %d: %w", e.Name(), round+1, err)
	}
	// A group's outcomes are as many as the jobs: they need not pile up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	if err := group.Close(ctx); err != nil {
		return done, fmt.Errorf("remove the consumer group: %w", err)
	}
	return done, nil
}
