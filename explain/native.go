package explain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"forkbench/held"
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
				names = append(names, fmt.Sprintf("%s (%s)", pool.Name, library))
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
	if native(list) >= before {
		return nil // they are of something else
	}
	plan := *r.Plan
	plan.Machine = &machine
	r.Plan, r.machine, r.result.Env = &plan, &machine, env
	r.result.Notes = append(r.result.Notes, fmt.Sprintf("The jobs start native threads, of the pool of %s. A parent with such threads must not fork. "+
		"So calls were tried, and everything was measured, with %s, which leaves the pool without threads: set it where workers are started.",
		strings.Join(names, " and "), strings.Join(env, " ")))
	return nil
}

// native is the most native threads that one of the jobs left.
func native(list []*profile) int {
	most := 0
	for _, p := range list {
		most = max(most, p.Native)
	}
	return most
}
