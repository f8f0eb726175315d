package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"forkbench/runner"
)

// gateFlags are those of what a comparison must pass.
func gateFlags(gate *runner.Gate) []flag {
	return []flag{failIfFlag(&gate.Thresholds), allowFailuresFlag(&gate.AllowFailures), baselineFlag(&gate.Baseline)}
}

func failIfFlag(to *[]runner.Threshold) flag {
	return flag{group: groupResult, name: "fail-if", value: "EXPR", repeat: true,
		usage: "end with code 99 if it holds: p95>50ms, 'hybrid.throughput < 2*forkperjob.throughput', failed>0; repeatable",
		set: func(text string) error {
			t, err := runner.ParseThreshold(text)
			if err != nil {
				return inner(err)
			}
			*to = append(*to, t)
			return nil
		}}
}

func allowFailuresFlag(to *float64) flag {
	return flag{group: groupResult, name: "allow-failures", value: "SHARE", def: "0", set: part(to),
		usage: "of a model's jobs that need not be done, 5% or 0.05, say: without it no --fail-if lets a model with undone jobs pass"}
}

const baselineName = "baseline"

func baselineFlag(to **runner.Baseline) flag {
	return flag{group: groupResult, name: baselineName, value: "DIR",
		usage: "a former run that --fail-if may compare with, as in 'hybrid.cpu > 1.1*baseline': its directory, or its " + summaryName,
		set: func(name string) (err error) {
			*to, err = readBaseline(name)
			return err
		}}
}

// readBaseline reads a former run's summary: the file, or that of its directory, or what
// its records come to where there is none.
func readBaseline(name string) (*runner.Baseline, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("%w: name a directory that a comparison wrote, or a %s", pathCause(err), summaryName)
	}
	path := name
	if info.IsDir() {
		path = filepath.Join(name, summaryName)
	}
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		a, err := readRecords(name)
		if err != nil {
			return nil, fmt.Errorf("holds no %s, and of %s: %w", summaryName, recordsName, pathCause(err))
		}
		return &runner.Baseline{Name: name, Summary: &a.Summary}, nil
	}
	if err != nil {
		return nil, pathCause(err)
	}
	s, err := runner.ReadSummary(text)
	if err != nil || s.Version != runner.SummaryVersion {
		return nil, fmt.Errorf("is not a %s of this program (version %d): make it again by `compare report DIR --format=json`", summaryName, runner.SummaryVersion)
	}
	return &runner.Baseline{Name: name, Summary: s}, nil
}

// checkBaseline refuses a threshold on a baseline where there is none, and a baseline
// that no threshold looks at.
func checkBaseline(gate runner.Gate) (problems []string) {
	used := false
	for _, t := range gate.Thresholds {
		used = used || t.Baseline()
		if t.Baseline() && gate.Baseline == nil {
			problems = append(problems, fmt.Sprintf("--fail-if=%s: compares with a former run: name it by --baseline=DIR", t))
		}
	}
	if gate.Baseline != nil && !used {
		problems = append(problems, fmt.Sprintf("--baseline=%s: is for --fail-if, as in --fail-if='cpu > 1.1*baseline'; `compare diff` shows what changed", gate.Baseline.Name))
	}
	return problems
}

// completeGate tells the shell what the flags can be.
func completeGate(cmd *cobra.Command) {
	completeFlag(cmd, "fail-if", cobra.NoFileCompletions)
	completeFlag(cmd, "allow-failures", cobra.NoFileCompletions)
	completeFlag(cmd, baselineName, completeFiles)
}
