package explain

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"golang.org/x/perf/benchmath"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/record"
)

// A contestant is a way to run the jobs that is measured.
type contestant struct {
	name     string
	executor models.Executor
	knobs    map[string]string
	setup    setup
}

// The contestants that are always there, by name: every job in a cold fork, and
// jobs in processes that have run one.
const (
	coldName  = "forkperjob"
	laterName = "prefork"
	warmName  = "hybrid" // in several variants
)

// frozen is the parent that is made ready for forks as each warm parent is, and has
// nothing to warm: a collection, and what lives is taken out of the collector's
// sight. It is the placebo: what a warm-up is credited with is what it saves
// against this, not against a cold fork.
func frozen() contestant {
	return contestant{name: "hybrid(warm=nothing)", executor: hybrid.Model{}, knobs: map[string]string{"warm": "nothing"}}
}

// refork is the hybrid whose parent has run jobs.
func refork() contestant {
	return contestant{
		name: fmt.Sprintf("hybrid(refork=%d)", reforkAfter), executor: hybrid.Model{Refork: reforkAfter},
		knobs: map[string]string{"refork": fmt.Sprint(reforkAfter)},
	}
}

// warmed is the hybrid whose parent makes calls first.
func warmed(name string, s setup) contestant {
	return contestant{name: fmt.Sprintf("hybrid(warm=%s)", name), executor: hybrid.Model{}, knobs: map[string]string{"warm": name}, setup: s}
}

// An Interval is a median with its 95 % confidence interval; no bounds where
// there were too few rounds for one.
type Interval struct {
	Median float64  `json:"median"`
	Low    *float64 `json:"low,omitempty"`
	High   *float64 `json:"high,omitempty"`

	rounds int // that it is of
}

// spansZero reports whether 0 is in the interval: whether the median may be 0, for all
// that was measured. Without bounds, that is not known, and it is not said.
func (i Interval) spansZero() bool { return i.Low != nil && *i.Low <= 0 && 0 <= *i.High }

// seen reports whether there is a saving: the median is more than 0, and 0 is not in
// the interval. Where there were too few jobs for one, the median has to do.
func (i Interval) seen() bool { return i.Median > 0 && !i.spansZero() }

// aboveZero reports whether the median is known to be more than 0.
func (i Interval) aboveZero() bool { return i.Low != nil && *i.Low > 0 }

// A sample is a value for each job, by its round: jobs of a round share what the
// machine did then.
type sample map[int][]float64

func (s sample) add(round int, x float64) { s[round] = append(s[round], x) }

// interval is the median over all jobs, with a 95 % interval from order statistics:
// it assumes nothing about how the times of jobs are distributed. It reaches over the
// medians of the rounds, too, which are all there is of independent measurements: 5 of
// them have the truth between them 15 times in 16. There are bounds from 6 jobs on.
func (s sample) interval() Interval {
	var xs, rounds []float64
	for _, of := range s {
		xs, rounds = append(xs, of...), append(rounds, stats.Median(of))
	}
	i := Interval{Median: stats.Median(xs), rounds: len(rounds)}
	if len(xs) < 6 {
		return i
	}
	o := benchmath.AssumeNothing.Summary(benchmath.NewSample(xs, &benchmath.DefaultThresholds), 0.95)
	if math.IsInf(o.Lo, 0) || math.IsInf(o.Hi, 0) {
		return i
	}
	low, high := min(i.Median, o.Lo, slices.Min(rounds)), max(i.Median, o.Hi, slices.Max(rounds))
	i.Low, i.High = &low, &high
	return i
}

// A Saving is what a job takes less, in milliseconds.
type Saving struct {
	Wall Interval `json:"wall_ms"`
	CPU  Interval `json:"cpu_ms"`
}

// measurements are the jobs of all contestants.
type measurements struct {
	jobs    map[place]record.Job
	warming map[string][]time.Duration
	rounds  []record.Round
}

type place struct {
	contestant string
	round      int
	id         uint64
}

// newMeasurements takes the jobs that stand for their contestant: of prefork, not
// the first ones; of refork, those of the promoted parent's children.
func newMeasurements(s *jobSink) *measurements {
	type process struct {
		contestant string
		round, id  int
	}
	jobs := make(map[process]int)
	for _, j := range s.jobs {
		jobs[process{j.Model, j.Round, j.Process}]++
	}
	m := &measurements{make(map[place]record.Job), s.warming, s.rounds}
	for _, j := range s.jobs {
		switch {
		case j.Model == laterName && j.Seq == 1:
		case j.Model == refork().name && jobs[process{j.Model, j.Round, j.Process}] > 1:
		default:
			m.jobs[place{j.Model, j.Round, j.ID}] = j
		}
	}
	return m
}

