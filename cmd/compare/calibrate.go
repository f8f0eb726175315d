package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"forkbench/models"
	"forkbench/plots"
	"forkbench/record"
	"forkbench/sim"
	"forkbench/whatif/calibrate"
)

// calibrateCommand is `compare calibrate`.
func (p *program) calibrateCommand() *cobra.Command {
	var out string
	var least int
	var marked bool
	flags := []flag{{group: groupResult, name: "out", short: "o", value: "FILE", set: text(&out, "--out=profile.json"),
		usage: "where to write the profile (default standard output)"},
		useMarked(&marked),
		{group: groupResult, name: "least-rounds", value: "N", def: strconv.Itoa(leastRounds),
			set:   whole(&least, 1, maxRounds, ""),
			usage: "do not make a profile from fewer rounds than these"}}
	cmd := &cobra.Command{
		Use:   "calibrate DIR...",
		Short: "Make a profile for simulations from measured runs",
		Long: `Make a profile for simulations from measured runs: what things cost on this
machine for this application, for --profile of the commands that simulate.

Runs of several models and knobs tell more: a model that warms its parent beside
one that does not, children that run many jobs beside children that run one,
children forked before their only job came beside children forked with it, and
more parents than cores beside fewer.
What the runs do not tell is taken from a default, with a warning; the profile
says of each number where it comes from. Contaminated rounds are left out, unless
--use-marked is given.`,
		Example: `  compare --model='all,prefork(max-jobs-per-child=1),hybrid(jobs-per-child=10)' --workers=2 --out=run
  compare --model='all,prefork(max-jobs-per-child=1),hybrid(jobs-per-child=10)' --workers=8 --out=run8
  compare calibrate run run8 -o profile.json
  compare simulate --profile=profile.json --workers=64 --cores=32`,
		ValidArgsFunction: completeResults,
		RunE: func(cmd *cobra.Command, args []string) error {
			problems := parse(cmd, flags)
			dirs, more := p.results(args)
			if err := p.usage(cmd, append(problems, more...)); err != nil {
				return err
			}
			in, ctx := watchSignals(cmd.Context(), p.signals, func(string) {}, p.giveUp)
			defer in.close()
			rounds, _, err := p.readRounds(dirs)
			if err != nil {
				return err
			}
			made, err := calibrate.Profile(ctx, rounds, calibrate.Options{Executor: executorOf, UseMarked: marked, Least: least})
			switch {
			case ctx.Err() != nil:
				return exitWith(exitInterrupted, errors.New("interrupted before there was a profile"))
			case err != nil:
				return tooFew(err)
			}
			p.remarks("left out: ", made.Excluded)
			p.remarks("warning: ", made.Warnings)
			if out == "" {
				return outputError(made.Profile.Write(p.stdout))
			}
			if err := replaceFile(out, made.Profile.Write); err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.stdout, "profile of %d rounds in %s\n", made.Rounds, out)
			return outputError(err)
		},
	}
	bind(cmd, flags)
	return cmd
}

// leastRounds is from how many rounds a profile is made, if nobody says otherwise.
const leastRounds = 3

// useMarked is the flag by which marked rounds are used.
func useMarked(to *bool) flag {
	return flag{group: groupResult, name: "use-marked", set: yes(to),
		usage: "use rounds that are marked as contaminated, too, and say so"}
}

// tooFew is an error with what can be done about too few usable rounds.
func tooFew(err error) error {
	few, ok := errors.AsType[*calibrate.TooFewError](err)
	if !ok || few.Rounds == 0 {
		return err
	}
	var ways []string
	if few.Marked > 0 {
		ways = append(ways, "--use-marked uses the marked ones, too",
			"`compare --service=NAME` keeps a database on this machine from marking them")
	}
	if few.Usable > 0 {
		ways = append(ways, fmt.Sprintf("--least-rounds=%d does with what there is", few.Usable))
	}
	ways = append(ways, "a run with more --rounds, on a quiet machine, is best")
	return fmt.Errorf("%w\n%s", err, strings.Join(ways, "; "))
}

