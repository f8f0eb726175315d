package plots

import (
	"fmt"
	"io"
	"math"
	"strings"

	"forkbench/internal/format"
	"forkbench/whatif/sweep"
)

// SweepNames are the stems of the files that WriteSweep writes.
func SweepNames() []string { return []string{"sweep", "sweep-cost"} }

// WriteSweep draws the plots of a sweep into dir, as Write does those of a
// comparison: what was measured, and what it costs over the reference.
func WriteSweep(dir string, r *sweep.Result) ([]string, error) {
	var drawings []drawing
	for _, p := range sweepPictures(r) {
		drawings = append(drawings, drawing{p.name, func(w io.Writer, f Format) error {
			p.chart = p.build()
			return p.draw(w, f)
		}})
	}
	return writeAll(dir, drawings)
}

// A sweepPicture is a picture of a sweep whose chart has yet to be made.
type sweepPicture struct {
	picture
	build func() chart
}

func sweepPictures(r *sweep.Result) []*sweepPicture {
	s := &r.Spec
	kind := "simulated curves with their 95 % bands"
	for _, c := range r.Curves {
		if len(c.Live) > 0 {
			kind = "simulated curves with their 95 % bands, and points measured on real processes"
			break
		}
	}
	label, cost := s.MetricLabel(), s.MetricCost()
	names := SweepNames()
	conditions := sweepConditions(r)
	return []*sweepPicture{
		{picture{name: names[0], title: sentence(label) + " by " + s.ParameterLabel(), conditions: conditions,
			caption: fmt.Sprintf("%s of each model (%s) by %s: %s; a dashed upright line, shaded where it may be, is where the cost crosses the dotted limit.",
				sentence(label), s.MetricUnit(), s.ParameterLabel(), kind)},
			func() chart { return sweepChart(r) }},
		{picture{name: names[1], title: "Cost over " + clean(s.Reference), conditions: conditions,
			caption: fmt.Sprintf("%s of each model over that of %s, as a ratio on a logarithmic axis, by %s: %s; "+
				"below the dotted limit it costs less than %s more.",
				sentence(cost), clean(s.Reference), s.ParameterLabel(), kind, format.TrimmedPercent(s.Within))},
			func() chart { return sweepCostChart(r) }},
	}
}

