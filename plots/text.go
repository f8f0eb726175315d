package plots

import (
	"image/color"
	"math"
	"strings"
	"sync"
	"unicode"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"forkbench/report"
)

var fonts = sync.OnceValue(func() *font.Cache { return font.NewCache(liberation.Collection()) })

// A textStyle is a size, weight and colour of Liberation Sans, whose widths are
// Arial's.
type textStyle struct {
	size  vg.Length
	bold  bool
	color color.Color
}

func (t textStyle) face() font.Face {
	f := font.Font{Typeface: "Liberation", Variant: "Sans"}
	if t.bold {
		f.Weight = xfont.WeightBold
	}
	return fonts().Lookup(f, t.size)
}

func (t textStyle) width(s string) vg.Length {
	f := t.face()
	return f.Width(s)
}

// Alignments of text about a point.
const (
	alignLeft   = 0
	alignCentre = -0.5
	alignRight  = -1
)

// draw writes s with its baseline at y.
func (t textStyle) draw(c draw.Canvas, x, y vg.Length, align vg.Length, s string) {
	if s == "" {
		return
	}
	f := t.face()
	c.SetColor(t.color)
	c.FillString(f, vg.Point{X: x + align*f.Width(s), Y: y}, s)
}

// drawMid writes s with the middle of its capitals at y.
func (t textStyle) drawMid(c draw.Canvas, x, y vg.Length, align vg.Length, s string) {
	t.draw(c, x, y-0.36*t.size, align, s)
}

// drawOn writes s from x on, with the middle of its capitals at y, on a white
// ground that keeps grid lines out of it.
func (t textStyle) drawOn(c draw.Canvas, x, y vg.Length, s string) {
	if s == "" {
		return
	}
	c.SetColor(white)
	c.Fill(boxPath(vg.Rectangle{
		Min: vg.Point{X: x - 1, Y: y - 0.6*t.size},
		Max: vg.Point{X: x + t.width(s) + 1, Y: y + 0.5*t.size},
	}))
	t.drawMid(c, x, y, alignLeft, s)
}

// leading is the distance between two baselines.
func (t textStyle) leading() vg.Length { return 1.25 * t.size }

// wrap breaks s into at most limit lines of the given width: at spaces, then
// after punctuation, then anywhere. What does not fit ends in an ellipsis.
func (t textStyle) wrap(s string, width vg.Length, limit int) []string {
	var lines []string
	rest := strings.TrimSpace(s)
	for rest != "" {
		if len(lines) == limit-1 || t.width(rest) <= width {
			return append(lines, t.shorten(rest, width))
		}
		n := t.fit(rest, width)
		lines = append(lines, strings.TrimSpace(rest[:n]))
		rest = strings.TrimSpace(rest[n:])
	}
	return lines
}

// fit is the number of bytes of s, at least one rune, that make a line.
func (t textStyle) fit(s string, width vg.Length) int {
	space, punct, whole := 0, 0, 0
	for i, r := range s {
		end := i + len(string(r))
		if whole > 0 && t.width(strings.TrimRight(s[:end], " ")) > width {
			break
		}
		whole = end
		switch {
		case r == ' ':
			space = end
		case strings.ContainsRune("-_=,:;/.", r):
			punct = end
		}
	}
	switch {
	case space > 0:
		return space
	case punct > 0:
		return punct
	default:
		return whole
	}
}

// shorten cuts the middle out of s until it fits: names that are long tend to
// differ at the end.
func (t textStyle) shorten(s string, width vg.Length) string {
	r := []rune(s)
	for cut := 1; t.width(s) > width && cut < len(r); cut++ {
		left := (len(r) - cut + 1) / 2
		s = string(r[:left]) + "…" + string(r[left+cut:])
	}
	return s
}

// clean makes a string from a record safe to draw: hidden characters are spelt,
// of which SVG, being XML, cannot hold controls even when escaped. It takes any run
// of spaces for one.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == 0xfffe || r == 0xffff {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
	return report.Visible(strings.Join(strings.Fields(s), " "))
}

// finite says whether v can be drawn.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// linear8 is one channel of sRGB as a share of full light.
func linear8(v uint8) float64 {
	s := float64(v) / 255
	if s <= 0.04045 {
		return s / 12.92
	}
	return math.Pow((s+0.055)/1.055, 2.4)
}
