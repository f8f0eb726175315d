package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"forkbench/live"
	"forkbench/models"
	"forkbench/record"
)

// A Machine gives an executor its turn at a comparison's jobs. [Backlog.Machine]
// makes one of this computer, [Simulated] one of a simulated computer.
type Machine interface {
	// Run runs the jobs and returns what happened, with the records of jobs,
	// processes and memory already written to the turn's sink. The record is
	// complete also with an error, which says why the executor could not go on;
	// it is nil if nothing was begun.
	Run(ctx context.Context, e models.Executor, t Turn) (*record.Round, error)
}

// A Turn is one contestant's go at the jobs.
type Turn struct {
	Round int    // from 0
	Model string // the contestant's name
	Sink  record.Sink

	// Stop asks for an early end when it is closed: no job is started any more,
	// those that run are finished and settled. It may be nil.
	Stop <-chan struct{}

	block int // of turns in a row, from 1; 0 where each round is one of its own
}

// A Contestant is a model as it takes part in a comparison. The same model may
// take part several times, with other knobs or on another machine.
type Contestant struct {
	Name     string // in records; no two have the same
	Executor models.Executor
	Machine  Machine
}

// A Plan is a comparison to be made: the same jobs for every contestant, round
// by round.
type Plan struct {
	Header      record.Header // written first; it names the contestants
	Contestants []Contestant
	Rounds      int // of each contestant

	// Until, if not nil, has the comparison go on until it is sharp enough: Rounds is
	// then the least number of them, and some contestants take more than others. Sums
	// is then where the sink's lines are aggregated.
	Until *Until
	Sums  *Aggregator

	// Began, if not nil, is called before each contestant's turn at each round.
	Began func(round int, contestant string)
}

// Run makes the comparison and writes its records to the sink.
//
// Closing stop ends it early and in order: no further job is started. Cancelling
// ctx kills what runs. In both cases, and when a model cannot go on, the records
// of what was measured have been written; only the latter is an error.
//
// A model that could not go on because of its own processes takes no further turn;
// the others take theirs, and the error comes in the end. What concerns all of them
// (the server, the sink) ends the comparison.
func (p *Plan) Run(ctx context.Context, stop <-chan struct{}, sink record.Sink) error {
	if p.Until != nil && p.Sums == nil {
		return errors.New("a plan with Until needs Sums, to know what was measured")
	}
	if err := sink.Write(&p.Header); err != nil {
		return fmt.Errorf("write a record: %w", err)
	}
	order := p.order()
	failed := make([]error, len(p.Contestants))
	rounds := make([]int, len(p.Contestants))
	for {
		i, block, ok := order.next()
		if !ok {
			return errors.Join(failed...)
		}
		c := &p.Contestants[i]
		began := time.Now()
		done, err := p.turn(ctx, c, Turn{Round: rounds[i], Model: c.Name, Sink: sink, Stop: stop, block: block})
		switch {
		case err != nil && done != nil && ofItself(err):
			failed[i] = err
			order.drop(i)
			continue
		case err != nil:
			return errors.Join(errors.Join(failed...), err)
		case done.Interrupted:
			return errors.Join(failed...)
		}
		if p.Until != nil {
			order.took(i, time.Since(began).Seconds(), p.Sums.donePerSecond(c.Name, rounds[i]))
		}
		rounds[i]++
	}
}

// An orderer says whose turn is next, and to which block of the comparison's turns it
// belongs (see record.Round).
type orderer interface {
	next() (contestant, block int, ok bool)
	took(contestant int, seconds, value float64)
	drop(contestant int) // it takes no further turn
}

func (p *Plan) order() orderer {
	if p.Until != nil {
		return newPacer(*p.Until, p.Rounds, len(p.Contestants))
	}
	return newRounds(len(p.Contestants), p.Rounds)
}

// ofItself reports whether an error is about a model's own processes: they died, or
// could not be made.
func ofItself(err error) bool {
	_, died := errors.AsType[*live.DeathError](err)
	_, refused := errors.AsType[*live.ForkError](err)
	return died || refused
}

// turn gives one contestant its turn.
func (p *Plan) turn(ctx context.Context, c *Contestant, t Turn) (*record.Round, error) {
	if p.Began != nil {
		p.Began(t.Round, c.Name)
	}
	done, err := c.Machine.Run(ctx, c.Executor, t)
	if done == nil {
		return nil, err
	}
	done.Block = t.block
	if werr := t.Sink.Write(done); werr != nil {
		return done, errors.Join(err, fmt.Errorf("write a record: %w", werr))
	}
	if err != nil && !done.Interrupted {
		return done, fmt.Errorf("model %s, round %d: %w", c.Name, t.Round+1, err)
	}
	return done, nil
}
