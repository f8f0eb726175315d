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

// impossible is the checks that the rounds did not pass.
func (a *Aggregator) impossible() []string {
	var n notes
	for _, m := range a.models {
		for _, r := range m.rounds {
			for _, text := range r.broken {
				n.add(m, "in round %d, %s", r.number+1, text)
			}
		}
		for _, text := range m.blunders.errors() {
			n.add(m, "%s", text)
		}
	}
	return n.texts()
}

// endedEarly is all that can be known from records that end early.
const endedEarly = "was killed, or could not write them (a full disk)"

// stopped is why models could not go on.
func (a *Aggregator) stopped() []string {
	var n notes
	for _, m := range a.models {
		for _, r := range m.rounds {
			if r.measure.Error != "" {
				n.add(m, "could not go on in round %d: %s", r.number+1, plainUpTo(r.measure.Error, maxCure))
			}
		}
	}
	return n.join(" ")
}

// warnings is why the numbers in s should not be trusted.
func (a *Aggregator) warnings(s *Summary) []string {
	var n notes
	if s.Environment.Race {
		n.add(nil, "this program was built with -race, and publishes no numbers: build it without")
	}
	if a.cut {
		n.add(nil, "the records end early, in the middle of a line: the run "+endedEarly)
	}
	n.aboutSize(s)
	if x := s.Spec.Simulation; x != nil {
		for _, text := range x.Warnings {
			n.add(nil, "%s", plainUpTo(text, maxCure))
		}
	}
	if !a.interrupted() {
		n.aboutWidth(s)
	}
	if strings.Contains(s.Environment.Redis, "miniredis") {
		n.add(nil, "the jobs went through miniredis, a stand-in that is slower than Redis: install redis-server or valkey-server, or give --redis=URL")
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
		n.aboutWarming(m, &s.Models[i], &s.Spec)
	}
	return n.texts()
}

