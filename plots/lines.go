package plots

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// maxPoints is the most points a line is drawn with: more cannot be seen, and
// rasterising a long line takes seconds.
const maxPoints = 500

// A lineChart has a line for each model, named on the line itself where there
// is room for every name, else in a legend.
type lineChart struct {
	lines   []line
	x, y    axis
	bands   string // what the bands are; empty without bands
	zero    bool   // mark x = 0 as the start of work
	layers  []layer
	remarks []string

	placed   []label // the lines' names; nil if they did not fit
	searched bool
}

var _ chart = (*lineChart)(nil)

// A layer is drawn with the lines of a chart, in the same frame.
type layer interface {
	headroom() vg.Length // what it takes above the frame
	under(f *frame)      // draws below the lines
	over(f *frame)       // draws above them
	// obstacles are where no name of a line may be.
	obstacles(f *frame) [][]vg.Point
	keys() []key
}

// A line is one model's.
type line struct {
	model  string
	detail string // added to the name on the line
	style  modelStyle
	points []xy   // may be empty: then nothing is drawn, and the name is not placed
	band   []band // around the line; may be empty
	marks  []xy   // glyphs on the line
}

type xy struct{ x, y float64 }

// A band is the range of values at one x.
type band struct{ x, lo, hi float64 }

const lineChartHeight = vg.Length(270)

func (lc *lineChart) height() vg.Length { return lineChartHeight + lc.headroom() }
func (lc *lineChart) notes() []string   { return lc.remarks }

// headroom is what the layers take above the frame.
func (lc *lineChart) headroom() vg.Length {
	var sum vg.Length
	for _, l := range lc.layers {
		sum += l.headroom()
	}
	return sum
}

// frame is the area of the lines within the chart's.
func (lc *lineChart) frame(c draw.Canvas) *frame {
	rise := lc.headroom()
	return &frame{
		Canvas: draw.Crop(c, widest(small, lc.y.ticks)+6, -14, xAxisHeight, -24-rise),
		x:      lc.x,
		y:      lc.y,
		rise:   rise,
	}
}

func (lc *lineChart) keys() []key {
	lc.place()
	var keys []key
	if lc.placed == nil {
		for _, l := range lc.lines {
			keys = append(keys, l.key())
		}
	}
	if lc.bands != "" {
		keys = append(keys, key{lc.bands, func(c draw.Canvas, r vg.Rectangle) {
			c.SetColor(pale(grey))
			c.Fill(boxPath(r))
		}})
	}
	for _, l := range lc.layers {
		keys = append(keys, l.keys()...)
	}
	return keys
}

func (l *line) name() string {
	name := strong.shorten(l.model, 200)
	if l.detail != "" {
		name += ", " + l.detail
	}
	return name
}

func (l *line) key() key {
	return key{l.name(), func(c draw.Canvas, r vg.Rectangle) {
		y := (r.Min.Y + r.Max.Y) / 2
		c.StrokeLines(l.style.line(), []vg.Point{{X: r.Min.X, Y: y}, {X: r.Max.X, Y: y}})
		if len(l.marks) > 0 || len(l.points) == 1 {
			l.style.glyph.draw(c, vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: y}, 3, l.style.color, white)
		}
	}}
}

func (s modelStyle) line() draw.LineStyle {
	return draw.LineStyle{Color: s.color, Width: 1.8, Dashes: s.dashes}
}

func pale(c color.NRGBA) color.NRGBA {
	c.A = 0x30
	return c
}

// place looks for room for the names of all lines. It needs the frame's size
// only, which does not depend on where the page puts it.
func (lc *lineChart) place() {
	if lc.searched {
		return
	}
	lc.searched = true
	f := lc.frame(draw.Canvas{Rectangle: vg.Rectangle{Max: vg.Point{X: bodyWidth, Y: lc.height()}}})
	paths := make([][]vg.Point, len(lc.lines))
	names := make([]string, len(lc.lines))
	for i := range lc.lines {
		paths[i] = lc.lines[i].path(f)
		names[i] = lc.lines[i].name()
	}
	lc.placed = placeLabels(f.Rectangle, paths, lc.obstacles(f), names, strong)
}

