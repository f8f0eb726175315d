package runner

import (
	"iter"
	"math"
	"slices"

	"forkbench/internal/stats"
	"forkbench/models"
	"forkbench/record"
)

// The metrics that models are compared in, by their names in [Metrics].
const (
	MetricDone       = "jobs_done_per_s"
	MetricCPUDone    = "cpu_ms_per_job_done"
	MetricThroughput = "throughput"
	MetricCPU        = "cpu_ms_per_job"
	MetricLatency    = "p95"
)

// comparisons compares each model with each one after it, in the rounds that
// count for both, unless there is no ratio between them.
func (a *Aggregator) comparisons(s *Summary) []Comparison {
	centre := stats.Median[float64]
	if s.Spec.Simulated {
		centre = geometricMean
	}
	metrics := []struct {
		name string
		of   func(*roundState) float64
	}{
		{MetricDone, (*roundState).donePerSecond},
		{MetricCPUDone, (*roundState).cpuPerDone},
		{MetricThroughput, (*roundState).throughput},
		{MetricCPU, (*roundState).cpuPerJob},
		{MetricLatency, func(r *roundState) float64 { return r.p95 }},
	}
	var all []Comparison
	for i, ma := range a.models {
		for _, mb := range a.models[i+1:] {
			nameA, nameB := ma.spec.Name, mb.spec.Name
			if s.unequal(nameA, nameB) {
				continue
			}
			for _, metric := range metrics {
				if metric.name == MetricLatency && (ma.unstable() || mb.unstable()) {
					continue
				}
				c := Comparison{Metric: metric.name, A: nameA, B: nameB}
				if s.Spec.Until != nil {
					as, bs := logsPerBlock(ma, metric.of), logsPerBlock(mb, metric.of)
					if len(as) == 0 || len(bs) == 0 {
						continue
					}
					c.set(unpairedRatio(as, bs))
				} else {
					as, bs := paired(ma, mb, metric.of)
					if len(as) == 0 {
						continue
					}
					c.set(ratio(as, bs, centre))
				}
				all = append(all, c)
			}
		}
	}
	correct(all)
	return all
}

func (c *Comparison) set(d difference) {
	c.Ratio, c.Low, c.High, c.P, c.Same = d.ratio, d.low, d.high, d.p, d.same()
}

// correct corrects the p-values of each metric's comparisons for how many they are.
func correct(all []Comparison) {
	byMetric := make(map[string][]*Comparison)
	for i := range all {
		if c := &all[i]; c.P != nil {
			byMetric[c.Metric] = append(byMetric[c.Metric], c)
		}
	}
	for _, of := range byMetric {
		ps := make([]float64, len(of))
		for i, c := range of {
			ps[i] = *c.P
		}
		for i, p := range holm(ps) {
			of[i].Corrected = new(p)
		}
	}
}

// differs reports whether the two models are found to differ, in a way that may
// matter.
func (c *Comparison) differs() bool { return c.Corrected != nil && *c.Corrected < alpha && !c.Same }

// moreRounds says how many times as many rounds would tell the two apart, or that
// there is no difference that matters, if they go on as they did; 0 if nobody knows.
func (c *Comparison) moreRounds() float64 {
	if c.Low == nil || c.High == nil || *c.Low <= 0 {
		return 0
	}
	half, off := math.Log(*c.High / *c.Low)/2, math.Abs(math.Log(c.Ratio))
	need := max(off, math.Log1p(Immaterial)-off)
	return max(2, math.Ceil(half*half/(need*need)-1e-9))
}

// perBlock is a value for each block of rounds, or of parts of them: the geometric mean
// of theirs, for what follows in a row shares what the machine did then. Where the jobs
// of a part cost more than those of another, the mean of the blocks is not that of the
// rounds; it is made to be, by a factor that all get.
func perBlock(rounds []*roundState, of func(*roundState) float64) []float64 {
	goes := goesOf(rounds)
	var means, values []float64
	for i, r := range goes {
		values = append(values, of(r))
		if i+1 == len(goes) || r.measure.Block == 0 || r.measure.Block != goes[i+1].measure.Block {
			means, values = append(means, blockMean(values)), values[:0]
		}
	}
	if len(goes) == len(rounds) {
		return means
	}
	for _, r := range rounds {
		values = append(values, of(r))
	}
	whole, mean := blockMean(values), blockMean(means)
	if mean <= 0 {
		return values // it is not known of parts
	}
	for i := range means {
		means[i] *= whole / mean
	}
	return means
}

// goesOf is the rounds with their parts in place of those that were made in parts. Of a
// part, what is known is what its record.Part says.
func goesOf(rounds []*roundState) []*roundState {
	var goes []*roundState
	for _, r := range rounds {
		if r.measure.Parts == nil {
			goes = append(goes, r)
		}
		for _, p := range r.measure.Parts {
			if p.Settled == 0 || p.WorkNS <= 0 {
				continue // cut short before anything was measured
			}
			part := &roundState{number: r.number, measure: record.Round{
				Block: p.Block, Settled: p.Settled, WorkNS: p.WorkNS, Children: p.CPU,
			}}
			part.statuses[models.Done] = p.Done
			goes = append(goes, part)
		}
	}
	return goes
}

// contaminatedParts is how many parts of the round were.
func (r *roundState) contaminatedParts() int {
	n := 0
	for _, p := range r.measure.Parts {
		if p.Contaminated != "" {
			n++
		}
	}
	return n
}

// blockMean is the geometric mean of a block's values, or 0 where one has no logarithm.
func blockMean(values []float64) float64 {
	switch {
	case len(values) == 1:
		return values[0]
	case len(values) == 0:
		return 0
	case slices.Min(values) <= 0:
		return 0
	}
	return geometricMean(values)
}

// logsPerBlock is the logarithms of a metric in each of the model's blocks; a round
// that has none (no CPU time at all, say) is left out.
func logsPerBlock(m *modelState, of func(*roundState) float64) []float64 {
	rounds, _ := m.counting()
	rounds = slices.DeleteFunc(slices.Clone(rounds), func(r *roundState) bool { return of(r) <= 0 })
	return logs(slices.DeleteFunc(perBlock(rounds, of), func(v float64) bool { return v <= 0 }))
}

// donePerSecond is that of one of a model's rounds that has ended; 0 if it does not
// count.
func (a *Aggregator) donePerSecond(model string, round int) float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m := a.byName[model]; m != nil && m.closed[round] != nil && m.closed[round].counts() {
		return m.closed[round].donePerSecond()
	}
	return 0
}

// commonRounds is the rounds that count for both models.
func commonRounds(a, b *modelState) iter.Seq2[*roundState, *roundState] {
	return func(yield func(*roundState, *roundState) bool) {
		roundsA, _ := a.counting()
		roundsB, _ := b.counting()
		for _, ra := range roundsA {
			i := slices.IndexFunc(roundsB, func(rb *roundState) bool { return rb.number == ra.number })
			if i >= 0 && !yield(ra, roundsB[i]) {
				return
			}
		}
	}
}

// paired is a metric of both models in the rounds that count for both. A round
// in which either has none (no CPU time at all, say) is left out.
func paired(a, b *modelState, of func(*roundState) float64) (as, bs []float64) {
	for ra, rb := range commonRounds(a, b) {
		if va, vb := of(ra), of(rb); va > 0 && vb > 0 {
			as, bs = append(as, va), append(bs, vb)
		}
	}
	return as, bs
}
