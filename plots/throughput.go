package plots

import (
	"forkbench/record"
	"forkbench/runner"
)

func throughputPlot() Plot {
	return Plot{
		Name:  "throughput",
		Title: "Throughput",
		Caption: "Jobs done per second of work, start-up not included: the bar is the median of a model's rounds, " +
			"and each mark under it is one round.",
		simulated: "Jobs done per second of work, start-up not included: the bar is the mean of a model's replications, " +
			"and each mark under it is one replication.",
		blocks: "Jobs done per second of work, start-up not included: the bar is the mean (geometric) of what a model ran in a row, " +
			"and each mark under it is one round, or a part of one where rounds were made in parts.",
		build: throughputChart,
	}
}

func throughputChart(a *runner.Analysis) chart {
	rc := &rowChart{unit: "jobs done per second (jobs/s)"}
	var intervals bool
	var seen [dotIncomplete + 1]bool
	for i := range a.Summary.Models {
		m := &a.Summary.Models[i]
		r := row{name: clean(m.Model), remark: outcomes(m)}
		for _, round := range goes(roundsOf(a, i)) {
			v := rate(&round)
			if v == 0 {
				continue
			}
			k := dotCounted
			switch {
			case round.Measure.Interrupted:
				k = dotIncomplete
			case round.Measure.Noise.Contaminated != "":
				k = dotContaminated
			}
			seen[k] = true
			r.dots = append(r.dots, dot{v, k})
		}
		if v := positive(m.DonePerS.Median); v > 0 {
			r.segments = []segment{{fill: fill{styleOf(i).color, plain}, value: v}}
			r.interval = interval(m.DonePerS)
			r.label = withInterval(v, r.interval, "jobs/s")
			intervals = intervals || r.interval != nil
		} else if len(r.dots) == 0 {
			r.missing = "no job was done"
			if m.Stopped != "" {
				r.missing = "it could not go on"
			}
		} else {
			r.label = "no complete " + turn(&a.Summary)
		}
		rc.rows = append(rc.rows, r)
	}
	if rc.max() == 0 {
		return noData("no job was done")
	}
	if intervals {
		rc.legend = append(rc.legend, intervalKey(ink, &a.Summary))
	}
	for k, s := range seen {
		if s {
			rc.legend = append(rc.legend, dotKind(k).key(goOf(&a.Summary)))
		}
	}
	return rc
}

// goes is the rounds with their parts in place of those that were made in parts.
func goes(rounds []runner.RoundSeries) []runner.RoundSeries {
	var all []runner.RoundSeries
	for _, r := range rounds {
		if r.Measure.Parts == nil {
			all = append(all, r)
		}
		for _, p := range r.Measure.Parts {
			measure := record.Round{WorkNS: p.WorkNS, Interrupted: r.Measure.Interrupted}
			measure.Noise.Contaminated = p.Contaminated
			all = append(all, runner.RoundSeries{Round: r.Round, Measure: measure, JobsDone: p.Done})
		}
	}
	return all
}

// seriesOf is the series of the i-th model of the summary; nil if there is none.
func seriesOf(a *runner.Analysis, i int) *runner.Series {
	name := a.Summary.Models[i].Model
	if i < len(a.Series) && a.Series[i].Model == name {
		return &a.Series[i]
	}
	for j := range a.Series {
		if a.Series[j].Model == name {
			return &a.Series[j]
		}
	}
	return nil
}

func roundsOf(a *runner.Analysis, i int) []runner.RoundSeries {
	if s := seriesOf(a, i); s != nil {
		return s.Rounds
	}
	return nil
}
