package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"forkbench/plots"
	"forkbench/sim"
	"forkbench/whatif/capacity"
	"forkbench/whatif/predict"
	"forkbench/whatif/sweep"
)

// planCommand is `compare plan`.
func (p *program) planCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan --rate=RATE --p95=TIME",
		Short: "Size a fleet for a load and a latency",
		Long: `Size a fleet: for each model the fewest cores, with them the fewest workers, and
the memory, with which the latency stays below a limit at a load; and what the
next smaller size would do. Where no size is enough, it says what is short.

It simulates the models on the costs of a profile.`,
		Example: `  compare plan --rate=200/s --p95=2s
  compare plan --rate=2000/s --p99=500ms --profile=profile.json --cores-max=128
  compare plan --rate=50/s --p95=1s --model='prefork,hybrid,hybrid(jobs-per-child=10)' --job-time=40ms`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, problems := readPlan(cmd)
			if err := p.usage(cmd, append(problems, noArguments(cmd, args)...)); err != nil {
				return err
			}
			return p.plan(cmd.Context(), o)
		},
	}
	o := &planOptions{options: new(options)}
	bind(cmd, o.flags())
	completeSweep(cmd, o.flags())
	return cmd
}

// planOptions are what a plan was asked to do.
type planOptions struct {
	*options
	target     capacity.Target
	targets    []string // the flags that set it
	fixed      fixedValues
	profile    *sim.Profile
	from       string // where the profile came from
	workersMax int
	coresMax   int

	replications int
}

const groupLimits = "How far to go"

// flags lists the flags of a plan; parsing them fills o.
func (o *planOptions) flags() []flag {
	list := []flag{
		{group: groupAsk, name: sweep.ArrivalRate, value: "RATE", set: o.fixed.parser(sweep.Named(sweep.ArrivalRate)),
			usage: "jobs that come, at random: 200/s, 12/m"},
	}
	for _, q := range []string{"p50", "p95", "p99"} {
		list = append(list, flag{group: groupAsk, name: q, value: "TIME", set: o.setTarget(q),
			usage: "limit of the " + q + " of the latency, from due to finished"})
	}
	list = append(list, profileFlag(&o.profile, &o.from))
	for _, name := range []string{sweep.JobTime, sweep.OneTime, sweep.ParentMemory} {
		p := sweep.Named(name)
		list = append(list, flag{group: groupAsk, name: name, value: sweepValue(p.Kind), usage: sweepUsage[name], set: o.fixed.parser(p)})
	}
	list = append(list,
		flag{group: groupLimits, name: "workers-max", value: "N", def: "256", set: whole(&o.workersMax, 1, 10_000, ""),
			usage: "most workers to try"},
		flag{group: groupLimits, name: "cores-max", value: "N", def: "64", set: whole(&o.coresMax, 1, 10_000, ""),
			usage: "most cores to try"},
		flag{group: groupLimits, name: "replications", value: "N", def: "5", set: whole(&o.replications, 3, 1000, ""),
			usage: "of each simulation, with other random numbers; they make the intervals"})
	load := pick(o.loadFlags(), "model", "jobs")
	restate(load, "jobs", func(f *flag) { f.def, f.usage = "20000", "jobs of each replication" })
	return slices.Concat(list, load, pick(o.jobFlags(), "seed"), o.knobFlags(), o.directoryFlags(), pick(o.reportFlags(), "format"), pick(o.progressFlags(), "quiet"))
}

func (o *planOptions) setTarget(quantile string) func(string) error {
	return func(text string) error {
		o.targets = append(o.targets, quantile)
		limit := sweep.Parameter{Kind: sweep.Time, Least: 1e-3, Most: 24 * 3600 * 1000}
		ms, err := limit.Parse(text)
		o.target = capacity.Target{Quantile: quantile, LimitMS: ms}
		return err
	}
}

