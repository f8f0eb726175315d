package runner

import "slices"

// because gives a reason to the cells in which there is no value.
func because(why func(s *Summary, m *ModelSummary) string, s *Summary, of func(*ModelSummary) cell) func(*ModelSummary) cell {
	return func(m *ModelSummary) cell {
		c := of(m)
		if c.value == absent && m.Rounds > 0 {
			c.why = why(s, m)
		}
		return c
	}
}

// Reasons why something was not measured of a model of which rounds were.

func noLaterJob(*Summary, *ModelSummary) string {
	return "no process ran a second job to compare the first with"
}

func noJobDone(*Summary, *ModelSummary) string { return "not one job was done" }

func noLatency(*Summary, *ModelSummary) string {
	return "more jobs come than are run, so latency has no bound"
}

func noMemory(s *Summary, _ *ModelSummary) string {
	if s.Spec.Simulated {
		return "the profile tells nothing of memory"
	}
	return "no sample of memory was taken: rounds were over before the first, or this machine does not tell (compare doctor)"
}

func noUSS(s *Summary, m *ModelSummary) string {
	if m.Memory.PeakPSS == nil {
		return noMemory(s, m)
	}
	return "no child of it lived when a sample was taken: its jobs are short, or run in no child"
}

func noCommands(s *Summary, _ *ModelSummary) string {
	if s.Spec.Simulated {
		return "the profile tells nothing of commands"
	}
	return "this Redis does not count its commands"
}

func noResidual(s *Summary, _ *ModelSummary) string {
	if s.Spec.Simulated {
		return "a simulation has no control group"
	}
	return "there was no control group to check the CPU against (compare doctor)"
}

const notMeasured = "no round of it was measured, see the warnings"

// noteMarks are what stands behind a – that has its reason below the table.
var noteMarks = []string{"¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"}

// explainAbsent marks the cells without a value, and returns the marks with their
// reasons.
func (t *table) explainAbsent(s *Summary) (reasons []string) {
	for _, r := range t.rows {
		for i := range r.cells {
			c := &r.cells[i]
			if c.value != absent {
				continue
			}
			if s.Models[i].Rounds == 0 {
				c.why = notMeasured
			}
			at := slices.Index(reasons, c.why)
			if at < 0 && c.why != "" && len(reasons) < len(noteMarks) {
				at, reasons = len(reasons), append(reasons, c.why)
			}
			if at >= 0 {
				c.value += noteMarks[at]
			}
		}
	}
	for i := range reasons {
		reasons[i] = absent + noteMarks[i] + " " + reasons[i]
	}
	return reasons
}
