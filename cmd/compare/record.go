package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"forkbench/peers/capture"
	"forkbench/stream"
	"forkbench/workload"
)

const groupRecord = "What to record"

// toStdout is the name of a file that stands for standard output.
const toStdout = "-"

// A recordOptions is what `compare record` was asked to do.
type recordOptions struct {
	queue    capture.Queue
	prefix   string // of its keys
	sep      string
	steps    []int
	redis    string
	out      string
	force    bool
	limit    int
	names    map[string]string
	unpickle bool
	python   string
	path     []string
}

func recordFlags(o *recordOptions) []flag {
	python := new(options)
	return []flag{
		{group: groupRecord, name: "from", value: "rq:QUEUE", usage: "the queue: rq:NAME or celery:NAME",
			set: func(text string) (err error) {
				o.queue, err = capture.ParseQueue(text)
				return err
			}},
		{group: groupRecord, name: "redis", value: "URL", def: "redis://localhost:6379/0", secret: true,
			usage: "the server that it is on, as Celery or RQ has it: redis://, rediss://, unix://, redis+socket://, sentinel://; env:NAME is in that variable",
			set: func(text string) (err error) {
				o.redis, err = redisAddress(text)
				return err
			}},
		{group: groupRecord, name: "key-prefix", value: "TEXT", set: text(&o.prefix, "--key-prefix=shop"),
			usage: "what the queue's keys begin with: Celery's global_keyprefix, or RQ_KEY_PREFIX (default that variable, for RQ)"},
		{group: groupRecord, name: "celery-sep", value: "TEXT", set: text(&o.sep, "--celery-sep=:"),
			usage: "the transport option sep (default what the queue's bindings tell)"},
		{group: groupRecord, name: "celery-priority-steps", value: "N,N", set: o.setSteps,
			usage: "the transport option priority_steps, as in 0,3,6,9 or 0-9 (default all that there are)"},
		{group: groupRecord, name: "limit", value: "N", def: "0", set: whole(&o.limit, 0, maxJobs, ""),
			usage: "the most jobs to read; 0 is all"},
		{group: groupRecord, name: "map", value: "NAME=MODULE:FUNCTION", repeat: true, set: o.setMap,
			usage: "the function of a Celery task that has a name of its own; repeatable"},
		{group: groupPython, name: "unpickle", set: yes(&o.unpickle),
			usage: "decode pickled jobs, which runs whatever code they name: only if all who can write to the Redis are trusted"},
		{group: groupPython, name: "python", value: "PROGRAM", def: "python3", set: text(&o.python, "python3"),
			usage: "the application's interpreter, for --unpickle"},
		{group: groupPython, name: "path", value: "DIR", repeat: true,
			usage: "where to import from, for --unpickle; repeatable (default .)",
			set: func(dir string) error {
				err := python.setPath(dir)
				o.path = python.path
				return err
			}},
		{group: groupResult, name: "out", short: "o", value: "FILE", def: toStdout, set: text(&o.out, "--out=jobs.jsonl"),
			usage: "the job file to write; - is standard output"},
		{group: groupResult, name: "force", set: yes(&o.force), usage: "replace FILE"},
	}
}

// mostSteps is how many priorities a message can have.
const mostSteps = 256

func (o *recordOptions) setSteps(text string) error {
	wrong := fmt.Errorf("must be numbers from 0 to %d, as in 0,3,6,9 or 0-9", mostSteps-1)
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		first, err := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if err != nil || err2 != nil || first < 0 || last < first || last >= mostSteps {
			return wrong
		}
		for n := first; n <= last; n++ {
			o.steps = append(o.steps, n)
		}
	}
	return nil
}

// wanted is the queue with what was said of its keys, and what is wrong with that.
func (o *recordOptions) wanted() (q capture.Queue, problems []string) {
	q = o.queue
	q.KeyPrefix, q.Sep, q.Steps = o.prefix, o.sep, o.steps
	if q.System == capture.Celery {
		return q, nil
	}
	if q.KeyPrefix == "" {
		q.KeyPrefix = os.Getenv("RQ_KEY_PREFIX")
	}
	for name, given := range map[string]bool{"celery-sep": o.sep != "", "celery-priority-steps": o.steps != nil} {
		if given && q.System == capture.RQ {
			problems = append(problems, fmt.Sprintf("--%s: is for --from=celery:QUEUE: leave it out", name))
		}
	}
	slices.Sort(problems)
	return q, problems
}

func (o *recordOptions) setMap(text string) error {
	name, function, found := strings.Cut(text, "=")
	if !found || name == "" || !workload.IsFunction(function) && function != name {
		return errors.New("must be NAME=MODULE:FUNCTION, as in send-mail=app.tasks:send_mail; NAME=NAME keeps it, for a run with --setup")
	}
	if o.names == nil {
		o.names = make(map[string]string)
	}
	o.names[name] = function
	return nil
}

