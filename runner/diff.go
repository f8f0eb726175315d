package runner

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/record"
)

// DiffVersion is the version of the Diff's JSON form.
const DiffVersion = 1

// A Diff is what changed between two runs of the same jobs, model by model.
//
// What became of the jobs comes first: a model that does another share of them, or
// has a hazard now that it had not, has no ratio. The intervals are those of the
// rounds (or blocks) of each run. A machine differs from one run to the next by more
// than from round to round; what was found to differ of it is in Differences.
type Diff struct {
	Version int    `json:"version"`
	Old     string `json:"old"` // what the runs are called
	New     string `json:"new"`
	Verdict string `json:"verdict"`

	// Refused is why there is nothing to compare; Models is then empty.
	Refused []string `json:"refused"`
	// Differences are what else is another one, and may be why a figure changed.
	Differences []Difference `json:"differences"`
	Models      []ModelDiff  `json:"models"`
	OnlyOld     []string     `json:"only_old"` // models of one run only
	OnlyNew     []string     `json:"only_new"`
	Warnings    []string     `json:"warnings"`
}

// A ModelDiff is what changed for one model.
type ModelDiff struct {
	Model     string `json:"model"`
	OldRounds int    `json:"old_rounds"` // that count
	NewRounds int    `json:"new_rounds"`

	Outcome OutcomeDiff  `json:"outcome"`
	Hazards []string     `json:"new_hazards"`  // why it must not be used that were not reasons before
	Mended  []string     `json:"gone_hazards"` // the other way round
	Why     string       `json:"no_figures"`   // why there are none; or ""
	Figures []FigureDiff `json:"figures"`
}

// An OutcomeDiff is what became of a model's jobs, all rounds together. P is the
// p-value of "both runs do the same share", by Fisher's exact test in its mid-p form;
// Differ says that it is below 0.05, corrected for how many models there are.
type OutcomeDiff struct {
	OldDone   int     `json:"old_done"`
	OldUndone int     `json:"old_undone"`
	NewDone   int     `json:"new_done"`
	NewUndone int     `json:"new_undone"`
	P         float64 `json:"p"`
	Differ    bool    `json:"differ"`
}

// A Finding is what a figure's change comes to.
type Finding string

// The findings.
const (
	Better  Finding = "better"
	Worse   Finding = "worse"
	Same    Finding = "same"           // within ±5 %, by two one-sided tests
	Untold  Finding = "not told apart" // too few rounds, or too much noise, to say
	Unknown Finding = "may be chance"  // of a single round: no interval
)

// A FigureDiff is one figure of a model in both runs: geometric means over rounds or
// blocks, and their ratio, new to old, with its 95 % interval and p-value (Welch's, on
// the logarithms). The bounds and p-values are null where one of the runs has a single
// round.
type FigureDiff struct {
	Metric    string   `json:"metric"` // as in Metrics
	Unit      string   `json:"unit"`
	Old       float64  `json:"old"`
	New       float64  `json:"new"`
	Ratio     float64  `json:"ratio"`
	Low       *float64 `json:"low"`
	High      *float64 `json:"high"`
	P         *float64 `json:"p"`
	Corrected *float64 `json:"p_corrected"` // for how many models there are, by Holm's procedure
	Finding   Finding  `json:"finding"`
}

// A diffed is a figure that two runs are compared in.
type diffed struct {
	metric   string
	unit     unit
	label    string
	more     bool // is better
	headline bool // the verdict says it
	parts    bool // it is known of each part of a round that was made in several
	of       func(*RoundSeries) float64
}

// diffs lists them, in the order in which they are shown.
func diffs() []diffed {
	return []diffed{
		{MetricDone, unitRate, "jobs done per second", true, true, true, (*RoundSeries).donePerSecond},
		{MetricCPUDone, unitMilli, "CPU per job done, ms", false, true, true, (*RoundSeries).cpuPerDone},
		{"startup_s", unitSecond, "start-up, s", false, false, true, func(r *RoundSeries) float64 { return r.Measure.StartupNS.Seconds() }},
		{"p50", unitMilli, "latency p50, ms", false, false, false, func(r *RoundSeries) float64 { return r.P50 }},
		{MetricLatency, unitMilli, "latency p95, ms", false, false, false, func(r *RoundSeries) float64 { return r.P95 }},
		{"p99", unitMilli, "latency p99, ms", false, false, false, func(r *RoundSeries) float64 { return r.P99 }},
		{"peak_pss", unitMB, "peak memory (PSS), MB", false, false, false, (*RoundSeries).peakPSS},
		{"faults_per_job", unitCount, "minor faults per job", false, false, false, (*RoundSeries).faultsPerJob},
	}
}

func (r *RoundSeries) donePerSecond() float64 {
	return float64(r.JobsDone) / r.Measure.WorkNS.Seconds()
}

func (r *RoundSeries) cpuPerDone() float64 {
	return format.Millis(r.Measure.CPU().Total()) / float64(max(r.JobsDone, 1))
}

