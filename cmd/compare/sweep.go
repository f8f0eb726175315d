package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"forkbench/models"
	"forkbench/plots"
	"forkbench/report"
	"forkbench/whatif/predict"
	"forkbench/whatif/sweep"
)

// sweepCommand is `compare sweep`.
func (p *program) sweepCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sweep --PARAMETER=FROM..TO",
		Short: "Vary one thing over a range, simulated, and find the break-even",
		Long: `Vary one thing over a range, a knob of a model or a cost of the machine, and find
the break-even: from which job length, or how many jobs per child, a model costs
at most 10 % more than prefork.

It simulates the models on the costs of a profile. With --live it measures some
points on real processes, too, and draws them on top of the simulated curves.`,
		Example: `  # How many jobs per child until hybrid costs as much as prefork?
  compare sweep --jobs-per-child=1..1000

  # How long must a job be for a fork not to matter?
  compare sweep --job-time=1ms..10s

  # How large may the parent be?
  compare sweep --parent-memory=20MB..2GB --within=25%

  # How many workers does a machine of 32 cores need?
  compare sweep --workers=1..64 --cores=32

  # The same, measured where it can be:
  compare sweep --jobs-per-child=1..100 --live`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, problems := readSweep(cmd)
			if err := p.usage(cmd, append(problems, noArguments(cmd, args)...)); err != nil {
				return err
			}
			return p.sweep(cmd.Context(), s)
		},
	}
	s := &sweepOptions{options: new(options)}
	bind(cmd, s.flags())
	completeSweep(cmd, s.flags())
	return cmd
}

// The files of a sweep's results, besides the plots.
const sweepName = "sweep.json"

// sweepNames lists all files that a sweep writes.
func sweepNames() []string {
	names := []string{sweepName, reportName}
	for _, stem := range plots.SweepNames() {
		for _, f := range plots.Formats() {
			names = append(names, stem+"."+string(f))
		}
	}
	return names
}

// sweep makes a sweep and shows its results.
func (p *program) sweep(ctx context.Context, s *sweepOptions) error {
	show := p.progress(s.quiet)
	in, ctx := watchSignals(ctx, p.signals, func(text string) {
		show.stopping()
		show.say(text)
	}, p.giveUp)
	defer in.close()

	dir, found, err := p.makeSweep(ctx, in, s, show)
	show.close()
	if found == nil {
		return err
	}
	err = errors.Join(err, p.writeAnswer(found, s.format))
	if dir != "" {
		err = errors.Join(err, p.keepAnswer(dir, s.format, sweepName, found, func() ([]string, error) { return plots.WriteSweep(dir, found) }))
	}
	if err == nil && in.came() {
		err = exitWith(exitInterrupted, errors.New("interrupted: the report is about what was found until then"))
	}
	return err
}

// makeSweep simulates, and then measures. What it returns is good also with an
// error, as far as it came.
func (p *program) makeSweep(ctx context.Context, in *interrupts, s *sweepOptions, show *progress) (string, *sweep.Result, error) {
	q, err := s.question()
	if err != nil {
		return "", nil, err
	}
	w := &sweep.Sweep{
		Range: s.over, Points: s.points, Metric: s.metric, Within: s.within,
		Evaluate: sweep.Simulate(s.over.Parameter, q, s.executor),
		Progress: func(done, of int, contestant string, x float64) {
			show.step(fmt.Sprintf("simulating %d/%d: %s with --%s=%s", done+1, of, contestant, s.over.Parameter.Name, s.over.Parameter.Kind.Format(x)))
		},
	}
	for i := range s.contestants {
		c := &s.contestants[i]
		w.Contestants = append(w.Contestants, sweep.Contestant{Name: c.name, Varies: s.varies(c)})
	}
	setting := sweep.Setting{
		Profile: filepath.Base(s.from), ProfileName: q.Profile.Name, Jobs: q.Jobs, Arrivals: s.arrivals.String(), Workers: q.Workers, Cores: q.Cores,
		Seed: q.Seed, Replications: q.Replications, Caveats: q.Profile.Caveats(),
	}
	if s.varied(sweep.ArrivalRate) {
		setting.Arrivals = "at random"
	}
	setting.Caveats = append(setting.Caveats, s.tooFewJobs(&q)...)
	if err := w.Run(ctx); err != nil {
		return "", nil, err
	}
	if w.Empty() {
		return "", nil, exitWith(exitInterrupted, errors.New("interrupted before anything was known"))
	}
	dir, err := resultsDir(s.options, p.now().Format("2006-01-02T150405")+"-sweep-"+s.over.Parameter.Name, sweepNames())
	if err != nil {
		return "", w.Result(setting), err
	}
	for _, former := range s.with {
		err = errors.Join(err, s.addRecords(w, former))
	}
	if s.live && ctx.Err() == nil {
		setting.Workload, setting.LiveRounds = s.workload.Name(), s.rounds
		if s.varied(sweep.JobTime) {
			setting.Workload = "cpu:TIME"
		}
		err = errors.Join(err, p.measurePoints(ctx, in, s, w, dir, show))
	}
	return dir, w.Result(setting), err
}

