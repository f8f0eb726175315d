package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"forkbench/explain"
	"forkbench/internal/hoist"
	"forkbench/live"
	"forkbench/record"
	"forkbench/report"
	"forkbench/runner"
	"forkbench/workload"
)

const explainLong = `Explain what jobs spend their time on, and which of it is one-time work that
every fork repeats.

A few jobs are run under a call profiler, in the Python processes themselves.
What a process's first job does and its later ones do not is attributed to the
highest call that explains it: configure_mappers, an import, a table compiled on
first use. Then it is verified: each such call is made in a parent before it
forks, and what that saves is measured, without the profiler, beside what the
profile predicts. A call that leaves a file or a thread behind is named and not
made; one that leaves a connection is made, and the connection given up before the
fork. A warm-up given with --warm that changes nothing is told so; from the others
it goes on to what remains.

The directory of the results gets a flame graph of each model and one of their
difference (.svg), folded stacks (.folded), and profiles that
` + "`go tool pprof`" + ` opens (.pb.gz).`

const explainExample = `  compare explain --workload=py:app.tasks:record_event --payload=events.jsonl
  compare explain --workload=py:app.tasks:record_event --warm=app.tasks:warm_up  # is it of use?
  go tool pprof -http=: -diff_base=DIR/hybrid.pb.gz DIR/forkperjob.pb.gz`

// The files that an explanation writes, besides those of its measurements.
const (
	explanationName = "explain.json"
	explainedName   = "explain.md"
	differenceName  = "flame-difference.svg"
	explainDir      = "explain" // below a comparison's results
)

// Defaults of an explanation. It looks at each job closely: few are enough.
const (
	explainJobs   = 30
	explainRounds = 5
)

// explainCommand is `compare explain`.
func (p *program) explainCommand() *cobra.Command {
	var noVerify bool
	flags := func(o *options) []flag {
		return append(explanationFlags(o), flag{
			group: groupRun, name: "no-verify", set: yes(&noVerify),
			usage: "profile only: make no call in a parent, and measure no saving",
		})
	}
	cmd := &cobra.Command{
		Use:     "explain",
		Short:   "Say what jobs spend their time on, and what every fork repeats",
		Long:    explainLong,
		Example: explainExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			o := new(options)
			problems := slices.Concat(noArguments(cmd, args), o.read(cmd, flags(o)), o.checkExplain())
			if err := p.usage(cmd, problems); err != nil {
				return err
			}
			return p.explainAlone(cmd.Context(), o, !noVerify)
		},
	}
	bind(cmd, flags(new(options)))
	completeFlags(cmd, flags(new(options)))
	return cmd
}

// explanationFlags are the flags of a comparison that make sense here.
func explanationFlags(o *options) []flag {
	list := slices.Concat(
		pick(o.loadFlags(), "workload", "payload", "jobs"), pick(o.roundFlags(), "rounds"), o.jobFlags(), o.surroundingFlags(),
		o.pythonFlags(), o.redisFlags(), o.directoryFlags(), pick(o.reportFlags(), "format"), o.progressFlags(),
	)
	restate(list, "jobs", func(f *flag) {
		f.def, f.usage = strconv.Itoa(explainJobs), "jobs that are measured, in each round and each way"
	})
	restate(list, "rounds", func(f *flag) {
		f.def, f.usage = strconv.Itoa(explainRounds), "times that each way is measured, in turn with the others"
	})
	restate(list, "warm", func(f *flag) {
		f.usage = "one-time work that a parent is to do before it forks: is it of any use? repeatable"
	})
	return list
}

// checkExplain is for what cannot be explained.
func (o *options) checkExplain() []string {
	problems := slices.Concat(o.checkPython(), o.checkRest(), o.checkOut())
	if o.given["jobs"] && 0 < o.jobs && o.jobs < explain.MinJobs {
		problems = append(problems, fmt.Sprintf("--jobs=%d: must be at least %d: what is measured includes jobs of a parent that has run some itself", o.jobs, explain.MinJobs))
	}
	if o.workload != nil {
		if _, ok := o.workload.(workload.Python); !ok {
			problems = append(problems, fmt.Sprintf("--workload=%s: runs in Go, and only Python jobs can be explained: choose another, or use `go tool pprof`", o.workload.Name()))
		}
	}
	return problems
}

