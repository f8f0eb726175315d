package runner

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	moremath "github.com/aclements/go-moremath/stats"

	"forkbench/internal/format"
	"forkbench/internal/stats"
)

// A Kind is what sort of thing differs between two runs.
type Kind string

// The kinds of differences.
const (
	DiffersMachine  Kind = "machine"
	DiffersPace     Kind = "pace" // of the same machine's cores
	DiffersPython   Kind = "python"
	DiffersSoftware Kind = "software"
	DiffersSettings Kind = "settings"
)

// A Difference is what is another one in two runs besides what was measured.
type Difference struct {
	Kind Kind   `json:"kind"`
	What string `json:"what"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// String says it.
func (x Difference) String() string {
	begin := map[Kind]string{
		DiffersMachine: "ANOTHER MACHINE: ", DiffersPace: "other speed of the cores: ", DiffersPython: "ANOTHER PYTHON: ",
		DiffersSoftware: "other software: ", DiffersSettings: "OTHER SETTINGS: ",
	}[x.Kind]
	return fmt.Sprintf("%s%s was %s and is %s", begin, x.What, orNone(x.Old), orNone(x.New))
}

func orNone(text string) string { return cmp.Or(plain(text), "none") }

// refusals is why two runs cannot be compared: they did not do the same jobs, or one
// of them has no numbers to trust.
func refusals(oldName string, o *Summary, newName string, n *Summary) []string {
	all := []string{}
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, run := range []struct {
		name string
		s    *Summary
	}{{oldName, o}, {newName, n}} {
		switch s := run.s; {
		case s.Environment.Race:
			add("%s is of a build with the race detector, whose figures are not published", run.name)
		case s.contradiction() != "":
			add("the numbers of %s must not be used: %s", run.name, s.contradiction())
		case !slices.ContainsFunc(s.Models, func(m ModelSummary) bool { return m.Rounds > 0 }):
			add("in %s no round was finished", run.name)
		case s.Spec.Simulation != nil && s.Spec.Simulation.Sampled > 0:
			add("%s is a simulation so large that its records are a sample", run.name)
		}
	}
	if a, b := o.Spec.Simulated, n.Spec.Simulated; a != b {
		measured, simulated := oldName, newName
		if a {
			measured, simulated = newName, oldName
		}
		add("%s was measured and %s simulated (`compare validate` is for that)", measured, simulated)
		return all
	}
	other := func(what, a, b string) {
		if a != b {
			add("%s: %s and %s", what, orNone(a), orNone(b))
		}
	}
	other("other jobs", o.Spec.Workload, n.Spec.Workload)
	other("another runtime", o.Spec.Runtime, n.Spec.Runtime)
	other("another number of jobs", format.Count(o.Spec.Jobs), format.Count(n.Spec.Jobs))
	other("another number of payloads", format.Count(o.Spec.Listed), format.Count(n.Spec.Listed))
	other("other arrivals", o.Spec.Arrivals, n.Spec.Arrivals)
	if !slices.ContainsFunc(n.Models, func(m ModelSummary) bool { return o.model(m.Model) != nil }) {
		add("no model is in both")
	}
	return all
}

// contradiction is the first of the run's errors that takes the ground from all of its
// numbers, and not from those of a model that could not go on; "" if there is none.
func (s *Summary) contradiction() string {
	i := slices.IndexFunc(s.Errors, func(text string) bool { return !strings.Contains(text, couldNotGoOn) })
	if i < 0 {
		return ""
	}
	return s.Errors[i]
}

// A Machine's fingerprint is what must be the same for figures to be of one machine.
type fingerprint struct{ what, value string }

// fingerprints are those of a run's machine, or of the one that it simulated.
func fingerprints(s *Summary) []fingerprint {
	if x := s.Spec.Simulation; x != nil {
		return []fingerprint{{"profile", x.Profile}, {"cores", format.Count(x.Cores)}}
	}
	e := &s.Environment
	return []fingerprint{
		{"system", e.OS}, {"CPU", e.CPU}, {"cores", format.Count(e.Cores)}, {"packing of cores", e.Packing},
		// A kernel's own share of it changes with each version.
		{"memory", fmt.Sprintf("%.0f GB", float64(e.MemoryBytes)/1e9)},
	}
}

// Machine names the machine that a run was made on: runs of another one are not of the
// same series.
func (s *Summary) Machine() string {
	var parts []string
	if s.Spec.Simulation != nil {
		parts = append(parts, "simulated")
	}
	for _, f := range fingerprints(s) {
		switch f.what {
		case "cores":
			n := s.Environment.Cores
			if s.Spec.Simulation != nil {
				n = s.Spec.Simulation.Cores
			}
			parts = append(parts, format.Plural(n, "core"))
		default:
			if f.value != "" {
				parts = append(parts, plain(f.value))
			}
		}
	}
	return strings.Join(parts, ", ")
}

// differences is what else differs between two runs than what was measured.
func differences(o, n *Summary) []Difference {
	all := []Difference{}
	add := func(kind Kind, what, a, b string) {
		if a != b {
			all = append(all, Difference{kind, what, a, b})
		}
	}
	olds, news := fingerprints(o), fingerprints(n)
	if len(olds) == len(news) {
		for i, f := range olds {
			add(DiffersMachine, f.what, f.value, news[i].value)
		}
	}
	a, b := &o.Environment, &n.Environment
	add(DiffersPython, "Python", a.Python, b.Python)
	for _, x := range []struct{ what, a, b string }{
		{"kernel", a.Kernel, b.Kernel},
		{"huge pages", a.HugePages, b.HugePages},
		{"systems of others", a.Peers, b.Peers},
		{"Redis", a.Redis, b.Redis},
		{"fork", a.ForkPrimitive, b.ForkPrimitive},
		{"Go", a.Go, b.Go},
	} {
		if !o.Spec.Simulated {
			add(DiffersSoftware, x.what, x.a, x.b)
		}
	}
	settings := func(what, a, b string) { add(DiffersSettings, what, a, b) }
	p, q := &o.Spec, &n.Spec
	settings("workers", format.Count(p.Workers), format.Count(q.Workers))
	settings("seed", fmt.Sprint(p.Seed), fmt.Sprint(q.Seed))
	settings("payload", p.Payload, q.Payload)
	settings("setup", strings.Join(p.Setup, ", "), strings.Join(q.Setup, ", "))
	settings("warm-ups", strings.Join(p.Warm, ", "), strings.Join(q.Warm, ", "))
	settings("environment of the jobs", strings.Join(p.Env, " "), strings.Join(q.Env, " "))
	settings("time limit", p.TimeoutNS.String(), q.TimeoutNS.String())
	for _, m := range p.Models {
		if now := q.Model(m.Name); now != nil {
			settings("knobs of "+m.Name, strings.Join(m.Settings(), ","), strings.Join(now.Settings(), ","))
		}
	}
	return all
}

// paceDifference is how fast the cores were in the two runs of one machine, if that
// differs by more than what does not matter.
func paceDifference(o, n *Analysis) (Difference, bool) {
	was, is := o.piece(), n.piece()
	if was == 0 || is == 0 || math.Abs(math.Log(is/was)) <= math.Log1p(Immaterial) {
		return Difference{}, false
	}
	text := func(ms float64) string { return number(1e3*ms) + " µs of CPU" }
	return Difference{DiffersPace, "what the same piece of work took", text(was), text(is)}, true
}

// piece is the CPU time that the same piece of work took in the rounds that count, in
// milliseconds; 0 if nobody looked.
func (a *Analysis) piece() float64 {
	var all []float64
	for i := range a.Series {
		for _, r := range a.rounds(a.Series[i].Model) {
			if ns := r.Measure.Noise.PieceNS; ns > 0 {
				all = append(all, format.Millis(ns))
			}
		}
	}
	return stats.Median(all)
}

// fisher is the two-sided mid-p-value of Fisher's exact test (1922, "On the
// interpretation of χ² from contingency tables"): of so many jobs in two runs, done and
// undone, whether both do the same share.
func fisher(doneA, undoneA, doneB, undoneB int) float64 {
	undone, draws := undoneA+undoneB, doneA+undoneA
	all := draws + doneB + undoneB
	if undone == 0 || undone == all || draws == 0 || draws == all {
		return 1
	}
	x := moremath.HypergeometicDist{N: all, K: undone, Draws: draws}
	k := float64(undoneA)
	lower := x.CDF(k) - x.PMF(k)/2
	return min(1, 2*max(0, min(lower, 1-lower)))
}
