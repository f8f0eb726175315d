package plots

import (
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"forkbench/internal/format"
	"forkbench/runner"
)

// A picture is a chart with all the words that belong to it.
type picture struct {
	name       string // the stem of its file name
	title      string
	conditions string // what its numbers depend on
	outcome    string // what is to be known before any of it; may be empty
	caption    string
	chart      chart
}

// A key is an entry of a legend: a sample and its name.
type key struct {
	name string
	draw func(c draw.Canvas, r vg.Rectangle) // the sample, in a box of keyWidth by keyHeight
}

const (
	keyWidth  = vg.Length(20)
	keyHeight = vg.Length(9)
	keyGap    = vg.Length(12)
)

// key is a swatch of the fill.
func (f fill) key(name string) key {
	return key{name, func(c draw.Canvas, r vg.Rectangle) {
		f.paint(c, r, draw.LineStyle{Color: ink, Width: 0.5})
	}}
}

// A page is a chart with its title, conditions, legend and caption.
type page struct {
	chart      chart
	title      string
	conditions []string
	outcome    []string
	legend     [][]key // by row
	notes      []string
	caption    []string
	height     vg.Length
}

// layOut makes the page of a picture.
func (p *picture) layOut() *page {
	pg := &page{
		chart:      p.chart,
		title:      p.title,
		conditions: muted.wrap(p.conditions, bodyWidth, 2),
		caption:    normal.wrap(p.caption, bodyWidth, 5),
	}
	if p.outcome != "" {
		pg.outcome = small.wrap(p.outcome, bodyWidth, 4)
	}
	for _, n := range pg.chart.notes() {
		pg.notes = append(pg.notes, small.wrap(n, bodyWidth, 5)...)
	}
	var x vg.Length
	for _, k := range pg.chart.keys() {
		w := keyWidth + 5 + normal.width(k.name) + keyGap
		if len(pg.legend) == 0 || x+w-keyGap > bodyWidth {
			pg.legend, x = append(pg.legend, nil), 0
		}
		pg.legend[len(pg.legend)-1] = append(pg.legend[len(pg.legend)-1], k)
		x += w
	}
	// The same steps as in draw.
	pg.height = 2*margin + titleSize + vg.Length(len(pg.conditions))*muted.leading() + vg.Length(len(pg.outcome))*small.leading() +
		gapLegend + vg.Length(len(pg.legend))*legendLeading + gapChart + pg.chart.height() +
		gapCaption + vg.Length(len(pg.notes))*small.leading() + vg.Length(len(pg.caption))*normal.leading()
	if len(pg.notes) > 0 {
		pg.height += gapNotes
	}
	return pg
}

const (
	gapLegend     = vg.Length(8)
	gapChart      = vg.Length(6)
	gapCaption    = vg.Length(7)
	gapNotes      = vg.Length(3)
	legendLeading = vg.Length(15)
)

func (pg *page) draw(c draw.Canvas) {
	c.SetColor(white)
	c.Fill(boxPath(c.Rectangle))
	left, y := c.Min.X+margin, c.Max.Y-margin

	y -= titleSize
	title.draw(c, left, y+3, alignLeft, pg.title)
	for _, l := range pg.conditions {
		y -= muted.leading()
		muted.draw(c, left, y, alignLeft, l)
	}
	warning := small
	warning.color = inkOf(vermilion)
	for _, l := range pg.outcome {
		y -= small.leading()
		warning.draw(c, left, y, alignLeft, l)
	}
	y -= gapLegend
	for _, row := range pg.legend {
		y -= legendLeading
		x := left
		for _, k := range row {
			k.draw(c, vg.Rectangle{
				Min: vg.Point{X: x, Y: y + 3},
				Max: vg.Point{X: x + keyWidth, Y: y + 3 + keyHeight},
			})
			x += keyWidth + 5
			normal.drawMid(c, x, y+3+keyHeight/2, alignLeft, k.name)
			x += normal.width(k.name) + keyGap
		}
	}
	y -= gapChart
	h := pg.chart.height()
	pg.chart.draw(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
		Min: vg.Point{X: left, Y: y - h},
		Max: vg.Point{X: left + bodyWidth, Y: y},
	}})
	y -= h + gapCaption
	for _, l := range pg.notes {
		y -= small.leading()
		small.draw(c, left, y, alignLeft, l)
	}
	if len(pg.notes) > 0 {
		y -= gapNotes
	}
	for _, l := range pg.caption {
		y -= normal.leading()
		normal.draw(c, left, y, alignLeft, l)
	}
}

// conditions is the line under every title: what a number depends on.
func conditions(s *runner.Summary) string {
	spec, env := &s.Spec, &s.Environment
	var parts []string
	add := func(p string) {
		if p = clean(p); p != "" {
			parts = append(parts, p)
		}
	}
	if spec.Simulated {
		add("simulated")
	}
	add(muted.shorten(clean(spec.Workload), 220))
	if spec.Jobs > 0 {
		jobs := format.Plural(spec.Jobs, "job")
		if spec.Arrivals != "" {
			jobs += " (" + spec.Arrivals + ")"
		}
		add(jobs)
	}
	if spec.Workers > 0 {
		workers := format.Plural(spec.Workers, "worker")
		if env.Cores > 0 {
			workers += " on " + format.Plural(env.Cores, "core")
		}
		add(workers)
	}
	switch {
	case spec.Rounds > 0 && spec.Simulated:
		add(format.Plural(spec.Rounds, "replication"))
	case spec.Until != nil:
		if inParts(s) {
			add("1 round or more")
		} else {
			add(format.Plural(spec.Rounds, "round") + " or more")
		}
	case spec.Rounds > 0:
		add(format.Plural(spec.Rounds, "round"))
	}
	if env.ForkPrimitive != "" {
		add("fork is " + muted.shorten(clean(env.ForkPrimitive), 300))
	}
	return strings.Join(parts, " · ")
}
