package runner

import (
	"encoding/json"
	"time"

	"forkbench/record"
)

// SummaryVersion is the version of the Summary's JSON form.
const SummaryVersion = 1

// A Summary is what a comparison found: the content of summary.json. It is a
// pure function of the run's records.
type Summary struct {
	Version     int                `json:"version"`
	Environment record.Environment `json:"environment"`
	Spec        record.Spec        `json:"spec"`
	Models      []ModelSummary     `json:"models"`
	Comparisons []Comparison       `json:"comparisons"`        // of models that did the same share of their jobs
	Shares      []ShareTest        `json:"shares"`             // whether they did
	Services    []string           `json:"services,omitempty"` // other programs that jobs use, whose CPU is told apart
	Verdict     string             `json:"verdict"`            // one or two sentences, with intervals
	Advice      *Advice            `json:"advice,omitempty"`   // which model fits; null where a doubt takes the ground from it
	Warnings    []string           `json:"warnings"`           // why a number should not be trusted
	Notes       []string           `json:"notes,omitempty"`    // what takes nothing from the numbers: results that were not kept, say
	Errors      []string           `json:"errors"`             // sanity checks violated, models that could not go on

	// WarningDetails and NoteDetails are Warnings and Notes as values, in the same order:
	// with a code, and with what can be done about them where the program that made the
	// summary says so (see Advise).
	WarningDetails []record.Remark `json:"warning_details,omitempty"`
	NoteDetails    []record.Remark `json:"note_details,omitempty"`
}

// A ModelSummary is one model's rounds together. Centres are medians over
// rounds; an Interval holds the 95 % confidence interval.
type ModelSummary struct {
	Model  string `json:"model"`
	Rounds int    `json:"rounds"` // rounds that count: complete, and measured

	StartupS float64 `json:"startup_s"`
	ElapsedS float64 `json:"elapsed_s"` // work only

	// What a model gets done. A job that failed, crashed, timed out or was never run
	// is not done, and what it cost is shared out among those that were. CPUDone is
	// null where no job was done.
	DonePerS Interval `json:"jobs_done_per_s"`
	CPUDone  *CPU     `json:"cpu_ms_per_job_done"`

	// The same of all jobs that were settled, whatever became of them: what a model
	// gets through. Where every job is done they are the same.
	Throughput Interval `json:"throughput"`     // jobs settled per second of work
	CPU        CPU      `json:"cpu_ms_per_job"` // per job settled

	UserS   float64   `json:"user_s"` // all parts, work only
	SystemS float64   `json:"system_s"`
	Latency Quantiles `json:"latency_ms"` // due to finished, all rounds pooled, of every job settled
	Phases  Phases    `json:"phases_ms"`
	Memory  Memory    `json:"memory_mb"`

	// WarmParent says that a booted process was warmed before it forked.
	WarmParent   bool    `json:"warm_parent"`
	FaultsPerJob float64 `json:"faults_per_job"` // minor faults of the children, per job settled
	// CommandsPerJob is per job settled. It is null where the server could not tell.
	CommandsPerJob *float64 `json:"redis_commands_per_job"`
	Processes      int      `json:"processes"` // made in one round, median
	// ResidualPercent is what the cgroup saw and wait4 did not, in percent of
	// the cgroup's total; null where no cgroup could be made.
	ResidualPercent *float64 `json:"cgroup_residual_percent"`
	Contaminated    int      `json:"contaminated_rounds"`
	Jobs            Jobs     `json:"jobs"` // all rounds together

	// Parts is in how many parts the rounds that count were made, all together; 0 if in
	// one go each. Contaminated are rounds of which one part was, at least.
	Parts             int `json:"parts,omitempty"`
	ContaminatedParts int `json:"contaminated_parts,omitempty"`

	// Hazards are what its processes had that their forks must not share, from all
	// rounds, each once.
	Hazards []record.Hazard `json:"hazards,omitempty"`
	// Stopped is why the model could not go on, in which round first; empty if it
	// could. There is then no ratio to others.
	Stopped string `json:"stopped,omitempty"`
	// Causes is why jobs were not done, the commonest first.
	Causes []Cause `json:"causes"`

	// Unfit is why the model must not be recommended as it is, from all rounds; see
	// record.Round.
	Unfit []string `json:"unfit,omitempty"`

	// Simulation is what only simulated models have; null for those measured.
	Simulation *Simulation `json:"simulation,omitempty"`
}

