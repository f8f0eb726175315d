package main

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const rootLong = `Compare execution models for background jobs: the same jobs, from one Redis
stream, run by real processes, in rounds by turns.

  prefork     a pool of children, each running many jobs (Celery)
  forkperjob  a child for each job (RQ)
  hybrid      a child for each job, forked from a warm parent

The first line of the output is the verdict; a table, plots and the raw records
follow.`

const rootExample = `  # Three models, 1000 jobs, until their ratios are known to ±10 %, nothing to install:
  compare

  # Your own function, and the one-time work to do before hybrid forks:
  compare --workload=py:app.tasks:record_event --warm=app.tasks:warm_up \
      --payload=events.jsonl --python=.venv/bin/python --path=.

  # Two models under a steady load:
  compare --model=prefork,hybrid --workload=cpu:2ms --arrivals=poisson:200/s

  # In CI: exit code 99 if hybrid is not worth it:
  compare --fail-if='hybrid.throughput < 2*forkperjob.throughput'

  # What can be measured on this machine, and how to get what cannot:
  compare doctor`

const exitCodes = `
Exit codes:
  0    done; jobs may have failed: see --fail-if='failed > 0'
  1    failed, a model did none of its jobs, or the results contradict themselves
  2    the command line is wrong
  3    this machine lacks something; it says what, and how to get it
  99   a --fail-if threshold was crossed
  130  interrupted; the report is about what was measured until then
`

// helpWidth is the columns that help fits in.
const helpWidth = 100

// help is the help of every command: what it does, examples, then the flags by
// group.
func (p *program) help(cmd *cobra.Command, _ []string) {
	var b bytes.Buffer
	about := cmd.Long
	if about == "" {
		about = cmd.Short
	}
	fmt.Fprintf(&b, "%s\n", strings.TrimSpace(about))
	if cmd.Example != "" {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", strings.TrimRight(cmd.Example, "\n"))
	}
	fmt.Fprintf(&b, "\nUsage:\n")
	if cmd.Runnable() {
		fmt.Fprintf(&b, "  %s\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND\n\nCommands:\n", cmd.CommandPath())
		width := 0
		for _, c := range cmd.Commands() {
			width = max(width, len(c.Use))
		}
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-*s  %s\n", width, c.Use, c.Short)
			}
		}
	}
	writeFlags(&b, cmd)
	if !cmd.HasParent() {
		b.WriteString(exitCodes)
	}
	_, _ = p.stdout.Write(b.Bytes()) // there is nobody else to tell
}

// writeFlags writes the flags of a command under their headings.
func writeFlags(b *bytes.Buffer, cmd *cobra.Command) {
	var groups []string
	lines := make(map[string][][2]string)
	width := 0
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		group := groupOther
		if g := f.Annotations[groupKey]; g != nil {
			group = g[0]
		}
		if lines[group] == nil {
			groups = append(groups, group)
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		text, isOurs := f.Value.(*texts)
		if isOurs && text.value != "" {
			name += "=" + text.value
		}
		usage := f.Usage
		if isOurs && f.DefValue != "" {
			usage += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		lines[group] = append(lines[group], [2]string{name, usage})
		width = max(width, len(name))
	})
	for _, group := range groups {
		fmt.Fprintf(b, "\n%s:\n", group)
		for _, line := range lines[group] {
			wrap(b, fmt.Sprintf("  %-*s  ", width, line[0]), line[1])
		}
	}
}

// wrap writes words after a beginning, with the following lines indented as deep.
func wrap(b *bytes.Buffer, begin, text string) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(begin))
	line, empty := begin, true
	for word := range strings.FieldsSeq(text) {
		switch {
		case empty:
			line, empty = line+word, false
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > helpWidth:
			fmt.Fprintln(b, line)
			line = indent + word
		default:
			line += " " + word
		}
	}
	fmt.Fprintln(b, line)
}
