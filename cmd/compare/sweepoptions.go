package main

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"forkbench/record"
	"forkbench/sim"
	"forkbench/whatif/predict"
	"forkbench/whatif/sweep"
	"forkbench/workload"
)

// sweepOptions are what a sweep was asked to do. What it shares with a
// comparison is in the comparison's options.
type sweepOptions struct {
	*options
	ranged  []string // the flags whose values are meant to be ranges
	over    sweep.Range
	fixed   fixedValues
	profile *sim.Profile
	from    string // where the profile came from
	cores   int
	points  int
	metric  sweep.Metric
	within  float64
	against string // the reference, by name

	replications int
	live         bool
	livePoints   int
	with         []string // directories of former results
}

// A fixedValue is a parameter that is not varied.
type fixedValue struct {
	parameter *sweep.Parameter
	x         float64
}

// fixedValues are those that a command line sets.
type fixedValues []fixedValue

// parser is the parser of a single value of a parameter.
func (fs *fixedValues) parser(p *sweep.Parameter) func(string) error {
	return func(text string) error {
		x, err := p.Parse(text)
		if err == nil {
			*fs = append(*fs, fixedValue{p, x})
		}
		return err
	}
}

// set gives a question all of them.
func (fs fixedValues) set(q *predict.Question) error {
	for _, f := range fs {
		if err := f.parameter.Set(q, f.x); err != nil {
			return err
		}
	}
	return nil
}

const (
	groupSweep = "What to vary: give one of these a range FROM..TO"
	groupAsk   = "What to ask"
)

const (
	sweepJobs     = 10_000 // of a replication
	sweepJobsLive = 1000
)

// coreNumber is the default of a simulated machine's cores.
const coreNumber = 4

// flags lists the flags of a sweep; parsing them fills s.
func (s *sweepOptions) flags() []flag {
	load := pick(s.loadFlags(), "model", "workload", "payload", "arrivals", maxDurationFlag, "jobs")
	restate(load, "jobs", func(f *flag) {
		f.def, f.usage = "", fmt.Sprintf("jobs of each point (default %d; with --live %d)", sweepJobs, sweepJobsLive)
	})
	rounds := pick(s.roundFlags(), "rounds")
	restate(rounds, "rounds", func(f *flag) { f.usage = "with --live: times that each point is measured" })
	return slices.Concat(
		s.parameterFlags(), s.askFlags(), load, rounds, s.jobFlags(), s.surroundingFlags(), s.pythonFlags(),
		s.redisFlags(), s.directoryFlags(), s.explainFlags(), pick(s.reportFlags(), "format"), s.progressFlags(),
	)
}

// parameterFlags are what may vary: each takes a value or a range.
func (s *sweepOptions) parameterFlags() []flag {
	known := append(s.knobFlags(), s.loadFlags()...)
	var list []flag
	for _, p := range sweep.Parameters() {
		f := flag{usage: sweepUsage[p.Name], set: s.fixed.parser(p)}
		if i := slices.IndexFunc(known, func(f flag) bool { return f.name == p.Name }); i >= 0 {
			f = known[i]
		}
		f.group, f.name, f.value = groupSweep, p.Name, sweepValue(p.Kind)
		switch p.Name {
		case sweep.Cores:
			f.usage += fmt.Sprintf(" (default %d; with --live this machine's)", coreNumber)
			f.set = whole(&s.cores, 1, sim.MaxCores, "")
		case sweep.Workers:
			f.set = whole(&s.workers, 1, int(p.Most), "")
		}
		f.set = s.ranging(p, f.set)
		list = append(list, f)
	}
	return list
}

// ranging is the parser of a parameter that takes a range, or one value.
func (s *sweepOptions) ranging(p *sweep.Parameter, one func(string) error) func(string) error {
	return func(text string) error {
		if !sweep.IsRange(text) {
			return one(text)
		}
		s.ranged = append(s.ranged, p.Name)
		r, err := p.Range(text)
		if err == nil {
			s.over = r
		}
		return err
	}
}

