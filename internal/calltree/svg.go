package calltree

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"hash/fnv"
	"html"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The layout, in pixels.
const (
	width     = 1200
	margin    = 10
	rowHeight = 17
	header    = 74
	footer    = 34
	charWidth = 6.6 // of the font below, about
	least     = 0.3 // frames narrower than this are left out
	readable  = 6   // characters of a name that is cut, its "…" included

	maxDepth = 300 // deeper frames are left out, and that is said
)

//go:embed zoom.js
var script string

// A Graph is a flame graph to be drawn.
type Graph struct {
	Title string
	About string // under the title
	Tree  *Node

	// Base is the tree to compare to, for a differential graph: frames are as wide
	// as in Tree, red where they take longer than in Base and blue where they take
	// less. Nil for a plain graph.
	Base *Node
}

// A frame is a call in its place in the picture.
type frame struct {
	node  *Node
	base  *Node
	depth int
	x     time.Duration // from the left
	total Cost
}

// WriteSVG draws the graph: the job at the bottom, what it calls on top of it, and
// each call as wide as it takes time by the clock. In a browser, a click zooms.
func (g *Graph) WriteSVG(w io.Writer) error {
	var frames []frame
	deepest, cut := 0, 0
	all := g.Tree.Total()
	scale := 0.0
	if all.Wall > 0 {
		scale = (width - 2*margin) / float64(all.Wall)
	}
	var place func(n, base *Node, depth int, x time.Duration)
	place = func(n, base *Node, depth int, x time.Duration) {
		total := n.Total()
		if float64(total.Wall)*scale < least {
			return
		}
		if depth > maxDepth {
			cut++
			return
		}
		deepest = max(deepest, depth)
		frames = append(frames, frame{n, base, depth, x, total})
		children := slices.Clone(n.Children)
		slices.SortStableFunc(children, func(a, b *Node) int { return cmp.Compare(a.Function.String(), b.Function.String()) })
		for _, c := range children {
			place(c, base.Child(c.Function), depth+1, x)
			x += c.Total().Wall
		}
	}
	place(g.Tree, g.Base, 0, 0)

	b := new(bytes.Buffer)
	height := header + (deepest+1)*rowHeight + footer
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11">
<title>%[3]s</title>
<rect width="100%%" height="100%%" fill="#fff"/>
<text x="%[4]d" y="24" font-size="16" font-weight="bold">%[3]s</text>
<text x="%[4]d" y="44">%[5]s</text>
`, width, height, escape(g.Title), margin, escape(g.About))
	g.legend(b, all)
	fmt.Fprintf(b, `<text id="details" x="%d" y="%d"> </text>`+"\n", margin, height-12)
	if cut > 0 {
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">frames above the lowest %d are not drawn: %d places</text>`+"\n", width-margin, height-12, maxDepth+1, cut)
	}
	fmt.Fprintln(b, `<g id="frames">`)
	for _, f := range frames {
		g.frame(b, &f, scale, all, height)
	}
	fmt.Fprintln(b, `</g>`)
	fmt.Fprintf(b, "<script><![CDATA[\n%s]]></script>\n</svg>\n", script)
	_, err := b.WriteTo(w)
	return err
}

func (g *Graph) frame(b *bytes.Buffer, f *frame, scale float64, all Cost, height int) {
	x, wide := margin+float64(f.x)*scale, float64(f.total.Wall)*scale
	y := height - footer - (f.depth+1)*rowHeight
	name := f.node.Function.String()
	tip := fmt.Sprintf("%s: %s (%.1f %%), CPU %s", name, span(f.total.Wall), 100*float64(f.total.Wall)/float64(all.Wall), span(f.total.CPU))
	if calls := f.node.Calls; calls > 0 {
		tip += fmt.Sprintf(", %s", times(calls))
	}
	if f.node.File != "" {
		tip += fmt.Sprintf(", %s:%d", f.node.File, f.node.Line)
	}
	fill := color(f.node)
	if g.Base != nil {
		before := Cost{}
		if f.base != nil {
			before = f.base.Total()
		}
		change := f.total.Wall - before.Wall
		fill = change2color(float64(change)/float64(max(f.total.Wall, before.Wall, 1)), float64(change.Abs())*scale >= 1)
		tip += fmt.Sprintf("; before %s", span(before.Wall))
	}
	fmt.Fprintf(b, `<g data-x="%.2f" data-w="%.2f" data-d="%d"><title>%s</title><rect x="%.2f" y="%d" width="%.2f" height="%d" fill="%s" rx="1"/>`,
		x, wide, f.depth, escape(tip), x, y, max(wide-0.4, 0.2), rowHeight-1, fill)
	if text := fit(name, wide); text != "" {
		fmt.Fprintf(b, `<text x="%.2f" y="%d" data-name="%s">%s</text>`, x+3, y+12, escape(name), escape(text))
	} else {
		fmt.Fprintf(b, `<text x="%.2f" y="%d" data-name="%s"></text>`, x+3, y+12, escape(name))
	}
	fmt.Fprintln(b, `</g>`)
}

