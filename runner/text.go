package runner

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"
)

// TextOptions say how to write text. The zero value is good for a file.
type TextOptions struct {
	Width int  // columns to use; 0 means 120
	Color bool // bold and coloured, for terminals
}

const (
	defaultWidth = 120
	leastWidth   = 60 // narrower text is not wrapped further
	between      = "   "
)

// Terminal attributes (ECMA-48 SGR).
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	yellow = "33"
)

// WriteText writes the summary for a reader at a terminal: the verdict on the
// first line, one table, then errors, warnings and the machine. Models that do
// not fit beside each other continue below.
func WriteText(w io.Writer, s *Summary, o TextOptions) error {
	if o.Width == 0 {
		o.Width = defaultWidth
	}
	o.Width = max(o.Width, leastWidth)
	p := &printer{o: o}
	// Not wrapped: whoever wants the verdict takes the first line.
	p.line(bold, s.Verdict)
	if text := caption(s); text != "" {
		p.line("", "")
		p.wrapped("", "", text)
	}
	if t := tableOf(s); len(t.rows) > 0 {
		p.table(t)
		if t.legend != nil {
			p.line("", "")
			p.wrapped(dim, "", strings.Join(t.legend, "; "))
		}
	}
	p.list(red, "error: ", s.Errors)
	p.list(yellow, "warning: ", s.Warnings)
	if text := machine(s); text != "" {
		p.line("", "")
		p.wrapped(dim, "", text)
	}
	_, err := w.Write(p.buf.Bytes())
	return err
}

type printer struct {
	o   TextOptions
	buf bytes.Buffer
}

// line writes one line, in an attribute if there is one and colour is wanted.
func (p *printer) line(attribute, text string) {
	text = strings.TrimRight(text, " ")
	if p.o.Color && attribute != "" && text != "" {
		text = "\x1b[" + attribute + "m" + text + "\x1b[0m"
	}
	p.buf.WriteString(text + "\n")
}

// wrapped writes a paragraph with a hanging indent below its first word.
func (p *printer) wrapped(attribute, first, text string) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(first))
	line := first
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			line += word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > p.o.Width:
			p.line(attribute, line)
			line = indent + word
		default:
			line += " " + word
		}
	}
	p.line(attribute, line)
}

func (p *printer) list(attribute, first string, texts []string) {
	if len(texts) > 0 {
		p.line("", "")
	}
	for _, text := range texts {
		p.wrapped(attribute, first, text)
	}
}

// table writes the models side by side, as many as fit.
func (p *printer) table(t *table) {
	label := 0
	for _, r := range t.rows {
		label = max(label, utf8.RuneCountInString(r.label))
	}
	for begin := 0; begin < len(t.models); {
		var columns []column
		width := label
		for i := begin; i < len(t.models); i++ {
			c := columnOf(t, i)
			if len(columns) > 0 && width+len(between)+c.width() > p.o.Width {
				break
			}
			columns = append(columns, c)
			width += len(between) + c.width()
		}
		p.line("", "")
		p.block(t, label, columns)
		begin += len(columns)
	}
}

func (p *printer) block(t *table, label int, columns []column) {
	head := []string{strings.Repeat(" ", label)}
	for _, c := range columns {
		head = append(head, padRight(c.name, c.width()))
	}
	p.line(bold, strings.Join(head, between))
	for _, r := range t.rows {
		line := []string{padRight(r.label, label)}
		for _, c := range columns {
			line = append(line, c.cell(r.cells[c.model]))
		}
		p.line("", strings.Join(line, between))
	}
}

// A column is one model's, with what the parts of its cells need.
type column struct {
	name                   string
	model                  int
	value, interval, ratio int
}

func columnOf(t *table, model int) column {
	c := column{name: t.models[model], model: model}
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