func runTime(j record.Job) time.Duration { return j.FinishedNS - j.StartedNS }

// saving is what a job took longer in a than in b, each compared to itself in the
// same round.
func (m *measurements) saving(a, b string) Saving {
	walls, cpus := make(sample), make(sample)
	for at, x := range m.jobs {
		if y, ok := m.jobs[place{b, at.round, at.id}]; ok && at.contestant == a {
			walls.add(at.round, format.Millis(runTime(x)-runTime(y)))
			cpus.add(at.round, format.Millis(x.CPUNS-y.CPUNS))
		}
	}
	return Saving{walls.interval(), cpus.interval()}
}

// warm is what a contestant's warm-ups take, in milliseconds by the clock: its
// parent's time in them, less that of a parent that is only frozen. No profiler
// is there.
func (m *measurements) warm(contestant string) float64 {
	var own, none []float64
	for _, d := range m.warming[contestant] {
		own = append(own, format.Millis(d))
	}
	for _, d := range m.warming[frozen().name] {
		none = append(none, format.Millis(d))
	}
	return max(0, stats.Median(own)-stats.Median(none))
}

// typical is what a job of a contestant takes.
func (m *measurements) typical(contestant string) Saving {
	walls, cpus := make(sample), make(sample)
	for at, x := range m.jobs {
		if at.contestant == contestant {
			walls.add(at.round, format.Millis(runTime(x)))
			cpus.add(at.round, format.Millis(x.CPUNS))
		}
	}
	return Saving{walls.interval(), cpus.interval()}
}

// throughput is the jobs that a contestant's worker gets through, for each
// second: forks, exits and all included. It is the median over the rounds.
func (m *measurements) throughput(contestant string) float64 {
	type round struct {
		jobs         int
		began, ended time.Duration
	}
	rounds := make(map[int]round)
	for at, x := range m.jobs {
		if at.contestant != contestant {
			continue
		}
		r, ok := rounds[at.round]
		if !ok {
			r.began = x.DequeuedNS
		}
		rounds[at.round] = round{r.jobs + 1, min(r.began, x.DequeuedNS), max(r.ended, x.SettledNS)}
	}
	var rates []float64
	for _, r := range rounds {
		if r.ended > r.began {
			rates = append(rates, float64(r.jobs)/(r.ended-r.began).Seconds())
		}
	}
	return stats.Median(rates)
}

// measure runs what was found, unprofiled: cold forks, warm processes, a frozen
// parent, and parents that were warmed in one way each.
func (r *run) measure(ctx context.Context) error {
	list := []contestant{
		{name: coldName, executor: forkperjob.Model{}},
		{name: laterName, executor: prefork.Model{}},
	}
	if r.Verify {
		list = append(append(list, frozen()), r.warmedParents()...)
		if r.pools != "" && !r.noPools {
			list = append(list, r.pooled())
		}
	}
	r.doing("measuring")
	sink, err := r.measureAll(ctx, list)
	if err != nil {
		return err
	}
	r.measured = newMeasurements(sink)
	r.rounds = sink.rounds
	return nil
}

// warmedParents lists the ways to warm a parent that are to be measured: by running
// jobs in it, by each call that can be made alone, by all of these, and by what was
// given, each alone and all of it.
func (r *run) warmedParents() (list []contestant) {
	if r.noRefork() == "" {
		list = append(list, refork())
	}
	if r.oneJob.after != nil {
		list = append(list, onceJob())
	}
	alone := 0
	for _, f := range r.hoisted() {
		list = append(list, f.alone())
		alone++
	}
	for _, f := range r.releases() {
		list = append(list, f.release.contestant())
		alone++
	}
	if alone > 1 {
		list = append(list, warmed(allCalls, setup{warm: references(r.allWays())}))
	}
	list = append(list, r.givenParents()...)
	return list
}

// alone is the parent that does one finding.
func (f *found) alone() contestant {
	return warmed(f.ways[0].String(), setup{warm: references(f.ways)})
}

// The knobs of contestants that warm several things.
const (
	allCalls = "all that can be called"
	userWarm = "as given"
)

// allWays is all calls that do findings in a parent: those last that leave something
// open, which is given up.
func (r *run) allWays() []warmCall {
	var all []warmCall
	for _, f := range r.hoisted() {
		all = append(all, f.ways...)
	}
	for _, f := range r.releases() {
		all = append(all, f.release.call)
	}
	return all
}