// A Simulation is what is known of a simulated model besides. Its rounds are
// replications: independent of each other, and the same for every model. All its
// intervals are Student's t around the mean over them.
type Simulation struct {
	// Converged says that the model's numbers can be stood up for, and Reasons why
	// not.
	Converged bool     `json:"converged"`
	Reasons   []string `json:"reasons"`

	// Of Latency.
	P50 Interval `json:"p50"`
	P95 Interval `json:"p95"`
	P99 Interval `json:"p99"`
	// WarmUp is how many jobs a replication leaves out of its latencies, the first
	// ones; the most of any.
	WarmUp int `json:"warm_up_jobs"`

	// Where jobs keep coming, jobs per second; else 0. Where Unstable is true they
	// come faster than the model can run them: then there are no latencies, null
	// here and in Latency.
	Offered  float64 `json:"offered"`
	Capacity float64 `json:"capacity"`
	Unstable bool    `json:"unstable"`
}

// An Interval is a median (or, if simulated, a mean) with its 95 % confidence interval. Low and High are
// null where there are too few rounds for one.
type Interval struct {
	Median float64  `json:"median"`
	Low    *float64 `json:"low"`
	High   *float64 `json:"high"`
}

// CPU is processor time per job, in milliseconds. Each number is the median of
// its own values over the rounds, and Median that of the rounds' sums: Children,
// Supervisor and Redis need not add up to it exactly. Children includes Parents.
type CPU struct {
	Interval
	Children   float64 `json:"children"` // the model's processes: the forked and the booted
	Parents    float64 `json:"parents"`  // of Children, the booted ones: fork and reap
	Strayed    float64 `json:"strayed"`  // of Children, what jobs started and nobody waited for
	Supervisor float64 `json:"supervisor"`
	Redis      float64 `json:"redis"`
	Services   float64 `json:"services"` // other programs that jobs use
}

// Quantiles of a distribution. Max is exact, the others within 0.1 %.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`

	Unknown bool `json:"-"` // there are none, and the others are null
}

// unstable reports whether the model, simulated, cannot keep up with its jobs.
func (m *ModelSummary) unstable() bool { return m.Simulation != nil && m.Simulation.Unstable }

// quantilesJSON is Quantiles as JSON has them.
type quantilesJSON struct {
	P50 *float64 `json:"p50"`
	P95 *float64 `json:"p95"`
	P99 *float64 `json:"p99"`
	Max *float64 `json:"max"`
}

