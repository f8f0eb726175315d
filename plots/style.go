package plots

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Sizes of a page and its type. No text is below 9 points.
const (
	pageWidth = 8 * vg.Inch
	margin    = vg.Length(18)
	bodyWidth = pageWidth - 2*margin
	dpi       = 144

	titleSize = vg.Length(15)
	textSize  = vg.Length(10)
	smallSize = vg.Length(9)
)

// The colours of Okabe and Ito (2008), which people with any of the common
// colour-vision deficiencies can tell apart. Grey takes the place of yellow,
// which is too pale for a line.
var (
	black     = color.NRGBA{A: 0xff}
	blue      = color.NRGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}
	vermilion = color.NRGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff}
	green     = color.NRGBA{R: 0x00, G: 0x9e, B: 0x73, A: 0xff}
	purple    = color.NRGBA{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff}
	orange    = color.NRGBA{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff}
	sky       = color.NRGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff}
	yellow    = color.NRGBA{R: 0xf0, G: 0xe4, B: 0x42, A: 0xff}
	grey      = color.NRGBA{R: 0x99, G: 0x99, B: 0x99, A: 0xff}

	white    = color.NRGBA{R: 0xff, G: 0xff, B: 0xff, A: 0xff}
	ink      = color.NRGBA{R: 0x1a, G: 0x1a, B: 0x1a, A: 0xff} // text and whiskers
	faint    = color.NRGBA{R: 0x55, G: 0x55, B: 0x55, A: 0xff} // text of less weight
	gridline = color.NRGBA{R: 0xdd, G: 0xdd, B: 0xdd, A: 0xff}
	idle     = color.NRGBA{R: 0xee, G: 0xee, B: 0xee, A: 0xff}
)

// The type that plots are set in.
var (
	title  = textStyle{titleSize, true, ink}
	normal = textStyle{textSize, false, ink}
	strong = textStyle{textSize, true, ink}
	small  = textStyle{smallSize, false, ink}
	muted  = textStyle{smallSize, false, faint}
)

// A modelStyle is how a model looks in every plot. Dashes and glyphs say in
// grey what the colours say.
type modelStyle struct {
	color  color.NRGBA
	dashes []vg.Length
	glyph  glyph
}

var modelStyles = [...]modelStyle{
	{blue, nil, circle},
	{vermilion, []vg.Length{7, 3}, square},
	{green, []vg.Length{2, 2}, diamond},
	{purple, []vg.Length{9, 2.5, 2, 2.5}, triangle},
	{black, []vg.Length{1, 2.5}, cross},
	{orange, []vg.Length{12, 3}, plus},
	{sky, []vg.Length{5, 1.5, 1.5, 1.5, 1.5, 1.5}, circle},
	{grey, []vg.Length{3, 5}, square},
}

// styleOf is the look of the i-th model of a comparison.
func styleOf(i int) modelStyle { return modelStyles[i%len(modelStyles)] }

// A glyph is the shape of a point.
type glyph uint8

const (
	circle glyph = iota
	square
	diamond
	triangle
	cross
	plus
)

// draw paints the glyph at pt: filled shapes with a white rim, strokes with a
// white casing, so that each stands out on any ground.
func (g glyph) draw(c draw.Canvas, pt vg.Point, r vg.Length, fill, rim color.Color) {
	var p vg.Path
	switch g {
	case circle:
		p.Move(vg.Point{X: pt.X + r, Y: pt.Y})
		p.Arc(pt, r, 0, 2*math.Pi)
	case square:
		p = boxPath(vg.Rectangle{
			Min: vg.Point{X: pt.X - 0.88*r, Y: pt.Y - 0.88*r},
			Max: vg.Point{X: pt.X + 0.88*r, Y: pt.Y + 0.88*r},
		})
	case diamond:
		p.Move(vg.Point{X: pt.X - 1.2*r, Y: pt.Y})
		p.Line(vg.Point{X: pt.X, Y: pt.Y + 1.2*r})
		p.Line(vg.Point{X: pt.X + 1.2*r, Y: pt.Y})
		p.Line(vg.Point{X: pt.X, Y: pt.Y - 1.2*r})
	case triangle:
		p.Move(vg.Point{X: pt.X - 1.1*r, Y: pt.Y - 0.8*r})
		p.Line(vg.Point{X: pt.X, Y: pt.Y + 1.2*r})
		p.Line(vg.Point{X: pt.X + 1.1*r, Y: pt.Y - 0.8*r})
	case cross, plus:
		d, e := vg.Point{X: r, Y: r}, vg.Point{X: r, Y: -r}
		if g == plus {
			d, e = vg.Point{X: 1.2 * r}, vg.Point{Y: 1.2 * r}
		}
		arms := [][]vg.Point{{pt.Sub(d), pt.Add(d)}, {pt.Sub(e), pt.Add(e)}}
		c.StrokeLines(draw.LineStyle{Color: rim, Width: 3.6}, arms...)
		c.StrokeLines(draw.LineStyle{Color: fill, Width: 1.8}, arms...)
		return
	}
	p.Close()
	c.SetColor(fill)
	c.Fill(p)
	c.SetLineStyle(draw.LineStyle{Color: rim, Width: 0.9})
	c.Stroke(p)
}

