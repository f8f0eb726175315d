package runner

import "slices"

// A Gate is what a comparison must pass: limits that it must not cross, and how
// many jobs need not be done.
//
// A model with undone jobs does not pass a limit on any of its figures: it is not
// known how it would have fared with those. AllowFailures is the share of a model's
// jobs, from 0 to 1, up to which that is fine. A limit on a count of jobs says for
// itself how many of these are fine (failed > 10), and so those count as done where
// counts only are looked at.
type Gate struct {
	Thresholds    []Threshold
	AllowFailures float64

	// Baseline is the former run that thresholds may compare with; it may be nil.
	Baseline *Baseline
}

// Crossed says which limits the summary crosses, and how; it is empty if the
// summary passes.
func (g Gate) Crossed(s *Summary) []string {
	var all []string
	for _, t := range g.Thresholds {
		if is, why := g.crossed(t, s); is {
			all = append(all, why)
		}
	}
	return all
}

// tooManyUndone reports whether more jobs of the model were not done than is fine.
// Counts says that it is asked for a limit on a count of jobs.
func (g Gate) tooManyUndone(m *ModelSummary, counts bool) bool {
	j := &m.Jobs
	undone := j.Undone
	if counts {
		for kind, n := range map[string]int{
			"undone": j.Undone, "done": j.Undone,
			"failed": j.Failed, "crashed": j.Crashed, "timed_out": j.TimedOut, "not_run": j.neverRun(), "lost": j.Lost,
			"unacknowledged": j.Unacknowledged, "cut_off": j.cutOff(), "dead": j.Dead,
		} {
			if g.counts(m, kind) {
				undone -= n
			}
		}
	}
	return float64(undone) > g.AllowFailures*float64(j.asked())
}

// counts reports whether there is a limit on one of the model's counts.
func (g Gate) counts(m *ModelSummary, kind string) bool {
	return slices.ContainsFunc(g.Thresholds, func(t Threshold) bool {
		return t.left.metric.name == kind && (t.left.model == "" || t.left.model == m.Model)
	})
}
