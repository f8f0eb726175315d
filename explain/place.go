package explain

import (
	"slices"
	"strings"

	"forkbench/live"
	"forkbench/workload"
)

// place says where what can be hoisted goes: the warm-ups that were given and are
// of use, then what was found; nothing of which forks were seen to be unsafe.
func (r *run) place() *Hoist {
	f := r.Machine.Workload.(workload.Python).PythonFunction()
	w := &Hoist{Setup: r.Machine.Runtime.(live.Python).Setup, Env: r.result.Env}
	if _, embedded := f.Sources[f.Module]; !embedded {
		w.Modules = append(w.Modules, f.Module)
	}
	add := func(s Step) {
		if _, embedded := f.Sources[s.Import]; !embedded && !slices.Contains(w.Steps, s) {
			w.Steps = append(w.Steps, s)
		}
	}
	for _, given := range r.result.WarmUps {
		if given.Reference == workload.WarmJob {
			continue // a job is no statement
		}
		if !given.Useless && given.spares && len(given.Hazards) == 0 && given.Saved.unsafe() == "" {
			reference, dispose := given.Reference, []string(nil)
			if workload.Undoes([]string{reference}) {
				reference = strings.TrimPrefix(reference, workload.WarmUndo)
				if dispose = given.disposes(); dispose == nil {
					continue
				}
			}
			module, path, called := strings.Cut(reference, ":")
			s := Step{Import: module}
			if called {
				if s.Call = module + "." + path; !given.read && !strings.HasSuffix(path, ")") && !strings.HasSuffix(path, "]") {
					s.Call += "()"
				}
			}
			add(s)
			for _, statement := range dispose {
				add(undoing(statement, module))
			}
		}
	}
	for _, f := range r.hoisted() { // parts, too
		if r.measured.unfit(f.alone().name) != nil {
			continue
		}
		for _, way := range f.ways {
			s := Step{Import: way.Module}
			if way.Name != "" {
				s.Call = way.String()
			}
			add(s)
		}
	}
	for _, f := range r.releases() {
		if r.measured.unfit(f.release.contestant().name) != nil {
			continue
		}
		for _, statement := range f.release.statements() {
			add(undoing(statement, f.release.call.Module))
		}
	}
	if len(w.Steps) == 0 {
		return nil
	}
	return w
}

// undoing is a statement after a call of a module: what it names may be in another
// package, which is loaded by then, and has no name where it is pasted.
func undoing(statement, module string) Step {
	top, _, _ := strings.Cut(statement, ".")
	if own, _, _ := strings.Cut(module, "."); own != top {
		module = top
	}
	return Step{Import: module, Call: statement}
}
