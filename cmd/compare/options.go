package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"forkbench/peers/rq"
	"forkbench/runner"
	"forkbench/service"
	"forkbench/workload"
)

// Bounds on what a comparison may be asked. They are far above what makes sense
// on one machine.
const (
	maxJobs    = 100_000_000
	maxWorkers = 1024
	maxRounds  = 1000
)

// Options are what a comparison was asked to do: valid, and all files read.
type options struct {
	contestants  []contestant
	workload     workload.Workload
	payload      string // the file that its payloads came from
	arrivals     workload.Arrivals
	jobs         int
	workers      int
	rounds       int
	until        *runner.Until // nil for a fixed number of rounds
	halfWidth    float64       // --until
	maxTime      time.Duration // --max-time
	seed         uint64
	timeout      time.Duration
	bootTimeout  time.Duration
	maxDuration  time.Duration // of a schedule; 0 if it was not given
	python       string
	path         []string // absolute
	setup        []string
	warm         []string
	warms        bool // the model warms its parents
	allowThreads bool
	env          []string // NAME=VALUE
	services     []*service.Service
	noServices   bool // none are looked for

	maxJobsPerChild   int
	maxMemoryPerChild int64
	jobsPerChild      int
	spares            int
	refork            int
	maxTasksPerChild  int
	rqClass           string
	rqImport          string
	rqUnprefixed      bool // RQ is too old to keep its keys apart

	redis   string
	out     string // empty for a new directory below results
	force   bool
	explain bool
	format  string
	gate    runner.Gate
	quiet   bool
	verbose bool

	payloads [][]byte
	texts    map[string]string // every flag's value as typed, by its name
	given    map[string]bool   // the flags that were
}

// The headings of the flags in the help.
const (
	groupRun    = "What to run"
	groupPython = "Python"
	groupKnobs  = "The models' knobs"
	groupResult = "Redis and results"
	groupOther  = "Other"
)

