package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// plotCommand is `compare plot`.
func (p *program) plotCommand() *cobra.Command {
	var out string
	flags := []flag{{group: groupResult, name: "out", value: "DIR", set: text(&out, "--out=pictures"),
		usage: "where to put them (default DIR itself, in place of those there)"}}
	cmd := &cobra.Command{
		Use:   "plot DIR",
		Short: "Draw the plots of a former comparison again",
		Long:  "Draw the plots of a former comparison again, from its raw records: SVG and PNG.",
		Example: `  compare plot results/2026-01-31T120000-record_event-1000jobs-4workers
  compare plot DIR --out=pictures`,
		ValidArgsFunction: completeResults,
		RunE: func(cmd *cobra.Command, args []string) error {
			problems := parse(cmd, flags)
			dir, more := p.oneResult(args)
			if err := p.usage(cmd, append(problems, more...)); err != nil {
				return err
			}
			if out == "" {
				out = dir
			}
			p.giveUp() // there is nothing to finish: a signal ends it at once
			a, err := readRecords(dir)
			if err != nil {
				return err
			}
			if sampled(&a.Summary) {
				return fmt.Errorf("%s: holds a sample of the records only, as the simulation was large: the plots in it were made of all of them", dir)
			}
			if err := os.MkdirAll(out, 0o755); err != nil {
				return usagef(cmd.CommandPath(), "--out=%s: %v: name a directory that you may write to", out, pathCause(err))
			}
			names, err := p.draw(out, a)
			_, printed := io.WriteString(p.stdout, listing(out, names))
			if err != nil {
				return errors.Join(fmt.Errorf("draw the plots: %w", err), outputError(printed))
			}
			return outputError(printed)
		},
	}
	bind(cmd, flags)
	completeFlag(cmd, "out", completeDirectories)
	return cmd
}
