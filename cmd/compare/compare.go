package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"forkbench/live"
	"forkbench/record"
	"forkbench/runner"
	"forkbench/stream"
	"forkbench/workload"
)

// rootCommand is `compare`.
func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "compare",
		Short:         "Compare execution models for background jobs on real processes",
		Long:          rootLong,
		Example:       rootExample,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs, // an unknown command is one problem among others
		RunE: func(cmd *cobra.Command, args []string) error {
			o, problems := readOptions(cmd)
			if len(args) > 0 {
				problems = append([]string{unknownCommand(cmd, args[0])}, problems...)
			}
			if err := p.usage(cmd, problems); err != nil {
				return err
			}
			return p.compare(cmd.Context(), o, p.measure, o.coldNotice(), o.durationNotice())
		},
	}
	bind(root, flagsOf(new(options)))
	complete(root)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(p.help)
	root.AddCommand(
		p.explainCommand(), p.simulateCommand(), p.calibrateCommand(), p.validateCommand(), p.sweepCommand(), p.planCommand(), p.reportCommand(), p.diffCommand(), p.plotCommand(), p.recordCommand(), p.serveCommand(),
		p.workloadsCommand(), p.doctorCommand(), p.versionCommand(),
	)
	return root
}

func unknownCommand(cmd *cobra.Command, arg string) string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	text := shorten(arg, 80)
	if _, err := os.Stat(filepath.Join(arg, recordsName)); err == nil {
		return fmt.Sprintf("%s: no such command; did you mean `%s report %s`?", text, cmd.CommandPath(), text)
	}
	if similar := closest(arg, names); similar != "" {
		return fmt.Sprintf("%s: no such command; did you mean `%s %s`?", text, cmd.CommandPath(), similar)
	}
	return fmt.Sprintf("%s: no such command; there are %s", text, strings.Join(names, ", "))
}

// Measured is what is left of a comparison when its processes are gone.
type measured struct {
	dir      string
	analysis *runner.Analysis // nil if it never began
}

// compare makes a comparison, with measure or in another way, and shows its
// results. The notices come first; empty ones are none.
func (p *program) compare(
	ctx context.Context, o *options, measure func(context.Context, *interrupts, *options, *progress) (measured, error), notices ...string,
) error {
	show := p.progress(o.quiet)
	for _, text := range notices {
		if text != "" {
			show.say(text)
		}
	}
	in, ctx := watchSignals(ctx, p.signals, func(text string) {
		show.stopping()
		show.say(text)
	}, p.giveUp)
	defer in.close()

	m, err := measure(ctx, in, o, show)
	show.close()
	interrupted := in.came()
	if interrupted && (errors.Is(err, context.Canceled) || m.analysis == nil && ctx.Err() != nil) {
		err = nil // that is what was asked for
	}
	if m.analysis == nil {
		if err == nil {
			err = exitWith(exitInterrupted, errors.New("interrupted before anything was measured"))
		}
		return err
	}
	// The table first: it does not depend on what may fail below.
	err = errors.Join(err, p.writeSummary(&m.analysis.Summary, o.format))
	if ctx.Err() == nil {
		err = errors.Join(err, p.keep(ctx, m, o.format))
	} else {
		short := errors.New(cutShort(m.dir))
		if err == nil {
			return exitWith(exitInterrupted, short)
		}
		err = errors.Join(err, short)
	}
	switch {
	case err != nil:
		return err
	case interrupted:
		return exitWith(exitInterrupted, errors.New("interrupted: the report is about what was measured until then"))
	}
	err = judge(&m.analysis.Summary, o.gate)
	if o.explain {
		err = errors.Join(err, p.explainMeasured(ctx, o, m.dir))
		p.writePage(ctx, m.dir, m.analysis, true)
	}
	return err
}

// cutShort says what there is of a comparison that was ended at once, and what
// there is not.
func cutShort(dir string) string {
	text := fmt.Sprintf("interrupted, and ended at once: what was measured until then was printed, and no %s, %s, %s or plots are written", summaryName, reportName, pageName)
	if _, err := os.Stat(filepath.Join(dir, recordsName)); err == nil {
		text += fmt.Sprintf("; %s is in %s: `compare plot %[2]s` draws the plots", recordsName, dir)
	}
	return text
}

