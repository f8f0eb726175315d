package runner

import (
	"io"
	"strings"
	"unicode/utf8"

	"forkbench/report"
)

// WriteText writes the summary for a reader at a terminal: the verdict on the
// first line, one table, then errors, warnings and the machine. Models that do
// not fit beside each other continue below.
func WriteText(w io.Writer, s *Summary, o report.TextOptions) error {
	p := report.NewPage(o)
	// Not wrapped: whoever wants the verdict takes the first line.
	p.Line(report.Bold, s.Verdict)
	p.Paragraph("", caption(s))
	if t := tableOf(s); len(t.rows) > 0 {
		t.write(p)
		p.Paragraph(report.Dim, strings.Join(t.legend, "; "))
	}
	p.List(report.Red, "error: ", s.Errors)
	p.List(report.Yellow, "warning: ", s.Warnings)
	p.List("", "note: ", s.Notes)
	p.Paragraph(report.Dim, machine(s))
	_, err := p.WriteTo(w)
	return err
}

// write writes the models side by side, as many as fit. Where they do not all fit,
// each table says which it has.
func (t *table) write(p *report.Page) {
	label := 0
	for _, r := range t.rows {
		label = max(label, utf8.RuneCountInString(r.label))
	}
	for begin := 0; begin < len(t.models); {
		var columns []column
		width := label
		for i := begin; i < len(t.models); i++ {
			c := columnOf(t, i)
			if len(columns) > 0 && width+len(report.Gap)+c.width() > p.Width() {
				break
			}
			columns = append(columns, c)
			width += len(report.Gap) + c.width()
		}
		p.Line("", "")
		if len(columns) < len(t.models) {
			p.Line("", report.Part("Models", begin+1, begin+len(columns), len(t.models))+":")
		}
		t.block(p, label, columns)
		begin += len(columns)
	}
}

func (t *table) block(p *report.Page, label int, columns []column) {
	head := []string{strings.Repeat(" ", label)}
	for _, c := range columns {
		head = append(head, padRight(c.name, c.width()))
	}
	p.Line(report.Bold, strings.Join(head, report.Gap))
	for _, r := range t.rows {
		line := []string{padRight(r.label, label)}
		for _, c := range columns {
			line = append(line, c.cell(r.cells[c.model]))
		}
		p.Line("", strings.Join(line, report.Gap))
	}
}

// A column is one model's, with what the parts of its cells need.
type column struct {
	name                   string
	model                  int
	value, interval, ratio int
}

func columnOf(t *table, model int) column {
	c := column{name: report.Visible(t.models[model]), model: model}
	for _, r := range t.rows {
		cell := r.cells[model]
		c.value = max(c.value, utf8.RuneCountInString(cell.value))
		c.interval = max(c.interval, utf8.RuneCountInString(cell.interval))
		c.ratio = max(c.ratio, utf8.RuneCountInString(cell.ratio))
	}
	// A long name needs the room too.
	c.value += max(0, utf8.RuneCountInString(c.name)-c.width())
	return c
}

func (c column) width() int {
	width := c.value
	for _, part := range []int{c.interval, c.ratio} {
		if part > 0 {
			width += 1 + part
		}
	}
	return width
}

func (c column) cell(cell cell) string {
	text := padLeft(cell.value, c.value)
	if c.interval > 0 {
		text += " " + padRight(cell.interval, c.interval)
	}
	if c.ratio > 0 {
		text += " " + padLeft(cell.ratio, c.ratio)
	}
	return text
}

func padRight(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

func padLeft(text string, width int) string {
	return strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text))) + text
}