// readPlan parses and checks the flags of a plan. It returns all that is wrong
// with them.
func readPlan(cmd *cobra.Command) (*planOptions, []string) {
	o := &planOptions{options: new(options)}
	problems := o.read(cmd, o.flags())
	if !o.given[sweep.ArrivalRate] {
		problems = append(problems, "--rate is missing: how many jobs come, as in --rate=200/s")
	}
	switch len(o.targets) {
	case 0:
		problems = append(problems, "a limit is missing: what latency to keep, as in --p95=2s")
	case 1:
	default:
		problems = append(problems, fmt.Sprintf("--%s: one limit at a time", strings.Join(o.targets, ", --")))
	}
	for _, check := range []func() []string{o.settleContestants, o.checkOurs, o.checkKnobs, o.checkOut} {
		problems = append(problems, check()...)
	}
	return o, problems
}

const planName = "plan.json"

// planNames lists all files that a plan writes.
func planNames() []string {
	names := []string{planName, reportName}
	for _, stem := range plots.PlanNames() {
		for _, f := range plots.Formats() {
			names = append(names, stem+"."+string(f))
		}
	}
	return names
}

var _ answer = (*capacity.Result)(nil)

// plan makes a plan and shows it.
func (p *program) plan(ctx context.Context, o *planOptions) error {
	show := p.progress(o.quiet)
	in, ctx := watchSignals(ctx, p.signals, show.say, p.giveUp)
	defer in.close()

	found, err := o.find(ctx, show)
	show.close()
	if err != nil {
		return err
	}
	if found.Interrupted && !slices.ContainsFunc(found.Models, func(s capacity.Sizing) bool { return len(s.Trail) > 0 }) {
		return exitWith(exitInterrupted, errors.New("interrupted before anything was known"))
	}
	dir, err := resultsDir(o.options, p.now().Format("2006-01-02T150405")+"-plan", planNames())
	err = errors.Join(p.writeAnswer(found, o.format), err)
	if dir != "" {
		err = errors.Join(err, p.keepAnswer(dir, o.format, planName, found, func() ([]string, error) { return plots.WritePlan(dir, found) }))
	}
	if err == nil && found.Interrupted {
		err = exitWith(exitInterrupted, errors.New("interrupted: the report is about what was found until then"))
	}
	return err
}

// find sizes each model.
func (o *planOptions) find(ctx context.Context, show *progress) (*capacity.Result, error) {
	q := predict.Question{
		Profile: o.profile, Workers: 1, Cores: 1, Jobs: o.jobs, Seed: o.seed, Replications: o.replications,
	}
	if err := o.fixed.set(&q); err != nil {
		return nil, err
	}
	r := &capacity.Result{Spec: capacity.Spec{
		Target: o.target, WorkersMax: o.workersMax, CoresMax: o.coresMax, Profile: filepath.Base(o.from), ProfileName: q.Profile.Name,
		Jobs: q.Jobs, Replications: q.Replications, Seed: q.Seed,
	}, Warnings: q.Profile.Caveats()}
	for _, f := range o.fixed {
		if f.parameter.Name == sweep.ArrivalRate {
			r.Spec.Rate = f.x
		}
	}
	for i := range o.contestants {
		c := &o.contestants[i]
		e := c.model.build(&c.options)
		tries := 0
		plan := &capacity.Plan{
			Target: o.target, WorkersMax: o.workersMax, CoresMax: o.coresMax, Predict: capacity.Ask(q, e),
			Trying: func(s capacity.Size) {
				tries++
				show.step(fmt.Sprintf("%s (%d of %d models): simulating size %d: %s", c.name, i+1, len(o.contestants), tries, s))
			},
		}
		sizing, err := plan.Size(ctx, c.name, func(ctx context.Context, s capacity.Size) (capacity.Bottleneck, error) {
			q := q
			q.Workers, q.Cores, q.Models = s.Workers, s.Cores, []predict.Model{{Name: c.name, Executor: e}}
			return capacity.FindBottleneck(ctx, q)
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		r.Models = append(r.Models, sizing)
	}
	r.Interrupted = ctx.Err() != nil
	r.Conclude()
	return r, nil
}
