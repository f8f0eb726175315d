package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"forkbench/stream"
	"forkbench/workload"
)

// readOptions parses and checks the flags of a comparison. It returns all that
// is wrong with them.
func readOptions(cmd *cobra.Command) (*options, []string) {
	o := new(options)
	problems := o.read(cmd, flagsOf(o))
	o.settleJobs()
	for _, check := range []func() []string{o.settleContestants, o.checkKnobs, o.checkPython, o.checkPeers, o.checkRest, o.checkUntil, o.checkDuration, o.checkOut} {
		problems = append(problems, check()...)
	}
	return o, problems
}

// settleJobs makes the jobs of a recording those that are in it, each once, unless
// a number was asked for.
func (o *options) settleJobs() {
	if o.workload != nil && o.payload == "" && !o.given["jobs"] {
		o.jobs = cmp.Or(workload.Listed(o.workload), o.jobs)
	}
}

// read parses the flags of a command, which fill o.
func (o *options) read(cmd *cobra.Command, flags []flag) (problems []string) {
	o.texts, o.given = make(map[string]string), make(map[string]bool)
	problems = parse(cmd, flags)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		o.texts[f.Name] = f.Value.String()
		o.given[f.Name] = f.Changed
	})
	return problems
}

// pythonFlags are of use only where jobs run in Python.
var pythonFlags = []string{"python", "path", "setup", "warm", "allow-threads"}

// settleContestants gives each contestant its own settings.
func (o *options) settleContestants() (problems []string) {
	for i := range o.contestants {
		problems = append(problems, o.contestants[i].settle(o)...)
	}
	return problems
}

// checkKnobs refuses a knob of a model that is not run: whoever turned it
// expects something of it.
func (o *options) checkKnobs() (problems []string) {
	if o.contestants == nil {
		return nil // --model is wrong itself
	}
	reported := make(map[string]bool)
	for _, m := range knownModels() {
		for _, knob := range m.knobs {
			if !o.given[knob] || reported[knob] || o.used(knob) || knob == warmKnob {
				continue
			}
			reported[knob] = true
			problems = append(problems, fmt.Sprintf("--%s=%s: is for %s, which is not run: leave it out, or add %s to --model=%s",
				knob, shorten(o.texts[knob], 80), m.name, m.name, strings.Join(contestantNames(o.contestants), ",")))
		}
	}
	return problems
}

// coldNotice is what to say where --warm names work that nobody does: the
// parents of these models are cold, unless they are told otherwise.
func (o *options) coldNotice() string {
	if !o.given[warmKnob] || o.used(warmKnob) || len(o.contestants) == 0 {
		return ""
	}
	name := o.contestants[0].model.name
	return fmt.Sprintf("notice: --warm=%s is done by none of the models: the parents of %s are cold; name %s(warm), or hybrid, beside it",
		shorten(o.texts[warmKnob], 80), strings.Join(kinds(o.contestants), " and "), name)
}

// used reports whether a knob given as a flag makes a difference to a contestant.
func (o *options) used(knob string) bool {
	return slices.ContainsFunc(o.contestants, func(c contestant) bool {
		return slices.Contains(c.model.knobs, knob) && (knob != warmKnob || c.options.warms)
	})
}

// checkOurs refuses systems of others where models are simulated.
func (o *options) checkOurs() (problems []string) {
	for _, c := range o.contestants {
		if c.model.needs != nil {
			problems = append(problems, fmt.Sprintf("--model=%s: is %s, which cannot be simulated: leave it out", shorten(c.name, 80), c.model.doc))
		}
	}
	return problems
}

func (o *options) checkPython() (problems []string) {
	if o.workload == nil {
		return nil // --workload is wrong itself
	}
	if _, ok := o.workload.(workload.Python); ok {
		return nil
	}
	for _, name := range append([]string{"explain"}, pythonFlags...) {
		if o.given[name] {
			problems = append(problems, fmt.Sprintf("--%s=%s: is for Python, and %s does not run in it: leave it out, or choose another --workload",
				name, shorten(o.texts[name], 80), o.workload.Name()))
		}
	}
	for _, c := range o.contestants {
		if c.sets(warmKnob) {
			problems = append(problems, fmt.Sprintf("--model=%s: warm=%s: is for Python, and %s does not run in it: leave out the value",
				shorten(c.name, 80), strings.Join(c.options.warm, ","), o.workload.Name()))
		}
	}
	return problems
}

