package plots

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"forkbench/internal/format"
	"forkbench/runner"
)

func lifecyclePlot() Plot {
	return Plot{
		Name:  "lifecycle",
		Title: "Life cycle: the first jobs of each model",
		Caption: "Thick boxes are forked children, one lane for each slot; thin boxes are the parents that fork them; " +
			"one box is the life of one process and a coloured block is one phase of it, over the time since the start " +
			"of work; first-job penalty is what a process's first job takes beyond a later one.",
		build: lifecycleChart,
	}
}

// A lifeChart is the beginning of each model's first round, a panel each.
type lifeChart struct {
	panels  []lifePanel
	startup float64 // milliseconds before the start of work that are shown
	shared  bool    // all panels have one time scale
	remarks []string
}

var _ chart = (*lifeChart)(nil)

// Sizes of a panel.
const (
	lanePitch    = vg.Length(14)
	childBar     = vg.Length(11)
	parentBar    = vg.Length(7)
	panelHead    = vg.Length(17)
	panelGap     = vg.Length(9)
	panelAxis    = vg.Length(17)
	laneLabels   = vg.Length(52)
	startupShare = 0.22 // of the width, where start-up has a scale of its own
	startupGap   = 0.025
)

func lifecycleChart(a *runner.Analysis) chart {
	lc := &lifeChart{}
	slots := 4
	if len(a.Summary.Models) > 4 {
		slots = 2
	}
	for i := range a.Summary.Models {
		m := &a.Summary.Models[i]
		var p lifePanel
		if s := seriesOf(a, i); s != nil {
			p = newLifePanel(s, &m.Phases, a.Summary.Spec.Workers, slots)
		}
		if len(p.lanes) == 0 {
			lc.remarks = missing(lc.remarks, m.Model, "no process ran a job")
			continue
		}
		p.model = clean(m.Model)
		lc.panels = append(lc.panels, p)
	}
	if len(lc.panels) == 0 {
		return noData("no process ran a job")
	}
	lc.setScale()
	return lc
}

// setScale chooses how much time is shown. One scale for all panels shows the
// difference between the models, so it is taken wherever the shortest panel can
// still be seen on it.
func (lc *lifeChart) setScale() {
	window := 0.0
	for i := range lc.panels {
		p := &lc.panels[i]
		window = math.Max(window, p.wanted)
		lc.startup = math.Max(lc.startup, -p.begin)
	}
	lc.shared = true
	for i := range lc.panels {
		if lc.panels[i].end < 0.08*window {
			lc.shared = false
		}
	}
	for i := range lc.panels {
		p := &lc.panels[i]
		p.window = window
		if !lc.shared {
			p.window = p.own
		}
		p.dropLater()
		p.describe()
	}
	if !lc.shared {
		lc.remarks = append(lc.remarks, "The times differ so much that each panel has a time scale of its own after the start of work.")
	}
}

func (lc *lifeChart) notes() []string { return lc.remarks }

func (lc *lifeChart) height() vg.Length {
	h := xAxisHeight
	for i := range lc.panels {
		h += lc.panels[i].height()
	}
	gap := panelGap
	if !lc.shared {
		gap += panelAxis
	}
	return h + vg.Length(len(lc.panels)-1)*gap
}

func (lc *lifeChart) keys() []key {
	var seen [phases]bool
	bad, unknown := false, false
	for i := range lc.panels {
		p := &lc.panels[i]
		for _, l := range p.lanes {
			for _, b := range l.blocks {
				seen[b.phase] = true
				bad = bad || b.bad
			}
			unknown = unknown || l.known < p.window
		}
	}
	var keys []key
	for ph, s := range seen {
		if s {
			keys = append(keys, phase(ph).fill().key(phase(ph).String()))
		}
	}
	keys = append(keys, key{"waiting", func(c draw.Canvas, r vg.Rectangle) {
		paintBody(c, r, false)
		outline(c, r, false)
	}})
	if bad {
		keys = append(keys, key{"failed, crashed or timed out", func(c draw.Canvas, r vg.Rectangle) {
			cross.draw(c, vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}, 3, black, white)
		}})
	}
	if unknown {
		keys = append(keys, key{"goes on", func(c draw.Canvas, r vg.Rectangle) {
			paintUnknown(c, r)
		}})
	}
	return keys
}

// A lifeScale maps milliseconds to a panel's width: start-up and work have each
// their own scale, unless start-up is short enough to share that of work.
type lifeScale struct {
	startup, window float64
}

var _ scale = lifeScale{}

// split reports whether start-up has a scale of its own.
func (s lifeScale) split() bool { return s.startup > 0.4*s.window }