// sentence begins with a capital, unless it is a name like p95.
func sentence(text string) string {
	if text[1] >= '0' && text[1] <= '9' {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// sweepConditions is the line under the title: what the numbers depend on.
func sweepConditions(r *sweep.Result) string {
	set := &r.Spec.Setting
	parts := []string{"simulated from the profile " + muted.shorten(clean(set.Profile), 190)}
	parts = append(parts, format.Plural(set.Jobs, "job")+" ("+clean(set.Arrivals)+")")
	if set.Workers > 0 && r.Spec.Parameter != sweep.Workers {
		parts = append(parts, format.Plural(set.Workers, "worker"))
	}
	if set.Cores > 0 && r.Spec.Parameter != sweep.Cores {
		parts = append(parts, format.Plural(set.Cores, "core"))
	}
	parts = append(parts, format.Plural(set.Replications, "replication"))
	if set.LiveRounds > 0 {
		parts = append(parts, "measured: "+clean(set.Workload)+", "+format.Plural(set.LiveRounds, "round"))
	}
	return strings.Join(parts, " · ")
}

// sweepChart has a line for each model, of the metric.
func sweepChart(r *sweep.Result) chart {
	value := func(p *sweep.Point) (sweep.Estimate, bool) { return p.Value(r.Spec.Metric) }
	lc, measured := sweepLines(r, value, 0)
	if len(lc.lines) == 0 {
		return noData("no point of the range was evaluated")
	}
	factor := 1 + r.Spec.Within
	if r.Spec.Inverse() {
		factor = 1 / factor
	}
	if reference := &lc.lines[0]; len(r.BreakEvens) > 0 && reference.model == clean(r.Spec.Reference) {
		l := limit{name: format.TrimmedPercent(r.Spec.Within) + " over " + small.shorten(clean(r.Spec.Reference), 160)}
		for _, p := range reference.points {
			l.points = append(l.points, xy{p.x, p.y * factor})
		}
		lc.layers = append(lc.layers, l)
	}
	finishSweep(lc, r, measured)
	_, y := lc.bounds()
	for _, m := range measured.list {
		y = y.with(m.at.y)
		if m.band != nil {
			y = y.with(m.band.lo).with(m.band.hi)
		}
	}
	label := r.Spec.MetricLabel() + " (" + r.Spec.MetricUnit() + ")"
	if y.lo > 0 && y.hi > 8*y.lo {
		lo, hi := y.lo/1.15, y.hi*1.15
		lc.y = axis{logScale{lo, hi}, logTicks(lo, hi, roundNumber), label + ", logarithmic"}
	} else {
		lc.y = axis{linearScale{0, y.hi * 1.05}, linearTicks(0, y.hi*1.05, 6), label}
	}
	return lc
}

// sweepCostChart has a line for each model but the reference, of its cost over
// the reference's.
func sweepCostChart(r *sweep.Result) chart {
	over := func(p *sweep.Point) (sweep.Estimate, bool) {
		if p.Over == nil {
			return sweep.Estimate{}, false
		}
		return *p.Over, true
	}
	lc, measured := sweepLines(r, over, 1)
	if len(lc.lines) == 0 {
		return noData("there is no second model to compare with")
	}
	x := sweepSpan(r)
	top := 1 + r.Spec.Within
	lc.layers = append(lc.layers,
		limit{[]xy{{x.lo, top}, {x.hi, top}}, format.TrimmedPercent(r.Spec.Within) + " more than " + small.shorten(clean(r.Spec.Reference), 160)})
	finishSweep(lc, r, measured)
	_, y := lc.bounds()
	y = y.with(top).with(1)
	for _, m := range measured.list {
		y = y.with(m.at.y)
		if m.band != nil {
			y = y.with(m.band.lo).with(m.band.hi)
		}
	}
	lo, hi := y.lo/1.04, y.hi*1.08
	lc.y = axis{logScale{lo, hi}, logTicks(lo, hi, func(v float64) string { return roundNumber(v) + "×" }),
		r.Spec.MetricCost() + " over that of " + small.shorten(clean(r.Spec.Reference), 200) + ", logarithmic"}
	return lc
}

// sweepLines are the curves of the models from the given one on, and the
// measured points.
func sweepLines(r *sweep.Result, value func(*sweep.Point) (sweep.Estimate, bool), from int) (*lineChart, marks) {
	lc := &lineChart{}
	measured := marks{name: "measured, with its 95 % interval"}
	x := sweepSpan(r)
	for i := from; i < len(r.Curves); i++ {
		c := &r.Curves[i]
		l := line{model: clean(c.Model), style: styleOf(i)}
		var without []string
		for j := range c.Points {
			e, ok := value(&c.Points[j])
			if !ok || !drawable(e) {
				without = append(without, r.Spec.Tick(c.Points[j].X))
				continue
			}
			at := []float64{c.Points[j].X}
			if c.Level {
				at = []float64{x.lo, x.hi}
			}
			for _, v := range at {
				l.points = append(l.points, xy{v, e.Value})
				if s := spanOf(e); s != nil {
					l.band = append(l.band, band{v, s.lo, s.hi})
				}
			}
		}
		for j := range c.Live {
			e, ok := value(&c.Live[j])
			if ok && drawable(e) {
				measured.list = append(measured.list, mark{xy{c.Live[j].X, e.Value}, spanOf(e), l.style})
			}
		}
		if len(l.points) == 0 {
			lc.remarks = missing(lc.remarks, c.Model, "it has no such number anywhere in the range")
			continue
		}
		if without != nil {
			lc.remarks = append(lc.remarks, small.shorten(clean(c.Model), 220)+" cannot keep up at "+strings.Join(without, ", ")+".")
		}
		lc.lines = append(lc.lines, l)
	}
	return lc, measured
}

// finishSweep adds the horizontal axis, the measured points and the break-evens.
func finishSweep(lc *lineChart, r *sweep.Result, measured marks) {
	x := sweepSpan(r)
	lc.x = axis{label: r.Spec.ParameterLabel()}
	if r.Spec.Logarithmic {
		lc.x.scale, lc.x.ticks = logScale(x), logTicks(x.lo, x.hi, r.Spec.Tick)
		lc.x.label += ", logarithmic"
	} else {
		lc.x.scale = linearScale(x)
		for _, t := range linearTicks(x.lo, x.hi, 8) {
			lc.x.ticks = append(lc.x.ticks, tick{t.value, r.Spec.Tick(t.value)})
		}
	}
	lc.bands = "95 % interval"
	if len(measured.list) > 0 {
		lc.layers = append(lc.layers, measured)
	}
	var marked crossings
	for _, b := range r.BreakEvens {
		style := black
		for i := range r.Curves {
			if r.Curves[i].Model == b.Model {
				style = styleOf(i).color
			}
		}
		for _, region := range b.Regions {
			for _, end := range []struct {
				bound *sweep.Bound
				word  string
			}{{region.From, "from "}, {region.To, "up to "}} {
				if end.bound == nil {
					continue
				}
				c := crossing{x: end.bound.At, color: style, band: &span{x.lo, x.hi},
					text: clean(b.Model) + ": within " + format.TrimmedPercent(r.Spec.Within) + " " + end.word + r.Spec.Bound(end.bound)}
				if end.bound.Low != nil {
					c.band.lo = *end.bound.Low
				}
				if end.bound.High != nil {
					c.band.hi = *end.bound.High
				}
				marked = append(marked, c)
			}
		}
	}
	if len(marked) > 0 {
		lc.layers = append(lc.layers, marked)
	}
}

func sweepSpan(r *sweep.Result) span { return span{r.Spec.From, r.Spec.To} }

func drawable(e sweep.Estimate) bool {
	return finite(e.Value) && e.Value >= least && e.Value <= largest
}

// spanOf is the drawable form of an estimate's interval; nil where there is none.
func spanOf(e sweep.Estimate) *span {
	if e.Low == nil || e.High == nil || !finite(*e.Low) || !finite(*e.High) || !(*e.Low >= least) {
		return nil
	}
	return &span{*e.Low, math.Min(*e.High, largest)}
}

// with is the span widened to a value.
func (s span) with(v float64) span { return span{math.Min(s.lo, v), math.Max(s.hi, v)} }
