// Package report writes an answer for people: a verdict in one line, tables, and
// what has to be known besides, as text for a terminal or as Markdown.
package report

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Report is an answer.
type Report struct {
	Verdict  string
	Caption  string // what was asked, under which conditions
	Tables   []Table
	Notes    []string
	Warnings []string
}

// A Table has a column of labels and columns of cells.
type Table struct {
	Title string   // may be empty
	Head  []string // of all columns; the first is the labels'
	Rows  [][]string
	Left  []int // columns besides the first that are words, not numbers
}

// TextOptions say how to write text. The zero value is good for a file.
type TextOptions struct {
	Width int  // columns to use; 0 means 120
	Color bool // bold and coloured, for terminals
}

const (
	defaultWidth = 120
	leastWidth   = 60 // narrower text is not wrapped further
	gap          = "   "
)

// Terminal attributes (ECMA-48 SGR).
const (
	bold   = "1"
	dim    = "2"
	yellow = "33"
)

// WriteText writes the report as text. The verdict is the first line, however
// long: whoever wants it takes that line. Columns of a table that do not fit beside each
// other continue below.
func (r *Report) WriteText(w io.Writer, o TextOptions) error {
	if o.Width == 0 {
		o.Width = defaultWidth
	}
	o.Width = max(o.Width, leastWidth)
	p := &printer{o: o}
	p.line(bold, r.Verdict)
	p.paragraph(dim, "", r.Caption)
	for i := range r.Tables {
		p.table(&r.Tables[i])
	}
	p.list("", "", r.Notes)
	p.list(yellow, "warning: ", r.Warnings)
	_, err := w.Write(p.buf.Bytes())
	return err
}

type printer struct {
	o   TextOptions
	buf bytes.Buffer
}

func (p *printer) line(attribute, text string) {
	text = strings.TrimRight(text, " ")
	if p.o.Color && attribute != "" && text != "" {
		text = "\x1b[" + attribute + "m" + text + "\x1b[0m"
	}
	p.buf.WriteString(text + "\n")
}

// paragraph writes words after an empty line.
func (p *printer) paragraph(attribute, first, text string) {
	if text != "" {
		p.line("", "")
		p.wrapped(attribute, first, text)
	}
}

// wrapped writes words with a hanging indent below the first one.
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

func (p *printer) table(t *Table) {
	if len(t.Rows) == 0 {
		return
	}
	widths := t.widths()
	for begin := 1; begin < len(t.Head); {
		columns, width := []int{0}, widths[0]
		for ; begin < len(t.Head); begin++ {
			width += len(gap) + widths[begin]
			if len(columns) > 1 && width > p.o.Width {
				break
			}
			columns = append(columns, begin)
		}
		p.paragraph("", "", t.Title)
		if t.Title == "" {
			p.line("", "")
		}
		p.line(bold, t.row(t.Head, columns, widths))
		for _, row := range t.Rows {
			p.line("", t.row(row, columns, widths))
		}
	}
}

func (t *Table) widths() []int {
	widths := make([]int, len(t.Head))
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for i, text := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	return widths
}

func (t *Table) words(column int) bool { return column == 0 || slices.Contains(t.Left, column) }

func (t *Table) row(cells []string, columns, widths []int) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		room := strings.Repeat(" ", widths[c]-utf8.RuneCountInString(cells[c]))
		if t.words(c) {
			parts[i] = cells[c] + room
		} else {
			parts[i] = room + cells[c]
		}
	}
	return strings.Join(parts, gap)
}

// WriteMarkdown writes the report for a decision document or a pull request.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString("**" + Escape(r.Verdict) + "**\n")
	if r.Caption != "" {
		b.WriteString("\n" + Escape(r.Caption) + "\n")
	}
	for i := range r.Tables {
		r.Tables[i].markdown(&b)
	}
	for _, list := range []struct {
		title string
		texts []string
	}{{"Notes", r.Notes}, {"Warnings", r.Warnings}} {
		if len(list.texts) == 0 {
			continue
		}
		b.WriteString("\n" + list.title + ":\n\n")
		for _, text := range list.texts {
			b.WriteString("- " + Escape(text) + "\n")
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (t *Table) markdown(b *bytes.Buffer) {
	if len(t.Rows) == 0 {
		return
	}
	if t.Title != "" {
		b.WriteString("\n" + Escape(t.Title) + "\n")
	}
	line := func(cells []string) {
		b.WriteString("|")
		for _, text := range cells {
			b.WriteString(" " + Escape(text) + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	line(t.Head)
	b.WriteString("|")
	for c := range t.Head {
		if t.words(c) {
			b.WriteString(":--|")
		} else {
			b.WriteString("--:|")
		}
	}
	b.WriteString("\n")
	for _, row := range t.Rows {
		line(row)
	}
}

var escapes = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "|", `\|`, "<", "&lt;", ">", "&gt;", "#", `\#`, "~", `\~`, "[", `\[`, "]", `\]`,
)

// Escape keeps a text from being read as Markdown.
func Escape(text string) string { return escapes.Replace(text) }
