package runner

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"forkbench/internal/format"
	"forkbench/models"
	"forkbench/record"
)

// Analyze reduces the lines of a run to what a comparison shows. What a killed
// run left is analyzed up to its end, with a warning; any other error in the
// lines is returned.
func Analyze(lines iter.Seq2[record.Line, error]) (*Analysis, error) {
	a := NewAggregator()
	n := 0
	for l, err := range lines {
		if errors.Is(err, record.ErrTruncated) && n > 0 {
			a.cut = true
			break
		}
		if err != nil {
			return nil, err
		}
		n++
		if err := a.Write(l); err != nil {
			return nil, &record.SyntaxError{Line: n, Err: err}
		}
	}
	if n == 0 {
		return nil, errors.New("no records")
	}
	return a.Analysis(), nil
}

// An Aggregator reduces lines while they come, in bounded memory however many
// jobs there are, but for two bits a job of the rounds that go on, or in which
// jobs were not done. The order of the lines within a round does not matter, so a
// live run and its records give the same Analysis.
//
// It is safe for concurrent use.
type Aggregator struct {
	mu     sync.Mutex
	header *record.Header
	models []*modelState
	byName map[string]*modelState
	cut    bool // the lines end in the middle of one
}

var _ record.Sink = (*Aggregator)(nil)

// NewAggregator returns an Aggregator that waits for a header.
func NewAggregator() *Aggregator { return new(Aggregator) }

// Write takes one line. The header comes first, and the lines about a round's
// jobs and processes before the round's own. It returns an error for a line that
// does not fit the ones before it; that line is not counted.
func (a *Aggregator) Write(l record.Line) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.header == nil {
		h, ok := l.(*record.Header)
		if !ok {
			return errors.New("the header must come before every other line")
		}
		a.begin(h)
		return nil
	}
	switch l := l.(type) {
	case *record.Job:
		if l.Status < models.Done || l.Status > models.TimedOut {
			return fmt.Errorf("job %d has no valid status", l.ID)
		}
		r, err := a.open(l.Model, l.Round)
		if err == nil {
			r.addJob(l)
		}
		return err
	case *record.Process:
		r, err := a.open(l.Model, l.Round)
		if err == nil {
			r.addProcess(l)
		}
		return err
	case *record.Sample:
		// The sampler may be one sample late.
		if m := a.byName[l.Model]; m != nil && m.closed[l.Round] != nil {
			m.closed[l.Round].samples.add(*l)
			return nil
		}
		r, err := a.open(l.Model, l.Round)
		if err == nil {
			r.samples.add(*l)
		}
		return err
	case *record.Round:
		r, err := a.open(l.Model, l.Round)
		if err == nil {
			a.byName[l.Model].close(r, l, a.header)
		}
		return err
	case *record.Prediction:
		m := a.byName[l.Model]
		if m == nil {
			return fmt.Errorf("model %q is not in the header", l.Model)
		}
		p := *l
		p.Reasons = slices.Clone(l.Reasons)
		m.prediction = &p
		return nil
	case *record.Header:
		return errors.New("a second header")
	default:
		return fmt.Errorf("a line of unknown kind %T", l)
	}
}

func (a *Aggregator) begin(h *record.Header) {
	copied := *h
	copied.Spec.Models = slices.Clone(h.Spec.Models)
	for i, m := range copied.Spec.Models {
		copied.Spec.Models[i].Knobs = maps.Clone(m.Knobs)
	}
	copied.Spec.Warm, copied.Spec.Env = slices.Clone(h.Spec.Warm), slices.Clone(h.Spec.Env)
	copied.Spec.Setup = slices.Clone(h.Spec.Setup)
	a.header = &copied
	a.byName = make(map[string]*modelState, len(copied.Spec.Models))
	for _, spec := range copied.Spec.Models {
		if a.byName[spec.Name] == nil {
			m := &modelState{spec: spec, closed: make(map[int]*roundState)}
			a.byName[spec.Name] = m
			a.models = append(a.models, m)
		}
	}
}

// open is the round that a line belongs to.
func (a *Aggregator) open(model string, round int) (*roundState, error) {
	m := a.byName[model]
	switch {
	case m == nil:
		return nil, fmt.Errorf("model %q is not in the header", model)
	case round < 0:
		return nil, fmt.Errorf("%s: round %d: rounds count from 0", model, round)
	case m.closed[round] != nil:
		return nil, fmt.Errorf("%s: a line of round %d after that round's end", model, round)
	case m.open == nil:
		m.open = newRound(round, len(m.rounds) == 0, &a.header.Spec)
	case m.open.number != round:
		return nil, fmt.Errorf("%s: a line of round %d before the end of round %d", model, round, m.open.number)
	}
	return m.open, nil
}

// A modelState is what is kept of one model.
type modelState struct {
	spec   record.Model
	open   *roundState
	rounds []*roundState // closed, by number
	closed map[int]*roundState

	// The distributions of the rounds that ended well, and of those that did
	// not. The latter serve only where there are none of the former.
	complete, partial dists

	blunders blunders

	prediction *record.Prediction // of a simulated run, at its end
}

