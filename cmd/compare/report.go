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
	"syscall"

	"github.com/spf13/cobra"

	"forkbench/record"
	"forkbench/runner"
)

// The values of --format.
const (
	formatText     = "text"
	formatJSON     = "json"
	formatCSV      = "csv"
	formatMarkdown = "markdown"
	formatHTML     = "html" // of a comparison that is there
)

func formats() []string { return []string{formatText, formatJSON, formatCSV, formatMarkdown} }

// reportFormats are those of report.
func reportFormats() []string { return append(formats(), formatHTML) }

// writeSummary writes a summary in a format.
func (p *program) writeSummary(s *runner.Summary, format string) error {
	var err error
	switch format {
	case formatJSON:
		err = runner.WriteJSON(p.stdout, s)
	case formatCSV:
		err = runner.WriteCSV(p.stdout, s)
	case formatMarkdown:
		err = runner.WriteMarkdown(p.stdout, s)
	default:
		err = runner.WriteText(p.stdout, s, p.textOptions())
	}
	return outputError(err)
}

// outputError is why standard output could not be written. That its reader has
// seen enough (`compare | head -1`) is not an error.
func outputError(err error) error {
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		return nil
	}
	return fmt.Errorf("write the report: %w", err)
}

// judge is how a command that has shown a summary ends: on what contradicts
// itself, then on the thresholds, and at last on whether anything came of it.
func judge(s *runner.Summary, gate runner.Gate) error {
	if n := len(s.Errors); n > 0 {
		more := ""
		if n > 1 {
			more = fmt.Sprintf(" (and %d more, see the report)", n-1)
		}
		return fmt.Errorf("the comparison has errors: %s%s", s.Errors[0], more)
	}
	if crossed := gate.Crossed(s); crossed != nil {
		return exitWith(exitCrossed, errors.New("--fail-if: "+strings.Join(crossed, "\n--fail-if: ")))
	}
	var idle []string
	for _, m := range s.Models {
		if m.Jobs.Undone > 0 && m.Jobs.Done == 0 {
			idle = append(idle, m.Model)
		}
	}
	if idle != nil && gate.AllowFailures < 1 {
		return fmt.Errorf("not one job was done by %s: see the report; --allow-failures=100%% is for jobs that are to fail", strings.Join(idle, ", "))
	}
	return nil
}

// reportCommand is `compare report`.
func (p *program) reportCommand() *cobra.Command {
	var format string
	var gate runner.Gate
	flags := append([]flag{formatFlag(&format, reportFormats()...)}, gateFlags(&gate)...)
	cmd := &cobra.Command{
		Use:   "report DIR",
		Short: "Show the results of a former comparison again",
		Long: `Show the results of a former comparison again, from its raw records.

Of a comparison that was killed, or met a full disk, it shows what had been recorded.`,
		Example: `  compare report results/2026-01-31T120000-record_event-1000jobs-4workers
  compare report DIR --format=markdown           # for a pull request
  compare report DIR --format=html >report.html  # one file with the plots, to mail
  compare report DIR --fail-if='p95 > 50ms'      # exit code 99 if it is so
  compare report DIR --baseline=OTHER --fail-if='hybrid.cpu > 1.1*baseline'`,
		ValidArgsFunction: completeResults,
		RunE: func(cmd *cobra.Command, args []string) error {
			problems := parse(cmd, flags)
			dir, more := p.oneResult(args)
			if err := p.usage(cmd, slices.Concat(problems, more, checkBaseline(gate))); err != nil {
				return err
			}
			p.giveUp() // there is nothing to finish: a signal ends it at once
			a, err := readRecords(dir)
			if err != nil {
				return err
			}
			s := &a.Summary
			draw := drawnFrom(a)
			if sampled(s) {
				if s, err = readSummary(dir); err != nil {
					return err
				}
				a.Summary = *s
				draw = drawnIn(dir) // those there were made of all records
			}
			if format == formatHTML {
				err = p.showPage(cmd.Context(), dir, a, draw)
			} else {
				err = p.writeSummary(s, format)
			}
			if err != nil {
				return err
			}
			return judge(s, gate)
		},
	}
	bind(cmd, flags)
	completeFlag(cmd, "format", completeReportFormats)
	completeGate(cmd)
	return cmd
}

// showPage writes the page of the results in a directory.
func (p *program) showPage(ctx context.Context, dir string, a *runner.Analysis, draw drawing) error {
	content, err := pageOf(ctx, dir, a, draw, true)
	if err != nil {
		return err
	}
	return outputError(content.Write(p.stdout))
}

// oneResult is the one results directory that the arguments must be.
func (p *program) oneResult(args []string) (dir string, problems []string) {
	switch {
	case len(args) > 1:
		return "", []string{fmt.Sprintf("%s: one directory at a time", strings.Join(args, " "))}
	case len(args) == 0:
		problem := "DIR is missing: the directory of a comparison's results"
		if newest := newestResult(); newest != "" {
			problem += "; the newest here is " + newest
		}
		return "", []string{problem}
	}
	return resultIn(args[0])
}

// resultIn is a directory that must hold results; its records may be named for it.
func resultIn(name string) (dir string, problems []string) {
	dir = name
	if filepath.Base(dir) == recordsName {
		dir = filepath.Dir(dir)
	}
	if _, err := os.Stat(filepath.Join(dir, recordsName)); err != nil {
		return "", []string{fmt.Sprintf("%s: holds no %s (%v): name a directory that a comparison wrote", name, recordsName, pathCause(err))}
	}
	return dir, nil
}

// newestResult is the results directory below the usual place whose name, which
// begins with its time, is the last; or "".
func newestResult() string {
	found, _ := filepath.Glob(filepath.Join(resultsRoot, "*", recordsName)) // the pattern is good
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(slices.Max(found))
}

// readRecords reads the records in a results directory.
func readRecords(dir string) (*runner.Analysis, error) {
	path := filepath.Join(dir, recordsName)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a, err := runner.Analyze(record.Read(f))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return advised(a), nil
}

// sampled reports whether a results directory holds only some of the records: a
// large simulation's. Then its numbers are in its summary.
func sampled(s *runner.Summary) bool {
	return s.Spec.Simulation != nil && s.Spec.Simulation.Sampled > 0
}

func readSummary(dir string) (*runner.Summary, error) {
	path := filepath.Join(dir, summaryName)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: of a simulation as large as this, %s holds a sample only", path, pathCause(err), recordsName)
	}
	s, err := runner.ReadSummary(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// completeResults completes the names of results directories.
func completeResults(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveFilterDirs
}
