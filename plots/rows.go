package plots

import (
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"forkbench/internal/format"
	"forkbench/runner"
)

// A rowChart has a row for each model: a horizontal bar, stacked or not, from
// zero. Rows leave room for long names, and bars compare along one line.
type rowChart struct {
	unit    string // label of the value axis
	rows    []row
	legend  []key
	remarks []string
}

var _ chart = (*rowChart)(nil)

// A row is one model's bar.
type row struct {
	name     string
	segments []segment
	dots     []dot
	interval *span  // about the whole bar's value
	label    string // the value in words, after the bar
	detail   string // the segments in words, under the bar
	remark   string // what to know before believing it; after the detail
	missing  string // why there is no bar
}

type segment struct {
	name  string
	fill  fill
	value float64
}

// A dot is one round's value.
type dot struct {
	value float64
	kind  dotKind
}

type dotKind uint8

const (
	dotCounted dotKind = iota
	dotContaminated
	dotIncomplete
)

// A span is an interval of values.
type span struct{ lo, hi float64 }

// sum is the bar's length.
func (r *row) sum() float64 {
	var s float64
	for _, g := range r.segments {
		s += g.value
	}
	return s
}

// reach is the largest value drawn in the row.
func (r *row) reach() float64 {
	m := r.sum()
	if r.interval != nil {
		m = math.Max(m, r.interval.hi)
	}
	for _, d := range r.dots {
		m = math.Max(m, d.value)
	}
	return m
}

// max is where the value axis ends.
func (rc *rowChart) max() float64 {
	var m float64
	for i := range rc.rows {
		m = math.Max(m, rc.rows[i].reach())
	}
	return m
}

// Sizes of a row.
const (
	nameWidth = vg.Length(145)
	barHeight = vg.Length(20)
	underBar  = vg.Length(14) // dots or text
	labelGap  = vg.Length(7)
)

// rowHeight is more where there are few rows: they need not be cramped.
func (rc *rowChart) rowHeight() vg.Length {
	return max(barHeight+underBar+10, min(58, 174/vg.Length(len(rc.rows))))
}

func (rc *rowChart) height() vg.Length {
	return rc.rowHeight()*vg.Length(len(rc.rows)) + xAxisHeight
}

func (rc *rowChart) keys() []key     { return rc.legend }
func (rc *rowChart) notes() []string { return rc.remarks }

func (rc *rowChart) draw(c draw.Canvas) {
	var names, labels vg.Length
	wrapped := make([][]string, len(rc.rows))
	for i, r := range rc.rows {
		wrapped[i] = strong.wrap(r.name, nameWidth, 3)
		for _, l := range wrapped[i] {
			names = max(names, strong.width(l))
		}
		labels = max(labels, normal.width(r.label), small.width(r.remark))
	}
	f := frame{
		Canvas: draw.Crop(c, names+8, -min(labels+labelGap, bodyWidth/2), xAxisHeight, 0),
		x:      axis{scale: linearScale{0, rc.max()}, ticks: linearTicks(0, rc.max(), 6), label: rc.unit},
	}
	f.drawX()
	h := rc.rowHeight()
	for i := range rc.rows {
		mid := f.Max.Y - h*(vg.Length(i)+0.5) + underBar/2
		y := mid + strong.leading()*vg.Length(len(wrapped[i])-1)/2
		for _, l := range wrapped[i] {
			strong.drawMid(c, f.Min.X-8, y, alignRight, l)
			y -= strong.leading()
		}
		rc.rows[i].draw(&f, mid)
	}
	f.StrokeLine2(draw.LineStyle{Color: ink, Width: 0.8}, f.Min.X, f.Min.Y, f.Min.X, f.Max.Y)
}

func (r *row) draw(f *frame, mid vg.Length) {
	if r.missing != "" {
		muted.drawOn(f.Canvas, f.Min.X+labelGap, mid, "no data: "+r.missing)
		return
	}
	at := func(v float64) vg.Length { return f.Canvas.X(f.x.scale.at(v)) }
	bottom, top, under := mid-barHeight/2, mid+barHeight/2, mid-barHeight/2-underBar/2
	from := 0.0
	for _, s := range r.segments {
		box := vg.Rectangle{
			Min: vg.Point{X: at(from), Y: bottom},
			Max: vg.Point{X: at(from + s.value), Y: top},
		}
		from += s.value
		if s.value > 0 {
			s.fill.paint(f.Canvas, box, draw.LineStyle{Color: white, Width: 0.5})
		}
	}
	if iv := r.interval; iv != nil {
		lo, hi := at(iv.lo), at(iv.hi)
		lines := [][]vg.Point{
			{{X: lo, Y: mid}, {X: hi, Y: mid}},
			{{X: lo, Y: mid - 4}, {X: lo, Y: mid + 4}},
			{{X: hi, Y: mid - 4}, {X: hi, Y: mid + 4}},
		}
		f.StrokeLines(draw.LineStyle{Color: white, Width: 3}, lines...)
		f.StrokeLines(draw.LineStyle{Color: ink, Width: 1.2}, lines...)
	}
	for _, d := range r.dots {
		d.kind.draw(f.Canvas, vg.Point{X: at(d.value), Y: under})
	}
	end := at(math.Max(r.sum(), intervalEnd(r.interval)))
	normal.drawOn(f.Canvas, end+labelGap, mid, r.label)

	x := f.Min.X + 3
	if r.detail != "" {
		muted.drawOn(f.Canvas, x, under, r.detail)
		x += muted.width(r.detail) + labelGap
	}
	for _, d := range r.dots {
		x = max(x, at(d.value)+labelGap)
	}
	warning := small
	warning.color = inkOf(vermilion)
	warning.drawOn(f.Canvas, x, under, r.remark)
}