// part tells what a round that is made in parts has come to, of which parts are to come:
// where its model has no other, it stands in for one.
func (a *Aggregator) part(l *record.Round) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m := a.byName[l.Model]; m != nil && m.open != nil && m.open.number == l.Round {
		m.open.take(l)
	}
}

// Turn is a sink for the lines of one round, after the header, for rounds of one model that go on
// side by side, as replications of a simulation do. Lines of different turns may
// come at the same time; those of one come one after another, and its
// *record.Round last.
func (a *Aggregator) Turn(model string, round int) record.Sink {
	a.mu.Lock()
	defer a.mu.Unlock()
	var spec record.Spec
	if a.header != nil {
		spec = a.header.Spec
	}
	return &turn{aggregator: a, model: model, round: newRound(round, round == 0, &spec)}
}

type turn struct {
	aggregator *Aggregator
	model      string
	round      *roundState
}

// Write takes a line of the round.
func (t *turn) Write(l record.Line) error {
	switch l := l.(type) {
	case *record.Job:
		t.round.addJob(l)
	case *record.Process:
		t.round.addProcess(l)
	case *record.Sample:
		t.round.samples.add(*l)
	case *record.Round:
		a := t.aggregator
		a.mu.Lock()
		defer a.mu.Unlock()
		m := a.byName[t.model]
		if m == nil {
			return fmt.Errorf("model %q is not in the header", t.model)
		}
		m.close(t.round, l, a.header)
	default:
		return fmt.Errorf("a line of kind %T in a round", l)
	}
	return nil
}

// dists are the distributions that a round adds to its model's.
type dists struct {
	latency dist // due to finished, every job
	first   dist // run time of the first job of each process, if done
	later   dist // of every other job, if done
	fork    dist // from a process's making to its first job; 0 if made before work
	exit    dist // from a process's last job to reaped, if it exited by itself
}

func (d *dists) merge(e *dists) {
	d.latency.merge(&e.latency)
	d.first.merge(&e.first)
	d.later.merge(&e.later)
	d.fork.merge(&e.fork)
	d.exit.merge(&e.exit)
}

// close ends the open round r with its own line.
func (m *modelState) close(r *roundState, l *record.Round, h *record.Header) {
	r.take(l)
	r.p50, r.p95, r.p99 = r.dists.latency.quantile(0.50), r.dists.latency.quantile(0.95), r.dists.latency.quantile(0.99)
	if l := l.Latency; l != nil {
		r.p50, r.p95, r.p99 = format.Millis(l.P50NS), format.Millis(l.P95NS), format.Millis(l.P99NS)
	}
	r.fates.close(l.Settled == l.Enqueued)
	r.causes.forget()
	r.broken = r.check(&h.Spec, &h.Environment)
	if !r.ended() {
		r.blunders.forget(oddProcess) // see check
	}
	m.blunders.merge(&r.blunders)
	switch {
	case r.counts():
		m.complete.merge(&r.dists)
		m.partial = dists{}
	case r.measured() && m.complete.latency.count() == 0:
		m.partial.merge(&r.dists)
	}
	r.dists, r.waiting = dists{}, nil
	if m.open == r {
		m.open = nil
	}
	// Turns may end in any order.
	i, _ := slices.BinarySearchFunc(m.rounds, r.number, func(r *roundState, n int) int { return cmp.Compare(r.number, n) })
	m.rounds = slices.Insert(m.rounds, i, r)
	m.closed[r.number] = r
}

// counting is the rounds that numbers are taken from, and their distributions:
// those that ended well, or if none did those that were interrupted and had
// settled something. What a model did before it could not go on is not a measure of
// it.
func (m *modelState) counting() ([]*roundState, *dists) {
	var complete, partial []*roundState
	for _, r := range m.rounds {
		switch {
		case r.counts():
			complete = append(complete, r)
		case r.measured():
			partial = append(partial, r)
		}
	}
	switch {
	case complete != nil:
		return complete, &m.complete
	case partial == nil && m.open != nil && m.open.measured():
		return []*roundState{m.open}, &m.open.dists
	}
	return partial, &m.partial
}

// take takes over the round's own line.
func (r *roundState) take(l *record.Round) {
	r.measure = *l
	r.measure.Warnings, r.measure.Unfit, r.measure.Hazards = slices.Clone(l.Warnings), slices.Clone(l.Unfit), slices.Clone(l.Hazards)
	r.measure.Undone, r.measure.Parts = slices.Clone(l.Undone), slices.Clone(l.Parts)
}