// keep writes the results to files, and says where they are: below the text, but
// not into data.
func (p *program) keep(ctx context.Context, m measured, format string) error {
	names, err := p.writeResults(ctx, m.dir, m.analysis)
	if _, gone := os.Stat(filepath.Join(m.dir, recordsName)); gone != nil {
		err = errors.Join(fmt.Errorf("the raw records are lost: %w: was the directory removed during the run?", gone), err)
	} else {
		names = append([]string{recordsName}, names...)
	}
	if format != formatText {
		_, _ = io.WriteString(p.stderr, listing(m.dir, names)) // it is only said
		return err
	}
	_, printed := io.WriteString(p.stdout, "\n"+listing(m.dir, names))
	return errors.Join(err, outputError(printed))
}

// measure runs the comparison, from the first process to the last. What it
// returns is good also with an error, as far as it came.
func (p *program) measure(ctx context.Context, in *interrupts, o *options, show *progress) (m measured, err error) {
	show.doing("starting")
	defer live.LeaveCores()()
	guard, err := live.StartGuard()
	if err != nil {
		return m, exitWith(exitLacking, err)
	}
	defer func() { err = errors.Join(err, guard.Close()) }()

	app, err := choose(ctx, o, show.say)
	if err != nil {
		return m, err
	}
	versions, err := findPeers(ctx, o, app)
	if err != nil {
		return m, err
	}
	machine := &live.Machine{
		Workers: o.workers, Workload: workload.WithPayloads(app.workload, o.payloads), Runtime: app.runtime,
		Timeout: o.timeout, BootTimeout: o.bootTimeout, Env: o.env, Services: o.serviceSet(), Guard: guard, Log: logger(show.writer(), o),
	}
	show.doing("loading the application")
	if err := check(ctx, machine, o); err != nil {
		return m, err
	}
	show.doing("starting Redis")
	if machine.Server, err = startRedis(ctx, o, guard, machine.Log); err != nil {
		return m, exitWith(exitLacking, err)
	}
	defer func() { err = errors.Join(err, machine.Server.Close()) }()
	if versions != "" {
		if _, err := machine.Server.Lists(); err != nil {
			return m, exitWith(exitLacking, err)
		}
	}

	show.doing("enqueuing the jobs")
	backlog, err := runner.Enqueue(ctx, machine.Server, workload.Jobs(machine.Workload, o.arrivals, o.seed, o.jobs))
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, backlog.Close()) }()

	if m.dir, err = makeResults(o, app.workload.Name(), p.now()); err != nil {
		return m, err
	}
	rec, err := p.openRecorder(m.dir, show)
	if err != nil {
		return m, err
	}
	defer func() {
		err = rec.close(err)
		m.analysis = advised(rec.sums.Analysis())
	}()

	plan := runner.Plan{
		Rounds: o.rounds, Until: o.until, Sums: rec.sums,
		Began: func(round int, model string) {
			in.begin()
			show.soFar(func() string { return rec.sums.Analysis().Summary.SoFar() })
			show.take(round, model)
		},
	}
	for _, c := range o.contestants {
		plan.Contestants = append(plan.Contestants, runner.Contestant{
			Name: c.name, Executor: c.model.build(&c.options), Machine: backlog.Machine(c.on(machine)),
		})
	}
	p.describe(&plan, machine, o, app, versions)
	show.begin(planOf(&plan, o))
	defer in.end()
	return m, plan.Run(ctx, in.stop, rec)
}

// planOf is what the progress is told of a plan.
func planOf(p *runner.Plan, o *options) plan {
	known := plan{models: contestantNames(o.contestants), rounds: o.rounds, jobs: o.jobs, open: o.until != nil}
	if known.open {
		known.least, known.parts = make(map[string]int), make(map[string]int)
		least, parts := p.Least(), p.Parts()
		for i, name := range known.models {
			known.least[name], known.parts[name] = least[i], parts[i]
		}
	}
	return known
}

// check loads the application once for each set of warm-ups that a contestant
// names.
func check(ctx context.Context, machine *live.Machine, o *options) error {
	checked := make(map[string]bool)
	for i := range o.contestants {
		c := &o.contestants[i]
		if key := strings.Join(c.options.warm, ","); !checked[key] {
			checked[key] = true
			if _, err := c.on(machine).Check(ctx); err != nil {
				return bootError(machine.Workload, &c.options, err)
			}
		}
	}
	return nil
}