// legend says what colours and widths are.
func (g *Graph) legend(b *bytes.Buffer, all Cost) {
	type entry struct{ fill, text string }
	list := []entry{
		{pythonColor, "Python"}, {cColor, "C"}, {importColor, "import"},
	}
	if g.Base != nil {
		list = []entry{{change2color(1, true), "more than in the other, or only here"}, {change2color(0, false), "the same"}, {change2color(-1, true), "less"}}
	}
	x := margin
	for _, e := range list {
		fmt.Fprintf(b, `<rect x="%d" y="54" width="12" height="12" fill="%s"/><text x="%d" y="64">%s</text>`+"\n", x, e.fill, x+17, escape(e.text))
		x += 17 + int(charWidth*float64(len(e.text))) + 22
	}
	fmt.Fprintf(b, `<text x="%d" y="64" fill="#555">width: time by the clock, of %s in all for each job; click to zoom, click the bottom to return</text>`+"\n", x, span(all.Wall))
}

const (
	pythonColor = "#e8924a"
	cColor      = "#e3c34f"
	importColor = "#7fae6b"
)

// color is by the kind of function, in a shade of its own for each name: frames
// beside each other can be told apart, in every graph in the same way.
func color(n *Node) string {
	h := fnv.New32a()
	_, _ = io.WriteString(h, n.Name) // it never fails
	shade := int(h.Sum32()%31) - 15
	var r, g, b int
	switch n.Kind {
	case C:
		r, g, b = 0xe3, 0xc3, 0x4f
	case Import:
		r, g, b = 0x7f, 0xae, 0x6b
	default:
		r, g, b = 0xe8, 0x92, 0x4a
	}
	return fmt.Sprintf("#%02x%02x%02x", clamp(r+shade/2), clamp(g+shade), clamp(b+shade))
}

// change2color is white for no change, and red or blue for one: the share of the
// larger of both times.
func change2color(share float64, visible bool) string {
	if !visible {
		share = 0
	}
	pale := 0xea - int(0x8a*max(share, -share))
	if share >= 0 {
		return fmt.Sprintf("#ea%02x%02x", pale, pale)
	}
	return fmt.Sprintf("#%02x%02xea", pale, pale)
}

func clamp(x int) int { return min(255, max(0, x)) }

// fit is what of a name a frame has room for that can be read: as many of its last
// components as fit; else the beginning of the last one; else nothing. The script
// that zooms does the same.
func fit(name string, wide float64) string {
	room := int((wide - 6) / charWidth)
	if utf8.RuneCountInString(name) <= room {
		return name
	}
	last := strings.TrimPrefix(name, "import ")
	for {
		_, after, more := strings.Cut(last, ".")
		if !more || after == "" {
			break
		}
		if last = after; utf8.RuneCountInString(last) < room {
			return "…" + last
		}
	}
	switch runes := []rune(last); {
	case len(runes) <= room:
		return last
	case room >= readable:
		return string(runes[:room-1]) + "…"
	}
	return ""
}

// span writes a time with a digit behind the point more than tables have: frames are
// told apart by it.
func span(d time.Duration) string {
	switch {
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.1f µs", float64(d)/1e3)
}

func times(calls float64) string {
	if calls == 1 {
		return "once"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", calls), ".0") + " times"
}

// escape makes a text fit for XML, control characters included.
func escape(text string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xFFFE || r == 0xFFFF {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD")))
}
