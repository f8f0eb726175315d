package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"forkbench/internal/format"
	"forkbench/record"
	"forkbench/runner"
	"forkbench/sim"
	"forkbench/whatif/predict"
)

// The headings of simulate's own flags in the help.
const (
	groupMachine = "The simulated machine"
	groupAnswer  = "The answer"
)

// A simulation is what `compare simulate` was asked.
type simulation struct {
	options
	profile      *sim.Profile
	from         string // where the profile came from
	cores        int
	replications int // 0 for a number that fits
	until        float64
}

// simulateFlags lists the flags of `compare simulate`: those of a comparison that
// make sense without processes, and its own.
func simulateFlags(o *simulation) []flag {
	load := pick(o.loadFlags(), "model", "arrivals", "jobs", "workers")
	restate(load, "jobs", func(f *flag) {
		f.set, f.usage = whole(&o.jobs, 1, maxJobs, ""), "jobs that each model runs in each replication"
	})
	restate(load, "workers", func(f *flag) { f.set = whole(&o.workers, 1, sim.MaxWorkers, ": each takes some kilobytes") })
	job := pick(o.jobFlags(), "seed", "timeout")
	restate(job, "seed", func(f *flag) { f.usage = "of all that is random: the same seed gives the same numbers" })
	answer := slices.Concat(o.replicationFlags(), o.directoryFlags(), o.reportFlags())
	for i := range answer {
		answer[i].group = groupAnswer
	}
	machine := []flag{
		{group: groupMachine, name: "cores", value: "N", def: "4", set: whole(&o.cores, 1, sim.MaxCores, ""),
			usage: "its cores, which everything on it shares"},
		profileFlag(&o.profile, &o.from),
	}
	return slices.Concat(machine, load, job, answer, o.knobFlags(), pick(o.progressFlags(), "quiet"))
}

// replicationFlags say how often.
func (o *simulation) replicationFlags() []flag {
	set := whole(&o.replications, 1, maxRounds, "")
	return []flag{
		{name: "replications", value: "N", set: set,
			usage: fmt.Sprintf("times that each model runs all jobs, with other random numbers each time (default %d, or from %d on as few"+
				" as come to %d jobs)", mostDefault, leastDefault, simulatedJobs)},
		{name: "until", value: "SHARE", set: share(&o.until),
			usage: fmt.Sprintf("go on until each interval is within such a share of its value: 2%%, say; %d replications at most",
				predict.DefaultMaxReplications)},
		{name: "rounds", value: "N", set: set, usage: "the same as --replications"},
	}
}

// The default number of replications.
const (
	simulatedJobs = 3_000_000 // of all models and replications together
	mostDefault   = 10
	leastDefault  = 3
)

const simulateLong = `Run models on a machine that you do not have: in virtual time, with any number
of cores and workers, by what things cost according to a profile.

The jobs are the profile's. A model's code is the same that runs on real
processes. Replications have other random numbers, but each the same for every
model; intervals are taken across them. Where jobs keep coming (--arrivals=rate
or poisson) the warm-up is cut off, and a load above capacity is said to be one.`

const simulateExample = `  compare simulate --model=all --jobs=1000000 --workers=64 --cores=32
  compare simulate --arrivals=poisson:2000/s --workers=16 --cores=8 --jobs=50000
  compare simulate --profile=redash --model='forkperjob,forkperjob(warm),hybrid,prefork'
  compare simulate --profile=mine.json --until=2%       # see compare calibrate`

// simulateCommand is `compare simulate`.
func (p *program) simulateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "simulate",
		Short:   "Run the models on a simulated machine",
		Long:    simulateLong,
		Example: simulateExample,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, problems := readSimulation(cmd)
			if err := p.usage(cmd, append(noArguments(cmd, args), problems...)); err != nil {
				return err
			}
			return p.compare(cmd.Context(), &o.options,
				func(ctx context.Context, in *interrupts, _ *options, show *progress) (measured, error) {
					return p.simulate(ctx, in, o, show)
				})
		},
	}
	flags := simulateFlags(new(simulation))
	bind(cmd, flags)
	completeFlags(cmd, flags)
	return cmd
}

// readSimulation parses and checks the flags of a simulation.
func readSimulation(cmd *cobra.Command) (*simulation, []string) {
	o := new(simulation)
	problems := o.read(cmd, simulateFlags(o))
	for _, check := range []func() []string{o.settleContestants, o.checkOurs, o.checkKnobs, o.checkWarm, o.checkRest, o.checkOut} {
		problems = append(problems, check()...)
	}
	if o.given["rounds"] && o.given["replications"] && o.texts["rounds"] != o.texts["replications"] {
		problems = append(problems, fmt.Sprintf("--rounds=%s: is the same as --replications=%s: give one of them", o.texts["rounds"], o.texts["replications"]))
	}
	if o.replications == 0 {
		o.replications = min(max(simulatedJobs/max(o.jobs*len(o.contestants), 1), leastDefault), mostDefault)
	}
	return o, problems
}

// checkWarm refuses names of one-time work: what there is to warm is in the
// profile.
func (o *simulation) checkWarm() (problems []string) {
	for _, c := range o.contestants {
		if c.sets(warmKnob) {
			problems = append(problems, fmt.Sprintf("--model=%s: warm=%s: what there is to warm is in the profile: leave out the value",
				shorten(c.name, 80), strings.Join(c.options.warm, ",")))
		}
	}
	return problems
}

