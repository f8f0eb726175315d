package runner

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"forkbench/internal/format"
	"forkbench/models"
	"forkbench/record"
)

// When a summary warns.
const (
	fewJobs         = 100  // in a round
	fewRounds       = 3    // for an interval of use
	supervisorShare = 0.05 // of the CPU time, where jobs take supervisedWork and use as much
	supervisedWork  = 1.0  // ms
	residualShare   = 0.01 // of the cgroup's CPU time
	maxNotes        = 40   // of Errors, and of Warnings
)

// The codes of errors, by which those of several models become one.
const (
	errImpossible = "impossible"
	errStopped    = "stopped"
)

// impossible is the checks that the rounds did not pass.
func (a *Aggregator) impossible() []string {
	var n notes
	for _, m := range a.models {
		for _, r := range m.rounds {
			for _, text := range r.broken {
				n.add(m, errImpossible, nil, "in round %d, %s", r.number+1, text)
			}
		}
		for _, text := range m.blunders.errors() {
			n.add(m, errImpossible, nil, "%s", text)
		}
	}
	return textsOf(n.all)
}

// endedEarly is all that can be known from records that end early.
const endedEarly = "was killed, or could not write them (a full disk)"

// couldNotGoOn tells what stopped a model from the other errors.
const couldNotGoOn = "could not go on in round "

// stopped is why models could not go on.
func (a *Aggregator) stopped() []string {
	var n notes
	for _, m := range a.models {
		for _, r := range m.rounds {
			if r.measure.Error != "" {
				n.add(m, errStopped, nil, couldNotGoOn+"%d: %s", r.number+1, plainUpTo(r.measure.Error, maxCure))
			}
		}
	}
	var texts []string
	for i := range n.all {
		texts = append(texts, format.List(n.all[i].Models)+" "+n.all[i].Text)
	}
	return texts
}

// warnings is why the numbers in s should not be trusted.
func (a *Aggregator) warnings(s *Summary) []record.Remark {
	var n notes
	if s.Environment.Race {
		n.add(nil, WarnRace, nil, "this program was built with -race, and publishes no numbers: build it without")
	}
	if a.cut {
		n.add(nil, WarnCut, nil, "the records end early, in the middle of a line: the run "+endedEarly)
	}
	n.aboutSize(s)
	if x := s.Spec.Simulation; x != nil {
		for _, text := range x.Warnings {
			n.add(nil, WarnProfile, nil, "%s", plainUpTo(text, maxCure))
		}
	}
	if !a.interrupted() {
		n.aboutWidth(s)
	}
	if strings.Contains(s.Environment.Redis, "miniredis") {
		n.add(nil, WarnStandIn, nil, "the jobs went through miniredis, a stand-in that is slower than Redis")
	}
	for i, m := range a.models {
		asked := s.leastRounds(m.spec.Parts)
		if m.unstable() {
			asked = 0 // more of them say no more
		}
		n.aboutRounds(m, asked, s.turn())
		n.aboutConvergence(m, s)
		n.aboutJobs(m, &s.Models[i].Jobs)
		n.aboutHazards(m)
		n.aboutSetup(m, &s.Spec)
		n.aboutLives(m)
		n.aboutCPU(m, &s.Models[i])
		n.aboutWarming(m, s, &s.Models[i])
	}
	return n.all
}

