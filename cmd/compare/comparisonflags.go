package main

import (
	"slices"
	"strings"

	"forkbench/peers/rq"
	"forkbench/workload"
)

// The headings of the flags in the help.
const (
	groupRun    = "What to run"
	groupPython = "Python"
	groupKnobs  = "The models' knobs"
	groupResult = "Redis and results"
	groupOther  = "Other"
)

// flagsOf lists the flags of a comparison; parsing them fills o. Other commands put
// theirs together from these groups.
func flagsOf(o *options) []flag {
	return slices.Concat(
		o.loadFlags(), o.roundFlags(), o.jobFlags(), o.surroundingFlags(), o.pythonFlags(), o.knobFlags(), o.peerFlags(),
		o.redisFlags(), o.directoryFlags(), o.explainFlags(), o.reportFlags(), o.progressFlags(),
	)
}

// pick is the flags of the given names, in the order of the list.
func pick(list []flag, names ...string) []flag {
	return slices.DeleteFunc(list, func(f flag) bool { return !slices.Contains(names, f.name) })
}

// restate changes the flag of that name, which is in the list, for a command where it
// means something else.
func restate(list []flag, name string, change func(f *flag)) {
	change(&list[slices.IndexFunc(list, func(f flag) bool { return f.name == name })])
}

// loadFlags say what is run, and how much of it.
func (o *options) loadFlags() []flag {
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
	}
}

// roundFlags say how often.
func (o *options) roundFlags() []flag {
	return []flag{
		{group: groupRun, name: "rounds", value: "N", def: "3",
			set:   whole(&o.rounds, 1, maxRounds, ""),
			usage: "times that each model runs all jobs, in turn with the others: exactly so many; with --until at least"},
		{group: groupRun, name: untilFlag, value: "SHARE", def: "10%", set: share(&o.halfWidth),
			usage: "go on until the interval of each ratio is within such a share of it, with more rounds for models whose rounds are short"},
		{group: groupRun, name: maxTimeFlag, value: "TIME", def: "1m", set: span(&o.maxTime, "1m", "no longer than --rounds takes"),
			usage: "how long to go on for --until, beyond the least number of rounds"},
	}
}

// jobFlags are about each job.
func (o *options) jobFlags() []flag {
	return []flag{
		{group: groupRun, name: "seed", value: "N", def: "1", set: seed(&o.seed),
			usage: "of the jobs' random parts: the same seed makes the same jobs"},
		{group: groupRun, name: "timeout", value: "TIME", def: "3m", set: span(&o.timeout, "3m", "no limit"),
			usage: "limit for one job, after which its process is killed (RQ's default); 0 is no limit"},
	}
}

// surroundingFlags are about what is around the jobs' processes.
func (o *options) surroundingFlags() []flag {
	return []flag{
		{group: groupRun, name: "env", value: "NAME=VALUE", repeat: true, secret: true, set: o.setEnv,
			usage: "a variable of the environment for the jobs' processes: OPENBLAS_NUM_THREADS=1, say; repeatable"},
		{group: groupRun, name: "service", value: "NAME|PID|PORT", repeat: true, set: o.setService,
			usage: "a program of this machine that jobs use, a database say, whose CPU is told apart; repeatable (default: those that jobs connect to; none for none)"},
	}
}

// pythonFlags are about the interpreter and the application.
func (o *options) pythonFlags() []flag {
	return []flag{
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
	}
}

// knobFlags are the knobs of this project's models.
func (o *options) knobFlags() []flag {
	return []flag{
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
	}
}

// peerFlags are the knobs of the systems of others.
func (o *options) peerFlags() []flag {
	return []flag{
		{group: groupKnobs, name: "max-tasks-per-child", value: "N", def: "0",
			set:   whole(&o.maxTasksPerChild, 0, maxJobs, ""),
			usage: "celery: replace a pool process after so many jobs; 0 is never"},
		{group: groupKnobs, name: "rq-class", value: "CLASS", def: rq.Worker, set: oneOf(&o.rqClass, rq.Classes()...),
			usage: "rq: which of its workers: " + strings.Join(rq.Classes(), ", ")},
		{group: groupKnobs, name: "rq-import", value: "WHERE", def: importInWorker, set: oneOf(&o.rqImport, importInWorker, importInJob),
			usage: "rq: where the jobs' module is imported: in the worker, before it forks, or in each job as by `rq worker`"},
	}
}

// redisFlags name the server.
func (o *options) redisFlags() []flag {
	return []flag{
		{group: groupResult, name: "redis", value: "URL", secret: true, set: o.setRedis,
			usage: "your own server, as Celery or RQ has it: redis://, rediss://, unix://, redis+cluster://, sentinel://; env:NAME is in that variable (default a private one)"},
		{group: groupResult, name: "redis-patience", value: "TIME", def: "1m", set: span(&o.patience, "1m", "none"),
			usage: "how long Redis may be away (restarted, out of reach, a fail-over, its memory full) before the run is given up"},
	}
}

// directoryFlags say where results go.
func (o *options) directoryFlags() []flag {
	return []flag{
		{group: groupResult, name: "out", value: "DIR", set: text(&o.out, "--out=results/first"),
			usage: "a new or empty directory for the results (default results/TIME-SETTINGS)"},
		{group: groupResult, name: "force", set: yes(&o.force),
			usage: "replace what a former run left in --out"},
	}
}

// explainFlags go on to `compare explain`.
func (o *options) explainFlags() []flag {
	return []flag{
		{group: groupResult, name: "explain", set: yes(&o.explain),
			usage: "afterwards, say which one-time work every fork repeats: `compare explain`, with its files in DIR/explain"},
	}
}

// reportFlags are about what is printed, and how the command ends.
func (o *options) reportFlags() []flag {
	return []flag{
		formatFlag(&o.format, formats()...), failIfFlag(&o.gate.Thresholds), allowFailuresFlag(&o.gate.AllowFailures), baselineFlag(&o.gate.Baseline),
	}
}

// progressFlags are about what is said meanwhile.
func (o *options) progressFlags() []flag {
	return []flag{
		{group: groupOther, name: "quiet", set: yes(&o.quiet), usage: "no progress"},
		{group: groupOther, name: "verbose", set: yes(&o.verbose), usage: "say what is started and ended"},
	}
}

func formatFlag(to *string, formats ...string) flag {
	return flag{group: groupResult, name: "format", value: "FORMAT", def: formatText, set: oneOf(to, formats...),
		usage: "of the report on standard output: " + strings.Join(formats, ", ")}
}
