package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Joiners that scripts need (Unicode 16, section 23.2); they move nothing.
const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

// hidden reports whether a character would act on the text around it in place of
// being seen: a control, or a format character such as those that turn the
// direction of writing (Unicode's categories Cc and Cf).
func hidden(r rune) bool {
	switch r {
	case '\n', '\t', zeroWidthNonJoiner, zeroWidthJoiner:
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf)
}

// Visible is a text from outside with its hidden characters spelt, as in \u202e:
// it can neither move a terminal's cursor nor show other words than it has. Lines,
// tabs and the joiners within words stay. It is what all texts of a report go through.
func Visible(text string) string {
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case !hidden(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// WriteJSON writes a value as JSON: indented, its fields in a fixed order. Strings
// have their hidden characters escaped, and read as they were.
func WriteJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	text := b.Bytes()
	if bytes.ContainsFunc(text, hidden) { // they are in strings only
		var escaped bytes.Buffer
		for _, r := range string(text) {
			switch {
			case !hidden(r):
				escaped.WriteRune(r)
			case r > 0xffff:
				high, low := utf16.EncodeRune(r)
				fmt.Fprintf(&escaped, `\u%04x\u%04x`, high, low)
			default:
				fmt.Fprintf(&escaped, `\u%04x`, r)
			}
		}
		text = escaped.Bytes()
	}
	_, err := w.Write(text)
	return err
}