// A fill is how an area looks: its colour, and a hatching that tells it from
// its neighbours in grey.
type fill struct {
	color color.NRGBA
	hatch hatch
}

type hatch uint8

const (
	plain hatch = iota
	rising
	falling
	upright
	level
)

// The parts of the CPU time and its two modes.
var (
	fillChildren   = fill{sky, plain}
	fillParents    = fill{blue, rising}
	fillSupervisor = fill{orange, upright}
	fillRedis      = fill{purple, falling}
	fillServices   = fill{green, level}

	fillUser   = fill{sky, plain}
	fillSystem = fill{vermilion, rising}
)

// The phases of a process's life.
var (
	fillBoot    = fill{grey, falling}
	fillWarm    = fill{yellow, upright}
	fillFork    = fill{blue, level}
	fillPenalty = fill{vermilion, rising}
	fillRun     = fill{green, plain}
	fillExit    = fill{purple, upright}
)

// paint fills a box, hatches it where there is room, and outlines it.
func (f fill) paint(c draw.Canvas, r vg.Rectangle, rim draw.LineStyle) {
	c.SetColor(f.color)
	c.Fill(boxPath(r))
	if f.hatch != plain && r.Size().X > 3 {
		line := white
		line.A = 0xa0
		if luminance(f.color) > 0.5 {
			line = black
			line.A = 0x60
		}
		c.SetLineStyle(draw.LineStyle{Color: line, Width: 0.8})
		c.Stroke(f.hatch.path(r))
	}
	if rim.Width > 0 {
		c.SetLineStyle(rim)
		c.Stroke(boxPath(r))
	}
}

// path is the hatching of r. Its phase is the page's, so that neighbours join.
func (h hatch) path(r vg.Rectangle) vg.Path {
	const gap = vg.Length(4.5)
	first := func(v vg.Length) vg.Length { return gap * vg.Length(math.Ceil(float64(v/gap))) }
	var p vg.Path
	add := func(x0, y0, x1, y1 vg.Length) {
		p.Move(vg.Point{X: x0, Y: y0})
		p.Line(vg.Point{X: x1, Y: y1})
	}
	switch h {
	case plain:
	case upright:
		for x := first(r.Min.X); x < r.Max.X; x += gap {
			add(x, r.Min.Y, x, r.Max.Y)
		}
	case level:
		for y := first(r.Min.Y); y < r.Max.Y; y += gap {
			add(r.Min.X, y, r.Max.X, y)
		}
	case rising: // x - y = k
		for k := first(r.Min.X - r.Max.Y); k < r.Max.X-r.Min.Y; k += gap {
			x0, x1 := max(r.Min.X, r.Min.Y+k), min(r.Max.X, r.Max.Y+k)
			if x1 > x0 {
				add(x0, x0-k, x1, x1-k)
			}
		}
	case falling: // x + y = k
		for k := first(r.Min.X + r.Min.Y); k < r.Max.X+r.Max.Y; k += gap {
			x0, x1 := max(r.Min.X, k-r.Max.Y), min(r.Max.X, k-r.Min.Y)
			if x1 > x0 {
				add(x0, k-x0, x1, k-x1)
			}
		}
	}
	return p
}

func boxPath(r vg.Rectangle) vg.Path {
	var p vg.Path
	p.Move(r.Min)
	p.Line(vg.Point{X: r.Max.X, Y: r.Min.Y})
	p.Line(r.Max)
	p.Line(vg.Point{X: r.Min.X, Y: r.Max.Y})
	p.Close()
	return p
}

// luminance is WCAG's relative luminance, in [0, 1].
func luminance(c color.NRGBA) float64 {
	return 0.2126*linear8(c.R) + 0.7152*linear8(c.G) + 0.0722*linear8(c.B)
}

// inkOf darkens a colour until text in it reads on white: a contrast of at
// least 4.5:1, as WCAG asks for.
func inkOf(c color.NRGBA) color.NRGBA {
	for 1.05/(luminance(c)+0.05) < 4.5 {
		c.R, c.G, c.B = c.R-c.R/16-min(c.R, 1), c.G-c.G/16-min(c.G, 1), c.B-c.B/16-min(c.B, 1)
	}
	return c
}

// onTop is the colour of text on a ground.
func onTop(ground color.NRGBA) color.NRGBA {
	if luminance(ground) > 0.179 { // where black and white contrast alike
		return black
	}
	return white
}
