package serve

import (
	"cmp"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"forkbench/sim/profiles"
	"forkbench/workload"
)

// The kinds of runs.
const (
	Comparison = "comparison" // on real processes
	Simulation = "simulation"
)

// A State is what became of a run.
type State string

// The states of a run.
const (
	Queued      State = "queued"
	Running     State = "running"
	Done        State = "done"
	Failed      State = "failed"      // it ended with an error
	Cancelled   State = "cancelled"   // somebody ended it
	Interrupted State = "interrupted" // it did not end: this service did, or it was killed
)

// Ended reports whether the state is final.
func (s State) Ended() bool { return s != Queued && s != Running }

// A Request is what to run: the content of request.json. None of it names code.
type Request struct {
	Kind     string   `json:"kind"`
	Workload string   `json:"workload,omitempty"` // a built-in one, or the name of an allowed one
	Models   []string `json:"models,omitempty"`   // none are prefork, forkperjob and hybrid
	Jobs     int      `json:"jobs,omitempty"`
	Workers  int      `json:"workers,omitempty"`
	Rounds   int      `json:"rounds,omitempty"` // 0 goes on until it is sharp
	Cores    int      `json:"cores,omitempty"`  // of a simulated machine
	Profile  string   `json:"profile,omitempty"`
	Arrivals string   `json:"arrivals,omitempty"` // burst, rate:200/s or poisson:200/s
	Seed     uint64   `json:"seed,omitempty"`
	Commit   string   `json:"commit,omitempty"` // of the jobs' code, in words of the asker
	Tags     []string `json:"tags,omitempty"`
}

// Bounds on what may be asked.
const (
	maxJobs      = 1_000_000
	maxRounds    = 100
	maxSimulated = 256 // workers and cores of a simulated machine
	maxTags      = 8
	jobTimeout   = "1m"
	maxDuration  = "10m" // of a schedule, of all rounds and models
)

