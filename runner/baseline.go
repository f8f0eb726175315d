package runner

import (
	"fmt"
	"strings"
)

// A Baseline is a former run that a gate compares with. Its summary is enough.
type Baseline struct {
	Name    string // the file or directory it came from
	Summary *Summary
}

// crossedBaseline is crossed for a threshold on the baseline. A baseline of other jobs,
// of another machine or of another Python is none: what got faster by a better machine
// would hide what got slower by the code.
func (g Gate) crossedBaseline(t Threshold, s *Summary) (crossed bool, why string) {
	if g.Baseline == nil {
		return true, fmt.Sprintf("%v cannot be checked: there is no baseline", t)
	}
	base := g.Baseline.Summary
	reasons := refusals(g.Baseline.Name, base, "this run", s)
	for _, x := range differences(base, s) {
		if x.Kind == DiffersMachine || x.Kind == DiffersPython {
			reasons = append(reasons, x.String())
		}
	}
	if len(reasons) > 0 {
		return true, fmt.Sprintf("%v cannot be checked against %s: %s; make a baseline that is like this run, or compare models of one run, as in hybrid.cpu > 0.5*forkperjob.cpu",
			t, g.Baseline.Name, strings.Join(reasons, "; "))
	}
	checked := false
	for i := range s.Models {
		m := &s.Models[i]
		if t.left.model != "" && t.left.model != m.Model {
			continue
		}
		was := base.model(m.Model)
		if was == nil {
			continue
		}
		for _, held := range []struct {
			m     *ModelSummary
			where string
		}{{m, ""}, {was, "in the baseline, "}} {
			if g.tooManyUndone(held.m, t.left.metric.jobs) {
				return true, fmt.Sprintf("%v does not pass: %s%s; --allow-failures=SHARE says how many are fine", t, held.where, held.m.outcomeOf([]string{m.Model}))
			}
		}
		value, former := t.left.metric.of(m), t.left.metric.of(was)
		if value == nil || former == nil {
			continue
		}
		checked = true
		limit := t.limit * *former
		if t.left.metric.jobs && t.left.metric.name != "hazards" && was.Jobs.Enqueued > 0 {
			// Of all rounds together: a run of more rounds has more of them.
			limit = limit * float64(m.Jobs.Enqueued) / float64(was.Jobs.Enqueued)
		}
		if t.holds(*value, limit) {
			u := t.left.metric.unit
			return true, fmt.Sprintf("%s of %s is %s, and was %s in %s, which crosses %v (%s)",
				t.left.metric.name, m.Model, u.text(*value), u.text(*former), g.Baseline.Name, t, u.text(limit))
		}
	}
	switch {
	case checked:
	case t.left.model != "" && s.model(t.left.model) != nil && base.model(t.left.model) == nil:
		return true, fmt.Sprintf("%v cannot be checked: %s was not run in the baseline", t, t.left.model)
	default:
		return true, fmt.Sprintf("%v cannot be checked: %s", t, t.missing(s))
	}
	return false, ""
}
