package predict

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"forkbench/record"
	"forkbench/sim"
)

// errStopped says that an end was asked for; it is not a failure.
var errStopped = errors.New("stopped")

// full is the load from which on a model cannot keep up, as far as the short run
// for its capacity can tell.
const full = 0.995

// A series is one model's replications in the making.
type series struct {
	Model
	Prediction
	most int // replications that it gets; fewer if it cannot keep up

	known bool // the warm-up, from the first replications
	over  bool // in the first half of them
}

func (q *Question) run(ctx context.Context) (*Answer, error) {
	all := make([]*series, len(q.Models))
	for i, m := range q.Models {
		all[i] = &series{Model: m, Prediction: Prediction{Model: m.Name}, most: q.most()}
	}
	err := q.load(ctx, all)
	for from := 0; err == nil && from < q.most() && !q.stopped(ctx); {
		to := q.replications()
		if from > 0 {
			if q.precise(all) {
				break
			}
			// By a third, so that not many more are made than are needed. It does
			// not depend on how many are made at once.
			to = min(from+max(from/3, 2), q.most())
		}
		err = q.wave(ctx, all, from, to)
		from = to
	}
	stopped := q.stopped(ctx)
	if errors.Is(err, errStopped) {
		err, stopped = nil, true
	}
	a := &Answer{Steady: q.steady(), Warnings: q.Profile.Caveats()}
	for _, s := range all {
		q.conclude(s, stopped)
		a.Models = append(a.Models, s.Prediction)
	}
	return a, err
}

// stopped reports whether an early end was asked for.
func (q *Question) stopped(ctx context.Context) bool {
	select {
	case <-q.Stop: // never, if it is nil
		return true
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

// load measures how full the machine will be with each model.
func (q *Question) load(ctx context.Context, all []*series) error {
	offered := q.offered()
	if offered == 0 {
		return nil
	}
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, s := range all {
		g.Go(func() error {
			capacity, err := q.capacity(ctx, s.Model)
			if err != nil {
				return err
			}
			s.Offered, s.Capacity, s.Load = offered, capacity, offered/capacity
			if q.steady() && s.Load >= full {
				s.most = 1 // the more jobs, the longer they wait: no number comes of it
			}
			return nil
		})
	}
	return g.Wait()
}

// capacity is Capacity, unless it is known.
func (q *Question) capacity(ctx context.Context, m Model) (float64, error) {
	if q.Known != nil {
		if capacity, ok := q.Known(m.Name); ok {
			return capacity, nil
		}
	}
	return q.Capacity(ctx, m)
}

// wave makes the replications between two numbers.
func (q *Question) wave(ctx context.Context, all []*series, from, to int) error {
	limit := runtime.GOMAXPROCS(0)
	meters := make(chan *meter, limit)
	for range limit {
		meters <- new(meter)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(limit)
	made := make([][]*Replication, len(all))
	for i := range made {
		made[i] = make([]*Replication, to-from)
	}
	for r := from; r < to; r++ {
		for i, s := range all {
			if r >= s.most || q.stopped(ctx) {
				continue
			}
			var sink record.Sink
			if q.Sink != nil {
				sink = q.Sink(s.Model.Name, r)
			}
			g.Go(func() error {
				m := <-meters
				defer func() { meters <- m }()
				run, err := q.replicate(ctx, s.Model, r, m, sink)
				made[i][r-from] = run
				return err
			})
		}
	}
	err := g.Wait()
	for i, s := range all {
		runs := slices.DeleteFunc(made[i], func(r *Replication) bool { return r == nil })
		err = errors.Join(err, s.add(q, runs))
	}
	return err
}

// add takes replications that have been made.
func (s *series) add(q *Question, runs []*Replication) (err error) {
	if !s.known && len(runs) > 0 {
		s.WarmUp, s.over = warmUp(runs)
		s.known = true
	}
	for _, r := range runs {
		r.measure(s.WarmUp)
		if q.steady() {
			r.Round.Latency = &record.Latency{WarmUp: s.WarmUp, P50NS: nanos(r.P50), P95NS: nanos(r.P95), P99NS: nanos(r.P99)}
			err = errors.Join(err, writeRound(r.sink, &r.Round))
		}
		s.Runs = append(s.Runs, *r)
	}
	return err
}

func writeRound(sink record.Sink, r *record.Round) error {
	if sink == nil {
		return nil
	}
	if err := sink.Write(r); err != nil {
		return fmt.Errorf("write a record: %w", err)
	}
	return nil
}

// replicate makes one replication of one model. What was interrupted is not
// returned: it is neither a run of all the jobs nor a sample of one.
func (q *Question) replicate(ctx context.Context, model Model, r int, m *meter, sink record.Sink) (*Replication, error) {
	m.reset(sink, q.steady(), q.Jobs)
	machine := q.machine(r)
	done, err := machine.Run(ctx, model.Executor, sim.Round{
		Number: r, Model: model.Name, Jobs: jobs(q.Arrivals, machine.Seed, q.Jobs), Total: q.Jobs, Class: q.Class, Sink: m, Stop: q.Stop,
	})
	if done == nil {
		return nil, err
	}
	if err == nil && !done.Interrupted && q.steady() {
		run := m.replication(r, done)
		run.sink = sink // its latencies wait for the warm-up to be known
		return run, nil
	}
	if werr := writeRound(sink, done); werr != nil {
		return nil, werr
	}
	switch {
	case done.Interrupted:
		return nil, errStopped
	case err != nil:
		return nil, fmt.Errorf("model %s, replication %d: %w", model.Name, r+1, err)
	}
	return m.replication(r, done), nil
}

// precise reports whether all estimates are as narrow as was asked for.
func (q *Question) precise(all []*series) bool {
	if q.Until == 0 {
		return true
	}
	return !slices.ContainsFunc(all, func(s *series) bool {
		if len(s.Runs) >= s.most {
			return false
		}
		s.estimate(q.steady())
		_, width := s.widest()
		return width > q.Until
	})
}

func nanos(ms float64) time.Duration { return time.Duration(ms*float64(time.Millisecond) + 0.5) }
