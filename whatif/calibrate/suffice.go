package calibrate

import (
	"fmt"
	"slices"
	"strings"
)

// A TooFewError says that too many rounds had to be left out.
type TooFewError struct {
	Rounds, Usable, Least int
	Marked                int      // of those left out, for nothing but their mark
	Reasons               []string // why they were, each once, the commonest first
}

func (e *TooFewError) Error() string {
	if e.Rounds == 0 {
		return "there are no rounds"
	}
	text := fmt.Sprintf("%d of %d rounds can be used, and %d are needed", e.Usable, e.Rounds, e.Least)
	const most = 2
	if n := len(e.Reasons); n > most {
		return fmt.Sprintf("%s: %s; and %d other reasons", text, strings.Join(e.Reasons[:most], "; "), n-most)
	} else if n > 0 {
		text += ": " + strings.Join(e.Reasons, "; ")
	}
	return text
}

// suffice is the error of too few usable rounds.
func suffice(rounds []*Round, usable int, o Options) error {
	least := max(o.Least, 1)
	if usable >= least {
		return nil
	}
	e := &TooFewError{Rounds: len(rounds), Usable: usable, Least: least}
	type reason struct {
		kind, text string
		count      int
	}
	var reasons []reason
	for _, r := range rounds {
		why := r.unusable(o.UseMarked)
		if why == "" {
			continue
		}
		kind := why
		if r.unusable(true) == "" {
			e.Marked++
			kind = "contaminated" // how much is another number in each
		}
		if i := slices.IndexFunc(reasons, func(k reason) bool { return k.kind == kind }); i >= 0 {
			reasons[i].count++
		} else {
			reasons = append(reasons, reason{kind, why, 1})
		}
	}
	slices.SortStableFunc(reasons, func(a, b reason) int { return b.count - a.count })
	for _, k := range reasons {
		e.Reasons = append(e.Reasons, fmt.Sprintf("%d × %s", k.count, k.text))
	}
	return e
}

// Doubtful says what speaks against the numbers of rounds that are used all the same:
// those of a program that was built with -race, and marked ones, where they are used.
func Doubtful(rounds []*Round, marked bool) (texts []string) {
	contaminated, race := 0, 0
	for _, r := range rounds {
		if r.Noise.Contaminated != "" {
			contaminated++
		}
		if r.Header.Environment.Race {
			race++
		}
	}
	if contaminated > 0 && marked {
		texts = append(texts, fmt.Sprintf("%d of the %d rounds that were used are marked as contaminated: what they tell includes what others did to the machine meanwhile",
			contaminated, len(rounds)))
	}
	if race > 0 {
		texts = append(texts, fmt.Sprintf("%d of the %d rounds that were used were measured by a program that was built with -race, whose numbers do not count",
			race, len(rounds)))
	}
	return texts
}