// validateCommand is `compare validate`.
func (p *program) validateCommand() *cobra.Command {
	var out, format string
	var marked bool
	var profile *sim.Profile
	var from string
	given := profileFlag(&profile, &from)
	given.group, given.def = groupResult, ""
	given.usage = "predict with this profile, all rounds (default: one made of the rounds 1, 3, ..., for the rounds 2, 4, ...)"
	flags := []flag{given, formatFlag(&format, formats()...), useMarked(&marked), {group: groupResult, name: "out", value: "DIR", set: text(&out, "--out=pictures"),
		usage: "where to put the plot (default the first DIR)"}}
	cmd := &cobra.Command{
		Use:   "validate DIR...",
		Short: "Put predictions beside what was measured",
		Long: `Put predictions beside what was measured: for each model and knob in the runs,
the simulated throughput, CPU per job, latencies and memory, the measured ones,
and the error.

Without --profile, calibration and validation never use the same rounds: each
workload's odd rounds (the first, the third, ...) make its profile, and the even
ones are predicted. A profile that you name predicts all rounds but those of runs
that it was made from. Contaminated rounds are left out, unless --use-marked is
given.`,
		Example: `  compare validate run                                # needs at least two rounds
  compare calibrate run1 -o profile.json && compare validate run2 --profile=profile.json
  compare validate run --format=markdown              # for a document`,
		ValidArgsFunction: completeResults,
		RunE: func(cmd *cobra.Command, args []string) error {
			problems := parse(cmd, flags)
			dirs, more := p.results(args)
			if err := p.usage(cmd, append(problems, more...)); err != nil {
				return err
			}
			if out == "" {
				out = dirs[0]
			}
			in, ctx := watchSignals(cmd.Context(), p.signals, func(string) {}, p.giveUp)
			defer in.close()
			rounds, skipped, err := p.readRounds(dirs)
			if err != nil {
				return err
			}
			report, err := validation(ctx, rounds, profile, from, marked)
			switch {
			case ctx.Err() != nil:
				return exitWith(exitInterrupted, errors.New("interrupted before the predictions were made"))
			case err != nil:
				return tooFew(err)
			}
			report.Excluded = append(report.Excluded, skipped...)
			if err := p.writeAnswer(report, format); err != nil {
				return err
			}
			if err := os.MkdirAll(out, 0o755); err != nil {
				return usagef(cmd.CommandPath(), "--out=%s: %v: name a directory that you may write to", out, pathCause(err))
			}
			names, err := plots.WriteValidate(out, report)
			_, printed := io.WriteString(p.stderr, listing(out, names))
			return errors.Join(err, outputError(printed))
		},
	}
	bind(cmd, flags)
	completeFlag(cmd, "format", completeFormats)
	completeFlag(cmd, "out", completeDirectories)
	return cmd
}

// unused splits off the rounds that a profile was made from, and names their runs.
func unused(profile *sim.Profile, rounds []*calibrate.Round) (others []*calibrate.Round, used []string) {
	for _, r := range rounds {
		switch {
		case !slices.Contains(profile.Runs, r.ID()):
			others = append(others, r)
		case !slices.Contains(used, r.Run):
			used = append(used, r.Run)
		}
	}
	return others, used
}

// validation predicts the rounds with a profile, or half of each workload's with
// one made of the other half.
func validation(ctx context.Context, rounds []*calibrate.Round, profile *sim.Profile, from string, marked bool) (*calibrate.Validation, error) {
	o := calibrate.Options{Executor: executorOf, UseMarked: marked}
	report := &calibrate.Validation{Version: calibrate.ValidationVersion, Excluded: []string{}, Warnings: []string{}}
	var names []string
	predict := func(profile *sim.Profile, rounds []*calibrate.Round) error {
		rows, excluded, err := calibrate.Validate(ctx, profile, rounds, o)
		names = append(names, profile.Name)
		report.Rows, report.Excluded = append(report.Rows, rows...), append(report.Excluded, excluded...)
		for _, text := range calibrate.Doubtful(rounds, marked) {
			report.Warnings = append(report.Warnings, "predicted: "+text)
		}
		return err
	}
	if profile != nil {
		report.Warnings = append(report.Warnings, profile.Caveats()...)
		others, used := unused(profile, rounds)
		if len(others) == 0 {
			return nil, fmt.Errorf("--profile=%s was made from %s: predict another run with it, or leave it out to make one of every other round",
				from, strings.Join(used, ", "))
		}
		for _, run := range used {
			report.Excluded = append(report.Excluded, run+": the profile was made from it")
		}
		if err := predict(profile, others); err != nil {
			return nil, err
		}
	} else {
		from = "made of the odd rounds, predicting the even ones"
		for _, same := range byApplication(rounds) {
			half, predicted := halves(same)
			if len(half) == 0 || len(predicted) == 0 {
				return nil, fmt.Errorf("there are no two rounds%s, one to calibrate with and one to predict: run more rounds, or name a profile with --profile",
					aboutWorkload(same))
			}
			made, err := calibrate.Profile(ctx, half, o)
			if err != nil {
				return nil, fmt.Errorf("calibrate with the odd rounds%s: %w", aboutWorkload(same), err)
			}
			report.Excluded, report.Warnings = append(report.Excluded, made.Excluded...), append(report.Warnings, made.Warnings...)
			if err := predict(made.Profile, predicted); err != nil {
				return nil, err
			}
		}
	}
	calibrate.Sort(report.Rows)
	report.Profile, report.From = strings.Join(names, "; "), from
	report.Summary = calibrate.Summarize(report.Rows)
	return report, nil
}

