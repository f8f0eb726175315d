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
	"strings"
	"time"

	"github.com/spf13/cobra"

	"forkbench/capture"
	"forkbench/stream"
	"forkbench/workload"
)

const groupRecord = "What to record"

// toStdout is the name of a file that stands for standard output.
const toStdout = "-"

// A recordOptions is what `compare record` was asked to do.
type recordOptions struct {
	queue    capture.Queue
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
	sum, err := p.recordTo(ctx, o)
	switch {
	case in.came() && err != nil:
		return exitWith(exitInterrupted, errors.New("interrupted: nothing was recorded"))
	case err != nil:
		return err
	}
	_, _ = io.WriteString(p.stderr, printable(recordedText(o, &sum))) // it is only said
	return nil
}

func (p *program) recordTo(ctx context.Context, o *recordOptions) (sum capture.Summary, err error) {
	options := capture.Options{Names: o.names}
	if o.unpickle {
		python, err := findPython(ctx, o.python)
		if err != nil {
			return sum, err
		}
		if o.path == nil {
			o.path = []string{"."}
		}
		options.Unpickle = &capture.Unpickler{Interpreter: python.path, Path: o.path}
		defer options.Unpickle.Close()
	}
	server, err := stream.Dial(ctx, o.redis)
	if err != nil {
		return sum, exitWith(exitLacking, fmt.Errorf("--redis: %w", err))
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	err = p.writeJobs(o.out, func(w io.Writer) error {
		var err error
		sum, err = capture.Record(ctx, w, explained(server, o.queue, capture.Jobs(ctx, server.Client(), o.queue, o.limit)), options)
		if err == nil && sum.Jobs == 0 {
			return fmt.Errorf("nothing recorded: none of the %d jobs of %s can be\n%s", sum.Total(), o.queue, leftOut(&sum))
		}
		return err
	})
	return sum, err
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

// mostListed bounds the lists of what was recorded.
const mostListed = 10

// mostToRun is how many jobs to begin with: a fresh process for each takes a
// while.
const mostToRun = 1000

// recordedText says what was recorded, what was not, and what to do next.
func recordedText(o *recordOptions, s *capture.Summary) string {
	var b strings.Builder
	where := o.out
	if where == toStdout {
		where = "FILE"
	}
	fmt.Fprintf(&b, "recorded %d of %d jobs of %s", s.Jobs, s.Total(), o.queue)
	if s.Timed > 1 {
		fmt.Fprintf(&b, ", enqueued within %s", s.Last.Sub(s.First).Round(time.Millisecond))
	}
	if o.out != toStdout {
		fmt.Fprintf(&b, ", in %s", o.out)
	}
	b.WriteString("\n")
	for i, f := range s.Functions {
		if i == mostListed {
			fmt.Fprintf(&b, "  and %d other functions\n", len(s.Functions)-i)
			break
		}
		fmt.Fprintf(&b, "  %d  %s\n", f.Jobs, f.Function)
	}
	if s.ETA > 0 {
		fmt.Fprintf(&b, "  %d have a due time of their own (eta), which is not kept\n", s.ETA)
	}
	b.WriteString(leftOut(s))
	fmt.Fprintf(&b, "run them: compare --workload=jobs:%s --jobs=%d --path=.\n", where, min(s.Jobs, mostToRun))
	if s.Timed == s.Jobs {
		fmt.Fprintf(&b, "as they came: add --arrivals=jobs:%s\n", where)
	}
	return b.String()
}

// leftOut lists the jobs that could not be recorded.
func leftOut(s *capture.Summary) string {
	var b strings.Builder
	for i, l := range s.LeftOut {
		if i == 0 {
			b.WriteString("left out:\n")
		}
		if i == mostListed {
			fmt.Fprintf(&b, "  and for %d other reasons\n", len(s.LeftOut)-i)
			break
		}
		fmt.Fprintf(&b, "  %d  %s", l.Jobs, l.Why.Reason)
		if l.Why.Detail != "" {
			fmt.Fprintf(&b, ": %s", shorten(l.Why.Detail, 200))
		}
		if l.ID != "" {
			fmt.Fprintf(&b, " (job %s)", shorten(l.ID, 80))
		}
		if l.Why.WayOut != "" {
			fmt.Fprintf(&b, ": %s", l.Why.WayOut)
		}
		b.WriteString("\n")
	}
	return b.String()
}