// breakdown is the segments in words: fork 1.2, run 3.4 ms.
func (r *row) breakdown(unit string) string {
	var parts []string
	for _, s := range r.segments {
		parts = append(parts, s.name+" "+brief(s.value))
	}
	return strings.Join(parts, " · ") + " " + unit
}

func intervalEnd(iv *span) float64 {
	if iv == nil {
		return 0
	}
	return iv.hi
}

func (k dotKind) draw(c draw.Canvas, pt vg.Point) {
	switch k {
	case dotCounted:
		circle.draw(c, pt, 3, faint, white)
	case dotContaminated:
		cross.draw(c, pt, 3, inkOf(vermilion), white)
	case dotIncomplete:
		triangle.draw(c, pt, 3, white, ink)
	}
}

func (k dotKind) key(turn string) key {
	name := [...]string{
		dotCounted:      "one " + turn,
		dotContaminated: turn + " disturbed by other work on the machine",
		dotIncomplete:   turn + " cut short, not counted",
	}[k]
	return key{name, func(c draw.Canvas, r vg.Rectangle) {
		k.draw(c, vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2})
	}}
}

// intervalKey is the legend of the error bars.
func intervalKey(c color.Color, s *runner.Summary) key {
	centre := "median"
	if s.Spec.Simulated || s.Spec.Until != nil {
		centre = "mean"
	}
	return key{"95 % interval of the " + centre, func(cv draw.Canvas, r vg.Rectangle) {
		y := (r.Min.Y + r.Max.Y) / 2
		cv.StrokeLines(draw.LineStyle{Color: c, Width: 1.2},
			[]vg.Point{{X: r.Min.X, Y: y}, {X: r.Max.X, Y: y}},
			[]vg.Point{{X: r.Min.X, Y: y - 4}, {X: r.Min.X, Y: y + 4}},
			[]vg.Point{{X: r.Max.X, Y: y - 4}, {X: r.Max.X, Y: y + 4}})
	}}
}

// interval is the drawable form of a median's interval; nil where there is
// none.
func interval(iv runner.Interval) *span {
	if iv.Low == nil || iv.High == nil || !finite(*iv.Low) || !finite(*iv.High) {
		return nil
	}
	lo, hi := positive(*iv.Low), positive(*iv.High)
	return &span{math.Min(lo, hi), math.Max(lo, hi)}
}

// withInterval writes a value and its interval: 412 [398, 420] jobs/s.
func withInterval(v float64, iv *span, unit string) string {
	if iv == nil {
		return number(v) + " " + unit
	}
	return number(v) + " [" + number(iv.lo) + ", " + number(iv.hi) + "] " + unit
}

// What is below the least is nothing, and nothing is above the largest: sums
// and ratios of what is drawn stay finite.
const (
	least   = 1e-12
	largest = 1e200
)

// positive is v where it is a number above zero, else 0.
func positive(v float64) float64 {
	if !finite(v) || v < least {
		return 0
	}
	return math.Min(v, largest)
}

// outcomes warns of jobs that were not done: a model whose jobs fail is fast at
// nothing.
func outcomes(m *runner.ModelSummary) string {
	j := &m.Jobs
	text := ""
	if j.Undone > 0 {
		text = "did " + format.Count(j.Done) + " of " + format.Plural(j.Done+j.Undone, "job")
	}
	if m.Stopped != "" {
		text = strings.TrimPrefix(text+", could not go on", ", ")
	}
	return text
}

// rate is the jobs that one round did per second; 0 if it did none, or could not
// go on.
func rate(r *runner.RoundSeries) float64 {
	if r.Measure.WorkNS <= 0 || r.JobsDone <= 0 || r.Measure.Error != "" {
		return 0
	}
	return float64(r.JobsDone) / r.Measure.WorkNS.Seconds()
}