// flagsOf lists the flags of a comparison; parsing them fills o.
func flagsOf(o *options) []flag {
	return []flag{
		{group: groupRun, name: "model", value: "NAMES", def: allModels, set: o.setModels,
			usage: "models to compare, with commas between them: " + strings.Join(modelNames(knownModels()), ", ") +
				", or all (the first three); knobs of one in parentheses: 'prefork,hybrid(refork=20)'"},
		{group: groupRun, name: "workload", value: "NAME", def: workload.Default, set: o.setWorkload,
			usage: "what the jobs do; `compare workloads` lists them, py:MODULE:FUNCTION is yours"},
		{group: groupRun, name: "payload", value: "FILE", set: o.setPayload,
			usage: "the jobs' arguments: a JSON value on each line (an array: positional, an object: by name)"},
		{group: groupRun, name: "arrivals", value: "PLAN", def: "burst", set: o.setArrivals,
			usage: "when jobs are due: burst, rate:200/s, poisson:200/s, trace:FILE or jobs:FILE"},
		{group: groupRun, name: maxDurationFlag, value: "TIME", set: o.setMaxDuration,
			usage: "allow jobs that come over time to take so long, over all rounds and models; without it, 10m"},
		{group: groupRun, name: "jobs", value: "N", def: "1000",
			set:   whole(&o.jobs, 1, maxJobs, ": they are all in Redis's memory"),
			usage: "jobs that each model runs in each round; of a recording (jobs:FILE) those in it, unless given"},
		{group: groupRun, name: "workers", value: "N", def: "4",
			set:   whole(&o.workers, 1, maxWorkers, ": each is a process at least"),
			usage: "jobs that may run at once"},
		{group: groupRun, name: "rounds", value: "N", def: "3",
			set:   whole(&o.rounds, 1, maxRounds, ""),
			usage: "times that each model runs all jobs, in turn with the others: exactly so many; with --until at least"},
		{group: groupRun, name: untilFlag, value: "SHARE", def: "10%", set: share(&o.halfWidth),
			usage: "go on until the interval of each ratio is within such a share of it, with more rounds for models whose rounds are short"},
		{group: groupRun, name: maxTimeFlag, value: "TIME", def: "1m", set: span(&o.maxTime, "1m", "no longer than --rounds takes"),
			usage: "how long to go on for --until, beyond the least number of rounds"},
		{group: groupRun, name: "seed", value: "N", def: "1", set: seed(&o.seed),
			usage: "of the jobs' random parts: the same seed makes the same jobs"},
		{group: groupRun, name: "timeout", value: "TIME", def: "3m", set: span(&o.timeout, "3m", "no limit"),
			usage: "limit for one job, after which its process is killed (RQ's default); 0 is no limit"},
		{group: groupRun, name: "env", value: "NAME=VALUE", repeat: true, secret: true, set: o.setEnv,
			usage: "a variable of the environment for the jobs' processes: OPENBLAS_NUM_THREADS=1, say; repeatable"},
		{group: groupRun, name: "service", value: "NAME|PID|PORT", repeat: true, set: o.setService,
			usage: "a program of this machine that jobs use, a database say, whose CPU is told apart; repeatable (default: those that jobs connect to; none for none)"},

		{group: groupPython, name: "python", value: "PROGRAM", def: "python3", set: text(&o.python, "python3"),
			usage: "the interpreter, 3.9 or newer: .venv/bin/python, say"},
		{group: groupPython, name: "path", value: "DIR", repeat: true, set: o.setPath,
			usage: "where to import from, before all else; repeatable (default . for py: workloads)"},
		{group: groupPython, name: "setup", value: "MODULE:NAME", repeat: true, set: o.setSetup,
			usage: "set the application up in each booted process, before anything is imported: a function, or a context to enter; repeatable"},
		{group: groupPython, name: "warm", value: "MODULE:FUNCTION", repeat: true, set: o.setWarm,
			usage: "one-time work for the parent of hybrid to do before it forks; repeatable; also MODULE (its import), app:table('en'), app:settings.tables, job (one of the jobs, and what it opens closed), or undo:app:engine.connect (likewise, a call); 'forkperjob(warm)' does it too"},
		{group: groupPython, name: "boot-timeout", value: "TIME", def: "1m", set: span(&o.bootTimeout, "1m", ""),
			usage: "limit for loading the application, warming it, and a fork"},
		{group: groupPython, name: "allow-threads", set: yes(&o.allowThreads),
			usage: "fork even a process that has several threads (their locks stay locked in the child)"},

		{group: groupKnobs, name: "max-jobs-per-child", value: "N", def: "0",
			set:   whole(&o.maxJobsPerChild, 0, maxJobs, ""),
			usage: "prefork: replace a child after so many jobs; 0 is never"},
		{group: groupKnobs, name: "max-memory-per-child", value: "SIZE", def: "0", set: size(&o.maxMemoryPerChild),
			usage: "prefork: replace a child that is larger (RSS, so with what it shares); 0 is never"},
		{group: groupKnobs, name: "jobs-per-child", value: "N", def: "1",
			set:   whole(&o.jobsPerChild, 1, maxJobs, ""),
			usage: "hybrid: jobs that a child runs before it exits"},
		{group: groupKnobs, name: "spares", value: "N", def: "0",
			set:   whole(&o.spares, 0, maxWorkers, ": each is a process"),
			usage: "hybrid: children forked ahead of need"},
		{group: groupKnobs, name: "refork", value: "N", def: "0",
			set:   whole(&o.refork, 0, maxJobs, ""),
			usage: "hybrid: after so many jobs a child becomes the parent of all further ones; 0 is never"},

		{group: groupKnobs, name: "max-tasks-per-child", value: "N", def: "0",
			set:   whole(&o.maxTasksPerChild, 0, maxJobs, ""),
			usage: "celery: replace a pool process after so many jobs; 0 is never"},
		{group: groupKnobs, name: "rq-class", value: "CLASS", def: rq.Worker, set: oneOf(&o.rqClass, rq.Classes()...),
			usage: "rq: which of its workers: " + strings.Join(rq.Classes(), ", ")},
		{group: groupKnobs, name: "rq-import", value: "WHERE", def: importInWorker, set: oneOf(&o.rqImport, importInWorker, importInJob),
			usage: "rq: where the jobs' module is imported: in the worker, before it forks, or in each job as by `rq worker`"},

		{group: groupResult, name: "redis", value: "URL", secret: true, set: o.setRedis,
			usage: "your own server, as Celery or RQ has it: redis://, rediss://, unix://, redis+cluster://, sentinel://; env:NAME is in that variable (default a private one)"},
		{group: groupResult, name: "out", value: "DIR", set: text(&o.out, "--out=results/first"),
			usage: "a new or empty directory for the results (default results/TIME-SETTINGS)"},
		{group: groupResult, name: "force", set: yes(&o.force),
			usage: "replace what a former run left in --out"},
		{group: groupResult, name: "explain", set: yes(&o.explain),
			usage: "afterwards, say which one-time work every fork repeats: `compare explain`, with its files in DIR/explain"},
		formatFlag(&o.format, formats()...),
		failIfFlag(&o.gate.Thresholds),
		allowFailuresFlag(&o.gate.AllowFailures),
		baselineFlag(&o.gate.Baseline),

		{group: groupOther, name: "quiet", set: yes(&o.quiet), usage: "no progress"},
		{group: groupOther, name: "verbose", set: yes(&o.verbose), usage: "say what is started and ended"},
	}
}

