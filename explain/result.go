package explain

// Version is the version of the result's JSON form.
const Version = 1

// A Result is what was found.
type Result struct {
	Version  int    `json:"version"`
	Verdict  string `json:"verdict"`
	Workload string `json:"workload"`
	Python   string `json:"python,omitempty"`
	Jobs     int    `json:"jobs"`   // measured for each contestant in each round
	Rounds   int    `json:"rounds"` // of measurements

	FirstJob Saving `json:"first_job"` // what a job takes in a cold fork, unprofiled
	LaterJob Saving `json:"later_job"` // what it takes in a process that has run one
	OneTime  Saving `json:"one_time"`  // the difference, each job compared to itself

	Freezing *Try `json:"freezing,omitempty"` // what a parent saves that is only frozen, against a cold fork

	Findings []Item `json:"findings"`        // the most expensive first
	Named    *Rest  `json:"named,omitempty"` // what the findings come to, of OneTime
	Rest     []Rest `json:"rest,omitempty"`  // what the rest of it is

	Together []Try    `json:"together"` // what is saved by several at once
	WarmUps  []WarmUp `json:"warm_ups"` // those that were given

	// Hoist is what of it goes into a parent, nil if that is nothing. Work of the
	// built-in workloads is not in it, nobody else has that.
	Hoist *Hoist `json:"hoist,omitempty"`

	// Env is the variables with which everything was measured, besides those given:
	// they leave the pools of native libraries without threads.
	Env []string `json:"env,omitempty"`

	// Limiting is what these variables save, against cold forks where the pools have
	// their threads; nil where such forks may hang.
	Limiting *Try `json:"limiting,omitempty"`

	// After is the same for jobs of a parent that has done the warm-ups as given: what
	// remains. FirstJob is then of a fork of that parent, and what is saved is saved
	// besides. These measurements are in no record.
	After *Result `json:"after,omitempty"`

	NoRefork string `json:"no_refork,omitempty"` // why a parent that has run jobs was not measured

	Profiling Profiling `json:"profiling"`
	Notes     []string  `json:"notes"`
	Warnings  []string  `json:"warnings"`

	// Trees are the calls of jobs, one tree for each model, for flame graphs.
	Trees []Tree `json:"-"`
}

// An Item is a call that is made once in each process, and so again in each fork.
type Item struct {
	Call       string   `json:"call"`
	Kind       string   `json:"kind"`              // python, c, import or own: the code of a function itself
	Defined    string   `json:"defined,omitempty"` // file:line
	CalledFrom string   `json:"called_from"`       // file:line, in the application where it is on the way
	Path       []string `json:"path"`              // from the job's function to the call

	Parts []string `json:"parts,omitempty"` // the most expensive calls in it

	CallMS   float64 `json:"call_wall_ms"` // of each first job, unprofiled: share × one-time work
	CallCPU  float64 `json:"call_cpu_ms"`
	Timed    bool    `json:"timed"`      // at full speed; else from the shares below
	Share    float64 `json:"share_wall"` // of the one-time work, in the profile
	ShareCPU float64 `json:"share_cpu"`
	Job      float64 `json:"share_of_job"` // of a first job, by the clock
	Calls    float64 `json:"calls_per_first_job"`
	Pages    float64 `json:"dirty_pages"` // minor page faults of the call
	Repeated int     `json:"repeated"`    // times, in the jobs measured in cold forks

	Collection bool `json:"collection,omitempty"` // of garbage, which falls into the function's own code; gc.freeze spares it

	PartOf   string   `json:"part_of,omitempty"`      // the finding before it, which cannot be done as a whole
	By       string   `json:"also_done_by,omitempty"` // the call for another finding that does this one, too
	InPart   bool     `json:"in_part,omitempty"`      // the next is a part of it that can be done
	Untried  string   `json:"untried_warm,omitempty"` // the value of --warm that may do it
	WarmUp   []string `json:"warm_up,omitempty"`      // the calls to make in a parent, as Python source
	Flag     string   `json:"warm_flag,omitempty"`    // the value of --warm that does it
	Env      []string `json:"env,omitempty"`          // the variables that it is tried with, for --env
	Hazards  []string `json:"hazards,omitempty"`      // why not to hoist it as it is
	Cautions []string `json:"cautions,omitempty"`
	Tried    []string `json:"tried,omitempty"` // what did not hoist it
	Saved    *Try     `json:"saved,omitempty"`
	Undo     *Undo    `json:"undo,omitempty"`              // how it is done in a parent all the same, where it leaves something open
	Draws    []string `json:"draws,omitempty"`             // what the call in a parent draws, which is then the same in all children
	OneJob   float64  `json:"spared_by_one_job,omitempty"` // the share that jobs are spared whose parent ran one, and undid it (--warm=job)
	Refork   bool     `json:"refork_saves_it,omitempty"`   // a parent that has run jobs spares the others it, measured

	untriedPart bool   // Untried does a part of it
	undoing     string // the call that gives up what it leaves open
}

// A Try is a saving predicted from the profile and measured without it, for each
// job. What is done in the parent is credited with what it saves against a parent
// that is frozen and has done nothing: that one's own saving is nobody's merit.
type Try struct {
	Name         string  `json:"name"`
	PredictedMS  float64 `json:"predicted_wall_ms"`
	PredictedCPU float64 `json:"predicted_cpu_ms"`
	CopiedMS     float64 `json:"copied_ms"`              // of that subtracted: pages of the parent's that its forks copy
	Measured     Saving  `json:"saved"`                  // against a frozen parent; for Freezing, against a cold fork
	Throughput   float64 `json:"throughput_over_frozen"` // jobs for each second over those of a frozen parent; for Freezing, of cold forks

	// The same against cold forks, with what freezing saves.
	OverCold       Saving  `json:"measured"`
	ThroughputCold float64 `json:"throughput_ratio"`

	// Unfit is why it is not to be done, whatever it saves: what forks of that parent
	// share, or lack.
	Unfit []string `json:"unfit,omitempty"`

	refork, oneJob bool
}

// Profiling is what looking cost.
type Profiling struct {
	Jobs       int     `json:"jobs"`
	Events     float64 `json:"events_per_first_job"`
	Slowdown   float64 `json:"slowdown"`    // of a first job, by the clock
	OverheadNS int64   `json:"overhead_ns"` // for each call, taken out again
	Accounted  float64 `json:"accounted"`   // CPU in the corrected tree over that of an unprofiled first job
}
