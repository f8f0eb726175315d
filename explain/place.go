package explain

import (
	"slices"
	"strings"

	"forkbench/internal/hoist"
	"forkbench/live"
	"forkbench/workload"
)

// place says where what can be hoisted goes: the warm-ups that were given and are
// of use, then what was found.
func (r *run) place() *hoist.Work {
	f := r.Machine.Workload.(workload.Python).PythonFunction()
	w := &hoist.Work{Setup: r.Machine.Runtime.(live.Python).Setup, Env: r.result.Env}
	if _, embedded := f.Sources[f.Module]; !embedded {
		w.Modules = append(w.Modules, f.Module)
	}
	add := func(s hoist.Step) {
		if _, embedded := f.Sources[s.Import]; !embedded && !slices.Contains(w.Steps, s) {
			w.Steps = append(w.Steps, s)
		}
	}
	for _, given := range r.result.WarmUps {
		if !given.Useless && given.spares && len(given.Hazards) == 0 {
			reference, dispose := given.Reference, []string(nil)
			if workload.Undoes([]string{reference}) {
				reference = strings.TrimPrefix(reference, workload.WarmUndo)
				if dispose = given.disposes(); dispose == nil {
					continue
				}
			}
			module, path, called := strings.Cut(reference, ":")
			s := hoist.Step{Import: module}
			if called {
				if s.Call = module + "." + path; !strings.HasSuffix(path, ")") {
					s.Call += "()"
				}
			}
			add(s)
			for _, statement := range dispose {
				add(hoist.Step{Import: module, Call: statement})
			}
		}
	}
	for _, f := range r.findings {
		for _, way := range f.ways {
			s := hoist.Step{Import: way.Module}
			if way.Name != "" {
				s.Call = way.String()
			}
			add(s)
		}
	}
	for _, f := range r.releases() {
		for _, statement := range f.release.statements() {
			add(hoist.Step{Import: f.release.call.Module, Call: statement})
		}
	}
	if len(w.Steps) == 0 {
		return nil
	}
	return w
}