func (s lifeScale) at(ms float64) float64 {
	if !s.split() {
		return (ms + s.startup) / (s.window + s.startup)
	}
	if ms < 0 {
		return startupShare * (ms + s.startup) / s.startup
	}
	return startupShare + startupGap + (1-startupShare-startupGap)*ms/s.window
}

func (lc *lifeChart) draw(c draw.Canvas) {
	top := c.Max.Y
	for i := range lc.panels {
		p := &lc.panels[i]
		s := lifeScale{lc.startup, p.window}
		f := &frame{
			Canvas: draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
				Min: vg.Point{X: c.Min.X + laneLabels, Y: top - p.height()},
				Max: vg.Point{X: c.Max.X - 12, Y: top - panelHead},
			}},
			x: axis{scale: s, ticks: s.ticks()},
		}
		p.draw(f, c.Min.X)
		last := i == len(lc.panels)-1
		if !lc.shared || last {
			s.drawAxis(f, last)
		}
		top = f.Min.Y - panelGap
		if !lc.shared {
			top -= panelAxis
		}
	}
}

// ticks are written in the unit of their part of the axis.
func (s lifeScale) ticks() []tick {
	if s.startup <= 0 {
		return unitTicks(0, s.window, 8)
	}
	if !s.split() {
		return unitTicks(-s.startup, s.window, 8)
	}
	ticks := unitTicks(-s.startup, 0, 2)
	ticks = slices.DeleteFunc(ticks, func(t tick) bool { return t.value > -0.1*s.startup })
	return append(ticks, unitTicks(0, s.window, 7)...)
}

func unitTicks(lo, hi float64, n int) []tick {
	u := unitFor(math.Max(-lo, hi))
	ticks := linearTicks(lo/u.millis, hi/u.millis, n)
	for i := range ticks {
		ticks[i].value *= u.millis
		if ticks[i].value != 0 {
			ticks[i].label += " " + u.name
		}
	}
	return ticks
}

func (s lifeScale) drawAxis(f *frame, labelled bool) {
	f.ticksX(f.Min.Y - 2)
	at := func(ms float64) vg.Length { return f.Canvas.X(s.at(ms)) }
	y := f.Min.Y - 14 - textSize*1.5
	if s.split() {
		// The axis is broken where its scale changes.
		f.StrokeLine2(draw.LineStyle{Color: white, Width: 2.4}, f.Canvas.X(startupShare), f.Min.Y-2, at(0), f.Min.Y-2)
	}
	if !labelled {
		return
	}
	work := "time since the start of work"
	if s.split() {
		small.draw(f.Canvas, (f.Min.X+f.Canvas.X(startupShare))/2, y, alignCentre, "start-up, on its own scale")
	}
	if s.startup > 0 && !s.split() {
		work += " (start-up is negative)"
	}
	small.draw(f.Canvas, (at(0)+f.Max.X)/2, y, alignCentre, work)
}

// draw draws the panel's head, its lanes and their names.
func (p *lifePanel) draw(f *frame, left vg.Length) {
	head := f.Max.Y + panelHead - textSize - 1
	name := strong.shorten(p.model, bodyWidth*0.5)
	strong.draw(f.Canvas, left, head, alignLeft, name)
	muted.draw(f.Canvas, left+strong.width(name)+8, head, alignLeft,
		muted.shorten(p.note, bodyWidth-strong.width(name)-8))

	f.gridX()
	zero := f.Canvas.X(f.x.scale.at(0))
	if zero > f.Min.X+1 {
		f.StrokeLine2(draw.LineStyle{Color: ink, Width: 0.8, Dashes: []vg.Length{2, 2}}, zero, f.Min.Y, zero, f.Max.Y)
	}
	var named [phases]bool
	for i, l := range p.lanes {
		y := f.Max.Y - lanePitch*(vg.Length(i)+0.5)
		t := small
		if l.parent {
			t = muted
		}
		t.drawMid(f.Canvas, f.Min.X-5, y, alignRight, l.label)
		p.drawLane(f, &l, y, &named)
	}
}

func (p *lifePanel) height() vg.Length {
	return panelHead + lanePitch*vg.Length(len(p.lanes))
}

