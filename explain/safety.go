package explain

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"forkbench/live"
	"forkbench/record"
)

// What a process holds is what tells whether it may have forks, and not the frame
// that opened it: a C library's connection, or one that a property opened, is as
// shared as any. The processes are looked at from outside, when they fork first.

// harmful are the hazards that are more than cautions.
func harmful(list []record.Hazard) []record.Hazard {
	return slices.DeleteFunc(slices.Clone(list), func(h record.Hazard) bool { return h.Caution })
}

// added says what the parent of the last look would have passed on to its forks
// that one which has done nothing would not; or "".
func (r *run) added() string {
	var list []string
	for _, h := range r.addedHazards() {
		h.From = "" // it is the warm-up that is tried
		list = append(list, h.Clause())
	}
	return strings.Join(list, ", and ")
}

// refusal is why the parent of the last look refused to have forks, if it did; or "".
func (r *run) refusal(err error) string {
	if refused, ok := errors.AsType[*live.ForkError](err); ok {
		return cmp.Or(r.added(), shortened(refused.Reason, 120))
	}
	return ""
}

func (r *run) addedHazards() []record.Hazard {
	return slices.DeleteFunc(slices.Clone(r.passedOn), func(h record.Hazard) bool {
		return slices.ContainsFunc(r.cold.passedOn, func(o record.Hazard) bool { return o.Kind == h.Kind && o.What == h.What })
	})
}

// unfit is why forks of a contestant's parent are not to be had, in all rounds: what
// forks of a parent that has done nothing share, too, is not its doing.
func (m *measurements) unfit(contestant string) (reasons []string) {
	always := m.always()
	for i := range m.rounds {
		if m.rounds[i].Model != contestant {
			continue
		}
		for _, h := range harmful(m.rounds[i].Hazards) {
			if slices.ContainsFunc(always, func(o record.Hazard) bool { return o.Kind == h.Kind && o.What == h.What }) {
				continue
			}
			h.From = ""
			if text := h.Clause(); !slices.Contains(reasons, text) {
				reasons = append(reasons, text)
			}
		}
	}
	return reasons
}

// always are the hazards that are there whatever a parent does: of the cold ones.
func (m *measurements) always() (list []record.Hazard) {
	for i := range m.rounds {
		if m.rounds[i].Model == coldName {
			list = append(list, harmful(m.rounds[i].Hazards)...)
		}
	}
	return list
}

// sharedAnyway warns of what all forks of the application share.
func (r *run) sharedAnyway() (warnings []string) {
	for _, h := range r.measured.always() {
		if text := fmt.Sprintf("whatever is done in the parent, %s: %s", h.Clause(), h.Cure); !slices.Contains(warnings, text) {
			warnings = append(warnings, text)
		}
	}
	return warnings
}

// byRefork reports whether a parent that has run jobs spares the others a finding:
// it may have forks, they were seen not to do it any more, and it was measured that
// this saves something.
func (r *run) byRefork(f *found) bool {
	i := slices.IndexFunc(r.result.Together, func(t Try) bool { return t.refork })
	return i >= 0 && r.reforked != nil && r.spared(f, r.reforked) && r.pays(&r.result.Together[i])
}
