// Lazypool shows how to compare an execution model of your own: pool.go is the
// model, this file puts it beside two of forkbench's, on the same jobs.
//
//	go run ./examples/lazypool
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"forkbench/conditions"
	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/report"
	"forkbench/runner"
	"forkbench/stream"
	"forkbench/workload"
)

const (
	jobs    = 200
	rounds  = 3
	workers = 4
	seed    = 1
)

func main() {
	live.Main() // first of all: this program is its own guard, and more
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "lazypool:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	guard, err := live.StartGuard()
	if err != nil {
		return err
	}
	defer guard.Close()
	server, err := stream.Start(ctx, guard.Dir(), nil)
	if err != nil {
		return err
	}
	defer server.Close()

	work, err := workload.Parse("record_event")
	if err != nil {
		return err
	}
	arrivals, err := workload.ParseArrivals("poisson:100")
	if err != nil {
		return err
	}
	runtime := live.Python{}
	environment := conditions.Environment()
	environment.Redis, environment.ForkPrimitive, environment.Cgroup = server.Describe(), runtime.ForkPrimitive(), guard.Cgroup()

	backlog, err := runner.Enqueue(ctx, server, workload.Jobs(work, arrivals, seed, jobs))
	if err != nil {
		return err
	}
	defer backlog.Close()
	machine := backlog.Machine(&live.Machine{Workers: workers, Workload: work, Runtime: runtime, Server: server, Guard: guard})

	spec := record.Spec{
		Jobs: jobs, Workers: workers, Rounds: rounds, Seed: seed,
		Workload: work.Name(), Runtime: runtime.Name(), Arrivals: arrivals.String(),
	}
	var contestants []runner.Contestant
	for _, e := range []models.Executor{Pool{}, prefork.Model{}, forkperjob.Model{}} {
		spec.Models = append(spec.Models, record.Model{Name: e.Name()})
		contestants = append(contestants, runner.Contestant{Name: e.Name(), Executor: e, Machine: machine})
	}
	plan := runner.Plan{
		Header:      record.Header{Version: record.Version, Started: time.Now(), Spec: spec, Environment: environment},
		Contestants: contestants, Rounds: rounds,
	}
	found := runner.NewAggregator() // a file of records can be another sink
	if err := plan.Run(ctx, nil, found); err != nil {
		return err
	}
	return runner.WriteText(os.Stdout, &found.Analysis().Summary, report.TextOptions{})
}
