package runner

import (
	"fmt"
	"slices"
	"strings"

	"forkbench/workload"
)

// An Advice is which of the models fits these jobs, by the rule of docs/measuring.md
// ("Which model fits"). It is made of figures that the Summary has, and there is none
// where the verdict has a doubt of them.
type Advice struct {
	Kind string `json:"kind"` // see the constants

	// Fits is the model to use, and Isolated the fastest that runs each job in a
	// process of its own; they may be the same.
	Fits     string `json:"fits"`
	Isolated string `json:"isolated"`

	// FirstJob is there if the first-job penalty explains why a model is slower.
	FirstJob *FirstJob `json:"first_job,omitempty"`

	// CPU is what Isolated takes more than the best of the others, in milliseconds per
	// job done, and Cores the same at the rate at which the jobs come. They are null
	// where no difference was found, or there is no rate.
	CPU   *float64 `json:"cpu_ms_per_job"`
	Cores *float64 `json:"cores"`

	Simulated bool   `json:"simulated,omitempty"`
	Text      string `json:"text"` // the clause in the verdict
}

// The kinds of advice.
const (
	AdviceNoDifference = "no_difference" // a process for each job costs no speed that matters
	AdviceIsolated     = "isolated"      // the model with a process for each job is the fastest, or near it
	AdviceShared       = "shared"        // processes that run many jobs are faster, by more than that
)

// A FirstJob is how far the first-job penalty explains that a model is slower than the
// fastest: the gap is the time that a job takes of a worker, more than there.
type FirstJob struct {
	Model string  `json:"model"`
	Share float64 `json:"share_of_gap"`

	// Warm is the model whose warm parent does that work once, and Closes the share of
	// the gap that is gone there, measured. Warm is empty if there was none.
	Warm   string  `json:"warm,omitempty"`
	Closes float64 `json:"closes,omitempty"`
}

const (
	nearRatio     = 1.1 // up to which a model is near the fastest
	explainsShare = 0.5 // of the gap, from which on a penalty explains it
)

// advise makes the advice of a comparison of which nothing is impossible; nil where
// there is none to give.
func advise(s *Summary) *Advice {
	h, ms := headlineFor(s), s.advisable()
	if len(ms) < 2 {
		return nil
	}
	slices.SortStableFunc(ms, func(a, b ModelSummary) int { return h.best(&a, &b) })
	best := &ms[0]
	for i := range ms[1:] {
		if c, ok := s.comparison(h.metric, best.Model, ms[i+1].Model); !ok || c.P == nil || !c.Same && !c.differs() {
			return nil // which is the best is not known
		}
	}
	alone := s.leanest(h.metric, ms)
	other := slices.IndexFunc(ms, func(m ModelSummary) bool { return !s.isolates(&m) })
	if alone == nil {
		return nil // none of them keeps jobs apart: the ratio says it all
	}
	a := &Advice{Kind: AdviceShared, Fits: best.Model, Isolated: alone.Model, Simulated: s.Spec.Simulated}
	if other >= 0 {
		a.CPU, a.Cores = s.isolationCosts(alone, &ms[other])
	}
	behind := 1.0
	c, _ := s.comparison(h.metric, best.Model, alone.Model)
	if alone != best {
		behind = max(c.Ratio, 1/c.Ratio)
	}
	switch {
	case c.Same && other >= 0 && !s.isolates(best):
		a.Kind, a.Fits = AdviceNoDifference, alone.Model
	case s.isolates(best), behind <= nearRatio:
		a.Kind, a.Fits = AdviceIsolated, alone.Model
	case h.metric == MetricDone:
		a.FirstJob = s.firstJob(best, ms)
	}
	a.Text = a.clause(s, h, best, behind)
	return a
}

// leanest is the fastest model that keeps jobs apart, or of those that are the same in
// that the one with the least memory; nil if there is none. The models come fastest
// first.
func (s *Summary) leanest(metric string, ms []ModelSummary) *ModelSummary {
	var first, found *ModelSummary
	for i := range ms {
		m := &ms[i]
		switch {
		case !s.isolates(m):
		case first == nil:
			first, found = m, m
		default:
			c, ok := s.comparison(metric, first.Model, m.Model)
			if ok && c.Same && m.Memory.PeakPSS != nil && found.Memory.PeakPSS != nil && *m.Memory.PeakPSS < *found.Memory.PeakPSS {
				found = m
			}
		}
	}
	return found
}

// advisable is the models that the advice is about; none if something in the run takes
// the ground from it. What must not be used as it is, is not part of it.
func (s *Summary) advisable() []ModelSummary {
	doubtful := func(m ModelSummary) bool {
		return m.Jobs.Undone > 0 || m.Stopped != "" || m.Rounds == 0 || m.mostlyContaminated() ||
			m.unstable() || m.Simulation != nil && !m.Simulation.Converged
	}
	switch {
	case s.Environment.Race, len(s.Errors) > 0:
		return nil
	case s.Spec.Jobs < fewJobs:
		return nil // one slow job moves every number
	case s.Environment.Peers != "":
		return nil // what differs is not the model only
	case slices.ContainsFunc(s.Models, doubtful):
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Models), func(m ModelSummary) bool { return !fit(m) })
}