// describe sets a plan's header, with what only the command line knows.
func (p *program) describe(plan *runner.Plan, machine *live.Machine, o *options, app application, peers string) {
	python := live.Application{Version: app.python.version, Executable: app.python.path}
	plan.Describe(machine, python, runner.Load{Jobs: o.jobs, Arrivals: o.arrivals, Seed: o.seed})
	h := &plan.Header
	h.Started, h.Environment.Peers = p.now(), peers
	h.Spec.Payload, h.Spec.Env = o.payload, o.shownEnv()
	for i := range h.Spec.Models { // none of an explanation, which has models of its own
		h.Spec.Models[i] = o.contestants[i].spec(app.ownWarm())
	}
}

// bootError says which flag is wrong when the application could not be loaded.
func bootError(w workload.Workload, o *options, err error) error {
	boot, ok := errors.AsType[*live.BootError](err)
	if !ok {
		return err
	}
	names := "--workload=" + w.Name()
	if len(o.setup) > 0 {
		names += " --setup=" + strings.Join(o.setup, ",")
	} else if hint := setupAdvice(runner.NotSetUp(boot.Traceback)); hint != "" {
		boot.Message += " (" + hint + ")"
	}
	if len(o.warm) > 0 {
		names += " --warm=" + strings.Join(o.warm, ",")
	}
	if boot.NotFound() {
		// Where in the template it was noticed is of no use to anybody.
		return exitWith(exitUsage, fmt.Errorf("%s: %s", names, strings.TrimPrefix(boot.Message, boot.Kind+": ")))
	}
	return fmt.Errorf("%s: the application could not be loaded: %w", names, err)
}

// startRedis connects to the user's server, or starts a private one.
func startRedis(ctx context.Context, o *options, guard *live.Guard, log *zap.Logger) (server *stream.Server, err error) {
	if o.redis == "" {
		server, err = stream.Start(ctx, guard.Dir(), log)
	} else if server, err = stream.Connect(ctx, o.redis); err != nil {
		err = fmt.Errorf("--redis: %w", err)
	}
	if err != nil {
		return nil, err
	}
	server.SetPatience(o.patience, func(text string) { log.Warn(text) })
	return server, nil
}

// logger prints what the packages below have to say, as lines of the progress.
func logger(w io.Writer, o *options) *zap.Logger {
	level := zapcore.WarnLevel
	if o.verbose {
		level = zapcore.DebugLevel
	}
	encoder := zapcore.NewConsoleEncoder(zapcore.EncoderConfig{
		LevelKey: "level", MessageKey: "message", ConsoleSeparator: " ", LineEnding: "\n",
		EncodeLevel: func(l zapcore.Level, e zapcore.PrimitiveArrayEncoder) {
			if l == zapcore.WarnLevel {
				e.AppendString("warning:")
				return
			}
			e.AppendString(l.String() + ":")
		},
		EncodeDuration: zapcore.StringDurationEncoder,
	})
	return zap.New(zapcore.NewCore(encoder, zapcore.AddSync(w), level))
}

// A recorder passes a comparison's records on: to the file, to the sums that the
// report is made of, and to the progress.
type recorder struct {
	out  io.Closer
	file *record.Writer
	path string
	sums *runner.Aggregator
	show *progress
}

var _ record.Sink = (*recorder)(nil)

func (p *program) openRecorder(dir string, show *progress) (*recorder, error) {
	path := filepath.Join(dir, recordsName)
	file, err := p.create(path)
	if err != nil {
		return nil, exitWith(exitUsage, fmt.Errorf("%w: name a directory that you may write to with --out", err))
	}
	return &recorder{out: file, file: record.NewWriter(file), path: path, sums: runner.NewAggregator(), show: show}, nil
}

// close ends the file of a comparison that ended with an error, or nil, and returns
// what is wrong: a writer that failed says so again, and once is enough.
func (r *recorder) close(err error) error {
	flushed, closed := r.flush(), r.out.Close()
	switch {
	case err != nil:
		return err
	case flushed != nil:
		return flushed
	case closed != nil:
		return fmt.Errorf("write %s: %w", r.path, pathCause(closed))
	}
	return nil
}

// Write passes on a line. The file is last, so that what does not fit on the
// disk is still in the report.
func (r *recorder) Write(l record.Line) error {
	if err := r.sums.Write(l); err != nil {
		return err
	}
	_ = r.show.Write(l) // never fails
	if err := r.file.Write(l); err != nil {
		return fmt.Errorf("%s: %w", r.path, pathCause(err))
	}
	if _, ok := l.(*record.Round); ok {
		return r.flush() // if this program is killed, no ended round is lost
	}
	return nil
}

func (r *recorder) flush() error {
	if err := r.file.Flush(); err != nil {
		return fmt.Errorf("write %s: %w", r.path, pathCause(err))
	}
	return nil
}