func (n *notes) aboutSize(s *Summary) {
	if s.Spec.Jobs < fewJobs {
		are := "are"
		if s.Spec.Jobs == 1 {
			are = "is"
		}
		n.add(nil, "%s in a %s %s few: one slow job moves every number; try --jobs=1000", format.Plural(s.Spec.Jobs, "job"), s.turn(), are)
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
	switch {
	case least == 1:
		n.add(nil, "one round gives no interval and no p-value: any difference may be chance; try --rounds=%d", fewRounds)
	case least > 0 && least < fewRounds:
		n.add(nil, "%d rounds give very wide intervals; try --rounds=%d", least, fewRounds)
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
		n.add(nil, "what %s is to %s is known to ±%s %%, and ±%g %% was asked for: --max-time=%s was not enough on this machine as it was",
			widest.A, widest.B, number(100*widest.halfWidth()), 100*s.Spec.Until.HalfWidth, s.Spec.Until.MostNS)
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
	what, other := "payloads", "--jobs=%d runs each of them once"
	if spec.Payload == "" {
		what, other = "recorded jobs", "without --jobs, or with --jobs=%d, each of them is run once"
	}
	switch {
	case spec.Listed == 0 || spec.Listed == spec.Jobs:
	case spec.Listed < spec.Jobs:
		n.add(nil, "the %s %s are gone through again and again to make %s; "+other, format.Count(spec.Listed), what, format.Plural(spec.Jobs, "job"), spec.Listed)
	default:
		n.add(nil, "the first %s of %s %s are run; "+other, format.Count(spec.Jobs), format.Count(spec.Listed), what, spec.Listed)
	}
}

func (n *notes) aboutRounds(m *modelState, asked int, turn string) {
	switch {
	case m.open != nil:
		n.add(m, "the records end early, in round %d, which does not count: the run %s", m.open.number+1, endedEarly)
	case len(m.rounds) < asked:
		n.add(m, "%d of %s run", len(m.rounds), were(asked, turn))
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
		n.add(m, "no %s went to its end: the numbers are those of %s cut short", turn, format.Plural(len(rounds), turn))
	case cut > 0:
		n.add(m, "%s interrupted, and %s not count", were(cut, turn), does(cut))
	}
	if c := len(contaminated); c > 0 {
		first := contaminated[0]
		n.add(m, "%d of %s contaminated (in round %d, %s); a quiet machine gives better numbers",
			c, were(len(rounds), "round"), first.number+1, plain(first.measure.Noise.Contaminated))
	}
	if strays > 0 {
		n.add(m, "jobs left %s behind, killed at the end of the round", format.Plural(strays, "process"))
	}
	if dead > 0 {
		n.add(m, "%s given up without an outcome, as dead letters", were(dead, "job"))
	}
	for _, r := range m.rounds {
		for _, text := range r.measure.Warnings {
			n.add(m, "%s", plain(text))
		}
	}
}

// aboutConvergence says why a simulated model's numbers cannot be stood up for.
func (n *notes) aboutConvergence(m *modelState, s *Summary) {
	switch {
	case !s.Spec.Simulated:
	case m.prediction == nil:
		n.add(m, "the simulation did not come to its end")
	default:
		for _, text := range m.prediction.Reasons {
			n.add(m, "%s", plain(text))
		}
	}
}

func (n *notes) aboutJobs(m *modelState, jobs *Jobs) {
	settled := jobs.Done + jobs.Failed + jobs.Crashed + jobs.TimedOut
	all := m.causes()
	for _, c := range []struct {
		status models.Status
		count  int
		what   string
	}{
		{models.Failed, jobs.Failed, "failed"},
		{models.Crashed, jobs.Crashed, "crashed"},
		{models.TimedOut, jobs.TimedOut, "timed out"},
	} {
		switch {
		case c.count == 0:
		case c.count == settled:
			n.add(m, "every job %s, so the times are those of %s: %s", c.what, failing(c.status), reasons(all, c.status, c.count))
		default:
			n.add(m, "%s of %s %s: %s", format.Count(c.count), format.Plural(settled, "job"), c.what, reasons(all, c.status, c.count))
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
		n.add(m, "%s=%s came to nothing: the most jobs that a child ran were %s, so %s; give more --jobs, or fewer --workers",
			knob.name, format.Count(limit), format.Count(most), knob.idle)
	}
}

func (n *notes) aboutCPU(m *modelState, s *ModelSummary) {
	sum := s.CPU.Children + s.CPU.Supervisor + s.CPU.Redis
	if min(s.Phases.Run, s.CPU.Children) >= supervisedWork && s.CPU.Supervisor > supervisorShare*sum {
		n.add(m, "this program itself took %.0f %% of the CPU time, which the jobs did not have", 100*s.CPU.Supervisor/sum)
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
		n.add(m, "%.1f %% of the CPU time that its control group used is in none of the figures here (in the worst round), and the CPU per job is too low by it: "+
			"processes have ended that nobody could wait for, as those of a job that ignores SIGCHLD", 100*worst)
	case worst < -residualShare:
		n.add(m, "%.1f %% more CPU time was booked on its processes than their control group used (in the worst round): some have left it", -100*worst)
	}
}

// aboutWarming tells of a parent that was warmed, but with nothing to do: nobody
// said what. Where the first jobs turned out to cost no more than later ones,
// there was nothing to say.
func (n *notes) aboutWarming(m *modelState, s *ModelSummary, spec *record.Spec) {
	switch {
	case s.Rounds == 0 || !s.WarmParent || namesWarming(spec, s.Model) || m.reforks():
		return
	case s.Phases.FirstJobPenalty != nil && !s.repeatsWork():
		return
	}
	n.add(m, "its parent did nothing before the forks, so they are as cold as those of forkperjob: name the one-time work with --warm=MODULE:FUNCTION, or let hybrid's --refork find it")
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

// notes collects sentences about models. What holds for several is said once.
type notes struct {
	all []note
}

type note struct {
	models []string
	text   string
}

// add notes something about a model, or about the whole run.
func (n *notes) add(m *modelState, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if m == nil {
		n.all = append(n.all, note{text: text})
		return
	}
	for i := range n.all {
		if known := &n.all[i]; known.text == text && known.models != nil {
			if !slices.Contains(known.models, m.spec.Name) {
				known.models = append(known.models, m.spec.Name)
			}
			return
		}
	}
	n.all = append(n.all, note{[]string{m.spec.Name}, text})
}

// texts are the notes, each after the names of its models and a colon.
func (n *notes) texts() []string { return n.join(": ") }

// join is texts with something else than the colon.
func (n *notes) join(separator string) []string {
	var texts []string
	for _, note := range n.all {
		if note.models != nil {
			note.text = format.List(note.models) + separator + note.text
		}
		texts = append(texts, note.text)
	}
	return texts
}

func atMost(texts []string, n int) []string {
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