// obstacles are the edges of each line's band, then the start of work with its
// label, and those of the layers.
func (lc *lineChart) obstacles(f *frame) [][]vg.Point {
	var out [][]vg.Point
	for i := range lc.lines {
		var edge []vg.Point
		for _, b := range lc.lines[i].band {
			edge = append(edge, f.point(b.x, b.hi))
		}
		for _, b := range slices.Backward(lc.lines[i].band) {
			edge = append(edge, f.point(b.x, b.lo))
		}
		out = append(out, edge)
	}
	if lc.zero {
		x, r := f.point(0, 0).X, lc.zeroLabel(f)
		out = append(out, []vg.Point{{X: x, Y: f.Min.Y}, {X: x, Y: f.Max.Y}}, []vg.Point{r.Min, r.Max})
	}
	for _, l := range lc.layers {
		out = append(out, l.obstacles(f)...)
	}
	return out
}

const workStarts = "work starts"

// zeroLabel is the place of the words beside the start of work: at the foot of
// the frame, on the side with more room.
func (lc *lineChart) zeroLabel(f *frame) vg.Rectangle {
	w := muted.width(workStarts)
	x := f.point(0, 0).X + 4
	if x+w > f.Max.X {
		x -= w + 8
	}
	return vg.Rectangle{Min: vg.Point{X: x, Y: f.Min.Y + 4}, Max: vg.Point{X: x + w, Y: f.Min.Y + 14}}
}

func (l *line) path(f *frame) []vg.Point {
	pts := make([]vg.Point, len(l.points))
	for i, p := range l.points {
		pts[i] = f.point(p.x, p.y)
	}
	return pts
}

func (lc *lineChart) draw(c draw.Canvas) {
	lc.place()
	f := lc.frame(c)
	f.drawX()
	f.drawY()
	if lc.zero {
		x := f.point(0, 0).X
		f.StrokeLine2(draw.LineStyle{Color: faint, Width: 0.8, Dashes: []vg.Length{3, 3}}, x, f.Min.Y, x, f.Max.Y)
		muted.drawOn(c, lc.zeroLabel(f).Min.X, f.Min.Y+9, workStarts)
	}
	for _, l := range lc.layers {
		l.under(f)
	}
	for i := range lc.lines {
		lc.lines[i].drawBand(f)
	}
	for i := range lc.lines {
		l := &lc.lines[i]
		pts := l.path(f)
		if len(pts) == 1 {
			l.style.glyph.draw(f.Canvas, pts[0], 4, l.style.color, white)
			continue
		}
		f.StrokeLines(l.style.line(), pts)
	}
	for i := range lc.lines {
		for _, m := range lc.lines[i].marks {
			lc.lines[i].style.glyph.draw(f.Canvas, f.point(m.x, m.y), 3.4, lc.lines[i].style.color, white)
		}
	}
	for _, l := range lc.layers {
		l.over(f)
	}
	for _, p := range lc.placed {
		t := strong
		t.color = inkOf(lc.lines[p.path].style.color)
		at := p.box.Min.Add(c.Min)
		ground := white
		ground.A = 0xc8
		c.SetColor(ground)
		c.Fill(boxPath(vg.Rectangle{Min: at, Max: p.box.Max.Add(c.Min)}))
		t.draw(c, at.X+labelPad, at.Y+labelPad+0.2*t.size, alignLeft, p.text)
	}
}

func (l *line) drawBand(f *frame) {
	if len(l.band) < 2 {
		return
	}
	var p vg.Path
	for i, b := range l.band {
		if i == 0 {
			p.Move(f.point(b.x, b.hi))
		} else {
			p.Line(f.point(b.x, b.hi))
		}
	}
	for _, b := range slices.Backward(l.band) {
		p.Line(f.point(b.x, b.lo))
	}
	p.Close()
	f.SetColor(pale(l.style.color))
	f.Fill(p)
}

// thin keeps at most limit of the points: the first, the last, and others
// evenly between them.
func thin(pts []xy, limit int) []xy {
	if len(pts) <= limit {
		return pts
	}
	out := make([]xy, limit)
	for i := range out {
		out[i] = pts[i*(len(pts)-1)/(limit-1)]
	}
	return out
}

// bounds is the range of the lines, their marks and their bands.
func (lc *lineChart) bounds() (x, y span) {
	x = span{math.Inf(1), math.Inf(-1)}
	y = x
	for i := range lc.lines {
		for _, p := range slices.Concat(lc.lines[i].points, lc.lines[i].marks) {
			x.lo, x.hi = math.Min(x.lo, p.x), math.Max(x.hi, p.x)
			y.lo, y.hi = math.Min(y.lo, p.y), math.Max(y.hi, p.y)
		}
		for _, b := range lc.lines[i].band {
			y.lo, y.hi = math.Min(y.lo, b.lo), math.Max(y.hi, b.hi)
		}
	}
	return x, y
}
