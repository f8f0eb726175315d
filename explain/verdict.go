package explain

import (
	"fmt"
	"slices"
	"strings"

	"forkbench/internal/format"
)

const (
	// muchMore is how many times the saving of the call that the first line names
	// something else has to save to be in that line, too.
	muchMore = 1.5

	// inLine is how long a warm-up may be, and namedInLine a call's name, to stand in
	// the first line; a longer one stands below.
	inLine, namedInLine = 120, 100
)

// verdict is the answer in one sentence: what, its share, what can be done and what
// that saves. All else is in the notes.
func (r *run) verdict() string {
	res := r.result
	var useless []string
	for _, w := range res.WarmUps {
		if w.Useless {
			useless = append(useless, w.Reference)
		}
	}
	text := r.verdictOfFindings()
	if freezing := r.freezing(); freezing != "" {
		if rest, nothing := strings.CutPrefix(text, nothingWorth); nothing {
			text = freezing + "; nothing else is worth hoisting" + rest
		} else {
			text += "; " + freezing
		}
		res.Notes = append(res.Notes, freezeNote)
	}
	if len(useless) > 0 {
		if last := len(useless) - 1; last == 0 {
			text += fmt.Sprintf("; the warm-up %s changes nothing", useless[0])
		} else {
			text += fmt.Sprintf("; the warm-ups %s and %s change nothing", strings.Join(useless[:last], ", "), useless[last])
		}
	}
	for _, w := range res.WarmUps {
		if w.broken {
			text += fmt.Sprintf("; the warm-up %s %s", w.Reference, w.Verdict)
		}
	}
	if len(r.cold.passedOn) > 0 {
		text += "; but as it is loaded, the application must not be forked: " + r.cold.passedOn[0].Clause()
	}
	return text + res.rest()
}

// nothingWorth begins the verdict where there is nothing to hoist.
const nothingWorth = "nothing worth hoisting"

func (r *run) verdictOfFindings() string {
	res := r.result
	first, later := res.FirstJob, res.LaterJob
	takes := fmt.Sprintf("a job takes %s in a fresh fork and %s in a process that has run others",
		milliseconds(first.Wall.Median), milliseconds(later.Wall.Median))
	plain := nothingWorth + ": " + takes
	// A collection is not a call's work, and gc.freeze() is said of it.
	i := slices.IndexFunc(res.Findings, func(it Item) bool { return !it.Collection })
	if i < 0 {
		if t := r.best(); t != nil && r.outranks(t) { // no profile speaks for it
			return fmt.Sprintf("no call by itself is what each fork repeats, but %s %s; %s", t.words(), t.told(), takes)
		}
		return plain
	}
	top := &res.Findings[i]
	big := max(top.CallMS, top.CallCPU) >= worthShare*r.turn()
	hazardous := big && (len(top.Hazards) > 0 || top.unsafe() != "")
	if !hazardous && !r.confirmed() || !big && !r.saves() {
		return plain
	}
	text := fmt.Sprintf("%s runs again in every fork, and takes %s of each job (%s of %s)",
		abridged(top.name(), namedInLine), format.Percent(top.Job, 0), milliseconds(top.CallMS), milliseconds(first.Wall.Median))
	way, named := r.wayOut(top)
	return text + way + r.savesMore(named)
}

// wayOut says how the first finding can be done in a parent, and what that saves;
// where it cannot, or saves nothing, what else can. It returns the saving that it
// tells, nil if none.
func (r *run) wayOut(top *Item) (text string, named *Try) {
	best := r.nextBest()
	undo := top.Undo
	if undo != nil && (undo.Saved == nil || !r.pays(undo.Saved)) {
		undo = nil
	}
	drawn := func(of *Item) string {
		if len(of.Draws) == 0 {
			return ""
		}
		return fmt.Sprintf("; but it draws %s, which is then the same in every child (see below)", strings.Join(of.Draws, " and "))
	}
	switch {
	case top.unsafe() != "":
		text = ", but must not be made in the parent as it is: " + top.unsafe()
	case top.Saved != nil && top.Saved.saves():
		return fmt.Sprintf("; made in the parent before the fork (%s), it saves %s", short(top.paste()), top.Saved.told()) + drawn(top), top.Saved
	case top.Saved != nil:
		text = "; made in the parent before the fork, it was not seen to save anything"
	// A call that leaves nothing open is the better one, if it saves as much.
	case undo != nil && (best == nil || best.Saved.less(undo.Saved)):
		return fmt.Sprintf("; it %s, but made in the parent and given up before the fork (%s), it saves %s",
			brief(top.Hazards[0]), short(undo.flags()), undo.Saved.told()) + drawn(top), undo.Saved
	case len(top.Hazards) > 0:
		text = ", but must not be made in the parent as it is: it " + brief(top.Hazards[0])
	}
	if best != nil {
		return text + fmt.Sprintf("; what can be made there is %s (%s): it saves %s", abridged(best.name(), namedInLine), short(best.paste()), best.Saved.told()) +
			drawn(best), best.Saved
	}
	switch t := r.best(); {
	case t == nil:
		return text, nil
	case t.oneJob:
		return text + "; one job in the parent, with what it opens given up before the fork (--warm=job), saves " + t.told(), t
	default: // no call of its own does it
		return text + fmt.Sprintf("; %s %s", t.words(), t.told()), t
	}
}

