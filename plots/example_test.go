package plots_test

import (
	"fmt"
	"os"

	"forkbench/plots"
	"forkbench/record"
	"forkbench/runner"
)

func analysis() *runner.Analysis {
	return &runner.Analysis{Summary: runner.Summary{
		Spec: record.Spec{Workload: "noop", Jobs: 1000, Workers: 4, Rounds: 3},
		Models: []runner.ModelSummary{
			{Model: "prefork", Rounds: 3, DonePerS: runner.Interval{Median: 2230}},
			{Model: "forkperjob", Rounds: 3, DonePerS: runner.Interval{Median: 62}},
		},
	}}
}

func ExampleWrite() {
	dir, err := os.MkdirTemp("", "plots")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	names, err := plots.Write(dir, analysis())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(names), "files, the first is", names[0])
	// Output: 16 files, the first is throughput.svg
}

func ExampleAll() {
	for _, p := range plots.All() {
		fmt.Printf("%-15s %s\n", p.Name, p.Title)
	}
	// Output:
	// throughput      Throughput
	// lifecycle       Life cycle: the first jobs of each model
	// phases          Where a job's time goes
	// cpu             CPU per job, by who used it
	// cpu-mode        CPU per job, user and system
	// latency         Latency
	// memory          Memory over time
	// throughput-time Throughput over time
}
