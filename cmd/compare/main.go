// Compare measures execution models for background jobs: which process should
// run which job.
//
// It runs the same jobs, from one Redis stream, through each model on real
// processes, with exact accounts of their CPU time, memory and latency:
//
//	prefork     a pool of children, each running many jobs (Celery)
//	forkperjob  a child for each job (RQ)
//	hybrid      a child for each job, forked from a warm parent
//
// Nothing needs to be installed or configured for a first look:
//
//	$ compare
//
// runs 1000 jobs of the built-in record_event through all models, 3 rounds or more,
// with 4 workers. It uses python3 and redis-server from PATH, and says so where
// it has to do without.
//
// # Your own jobs
//
// Any importable Python function is a job. Its arguments are JSON values from a
// file, one on each line: an array holds positional arguments, an object named
// ones. Where an application does one-time work lazily, on first use, name that
// work, and hybrid does it in the parent before it forks:
//
//	$ compare --workload=py:app.tasks:record_event --payload=events.jsonl --warm=app.tasks:warm_up --path=.
//
// --python=.venv/bin/python runs it in your environment, and --refork=20 finds
// the one-time work by itself: a child that has run 20 jobs becomes the parent of
// all further ones.
//
// Other workloads separate what a job costs; `compare workloads` lists them:
//
//	$ compare --workload=noop
//	$ compare --workload=90%cpu:1ms,10%cpu:5ms --workers=2
//	$ compare --workload=crash:0.05 --model=prefork,hybrid
//	$ compare --workload=go:record_event
//
// Jobs are all due at once unless told otherwise. Under a plan, latency counts
// from the moment at which a job was due:
//
//	$ compare --workload=cpu:1ms --arrivals=poisson:200/s
//
// The models have knobs, named after those of the systems they come from:
//
//	$ compare --max-jobs-per-child=10 --spares=2 --jobs-per-child=5
//
// A model can take part several times, with knobs of its own in parentheses;
// each is a column. forkperjob(warm) is a fork for each job from parents that
// have done the one-time work, hybrid(warm=) the hybrid without any named:
//
//	$ compare --model='all,hybrid(jobs-per-child=10),hybrid(refork=20),forkperjob(warm)'
//
// Jobs that wait in a queue of RQ or Celery can be recorded, which changes nothing
// there, and run with their own functions, arguments and arrivals:
//
//	compare record --from=rq:default -o jobs.jsonl
//	$ compare --workload=jobs:jobs.jsonl --arrivals=jobs:jobs.jsonl --path=.
//
// What the jobs spend their time on, which of it every fork repeats, and what a
// parent saves that does it before the fork:
//
//	compare explain --workload=py:app.tasks:record_event --payload=events.jsonl --path=.
//
// The real Celery and the real RQ, as installed for --python, run the same jobs
// under the same accounts:
//
//	compare --model=all,celery,rq --workload=noop
//
// # Output
//
// The first line is the verdict, in one sentence. The table under it has a column
// for each model: medians over the rounds, 95 % intervals in brackets, and ratios
// to the first model, with = where there is no difference that matters and ~ where
// the two could not be told apart. Then come warnings: a
// number without them can be trusted as far as the intervals go. A round during
// which other programs took more than 5 % of the CPU is marked as contaminated.
//
// Only data goes to standard output. Progress goes to standard error, one line
// that changes on a terminal and plain lines elsewhere, and so do notices:
//
//	$ compare --format=json
//	$ compare --format=markdown --quiet
//
// All files go to a new directory below results, or to --out=DIR:
//
//	records.jsonl  what happened: a line for each job, process, memory sample, round
//	summary.json   the numbers of the table; --format=json prints the same
//	report.md      the table as Markdown, with the plots
//	report.html    all of this in one file, to mail or to open without a network
//	*.svg, *.png   the plots
//
// Tables and plots are pure functions of the records, and can be made again:
//
//	compare report DIR --format=markdown
//	compare report DIR --format=html >report.html
//	compare plot DIR
//
// What changed between two runs of the same jobs, with intervals; runs of others are
// refused, and another machine, Python or setting is said loudly (docs/diff.md):
//
//	compare diff OLD NEW
//
// Pages and an API to start comparisons, to watch them and to look them up
// (docs/service.md):
//
//	compare serve --dir=runs --allow-runs
//
// # A machine that is not at hand
//
// The same models run on a simulated machine of any size, by what things cost
// according to a profile:
//
//	$ compare simulate --model=all --jobs=5000 --workers=64 --cores=32
//	$ compare simulate --profile=redash --arrivals=poisson:5/s
//
//	compare sweep --jobs-per-child=1..1000
//	compare plan --rate=200/s --p95=2s
//
// A profile of your own is made from a run's records, and held against rounds
// that it was not made from:
//
//	compare calibrate DIR -o mine.json
//	compare validate DIR
//
// Files, formats and thresholds are those of a comparison. Of more than 100,000
// jobs, records.jsonl holds a sample, and report shows summary.json.
//
// # In scripts
//
// The exit code says how it went:
//
//	0    done; jobs may have failed, see --fail-if='failed > 0'
//	1    failed, a model did none of its jobs, or the results contradict themselves
//	2    the command line is wrong
//	3    this machine lacks something; it says what, and how to get it
//	99   a --fail-if threshold was crossed
//	130  interrupted; what was printed is about what was measured until then
//
// A threshold compares a metric (a column of --format=csv) of one model, or of
// any, to a number or to another metric:
//
//	$ compare --fail-if='failed > 0' --fail-if='hybrid.p95 > 60s'
//
// or to what it was in a former run of the same jobs on the same machine:
//
//	compare --baseline=DIR --fail-if='hybrid.cpu > 1.1*baseline'
//
// What jobs that were not done say about speed is nothing: a model with any does not
// pass a threshold on any of its figures, unless so many are fine. Of a count, the
// threshold itself says how many:
//
//	$ compare --workload=crash:0.05 --model=prefork --fail-if='p95 > 60s' --allow-failures=10%
//	$ compare --workload=crash:0.05 --model=prefork --fail-if='crashed > 300'
//
// The first Ctrl-C (or SIGTERM, or SIGHUP) lets the jobs that run finish, and
// reports what was measured; the second kills them, and prints the table of what
// there is, but of files leaves records.jsonl only. Thresholds are not checked
// then. However it ends, killed by SIGKILL included, no process and no temporary
// file stays behind.
//
// # Redis
//
// Without --redis, compare starts a private redis-server (or valkey-server, or
// as a last resort a stand-in) on a Unix socket and ends it afterwards. Your own
// server is used through keys that begin with forkbench: and are removed at the
// end:
//
//	$ compare --redis=redis://:secret@localhost:6379/0
//
// Addresses are taken as they stand in the settings of Celery, RQ and redis-py. A
// password is never shown, but others on the machine can see a command line in
// the process list. They cannot see the environment: a URL can be in a variable
// that --redis names, and the password of one without in FORKBENCH_REDIS_PASSWORD:
//
//	$ compare --redis=env:CELERY_BROKER_URL
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"forkbench/live"
	"forkbench/plots"
	"forkbench/runner"
)

func main() {
	live.Main()
	os.Exit(int(execute(plots.Write)))
}

// execute runs the command line of this process.
func execute(draw func(string, *runner.Analysis) ([]string, error)) exitCode {
	signals := make(chan os.Signal, 3)
	ends := []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}
	for _, s := range ends {
		if !signal.Ignored(s) { // nohup, or a job in the background
			signal.Notify(signals, s)
		}
	}
	// So that a write to a closed pipe is an error. Ignored, it would be ignored in
	// all that is started, too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	p := &program{
		stdout: os.Stdout, stderr: os.Stderr,
		getenv:  os.Getenv,
		now:     time.Now,
		signals: signals,
		giveUp:  func() { signal.Reset(ends...) },
		create:  func(path string) (io.WriteCloser, error) { return os.Create(path) },
		draw:    draw,
	}
	return finish(p.run(context.Background(), os.Args[1:]), os.Stderr)
}
