package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// contradictions lists what two lines of the result say against one another. There
// must be none: what is measured outranks what is attributed, and that is for
// conclude to see to. Where there is one all the same, the report says so.
func (r *run) contradictions() (list []string) {
	res := r.result
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if strings.HasPrefix(res.Verdict, nothingWorth) {
		for _, t := range r.tries() {
			if r.pays(t) {
				say("nothing is worth hoisting, and %s saves %s", t.Name, t.savings())
			}
		}
	}
	for _, w := range res.WarmUps {
		if w.Useless && w.Saved != nil && r.outranks(w.Saved) {
			say("the warm-up %s changes nothing, and saves %s", w.Reference, w.Saved.savings())
		}
	}
	for _, it := range res.Findings {
		for _, tried := range it.Tried {
			for _, other := range res.Findings {
				if len(other.WarmUp) > 0 && other.Saved != nil && r.worthwhile(other.Saved) &&
					strings.HasPrefix(tried, other.WarmUp[0]+", ") && strings.Contains(tried, "changes nothing: ") {
					say("%s changes nothing, and saves %s", other.WarmUp[0], other.Saved.savings())
				}
			}
		}
		if it.Refork && (res.NoRefork != "" || !slices.ContainsFunc(res.Together, func(t Try) bool { return t.refork && r.pays(&t) })) {
			say("--refork saves %s, and was not measured to save anything", it.Call)
		}
		if it.Saved != nil && it.Flag == "" {
			say("what %s saves was measured, and there is no call that does it", it.Call)
		}
	}
	for _, text := range r.unsafeAdvice() {
		say("%s", text)
	}
	if res.Named != nil && res.OneTime.Wall.Median > 0 && res.Named.WallMS > 1.001*res.OneTime.Wall.Median {
		say("what is named comes to %s of %s", milliseconds(res.Named.WallMS), milliseconds(res.OneTime.Wall.Median))
	}
	return list
}

// unsafeAdvice lists what the first line, the table of what can be hoisted or the
// files to paste recommend, and whose forks were seen to be unsafe.
func (r *run) unsafeAdvice() (list []string) {
	res := r.result
	verdict := strings.TrimSuffix(res.Verdict, res.rest())
	advised := func(flags string, it *Item) bool {
		said := "(" + short(flags) + ")"
		return strings.Contains(verdict, said) && (short(flags) == flags || strings.Contains(verdict, abridged(it.name(), namedInLine)))
	}
	for i := range res.Findings {
		it := &res.Findings[i]
		where := func(flags string, calls ...string) (places []string) {
			if advised(flags, it) {
				places = append(places, "the first line")
			}
			if strings.Contains(it.hoist(), flags) {
				places = append(places, "the table")
			}
			pasted := func(s Step) bool { return slices.Contains(calls, cmp.Or(s.Call, "import "+s.Import)) }
			if res.Hoist != nil && slices.ContainsFunc(res.Hoist.Steps, pasted) {
				places = append(places, "what is to be pasted")
			}
			return places
		}
		say := func(why string, places []string) {
			if places != nil {
				list = append(list, fmt.Sprintf("%s is recommended by %s, and is unsafe: %s", it.name(), strings.Join(places, ", by "), why))
			}
		}
		if why := it.unsafe(); why != "" {
			say(why, where(it.paste(), it.WarmUp...))
		}
		if u := it.Undo; u != nil && u.unsafe() != "" {
			say(u.unsafe(), where(u.flags(), u.Call))
		}
	}
	for i := range res.Together {
		if t := &res.Together[i]; t.unsafe() != "" && t.words() != "" && strings.Contains(verdict, t.key()) {
			list = append(list, fmt.Sprintf("%s is recommended by the first line, and is unsafe: %s", t.Name, t.unsafe()))
		}
	}
	return list
}

// key is the part of a try's words that is in no others.
func (t *Try) key() string {
	if from, to := strings.IndexByte(t.words(), '('), strings.IndexByte(t.words(), ')'); from >= 0 && to > from {
		return t.words()[from : to+1]
	}
	return t.words()
}

// tries lists what was measured of calls in a parent.
func (r *run) tries() (list []*Try) {
	for i := range r.result.Together {
		list = append(list, &r.result.Together[i])
	}
	for i := range r.result.Findings {
		if s := r.result.Findings[i].Saved; s != nil {
			list = append(list, s)
		}
		if u := r.result.Findings[i].Undo; u != nil && u.Saved != nil {
			list = append(list, u.Saved)
		}
	}
	return list
}

// overlap is told where several calls save more one by one than all of them at
// once: what both need is saved by each.
func (r *run) overlap() string {
	var each float64
	var names int
	for _, it := range r.result.Findings {
		if it.Saved != nil && it.Saved.Measured.Wall.seen() {
			each, names = each+it.Saved.Measured.Wall.Median, names+1
		}
	}
	i := slices.IndexFunc(r.result.Together, func(t Try) bool { return t.Name == allTogether })
	if names < 2 || i < 0 {
		return ""
	}
	all := r.result.Together[i].Measured.Wall.Median
	if all <= 0 || each < 1.1*all {
		return ""
	}
	return fmt.Sprintf("The calls overlap: each alone saves what it shares with others, which comes to %s if added up; all of them save %s.",
		milliseconds(each), milliseconds(all))
}
