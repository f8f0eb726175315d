// Package plots draws a comparison: pictures for the document in which somebody
// decides between execution models.
//
// Each [Plot] is a pure function of a [runner.Analysis]: the same analysis gives
// the same bytes. A plot that its data cannot fill says so in the picture
// instead of failing, and a value that is not a number is treated as missing.
//
// All plots share one style: a model has the same colour, dashes and glyph
// everywhere, by its place in the comparison, and a phase of a process's life
// the same colour and hatching. Colours are those of Okabe and Ito; whatever a
// colour says, a dash, a hatching or a label says too.
package plots

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"forkbench/record"
	"forkbench/runner"
)

// A Format is a file format that plots can be written in, and its file name
// extension.
type Format string

// The formats. SVG is for pages and print, PNG for documents that cannot hold
// SVG: 8 inches wide at 144 dots per inch.
const (
	SVG Format = "svg"
	PNG Format = "png"
)

// Formats lists all of them.
func Formats() []Format { return []Format{SVG, PNG} }

// A Plot is one picture of a comparison.
type Plot struct {
	Name    string // the stem of its file name
	Title   string
	Caption string // one sentence: the units, and what one mark is

	simulated string // the caption where it was simulated
	blocks    string // where it was measured in blocks of rounds, if another
	build     func(*runner.Analysis) chart
}

// All lists the plots in reading order.
func All() []Plot {
	return []Plot{
		throughputPlot(),
		lifecyclePlot(),
		phasesPlot(),
		cpuPlot(),
		cpuModePlot(),
		latencyPlot(),
		memoryPlot(),
		throughputTimePlot(),
	}
}

// Draw writes the picture of a to w. Its errors are w's, and an unknown format.
func (p Plot) Draw(w io.Writer, f Format, a *runner.Analysis) error {
	return p.picture(a).draw(w, f)
}

func (p Plot) picture(a *runner.Analysis) *picture {
	c := p.build(a)
	if a.Summary.Environment.Race {
		c = noData("measured by a program built with -race, whose numbers do not count")
	}
	pic := &picture{name: p.Name, title: p.Title, conditions: conditions(&a.Summary), caption: p.CaptionOf(&a.Summary), chart: c}
	if text := a.Summary.Outcome(); text != "" {
		pic.outcome = "Not every job was done: " + clean(text) + "."
	}
	return pic
}

// CaptionOf is the caption of the picture of a summary: replications take the
// place of rounds, and means that of medians, where it was simulated.
func (p Plot) CaptionOf(s *runner.Summary) string {
	if s.Spec.Simulated && p.simulated != "" {
		return p.simulated
	}
	if s.Spec.Until != nil && p.blocks != "" {
		return p.blocks
	}
	return p.Caption
}

// turn is what a model's go at all jobs is called.
func turn(s *runner.Summary) string {
	if s.Spec.Simulated {
		return "replication"
	}
	return "round"
}

// goOf is what a mark stands for.
func goOf(s *runner.Summary) string {
	if inParts(s) {
		return turn(s) + " or part of one"
	}
	return turn(s)
}

// inParts reports whether rounds of a model were made in parts.
func inParts(s *runner.Summary) bool {
	return slices.ContainsFunc(s.Spec.Models, func(m record.Model) bool { return m.Parts > 0 })
}

func (p *picture) draw(w io.Writer, f Format) error {
	pg := p.layOut()
	switch f {
	case PNG:
		c := vgimg.NewWith(vgimg.UseWH(pageWidth, pg.height), vgimg.UseDPI(dpi))
		pg.draw(draw.New(c))
		_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
		return err
	case SVG:
		c := vgsvg.New(pageWidth, pg.height)
		pg.draw(draw.New(c))
		var b bytes.Buffer
		if _, err := c.WriteTo(&b); err != nil {
			return err
		}
		_, err := w.Write(finishSVG(b.Bytes(), p.title, p.caption))
		return err
	default:
		return fmt.Errorf("plot format %q: want %q or %q", f, SVG, PNG)
	}
}

// A chart is what is between a page's title and its caption. Every number in
// it is finite.
type chart interface {
	// height is the room the chart takes at bodyWidth.
	height() vg.Length
	// keys is the legend; it may be empty.
	keys() []key
	// notes are sentences above the caption, about this data only.
	notes() []string
	// draw draws into c, which is bodyWidth by height.
	draw(c draw.Canvas)
}

// noData is the chart of a plot that has nothing to show.
type noData string

var _ chart = noData("")

func (n noData) height() vg.Length { return 120 }
func (n noData) keys() []key       { return nil }
func (n noData) notes() []string   { return nil }

func (n noData) draw(c draw.Canvas) {
	c.SetColor(idle)
	c.Fill(boxPath(c.Rectangle))
	lines := normal.wrap("no data: "+string(n), c.Size().X-40, 4)
	y := c.Center().Y + normal.leading()*vg.Length(len(lines)-1)/2
	for _, l := range lines {
		normal.drawMid(c, c.Center().X, y, alignCentre, l)
		y -= normal.leading()
	}
}
