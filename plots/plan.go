package plots

import (
	"fmt"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"forkbench/internal/format"
	"forkbench/whatif/capacity"
)

// PlanNames are the stems of the files that WritePlan writes.
func PlanNames() []string { return []string{"plan"} }

// WritePlan draws the plot of a plan into dir, as Write does those of a
// comparison.
func WritePlan(dir string, r *capacity.Result) ([]string, error) {
	return writeAll(dir, []drawing{{PlanNames()[0], func(w io.Writer, f Format) error { return planPicture(r).draw(w, f) }}})
}

func planPicture(r *capacity.Result) *picture {
	s := &r.Spec
	return &picture{
		name: PlanNames()[0], title: fmt.Sprintf("%s by workers, at %s jobs per second", s.Quantile, number(s.Rate)),
		conditions: fmt.Sprintf("simulated from the profile %s · %s at random · %s",
			muted.shorten(clean(s.Profile), 250), format.Plural(s.Jobs, "job"), format.Plural(s.Replications, "replication")),
		caption: fmt.Sprintf("%s latency of each model on a logarithmic axis, by workers, on the fewest cores that hold the dotted limit of %s "+
			"with some number of workers: a filled mark is the size to take, hollow ones are others that were tried, "+
			"with their 95 %% intervals, and a cross at the top is one that cannot keep up.",
			s.Quantile, millis(s.LimitMS)),
		chart: planChart(r),
	}
}

// planChart has a line for each model, of the sizes with the chosen number of
// cores.
func planChart(r *capacity.Result) chart {
	lc := &lineChart{}
	var shown planMarks
	x, y := span{math.Inf(1), math.Inf(-1)}, span{r.Spec.LimitMS, r.Spec.LimitMS}
	for i := range r.Models {
		m := &r.Models[i]
		cores, chosen := planCores(m)
		l := line{model: clean(m.Model), style: styleOf(i)}
		var points []*capacity.Point
		for j := range m.Trail {
			if m.Trail[j].Cores == cores {
				points = append(points, &m.Trail[j])
			}
		}
		slices.SortFunc(points, func(a, b *capacity.Point) int { return a.Workers - b.Workers })
		for _, p := range points {
			at := planMark{mark: mark{at: xy{float64(p.Workers), p.Latency.Value}, style: l.style}, row: i % 4}
			x = x.with(float64(p.Workers))
			if p.Overloaded() || !finite(p.Latency.Value) || p.Latency.Value < least {
				at.above = true
				shown = append(shown, at)
				continue
			}
			y = y.with(p.Latency.Value)
			if p.Latency.N > 1 && p.Latency.Low >= least && finite(p.Latency.High) {
				at.band = &span{p.Latency.Low, math.Min(p.Latency.High, largest)}
				y = y.with(at.band.lo).with(at.band.hi)
			}
			at.chosen = chosen != nil && chosen.Size == p.Size
			shown = append(shown, at)
			l.points = append(l.points, at.at)
		}
		switch {
		case chosen != nil:
			l.detail = chosen.String()
			lc.lines = append(lc.lines, l)
		case m.Cannot != nil && len(l.points) > 0:
			l.detail = "at no size"
			lc.lines = append(lc.lines, l)
		case m.Cannot != nil:
			lc.remarks = append(lc.remarks, fmt.Sprintf("%s is above its capacity at every size, at best %s/s.",
				small.shorten(clean(m.Model), 220), number(m.Cannot.Best.Capacity)))
		default:
			lc.remarks = missing(lc.remarks, m.Model, "it was interrupted")
		}
	}
	if len(lc.lines) == 0 {
		return noData("no size keeps up with the load")
	}
	lo, hi := x.lo/1.15, x.hi*1.15
	lc.x = axis{logScale{lo, hi}, logTicks(lo, hi, roundNumber), "workers, logarithmic"}
	lc.x.ticks = slices.DeleteFunc(lc.x.ticks, func(t tick) bool { return t.value != math.Trunc(t.value) })
	lo, hi = y.lo/1.6, y.hi*2.5
	lc.y = axis{logScale{lo, hi}, logTicks(lo, hi, shortMillis), r.Spec.Quantile + " latency, due to finished, logarithmic"}
	lc.layers = []layer{
		limit{[]xy{{x.lo / 1.15, r.Spec.LimitMS}, {x.hi * 1.15, r.Spec.LimitMS}}, "limit: " + r.Spec.Quantile + " of " + millis(r.Spec.LimitMS)},
		shown,
	}
	return lc
}

// planCores is the number of cores to draw a model on: the chosen one, or the
// best there was.
func planCores(m *capacity.Sizing) (int, *capacity.Point) {
	switch {
	case m.Chosen != nil:
		return m.Chosen.Cores, m.Chosen
	case m.Cannot != nil:
		return m.Cannot.Best.Cores, nil
	}
	return 0, nil
}

// planMarks is a layer with a mark for each size that was tried.
type planMarks []planMark

type planMark struct {
	mark
	above  bool // it cannot keep up
	row    int  // of those that cannot, from the top
	chosen bool
}

var _ layer = planMarks(nil)

func (ms planMarks) headroom() vg.Length { return 0 }
func (ms planMarks) under(*frame)        {}

func (ms planMarks) point(f *frame, m planMark) vg.Point {
	if m.above {
		return vg.Point{X: f.point(m.at.x, 1).X, Y: f.Max.Y - 6 - 9*vg.Length(m.row)}
	}
	return f.point(m.at.x, m.at.y)
}

func (ms planMarks) obstacles(f *frame) [][]vg.Point {
	var out [][]vg.Point
	for _, m := range ms {
		at := ms.point(f, m)
		if !m.chosen {
			out = append(out, []vg.Point{at})
			continue
		}
		a, b := at.Sub(vg.Point{X: 10, Y: 10}), at.Add(vg.Point{X: 10, Y: 10})
		out = append(out, []vg.Point{a, {X: a.X, Y: b.Y}, b, {X: b.X, Y: a.Y}, a})
	}
	return out
}

func (ms planMarks) over(f *frame) {
	for _, m := range ms {
		at := ms.point(f, m)
		switch {
		case m.above:
			cross.draw(f.Canvas, at, 3.2, m.style.color, white)
			continue
		case m.band != nil:
			whisker(f.Canvas, at.X, f.point(m.at.x, m.band.lo).Y, f.point(m.at.x, m.band.hi).Y)
		}
		if m.chosen {
			m.style.glyph.draw(f.Canvas, at, 6.5, m.style.color, ink)
		} else {
			m.style.glyph.draw(f.Canvas, at, 3.6, white, m.style.color)
		}
	}
}

func (ms planMarks) keys() []key {
	centre := func(r vg.Rectangle) vg.Point {
		return vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}
	}
	return []key{
		{"the size to take", func(c draw.Canvas, r vg.Rectangle) { circle.draw(c, centre(r), 5, grey, ink) }},
		{"tried", func(c draw.Canvas, r vg.Rectangle) { circle.draw(c, centre(r), 3.6, white, grey) }},
		{"cannot keep up", func(c draw.Canvas, r vg.Rectangle) { cross.draw(c, centre(r), 3.2, grey, white) }},
	}
}