// askFlags are what to find out.
func (s *sweepOptions) askFlags() []flag {
	return []flag{
		{group: groupAsk, name: "metric", value: "NAME", set: s.setMetric,
			usage: "what a cost is: " + strings.Join(metricNames(), ", ") + " (default by what is varied)"},
		{group: groupAsk, name: "within", value: "PERCENT", def: "10%", set: s.setWithin,
			usage: "the break-even: where a model costs at most so much more than the reference"},
		{group: groupAsk, name: "reference", value: "NAME", set: text(&s.against, "--reference=prefork"),
			usage: "the model that the others are held against (default prefork, or the first one)"},
		{group: groupAsk, name: "points", value: "N", def: "13", set: whole(&s.points, 2, sweep.MostPoints, ": each is simulated"),
			usage: "values to try, spaced by ratios, or evenly if the range begins at 0; a few more at the break-even"},
		profileFlag(&s.profile, &s.from),
		{group: groupAsk, name: "replications", value: "N", def: "5", set: whole(&s.replications, 3, 1000, ""),
			usage: "of each simulation, with other random numbers; they make the intervals"},
		{group: groupAsk, name: "live", set: yes(&s.live),
			usage: "measure some points on real processes, too (the models' knobs, workers, job-time)"},
		{group: groupAsk, name: "live-points", value: "N", def: "5", set: whole(&s.livePoints, 2, 50, ": each is run by real processes"),
			usage: "how many of them"},
		{group: groupAsk, name: "with", value: "DIR", repeat: true, set: s.setWith,
			usage: "draw the points of former results, too, where they fit; repeatable"},
	}
}

// sweepUsage is what the parameters mean that are not flags of a comparison.
var sweepUsage = map[string]string{
	sweep.JobTime:      "mean CPU time of a job; the profile's, if it is not given, and always its spread",
	sweep.OneTime:      "CPU time of work that the first job in a process does, and a warm parent ahead of time",
	sweep.ParentMemory: "resident memory of a parent that has loaded the application: forks copy its page tables",
	sweep.Cores:        "cores of the simulated machine",
	sweep.ArrivalRate:  "jobs come at random at this rate, as with --arrivals=poisson:RATE",
}

func sweepValue(k sweep.Kind) string {
	return map[sweep.Kind]string{sweep.Whole: "N", sweep.Time: "TIME", sweep.Size: "SIZE", sweep.Rate: "RATE"}[k]
}

func metricNames() []string {
	var names []string
	for _, m := range sweep.Compared() {
		names = append(names, m.String())
	}
	return names
}

// perJobDone is what the short names of metrics mean, as in --fail-if.
var perJobDone = map[string]string{"throughput": sweep.Throughput.String(), "cpu_ms_per_job": sweep.CPU.String()}

func (s *sweepOptions) setMetric(name string) error {
	if done, ok := perJobDone[name]; ok {
		name = done
	}
	i := slices.Index(metricNames(), name)
	if i < 0 {
		return unknown(name, metricNames())
	}
	s.metric = sweep.Compared()[i]
	return nil
}

func (s *sweepOptions) setWithin(text string) error {
	number := strings.TrimSpace(strings.TrimSuffix(text, "%"))
	v, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil || strings.Trim(number, "0123456789.") != "":
		return errors.New("not a percentage, as in 10%")
	case v <= 0 || v > 10_000:
		return errors.New("must be more than 0% and at most 10000%")
	}
	s.within = v / 100
	return nil
}

