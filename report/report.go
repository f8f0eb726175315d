// Package report writes an answer for people: a verdict in one line, tables, and
// what has to be known besides, as text for a terminal or as Markdown.
package report

import (
	"bytes"
	"fmt"
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

// WriteText writes the report as text. The verdict is the first line, however
// long: whoever wants it takes that line. Columns of a table that do not fit beside each
// other continue below, and each part says which columns it has.
func (r *Report) WriteText(w io.Writer, o TextOptions) error {
	p := NewPage(o)
	p.Line(Bold, r.Verdict)
	p.Paragraph(Dim, r.Caption)
	for i := range r.Tables {
		p.table(&r.Tables[i])
	}
	p.List("", "", r.Notes)
	p.List(Yellow, "warning: ", r.Warnings)
	_, err := p.WriteTo(w)
	return err
}

func (p *Page) table(t *Table) {
	if len(t.Rows) == 0 {
		return
	}
	widths := t.widths()
	for begin := 1; begin < len(t.Head); {
		first, columns, width := begin, []int{0}, widths[0]
		for ; begin < len(t.Head); begin++ {
			width += len(Gap) + widths[begin]
			if len(columns) > 1 && width > p.width {
				break
			}
			columns = append(columns, begin)
		}
		title := t.Title
		if all := len(t.Head) - 1; begin-first < all {
			title = strings.TrimSuffix(title, ":")
			if title != "" {
				title += ", "
			}
			title += Part("columns", first, begin-1, all) + ":"
		}
		p.Paragraph("", title)
		if title == "" {
			p.Line("", "")
		}
		p.Line(Bold, t.row(t.Head, columns, widths))
		for _, row := range t.Rows {
			p.Line("", t.row(row, columns, widths))
		}
	}
}

// Part says which part of something a table shows: "models 4 and 5 of 5".
func Part(what string, from, to, all int) string {
	switch to - from {
	case 0:
		return fmt.Sprintf("%s %d of %d", strings.TrimSuffix(what, "s"), from, all)
	case 1:
		return fmt.Sprintf("%s %d and %d of %d", what, from, to, all)
	}
	return fmt.Sprintf("%s %d to %d of %d", what, from, to, all)
}

func (t *Table) widths() []int {
	widths := make([]int, len(t.Head))
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for i, text := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(Visible(text)))
		}
	}
	return widths
}

func (t *Table) words(column int) bool { return column == 0 || slices.Contains(t.Left, column) }

func (t *Table) row(cells []string, columns, widths []int) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		text := Visible(cells[c])
		room := strings.Repeat(" ", widths[c]-utf8.RuneCountInString(text))
		if t.words(c) {
			parts[i] = text + room
		} else {
			parts[i] = room + text
		}
	}
	return strings.Join(parts, Gap)
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

// Escape keeps a text from being read as Markdown, and makes it [Visible].
func Escape(text string) string { return escapes.Replace(Visible(text)) }
