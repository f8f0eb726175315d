package plots

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A crossing is a value of x that a chart points at from above its frame, in
// words: a break-even.
type crossing struct {
	x     float64
	band  *span // of x, where it is not known better
	text  string
	color color.NRGBA
}

// crossings is a layer with a row of words for each of them.
type crossings []crossing

var _ layer = crossings(nil)

const crossingRow = vg.Length(14)

func (cs crossings) headroom() vg.Length { return crossingRow * vg.Length(len(cs)) }
func (cs crossings) keys() []key         { return nil }

func (cs crossings) obstacles(f *frame) [][]vg.Point {
	var out [][]vg.Point
	for _, c := range cs {
		x := f.point(c.x, 0).X
		out = append(out, []vg.Point{{X: x, Y: f.Min.Y}, {X: x, Y: f.Max.Y}})
	}
	return out
}

func (cs crossings) under(f *frame) {
	for _, c := range cs {
		if c.band == nil {
			continue
		}
		f.SetColor(pale(c.color))
		f.Fill(boxPath(vg.Rectangle{
			Min: vg.Point{X: f.Canvas.X(clamp(f.x.scale.at(c.band.lo))), Y: f.Min.Y},
			Max: vg.Point{X: f.Canvas.X(clamp(f.x.scale.at(c.band.hi))), Y: f.Max.Y},
		}))
	}
	for i, c := range cs {
		x := f.Canvas.X(f.x.scale.at(c.x))
		y := f.Max.Y + crossingRow*vg.Length(i) + 3
		f.StrokeLine2(draw.LineStyle{Color: c.color, Width: 1, Dashes: []vg.Length{3, 2}}, x, f.Min.Y, x, y)
	}
}

func (cs crossings) over(f *frame) {
	for i, c := range cs {
		t := strong
		t.color = inkOf(c.color)
		text := t.shorten(c.text, f.Size().X)
		w := t.width(text)
		x := f.Canvas.X(f.x.scale.at(c.x))
		left := min(max(x-w/2, f.Min.X), f.Max.X-w)
		t.drawOn(f.Canvas, left, f.Max.Y+crossingRow*vg.Length(i)+8.5, text)
	}
}

func clamp(share float64) float64 { return min(max(share, 0), 1) }

// A limit is a layer with a horizontal line that values are held against, named
// in the legend.
type limit struct {
	points []xy
	name   string
}

var _ layer = limit{}

var limitLine = draw.LineStyle{Color: ink, Width: 1, Dashes: []vg.Length{1.5, 2.5}}

func (l limit) headroom() vg.Length { return 0 }
func (l limit) over(*frame)         {}

func (l limit) path(f *frame) []vg.Point {
	var pts []vg.Point
	for _, p := range l.points {
		pts = append(pts, f.point(p.x, p.y))
	}
	return pts
}

func (l limit) under(f *frame)                  { f.StrokeLines(limitLine, l.path(f)) }
func (l limit) obstacles(f *frame) [][]vg.Point { return [][]vg.Point{l.path(f)} }

func (l limit) keys() []key {
	return []key{{l.name, func(c draw.Canvas, r vg.Rectangle) {
		y := (r.Min.Y + r.Max.Y) / 2
		c.StrokeLine2(limitLine, r.Min.X, y, r.Max.X, y)
	}}}
}

// A mark is a value that stands for itself, with its interval.
type mark struct {
	at    xy
	band  *span // of y
	style modelStyle
}

// marks is a layer of values that were found in another way than the lines.
type marks struct {
	list []mark
	name string
}

var _ layer = marks{}

func (ms marks) headroom() vg.Length { return 0 }
func (ms marks) under(*frame)        {}

func (ms marks) obstacles(f *frame) [][]vg.Point {
	var out [][]vg.Point
	for _, m := range ms.list {
		out = append(out, []vg.Point{f.point(m.at.x, m.at.y)})
	}
	return out
}

func (ms marks) over(f *frame) {
	for _, m := range ms.list {
		pt := f.point(m.at.x, m.at.y)
		if m.band != nil {
			lo, hi := f.point(m.at.x, m.band.lo), f.point(m.at.x, m.band.hi)
			whisker(f.Canvas, pt.X, lo.Y, hi.Y)
		}
		m.style.glyph.draw(f.Canvas, pt, 4.6, m.style.color, ink)
	}
}

func whisker(c draw.Canvas, x, lo, hi vg.Length) {
	c.StrokeLines(draw.LineStyle{Color: ink, Width: 1.2},
		[]vg.Point{{X: x, Y: lo}, {X: x, Y: hi}},
		[]vg.Point{{X: x - 4, Y: lo}, {X: x + 4, Y: lo}},
		[]vg.Point{{X: x - 4, Y: hi}, {X: x + 4, Y: hi}})
}

func (ms marks) keys() []key {
	return []key{{ms.name, func(c draw.Canvas, r vg.Rectangle) {
		at := vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}
		whisker(c, at.X, r.Min.Y-1, r.Max.Y+1)
		circle.draw(c, at, 3.2, grey, ink)
	}}}
}