// MarshalJSON writes null for what is unknown.
func (q Quantiles) MarshalJSON() ([]byte, error) {
	if q.Unknown {
		return json.Marshal(quantilesJSON{})
	}
	return json.Marshal(quantilesJSON{&q.P50, &q.P95, &q.P99, &q.Max})
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (q *Quantiles) UnmarshalJSON(text []byte) error {
	var form quantilesJSON
	if err := json.Unmarshal(text, &form); err != nil {
		return err
	}
	*q = Quantiles{Unknown: form == quantilesJSON{}}
	for _, x := range []struct{ to, from *float64 }{{&q.P50, form.P50}, {&q.P95, form.P95}, {&q.P99, form.P99}, {&q.Max, form.Max}} {
		if x.from != nil {
			*x.to = *x.from
		}
	}
	return nil
}

// Phases are the medians of the parts of a job's way through its process, in
// milliseconds of wall time.
type Phases struct {
	// Fork is what a process costs until its first job begins, less what a spare
	// waited for one. Processes made before work count as 0.
	Fork float64 `json:"fork"`
	// FirstJobPenalty is what the first job of a process costs over a later
	// one: the work that each process does lazily, once. Null where no process
	// of the run had a later job to compare with.
	FirstJobPenalty *float64 `json:"first_job_penalty"`
	// Run is a job's body without the penalty: Run and FirstJobPenalty together
	// are a first job.
	Run  float64 `json:"run"`
	Exit float64 `json:"exit"` // from a process's last job to its being reaped
}

// Memory of a model's processes, in megabytes (1e6 bytes). It is sampled: null is
// what no sample saw.
type Memory struct {
	PeakPSS      *float64 `json:"peak_pss"`       // of the whole tree, largest sample of any round
	USSPerWorker *float64 `json:"uss_per_worker"` // private memory of a child, median sample
}

// Jobs counts what became of the jobs. Settled counts each job once, whatever
// its outcome; Done + Failed + Crashed + TimedOut = Settled. Undone is those that
// the model had its turn at and did not do: Failed, Crashed, TimedOut, Unacknowledged,
// Lost, given up, and NotRun and CutOff where it could not go on. What an interruption
// left is in those two only. Settled + Unacknowledged + CutOff + NotRun + Lost + Dead =
// Enqueued.
type Jobs struct {
	Enqueued   int `json:"enqueued"`
	Settled    int `json:"settled"`
	Done       int `json:"done"`
	Undone     int `json:"undone"`
	Failed     int `json:"failed"`
	Crashed    int `json:"crashed"`
	TimedOut   int `json:"timed_out"`
	NotRun     int `json:"not_run"` // left in the stream when the run was cut short
	Lost       int `json:"lost"`    // never run, and not left in the stream
	Duplicated int `json:"duplicated"`

	Unacknowledged int `json:"unacknowledged"` // run, and Redis did not confirm it
	CutOff         int `json:"cut_off"`        // in a process's hands when the run was ended early, and killed with it
	Dead           int `json:"dead"`           // entries of the stream that were no jobs

	// ResultsDropped is how many of those done returned what was not kept: it is
	// not JSON, or above 1 MiB. docs/jobs.md has the rule.
	ResultsDropped int `json:"results_dropped,omitempty"`
}

// A Comparison holds two models' ratio in one metric: A / B, paired round by
// round, as a median over rounds or, if simulated or measured until it was sharp, a
// geometric mean. P is the p-value of "there is no difference". Low, High and the
// p-values are null where there are too few rounds.
type Comparison struct {
	Metric string   `json:"metric"` // as in Metrics
	A      string   `json:"a"`
	B      string   `json:"b"`
	Ratio  float64  `json:"ratio"`
	Low    *float64 `json:"low"`
	High   *float64 `json:"high"`
	P      *float64 `json:"p"`

	Corrected *float64 `json:"p_corrected"` // for there being several pairs, by Holm's procedure
	Same      bool     `json:"same"`        // no difference that matters: within ±5 %, by two one-sided tests
}

// An Analysis is a Summary with what plots need besides, in bounded memory
// however long the run was.
type Analysis struct {
	Summary Summary
	Series  []Series // one for each model, in the Summary's order
}

// A Series is one model's run over time.
type Series struct {
	Model string

	// Rounds holds throughput and memory over time, a round each.
	Rounds []RoundSeries

	// Latency is the cumulative distribution of due-to-finished times, all
	// rounds pooled: at most 200 points, ascending.
	Latency []CDFPoint

	// The beginning of the model's first round: the first processes made and
	// the first jobs settled, for the life-cycle chart. At most 256 of each.
	Processes []record.Process
	Jobs      []record.Job
}

// A RoundSeries is one round over time. Times are from the start of work.
type RoundSeries struct {
	Round    int
	Measure  record.Round
	Bucket   time.Duration // width of a Settled bucket
	Settled  []int         // jobs finished in each bucket, however; at most 256 buckets
	Done     []int         // of which done
	JobsDone int           // done in all
	Faults   int64         // minor faults of the children
	Memory   []record.Sample

	// Of the latencies, due to finished, in milliseconds.
	P50, P95, P99 float64
}

// A CDFPoint says that a share of the jobs took at most a time.
type CDFPoint struct {
	Millis float64
	Share  float64 // in (0, 1]
}
