package serve

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// A queue makes runs, one live one at a time and one simulation beside it, which is
// stopped while a live one goes on. What waits is in state.json of the runs: a queue
// that ends and one that begins later on the same directory are the same.
type queue struct {
	store   *store
	options Options
	log     *zap.Logger

	// reading is held while records are read for somebody, by one at a time, as each
	// takes some seconds of a core. A comparison begins after it.
	reading sync.Mutex

	mu      sync.Mutex
	waiting map[string][]string // names by kind, in their order
	active  map[string]*child   // by name
	live    bool                // a comparison is being made
	changed chan struct{}       // closed, and made anew, when any of this changes
}

func newQueue(s *store, o Options, log *zap.Logger) *queue {
	return &queue{store: s, options: o, log: log, waiting: make(map[string][]string), active: make(map[string]*child), changed: make(chan struct{})}
}

// load takes up what a former service left: what waited still waits, and what it ran
// was interrupted.
func (q *queue) load() error {
	names, err := q.store.names()
	if err != nil {
		return err
	}
	type waits struct {
		name, kind string
		queued     time.Time
	}
	var all []waits
	for _, name := range names {
		st, err := q.store.status(name)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				q.log.Warn("a run cannot be read", zap.String("run", name), zap.Error(err))
			}
			continue
		}
		switch st.State {
		case Running:
			st.State, st.Ended, st.Error = Interrupted, time.Now(), "the service ended while it was made"
			if err := q.store.setStatus(name, st); err != nil {
				q.log.Error("its state cannot be written", zap.String("run", name), zap.Error(err))
			}
		case Queued:
			var r Request
			if err := q.store.read(name, requestName, &r); err != nil {
				q.log.Warn("a run that waits cannot be read", zap.String("run", name), zap.Error(err))
				continue
			}
			all = append(all, waits{name, r.Kind, st.Queued})
		case Done, Failed, Cancelled, Interrupted:
		}
	}
	slices.SortFunc(all, func(a, b waits) int { return cmp.Or(a.queued.Compare(b.queued), cmp.Compare(a.name, b.name)) })
	for _, w := range all {
		q.waiting[w.kind] = append(q.waiting[w.kind], w.name)
	}
	return nil
}

// A requestError is all that is wrong with a request.
type requestError struct{ problems []string }

func (e *requestError) Error() string { return strings.Join(e.problems, "; ") }

// errFull is for more runs than may wait.
var errFull = fmt.Errorf("%d runs wait already: try again when some have ended", maxQueue)

// add has a run made when it is its turn, and returns its name.
func (q *queue) add(r *Request) (string, error) {
	if _, problems := r.args(&q.options); len(problems) > 0 {
		return "", &requestError{problems}
	}
	now := time.Now()
	name := runName(r, now, strings.ToLower(rand.Text()[:6]))
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting[Comparison])+len(q.waiting[Simulation]) >= maxQueue {
		return "", errFull
	}
	if err := q.store.create(name, r, now); err != nil {
		return "", err
	}
	q.waiting[r.Kind] = append(q.waiting[r.Kind], name)
	q.tell()
	return name, nil
}

// tell wakes all who wait for a change. The caller holds the lock.
func (q *queue) tell() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// errEnded is for ending what has ended.
var errEnded = errors.New("the run has ended already")

// cancel ends a run, or takes it off the queue.
func (q *queue) cancel(name string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c := q.active[name]; c != nil {
		c.cancel()
		return nil
	}
	for kind, names := range q.waiting {
		i := slices.Index(names, name)
		if i < 0 {
			continue
		}
		q.waiting[kind] = slices.Delete(names, i, i+1)
		q.settle()
		st, err := q.store.status(name)
		if err != nil {
			return err
		}
		st.State, st.Ended = Cancelled, time.Now()
		return q.store.setStatus(name, st)
	}
	return errEnded
}

// errBusy is for removing what has not ended.
var errBusy = errors.New("the run has not ended: cancel it first")

// remove removes a run that has ended.
func (q *queue) remove(name string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.active[name] != nil || slices.Contains(q.waiting[Comparison], name) || slices.Contains(q.waiting[Simulation], name) {
		return errBusy
	}
	return q.store.remove(name)
}

// busy reports whether a comparison is being measured, which nothing must disturb.
func (q *queue) busy() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.live
}

// counts is how many runs wait, and how many are being made.
func (q *queue) counts() (waiting, active int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting[Comparison]) + len(q.waiting[Simulation]), len(q.active)
}

// run makes runs until ctx ends.
func (q *queue) run(ctx context.Context) {
	var group errgroup.Group
	for _, kind := range []string{Comparison, Simulation} {
		group.Go(func() error {
			for {
				c, ok := q.next(ctx, kind)
				if !ok {
					return nil
				}
				q.make(ctx, c)
				q.done(c)
			}
		})
	}
	_ = group.Wait() // none returns one
}

// next waits for the next run of a kind.
func (q *queue) next(ctx context.Context, kind string) (*child, bool) {
	for {
		q.mu.Lock()
		names := q.waiting[kind]
		if ctx.Err() == nil && len(names) > 0 && (kind == Comparison || !q.live) {
			c := newChild(names[0], kind)
			q.waiting[kind] = names[1:]
			q.active[c.name] = c
			if kind == Comparison {
				q.live = true
				q.settle()
			}
			q.mu.Unlock()
			return c, true
		}
		changed := q.changed
		q.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, false
		}
	}
}

// done is what follows a run. Simulations go on if no comparison waits.
func (q *queue) done(c *child) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.active, c.name)
	if c.kind == Comparison {
		q.live = false
		q.settle()
	}
	q.tell()
}

// settle stops the simulations while a comparison is made or is about to be, and else
// has them go on. The caller holds the lock.
func (q *queue) settle() {
	for _, c := range q.active {
		if c.kind == Simulation {
			c.pause(q.live || len(q.waiting[Comparison]) > 0)
		}
	}
}

// awaitReader waits for whoever reads records. All who come later are refused, as a
// comparison is being made.
func (q *queue) awaitReader() {
	q.reading.Lock()
	q.reading.Unlock() //nolint:gocritic,staticcheck // it is only waited for
}

// make makes one run, and says in its state.json how it went.
func (q *queue) make(ctx context.Context, c *child) {
	log := q.log.With(zap.String("run", c.name))
	var r Request
	st, err := q.store.status(c.name)
	err = errors.Join(err, q.store.read(c.name, requestName, &r))
	st.State, st.Started = Running, time.Now()
	if err == nil {
		err = q.store.setStatus(c.name, st)
	}
	var args []string
	if err == nil {
		var problems []string
		// Whoever started this service may allow less than whoever started the last.
		if args, problems = r.args(&q.options); len(problems) > 0 {
			err = &requestError{problems}
		}
	}
	st.State = Failed
	if r.Kind == Comparison {
		q.awaitReader()
	}
	if err == nil {
		log.Info("begins", zap.String("kind", r.Kind), zap.String("workload", r.Workload))
		args = append(args, "--out="+filepath.Join(q.store.dir, c.name), "--force", "--format=text")
		st.State, st.Exit, err = c.run(ctx, q.store, slices.Concat(q.options.Program, args), q.options.Env)
	}
	if err != nil {
		st.Error = err.Error()
	}
	st.Ended = time.Now()
	log.Info("ended", zap.String("state", string(st.State)), zap.Duration("took", st.Ended.Sub(st.Started)), zap.String("error", st.Error))
	if err := q.store.setStatus(c.name, st); err != nil {
		log.Error("its state cannot be written", zap.Error(err))
	}
}