// recordCommand is `compare record`.
func (p *program) recordCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "record",
		Short: "Record the jobs that wait in a queue of RQ or Celery",
		Long: `Record the jobs that wait in a queue of RQ or Celery, without taking or changing anything: their
functions, their arguments, and when they were enqueued. --workload=jobs:FILE runs them.`,
		Example: `  compare record --from=rq:default --redis=redis://localhost:6379 -o jobs.jsonl
  compare record --from=rq:default --unpickle --python=.venv/bin/python --path=. -o jobs.jsonl
  compare record --from=celery:celery -o jobs.jsonl
  compare --workload=jobs:jobs.jsonl --path=.
  compare --workload=jobs:jobs.jsonl --arrivals=jobs:jobs.jsonl --path=.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o := new(recordOptions)
			problems := append(noArguments(cmd, args), parse(cmd, recordFlags(o))...)
			if !cmd.Flags().Changed("from") {
				problems = append(problems, "--from: is missing: name the queue, as in --from=rq:default")
			}
			queue, wrong := o.wanted()
			o.queue = queue
			problems = append(problems, wrong...)
			for _, name := range []string{"python", "path"} {
				if cmd.Flags().Changed(name) && !o.unpickle {
					problems = append(problems, fmt.Sprintf("--%s: is for --unpickle: leave it out, or add --unpickle", name))
				}
			}
			if info, err := os.Lstat(o.out); err == nil && o.out != toStdout {
				if !info.Mode().IsRegular() { // to replace a device would be the end of it
					problems = append(problems, fmt.Sprintf("--out=%s: is no regular file: name another, or - for standard output", o.out))
				} else if !o.force {
					problems = append(problems, fmt.Sprintf("--out=%s: exists: name another file, or add --force to replace it", o.out))
				}
			}
			if err := p.usage(cmd, problems); err != nil {
				return err
			}
			return p.record(cmd.Context(), o)
		},
	}
	bind(cmd, recordFlags(new(recordOptions)))
	completeFlag(cmd, "from", cobra.FixedCompletions([]cobra.Completion{"rq:", "celery:"}, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
	completeFlag(cmd, "path", completeDirectories)
	return cmd
}

// record reads the queue and writes the file.
func (p *program) record(ctx context.Context, o *recordOptions) error {
	in, ctx := watchSignals(ctx, p.signals, func(string) {}, p.giveUp)
	defer in.close()
	made, err := p.recordTo(ctx, o)
	switch {
	case in.came() && err != nil:
		return exitWith(exitInterrupted, errors.New("interrupted: nothing was recorded"))
	case err != nil:
		return err
	}
	_, _ = io.WriteString(p.stderr, printable(made.text(o))) // it is only said
	return nil
}

// A recording is what was made of a queue.
type recording struct {
	survey *capture.Survey
	sum    capture.Summary
	server string // which of several; "" if there is one
}

func (p *program) recordTo(ctx context.Context, o *recordOptions) (made recording, err error) {
	options := capture.Options{Names: o.names}
	if o.unpickle {
		python, err := findPython(ctx, o.python)
		if err != nil {
			return made, err
		}
		if o.path == nil {
			o.path = []string{"."}
		}
		options.Unpickle = &capture.Unpickler{Interpreter: python.path, Path: o.path}
		defer options.Unpickle.Close()
	}
	server, err := stream.Dial(ctx, o.redis)
	if err != nil {
		return made, exitWith(exitLacking, fmt.Errorf("--redis: %w", err))
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	made.server = server.Chosen()
	if made.survey, err = capture.Look(ctx, server.Client(), o.queue); err != nil {
		return made, server.Explain(err)
	}
	if made.server != "" {
		defer func() {
			if _, missing := errors.AsType[*capture.MissingError](err); missing {
				err = fmt.Errorf("redis at %s: %w", made.server, err)
			}
		}()
	}
	err = p.writeJobs(o.out, func(w io.Writer) error {
		var err error
		made.sum, err = capture.Record(ctx, w, explained(server, o.queue, made.survey.Jobs(ctx, o.limit)), options)
		if err == nil && made.sum.Jobs == 0 {
			return fmt.Errorf("nothing recorded: none of the %d jobs of %s can be\n%s%s", made.sum.Total(), o.queue, leftOut(&made.sum), beside(made.survey))
		}
		return err
	})
	return made, err
}

// explained has the errors of a sequence say what they are about.
func explained(server *stream.Server, q capture.Queue, jobs iter.Seq2[capture.Job, error]) iter.Seq2[capture.Job, error] {
	return func(yield func(capture.Job, error) bool) {
		for job, err := range jobs {
			if _, missing := errors.AsType[*capture.MissingError](err); missing {
				err = fmt.Errorf("--from=%s: %w", q, err)
			} else if err != nil {
				err = server.Explain(err)
			}
			if !yield(job, err) {
				return
			}
		}
	}
}

// writeJobs writes standard output, or a file in one step: there is never half of
// one.
func (p *program) writeJobs(path string, write func(io.Writer) error) error {
	if path == toStdout {
		return write(p.stdout)
	}
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text())
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666) // less the umask: jobs hold people's data
	if err != nil {
		return exitWith(exitUsage, fmt.Errorf("--out=%s: %w: name a file that you may write", path, pathCause(err)))
	}
	err = write(file)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // there is nothing more to be done about it
	}
	return err
}