// isolates reports whether each job had a process of its own.
func (s *Summary) isolates(m *ModelSummary) bool {
	return s.processesPerJob(m) == 1 && s.Spec.Jobs > 2*s.Spec.Workers
}

// isolationCosts is the CPU per job of one model more than of another, and the cores
// that this comes to at the jobs' rate.
func (s *Summary) isolationCosts(alone, shared *ModelSummary) (cpu, cores *float64) {
	c, ok := s.comparison(MetricCPUDone, alone.Model, shared.Model)
	more := alone.cpuPerDone() - shared.cpuPerDone()
	if !ok || !c.differs() || more <= 0 {
		return nil, nil
	}
	if rate := s.rate(); rate > 0 {
		cores = new(more / 1000 * rate)
	}
	return &more, cores
}

// rate is how many jobs come per second; 0 if they do not come at a rate.
func (s *Summary) rate() float64 {
	kind, _, _ := strings.Cut(s.Spec.Arrivals, ":")
	if kind != "rate" && kind != "poisson" {
		return 0 // others name files
	}
	plan, err := workload.ParseArrivals(s.Spec.Arrivals)
	if steady, ok := plan.(workload.Steady); ok && err == nil {
		return steady.Rate()
	}
	return 0
}

// firstJob is how far the penalty explains the gap of the model that repeats most; nil
// if it does not.
func (s *Summary) firstJob(best *ModelSummary, ms []ModelSummary) *FirstJob {
	cold := s.mostRepeated(ms)
	if cold == nil || cold.Model == best.Model || cold.WarmParent && namesWarming(&s.Spec, cold.Model) {
		return nil
	}
	// What a job takes of a worker, in milliseconds.
	takes := func(m *ModelSummary) float64 { return 1000 * float64(s.Spec.Workers) / m.DonePerS.Median }
	gap := takes(cold) - takes(best)
	if c, ok := s.comparison(MetricDone, best.Model, cold.Model); !ok || c.Same || gap <= 0 {
		return nil
	}
	f := &FirstJob{Model: cold.Model, Share: min(1, s.repeatedPerJob(cold)/gap)}
	if f.Share < explainsShare {
		return nil
	}
	if warm := warmest(ms); warm != nil && warm.spares(*cold.Phases.FirstJobPenalty) {
		f.Warm, f.Closes = warm.Model, min(1, (takes(cold)-takes(warm))/gap)
		if f.Closes <= 0 {
			return nil // the penalty is gone there, and the gap is not: something else explains it
		}
	}
	return f
}

// spares reports whether first jobs of the model, whose parent is warm, are found to be
// spared most of a penalty.
func (m *ModelSummary) spares(penalty float64) bool {
	own := m.Phases.FirstJobPenalty
	return own != nil && !m.allContaminated() && *own < penalty/2
}

// clause is the advice in words.
func (a *Advice) clause(s *Summary, h headline, best *ModelSummary, behind float64) string {
	const apart = "a process for each job"
	here := "here"
	if slices.ContainsFunc(s.Models, func(m ModelSummary) bool { return !fit(m) }) {
		here = "of those that are fit" // the others have figures, too
	}
	switch {
	case a.Kind == AdviceNoDifference:
		return fmt.Sprintf("%s fits: %s costs no speed that matters%s", a.Fits, apart, a.costs(s))
	case a.Kind == AdviceIsolated && a.Fits == best.Model:
		return fmt.Sprintf("%s fits: the fastest %s, with %s", a.Fits, here, apart)
	case a.Kind == AdviceIsolated && s.isolates(best):
		return fmt.Sprintf("%s fits: as fast as any %s, with %s", a.Fits, here, apart)
	case a.Kind == AdviceIsolated && h.metric == MetricDone:
		return fmt.Sprintf("%s fits: %s, at %.0f %% of the speed of %s%s", a.Fits, apart, 100/behind, best.Model, a.costs(s))
	case a.Kind == AdviceIsolated:
		return fmt.Sprintf("%s fits: %s, at %s× the %s of %s%s", a.Fits, apart, number(behind), h.what, best.Model, a.costs(s))
	}
	f := a.FirstJob
	switch {
	case f == nil, f.Warm != "" && f.Warm == best.Model:
		return fmt.Sprintf("%s fits, or %s where jobs must not share a process%s", a.Fits, a.Isolated, a.costs(s))
	case f.Warm != "":
		return fmt.Sprintf("a warm parent closes %.0f %% of the gap: %s fits, or %s where jobs must not share a process%s",
			100*f.Closes, a.Fits, a.Isolated, a.costs(s))
	}
	return fmt.Sprintf("the first-job penalty is %.0f %% of the gap: %s fits; where jobs must not share a process, measure a warm parent first", 100*f.Share, a.Fits)
}

// costs is what isolation costs, in parentheses, or nothing.
func (a *Advice) costs(s *Summary) string {
	switch {
	case a.CPU == nil:
		return ""
	case a.Cores == nil:
		return fmt.Sprintf(" (%s ms more CPU per job)", number(*a.CPU))
	}
	return fmt.Sprintf(" (%s ms more CPU per job, %s cores at %s jobs/s)", number(*a.CPU), number(*a.Cores), number(s.rate()))
}
