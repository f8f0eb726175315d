package plots

import (
	"math"
	"sort"

	"forkbench/runner"
)

func latencyPlot() Plot {
	return Plot{
		Name:  "latency",
		Title: "Latency",
		Caption: "Cumulative distribution of the time from when a job was due to when it had finished, on a " +
			"logarithmic axis, all rounds pooled: a point says which share of a model's jobs, done or not, took at most so long, " +
			"marks are at 50, 95 and 99 %.",
		simulated: "Cumulative distribution of the time from when a job was due to when it had finished, on a " +
			"logarithmic axis, all replications pooled, with their warm-up: a point says which share of a model's jobs took " +
			"at most so long, marks are at 50, 95 and 99 %. The time in the key is the report's, a mean over replications without " +
			"their warm-up.",
		build: latencyChart,
	}
}

func latencyChart(a *runner.Analysis) chart {
	lc := &lineChart{}
	for i := range a.Summary.Models {
		m := &a.Summary.Models[i]
		var cdf []runner.CDFPoint
		if s := seriesOf(a, i); s != nil {
			cdf = s.Latency
		}
		pts := thin(distribution(cdf), maxPoints/2)
		if len(pts) == 0 {
			lc.remarks = missing(lc.remarks, m.Model, noLatency(m))
			continue
		}
		l := line{model: clean(m.Model), style: styleOf(i), points: steps(pts)}
		for _, share := range []float64{50, 95, 99} {
			l.marks = append(l.marks, xy{quantile(pts, share), share})
		}
		if p := m.Latency.P95; finite(p) && p > 0 {
			l.detail = "95 % within " + millis(p)
		}
		lc.lines = append(lc.lines, l)
	}
	if len(lc.lines) == 0 {
		why := "no job finished"
		if len(a.Summary.Models) > 0 {
			why = noLatency(&a.Summary.Models[0])
		}
		return noData(why)
	}
	x, _ := lc.bounds()
	if x.hi <= x.lo*1.2 { // one latency only, or nearly so
		x.lo, x.hi = x.lo/2, x.hi*2
	}
	lc.x = axis{logScale{x.lo / 1.04, x.hi * 1.04}, logTicks(x.lo/1.04, x.hi*1.04, shortMillis), "time from due to finished, logarithmic"}
	lc.y = axis{scale: linearScale{0, 100}, label: "share of jobs (%)"}
	for _, v := range []float64{0, 25, 50, 75, 95, 100} {
		lc.y.ticks = append(lc.y.ticks, tick{v, roundNumber(v)})
	}
	return lc
}

// noLatency is why a model has none.
func noLatency(m *runner.ModelSummary) string {
	if m.Latency.Unknown {
		return "jobs come faster than it runs them, and wait ever longer"
	}
	return "no job finished"
}

// distribution is the points that can be drawn, ascending, as milliseconds and
// percent. A logarithmic axis has no zero: a microsecond takes its place.
func distribution(cdf []runner.CDFPoint) []xy {
	var pts []xy
	for _, p := range cdf {
		if finite(p.Millis) && finite(p.Share) && p.Share > 0 {
			pts = append(pts, xy{math.Min(math.Max(p.Millis, 1e-3), largest), 100 * math.Min(p.Share, 1)})
		}
	}
	sort.SliceStable(pts, func(i, j int) bool { return pts[i].y < pts[j].y })
	for i := 1; i < len(pts); i++ {
		pts[i].x = math.Max(pts[i].x, pts[i-1].x)
	}
	return pts
}

// steps is the line through a distribution: it rises where jobs finished.
func steps(pts []xy) []xy {
	var line []xy
	share := 0.0
	for _, p := range pts {
		line = append(line, xy{p.x, share}, p)
		share = p.y
	}
	return line
}

// quantile is where the steps reach a share.
func quantile(pts []xy, share float64) float64 {
	i := sort.Search(len(pts), func(i int) bool { return pts[i].y >= share })
	return pts[min(i, len(pts)-1)].x
}

// missing notes that a model has no line, and why.
func missing(notes []string, model, why string) []string {
	return append(notes, "No data for "+small.shorten(clean(model), 220)+": "+why+".")
}