// tooFewJobs says that the range goes beyond what a child can come to.
func (s *sweepOptions) tooFewJobs(q *predict.Question) []string {
	if !s.varied(sweep.JobsPerChild) && !s.varied(sweep.MaxJobsPerChild) && !s.varied(sweep.Refork) {
		return nil
	}
	most, to := q.Jobs/max(q.Workers, 1), int(s.over.To)
	if to <= most {
		return nil
	}
	return []string{fmt.Sprintf("--%s: beyond about %d it comes to nothing, as the %d jobs are no more than that for each of %d workers: give --jobs=%d",
		s.over.Parameter.Name, most, q.Jobs, q.Workers, to*q.Workers)}
}

// executor makes the executor of a contestant at a value of the parameter.
func (s *sweepOptions) executor(i int, x float64) models.Executor {
	c := s.contestants[i]
	s.turn(&c, x)
	return c.model.build(&c.options)
}

// turn turns the knob that is varied, if it is one of the contestant's.
func (s *sweepOptions) turn(c *contestant, x float64) {
	name := s.over.Parameter.Name
	if !isKnob(name) || !s.varies(c) {
		return
	}
	flags := flagsOf(&c.options)
	f := flags[slices.IndexFunc(flags, func(f flag) bool { return f.name == name })]
	if err := f.set(s.over.Parameter.Kind.Format(x)); err != nil {
		panic(fmt.Sprintf("--%s: %v: the parameter allows what the flag does not", name, err))
	}
}

// An answer is a result that can be written in all formats.
type answer interface {
	WriteCSV(io.Writer) error
	Report() *report.Report
}

var _ answer = (*sweep.Result)(nil)

// writeAnswer writes an answer to standard output.
func (p *program) writeAnswer(a answer, format string) error {
	switch format {
	case formatJSON:
		return outputError(report.WriteJSON(p.stdout, a))
	case formatCSV:
		return outputError(a.WriteCSV(p.stdout))
	case formatMarkdown:
		return outputError(a.Report().WriteMarkdown(p.stdout))
	}
	return outputError(a.Report().WriteText(p.stdout, p.textOptions()))
}

// keepAnswer writes an answer to files, and says where they are.
func (p *program) keepAnswer(dir, format, name string, a answer, draw func() ([]string, error)) error {
	var names []string
	var errs []error
	drawn, err := draw()
	if err != nil {
		errs = append(errs, fmt.Errorf("draw the plots: %w", err))
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{{name, func(w io.Writer) error { return report.WriteJSON(w, a) }}, {reportName, func(w io.Writer) error { return writeAnswerReport(w, a, drawn) }}} {
		if err := replaceFile(filepath.Join(dir, f.name), f.write); err != nil {
			errs = append(errs, err)
			continue
		}
		names = append(names, f.name)
	}
	names = append(names, drawn...)
	to := p.stdout
	if format != formatText {
		to = p.stderr // it is only said
	}
	_, printed := io.WriteString(to, "\n"+listing(dir, names))
	if format != formatText {
		printed = nil
	}
	return errors.Join(errors.Join(errs...), outputError(printed))
}

// writeAnswerReport writes the report that stands beside the plots, and shows
// them.
func writeAnswerReport(w io.Writer, a answer, drawn []string) error {
	if err := a.Report().WriteMarkdown(w); err != nil {
		return err
	}
	for _, name := range drawn {
		if stem, isSVG := strings.CutSuffix(name, "."+string(plots.SVG)); isSVG {
			if _, err := fmt.Fprintf(w, "\n![%s](%s)\n", stem, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// completeSweep tells the shell what the flags can be.
func completeSweep(cmd *cobra.Command, flags []flag) {
	known := map[string]cobra.CompletionFunc{
		"model": completeModels, "arrivals": completeArrivals, "format": completeFormats, "path": completeDirectories,
		"out": completeDirectories, "payload": completeFiles, "python": completeFiles, "profile": completeFiles, "with": completeResults,
		"metric": cobra.FixedCompletions(metricNames(), cobra.ShellCompDirectiveNoFileComp),
	}
	for _, f := range flags {
		switch how := known[f.name]; {
		case how != nil:
			completeFlag(cmd, f.name, how)
		case f.value != "":
			completeFlag(cmd, f.name, cobra.NoFileCompletions)
		}
	}
}

// recordsOf is the records of a results directory.
func recordsOf(dir string) (*os.File, error) {
	if filepath.Base(dir) == recordsName {
		dir = filepath.Dir(dir)
	}
	return os.Open(filepath.Join(dir, recordsName))
}