func (p *lifePanel) drawLane(f *frame, l *lane, y vg.Length, named *[phases]bool) {
	bar := childBar
	if l.parent {
		bar = parentBar
	}
	box := func(s span, bar vg.Length) vg.Rectangle {
		lo, hi := f.x.scale.at(s.lo), f.x.scale.at(s.hi)
		r := vg.Rectangle{
			Min: vg.Point{X: f.Canvas.X(math.Max(0, math.Min(lo, 1))), Y: y - bar/2},
			Max: vg.Point{X: f.Canvas.X(math.Max(0, math.Min(hi, 1))), Y: y + bar/2},
		}
		if r.Size().X < 0.4 { // too short to see, yet there
			r.Max.X = r.Min.X + 0.4
		}
		return r
	}
	visible := func(s span) bool { return s.hi > -f.startup() && s.lo < p.window }
	for _, s := range l.bodies {
		if s.hi = math.Min(s.hi, l.known); visible(s) && s.hi > s.lo {
			paintBody(f.Canvas, box(s, bar), l.parent)
		}
	}
	if l.known < p.window {
		paintUnknown(f.Canvas, box(span{l.known, p.window}, bar))
	}
	labelled := f.Min.X // the end of the last block with its name on it
	for _, b := range l.blocks {
		if !visible(b.span) {
			continue
		}
		r := box(b.span, bar)
		rim := draw.LineStyle{Color: white, Width: 0.5}
		if r.Size().X < 2.5 {
			rim.Width = 0.2 * r.Size().X
		}
		b.phase.fill().paint(f.Canvas, r, rim)
		if !named[b.phase] && !l.parent && r.Min.X >= labelled && b.label(f.Canvas, r) {
			named[b.phase], labelled = true, r.Max.X
		}
	}
	for _, s := range l.bodies {
		if visible(s) {
			outline(f.Canvas, box(s, bar), l.parent)
		}
	}
	for _, b := range l.blocks {
		if b.bad && visible(b.span) {
			cross.draw(f.Canvas, vg.Point{X: box(b.span, bar).Max.X, Y: y}, 2.6, black, white)
		}
	}
}

func (f *frame) startup() float64 {
	if s, ok := f.x.scale.(lifeScale); ok {
		return s.startup
	}
	return 0
}

// label writes the phase's name on its block, if there is room.
func (b *block) label(c draw.Canvas, r vg.Rectangle) bool {
	t, text := small, b.phase.String()
	w := t.width(text)
	if r.Size().X < w+8 {
		return false
	}
	fl := b.phase.fill()
	t.color = onTop(fl.color)
	x, y := (r.Min.X+r.Max.X)/2, (r.Min.Y+r.Max.Y)/2
	if fl.hatch != plain {
		c.SetColor(fl.color)
		c.Fill(boxPath(vg.Rectangle{
			Min: vg.Point{X: x - w/2 - 3, Y: r.Min.Y + 0.5},
			Max: vg.Point{X: x + w/2 + 3, Y: r.Max.Y - 0.5},
		}))
	}
	t.drawMid(c, x, y, alignCentre, text)
	return true
}

func paintBody(c draw.Canvas, r vg.Rectangle, parent bool) {
	c.SetColor(idle)
	if parent {
		c.SetColor(white)
	}
	c.Fill(boxPath(r))
}

// outline draws the edge of a process: it is what tells many short lives from
// one long one.
func outline(c draw.Canvas, r vg.Rectangle, parent bool) {
	w := vg.Length(0.9)
	if r.Size().X < 5 {
		w = max(0.25, r.Size().X*0.12)
	}
	sty := draw.LineStyle{Color: ink, Width: w}
	if parent {
		sty.Color = faint
	}
	c.SetLineStyle(sty)
	c.Stroke(boxPath(r))
}

// paintUnknown marks that a lane goes on beyond its records.
func paintUnknown(c draw.Canvas, r vg.Rectangle) {
	if r.Size().X < 8 {
		return
	}
	y := (r.Min.Y + r.Max.Y) / 2
	c.StrokeLine2(draw.LineStyle{Color: grey, Width: 2, Dashes: []vg.Length{2, 4}}, r.Min.X+4, y, r.Max.X, y)
}

// describe says in words how far the panel's work gets.
func (p *lifePanel) describe() {
	until := math.Min(p.window, p.complete)
	jobs, children, parents := 0, 0, 0
	for _, t := range p.finished {
		if t <= until {
			jobs++
		}
	}
	for _, t := range p.forked {
		if t <= until {
			children++
		}
	}
	for _, t := range p.booted {
		if t <= until {
			parents++
		}
	}
	p.note = fmt.Sprintf("%s in the first %s", format.Plural(jobs, "job"), millis(until))
	switch {
	case p.orphans && until > slices.Max(append(p.forked, 0)): // there were others
	case children > 0 && parents > 0:
		forked := "1 child"
		if children != 1 {
			forked = format.Count(children) + " children"
		}
		p.note += fmt.Sprintf(", %s of %s", forked, format.Plural(parents, "parent"))
	case children+parents > 0:
		p.note += ", " + format.Plural(children+parents, "process")
	}
	if hidden := p.slots - p.shown; hidden > 0 && p.shown > 0 {
		p.note += fmt.Sprintf(" (%d of %d slots drawn)", p.shown, p.slots)
	}
}
