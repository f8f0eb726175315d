package explain

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"forkbench/internal/format"
	"forkbench/internal/held"
	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
)

// withoutPools deals with jobs that start the threads of a native library's pool,
// as those do that import numpy: a parent with such threads must not fork, and
// needs none of them. If the libraries' variables leave the pools without threads,
// everything from here on is tried and measured with them.
func (r *run) withoutPools(ctx context.Context) error {
	before := native(r.raw)
	var names, env []string
	for _, p := range r.raw {
		for _, library := range p.Libs {
			pool, known := held.PoolOf(library)
			set := func(text string) bool { return strings.HasPrefix(text, pool.Variable+"=") }
			if known && pool.Variable != "" && !slices.ContainsFunc(r.Machine.Env, set) && !slices.ContainsFunc(env, set) {
				env = append(env, pool.Variable+"=1")
				names = append(names, fmt.Sprintf("%s (%s)", pool.Name, filepath.Base(library)))
			}
		}
	}
	if before == 0 || env == nil {
		return nil
	}
	r.doing("looking at the jobs with %s", strings.Join(env, " "))
	machine := *r.Machine
	machine.Env = append(slices.Clone(machine.Env), env...)
	quiet := lab{machine: &machine, jobs: r.jobs, dir: r.dir, looks: r.looks}
	list, err := quiet.look(ctx, forkperjob.Model{}, 1, setup{look: &settings{Jobs: 1}})
	r.looks = quiet.looks
	if err != nil {
		return err
	}
	left := native(list)
	if left >= before {
		return nil // they are of something else
	}
	r.limit(env)
	r.pools = "The jobs start native threads, of the pool of " + strings.Join(names, " and ")
	if left > 0 {
		r.pools += fmt.Sprintf(", and %s of something else, which no variable that is known ends", format.Plural(left, "native thread"))
	}
	return nil
}

// limit has everything from here on done with variables that leave pools without
// threads.
func (r *run) limit(env []string) {
	plan := *r.Plan
	machine := *plan.Machine
	machine.Env = slices.Concat(machine.Env, env)
	plan.Machine = &machine
	r.Plan, r.machine, r.result.Env = &plan, &machine, slices.Concat(r.result.Env, env)
}

// lookFirst is look, for the first time. An application that starts the threads of
// a native library's pool when it is imported cannot be forked: where the libraries'
// variables leave the pools without threads, it is looked at with them.
func (r *run) lookFirst(ctx context.Context, e models.Executor, n int, s setup) ([]*profile, error) {
	var pools []string
	quiet := r.lab
	for {
		machine := *r.Machine
		machine.Log = nil // a refusal is told by its error, or mended
		quiet.machine = &machine
		list, err := quiet.look(ctx, e, n, s)
		r.looks, r.passedOn = quiet.looks, quiet.passedOn
		if _, refused := errors.AsType[*live.ForkError](err); !refused {
			if pools != nil {
				r.pools = "The application has native threads before its first job: " + strings.Join(pools, "; ")
			}
			return list, err
		}
		var env []string
		for _, h := range r.passedOn {
			if h.Env == "" {
				return nil, err // nothing ends that one
			}
			if !slices.Contains(env, h.Env) {
				env = append(env, h.Env)
			}
			h.From = "" // it is the module around the jobs
			pools = append(pools, strings.TrimPrefix(h.Clause(), "its forks lack "))
		}
		for _, variable := range env {
			name, _, _ := strings.Cut(variable, "=")
			if slices.ContainsFunc(r.Machine.Env, func(set string) bool { return strings.HasPrefix(set, name+"=") }) {
				return nil, err // it is set, and does not help
			}
			pool, _ := held.PoolLimitedBy(name)
			r.noPools = r.noPools || !pool.EndsAtFork
		}
		if env == nil {
			return nil, err
		}
		r.doing("looking at the jobs with %s", strings.Join(env, " "))
		r.limit(env)
	}
}

// pooled is the cold fork of a parent whose pools have their threads.
func (r *run) pooled() contestant {
	return contestant{
		name: "forkperjob(threads=as they are)", executor: forkperjob.Model{}, knobs: map[string]string{"threads": "as they are"},
		setup: setup{unset: r.result.Env},
	}
}

// limiting tells of the variables with which everything was measured, and what
// they alone save.
func (r *run) limiting() {
	if r.pools == "" {
		return
	}
	env := strings.Join(r.result.Env, " ")
	text := fmt.Sprintf("%s. A parent with such threads must not fork. So calls were tried, and everything was measured, with %s, which leaves the pool "+
		"without threads: set it where workers are started.", r.pools, env)
	if r.noPools {
		text += " What that alone saves was not measured: a fork of a parent with these threads may hang."
	}
	if t := r.tried(coldName, env, r.pooled().name); t != nil && !r.noPools && r.Verify {
		r.result.Limiting = t
		if !t.saves() {
			text += " By themselves they save nothing that was measured: a job takes as long in a cold fork with the pool's threads."
		} else {
			text += fmt.Sprintf(" By themselves they save, against cold forks with the pool's threads, %s.", t.savings())
		}
	}
	r.result.Notes = append(r.result.Notes, text)
}

// saves reports whether a saving was seen: by the clock or of CPU.
func (t *Try) saves() bool { return t.Measured.Wall.seen() || t.Measured.CPU.seen() }

// native is the most native threads that one of the jobs left.
func native(list []*profile) int {
	most := 0
	for _, p := range list {
		most = max(most, p.Native)
	}
	return most
}
