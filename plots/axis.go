package plots

import (
	"math"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"forkbench/internal/format"
)

// A scale maps values to the share of an axis's length, 0 to 1 within its range.
type scale interface{ at(v float64) float64 }

type linearScale struct{ lo, hi float64 }

func (s linearScale) at(v float64) float64 { return (v - s.lo) / (s.hi - s.lo) }

// A logScale puts everything below its range at 0: there is no place for a zero.
type logScale struct{ lo, hi float64 }

func (s logScale) at(v float64) float64 {
	if v <= s.lo {
		return 0
	}
	return math.Log(v/s.lo) / math.Log(s.hi/s.lo)
}

// A tick is a value marked on an axis.
type tick struct {
	value float64
	label string
}

// An axis is a scale with its marks.
type axis struct {
	scale scale
	ticks []tick
	label string
}

// niceStep is the 1, 2 or 5 times a power of ten that divides span into at most
// n parts.
func niceStep(span float64, n int) float64 {
	raw := span / float64(n)
	p := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range [...]float64{1, 2, 5} {
		if m*p >= raw*(1-1e-9) {
			return m * p
		}
	}
	return 10 * p
}

// linearTicks marks the multiples of a round step within [lo, hi], about n of
// them, all written alike.
func linearTicks(lo, hi float64, n int) []tick {
	if !(hi > lo) {
		return nil
	}
	step := niceStep(hi-lo, n)
	// One suffix and one number of decimals for the whole axis.
	top, suffix, div := math.Max(math.Abs(lo), math.Abs(hi)), "", 1.0
	if top >= 1e4 {
		for _, s := range siSuffixes {
			if top >= s.value {
				suffix, div = s.name, s.value
				break
			}
		}
	}
	decimals := max(0, -int(math.Floor(math.Log10(step/div)+1e-9)))
	first, last := math.Ceil(lo/step-1e-9), math.Floor(hi/step+1e-9)
	var ticks []tick
	for i := first; i <= last; i++ {
		v := i * step
		label := "0"
		switch {
		case i == 0:
			v = 0
		case decimals > 8 || top/div >= 1e6:
			label = strconv.FormatFloat(v, 'g', 3, 64)
		default:
			label = format.Group(strconv.FormatFloat(v/div, 'f', decimals, 64)) + suffix
		}
		ticks = append(ticks, tick{v, label})
	}
	return ticks
}

// logTicks marks a log axis: powers of ten where it is long, their multiples by
// 1, 2 and 5 where it is short.
func logTicks(lo, hi float64, format func(float64) string) []tick {
	decades := math.Log10(hi / lo)
	from, to := int(math.Floor(math.Log10(lo)))-1, int(math.Ceil(math.Log10(hi)))+1
	every, multiples := 1, []float64{1}
	switch {
	case decades < 0.5:
		var ticks []tick
		for _, t := range linearTicks(lo, hi, 5) {
			ticks = append(ticks, tick{t.value, format(t.value)})
		}
		return ticks
	case decades < 2.5:
		multiples = []float64{1, 2, 5}
	case decades > 8:
		every = int(math.Ceil(decades / 7))
	}
	var ticks []tick
	for e := from; e <= to; e += every {
		for _, m := range multiples {
			v := m * math.Pow(10, float64(e))
			if v >= lo*(1-1e-9) && v <= hi*(1+1e-9) {
				ticks = append(ticks, tick{v, format(v)})
			}
		}
	}
	return ticks
}

// shortMillis writes a round time given in milliseconds: 5 ms, 20 s.
func shortMillis(ms float64) string {
	each, unit := format.TimeUnit(ms)
	return roundNumber(ms/each) + " " + unit
}

// A frame is the area in which data is drawn, with its two axes.
type frame struct {
	draw.Canvas
	x, y axis
	rise vg.Length // room between its top and the label of the vertical axis
}

// point is where a pair of values is on the page.
func (f *frame) point(x, y float64) vg.Point {
	return vg.Point{X: f.Canvas.X(f.x.scale.at(x)), Y: f.Canvas.Y(f.y.scale.at(y))}
}

// drawX draws the horizontal axis under the frame: grid, line, tick labels and
// the axis label. It takes xAxisHeight below the frame.
func (f *frame) drawX() {
	f.gridX()
	f.ticksX(f.Min.Y)
	small.draw(f.Canvas, f.Center().X, f.Min.Y-12-textSize*1.5, alignCentre, f.x.label)
}

// xAxisHeight is the room that drawX needs below a frame.
const xAxisHeight = vg.Length(31)

// gridX draws the vertical grid lines.
func (f *frame) gridX() {
	for _, t := range f.x.ticks {
		x := f.Canvas.X(f.x.scale.at(t.value))
		f.StrokeLine2(draw.LineStyle{Color: gridline, Width: 0.6}, x, f.Min.Y, x, f.Max.Y)
	}
}

// ticksX draws an axis line at height y with its ticks below. A label that
// would run into the one before it is left out.
func (f *frame) ticksX(y vg.Length) {
	f.StrokeLine2(draw.LineStyle{Color: ink, Width: 0.8}, f.Min.X, y, f.Max.X, y)
	end := vg.Length(math.Inf(-1))
	for _, t := range f.x.ticks {
		x := f.Canvas.X(f.x.scale.at(t.value))
		f.StrokeLine2(draw.LineStyle{Color: ink, Width: 0.8}, x, y-3, x, y)
		half := small.width(t.label) / 2
		if x-half < end+4 {
			continue
		}
		small.draw(f.Canvas, x, y-5-smallSize, alignCentre, t.label)
		end = x + half
	}
}

// drawY draws the vertical axis: grid lines, tick labels at their left, and the
// axis label above the frame, where it can be read without turning the page.
func (f *frame) drawY() {
	for _, t := range f.y.ticks {
		y := f.Canvas.Y(f.y.scale.at(t.value))
		f.StrokeLine2(draw.LineStyle{Color: gridline, Width: 0.6}, f.Min.X, y, f.Max.X, y)
		small.drawMid(f.Canvas, f.Min.X-5, y, alignRight, t.label)
	}
	small.draw(f.Canvas, f.Min.X-5-widest(small, f.y.ticks), f.Max.Y+f.rise+7, alignLeft, f.y.label)
}

func widest(s textStyle, ticks []tick) vg.Length {
	var w vg.Length
	for _, t := range ticks {
		w = max(w, s.width(t.label))
	}
	return w
}
