package plots

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
)

// svgFonts are the fonts that text falls back on where Liberation Sans is not
// installed. All but the last have its widths.
const svgFonts = "'Liberation Sans',Arimo,Arial,'Nimbus Sans',Helvetica,sans-serif"

// svgText is a text as vgsvg writes it: what is before its style, its weight,
// its size, the rest of its tag, and what it says.
var svgText = regexp.MustCompile(`(<text [^>]*?)style="font-family:Liberation Sans;` +
	`([^"]*font-weight:(\w+);[^"]*font-size:([0-9.]+)px[^"]*)">([^<]*)</text>`)

// finishSVG makes a picture of vgsvg's stand on its own: its text falls back on
// other fonts and keeps its width in them, and it has a title and a description
// for those who cannot see it.
func finishSVG(svg []byte, title, caption string) []byte {
	svg = svgText.ReplaceAllFunc(svg, func(b []byte) []byte {
		m := svgText.FindSubmatch(b)
		size, err := strconv.ParseFloat(string(m[4]), 64)
		if err != nil {
			return b
		}
		t := textStyle{size: vg.Length(size), bold: string(m[3]) == "bold"}
		width := t.width(html.UnescapeString(string(m[5])))
		return fmt.Appendf(nil, `%stextLength="%.5g" lengthAdjust="spacingAndGlyphs" style="font-family:%s;%s">%s</text>`,
			m[1], width.Points(), svgFonts, m[2], m[5])
	})
	head, tail, found := bytes.Cut(svg, []byte("xlink\">\n"))
	if !found {
		return svg
	}
	esc := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	return fmt.Appendf(nil, "%sxlink\"\n\trole=\"img\">\n<title>%s</title>\n<desc>%s</desc>\n%s",
		head, esc.Replace(title), esc.Replace(caption), tail)
}