// A roundState is what is kept of one round.
type roundState struct {
	number int

	statuses [models.TimedOut + 1]int
	// unacknowledged is how many jobs are on record as run and not acknowledged.
	unacknowledged int

	dropped map[string]int // results that were not kept, by the reason
	lacks   string         // what an application lacked that was not set up, if a job said so
	causes  causes         // why jobs were not done
	fates   fates          // which were
	inSlots int64          // µs that jobs spent in slots, dequeued to finished, summed
	last    time.Duration  // the last job's settling

	processes int
	mostJobs  int  // that a child ran
	warmed    bool // a booted process was warmed
	reforked  bool // a process forked children after running jobs
	faults    int64

	dists    dists
	waiting  map[int]birth // processes of which only one line has come, by ID
	blunders blunders

	settled counter
	samples samples
	keep    bool // the model's first round: keep its beginning
	procs   firsts[record.Process]
	jobs    firsts[record.Job]

	// Known when the round is closed.
	measure record.Round
	p50     float64 // latency, ms
	p95     float64
	p99     float64
	broken  []string // checks that the round did not pass
}

// A birth is what a process and its first job say about how it was made: the
// first of the two lines waits for the other.
type birth struct {
	job, process bool // which has come

	started, dequeued time.Duration // of the first job
	fork, ready       time.Duration // of the process
	before            bool
}

// maxWaiting bounds the births that wait. There are about as many as live
// processes and processes that never had a job.
const maxWaiting = 1 << 14

func newRound(number int, keep bool, spec *record.Spec) *roundState {
	return &roundState{
		number:  number,
		fates:   newFates(spec),
		waiting: make(map[int]birth),
		keep:    keep,
		procs:   firsts[record.Process]{compare: byFork},
		jobs:    firsts[record.Job]{compare: bySettled},
	}
}

// ended reports whether the round ran to its end, measured whether there is
// something to take numbers from, and counts whether both are so.
func (r *roundState) ended() bool { return !r.measure.Interrupted && r.measure.Error == "" }
func (r *roundState) measured() bool {
	return r.measure.Error == "" && r.measure.Settled > 0 && r.measure.WorkNS > 0
}
func (r *roundState) counts() bool { return r.ended() && r.measured() }

func (r *roundState) addJob(j *record.Job) {
	if j.Unacknowledged {
		r.unacknowledged++ // it has no place among the settled ones, and the round did not go to its end
		return
	}
	done := j.Status == models.Done
	if !done {
		r.causes.add(j.ID, j.Status, j.Detail)
	}
	r.fates.add(j.ID, done)
	r.statuses[j.Status]++
	if j.Dropped != "" {
		r.drop(j.Dropped)
	}
	if j.Status == models.Failed && r.lacks == "" {
		r.lacks = NotSetUp(j.Detail)
	}
	r.last = max(r.last, j.SettledNS)
	r.inSlots += (j.FinishedNS - j.DequeuedNS).Microseconds()
	r.settled.add(j.FinishedNS, done)
	r.dists.latency.add(j.FinishedNS - j.DueNS)
	r.checkJob(j)

	if j.StartedNS != 0 && j.Status == models.Done {
		if run := j.FinishedNS - j.StartedNS; j.Seq == 1 {
			r.dists.first.add(run)
		} else {
			r.dists.later.add(run)
		}
	}
	if j.Seq == 1 && j.Process != 0 {
		b := r.waiting[j.Process]
		b.job, b.started, b.dequeued = true, j.StartedNS, j.DequeuedNS
		r.match(j.Process, b)
	}
	if r.keep {
		if len(j.Detail) > maxDetail {
			short := *j
			short.Detail = strings.Clone(j.Detail[:maxDetail])
			j = &short
		}
		r.jobs.add(j)
	}
}

func (r *roundState) addProcess(p *record.Process) {
	r.processes++
	r.warmed = r.warmed || p.Warmed && p.Role == record.RoleParent
	r.reforked = r.reforked || p.Refork
	r.checkProcess(p)
	if r.keep {
		r.procs.add(p)
	}
	if p.Role == record.RoleChild {
		r.faults += p.Faults
		r.mostJobs = max(r.mostJobs, p.Jobs)
	}
	if !p.Killed && p.Jobs > 0 && p.EndNS != 0 {
		r.dists.exit.add(p.ReapNS - p.EndNS)
	}
	b := r.waiting[p.ID]
	b.process, b.fork, b.ready, b.before = true, p.ForkNS, p.ReadyNS, p.Before
	r.match(p.ID, b)
}

// match counts a birth if both of its lines have come, or else lets it wait.
func (r *roundState) match(id int, b birth) {
	if !b.job || !b.process {
		if len(r.waiting) < maxWaiting {
			r.waiting[id] = b
		}
		return
	}
	delete(r.waiting, id)
	switch {
	case b.started == 0: // it died before the job's first instruction
	case b.before:
		r.dists.fork.add(0)
	default:
		r.checkBirth(id, b)
		r.dists.fork.add(b.cost())
	}
}

// cost is the time from the fork's begin to the first job's first instruction,
// without the time in which the process was ready and had no job (a spare).
func (b birth) cost() time.Duration {
	idle := max(0, b.dequeued-max(b.ready, b.fork))
	return b.started - b.fork - idle
}