func (n *notes) aboutSize(s *Summary) {
	if s.Spec.Jobs < fewJobs {
		are := "are"
		if s.Spec.Jobs == 1 {
			are = "is"
		}
		n.add(nil, WarnFewJobs, args{"jobs": s.Spec.Jobs}, "%s in a %s %s few: one slow job moves every number", format.Plural(s.Spec.Jobs, "job"), s.turn(), are)
	}
	if s.Spec.Simulated {
		return // whether there were enough is said of each model
	}
	least := 0
	for _, m := range s.Models {
		if n := max(m.Rounds, m.Parts); m.Rounds > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	few := args{"rounds": least, "enough": fewRounds}
	switch {
	case least == 1:
		n.add(nil, WarnFewRounds, few, "one round gives no interval and no p-value: any difference may be chance")
	case least > 0 && least < fewRounds:
		n.add(nil, WarnFewRounds, few, "%d rounds give very wide intervals", least)
	}
}

// leastRounds is how many rounds a model makes at least, in so many parts.
func (s *Summary) leastRounds(parts int) int {
	if parts >= enoughBlocks {
		return 1
	}
	return s.Spec.Rounds
}

// interrupted reports whether the run was interrupted, or killed.
func (a *Aggregator) interrupted() bool {
	return a.cut || slices.ContainsFunc(a.models, func(m *modelState) bool {
		return m.open != nil || slices.ContainsFunc(m.rounds, func(r *roundState) bool { return r.measure.Interrupted })
	})
}

// aboutWidth tells that the widest interval is wider than it was to be.
func (n *notes) aboutWidth(s *Summary) {
	if s.Spec.Until == nil || slices.ContainsFunc(s.Models, func(m ModelSummary) bool { return m.Rounds < s.leastRounds(m.Parts) }) {
		return // it ended before its time, which is said
	}
	var widest *Comparison
	for i := range s.Comparisons {
		if c := &s.Comparisons[i]; c.Metric == MetricDone && c.halfWidth() > 1.01*s.Spec.Until.HalfWidth && (widest == nil || c.halfWidth() > widest.halfWidth()) {
			widest = c
		}
	}
	if widest != nil {
		u := s.Spec.Until
		n.add(nil, WarnWide, args{"a": widest.A, "b": widest.B, "half_width": widest.halfWidth(), "asked": u.HalfWidth, "most": u.MostNS.String()},
			"what %s is to %s is known to ±%s %%, and ±%g %% was asked for",
			widest.A, widest.B, number(100*widest.halfWidth()), 100*u.HalfWidth)
	}
}

// halfWidth is how far the ratio's interval reaches from it, as a share of it; 0 if
// there is none.
func (c *Comparison) halfWidth() float64 {
	if c.Low == nil || c.High == nil {
		return 0
	}
	return math.Sqrt(*c.High / *c.Low) - 1
}

// aboutList tells of a list of payloads, or of recorded jobs, that is not as long as
// there are jobs.
func (n *notes) aboutList(spec *record.Spec) {
	what := "payloads"
	if spec.Payload == "" {
		what = "recorded jobs"
	}
	about := args{"listed": spec.Listed, "jobs": spec.Jobs, "what": what}
	switch {
	case spec.Listed == 0 || spec.Listed == spec.Jobs:
	case spec.Listed < spec.Jobs:
		n.add(nil, NoteListRepeated, about, "the %s %s are gone through again and again to make %s", format.Count(spec.Listed), what, format.Plural(spec.Jobs, "job"))
	default:
		n.add(nil, NoteListCut, about, "the first %s of %s %s are run", format.Count(spec.Jobs), format.Count(spec.Listed), what)
	}
}

func (n *notes) aboutRounds(m *modelState, asked int, turn string) {
	switch {
	case m.open != nil:
		n.add(m, WarnCut, args{"round": m.open.number + 1}, "the records end early, in round %d, which does not count: the run %s", m.open.number+1, endedEarly)
	case len(m.rounds) < asked:
		n.add(m, WarnMissing, args{"rounds": len(m.rounds), "asked": asked}, "%d of %s run", len(m.rounds), were(asked, turn))
	}
	rounds, _ := m.counting()
	cut, strays, dead := 0, 0, 0
	var contaminated []*roundState
	for _, r := range m.rounds {
		if r.measure.Interrupted {
			cut++
		}
		strays += r.measure.Strays
		dead += r.measure.Dead
	}
	for _, r := range rounds {
		if r.measure.Noise.Contaminated != "" {
			contaminated = append(contaminated, r)
		}
	}
	switch {
	case len(rounds) > 0 && !rounds[0].counts():
		n.add(m, WarnNoWholeRound, args{"rounds": len(rounds)}, "no %s went to its end: the numbers are those of %s cut short", turn, format.Plural(len(rounds), turn))
	case cut > 0:
		n.add(m, WarnInterrupted, args{"rounds": cut}, "%s interrupted, and %s not count", were(cut, turn), does(cut))
	}
	if c := len(contaminated); c > 0 {
		first := contaminated[0]
		n.add(m, WarnContaminated, args{"rounds": c, "of": len(rounds), "round": first.number + 1, "cause": plain(first.measure.Noise.Contaminated)},
			"%d of %s contaminated (in round %d, %s); a quiet machine gives better numbers",
			c, were(len(rounds), "round"), first.number+1, plain(first.measure.Noise.Contaminated))
	}
	if strays > 0 {
		n.add(m, WarnStrays, args{"processes": strays}, "jobs left %s behind, killed at the end of the round", format.Plural(strays, "process"))
	}
	if dead > 0 {
		n.add(m, WarnDeadLetters, args{"jobs": dead}, "%s given up without an outcome, as dead letters", were(dead, "job"))
	}
	for _, r := range m.rounds {
		for _, text := range r.measure.Warnings {
			n.add(m, WarnMachine, nil, "%s", plain(text))
		}
	}
}

// aboutConvergence says why a simulated model's numbers cannot be stood up for.
func (n *notes) aboutConvergence(m *modelState, s *Summary) {
	switch {
	case !s.Spec.Simulated:
	case m.prediction == nil:
		n.add(m, WarnUnfinished, nil, "the simulation did not come to its end")
	default:
		for _, text := range m.prediction.Reasons {
			n.add(m, WarnNotConverged, nil, "%s", plain(text))
		}
	}
}

func (n *notes) aboutJobs(m *modelState, jobs *Jobs) {
	settled := jobs.Done + jobs.Failed + jobs.Crashed + jobs.TimedOut
	all := m.causes()
	for _, c := range []struct {
		status models.Status
		count  int
		code   string
		what   string
	}{
		{models.Failed, jobs.Failed, WarnFailed, "failed"},
		{models.Crashed, jobs.Crashed, WarnCrashed, "crashed"},
		{models.TimedOut, jobs.TimedOut, WarnTimedOut, "timed out"},
	} {
		about := args{"jobs": c.count, "of": settled}
		switch {
		case c.count == 0:
		case c.count == settled:
			n.add(m, c.code, about, "every job %s, so the times are those of %s: %s", c.what, failing(c.status), reasons(all, c.status, c.count))
		default:
			n.add(m, c.code, about, "%s of %s %s: %s", format.Count(c.count), format.Plural(settled, "job"), c.what, reasons(all, c.status, c.count))
		}
	}
}

func failing(s models.Status) string {
	if s == models.Failed {
		return "failing"
	}
	return "dying"
}

// causesTold is how many causes stand in a warning.
const causesTold = 3

// reasons is why so many jobs ended in one way, the commonest causes first.
func reasons(all []Cause, status models.Status, jobs int) string {
	var parts []string
	left := jobs
	for _, c := range all {
		switch {
		case c.Status != status || len(parts) == causesTold:
		case c.Jobs == jobs:
			return c.Text
		default:
			parts = append(parts, fmt.Sprintf("%s × %s", format.Count(c.Jobs), c.Text))
			left -= c.Jobs
		}
	}
	if left > 0 {
		parts = append(parts, format.Count(left)+" for other reasons")
	}
	return strings.Join(parts, "; ")
}

// aboutLives tells of a limit on a child's life that no child came to: the numbers
// are then those of the model without it.
func (n *notes) aboutLives(m *modelState) {
	rounds, _ := m.counting()
	most := 0
	for _, r := range rounds {
		most = max(most, r.mostJobs)
	}
	for _, knob := range []struct{ name, idle string }{
		{"jobs-per-child", "no child was replaced for it"},
		{"max-jobs-per-child", "no child was replaced for it"},
		{"max-tasks-per-child", "no child was replaced for it"},
		{"refork", "no child became the parent of others"},
	} {
		limit, err := strconv.Atoi(m.spec.Knobs[knob.name])
		if err != nil || limit <= 1 || most == 0 || most >= limit {
			continue
		}
		n.add(m, WarnUnreached, args{"limit": knob.name, "value": limit, "most": most},
			"%s=%s came to nothing: the most jobs that a child ran were %s, so %s",
			knob.name, format.Count(limit), format.Count(most), knob.idle)
	}
}

func (n *notes) aboutCPU(m *modelState, s *ModelSummary) {
	sum := s.CPU.Children + s.CPU.Supervisor + s.CPU.Redis
	if min(s.Phases.Run, s.CPU.Children) >= supervisedWork && s.CPU.Supervisor > supervisorShare*sum {
		n.add(m, WarnSupervisor, args{"share": s.CPU.Supervisor / sum}, "this program itself took %.0f %% of the CPU time, which the jobs did not have", 100*s.CPU.Supervisor/sum)
	}
	rounds, _ := m.counting()
	var worst float64
	for _, r := range rounds {
		if share, _ := r.residual(); max(share, -share) > max(worst, -worst) {
			worst = share
		}
	}
	switch {
	case worst > residualShare:
		n.add(m, WarnUnbooked, args{"share": worst}, "%.1f %% of the CPU time that its control group used is in none of the figures here (in the worst round), and the CPU per job is too low by it: "+
			"processes have ended that nobody could wait for, as those of a job that ignores SIGCHLD", 100*worst)
	case worst < -residualShare:
		n.add(m, WarnOverbooked, args{"share": -worst}, "%.1f %% more CPU time was booked on its processes than their control group used (in the worst round): some have left it", -100*worst)
	}
}

// aboutWarming tells of a parent that was warmed, but with nothing to do: nobody
// said what. Where the first jobs turned out to cost no more than later ones,
// there was nothing to say.
func (n *notes) aboutWarming(m *modelState, s *Summary, of *ModelSummary) {
	switch {
	case of.Rounds == 0 || !of.WarmParent || namesWarming(&s.Spec, of.Model) || m.reforks():
		return
	case of.Phases.FirstJobPenalty != nil && !s.repeatsWork(of):
		return
	}
	n.add(m, WarnColdParent, nil, "its parent did nothing before the forks, so they are as cold as those of forkperjob")
}

// warmed reports whether the model warms the processes that it forks from.
func (m *modelState) warmed() bool {
	return slices.ContainsFunc(m.rounds, func(r *roundState) bool { return r.warmed })
}

// reforks reports whether children that have run jobs become parents.
func (m *modelState) reforks() bool {
	switch m.spec.Knobs["refork"] {
	case "", "0", "false":
		return slices.ContainsFunc(m.rounds, func(r *roundState) bool { return r.reforked })
	}
	return true
}

// firstOf is the first n texts, and how many there are besides.
func firstOf(texts []string, n int) []string {
	if len(texts) <= n {
		return texts
	}
	return append(slices.Clone(texts[:n]), fmt.Sprintf("and %d more", len(texts)-n))
}

func were(n int, noun string) string {
	if n == 1 {
		return format.Plural(n, noun) + " was"
	}
	return format.Plural(n, noun) + " were"
}

func does(n int) string {
	if n == 1 {
		return "does"
	}
	return "do"
}

// maxPlain bounds a text from outside, in characters.
const maxPlain = 200

// plain makes a text from outside (an exception's message, say) fit for one line.
// What JSON would replace is replaced the same way; hidden characters stay, and
// are spelt where a report is written.
func plain(text string) string {
	return plainUpTo(text, maxPlain)
}

// plainUpTo is plain for a text of at most so many characters.
func plainUpTo(text string, most int) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > most {
		runes = append(runes[:most-1], '…')
	}
	return string(runes)
}
