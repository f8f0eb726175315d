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

// MarkedAmong says how many of the rounds that are used are marked; nothing if none
// is.
func MarkedAmong(rounds []*Round) string {
	n := 0
	for _, r := range rounds {
		if r.Noise.Contaminated != "" {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d of the %d rounds that were used are marked as contaminated: what they tell includes what others did to the machine meanwhile", n, len(rounds))
}
