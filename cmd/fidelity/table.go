package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/whatif/calibrate"
)

// executor builds the model of a setting from its record.
func executor(m record.Model) (models.Executor, error) {
	number := func(knob string) int {
		n, _ := strconv.Atoi(m.Knobs[knob]) // written by measure
		return n
	}
	switch m.Kind() {
	case "prefork":
		return prefork.Model{MaxJobsPerChild: number("max-jobs-per-child")}, nil
	case "forkperjob":
		return forkperjob.Model{}, nil
	case "hybrid":
		return hybrid.Model{JobsPerChild: number("jobs-per-child")}, nil
	}
	return nil, fmt.Errorf("unknown model %q", m.Kind())
}

// first reports whether a setting is in the half that the profile is made from: of
// each model every other number of workers, and of each knob the least value. With
// prefork that is 1: what a child's socket costs is told from what it costs to run
// on by children that have one and run one job.
func first(r *calibrate.Round) bool {
	workers := map[int]int{2: 0, 4: 1, 8: 2}[r.Header.Spec.Workers]
	switch r.Round.Model {
	case "prefork", "forkperjob":
		return workers%2 == 0
	case "hybrid":
		return workers%2 == 1
	case "prefork(max-jobs-per-child=1)", "hybrid(jobs-per-child=10)":
		return true
	}
	return false
}

func table(ctx context.Context, dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*", "records.jsonl"))
	if err != nil {
		return err
	}
	slices.Sort(paths)
	byWorkload := make(map[string][]*calibrate.Round)
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		rounds, err := calibrate.Read(filepath.Dir(path), record.Read(f))
		_ = f.Close() // it was only read
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, r := range rounds {
			w := r.Header.Spec.Workload
			byWorkload[w] = append(byWorkload[w], r)
		}
	}
	var all []calibrate.Row
	left := 0
	for _, g := range guesses {
		var half, other []*calibrate.Round
		for _, r := range byWorkload[g.name] {
			if first(r) {
				half = append(half, r)
			} else {
				other = append(other, r)
			}
		}
		if half == nil || other == nil {
			continue
		}
		o := calibrate.Options{Executor: executor}
		made, err := calibrate.Profile(ctx, half, o)
		if err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		rows, excluded, err := calibrate.Validate(ctx, made.Profile, other, o)
		if err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		left += len(excluded) + len(made.Excluded)
		calibrate.Sort(rows)
		all = append(all, rows...)
	}
	fmt.Println("| workload | model | workers | jobs | throughput /s | predicted | error | CPU ms/job | predicted | error | p95 error | PSS error |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, r := range all {
		cell := map[string]calibrate.Metric{}
		for _, m := range r.Metrics {
			cell[m.Name] = m
		}
		t, c := cell[calibrate.Throughput], cell[calibrate.CPUPerJob]
		fmt.Printf("| %s | %s | %d | %d | %.4g | %.4g | %+.1f %% | %.4g | %.4g | %+.1f %% | %+.1f %% | %+.1f %% |\n", r.Workload, r.Model, r.Workers, r.Jobs,
			t.Measured, t.Predicted, t.Error, c.Measured, c.Predicted, c.Error, cell[calibrate.P95].Error, cell[calibrate.PeakPSS].Error)
	}
	fmt.Printf("\n%d rounds left out as contaminated.\n\n", left)
	for _, s := range calibrate.Summarize(all) {
		fmt.Printf("%s: median absolute error %.1f %%, worst %+.1f %% (%s), %d settings\n", s.Metric, s.Median, s.Worst, s.Where, s.Settings)
	}
	return nil
}
