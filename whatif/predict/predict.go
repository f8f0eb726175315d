// Package predict asks a simulated machine what execution models would do on it,
// and answers with intervals: replications of package sim, and the statistics
// that make a prediction of them.
//
// # What an answer rests on
//
//   - Replications with common random numbers: replication r of every model gets
//     the same seeds, so job k comes at the same time and asks the same of each
//     of them, and differences between models are not the luck of the draw. See
//     [Paired].
//   - Where jobs keep coming (rate:, poisson:) the question is about the steady
//     state, and the replications' beginning is cut off by the rule MSER-5 (White
//     1997, "An effective truncation heuristic for bias reduction in simulation
//     output"), applied to their average. Where they are a given batch (burst, trace:) the
//     beginning and the end are part of the question, and nothing is cut
//     (a terminating simulation, in Law's terms).
//   - Intervals are Student's t across replications, for quantiles too. That of
//     the mean latency in the steady state is held against batch means within the
//     replications, and the wider one counts.
//   - Before jobs keep coming to a model, its capacity is measured by a short
//     saturated run. Above it no latency is given: there is none, the queue
//     grows without end.
//
// Where that does not come to a number to stand up for, Converged is false and
// Reasons say why.
//
// The same question gets the same answer, whatever GOMAXPROCS is.
package predict

import (
	"context"
	"errors"
	"fmt"
	"time"

	"forkbench/models"
	"forkbench/record"
	"forkbench/sim"
	"forkbench/workload"
)

// A Model is an execution model to ask about. Its executor is shared by runs
// that go on at the same time: it keeps no state of its own between the calls of
// Execute, as those of this project do.
type Model struct {
	Name     string // as answers and records name it; unique within a question
	Executor models.Executor
}

// A Question is what to predict.
type Question struct {
	Models  []Model
	Profile *sim.Profile
	Workers int
	Cores   int
	Timeout time.Duration // for a job; 0 means none

	Arrivals workload.Arrivals // nil for a burst
	Jobs     int               // of one replication
	Seed     uint64

	// Class is sim.Round's, for all replications alike: their jobs are the same mix.
	// It is called by several goroutines at once.
	Class func(id uint64) int

	// Replications is how many are made; 0 means DefaultReplications.
	Replications int

	// Until, if it is not 0, goes on until the half-width of every interval is at
	// most this share of its estimate, or there are MaxReplications.
	Until float64

	// MaxReplications bounds Until; 0 means DefaultMaxReplications.
	MaxReplications int

	// Known, if not nil, tells a model's Capacity where it has been found before, for
	// the same machine, profile and seed: it does not depend on the arrivals. It is
	// called by several goroutines at once.
	Known func(model string) (capacity float64, ok bool)

	// Sink, if not nil, is asked for a sink for each run before it begins, and
	// gets its records, the *record.Round last; it may return nil. It is called
	// from one goroutine; runs, and so their sinks, go on side by side.
	Sink func(model string, replication int) record.Sink

	// Stop ends the prediction early when it is closed; what has been run to its
	// end is answered from. It may be nil.
	Stop <-chan struct{}
}

// How many replications there are, unless a question says so.
const (
	DefaultReplications    = 10
	DefaultMaxReplications = 200
)

// Bounds on a question.
const (
	maxJobs         = 1_000_000_000
	maxReplications = 100_000
)

// Validate reports every problem of a question.
func (q *Question) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(q.Models) == 0 {
		fail("no model: name at least one")
	}
	seen := make(map[string]bool)
	for _, m := range q.Models {
		switch {
		case m.Executor == nil:
			fail("model %q has no executor", m.Name)
		case seen[m.Name]:
			fail("model %q is there twice: give it another name", m.Name)
		}
		seen[m.Name] = true
	}
	if q.Jobs < 1 || q.Jobs > maxJobs {
		fail("jobs=%d: must be from 1 to %d", q.Jobs, maxJobs)
	}
	if q.Replications < 0 || q.Replications > maxReplications {
		fail("replications=%d: must be from 1 to %d", q.Replications, maxReplications)
	}
	if q.MaxReplications < 0 || q.MaxReplications > maxReplications {
		fail("max replications=%d: must be from 1 to %d", q.MaxReplications, maxReplications)
	}
	if !(q.Until >= 0 && q.Until < 1) {
		fail("until=%v: must be a share of the estimate, more than 0 and less than 1", q.Until)
	}
	if q.Profile == nil {
		fail("no profile: the simulated machine needs to know what things cost")
	} else if err := q.machine(0).Validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (q *Question) replications() int {
	if q.Replications == 0 {
		return DefaultReplications
	}
	return q.Replications
}

