// Package explain says what the jobs of each model spend their time on, and which
// of it is one-time work that every fork repeats.
//
// It looks at a few jobs call by call (profile.py, in the processes that run jobs
// anyway), compares a process's first job to its later ones, and names the calls
// that explain the difference. Then it verifies what it says: it has the parent
// make each of these calls before it forks, and measures, unprofiled, what that
// saves. How and how far that can be trusted is in docs/explain.md.
package explain

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"forkbench/calls"
	"forkbench/live"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/runner"
	"forkbench/workload"
)

const (
	// Profiled: so many processes, and so many jobs in each.
	profiledProcesses = 5
	profiledJobs      = 5

	// timedJobs are timed at full speed.
	timedJobs = 9

	// reforkAfter jobs, a child has done what jobs do once.
	reforkAfter = 5

	// MinJobs are the fewest jobs of a measurement: one is left when reforkAfter have
	// been run to warm the parent, and prefork's first one does not count.
	MinJobs = reforkAfter + 1

	// verified is how many calls are tried alone at most.
	verified = 4
)

// A Plan says what to explain.
type Plan struct {
	Machine *live.Machine // with the Python runtime; one worker is used, whatever it says

	// Source makes the first n of the jobs, all due at once.
	Source func(n int) iter.Seq[workload.Job]

	Jobs   int  // unprofiled jobs for each measurement in each round, at least MinJobs
	Rounds int  // of measurements; 3 or more give intervals
	Verify bool // measure what is said; without, nothing is called that jobs do not call

	Dir    string        // for temporary files; it exists
	Header record.Header // of the records of the measurements; Run fills in the models
	Sink   record.Sink   // gets these records

	Doing func(stage string)                 // called at each stage; may be nil
	Begin func(contestants []string)         // called before measuring; may be nil
	Began func(round int, contestant string) // called at each turn; may be nil
}

// maxPath is how many callers of a finding are told.
const maxPath = 40

// Run explains the jobs. An error is a *JobError where a job failed; a result is
// returned only without an error.
func (p *Plan) Run(ctx context.Context) (*Result, error) {
	r := &run{
		Plan: p,
		lab:  lab{machine: p.Machine, jobs: func(n int) jobSequence { return jobSequence(p.Source(n)) }, dir: p.Dir},
		result: &Result{
			Version: Version, Workload: p.Machine.Workload.Name(), Jobs: p.Jobs, Rounds: p.Rounds,
			Findings: []Item{}, Together: []Try{}, WarmUps: []WarmUp{}, Notes: []string{}, Warnings: []string{},
		},
	}
	for _, step := range []func(context.Context) error{
		r.profileCold, r.watch, r.time, r.tryWays, r.profileWarm, r.checkWarmUps, r.countPages, r.measure,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err // the runner ends early, and says so in its records
		}
	}
	r.conclude()
	return r.result, nil
}

type run struct {
	*Plan
	lab
	result *Result

	cold     trees
	raw      []*profile // of the cold jobs
	looked   []*profile // of first jobs, watched
	findings []*found
	userWarm []string
	copying  copying
	warm     *calls.Node // of a first job in a fork of a warm parent; may be nil
	failed   string      // why jobs in forks of a parent that has run jobs do not end well; or ""

	measured *measurements
	rounds   []record.Round
}

// A found is a finding with what was found out about it since.
type found struct {
	Finding
	seen  []observation
	timed *timing    // nil where it could not be timed
	ways  []warmCall // the one that works, and what else was called with other arguments
	tried []string   // calls that did not make it go away
}

func (r *run) doing(stage string, args ...any) {
	if r.Doing != nil {
		r.Doing(fmt.Sprintf(stage, args...))
	}
}

// profileCold looks at the first and later jobs of processes whose parents ran
// none, and names what makes the difference.
func (r *run) profileCold(ctx context.Context) error {
	r.doing("profiling first and later jobs")
	list, err := r.look(ctx, prefork.Model{MaxJobsPerChild: profiledJobs}, profiledProcesses*profiledJobs,
		setup{look: &settings{Jobs: profiledJobs}})
	if err != nil {
		return err
	}
	r.raw = list
	if r.cold, err = jobTrees(list); err != nil {
		return err
	}
	for _, f := range attribute(r.cold.first, r.cold.later) {
		r.findings = append(r.findings, &found{Finding: f})
	}
	return nil
}

// watch looks at the findings again: at what they open, start and dirty, and how
// they can be called by name.
func (r *run) watch(ctx context.Context) error {
	names := r.names()
	if len(names) == 0 {
		names = append(names, r.cold.first.Name) // for what the jobs leave behind
	}
	r.doing("looking at what they open and start")
	list, err := r.look(ctx, forkperjob.Model{}, profiledProcesses, setup{look: &settings{Jobs: 1, Watch: names}})
	if err != nil {
		return err
	}
	r.looked = list
	for _, p := range list {
		for _, o := range p.Watched {
			for _, f := range r.findings {
				if !f.Own && f.Call.String() == o.Name {
					f.seen = append(f.seen, o)
				}
			}
		}
	}
	return nil
}

// names lists the findings that are calls of Python code, or imports.
func (r *run) names() []string {
	var names []string
	for _, f := range r.findings {
		if !f.Own && f.Call.Kind != calls.C {
			names = append(names, f.Call.String())
		}
	}
	return names
}

// profileWarm looks at the jobs of children of a warm parent: one that has run
// jobs, or else one that has made the calls that can be made.
func (r *run) profileWarm(ctx context.Context) error {
	s := setup{look: &settings{Jobs: 1}}
	model, jobs := hybrid.Model{}, profiledProcesses
	if r.noRefork() == "" {
		model.Refork = reforkAfter
		jobs += reforkAfter
	} else if s.ways = r.allWays(); s.ways == nil {
		return nil
	}
	r.doing("profiling the jobs of a warm parent")
	list, err := r.look(ctx, model, jobs, s)
	if failed, ok := errors.AsType[*JobError](err); ok && s.ways == nil {
		r.failed = failed.short()
		return r.profileWarm(ctx)
	}
	if err != nil {
		return err
	}
	t, err := jobTrees(list)
	if err != nil {
		return err
	}
	r.warm = t.inherited
	if s.ways != nil {
		r.warm = t.first
	}
	return nil
}

// measureAll runs contestants unprofiled.
func (r *run) measureAll(ctx context.Context, list []contestant) (*jobSink, error) {
	backlog, err := runner.Enqueue(ctx, r.Machine.Server, r.Source(r.Jobs))
	if err != nil {
		return nil, err
	}
	defer backlog.Close()
	plan := runner.Plan{Header: r.Header, Rounds: r.Rounds, Began: r.Began}
	plan.Header.Spec.Models = nil
	var names []string
	for _, c := range list {
		names = append(names, c.name)
		plan.Header.Spec.Models = append(plan.Header.Spec.Models, record.Model{Name: c.name, Model: c.executor.Name(), Knobs: c.knobs})
		plan.Contestants = append(plan.Contestants, runner.Contestant{
			Name: c.name, Executor: c.executor, Machine: backlog.Machine(c.setup.machine(r.Machine)),
		})
	}
	if r.Begin != nil {
		r.Begin(names)
	}
	sink := &jobSink{next: r.Sink}
	if err := plan.Run(ctx, nil, sink); err != nil {
		return nil, err
	}
	err = sink.problem()
	return sink, err
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
