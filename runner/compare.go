package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

	// Where a round is made in Parts, which are turns of their own, Part is which of
	// them this is, from 0: some of the jobs, after those of the parts before it. Both
	// are 0 where the round is made in one go.
	Part, Parts int

	block int // of turns in a row, from 1; 0 where each round is one of its own
}

// jobs is how many of a round's the turn is at.
func (t *Turn) jobs(all int) int {
	if t.Parts == 0 {
		return all
	}
	return piece(all, t.Part, t.Parts)
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

	// Began, if not nil, is called before each contestant's turn at each round, or at a
	// part of one.
	Began func(round int, contestant string)

	// What the comparison has come to, of each contestant.
	rounds []int        // that have ended
	open   []*gathering // the round that is made in parts, between two of them
}

// Parts is in how many parts each contestant makes a round: turns, between which others
// take theirs. 1 is in one go, as all are with a fixed number of rounds.
func (p *Plan) Parts() []int {
	parts := make([]int, len(p.Contestants))
	for i, c := range p.Contestants {
		parts[i] = 1
		if p.Until != nil && !p.Until.Whole {
			parts[i] = partsOf(c.Executor, p.Header.Spec.Jobs, p.Header.Spec.Workers)
		}
	}
	return parts
}

// Least is how many turns each contestant takes at least.
func (p *Plan) Least() []int {
	least := p.Parts()
	for i, parts := range least {
		least[i] = leastTurns(p.Rounds, parts)
	}
	return least
}

// leastTurns is how many turns a model takes at least that makes rounds in so many parts.
func leastTurns(rounds, parts int) int {
	if parts >= enoughBlocks {
		return parts // one round tells enough
	}
	return rounds * parts
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
	header, parts := p.header(), p.Parts()
	if err := sink.Write(&header); err != nil {
		return fmt.Errorf("write a record: %w", err)
	}
	order := p.order()
	failed := make([]error, len(p.Contestants))
	p.rounds, p.open = make([]int, len(p.Contestants)), make([]*gathering, len(p.Contestants))
	for {
		i, block, ok := order.next()
		if !ok {
			return errors.Join(failed...)
		}
		began := time.Now()
		t := Turn{Round: p.rounds[i], Model: p.Contestants[i].Name, Sink: sink, Stop: stop, block: block}
		done, value, err := p.turn(ctx, i, parts[i], t)
		switch {
		case err != nil && done != nil && ofItself(err):
			failed[i] = err
			order.drop(i)
			continue
		case err != nil:
			return errors.Join(errors.Join(failed...), err, p.cut(sink))
		case done.Interrupted:
			return errors.Join(errors.Join(failed...), p.cut(sink))
		}
		order.took(i, time.Since(began).Seconds(), value)
	}
}

// header is the plan's, with the parts of rounds that it comes to.
func (p *Plan) header() record.Header {
	h := p.Header
	h.Spec.Models = slices.Clone(h.Spec.Models)
	for i, parts := range p.Parts() {
		if parts > 1 && i < len(h.Spec.Models) {
			h.Spec.Models[i].Parts = parts
		}
	}
	return h
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
		return newPacer(*p.Until, p.Least(), p.Parts())
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

// turn gives a contestant its turn, at a round or, where it makes them in parts, at the
// next one of those. The value is the jobs that it did per second.
func (p *Plan) turn(ctx context.Context, i, parts int, t Turn) (done *record.Round, value float64, err error) {
	c := &p.Contestants[i]
	if p.Began != nil {
		p.Began(t.Round, c.Name)
	}
	sink := t.Sink
	if parts > 1 {
		if p.open[i] == nil {
			p.open[i] = newGathering(sink, parts)
		}
		t.Sink, t.Part, t.Parts = p.open[i], len(p.open[i].whole.Parts), parts
	}
	done, err = c.Machine.Run(ctx, c.Executor, t)
	if done == nil {
		return nil, 0, err
	}
	done.Block = t.block
	if g := p.open[i]; g != nil {
		g.add(done)
		if last := g.whole.Parts[t.Part]; last.WorkNS > 0 {
			value = float64(last.Done) / last.WorkNS.Seconds()
		}
		if p.Sums.part(g.round(p.Header.Spec.Jobs)); !g.ended() {
			return done, value, nil
		}
		done, p.open[i] = g.round(p.Header.Spec.Jobs), nil
	}
	p.rounds[i]++
	if werr := sink.Write(done); werr != nil {
		return done, 0, errors.Join(err, fmt.Errorf("write a record: %w", werr))
	}
	if parts == 1 && p.Sums != nil {
		value = p.Sums.donePerSecond(c.Name, t.Round)
	}
	if err != nil && !done.Interrupted {
		err = fmt.Errorf("model %s, round %d: %w", c.Name, t.Round+1, err)
	} else {
		err = nil
	}
	return done, value, err
}

// cut ends the rounds of which parts are to come, as cut short.
func (p *Plan) cut(sink record.Sink) error {
	var errs []error
	for i, g := range p.open {
		if g == nil {
			continue
		}
		p.open[i] = nil
		if err := sink.Write(g.round(p.Header.Spec.Jobs)); err != nil {
			errs = append(errs, fmt.Errorf("write a record: %w", err))
		}
	}
	return errors.Join(errs...)
}