func (q *Question) most() int {
	switch {
	case q.Until == 0:
		return q.replications()
	case q.MaxReplications == 0:
		return max(q.replications(), DefaultMaxReplications)
	}
	return max(q.replications(), q.MaxReplications)
}

// machine is the computer of replication r.
func (q *Question) machine(r int) *sim.Machine {
	return &sim.Machine{
		Workers: q.Workers, Cores: q.Cores, Profile: q.Profile, Timeout: q.Timeout,
		Seed: replicationSeed(q.Seed, r),
	}
}

// Record is the prediction as records have it.
func (p *Prediction) Record() *record.Prediction {
	return &record.Prediction{
		Model: p.Model, Converged: p.Converged, Reasons: p.Reasons, Unstable: p.Unstable,
		Offered: p.Offered, Capacity: p.Capacity,
	}
}

// replicationSeed is that of jobs and machine in replication r: the question's
// own first, then ones far from it and from its neighbours'.
func replicationSeed(seed uint64, r int) uint64 {
	return seed + uint64(r)*0x9e3779b97f4a7c15 // 2^64 over the golden ratio (Knuth)
}

// steady reports whether jobs keep coming in a way that has a steady state.
func (q *Question) steady() bool {
	_, is := q.Arrivals.(workload.Steady)
	return is
}

// An Answer is what a machine would do.
type Answer struct {
	Steady bool         // the question was about the steady state
	Models []Prediction // in the question's order

	// Warnings are those about the profile: what is predicted is no better than what
	// it is predicted from.
	Warnings []string
}

// A Prediction is one model's part of an answer.
type Prediction struct {
	Model string `json:"model"`

	// What gets done: jobs per second of work, and the CPU of all parts, Redis and
	// supervisor included, for each job. A job that reached its time limit is not done,
	// and what it cost is shared out among those that are; where none is, CPUDone is not
	// known.
	Done    Estimate `json:"jobs_done_per_s"`
	CPUDone Estimate `json:"cpu_ms_per_job_done"`

	// The same of all jobs that were settled, whatever became of them.
	Throughput Estimate `json:"throughput"`
	CPU        Estimate `json:"cpu_ms_per_job"`

	Mean    Estimate `json:"mean_ms"` // latency, due to finished; so are the quantiles
	P50     Estimate `json:"p50_ms"`
	P95     Estimate `json:"p95_ms"`
	P99     Estimate `json:"p99_ms"`
	PeakPSS Estimate `json:"peak_pss_mb"` // of the whole tree, in 1e6 bytes; sampled

	// WarmUp is how many jobs each replication's latencies leave out, the first
	// ones.
	WarmUp int `json:"warm_up_jobs"`

	// Where jobs keep coming: jobs per second, and their ratio. Capacity is what
	// the model settles, whatever becomes of it, when there is always a job waiting.
	Offered  float64 `json:"offered,omitempty"`
	Capacity float64 `json:"capacity,omitempty"`
	Load     float64 `json:"load,omitempty"`

	// Converged says that the numbers can be stood up for; Reasons say why not.
	// Unstable is the worst of them: jobs come faster than they can be run.
	Converged bool     `json:"converged"`
	Reasons   []string `json:"reasons,omitempty"`
	Unstable  bool     `json:"unstable,omitempty"`

	// Runs are the replications, in order. Of a load above capacity there is one
	// at most, for the throughput.
	Runs []Replication `json:"-"`
}

// A Replication is one run of one model.
type Replication struct {
	Number     int     // from 0
	Jobs       int     // that were done
	Done       float64 // jobs done per second
	CPUDone    float64 // ms per job done; +Inf if none was
	Throughput float64 // jobs settled per second
	CPU        float64 // ms per job settled
	Mean       float64 // ms, like the quantiles
	P50        float64
	P95        float64
	P99        float64
	Max        float64
	PeakPSS    float64 // MB
	Round      record.Round

	batch []float64 // means of consecutive jobs' latencies, in the steady state
	seen  *latencies
	sink  record.Sink
}

// Run asks a question. It returns an error where the question makes no sense or
// a model could not go on; the answer holds what was found until then.
//
// When ctx is cancelled, or Stop closed, it answers from the replications that
// went to their end, and says so in the reasons.
func Run(ctx context.Context, q Question) (*Answer, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	return q.run(ctx)
}
