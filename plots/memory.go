package plots

import (
	"math"
	"slices"
	"strings"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/runner"
)

func memoryPlot() Plot {
	return Plot{
		Name:  "memory",
		Title: "Memory over time",
		Caption: "Memory of a model's whole process tree in megabytes (1 MB = 1,000,000 bytes), as PSS, which counts " +
			"a page shared by n processes as 1/n in each: a line is the median of a model's rounds.",
		simulated: "Memory of a model's whole process tree in megabytes (1 MB = 1,000,000 bytes), as PSS, which counts " +
			"a page shared by n processes as 1/n in each: a line is the median of a model's replications.",
		build: memoryChart,
	}
}

func memoryChart(a *runner.Analysis) chart {
	const why = "no memory sample was taken (a run may be over before the first one)"
	apart := "its " + turn(&a.Summary) + "s have too few memory samples to be drawn as one line"
	lc := &lineChart{}
	var lengths []float64
	var short []string // models whose rounds are
	sparse := false
	for i := range a.Summary.Models {
		m := &a.Summary.Models[i]
		rounds := roundsOf(a, i)
		var curves [][]xy
		var ends []float64
		for j := range rounds {
			if c := memoryCurve(&rounds[j]); len(c) > 0 {
				curves = append(curves, c)
				ends = append(ends, math.Max(c[len(c)-1].x, format.Millis(rounds[j].Measure.WorkNS)))
			}
		}
		if len(curves) == 0 {
			lc.remarks = missing(lc.remarks, m.Model, why)
			continue
		}
		l := line{model: clean(m.Model), style: styleOf(i)}
		if few(curves) {
			l.points, l.marks = pool(curves)
			short = append(short, small.shorten(l.model, 220))
		} else {
			l.points, l.band = merge(curves)
		}
		if len(l.points) == 0 {
			lc.remarks = missing(lc.remarks, m.Model, apart)
			sparse = true
			continue
		}
		if p := m.Memory.PeakPSS; p != nil && finite(*p) && *p > 0 {
			l.detail = "peak " + number(*p) + " MB"
		}
		if len(l.band) > 0 {
			lc.bands = "lowest to highest " + turn(&a.Summary)
		}
		lc.lines = append(lc.lines, l)
		lengths = append(lengths, math.Max(stats.Median(ends), 1e-3))
	}
	if len(lc.lines) == 0 {
		if sparse {
			return noData(apart)
		}
		return noData(why)
	}
	lc.setTime(lengths)
	if short != nil {
		lc.remarks = append(lc.remarks, "Marks are single samples: the "+turn(&a.Summary)+"s of "+strings.Join(short, ", ")+
			" are too short for more than a few each, and a line through marks is one through their medians.")
	}
	_, y := lc.bounds()
	top := math.Max(y.hi*1.08, 1e-6)
	lc.y = axis{linearScale{0, top}, linearTicks(0, top, 6), "tree PSS (MB)"}
	return lc
}

// memoryCurve is a round's samples as milliseconds and megabytes, ascending.
func memoryCurve(r *runner.RoundSeries) []xy {
	var pts []xy
	for _, s := range r.Memory {
		if s.PSS > 0 {
			pts = append(pts, xy{format.Millis(s.AtNS), float64(s.PSS) / 1e6})
		}
	}
	slices.SortStableFunc(pts, func(a, b xy) int {
		switch {
		case a.x < b.x:
			return -1
		case a.x > b.x:
			return 1
		}
		return 0
	})
	return pts
}