// nextBest is what saves the most of all that can be made in a parent; nil if
// nothing was seen to save anything, and to be safe.
func (r *run) nextBest() (best *Item) {
	for i := range r.result.Findings {
		it := &r.result.Findings[i]
		if it.Saved != nil && it.unsafe() == "" && it.Saved.saves() && (best == nil || best.Saved.less(it.Saved)) {
			best = it
		}
	}
	return best
}

// best is what pays most of all that was done in a parent and has words; nil if
// nothing does.
func (r *run) best() (best *Try) {
	for i := range r.result.Together {
		if t := &r.result.Together[i]; t.words() != "" && r.pays(t) && (best == nil || best.less(t)) {
			best = t
		}
	}
	return best
}

// less reports whether another saving is better: by the clock, if either is seen
// there, else of CPU.
func (t *Try) less(other *Try) bool {
	mine, others := t.Measured.Wall, other.Measured.Wall
	if !mine.seen() && !others.seen() {
		return t.Measured.CPU.Median < other.Measured.CPU.Median
	}
	return others.seen() && (!mine.seen() || mine.Median < others.Median)
}

// unsafe is why forks of a parent that made the call, and was measured, are not to be
// had; or "".
func (it *Item) unsafe() string { return it.Saved.unsafe() }

// unsafe is why a try is not to be had, the first reason, or ""; of none, too.
func (t *Try) unsafe() string {
	if t == nil || t.Unfit == nil {
		return ""
	}
	return t.Unfit[0]
}

// words are what the first line calls it that several things are done at once in a
// parent, up to the verb; "" for all else.
func (t *Try) words() string {
	switch {
	case t.oneJob:
		return "one job in the parent (--warm=job) saves"
	case t.refork:
		return fmt.Sprintf("a parent that has run jobs (--refork=%d) saves", reforkAfter)
	case t.Name == allTogether:
		return "all of the calls below save"
	case t.Name == asGiven:
		return "the warm-ups as given save"
	}
	return ""
}

// savesMore says what saves much more than the call that the first line names, of
// one job in the parent, all calls together, and a parent that has run jobs: the
// most of them, where both savings are known.
func (r *run) savesMore(named *Try) string {
	if named == nil {
		return ""
	}
	by, of := func(s Saving) Interval { return s.Wall }, ""
	if !by(named.Measured).aboveZero() {
		by, of = func(s Saving) Interval { return s.CPU }, " of CPU"
	}
	least := by(named.Measured)
	if !least.aboveZero() {
		return ""
	}
	var most *Try
	words := ""
	for i := range r.result.Together {
		t := &r.result.Together[i]
		all := by(t.Measured)
		if t.words() == "" || t.Name == asGiven || !r.pays(t) || !all.aboveZero() || all.Median <= muchMore*least.Median ||
			most != nil && all.Median <= by(most.Measured).Median {
			continue
		}
		most, words = t, fmt.Sprintf("; %s %s%s", t.words(), milliseconds(all.Median), of)
	}
	return words
}

// confirmed reports whether what was measured speaks for what was found: of all
// that was tried, something saves a part of the job that is worth it. Where
// nothing was tried, nothing speaks against it.
func (r *run) confirmed() bool { return len(r.tries()) == 0 || r.saves() }

// saves reports whether anything that was tried saves a part of the job that is
// worth it.
func (r *run) saves() bool {
	return slices.ContainsFunc(r.tries(), r.pays)
}

// turn is what a job takes of a worker with its own cold fork and its exit, in
// milliseconds: what a saving has to be compared to.
func (r *run) turn() float64 {
	if rate := r.measured.throughput(coldName); rate > 0 {
		return 1000 / rate
	}
	return r.result.FirstJob.Wall.Median
}

// told is a saving that was seen, with what was predicted of it, and what that does
// for a worker.
func (t *Try) told() string {
	if !t.Measured.Wall.seen() {
		return fmt.Sprintf("%s of CPU of each job, measured (%s were predicted)%s",
			milliseconds(t.Measured.CPU.Median), milliseconds(t.PredictedCPU), t.byTheClock())
	}
	joined := "and"
	if t.Throughput < 1 {
		joined = "but"
	}
	return fmt.Sprintf("%s of each job, measured (%s were predicted), %s a worker gets through %s times the jobs",
		milliseconds(t.Measured.Wall.Median), milliseconds(t.PredictedMS), joined, format.Brief(t.Throughput))
}

// short is a warm-up for the first line and the table: as it is, or where it stands.
func short(flags string) string {
	if len(flags) > inLine {
		return "by the --warm below"
	}
	return flags
}