var (
	tagForm    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/+-]{0,39}$`)
	commitForm = regexp.MustCompile(`^[0-9a-f]{7,64}$`)
	rateForm   = regexp.MustCompile(`^(rate|poisson):[0-9]{1,6}(\.[0-9]{1,6})?/(s|m|h)$`)
)

// builtins are the workloads that need nobody's permission but Options.Runs: each is
// bounded in what it does to the machine, and none names a module or a file.
var builtins = regexp.MustCompile(`^(record_event|noop|(cpu|io):[0-9]{1,4}(\.[0-9]{1,3})?(us|ms)|crash:0?\.[0-9]{1,4}|go:record_event|go:noop)$`)

// modelNames are the models that may be asked for; knobs are the operator's.
func modelNames() []string { return []string{"prefork", "forkperjob", "hybrid"} }

// maxWorkers is how many jobs of a comparison may run at once here.
func maxWorkers() int { return 8 * runtime.NumCPU() }

// args are the arguments of the command that does what is asked, or all that is wrong
// with it.
func (r *Request) args(o *Options) (args, problems []string) {
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	within := func(name string, n, most int) {
		switch {
		case n == 0:
		case n < 1 || n > most:
			add("%s: %d: must be from 1 to %d", name, n, most)
		default:
			args = append(args, fmt.Sprintf("--%s=%d", name, n))
		}
	}
	r.Jobs, r.Workers = cmp.Or(r.Jobs, 1000), cmp.Or(r.Workers, 4)
	workers := maxWorkers()
	switch r.Kind {
	case Comparison:
		target, ok := o.target(r.Workload)
		switch {
		case ok:
			args = append(args, target.Args...)
		case !builtins.MatchString(r.Workload):
			add("workload: %q: is not one of those that may be run here: %s", short(r.Workload), strings.Join(o.workloads(), ", "))
		case !o.Runs:
			add("workload: %s: comparisons are not allowed here: whoever starts the service allows them by --allow-runs", r.Workload)
		default:
			if _, err := workload.Parse(r.Workload); err != nil {
				add("%v", err)
			}
			args = append(args, "--workload="+r.Workload)
		}
		if r.Cores != 0 || r.Profile != "" {
			add("cores and profile are for a simulation")
		}
		args = append(args, "--timeout="+jobTimeout)
		if r.Arrivals != "" && r.Arrivals != "burst" {
			args = append(args, "--max-duration="+maxDuration)
		}
	case Simulation:
		workers = maxSimulated
		args = append(args, "simulate")
		if r.Profile == "" {
			r.Profile = profiles.Default
		}
		if !slices.Contains(profiles.Names(), r.Profile) {
			add("profile: %q: one of %s", short(r.Profile), strings.Join(profiles.Names(), ", "))
		}
		if r.Workload != "" {
			add("workload: a simulation's jobs are its profile's: leave it out")
		}
		args = append(args, "--profile="+r.Profile)
		within("cores", r.Cores, maxSimulated)
	default:
		add("kind: %q: %s or %s", short(r.Kind), Comparison, Simulation)
	}
	within("jobs", r.Jobs, maxJobs)
	within("workers", r.Workers, workers)
	within("rounds", r.Rounds, maxRounds)
	for i, m := range r.Models {
		if !slices.Contains(modelNames(), m) || slices.Contains(r.Models[:i], m) {
			add("models: %q: each of %s, once", short(m), strings.Join(modelNames(), ", "))
		}
	}
	if len(r.Models) > 0 {
		args = append(args, "--model="+strings.Join(r.Models, ","))
	}
	switch {
	case r.Arrivals == "" || r.Arrivals == "burst":
	case !rateForm.MatchString(r.Arrivals):
		add("arrivals: %q: burst, or rate:200/s or poisson:200/s", short(r.Arrivals))
	default:
		args = append(args, "--arrivals="+r.Arrivals)
		if r.Rounds == 0 && r.Kind == Comparison {
			args = append(args, "--rounds=3")
		}
	}
	if r.Seed != 0 {
		args = append(args, "--seed="+strconv.FormatUint(r.Seed, 10))
	}
	if r.Commit != "" && !commitForm.MatchString(r.Commit) {
		add("commit: %q: 7 to 64 hexadecimal digits", short(r.Commit))
	}
	if len(r.Tags) > maxTags {
		add("tags: %d: at most %d", len(r.Tags), maxTags)
	}
	for _, tag := range r.Tags {
		if !tagForm.MatchString(tag) {
			add("tags: %q: letters, digits and ._:/+-, at most 40", short(tag))
		}
	}
	return args, problems
}

// short is a text from outside, for a message.
func short(text string) string {
	if runes := []rune(text); len(runes) > 80 {
		return string(runes[:79]) + "…"
	}
	return text
}

// A Target is a workload that the operator allows by name.
type Target struct {
	Name string
	Args []string // flags of the command; --workload is among them
}

// target is the allowed one of that name.
func (o *Options) target(name string) (Target, bool) {
	i := slices.IndexFunc(o.Targets, func(t Target) bool { return t.Name == name })
	if i < 0 {
		return Target{}, false
	}
	return o.Targets[i], true
}

// workloads are those that may be run, as a list for people.
func (o *Options) workloads() []string {
	var names []string
	for _, t := range o.Targets {
		names = append(names, t.Name)
	}
	if o.Runs {
		names = append(names, "record_event", "noop", "cpu:10ms", "io:10ms", "crash:0.05", "go:record_event", "go:noop")
	}
	if names == nil {
		return []string{"none: comparisons are not allowed here"}
	}
	return names
}

// runName is the name of a directory: when it was asked for, and what.
func runName(r *Request, now time.Time, salt string) string {
	what := r.Workload
	if r.Kind == Simulation {
		what = "simulated-" + r.Profile
	}
	slug := strings.Map(func(c rune) rune {
		if c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return c
		}
		return '-'
	}, what)
	return now.UTC().Format("2006-01-02T150405.000") + "-" + slug[:min(len(slug), 40)] + "-" + salt
}