// explainAlone is `compare explain`, with its own progress and signals.
func (p *program) explainAlone(ctx context.Context, o *options, verify bool) error {
	show := p.progress(o.quiet)
	in, ctx := watchSignals(ctx, p.signals, func(text string) { show.say(text) }, p.giveUp)
	defer in.close()
	result, err := p.explain(ctx, o, verify, show)
	show.close()
	switch {
	case in.came() && (err == nil || errors.Is(err, context.Canceled) || ctx.Err() != nil):
		return exitWith(exitInterrupted, errors.New("interrupted: what was found until then cannot be vouched for"))
	case err != nil:
		return err
	}
	return result.print(p)
}

// explainMeasured explains the jobs of a comparison that has been made, into a
// directory below that of its results. Where standard output is for data, it is
// the comparison's.
func (p *program) explainMeasured(ctx context.Context, measured *options, dir string) error {
	o := *measured
	o.jobs, o.rounds, o.out, o.force = explainJobs, explainRounds, filepath.Join(dir, explainDir), true
	show := p.progress(o.quiet)
	x, err := p.explain(ctx, &o, true, show)
	show.close()
	switch {
	case ctx.Err() != nil:
		return exitWith(exitInterrupted, errors.New("interrupted: the comparison is done, the explanation is not"))
	case err != nil:
		return fmt.Errorf("--explain: %w", err)
	case o.format != formatText:
		_, _ = io.WriteString(p.stderr, x.listing()) // it is only said
		return nil
	}
	_, _ = io.WriteString(p.stdout, "\n") // the next write says what is wrong
	return x.print(p)
}

// An explanation is what is left when its processes are gone.
type explanation struct {
	*explain.Result
	dir    string
	names  []string
	format string
}

// explain explains the jobs of the options and writes the files.
func (p *program) explain(ctx context.Context, o *options, verify bool, show *progress) (x *explanation, err error) {
	show.doing("starting")
	guard, err := live.StartGuard()
	if err != nil {
		return nil, exitWith(exitLacking, err)
	}
	defer func() { err = errors.Join(err, guard.Close()) }()
	if _, err := findPython(ctx, o.python); err != nil {
		return nil, err // not a Go workload in its place
	}
	app, err := choose(ctx, o, show.say)
	if err != nil {
		return nil, err
	}
	log := logger(show.writer(), o)
	machine := &live.Machine{
		Workers: 1, Workload: workload.WithPayloads(app.workload, o.payloads), Runtime: app.runtime,
		Timeout: o.timeout, BootTimeout: o.bootTimeout, Env: o.env, Services: o.serviceSet(), Guard: guard, Log: log,
	}
	show.doing("loading the application")
	if _, err := machine.Check(ctx); err != nil {
		return nil, bootError(app.workload, o, err)
	}
	show.doing("starting Redis")
	if machine.Server, err = startRedis(ctx, o, guard, log); err != nil {
		return nil, exitWith(exitLacking, err)
	}
	defer func() { err = errors.Join(err, machine.Server.Close()) }()

	burst, err := workload.ParseArrivals("burst")
	if err != nil {
		return nil, err
	}
	o.workers, o.arrivals = 1, burst
	x = &explanation{format: o.format}
	if x.dir, err = resultsDir(o, settings(o, "explain-"+app.workload.Name(), p.now()), explanationNames()); err != nil {
		return nil, err
	}
	path := filepath.Join(x.dir, recordsName)
	file, err := p.create(path)
	if err != nil {
		return nil, exitWith(exitUsage, fmt.Errorf("%w: name a directory that you may write to with --out", err))
	}
	writer := record.NewWriter(file)
	defer func() {
		flushed, closed := writer.Flush(), file.Close()
		if err == nil && (flushed != nil || closed != nil) {
			err = fmt.Errorf("write %s: %w", path, pathCause(errors.Join(flushed, closed)))
		}
	}()
	comparison := runner.Plan{Rounds: o.rounds, Until: o.until}
	p.describe(&comparison, machine, o, app, "")
	plan := explain.Plan{
		Machine: machine, Verify: verify, Jobs: o.jobs, Rounds: o.rounds, Dir: guard.Dir(),
		Source: func(n int) iter.Seq[workload.Job] { return workload.Jobs(machine.Workload, burst, o.seed, n) },
		Header: comparison.Header,
		Sink:   shownRecords{writer, show},
		Doing:  show.doing,
		Begin:  func(names []string) { show.begin(plan{models: names, rounds: o.rounds, jobs: o.jobs}) },
		Began:  show.take,
	}
	if x.Result, err = plan.Run(ctx); err != nil {
		return nil, err
	}
	x.names, err = p.writeExplanation(x.dir, x.Result)
	x.names = append(x.names, recordsName)
	return x, err
}

