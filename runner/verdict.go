package runner

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"forkbench/internal/format"
	"forkbench/record"
)

// When first jobs are said to repeat one-time work.
const (
	repeatedLeast = 1.0  // ms that the first job costs over a later one
	repeatedShare = 0.20 // of that first job's way through its process
	repeatedOften = 0.05 // processes per job
)

// verdict is what to take home, in one or two sentences. What is impossible in the
// records comes first, for then nothing else counts; before it what stopped a
// model, which may be its cause. Then comes how much the models got done, unless
// they all did all of it, then which must not be used as they are, and then how
// fast, of the others, those were that did the most.
func verdict(s *Summary, stopped, impossible []string) string {
	measured := slices.DeleteFunc(slices.Clone(s.Models), func(m ModelSummary) bool { return m.Rounds == 0 && !s.Environment.Race })
	switch {
	case len(impossible) > 0 && len(measured) > 0:
		why := slices.Concat(stopped, impossible)
		text := "Do not use these numbers: " + why[0]
		if more := len(why) - 1; more > 0 {
			text += fmt.Sprintf(" (and %d more, see the errors)", more)
		}
		return text + "."
	case len(stopped) > 0 && !slices.ContainsFunc(s.Models, func(m ModelSummary) bool { return m.Jobs.Settled > 0 }):
		return "No verdict: " + stopped[0] + "."
	case len(stopped) > 0 && len(measured) == 0:
		return "No verdict: " + also(s.Outcome(), unusable(s.Models)) + "."
	case len(impossible) > 0:
		return "Do not use these numbers: " + impossible[0] + "."
	case len(measured) == 0:
		return "No verdict: no " + s.turn() + " was finished."
	case !s.anyDone():
		return "No verdict, as not one job was done: " + also(s.Outcome(), unusable(s.Models)) + "."
	}
	outcome, warning := s.Outcome(), unusable(s.Models)
	if s.Environment.Race {
		return withoutSpeed(also(outcome, warning))
	}
	before := also(outcome, warning) // it is the cause, probably
	fast := speed(s, s.foremost(measured), measured)
	if fast == "" && warning != "" && !slices.ContainsFunc(measured, fit) {
		fast = "no model is left to recommend, however fast: mend that first"
	}
	sentences := []string{before, s.capital(fast, before != "")}
	sentences = slices.DeleteFunc(sentences, func(text string) bool { return text == "" })
	if x := s.Spec.Simulation; x != nil {
		sentences[0] = fmt.Sprintf("Simulated on %s: %s", format.Plural(x.Cores, "core"), sentences[0])
	}
	return strings.Join(sentences, ". ") + "."
}

// SoFar is what is known of a comparison that goes on: which models did how many of
// their jobs, or, if all did all, how fast they are to each other. It is "" as long
// as a model has no round. What forks of a model share is said in the end, and such a
// model is not part of it.
func (s *Summary) SoFar() string {
	if s.Environment.Race || slices.ContainsFunc(s.Models, func(m ModelSummary) bool { return m.Rounds == 0 && m.Stopped == "" }) {
		return ""
	}
	if outcome := s.Outcome(); outcome != "" {
		return outcome
	}
	h, fit := headlineFor(s), slices.DeleteFunc(slices.Clone(s.Models), func(m ModelSummary) bool { return len(m.Unfit) > 0 })
	switch len(fit) {
	case 0:
		return "no model is fit to be used"
	case 1:
		return h.alone(&fit[0])
	}
	text, _ := h.compare(s, fit)
	return text
}

// withoutSpeed is the verdict of a program with the race detector, which slows
// Python less than itself: how much was done holds, how fast does not.
func withoutSpeed(outcome string) string {
	const why = "built with -race, this program measures the race detector; build it without."
	if outcome == "" {
		return "No verdict: " + why
	}
	return outcome + ". Nothing is said of speed: " + why
}

