// Command fidelity measures how well the simulator predicts this machine: it
// runs a grid of live settings, calibrates a profile for each workload from one
// half of them, and predicts the other half.
//
//	go run ./cmd/fidelity measure --out=DIR            # about 18 minutes
//	go run ./cmd/fidelity measure --out=DIR --part=1/4 # a part of a pass
//	go run ./cmd/fidelity table DIR                    # from the records, at once
//
// A measurement is passes over the whole grid rather than rounds of each
// setting, so that a slow minute of the machine is not one setting's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"forkbench/live"
	"forkbench/record"
	"forkbench/runner"
	"forkbench/stream"
	"forkbench/workload"
)

func main() {
	live.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fidelity:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: fidelity measure --out=DIR [--pass=N] [--part=K/N] | fidelity table DIR")

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	flags := flag.NewFlagSet("fidelity", flag.ContinueOnError)
	out := flags.String("out", "", "the directory for the records")
	pass := flags.Int("pass", -1, "one pass only, from 0; all of them if it is -1")
	part := flags.String("part", "1/1", "a part of the grid only: 2/4 is the second quarter")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	var k, n int
	if _, err := fmt.Sscanf(*part, "%d/%d", &k, &n); err != nil || k < 1 || n < k {
		return fmt.Errorf("--part=%s: must be K/N, as in 2/4", *part)
	}
	switch {
	case args[0] == "measure" && *out != "" && flags.NArg() == 0:
		for p := range passes {
			if *pass < 0 || *pass == p {
				if err := measure(ctx, *out, p, k, n); err != nil {
					return err
				}
			}
		}
		return nil
	case args[0] == "table" && flags.NArg() == 1:
		return table(ctx, flags.Arg(0))
	}
	return errUsage
}

const passes = 5

// measure makes part k of n of one pass: a round of each setting.
func measure(ctx context.Context, out string, pass, k, n int) (err error) {
	defer live.LeaveCores()()
	guard, err := live.StartGuard()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, guard.Close()) }()
	server, err := stream.Start(ctx, guard.Dir(), zap.NewNop())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	for i, s := range grid() {
		if i%n != k-1 {
			continue
		}
		began := time.Now()
		if err := s.measure(ctx, guard, server, out, pass); err != nil {
			return fmt.Errorf("%s: %w", s.name(), err)
		}
		fmt.Fprintf(os.Stderr, "%-50s %6d jobs %5.1f s\n", s.name(), s.jobs, time.Since(began).Seconds())
	}
	return nil
}

const seed = 1

// measure runs one round and writes its records.
func (s *setting) measure(ctx context.Context, guard *live.Guard, server *stream.Server, out string, pass int) (err error) {
	w, err := workload.Parse(s.workload)
	if err != nil {
		return err
	}
	machine := &live.Machine{Workers: s.workers, Workload: w, Runtime: live.Python{}, Server: server, Guard: guard}
	burst, err := workload.ParseArrivals("burst")
	if err != nil {
		return err
	}
	backlog, err := runner.Enqueue(ctx, server, workload.Jobs(w, burst, seed, s.jobs))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, backlog.Close()) }()

	dir := filepath.Join(out, fmt.Sprintf("%s-%d", s.name(), pass))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(dir, "records.jsonl"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sink := record.NewWriter(file)
	defer func() { err = errors.Join(err, sink.Flush()) }()

	plan := runner.Plan{Rounds: passes, Contestants: []runner.Contestant{{Name: s.model.Name, Executor: s.executor}}}
	plan.Describe(machine, live.Application{}, runner.Load{Jobs: s.jobs, Arrivals: burst, Seed: seed})
	h := plan.Header
	h.Spec.Models = []record.Model{s.model}
	if err := sink.Write(&h); err != nil {
		return err
	}
	done, err := backlog.Machine(machine).Run(ctx, s.executor, runner.Turn{Round: pass, Model: s.model.Name, Sink: sink})
	if err != nil {
		return err
	}
	return sink.Write(done)
}
