package main

import (
	"strings"

	"github.com/spf13/cobra"

	"forkbench/workload"
)

// complete tells the shell what the root command's flags can be.
func complete(root *cobra.Command) { completeFlags(root, flagsOf(new(options))) }

// completeFlags tells the shell what a command's flags can be.
func completeFlags(cmd *cobra.Command, flags []flag) {
	var workloads []cobra.Completion
	for _, d := range workload.Builtin() {
		workloads = append(workloads, cobra.CompletionWithDesc(d.Example, d.Doc))
	}
	known := map[string]cobra.CompletionFunc{
		"model":    completeModels,
		"workload": cobra.FixedCompletions(workloads, cobra.ShellCompDirectiveNoFileComp),
		"arrivals": completeArrivals,
		"format":   completeFormats,
		"path":     completeDirectories,
		"out":      completeDirectories,
		"payload":  completeFiles,
		"baseline": completeFiles,
		"python":   completeFiles,
		"profile":  completeFiles,
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

func completeFlag(cmd *cobra.Command, name string, how cobra.CompletionFunc) {
	// It fails for a flag that does not exist or has one already: a test would.
	_ = cmd.RegisterFlagCompletionFunc(name, how)
}

func completeFiles(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

func completeDirectories(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completeModels completes the last name of a list.
func completeModels(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	head := ""
	if i := strings.LastIndexByte(typed, ','); i >= 0 {
		head = typed[:i+1]
	}
	var list []cobra.Completion
	for _, m := range knownModels() {
		if !strings.Contains(","+head, ","+m.name+",") {
			list = append(list, cobra.CompletionWithDesc(head+m.name, m.doc))
		}
	}
	if head == "" {
		list = append(list, cobra.CompletionWithDesc(allModels, "all but celery and rq"))
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}

// completeArrivals completes a plan's name, and the file of a trace.
func completeArrivals(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if strings.HasPrefix(typed, "trace:") || strings.HasPrefix(typed, "jobs:") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return []cobra.Completion{
		cobra.CompletionWithDesc("burst", "all due at once"),
		cobra.CompletionWithDesc("rate:", "jobs per second, evenly, as in rate:200/s"),
		cobra.CompletionWithDesc("poisson:", "jobs per second on average, as in poisson:200/s"),
		cobra.CompletionWithDesc("trace:", "the times in a file"),
		cobra.CompletionWithDesc("jobs:", "when the jobs of a job file were enqueued"),
	}, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

func completeReportFormats(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return reportFormats(), cobra.ShellCompDirectiveNoFileComp
}

func completeFormats(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return formats(), cobra.ShellCompDirectiveNoFileComp
}
