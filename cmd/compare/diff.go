package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"forkbench/runner"
)

const diffLong = `Say what changed between two runs of the same jobs: for each model what became of
them, and each figure before and now, with the interval of its change.

Runs of other jobs, and those whose numbers must not be used, are refused. Where the
machine, the Python or a setting is another one, the first line says so: the change may
be due to that. Docs: docs/diff.md.`

// diffCommand is `compare diff`.
func (p *program) diffCommand() *cobra.Command {
	var format string
	var gate runner.Gate
	flags := []flag{formatFlag(&format, diffFormats()...), failIfFlag(&gate.Thresholds), allowFailuresFlag(&gate.AllowFailures)}
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say what changed between two runs",
		Long:  diffLong,
		Example: `  compare diff results/before results/after
  compare diff results/before results/after --format=markdown  # for a pull request
  compare diff results/before results/after --fail-if='hybrid.cpu > 1.1*baseline'  # which is OLD`,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 1 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			problems := parse(cmd, flags)
			dirs, more := twoResults(args)
			if err := p.usage(cmd, slices.Concat(problems, more)); err != nil {
				return err
			}
			p.giveUp() // there is nothing to finish: a signal ends it at once
			var runs [2]runner.DiffRun
			for i, dir := range dirs {
				a, err := readRecords(dir)
				if err != nil {
					return err
				}
				runs[i] = runner.DiffRun{Name: dir, Analysis: a}
			}
			d := runner.NewDiff(runs[0], runs[1])
			if err := p.writeDiff(d, format); err != nil {
				return err
			}
			gate.Baseline = &runner.Baseline{Name: dirs[0], Summary: &runs[0].Analysis.Summary}
			if crossed := gate.Crossed(&runs[1].Analysis.Summary); crossed != nil {
				return exitWith(exitCrossed, errors.New("--fail-if: "+strings.Join(crossed, "\n--fail-if: ")))
			}
			if len(d.Refused) > 0 {
				return fmt.Errorf("%s and %s cannot be compared: %s", dirs[0], dirs[1], d.Refused[0])
			}
			return nil
		},
	}
	bind(cmd, flags)
	completeFlag(cmd, "format", cobra.FixedCompletions(diffFormats(), cobra.ShellCompDirectiveNoFileComp))
	completeGate(cmd)
	return cmd
}

// diffFormats are those of diff.
func diffFormats() []string { return []string{formatText, formatJSON, formatMarkdown} }

// twoResults is the two results directories that the arguments must be.
func twoResults(args []string) (dirs []string, problems []string) {
	if len(args) != 2 {
		return nil, []string{fmt.Sprintf("%d directories: diff takes two, the old results and the new ones", len(args))}
	}
	for _, arg := range args {
		dir, more := resultIn(arg)
		dirs, problems = append(dirs, dir), append(problems, more...)
	}
	return dirs, problems
}

func (p *program) writeDiff(d *runner.Diff, format string) error {
	switch format {
	case formatJSON:
		return outputError(d.WriteJSON(p.stdout))
	case formatMarkdown:
		return outputError(d.WriteMarkdown(p.stdout))
	default:
		return outputError(d.WriteText(p.stdout, p.textOptions()))
	}
}