// shownRecords passes records on to a file, and to the progress.
type shownRecords struct {
	file *record.Writer
	show *progress
}

// Write takes a line.
func (w shownRecords) Write(l record.Line) error {
	_ = w.show.Write(l) // never fails
	return w.file.Write(l)
}

// writeExplanation writes what can be made of a result.
func (p *program) writeExplanation(dir string, r *explain.Result) (names []string, err error) {
	type file struct {
		name  string
		write func(io.Writer) error
	}
	files := []file{{explanationName, func(w io.Writer) error { return report.WriteJSON(w, r) }}, {explainedName, func(w io.Writer) error { return writeExplained(w, r) }}}
	for _, t := range r.Trees {
		files = append(files,
			file{"flame-" + t.Name + ".svg", t.WriteSVG},
			file{t.Name + ".folded", t.WriteFolded},
			file{t.Name + ".pb.gz", func(w io.Writer) error { return t.WritePprof(w, p.now()) }})
	}
	if d := r.Difference(); d != nil {
		files = append(files, file{differenceName, d.WriteSVG})
	}
	if r.Hoist != nil {
		for _, s := range r.Hoist.Snippets() {
			files = append(files, file{s.File, func(w io.Writer) error {
				_, err := io.WriteString(w, s.Text)
				return err
			}})
		}
	}
	for _, f := range files {
		if err := replaceFile(filepath.Join(dir, f.name), f.write); err != nil {
			return names, err
		}
		names = append(names, f.name)
	}
	return names, nil
}

// writeExplained writes the report with the graphs in it.
func writeExplained(w io.Writer, r *explain.Result) error {
	var b bytes.Buffer
	if err := r.Report().WriteMarkdown(&b); err != nil {
		return err
	}
	for _, t := range r.Trees {
		fmt.Fprintf(&b, "\n![%s: %s](flame-%[1]s.svg)\n", t.Name, t.About)
	}
	if d := r.Difference(); d != nil {
		fmt.Fprintf(&b, "\n![%s](%s)\n", d.Title, differenceName)
	}
	_, err := b.WriteTo(w)
	return err
}

// explanationNames lists all files that an explanation can write.
func explanationNames() []string {
	names := append([]string{recordsName, explanationName, explainedName, differenceName}, hoist.Files()...)
	for _, t := range explain.TreeNames() {
		names = append(names, "flame-"+t+".svg", t+".folded", t+".pb.gz")
	}
	return names
}

// flameNames lists those of them that are flame graphs.
func flameNames() []string {
	return slices.DeleteFunc(explanationNames(), func(name string) bool { return !strings.HasPrefix(name, "flame-") })
}

// listing says where the files are, in few words.
func (x *explanation) listing() string {
	kinds := []struct{ ending, text string }{
		{"", ""}, {".svg", "flame graphs, for a browser: "}, {".folded", "folded stacks: "}, {".pb.gz", "for `go tool pprof -http=:`: "},
	}
	lines := make([][]string, len(kinds))
	for _, name := range x.names {
		at := max(0, slices.IndexFunc(kinds, func(k struct{ ending, text string }) bool {
			return k.ending != "" && strings.HasSuffix(name, k.ending)
		}))
		lines[at] = append(lines[at], name)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "results in %s%c\n", filepath.Clean(x.dir), filepath.Separator)
	for i, line := range lines {
		if line != nil {
			fmt.Fprintf(&b, "  %s%s\n", kinds[i].text, strings.Join(line, "  "))
		}
	}
	return b.String()
}

// print shows an explanation and says where its files are.
func (x *explanation) print(p *program) error {
	var b bytes.Buffer
	var err error
	switch x.format {
	case formatJSON:
		err = report.WriteJSON(&b, x)
	case formatCSV:
		err = x.WriteCSV(&b)
	case formatMarkdown:
		err = x.Report().WriteMarkdown(&b)
	default:
		err = x.Report().WriteText(&b, p.textOptions())
	}
	if err != nil {
		return err
	}
	where := x.listing()
	if x.format == formatText {
		b.WriteString("\n" + where)
	} else {
		_, _ = io.WriteString(p.stderr, where) // it is only said
	}
	_, err = b.WriteTo(p.stdout)
	return outputError(err)
}
