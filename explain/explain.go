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
	"slices"
	"strings"

	"forkbench/internal/calltree"
	"forkbench/live"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/runner"
	"forkbench/workload"
)

const (
	// Profiled: so many processes, and of each the first job and those that follow
	// the settling ones, which meet the arguments that a first job does not. 17 jobs
	// in all: first jobs are not all alike where jobs differ by turns.
	profiledProcesses = 5
	profiledJobs      = 5
	settlingJobs      = 12

	// watchedJobs are looked at closely.
	watchedJobs = 10

	// timedJobs are timed at full speed.
	timedJobs = 9

	// reforkAfter jobs, a child has done what jobs do once.
	reforkAfter = 5

	// MinJobs are the fewest jobs of a measurement: one is left when reforkAfter have
	// been run to warm the parent, and prefork's first one does not count.
	MinJobs = reforkAfter + 1
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
func (p *Plan) Run(ctx context.Context) (*Result, error) { return p.begin().explain(ctx) }

func (p *Plan) begin() *run {
	machine := *p.Machine
	machine.WarnOnce()
	plan := *p
	plan.Machine = &machine
	return &run{
		Plan: &plan,
		lab:  lab{machine: &machine, jobs: func(n int) jobSequence { return jobSequence(p.Source(n)) }, dir: p.Dir},
		result: &Result{
			Version: Version, Workload: p.Machine.Workload.Name(), Jobs: p.Jobs, Rounds: p.Rounds,
			Findings: []Item{}, Together: []Try{}, WarmUps: []WarmUp{}, Notes: []string{}, Warnings: []string{},
		},
	}
}

func (r *run) explain(ctx context.Context) (*Result, error) {
	for _, step := range []func(context.Context) error{
		r.profileCold, r.withoutPools, r.profileFrozen, r.watch, r.tryWays, r.time, r.profileWarm, r.profileOneJob, r.checkWarmUps,
		r.countPages, r.measure, r.goOn,
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

	cold      trees
	frozen    *calltree.Node // a first job in a fork of a frozen parent; what warm ones are compared to
	raw       []*profile     // of the cold jobs
	looked    []*profile     // of first jobs, watched
	findings  []*found
	attempts  int // calls that were tried in a parent
	userWarm  []string
	copying   copying
	warm      *calltree.Node // of a first job in a fork of a warm parent; may be nil
	reforked  *calltree.Node // the same, where the parent has run jobs
	unfit     string         // why a parent that has run jobs is to have no forks; or ""
	connected bool           // that is for connections
	pools     string         // whose native threads there would be without the variables in Env
	noPools   bool           // forks would not do with these threads: what the variables save is not measured
	failed    string         // why jobs in forks of a parent that has run jobs do not end well; or ""

	oneJob lesson

	measured *measurements
	rounds   []record.Round
}

// A found is a finding, and what later runs add to it: its times, its page faults, whether
// it can be hoisted.
type found struct {
	finding
	seen  []observation
	timed *timing // in a cold fork; nil where it could not be timed

	// The same in a fork of a frozen parent.
	frozen *timing

	group              string   // small ones together, of this kind
	here, below, above []*spot  // where it can be taken hold of
	parts              []*found // what it consists of, where that is worth a try
	within             *found   // what it is a part of

	ways    []warmCall     // the one that works, and what else was called with other arguments
	after   *calltree.Node // the jobs of a parent that has done that
	spared  *found         // what does this one, too
	release *release       // how it is done in a parent and undone
	draws   []string       // what that draws, of what is to differ from process to process
	untried []warmCall     // what may work
	tried   []string       // calls that did not make it go away
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
	const each = settlingJobs + profiledJobs
	list, err := r.lookFirst(ctx, prefork.Model{MaxJobsPerChild: each}, profiledProcesses*each,
		setup{look: &settings{Jobs: profiledJobs, Settling: settlingJobs}})
	if err != nil {
		return err
	}
	r.raw = list
	if r.cold, err = jobTrees(list); err != nil {
		return err
	}
	for _, f := range attribute(r.cold.first, r.cold.later) {
		r.findings = append(r.findings, &found{finding: f})
	}
	r.gather()
	return nil
}

// profileFrozen looks at what warm-ups are compared to: the jobs of a parent that
// is frozen as a warm one is, and has done nothing. In a cold fork a collection is
// booked on whichever call it fell into.
func (r *run) profileFrozen(ctx context.Context) error {
	list, err := r.look(ctx, hybrid.Model{}, profiledProcesses, setup{look: &settings{Jobs: 1}})
	if err != nil {
		return err
	}
	r.cold.passedOn = r.passedOn
	t, err := jobTrees(list)
	r.frozen = t.first
	r.lastCollections()
	return err
}

// spared reports whether jobs in whose parent something was done do next to nothing
// of a finding any more; after is a first one of them.
func (r *run) spared(f *found, after *calltree.Node) bool {
	before, left := f.costIn(r.frozen), f.costIn(after)
	computes := float64(before.CPU) >= computing*float64(before.Wall)
	if left.score() > gone*before.score() || computes && float64(left.CPU) > gone*float64(before.CPU) {
		return false
	}
	return f.toldByTime(left.score(), before.score()) || r.notMade(f, after) >= 1-gone
}

// watch looks at the findings again: at what they open, start and dirty, and how
// they can be called by name.
func (r *run) watch(ctx context.Context) error {
	look := &settings{Jobs: 1}
	at := make(map[string]int)
	spots := make(map[int][]*spot)
	for _, f := range r.findings {
		if r.share(f) < smallest {
			continue
		}
		r.survey(f, 0)
		for _, s := range f.spots() {
			key := strings.Join(s.key(), "\n")
			i, known := at[key]
			if !known {
				i = len(look.Places)
				at[key], look.Places = i, append(look.Places, s.key())
			}
			spots[i] = append(spots[i], s)
		}
	}
	if look.Places == nil {
		look.Watch = append(look.Watch, r.cold.first.Name) // for what the jobs leave behind
	}
	r.doing("looking at what they open and start")
	list, err := r.look(ctx, forkperjob.Model{}, watchedJobs, setup{look: look})
	if err != nil {
		return err
	}
	r.looked = list
	for _, p := range list {
		for _, o := range p.Watched {
			for _, s := range spots[o.Place] {
				s.seen = append(s.seen, o)
			}
		}
	}
	for _, f := range r.findings {
		f.observe()
	}
	return nil
}

// observe gathers what was seen of a finding and of its parts.
func (f *found) observe() {
	for _, s := range f.here {
		f.seen = append(f.seen, s.seen...)
	}
	for _, p := range f.parts {
		p.observe()
	}
}

// timers is to time the findings that are calls of Python code, or imports, and
// the parts of findings that can be hoisted.
func (r *run) timers() *settings {
	s := &settings{Jobs: 1}
	for _, f := range slices.Concat(r.findings, r.hoisted()) {
		name := f.Call.String()
		if f.Own || f.group != "" || f.Call.Kind == calltree.C || slices.Contains(s.Time, name) {
			continue
		}
		s.Time = append(s.Time, name)
		if f.within != nil {
			s.Parts = append(s.Parts, name)
		}
	}
	return s
}

// profileWarm looks at the jobs of children of a warm parent: one that has run
// jobs, or else one that has made the calls that can be made.
func (r *run) profileWarm(ctx context.Context) error {
	s := setup{look: &settings{Jobs: 1}}
	model, jobs := hybrid.Model{}, profiledProcesses
	if r.noRefork() == "" {
		model.Refork = reforkAfter
		jobs += reforkAfter
	} else if s.warm = references(r.allWays()); len(s.warm) == 0 {
		return nil
	}
	r.doing("profiling the jobs of a warm parent")
	list, err := r.look(ctx, model, jobs, s)
	if why := r.refusal(err); why != "" && s.warm == nil {
		r.unfit = why
		return r.profileWarm(ctx)
	}
	if failed, ok := errors.AsType[*JobError](err); ok && s.warm == nil {
		r.failed = failed.short()
		return r.profileWarm(ctx)
	}
	if err != nil {
		return err
	}
	if s.warm == nil {
		if r.unfit = r.added(); r.unfit != "" {
			r.connected = slices.ContainsFunc(r.addedHazards(), connects)
			return r.profileWarm(ctx)
		}
	}
	t, err := jobTrees(list)
	if err != nil {
		return err
	}
	r.warm = t.inherited
	r.reforked = t.inherited
	if s.warm != nil {
		r.warm, r.reforked = t.first, nil
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
		c.executor, c.setup = r.from(c.executor, c.setup)
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