// question is what the simulated machine is asked.
func (o *simulation) question() predict.Question {
	q := predict.Question{
		Profile: o.profile, Workers: o.workers, Cores: o.cores, Timeout: o.timeout,
		Arrivals: o.arrivals, Jobs: o.jobs, Seed: o.seed, Replications: o.replications, Until: o.until,
	}
	for i := range o.contestants {
		c := &o.contestants[i]
		q.Models = append(q.Models, predict.Model{Name: c.name, Executor: c.model.build(&c.options)})
	}
	return q
}

// most is how many replications there may be.
func (o *simulation) most() int {
	if o.until > 0 {
		return max(o.replications, predict.DefaultMaxReplications)
	}
	return o.replications
}

// simulate asks the simulated machine. What it returns is good also with an
// error, as far as it came.
func (p *program) simulate(ctx context.Context, in *interrupts, o *simulation, show *progress) (m measured, err error) {
	if m.dir, err = makeResults(&o.options, "simulated-"+strings.TrimSuffix(filepath.Base(o.from), ".json"), p.now()); err != nil {
		return m, err
	}
	path := filepath.Join(m.dir, recordsName)
	file, err := p.create(path)
	if err != nil {
		return m, exitWith(exitUsage, fmt.Errorf("%w: name a directory that you may write to with --out", err))
	}
	header := o.header(p.now())
	rec := &replications{
		sums: runner.NewAggregator(), file: &inOrder{out: file}, sampled: header.Spec.Simulation.Sampled,
		all: int64(o.jobs) * int64(len(o.contestants)) * int64(o.replications), began: p.now(), now: p.now,
	}
	defer func() {
		lost := rec.file.close()
		if e := file.Close(); lost == nil {
			lost = e
		}
		if lost != nil {
			err = errors.Join(err, fmt.Errorf("write %s: %w", path, pathCause(lost)))
		}
		m.analysis = advised(rec.sums.Analysis())
	}()
	if err := rec.write(&header); err != nil {
		return m, err
	}

	in.begin()
	defer in.end()
	show.watch(rec.status)
	q := o.question()
	q.Stop, q.Sink = in.stop, rec.sink
	a, err := predict.Run(ctx, q)
	if a == nil {
		return m, err
	}
	for i := range a.Models {
		err = errors.Join(err, rec.write(a.Models[i].Record()))
	}
	return m, err
}

// header says what was asked.
func (o *simulation) header(now time.Time) record.Header {
	h := record.Header{Version: record.Version, Started: now, Environment: record.Environment{
		OS: runtime.GOOS + "/" + runtime.GOARCH, CPU: "a simulated machine", Cores: o.cores, Go: runtime.Version(),
	}}
	h.Spec = record.Spec{
		Jobs: o.jobs, Workers: o.workers, Rounds: o.replications, Seed: o.seed,
		Workload: o.profile.Name, Runtime: "simulated", Arrivals: o.arrivals.String(), TimeoutNS: o.timeout,
		Simulated: true, Simulation: &record.Simulation{
			Profile: o.profile.Name, From: o.from, Cores: o.cores, Until: o.until, Warnings: o.profile.Caveats(),
		},
	}
	if n := len(o.contestants); o.jobs*n*o.most() > mostRecorded {
		h.Spec.Simulation.Sampled = max(mostRecorded/n, 1)
	}
	for i := range o.contestants {
		h.Spec.Models = append(h.Spec.Models, o.contestants[i].spec(nil))
	}
	return h
}

// mostRecorded is how many jobs are on record at most: some 30 MB of lines.
const mostRecorded = 100_000

// Replications passes the records of a simulation on: to the sums that the
// report is made of, and to the file.
type replications struct {
	sums    *runner.Aggregator
	file    *inOrder
	sampled int

	done  atomic.Int64 // jobs settled
	all   int64        // that there are to be, as far as it is known
	began time.Time
	now   func() time.Time
}

// write passes on a line that belongs to no replication.
func (r *replications) write(l record.Line) error {
	return errors.Join(r.sums.Write(l), r.file.turn().Write(l))
}

// sink is for one replication of one model.
func (r *replications) sink(model string, replication int) record.Sink {
	return &replicationSink{owner: r, sums: r.sums.Turn(model, replication), file: r.file.turn(), first: replication == 0}
}

type replicationSink struct {
	owner *replications
	sums  record.Sink
	file  *fileTurn
	first bool
	jobs  int64 // not yet counted by the owner
}

// Write passes on a line. The file gets as many as it can hold.
func (s *replicationSink) Write(l record.Line) error {
	if err := s.sums.Write(l); err != nil {
		return err
	}
	most := s.owner.sampled
	keep := s.first || most == 0
	switch l := l.(type) {
	case *record.Job:
		keep = keep && (most == 0 || l.ID < uint64(most))
		if s.jobs++; s.jobs == 1024 {
			s.owner.done.Add(s.jobs)
			s.jobs = 0
		}
	case *record.Process:
		keep = keep && (most == 0 || l.ID <= most)
	case *record.Round:
		keep = true
		s.owner.done.Add(s.jobs)
		s.jobs = 0
	}
	if keep {
		return s.file.Write(l)
	}
	return nil
}

// status says how far it is.
func (r *replications) status() string {
	done := r.done.Load()
	text := fmt.Sprintf("simulating  %s jobs", format.Brief(float64(done)/1e6)+" million")
	took := r.now().Sub(r.began)
	if s := took.Seconds(); s > 0.5 && done > 0 {
		text += fmt.Sprintf("  %s million/s", format.Brief(float64(done)/1e6/s))
		if left := r.all - done; left > 0 {
			text += fmt.Sprintf("  %.0f %%  %s left", 100*float64(done)/float64(r.all), clock(time.Duration(float64(took)*float64(left)/float64(done))))
		}
	}
	return text
}