// capital begins a text with a capital letter if it is a sentence's beginning, and
// no model's name.
func (s *Summary) capital(text string, sentence bool) string {
	if !sentence || slices.ContainsFunc(s.Models, func(m ModelSummary) bool { return strings.HasPrefix(text, m.Model) }) {
		return text
	}
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return text
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// also is two clauses, either of which may be missing.
func also(a, b string) string {
	if a != "" && b != "" {
		a += "; "
	}
	return a + b
}

// fit reports whether nothing speaks against a model, however fast it is.
func fit(m ModelSummary) bool { return len(m.Unfit) == 0 }

// foremost is the models that did the largest share of their jobs, or none that is
// found to be smaller; of those that are fit and could go on to their end.
func (s *Summary) foremost(measured []ModelSummary) []ModelSummary {
	going := slices.DeleteFunc(slices.Clone(measured), func(m ModelSummary) bool { return m.Stopped != "" || m.Jobs.Done == 0 || !fit(m) })
	if len(going) == 0 {
		return nil
	}
	best := slices.MaxFunc(going, func(a, b ModelSummary) int { return cmp.Compare(a.Jobs.share(), b.Jobs.share()) }).Model
	return slices.DeleteFunc(going, func(m ModelSummary) bool { return s.differ(best, m.Model) })
}

// speed says how fast the models were that did the largest share of their jobs,
// and what there is to find in it; "" if there is nothing to say.
func speed(s *Summary, foremost, measured []ModelSummary) string {
	h := headlineFor(s)
	text, subjects := "", foremost
	steady := slices.DeleteFunc(slices.Clone(foremost), func(m ModelSummary) bool { return m.unstable() })
	switch {
	case len(foremost) == 0:
		return ""
	case len(steady) == 0:
		text = "no model keeps up with its jobs"
	case len(steady) == 1:
		text, subjects = h.alone(&steady[0]), steady
	default:
		text, subjects = h.compare(s, steady)
	}
	if slices.ContainsFunc(subjects, func(m ModelSummary) bool { return m.Jobs.Undone > 0 }) && h.ofDone != "" && len(steady) > 0 {
		text = h.ofDone + text
	}
	if slices.ContainsFunc(subjects, func(m ModelSummary) bool { return m.mostlyContaminated() }) {
		text += ", on a machine that was busy with other work"
	}
	for i := range measured {
		if m := &measured[i]; m.unstable() {
			text += fmt.Sprintf("; %s runs %s jobs per second at most, and %s come", m.Model, number(m.Simulation.Capacity), number(m.Simulation.Offered))
		}
	}
	if slices.ContainsFunc(subjects, func(m ModelSummary) bool { return m.Simulation != nil && !m.unstable() && !m.Simulation.Converged }) {
		text += ", which has not converged (see the warnings)"
	}
	text = also(text, s.repeated(foremost))
	if s.Advice != nil {
		text = also(text, s.Advice.Text)
	}
	var gone []string
	for _, m := range s.Models {
		if m.Rounds == 0 && m.Jobs.Undone == 0 && m.Stopped == "" {
			gone = append(gone, m.Model)
		}
	}
	if gone != nil {
		text += "; nothing was measured of " + format.List(gone)
	}
	return text
}

// A headline is the metric that a verdict is about.
type headline struct {
	metric string
	best   func(a, b *ModelSummary) int // which comes first
	ratio  string                       // of the winner to another: name, ratio, name
	again  string                       // of the same to a third: ratio, name
	what   string
	alone  func(m *ModelSummary) string
	ofDone string // what comes before it where jobs were not done
}

// headlineFor chooses throughput where the jobs were all due at once. Where they
// come at a rate of their own, every model that keeps up has that throughput, and
// what differs is how long they take.
func headlineFor(s *Summary) headline {
	if s.Spec.Arrivals == "" || s.Spec.Arrivals == "burst" {
		return headline{
			metric: MetricDone,
			best:   func(a, b *ModelSummary) int { return cmp.Compare(b.DonePerS.Median, a.DonePerS.Median) },
			ratio:  "%s ran %s the jobs per second of %s",
			again:  "%s those of %s",
			what:   "jobs per second",
			alone: func(m *ModelSummary) string {
				return fmt.Sprintf("%s ran %s jobs per second%s, with %s ms of CPU time for each",
					m.Model, number(m.DonePerS.Median), bounds(m.DonePerS.Low, m.DonePerS.High), number(m.cpuPerDone()))
			},
			ofDone: "counting jobs done only, ",
		}
	}
	return headline{
		metric: MetricLatency,
		best:   func(a, b *ModelSummary) int { return cmp.Compare(a.Latency.P95, b.Latency.P95) },
		ratio:  "the p95 latency of %s was %s that of %s",
		again:  "%s that of %s",
		what:   "p95 latency",
		alone: func(m *ModelSummary) string {
			jobs, each := "its jobs", "each"
			if m.Jobs.Undone > 0 {
				jobs, each = "its jobs, done or not,", "each one done"
			}
			return fmt.Sprintf("%s finished 95 %% of %s within %s ms of their due time, with %s ms of CPU time for %s",
				m.Model, jobs, number(m.Latency.P95), number(m.cpuPerDone()), each)
		},
	}
}

// maxRivals bounds how many models the winner is compared with in a sentence.
const maxRivals = 3

// compare says how far the best model is ahead of the others, the last first, and
// returns the models that this rests on.
func (h headline) compare(s *Summary, ms []ModelSummary) (text string, subjects []ModelSummary) {
	slices.SortStableFunc(ms, func(a, b ModelSummary) int { return h.best(&a, &b) })
	best, rivals := ms[0].Model, ms[1:]
	subjects = ms[:1:1]
	if len(rivals) > maxRivals { // the runner-up and the last
		rivals = []ModelSummary{rivals[0], rivals[len(rivals)-1]}
	}
	var ahead, same, untold []string
	unsure, more := false, 0.0
	for _, rival := range slices.Backward(rivals) {
		c, ok := s.comparison(h.metric, best, rival.Model)
		if !ok {
			continue
		}
		subjects = append(subjects, rival)
		value := number(c.Ratio) + "×" + bounds(c.Low, c.High)
		switch {
		case c.Same:
			same = append(same, fmt.Sprintf("%s (%s)", rival.Model, value))
		case c.P != nil && !c.differs():
			untold = append(untold, fmt.Sprintf("%s (%s)", rival.Model, value))
			more = max(more, c.moreRounds())
		case len(ahead) == 0:
			ahead = append(ahead, fmt.Sprintf(h.ratio, best, value, rival.Model))
		default:
			ahead = append(ahead, fmt.Sprintf(h.again, value, rival.Model))
		}
		unsure = unsure || c.P == nil
	}
	var parts []string
	if ahead != nil {
		parts = append(parts, format.List(ahead))
	}
	if same != nil {
		parts = append(parts, fmt.Sprintf("there is no difference in %s that matters, within ±%g %%, between %s and %s", h.what, 100*Immaterial, best, format.List(same)))
	}
	if untold != nil {
		parts = append(parts, fmt.Sprintf("not measured long enough to tell %s from %s in %s%s", best, format.List(untold), h.what, s.longer(more)))
	}
	if parts == nil {
		subjects = ms
		parts = append(parts, fmt.Sprintf("no two models share a %s, so %s is only the best by median", s.turn(), best))
	}
	text = strings.Join(parts, "; ")
	if unsure {
		text += ", in one " + s.turn() + ", which may be chance"
	}
	return text, subjects
}

// longer says how many more rounds would tell.
func (s *Summary) longer(times float64) string {
	switch {
	case times == 0:
		return ""
	case times > 100:
		return fmt.Sprintf(": more than 100 times as many %s would", s.turns())
	}
	return fmt.Sprintf(": about %g times as many %s would", times, s.turns())
}

// comparison is A against B, also where the Summary holds B against A.
func (s *Summary) comparison(metric, a, b string) (Comparison, bool) {
	for _, c := range s.Comparisons {
		switch {
		case c.Metric != metric:
		case c.A == a && c.B == b:
			return c, true
		case c.A == b && c.B == a:
			return c.inverse(), true
		}
	}
	return Comparison{}, false
}

// inverse is B against A.
func (c Comparison) inverse() Comparison {
	inverse := func(v *float64) *float64 {
		if v == nil || *v == 0 {
			return nil
		}
		i := 1 / *v
		return &i
	}
	c.A, c.B = c.B, c.A
	c.Ratio = 1 / c.Ratio
	c.Low, c.High = inverse(c.High), inverse(c.Low)
	return c
}

// repeatsWork reports whether the model does one-time work again and again.
func (s *Summary) repeatsWork(m *ModelSummary) bool {
	p := m.Phases.FirstJobPenalty
	return p != nil && m.material(*p) && s.processesPerJob(m) >= repeatedOften
}

// allContaminated reports whether no round of the model, or part of one, can be trusted
// with a finding.
func (m *ModelSummary) allContaminated() bool {
	contaminated, all := m.contaminated()
	return contaminated == all
}

// mostlyContaminated reports whether most of them were.
func (m *ModelSummary) mostlyContaminated() bool {
	contaminated, all := m.contaminated()
	return 2*contaminated > all
}

func (m *ModelSummary) contaminated() (contaminated, all int) {
	if m.Parts > 0 {
		return m.ContaminatedParts, m.Parts
	}
	return m.Contaminated, m.Rounds
}

// material reports whether a part of a process's first job is worth a sentence.
// A first job always costs a little more than a later one: it copies the pages
// that it writes to.
func (m *ModelSummary) material(part float64) bool {
	whole := m.Phases.Fork + m.firstJob() + m.Phases.Exit
	return part >= repeatedLeast && part >= repeatedShare*whole
}

// firstJob is what the first job of a process takes, in milliseconds.
func (m *ModelSummary) firstJob() float64 {
	if p := m.Phases.FirstJobPenalty; p != nil {
		return m.Phases.Run + *p
	}
	return m.Phases.Run
}

// processesPerJob is 1 at most. The processes are those of the rounds that count, and so
// are the jobs: those of a round that was interrupted besides are not among them.
func (s *Summary) processesPerJob(m *ModelSummary) float64 {
	jobs := min(m.Jobs.Settled, m.Rounds*s.Spec.Jobs)
	return min(1, float64(m.Processes*m.Rounds)/float64(max(jobs, 1)))
}

func (s *Summary) repeatedPerJob(m *ModelSummary) float64 {
	return *m.Phases.FirstJobPenalty * s.processesPerJob(m)
}

// repeated names the one-time work that forks repeat, and says what to do. What
// was measured only while the machine did other work too is not a finding: a first
// job may have been slow for that.
func (s *Summary) repeated(ms []ModelSummary) string {
	worst, warm := s.mostRepeated(ms), warmest(ms)
	if worst == nil {
		return inherited(ms, warm)
	}
	penalty := *worst.Phases.FirstJobPenalty
	if worst.WarmParent && namesWarming(&s.Spec, worst.Model) {
		return fmt.Sprintf("the first job of each %s process still costs %s ms more than a later one: pages copied, and what the warm-up does not reach",
			worst.Model, number(penalty))
	}
	text := fmt.Sprintf("the first job of each %s process costs %s ms more than a later one: one-time work that every fork repeats, unless it is hoisted into the parent",
		worst.Model, number(penalty))
	switch {
	case warm == nil && slices.ContainsFunc(s.Models, func(m ModelSummary) bool { return m.WarmParent }):
		return text // those that there are are not an example
	case warm == nil:
		return text + " (--model=hybrid)"
	case warm.Phases.FirstJobPenalty == nil, warm.allContaminated(): // it may or may not be
		return text
	case *warm.Phases.FirstJobPenalty >= penalty/2 && s.Spec.Simulated:
		return text + ", as far as the profile says that it can be"
	case *warm.Phases.FirstJobPenalty >= penalty/2:
		return text + ", which " + warm.Model + " does not do yet: name it with --warm=MODULE:FUNCTION"
	}
	return text + ", as in " + warm.Model
}

// mostRepeated is the model whose forks repeat the most one-time work, or nil if none
// repeats any.
func (s *Summary) mostRepeated(ms []ModelSummary) *ModelSummary {
	var worst *ModelSummary
	for i := range ms {
		if m := &ms[i]; s.repeatsWork(m) && !m.allContaminated() && (worst == nil || s.repeatedPerJob(m) > s.repeatedPerJob(worst)) {
			worst = m
		}
	}
	return worst
}

// namesWarming reports whether it is known what the parents of a model can do up
// front.
func namesWarming(spec *record.Spec, model string) bool {
	if spec.Runtime != "python" {
		return true
	}
	for _, m := range spec.Models {
		if own, ok := m.Knobs["warm"]; ok && m.Name == model {
			return own != ""
		}
	}
	return len(spec.Warm) > 0
}

// warmest is the model with a warm parent that spares its first jobs the most, or
// nil if there is no such model. One of whose jobs fewer were done than of another's
// is not an example to follow, even where that may be chance.
func warmest(ms []ModelSummary) *ModelSummary {
	most := 0.0
	for i := range ms {
		most = max(most, ms[i].Jobs.share())
	}
	var best *ModelSummary
	for i := range ms {
		m := &ms[i]
		if m.WarmParent && m.Jobs.share() == most && (best == nil || m.firstJob() < best.firstJob()) {
			best = m
		}
	}
	return best
}

// inherited is the finding where no process ran a second job to compare with:
// what jobs are spared in forks of a warm parent.
func inherited(ms []ModelSummary, warm *ModelSummary) string {
	if warm == nil || warm.Phases.FirstJobPenalty != nil || warm.allContaminated() {
		return ""
	}
	for i := range ms {
		m := &ms[i]
		if spared := m.Phases.Run - warm.Phases.Run; !m.WarmParent && !m.allContaminated() && m.material(spared) {
			return fmt.Sprintf("a job runs %s ms less in a fork of %s's warm parent than in one of %s: one-time work that every fork repeats, unless it is hoisted into the parent, as in %s",
				number(spared), warm.Model, m.Model, warm.Model)
		}
	}
	return ""
}

// bounds is an interval after a number: " [3.9, 4.6]", or nothing.
func bounds(low, high *float64) string {
	if low == nil || high == nil {
		return ""
	}
	return fmt.Sprintf(" [%s, %s]", number(*low), number(*high))
}
