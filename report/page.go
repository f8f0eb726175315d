package report

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
)

// Gap is between two columns of a table.
const Gap = "   "

// An Attribute is how text stands out on a terminal (ECMA-48 SGR); none is "".
type Attribute string

// The attributes in use.
const (
	Bold   Attribute = "1"
	Dim    Attribute = "2"
	Red    Attribute = "31"
	Yellow Attribute = "33"
)

// A Page is text in the making. It is for one goroutine.
type Page struct {
	width int
	color bool
	buf   bytes.Buffer
}

var _ io.WriterTo = (*Page)(nil)

// NewPage returns an empty page.
func NewPage(o TextOptions) *Page {
	if o.Width == 0 {
		o.Width = defaultWidth
	}
	return &Page{width: max(o.Width, leastWidth), color: o.Color}
}

// Width is how many columns there are.
func (p *Page) Width() int { return p.width }

// Line adds a line, however long. It has the attribute if there is one and colour
// is wanted.
func (p *Page) Line(a Attribute, text string) {
	text = Visible(strings.TrimRight(text, " "))
	if p.color && a != "" && text != "" {
		text = "\x1b[" + string(a) + "m" + text + "\x1b[0m"
	}
	p.buf.WriteString(text + "\n")
}

// Paragraph adds an empty line and then the words of a text, if it has any.
func (p *Page) Paragraph(a Attribute, text string) {
	if text != "" {
		p.Line("", "")
		p.wrapped(a, "", text)
	}
}

// List adds an empty line and then the texts, if there are any, each from a new
// line on that begins with first.
func (p *Page) List(a Attribute, first string, texts []string) {
	if len(texts) > 0 {
		p.Line("", "")
	}
	for _, text := range texts {
		p.wrapped(a, first, text)
	}
}

// wrapped adds words with a hanging indent below the first one.
func (p *Page) wrapped(a Attribute, first, text string) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(first))
	line := first
	for i, word := range strings.Fields(text) {
		word = Visible(word)
		switch {
		case i == 0:
			line += word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > p.width:
			p.Line(a, line)
			line = indent + word
		default:
			line += " " + word
		}
	}
	p.Line(a, line)
}

// WriteTo writes the page.
func (p *Page) WriteTo(w io.Writer) (int64, error) { return p.buf.WriteTo(w) }
