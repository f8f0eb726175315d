package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"go.uber.org/zap"

	"forkbench/live"
	"forkbench/models"
	"forkbench/record"
	"forkbench/stream"
	"forkbench/workload"
)

// Options are what [Live] is to compare. Only Models must be given.
type Options struct {
	Models []models.Executor // no two with the same name: see Named

	Workload string   // as --workload has it; "" is record_event
	Payloads [][]byte // a job's arguments each, as JSON, by turns; nil is what the workload brings along
	Arrivals string   // as --arrivals has it; "" is burst
	Jobs     int      // that each model runs in each round; 0 is 1000
	Workers  int      // jobs that may run at once; 0 is 4
	Seed     uint64   // of the jobs' random parts

	Rounds int    // of each model; 0 is 3. With Until the least of them
	Until  *Until // nil is exactly so many rounds

	Runtime live.Runtime // what jobs run in, and what is done for them; nil is live.Python{}
	Redis   string       // the server's URL; "" is a private one

	// RedisPatience is how long Redis may be away before the comparison is given up; 0
	// is a minute. Log is told of it.
	RedisPatience time.Duration

	Records record.Sink // gets the raw records, too, in their order; may be nil
	Log     *zap.Logger // may be nil
}

// Named is the executor with another name, so that it can be compared with itself,
// set otherwise.
func Named(name string, e models.Executor) models.Executor { return renamed{e, name} }

type renamed struct {
	models.Executor
	name string
}

func (n renamed) Name() string { return n.name }

func (n renamed) JobsApart() bool { return models.JobsApart(n.Executor) }

func (o Options) withDefaults() Options {
	o.Workload, o.Arrivals = cmp.Or(o.Workload, workload.Default), cmp.Or(o.Arrivals, "burst")
	o.Jobs, o.Workers, o.Rounds = cmp.Or(o.Jobs, 1000), cmp.Or(o.Workers, 4), cmp.Or(o.Rounds, 3)
	o.RedisPatience = cmp.Or(o.RedisPatience, time.Minute)
	if o.Runtime == nil {
		o.Runtime = live.Python{}
	}
	return o
}

// Live compares models on this computer: the same jobs for each, by real processes,
// from one Redis stream. It needs [live.Main] to be the first call of the program's
// main, and takes one comparison at a time.
//
// What was measured is returned with an error, too, as far as there is anything: a
// model that could not go on does not keep the others from their turns. When ctx is
// cancelled, every process is killed. No process is left when it returns.
func Live(ctx context.Context, o Options) (found *Analysis, err error) {
	o = o.withDefaults()
	work, err := workload.Parse(o.Workload)
	if err != nil {
		return nil, err
	}
	work = workload.WithPayloads(work, o.Payloads)
	arrivals, err := workload.ParseArrivals(o.Arrivals)
	if err != nil {
		return nil, err
	}
	if err := o.check(arrivals); err != nil {
		return nil, err
	}

	guard, err := live.StartGuard()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, guard.Close()) }()
	server, err := o.server(ctx, guard)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	machine := &live.Machine{Workers: o.Workers, Workload: work, Runtime: o.Runtime, Server: server, Guard: guard, Log: o.Log}
	application, err := machine.Check(ctx)
	if err != nil {
		return nil, err
	}
	backlog, err := Enqueue(ctx, server, workload.Jobs(work, arrivals, o.Seed, o.Jobs))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, backlog.Close()) }()

	sums := NewAggregator()
	plan := Plan{Rounds: o.Rounds, Until: o.Until, Sums: sums}
	for _, e := range o.Models {
		plan.Contestants = append(plan.Contestants, Contestant{Name: e.Name(), Executor: e, Machine: backlog.Machine(machine)})
	}
	plan.Describe(machine, application, Load{o.Jobs, arrivals, o.Seed})
	err = plan.Run(ctx, nil, both{sums, o.Records})
	return sums.Analysis(), err
}

// check says what is wrong with what was asked for.
func (o *Options) check(arrivals workload.Arrivals) error {
	switch u := o.Until; {
	case len(o.Models) == 0:
		return errors.New("no models: at least one must be given")
	case o.Jobs < 1, o.Workers < 1, o.Rounds < 1:
		return fmt.Errorf("%d jobs, %d workers, %d rounds: each must be at least 1", o.Jobs, o.Workers, o.Rounds)
	case u == nil:
	case math.IsNaN(u.HalfWidth), u.HalfWidth <= 0, u.HalfWidth >= 1:
		return fmt.Errorf("until ±%v: must be more than 0 and less than 1, as in 0.1", u.HalfWidth)
	case arrivals.String() != "burst":
		return fmt.Errorf("until ±%v: is for jobs that are all due at once, and those of %s come over time: give Rounds only", u.HalfWidth, arrivals)
	}
	names := make(map[string]bool)
	for _, e := range o.Models {
		if names[e.Name()] {
			return fmt.Errorf("two models are called %s: give one of them another name with Named", e.Name())
		}
		names[e.Name()] = true
	}
	return nil
}

func (o *Options) server(ctx context.Context, guard *live.Guard) (server *stream.Server, err error) {
	if o.Redis == "" {
		server, err = stream.Start(ctx, guard.Dir(), o.Log)
	} else {
		server, err = stream.Connect(ctx, o.Redis)
	}
	if err != nil {
		return nil, err
	}
	var tell func(string)
	if o.Log != nil {
		tell = func(text string) { o.Log.Warn(text) }
	}
	server.SetPatience(o.RedisPatience, tell)
	return server, nil
}

// both is a sink that hands each line to two others, the second of which may be nil.
type both [2]record.Sink

func (b both) Write(l record.Line) error {
	if err := b[0].Write(l); err != nil || b[1] == nil {
		return err
	}
	return b[1].Write(l)
}
