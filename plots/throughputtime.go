package plots

import (
	"math"
	"slices"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/runner"
)

func throughputTimePlot() Plot {
	return Plot{
		Name:  "throughput-time",
		Title: "Throughput over time",
		Caption: "Jobs done per second of work, counted in steps of equal length: a line is the median of a " +
			"model's rounds, and it ends with the median round.",
		simulated: "Jobs done per second of work, counted in steps of equal length: a line is the median of a " +
			"model's replications, and it ends with the median replication.",
		build: throughputTimeChart,
	}
}

func throughputTimeChart(a *runner.Analysis) chart {
	lc := &lineChart{}
	var lengths []float64
	for i := range a.Summary.Models {
		m := &a.Summary.Models[i]
		pts, bands, length := overTime(roundsOf(a, i))
		if len(pts) == 0 {
			why := "no job was done"
			if m.Stopped != "" {
				why = "it could not go on"
			}
			lc.remarks = missing(lc.remarks, m.Model, why)
			continue
		}
		if len(bands) > 0 {
			lc.bands = "lowest to highest " + turn(&a.Summary)
		}
		lc.lines = append(lc.lines, line{model: clean(m.Model), style: styleOf(i), points: pts, band: bands})
		lengths = append(lengths, length)
	}
	if len(lc.lines) == 0 {
		return noData("no job was done")
	}
	lc.setTime(lengths)
	lc.y = rateAxis(lc)
	return lc
}

// rateAxis is linear from zero, or logarithmic where a linear one would press
// the slow models onto the ground.
func rateAxis(lc *lineChart) axis {
	_, y := lc.bounds()
	slowest, lowest := math.Inf(1), math.Inf(1) // of the peaks, and of all
	idle := false
	for i := range lc.lines {
		peak := 0.0
		for _, p := range lc.lines[i].points {
			peak = math.Max(peak, p.y)
			if p.y > 0 {
				lowest = math.Min(lowest, p.y)
			}
			idle = idle || p.y == 0
		}
		slowest = math.Min(slowest, peak)
	}
	if y.hi > spread*slowest && slowest > 0 {
		lo, hi := math.Max(lowest/2, slowest/20), y.hi*1.3
		if idle {
			lc.remarks = append(lc.remarks, "A line at the bottom means that no job was done.")
		}
		return axis{logScale{lo, hi}, logTicks(lo, hi, roundNumber), "jobs done per second (jobs/s), logarithmic"}
	}
	top := math.Max(y.hi*1.05, 1e-6)
	return axis{linearScale{0, top}, linearTicks(0, top, 6), "jobs done per second (jobs/s)"}
}

// overTime is the median rate of the rounds over time and its range, as steps,
// and the length of the median round in milliseconds.
func overTime(rounds []runner.RoundSeries) (pts []xy, bands []band, length float64) {
	var used []*runner.RoundSeries
	var ends, jobs []float64
	for i := range rounds {
		r := &rounds[i]
		if r.Measure.Error != "" {
			continue
		}
		n := 0
		for _, s := range r.Done {
			n += max(s, 0)
		}
		if n == 0 || r.Bucket <= 0 {
			continue
		}
		end := format.Millis(r.Bucket) * float64(len(r.Done))
		if w := format.Millis(r.Measure.WorkNS); w > 0 && w < end {
			end = w
		}
		used, ends, jobs = append(used, r), append(ends, end), append(jobs, float64(n))
	}
	if len(used) == 0 {
		return nil, nil, 0
	}
	length = stats.Median(ends)
	// As many steps as jobs in a step: enough of either to see something.
	steps := int(math.Min(60, math.Max(1, math.Sqrt(stats.Median(jobs)))))
	width := length / float64(steps)
	rates := make([][]float64, steps) // by step and round
	for k, r := range used {
		for i, n := range rebin(r, ends[k], width, steps) {
			rates[i] = append(rates[i], n/width*1000)
		}
	}
	for i, ys := range rates {
		x0, x1, y := float64(i)*width, float64(i+1)*width, stats.Median(ys)
		pts = append(pts, xy{x0, y}, xy{x1, y})
		if len(ys) > 1 {
			lo, hi := slices.Min(ys), slices.Max(ys)
			bands = append(bands, band{x0, lo, hi}, band{x1, lo, hi})
		}
	}
	return pts, bands, length
}

// rebin counts a round's jobs in steps of another width, sharing a bucket out
// evenly over the time it covers. The round's last bucket ends with the round.
func rebin(r *runner.RoundSeries, end, width float64, steps int) []float64 {
	out := make([]float64, steps)
	bucket := format.Millis(r.Bucket)
	for i, n := range r.Done {
		from := float64(i) * bucket
		to := math.Min(from+bucket, end)
		if n <= 0 {
			continue
		}
		if to <= from { // finished after the end of work: booked on its last step
			from, to = math.Max(0, end-width), end
		}
		for j := max(0, int(from/width)); j < steps; j++ {
			lo, hi := math.Max(from, float64(j)*width), math.Min(to, float64(j+1)*width)
			if hi > lo {
				out[j] += float64(n) * (hi - lo) / (to - from)
			}
			if float64(j+1)*width >= to {
				break
			}
		}
	}
	return out
}
