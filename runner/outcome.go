package runner

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"forkbench/internal/format"
)

const (
	maxOutcomes = 4   // models whose outcomes stand in a sentence
	maxWords    = 160 // characters of a cause in a sentence
)

// Outcome says which models did how many of their jobs, and why not the others,
// in one sentence without its full stop; "" if every model did all of them.
func (s *Summary) Outcome() string {
	var short, whole []*ModelSummary
	for i := range s.Models {
		switch m := &s.Models[i]; {
		case m.Jobs.Undone > 0 || m.Stopped != "":
			short = append(short, m)
		case m.Jobs.Done > 0:
			whole = append(whole, m)
		}
	}
	if short == nil {
		return ""
	}
	slices.SortStableFunc(short, func(a, b *ModelSummary) int { return cmp.Compare(a.Jobs.share(), b.Jobs.share()) })
	var clauses []string
	left := 0
	for _, same := range alike(short, (*ModelSummary).outcome) {
		if len(clauses) == maxOutcomes {
			left += len(same)
			continue
		}
		clauses = append(clauses, same[0].outcomeOf(namesOf(same)))
	}
	if left > 0 {
		clauses = append(clauses, fmt.Sprintf("%s more did not do all of theirs", format.Count(left)))
	}
	for _, same := range alike(whole, func(m *ModelSummary) string { return format.Count(m.Jobs.Done) }) {
		clauses = append(clauses, fmt.Sprintf("%s did all %s", format.List(namesOf(same)), format.Count(same[0].Jobs.Done)))
	}
	text := strings.Join(clauses, "; ")
	if s.sameByChance() {
		text += " (which is no more of a difference than chance makes)"
	}
	return text
}

// sameByChance reports whether models did different numbers of their jobs and yet
// none is found to do a different share.
func (s *Summary) sameByChance() bool {
	different := false
	for i := range s.Models {
		m := &s.Models[i]
		if m.Stopped != "" || m.Rounds == 0 {
			return false
		}
		different = different || m.Jobs.Done != s.Models[0].Jobs.Done || m.Jobs.Undone != s.Models[0].Jobs.Undone
	}
	return different && len(s.Shares) > 0 && !slices.ContainsFunc(s.Shares, func(t ShareTest) bool { return t.Differ })
}

// alike groups models of which the same is said, in their order.
func alike(ms []*ModelSummary, said func(*ModelSummary) string) (groups [][]*ModelSummary) {
	byText := make(map[string]int)
	for _, m := range ms {
		text := said(m)
		i, known := byText[text]
		if !known {
			i = len(groups)
			byText[text] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], m)
	}
	return groups
}

func namesOf(ms []*ModelSummary) []string {
	names := make([]string, len(ms))
	for i, m := range ms {
		names[i] = m.Model
	}
	return names
}

// outcome is what became of the model's jobs, without its name.
func (m *ModelSummary) outcome() string { return m.outcomeOf(nil) }

// outcomeOf is what became of the jobs of models that all fared the same.
func (m *ModelSummary) outcomeOf(names []string) string {
	j := &m.Jobs
	of := fmt.Sprintf("%s of %s", format.Count(j.Done), format.Plural(j.asked(), "job"))
	if j.Done == 0 {
		of = "none of " + format.Plural(j.asked(), "job")
	}
	if len(names) > 1 {
		of += " each"
	}
	text := format.List(names) + " did " + of
	if why := m.why(); why != "" {
		text += ", " + why
	}
	if m.Stopped != "" {
		text += ", since it could not go on " + brief(m.Stopped)
	}
	return text
}

// why says what became of the jobs that were not done, and what the commonest
// cause was: "108 failed: RuntimeError: no", or "90 failed and 18 crashed, 60 of
// them: RuntimeError: no".
func (m *ModelSummary) why() string {
	j := &m.Jobs
	var kinds []string
	for _, k := range []struct {
		n    int
		what string
	}{
		{j.Failed, "failed"}, {j.Crashed, "crashed"}, {j.TimedOut, "timed out"},
		{j.Unacknowledged, "run but not acknowledged"}, {j.cutOff(), "cut off"},
		{j.neverRun(), "never run"}, {j.Lost, "lost"}, {j.Dead, "given up"},
	} {
		if k.n > 0 {
			kinds = append(kinds, format.Count(k.n)+" "+k.what)
		}
	}
	text := format.List(kinds)
	if len(m.Causes) == 0 || m.Stopped != "" && j.neverRun() > m.Causes[0].Jobs {
		return text
	}
	common := &m.Causes[0]
	if common.Jobs < j.Undone {
		text += fmt.Sprintf(", %s of them", format.Count(common.Jobs))
	}
	return text + ": " + brief(common.Text)
}

// left is how many jobs were left, or cut off, although the model had its turn at them.
func (j *Jobs) left() int {
	return max(j.Undone-j.Failed-j.Crashed-j.TimedOut-j.Unacknowledged-j.Lost-j.Dead, 0)
}

// neverRun are those of them that were left.
func (j *Jobs) neverRun() int { return min(j.left(), j.NotRun) }

// cutOff are the others.
func (j *Jobs) cutOff() int { return j.left() - j.neverRun() }

// brief is a text short enough for a sentence.
func brief(text string) string {
	if utf8.RuneCountInString(text) <= maxWords {
		return text
	}
	return string([]rune(text)[:maxWords-1]) + "…"
}