func (r *RoundSeries) faultsPerJob() float64 {
	return float64(r.Faults) / float64(max(r.Measure.Settled, 1))
}

func (r *RoundSeries) peakPSS() float64 {
	peak := 0.0
	for _, s := range r.Memory {
		peak = max(peak, float64(s.PSS)/1e6)
	}
	return peak
}

// counts reports whether numbers are taken from the round.
func (r *RoundSeries) counts() bool {
	m := &r.Measure
	return !m.Interrupted && m.Error == "" && m.Settled > 0 && m.WorkNS > 0
}

// A DiffRun is one of two runs to compare.
type DiffRun struct {
	Name     string // a directory, say
	Analysis *Analysis
}

// NewDiff compares a run with a former one.
func NewDiff(before, now DiffRun) *Diff {
	o, n := &before.Analysis.Summary, &now.Analysis.Summary
	d := &Diff{
		Version: DiffVersion, Old: before.Name, New: now.Name,
		Refused: refusals(before.Name, o, now.Name, n), Differences: differences(o, n),
		Models: []ModelDiff{}, OnlyOld: []string{}, OnlyNew: []string{}, Warnings: []string{},
	}
	for _, m := range o.Models {
		if n.model(m.Model) == nil {
			d.OnlyOld = append(d.OnlyOld, m.Model)
		}
	}
	for _, m := range n.Models {
		if o.model(m.Model) == nil {
			d.OnlyNew = append(d.OnlyNew, m.Model)
		}
	}
	if len(d.Refused) > 0 {
		d.Verdict = "These cannot be compared: " + strings.Join(d.Refused, "; ") + "."
		return d
	}
	if x, ok := paceDifference(before.Analysis, now.Analysis); ok {
		d.Differences = append(d.Differences, x)
	}
	sequential := o.Spec.Until != nil || n.Spec.Until != nil
	for i := range n.Models {
		if was := o.model(n.Models[i].Model); was != nil {
			d.Models = append(d.Models, diffModel(o, was, n, &n.Models[i]))
		}
	}
	d.judgeOutcomes()
	for i := range d.Models {
		m := &d.Models[i]
		if m.Why = m.withoutFigures(o.model(m.Model), n.model(m.Model)); m.Why == "" {
			m.figures(before.Analysis.rounds(m.Model), now.Analysis.rounds(m.Model), sequential)
		}
	}
	d.correct()
	d.Verdict = d.verdict()
	for _, run := range []DiffRun{before, now} {
		var of []string
		for _, m := range run.Analysis.Summary.Models {
			if m.Contaminated > 0 {
				of = append(of, fmt.Sprintf("%s of %s of %s", format.Count(m.Contaminated), format.Plural(m.Rounds, "round"), m.Model))
			}
		}
		if of != nil {
			d.Warnings = append(d.Warnings, fmt.Sprintf("in %s, other programs disturbed %s: their times are too long", run.Name, format.List(of)))
		}
	}
	return d
}

// model is the one of that name, or nil.
func (s *Summary) model(name string) *ModelSummary {
	i := slices.IndexFunc(s.Models, func(m ModelSummary) bool { return m.Model == name })
	if i < 0 {
		return nil
	}
	return &s.Models[i]
}

// rounds are a model's that numbers are taken from.
func (a *Analysis) rounds(model string) []RoundSeries {
	i := slices.IndexFunc(a.Series, func(s Series) bool { return s.Model == model })
	if i < 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(a.Series[i].Rounds), func(r RoundSeries) bool { return !r.counts() })
}

func diffModel(o *Summary, was *ModelSummary, n *Summary, is *ModelSummary) ModelDiff {
	m := ModelDiff{
		Model: is.Model, OldRounds: was.Rounds, NewRounds: is.Rounds,
		Outcome: OutcomeDiff{OldDone: was.Jobs.Done, OldUndone: was.Jobs.Undone, NewDone: is.Jobs.Done, NewUndone: is.Jobs.Undone},
		Hazards: []string{}, Mended: []string{}, Figures: []FigureDiff{},
	}
	for _, reason := range is.Unfit {
		if !slices.Contains(was.Unfit, reason) {
			m.Hazards = append(m.Hazards, reason)
		}
	}
	for _, reason := range was.Unfit {
		if !slices.Contains(is.Unfit, reason) {
			m.Mended = append(m.Mended, reason)
		}
	}
	x := m.Outcome
	if o.Spec.Seed != n.Spec.Seed {
		// Rounds of the same seed repeat the same jobs: they are not further evidence
		// against other ones.
		x.OldDone, x.OldUndone = x.OldDone/max(was.Rounds, 1), x.OldUndone/max(was.Rounds, 1)
		x.NewDone, x.NewUndone = x.NewDone/max(is.Rounds, 1), x.NewUndone/max(is.Rounds, 1)
	}
	m.Outcome.P = fisher(x.OldDone, x.OldUndone, x.NewDone, x.NewUndone)
	return m
}

func (d *Diff) judgeOutcomes() {
	ps := make([]float64, len(d.Models))
	for i := range d.Models {
		ps[i] = d.Models[i].Outcome.P
	}
	for i, p := range holm(ps) {
		d.Models[i].Outcome.Differ = p < alpha
	}
}