// checkRest is for flags that do not fit each other.
func (o *options) checkRest() (problems []string) {
	if o.workload != nil && hangs(o.workload.Name()) && o.given["timeout"] && o.timeout == 0 {
		problems = append(problems, fmt.Sprintf("--timeout=%s: with --workload=%s it would never end: give a limit, as in --timeout=5s",
			o.texts["timeout"], o.workload.Name()))
	}
	if o.contestants != nil {
		names := contestantNames(o.contestants)
		for _, t := range o.gate.Thresholds {
			for _, name := range t.Models() {
				if !slices.Contains(names, name) {
					problems = append(problems, fmt.Sprintf("--fail-if=%s: %s is not run: the models are %s", t, name, strings.Join(names, ", ")))
				}
			}
		}
	}
	if o.gate.Baseline != nil || !o.given[baselineName] { // else it is wrong itself
		problems = append(problems, checkBaseline(o.gate)...)
	}
	if o.workload != nil && o.payload != "" && strings.HasPrefix(o.workload.Name(), "jobs:") {
		problems = append(problems, fmt.Sprintf("--payload=%s: the jobs of --workload=%s have their own arguments: leave it out", o.payload, o.workload.Name()))
	}
	if o.quiet && o.verbose {
		problems = append(problems, "--quiet: contradicts --verbose: give one of them")
	}
	return problems
}

// hangs reports whether some of a built-in workload's jobs never end.
func hangs(spec string) bool {
	for part := range strings.SplitSeq(spec, ",") {
		_, job, found := strings.Cut(part, "%")
		if !found || !strings.Contains(job, ":") {
			job = part
		}
		if strings.HasPrefix(strings.TrimSpace(job), "hang:") {
			return true
		}
	}
	return false
}

// checkOut sees to it that no former results are lost or mixed with new ones.
func (o *options) checkOut() []string {
	if o.out == "" {
		if o.force {
			return []string{"--force: is for --out=DIR: without it the results get a new directory"}
		}
		return nil
	}
	entries, err := os.ReadDir(o.out)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return []string{fmt.Sprintf("--out=%s: %v: name a new or empty directory", o.out, pathCause(err))}
	case len(entries) > 0 && !o.force:
		return []string{fmt.Sprintf("--out=%s: is not empty: name another directory, or add --force to replace what a former run left there", o.out)}
	}
	return nil
}

// fromEnvironment begins a --redis that is in a variable: no process list shows
// that.
const fromEnvironment = "env:"

// passwordVariable is a password for --redis that names none.
const passwordVariable = "FORKBENCH_REDIS_PASSWORD"

// redisAddress is the value of --redis with what is in the environment, checked.
func redisAddress(text string) (string, error) {
	name, elsewhere := strings.CutPrefix(text, fromEnvironment)
	name, added, adds := strings.Cut(name, "?")
	if elsewhere {
		if text = strings.TrimSpace(os.Getenv(name)); text == "" {
			return "", fmt.Errorf("env:%s: there is no such variable, or it is empty: export it, as in env:CELERY_BROKER_URL", shorten(name, 80))
		}
		if adds {
			text = stream.WithOptions(text, added)
		}
	}
	if password := os.Getenv(passwordVariable); password != "" {
		text = stream.WithPassword(text, password)
	}
	err := stream.Check(text)
	if err != nil && elsewhere {
		err = fmt.Errorf("env:%s: %w", name, err)
		if stream.NeedsMaster(err) {
			err = fmt.Errorf("%w: --redis='env:%s?master_name=NAME', the master_name of Celery's broker_transport_options", err, name)
		}
	}
	return text, err
}