func formatFlag(to *string, formats ...string) flag {
	return flag{group: groupResult, name: "format", value: "FORMAT", def: formatText, set: oneOf(to, formats...),
		usage: "of the report on standard output: " + strings.Join(formats, ", ")}
}

// inner is the cause of an error whose own part repeats what was typed.
func inner(err error) error {
	if cause := errors.Unwrap(err); cause != nil {
		return cause
	}
	return err
}

func (o *options) setModels(text string) (err error) {
	o.contestants, err = parseContestants(text)
	return err
}

func (o *options) setWorkload(text string) (err error) {
	if o.workload, err = workload.Parse(text); err != nil {
		return inner(err)
	}
	return nil
}

func (o *options) setArrivals(text string) (err error) {
	if o.arrivals, err = workload.ParseArrivals(text); err != nil {
		return inner(err)
	}
	return nil
}

// setService adds a service, which must be there.
func (o *options) setService(text string) error {
	if text == "none" {
		o.noServices = true
		return nil
	}
	s, err := service.Find(text)
	if err == nil {
		o.services = append(o.services, s)
	}
	return err
}

// serviceSet is what a machine is to know of services; nil if it is to tell none
// apart.
func (o *options) serviceSet() *service.Set {
	if o.noServices && len(o.services) == 0 {
		return nil
	}
	return service.NewSet(o.services...)
}

func (o *options) setPayload(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return pathCause(err)
	}
	defer f.Close()
	o.payload = name
	o.payloads, err = workload.ReadPayloads(f, name)
	return err
}

func (o *options) setPath(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return pathCause(err)
	}
	if !info.IsDir() {
		return errors.New("not a directory")
	}
	// Jobs may change theirs.
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	o.path = append(o.path, dir)
	return nil
}

func (o *options) setSetup(text string) error {
	for _, name := range workload.SplitList(text) {
		// It is named as a function to run is.
		if _, err := workload.Parse("py:" + name); err != nil {
			return errors.New(strings.ReplaceAll(inner(err).Error(), "py:", ""))
		}
		o.setup = append(o.setup, name)
	}
	return nil
}

func (o *options) setWarm(text string) error {
	for _, name := range workload.SplitList(text) {
		if err := workload.CheckWarm(name); err != nil {
			return err
		}
		o.warm = append(o.warm, name)
	}
	return nil
}

// variable is what programs take for the name of a variable.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (o *options) setEnv(text string) error {
	name, _, valued := strings.Cut(text, "=")
	switch {
	case !valued:
		return fmt.Errorf("%s: has no value: NAME=VALUE, as in OPENBLAS_NUM_THREADS=1", shorten(name, 80))
	case !variable.MatchString(name):
		return fmt.Errorf("%q: is no name of a variable: letters, digits and _, as in OPENBLAS_NUM_THREADS=1", shorten(name, 80))
	case strings.HasPrefix(name, "FORKBENCH_"):
		return fmt.Errorf("%s: is this program's own: choose another name", shorten(name, 80))
	case slices.ContainsFunc(o.env, func(other string) bool { return strings.HasPrefix(other, name+"=") }):
		return fmt.Errorf("%s: is set twice", shorten(name, 80))
	}
	o.env = append(o.env, text)
	return nil
}

// private are parts of the names of variables whose values are nobody's business.
var private = []string{"PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "AUTH", "DSN", "URL", "URI"}

// shownEnv is the variables as records show them: without what may be a secret.
func (o *options) shownEnv() []string {
	var list []string
	for _, text := range o.env {
		name, value, _ := strings.Cut(text, "=")
		if value != "" && slices.ContainsFunc(private, func(part string) bool { return strings.Contains(strings.ToUpper(name), part) }) {
			text = name + "=…"
		}
		list = append(list, text)
	}
	return list
}

func (o *options) setRedis(text string) (err error) {
	o.redis, err = redisAddress(text)
	return err
}

// pathCause is why a file could not be used, without its name.
func pathCause(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return l.Err
	}
	return err
}