// byApplication sorts rounds by what they ran; there is one, empty, of none.
func byApplication(rounds []*calibrate.Round) [][]*calibrate.Round {
	type application struct{ workload, runtime, payload string }
	var all [][]*calibrate.Round
	at := make(map[application]int)
	for _, r := range rounds {
		s := &r.Header.Spec
		a := application{s.Workload, s.Runtime, s.Payload}
		i, known := at[a]
		if !known {
			i, at[a] = len(all), len(all)
			all = append(all, nil)
		}
		all[i] = append(all[i], r)
	}
	if all == nil {
		return [][]*calibrate.Round{nil}
	}
	return all
}

func aboutWorkload(rounds []*calibrate.Round) string {
	if len(rounds) == 0 {
		return ""
	}
	return " of " + rounds[0].Header.Spec.Workload
}

// halves are the rounds 1, 3, ... and 2, 4, ...
func halves(rounds []*calibrate.Round) (odd, even []*calibrate.Round) {
	for _, r := range rounds {
		if r.Round.Round%2 == 0 {
			odd = append(odd, r)
		} else {
			even = append(even, r)
		}
	}
	return odd, even
}

// results is the directories that the arguments must be.
func (p *program) results(args []string) (dirs, problems []string) {
	if len(args) == 0 {
		_, problems = p.oneResult(nil)
		return nil, problems
	}
	for _, a := range args {
		dir, more := p.oneResult([]string{a})
		dirs, problems = append(dirs, dir), append(problems, more...)
	}
	return dirs, problems
}

// readRounds reads the rounds of several measured runs. Those of models that cannot
// be simulated are left out, and said to be.
func (p *program) readRounds(dirs []string) (rounds []*calibrate.Round, skipped []string, err error) {
	var simulated []string
	for _, dir := range dirs {
		own, left, err := roundsIn(dir)
		switch {
		case errors.Is(err, errSimulated):
			simulated = append(simulated, dir+": "+err.Error())
		case err != nil:
			return nil, nil, err
		}
		rounds, skipped = append(rounds, own...), append(skipped, left...)
	}
	if simulated != nil {
		return nil, nil, exitWith(exitUsage, errors.New(strings.Join(simulated, "\n")))
	}
	p.remarks("left out: ", skipped)
	return rounds, skipped, nil
}

var errSimulated = errors.New("is a simulation: name a directory that a measured comparison wrote")

// roundsIn reads the rounds of a measured run that can be simulated, and says of the
// others why not.
func roundsIn(dir string) (rounds []*calibrate.Round, skipped []string, err error) {
	path := filepath.Join(dir, recordsName)
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	all, err := calibrate.Read(dir, record.Read(f))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(all) > 0 && all[0].Header.Spec.Simulated {
		return nil, nil, errSimulated
	}
	for _, r := range all {
		if _, err := executorOf(r.Model); err != nil {
			skipped = append(skipped, fmt.Sprintf("%s, round %d, in %s: %v", r.Round.Model, r.Round.Round+1, dir, err))
			continue
		}
		rounds = append(rounds, r)
	}
	return rounds, skipped, nil
}

func (p *program) remarks(what string, texts []string) {
	for _, text := range texts {
		_, _ = fmt.Fprintf(p.stderr, "%s%s\n", what, text) // it is only said
	}
}

// executorOf builds the model of a contestant from its record.
func executorOf(m record.Model) (models.Executor, error) {
	known := builtInModels()
	i := slices.IndexFunc(known, func(k model) bool { return k.name == m.Kind() })
	if i < 0 {
		return nil, fmt.Errorf("%s cannot be simulated: only %s can", m.Kind(), strings.Join(modelNames(known), ", "))
	}
	shared := new(options)
	for _, f := range flagsOf(shared) {
		if f.def != "" && slices.Contains(known[i].knobs, f.name) {
			if err := f.set(f.def); err != nil {
				return nil, fmt.Errorf("--%s=%s: %w", f.name, f.def, err)
			}
		}
	}
	c := contestant{model: known[i], name: m.Name}
	for knob, value := range m.Knobs {
		// What there is to warm is in the profile.
		c.settings = append(c.settings, setting{knob: knob, value: value, bare: knob == warmKnob})
	}
	if problems := c.settle(shared); problems != nil {
		return nil, errors.New(strings.Join(problems, "; "))
	}
	return c.model.build(&c.options), nil
}