// withoutFigures is why there is nothing to say about a model's speed.
func (m *ModelDiff) withoutFigures(was, is *ModelSummary) string {
	x := &m.Outcome
	switch {
	case was.Stopped != "":
		return "the old run could not go on " + brief(was.Stopped)
	case is.Stopped != "":
		return "the new run cannot go on " + brief(is.Stopped)
	case x.OldDone == 0 && x.NewDone == 0:
		return "no job was done in either run"
	case x.Differ:
		return fmt.Sprintf("it did %s before and %s now", shareOf(x.OldDone, x.OldUndone), shareOf(x.NewDone, x.NewUndone))
	case x.OldDone == 0:
		return "no job was done in the old run"
	case x.NewDone == 0:
		return "no job was done in the new run"
	case len(m.Hazards) > 0:
		return "it must not be used as it is now, because " + m.Hazards[0]
	case len(is.Unfit) > 0:
		return "it must not be used as it is, in either run, because " + is.Unfit[0]
	}
	return ""
}

func shareOf(done, undone int) string {
	all := format.Plural(done+undone, "job")
	switch {
	case undone == 0:
		return "all of " + all
	case done == 0:
		return "none of " + all
	}
	return format.Count(done) + " of " + all
}

// figures compares what was measured in the rounds that count.
func (m *ModelDiff) figures(olds, news []RoundSeries, looked bool) {
	for _, f := range diffs() {
		was, is := f.logs(olds), f.logs(news)
		if len(was) == 0 || len(is) == 0 {
			continue
		}
		x := FigureDiff{Metric: f.metric, Unit: string(f.unit), Old: expMean(was), New: expMean(is), Finding: Unknown}
		x.Ratio = x.New / x.Old
		level := confidence
		if looked {
			level = sequential
		}
		if w, ok := newWelch(is, was, level); ok {
			x.P = &w.p
			x.Low, x.High = around(x.Ratio, math.Exp(w.difference-w.half), math.Exp(w.difference+w.half))
		}
		m.Figures = append(m.Figures, x)
	}
}

// logs is the logarithm of the figure in each block of rounds, or of parts of them.
// Parts' jobs may cost more or less than those of others: the mean of all is made to be
// that of the rounds.
func (f *diffed) logs(rounds []RoundSeries) []float64 {
	whole := blockLogs(rounds, f.of)
	goes := partsOfRounds(rounds)
	if !f.parts || len(goes) == len(rounds) || len(whole) == 0 {
		return whole
	}
	each := blockLogs(goes, f.of)
	if len(each) == 0 {
		return whole
	}
	off := stats.Mean(whole) - stats.Mean(each)
	for i := range each {
		each[i] += off
	}
	return each
}

// partsOfRounds is the rounds with their parts in place of those that were made in
// parts, with what is known of a part.
func partsOfRounds(rounds []RoundSeries) []RoundSeries {
	var goes []RoundSeries
	for i := range rounds {
		if rounds[i].Measure.Parts == nil {
			goes = append(goes, rounds[i])
		}
		for _, p := range rounds[i].Measure.Parts {
			if p.WorkNS > 0 {
				goes = append(goes, RoundSeries{JobsDone: p.Done, Measure: record.Round{
					Block: p.Block, Settled: p.Settled, StartupNS: p.StartupNS, WorkNS: p.WorkNS, Children: p.CPU,
				}})
			}
		}
	}
	return goes
}

// blockLogs is the logarithm of a figure in each block of rounds: rounds in a row
// share what the machine did then. A round that has none is left out.
func blockLogs(rounds []RoundSeries, of func(*RoundSeries) float64) []float64 {
	var means, values []float64
	for i := range rounds {
		r := &rounds[i]
		if v := of(r); v > 0 && !math.IsInf(v, 0) {
			values = append(values, v)
		}
		if i+1 == len(rounds) || r.Measure.Block == 0 || r.Measure.Block != rounds[i+1].Measure.Block {
			if len(values) > 0 {
				means = append(means, blockMean(values))
			}
			values = values[:0]
		}
	}
	return logs(means)
}

// correct corrects each figure's p-values for how many models there are, and says what
// was found.
func (d *Diff) correct() {
	for _, f := range diffs() {
		var all []*FigureDiff
		var ps []float64
		for i := range d.Models {
			for j := range d.Models[i].Figures {
				if x := &d.Models[i].Figures[j]; x.Metric == f.metric && x.P != nil {
					all, ps = append(all, x), append(ps, *x.P)
				}
			}
		}
		for i, p := range holm(ps) {
			x := all[i]
			x.Corrected = new(p)
			found := difference{ratio: x.Ratio, low: x.Low, high: x.High}
			switch {
			case found.same():
				x.Finding = Same
			case p >= alpha:
				x.Finding = Untold
			case (x.Ratio > 1) == f.more:
				x.Finding = Better
			default:
				x.Finding = Worse
			}
		}
	}
}