func (s *sweepOptions) setWith(dir string) error {
	if _, problems := new(program).oneResult([]string{dir}); problems != nil {
		_, why, _ := strings.Cut(problems[0], ": ")
		return errors.New(why)
	}
	f, err := recordsOf(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	for l, err := range record.Read(f) {
		if h, is := l.(*record.Header); err == nil && is && h.Spec.Simulated {
			return errors.New("is a simulation: name a directory that a measured comparison wrote")
		}
		break // the header is first, and what is wrong with it is said when all is read
	}
	s.with = append(s.with, dir)
	return nil
}

// readSweep parses and checks the flags of a sweep. It returns all that is wrong
// with them.
func readSweep(cmd *cobra.Command) (*sweepOptions, []string) {
	s := &sweepOptions{options: new(options)}
	problems := s.read(cmd, s.flags())
	for _, check := range []func() []string{
		s.checkRange, s.settleSweep, s.checkOurs, s.checkKnobs, s.checkPython, s.checkRest, s.checkOut, s.checkLive, s.checkLoad,
	} {
		problems = append(problems, check()...)
	}
	s.fill()
	if s.live {
		problems = append(problems, s.checkTurns(s.rounds*len(s.contestants)*s.livePoints)...)
	}
	return s, problems
}

// checkRange sees to it that there is exactly one.
func (s *sweepOptions) checkRange() []string {
	switch len(s.ranged) {
	case 0:
		return []string{"a range is missing: give one thing two ends, as in --jobs-per-child=1..1000, --job-time=1ms..10s or --workers=1..64"}
	case 1:
		return nil
	}
	var texts []string
	for _, name := range s.ranged {
		texts = append(texts, "--"+name+"="+shorten(s.texts[name], 40))
	}
	return []string{fmt.Sprintf("%s: one range at a time: give the others one value each", strings.Join(texts, " "))}
}

// settleSweep gives each contestant its own settings. A sweep over a knob of
// prefork is held against a prefork without it.
func (s *sweepOptions) settleSweep() (problems []string) {
	if s.contestants == nil {
		return nil // --model is wrong itself
	}
	s.spread()
	problems = s.settleContestants()
	if s.against == "" {
		return problems
	}
	i := slices.IndexFunc(s.contestants, func(c contestant) bool { return c.name == s.against })
	if i < 0 {
		return append(problems, fmt.Sprintf("--reference=%s: is not run: the models are %s",
			shorten(s.against, 80), strings.Join(contestantNames(s.contestants), ", ")))
	}
	c := s.contestants[i]
	s.contestants = slices.Insert(slices.Delete(s.contestants, i, i+1), 0, c)
	return problems
}

// spread adds a reference where the one there would be is varied itself, and
// puts the reference first.
func (s *sweepOptions) spread() {
	isPrefork := func(c contestant) bool { return c.model.name == "prefork" }
	i := slices.IndexFunc(s.contestants, isPrefork)
	if i < 0 || s.against != "" {
		return
	}
	c := s.contestants[i]
	if s.varied(sweep.MaxJobsPerChild) && !c.sets(sweep.MaxJobsPerChild) {
		never, err := parseContestants(fmt.Sprintf("prefork(%s=0)", sweep.MaxJobsPerChild))
		if err == nil {
			s.contestants = slices.Insert(s.contestants, 0, never...)
		}
		return
	}
	s.contestants = slices.Insert(slices.Delete(s.contestants, i, i+1), 0, c)
}

// varied reports whether a parameter is the one with the range.
func (s *sweepOptions) varied(name string) bool { return slices.Contains(s.ranged, name) }

// varies reports whether the range makes a difference to a contestant.
func (s *sweepOptions) varies(c *contestant) bool {
	name := s.over.Parameter.Name
	return !isKnob(name) || slices.Contains(c.model.knobs, name) && !c.sets(name)
}

// isKnob reports whether a parameter is a model's knob.
func isKnob(name string) bool {
	return slices.ContainsFunc(knownModels(), func(m model) bool { return slices.Contains(m.knobs, name) })
}

// liveFlags are of use only where real processes run.
var liveFlags = []string{"workload", "payload", "rounds", "live-points", "redis", "redis-patience", "env", "service", "python", "path", "setup", "warm", "allow-threads", "boot-timeout", maxDurationFlag}

func (s *sweepOptions) checkLive() (problems []string) {
	if !s.live {
		for _, name := range liveFlags {
			if s.given[name] {
				problems = append(problems, fmt.Sprintf("--%s=%s: is for --live: a simulation takes what jobs do from --profile",
					name, shorten(s.texts[name], 80)))
			}
		}
		return problems
	}
	for _, name := range s.ranged {
		if !isKnob(name) && name != sweep.Workers && name != sweep.JobTime {
			problems = append(problems, fmt.Sprintf("--live: %s cannot be set on a real machine: leave out --live", sweep.Named(name).Label))
		}
	}
	if s.varied(sweep.Workers) && s.over.To > maxWorkers {
		problems = append(problems, fmt.Sprintf("--workers=%s: at most %d with --live: each is a process at least", s.texts["workers"], maxWorkers))
	}
	if here := runtime.NumCPU(); s.given["cores"] && s.cores != 0 && s.cores != here {
		problems = append(problems, fmt.Sprintf("--cores=%d: with --live it is this machine's %d: leave it out", s.cores, here))
	}
	for _, f := range s.fixed {
		if f.parameter.Name != sweep.ArrivalRate {
			problems = append(problems, fmt.Sprintf("--%s=%s: cannot be set on a real machine: leave it out, or --live",
				f.parameter.Name, s.texts[f.parameter.Name]))
		}
	}
	switch {
	case s.varied(sweep.JobTime) && s.given["workload"]:
		problems = append(problems, fmt.Sprintf("--workload=%s: a live sweep over the job time runs cpu:TIME: leave it out", shorten(s.texts["workload"], 80)))
	case s.given["workload"] && !s.given["profile"]:
		problems = append(problems, fmt.Sprintf("--workload=%s: its costs must be in a profile of its own: add --profile=FILE", shorten(s.texts["workload"], 80)))
	}
	return problems
}

func (s *sweepOptions) checkLoad() []string {
	if s.given["arrivals"] && s.given["rate"] {
		return []string{"--rate: contradicts --arrivals: give one of them"}
	}
	return nil
}

// fill sets what depends on other flags, and was not given.
func (s *sweepOptions) fill() {
	if s.jobs == 0 {
		s.jobs = sweepJobs
		if s.live {
			s.jobs = sweepJobsLive
		}
	}
	if s.cores == 0 {
		s.cores = coreNumber
		if s.live {
			s.cores = runtime.NumCPU()
		}
	}
	for _, f := range s.fixed {
		if f.parameter.Name == sweep.ArrivalRate {
			// A rate that the parameter takes is one that the plan takes.
			s.arrivals, _ = workload.ParseArrivals(fmt.Sprintf("poisson:%g/s", f.x))
		}
	}
	if s.given["metric"] || s.over.Parameter == nil || s.arrivals == nil {
		return
	}
	keepComing := s.arrivals.String() != "burst" || s.varied(sweep.ArrivalRate)
	switch s.over.Parameter.Name {
	case sweep.Workers, sweep.Cores, sweep.Spares, sweep.ArrivalRate:
		s.metric = sweep.Throughput
		if keepComing {
			s.metric = sweep.P95
		}
	}
}

// question is what to ask of the simulated machine, but for the value that
// varies.
func (s *sweepOptions) question() (predict.Question, error) {
	q := predict.Question{
		Profile: s.profile, Workers: s.workers, Cores: s.cores, Jobs: s.jobs, Seed: s.seed,
		Replications: s.replications, Arrivals: s.arrivals,
	}
	if s.workers == 0 {
		q.Workers = 1 // it is what varies
	}
	if s.given["timeout"] {
		q.Timeout = s.timeout
	}
	if s.live && s.varied(sweep.JobTime) {
		// cpu:TIME has no one-time work: what is simulated is what is run.
		changed := *q.Profile
		changed.OneTime = sim.OneTime{}
		q.Profile = &changed
	}
	err := s.fixed.set(&q)
	return q, err
}
