package main

import (
	"bytes"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"forkbench/workload"
)

// workloadsCommand is `compare workloads`.
func (p *program) workloadsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "workloads",
		Short: "List the workloads",
		Long:  "List what jobs can do: the values of --workload. Capitals stand for what you choose.",
		Example: `  compare workloads
  compare --workload=cpu:10ms
  compare --workload=90%cpu:1ms,10%cpu:50ms`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.usage(cmd, noArguments(cmd, args)); err != nil {
				return err
			}
			var b bytes.Buffer
			table := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
			for _, d := range workload.Builtin() {
				example := ""
				if d.Example != d.Name {
					example = "; as in " + d.Example
				}
				_, _ = fmt.Fprintf(table, "%s\t%s%s\n", d.Name, d.Doc, example) // Flush tells
			}
			if err := table.Flush(); err != nil {
				return err
			}
			_, err := p.stdout.Write(b.Bytes())
			return outputError(err)
		},
	}
}
