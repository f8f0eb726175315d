package runner

import (
	"fmt"
	"slices"
	"strings"

	"forkbench/internal/format"
	"forkbench/record"
)

// maxCure bounds what is said to do about a hazard, in characters.
const maxCure = 400

// hazards is what the model's processes had that their forks must not share, from
// all rounds, each once.
func (m *modelState) hazards() []record.Hazard {
	var all []record.Hazard
	for _, r := range m.rounds {
		for _, one := range r.measure.Hazards {
			if !slices.Contains(all, one) {
				all = append(all, one)
			}
		}
	}
	return all
}

// aboutHazards names what forks of the model's processes share and must not, with
// what to do. What is mostly harmless is said in one line.
func (n *notes) aboutHazards(m *modelState) {
	var harmless []string
	said := make(map[string]bool) // cures
	for _, one := range m.hazards() {
		if one.Caution {
			what := plain(one.What)
			if one.Kind == record.HazardNativeThread {
				what += ", which its library ends before a fork"
			}
			if !slices.Contains(harmless, what) {
				harmless = append(harmless, what)
			}
			continue
		}
		text := plain(one.Clause())
		if cure := plainUpTo(one.Cure, maxCure); cure != "" && !said[cure] {
			said[cure] = true
			text += ": " + cure
		}
		n.add(m, WarnHazard, args{"kind": one.Kind, "what": plain(one.What)}, "%s", text)
	}
	// In each round it is another socket: the first round's stands for all.
	if i := slices.IndexFunc(m.rounds, func(r *roundState) bool { return r.measure.Undone != nil }); i >= 0 {
		n.add(m, WarnGivenUp, args{"what": m.rounds[i].measure.Undone}, "what its parent did before it forked left open, and gave up again before the fork, %s",
			plain(strings.Join(m.rounds[i].measure.Undone, ", and ")))
	}
	if harmless != nil {
		n.add(m, WarnHarmless, args{"what": harmless}, "its processes also had, when they forked, %s: mostly harmless (docs/hazards.md)", strings.Join(harmless, ", "))
	}
}

// unusable says which models must not be used as they are, and why; where their
// jobs did not end well, that it is why, probably. It is empty if there are none.
func unusable(ms []ModelSummary) string {
	type warning struct {
		models []string
		why    string
	}
	var all []*warning
	for i := range ms {
		m := &ms[i]
		if len(m.Unfit) == 0 {
			continue
		}
		why := m.Unfit[0]
		if more := len(m.Unfit) - 1; more > 0 {
			why += fmt.Sprintf(" (and %d more, see the warnings)", more)
		}
		if undone := m.Jobs.Settled - m.Jobs.Done; undone > 0 {
			why += fmt.Sprintf(", which is probably why %s of its %s did not end well", format.Count(undone), format.Plural(m.Jobs.Settled, "job"))
		}
		if at := slices.IndexFunc(all, func(w *warning) bool { return w.why == why }); at >= 0 {
			all[at].models = append(all[at].models, m.Model)
		} else {
			all = append(all, &warning{[]string{m.Model}, why})
		}
	}
	var texts []string
	for _, w := range all {
		pronoun := "it is"
		if len(w.models) > 1 {
			pronoun = "they are"
		}
		texts = append(texts, fmt.Sprintf("do not use %s as %s: %s", format.List(w.models), pronoun, w.why))
	}
	return strings.Join(texts, "; ")
}
