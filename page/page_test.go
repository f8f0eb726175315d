package page_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"forkbench/internal/calltree"
	"forkbench/page"
	"forkbench/plots"
	"forkbench/record"
	"forkbench/runner"
)

// evil closes whatever it may stand in, runs code if it can, and turns the direction
// of writing.
const evil = "</script></style></title></pre><img src=x onerror=alert(1)><script>alert(2)</script>\" onload='x' ]]> \u202e&lt;"

func stored(t *testing.T) *runner.Analysis {
	t.Helper()
	f, err := os.Open("../testdata/runs/small/records.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, err := runner.Analyze(record.Read(f))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// pageOf is a page with everything that one can have.
func pageOf(t *testing.T, a *runner.Analysis) *page.Page {
	t.Helper()
	p := &page.Page{
		Summary: &a.Summary,
		Graphs:  []page.Picture{{Title: evil, Caption: evil, Type: "image/svg+xml", Data: flameGraph(t)}},
		Files:   []page.File{{Name: evil, About: evil, Type: "text/csv", Data: []byte(evil)}},
		Missing: []string{evil},
		Data:    &page.Data{Models: []string{evil}, LifeCycle: plots.Life(a), WhatIf: &page.WhatIf{Base: evil, Profile: evil, File: evil, Notes: []string{evil}}},
	}
	for _, x := range plots.All() {
		var b bytes.Buffer
		if err := x.Draw(&b, plots.SVG, a); err != nil {
			t.Fatal(err)
		}
		p.Pictures = append(p.Pictures, page.Picture{Name: x.Name, Title: x.Title, Caption: x.CaptionOf(&a.Summary), Type: "image/svg+xml", Data: b.Bytes()})
	}
	return p
}

// flameGraph is one of a job that calls what is called as it should not be.
func flameGraph(t *testing.T) []byte {
	t.Helper()
	tree := &calltree.Node{Function: calltree.Function{Kind: calltree.Python, Name: evil}, Jobs: 1, Self: calltree.Cost{Wall: time.Millisecond}}
	var b bytes.Buffer
	if err := (&calltree.Graph{Title: evil, Tree: tree}).WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func written(t *testing.T, p *page.Page) (text []byte, root *html.Node) {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	text = b.Bytes()
	root, err := html.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return text, root
}

// elements are all of a page, in their order.
func elements(root *html.Node) (all []*html.Node) {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			all = append(all, n)
		}
	}
	return all
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func words(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// fill sets every text below v, and gives every list of texts two.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fill(v.Elem(), text)
		}
	case reflect.Struct:
		for _, f := range v.Fields() {
			if f.CanSet() {
				fill(f, text)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.String {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		}
		for i := range v.Len() {
			fill(v.Index(i), text)
		}
	case reflect.Map:
		m := reflect.MakeMap(v.Type())
		m.SetMapIndex(reflect.ValueOf(text), reflect.ValueOf(text))
		v.Set(m)
	case reflect.String:
		if v.Type() == reflect.TypeFor[string]() {
			v.SetString(text)
		}
	}
}

// What jobs, models and files are called, and say, is shown and nothing else, in the
// page and in the pictures that are in it.
func TestTextsAreNoMarkup(t *testing.T) {
	a := stored(t)
	for i := range a.Summary.Models {
		m := &a.Summary.Models[i]
		m.Causes = make([]runner.Cause, 2)
		m.Hazards = make([]record.Hazard, 2)
	}
	fill(reflect.ValueOf(a).Elem(), evil)
	text, root := written(t, pageOf(t, a))
	allowed := strings.Fields("html head meta title style body a header h1 h2 h3 h4 p nav ul li main section div table caption thead tbody tr td th b span figure img figcaption dl dt dd pre code noscript script")
	scripts := 0
	for _, n := range elements(root) {
		if !slices.Contains(allowed, n.Data) {
			t.Errorf("there is an element %s", n.Data)
		}
		if n.Data == "script" {
			scripts++
		}
		for _, at := range n.Attr {
			switch {
			case strings.HasPrefix(at.Key, "on"), at.Key == "style":
				t.Errorf("%s has the attribute %s=%q", n.Data, at.Key, at.Val)
			case at.Key == "src" && !strings.HasPrefix(at.Val, "data:image/"),
				at.Key == "href" && !strings.HasPrefix(at.Val, "#") && !strings.HasPrefix(at.Val, "data:text/csv;base64,"):
				t.Errorf("%s refers to %q", n.Data, at.Val)
			}
		}
	}
	if scripts != 3 { // the data, the simulator, and the one that runs
		t.Errorf("%d scripts", scripts)
	}
	if strings.Contains(string(text), "\u202e") {
		t.Error("a text turns the direction of writing")
	}
	seen := strings.Count(words(root), "<img src=x onerror=alert(1)><script>alert(2)</script>")
	if least := 60; seen < least {
		t.Errorf("the text is shown %d times, want %d at least: is it looked for where it is?", seen, least)
	}
	for _, n := range elements(root) {
		if n.Data == "img" {
			onlyDrawings(t, attribute(n, "src"))
		}
	}
}

// onlyDrawings wants nothing in a picture but what is drawn, and the script of a flame
// graph, the same in each, which no browser runs in an image.
func onlyDrawings(t *testing.T, source string) {
	t.Helper()
	encoded, found := strings.CutPrefix(source, "data:image/svg+xml;base64,")
	data, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil {
		t.Fatalf("a picture cannot be read (%v): %.60s", err, source)
	}
	zoom := contents(t, "../internal/calltree/zoom.js")
	d := xml.NewDecoder(bytes.NewReader(data))
	allowed := strings.Fields("svg title desc g path text tspan rect line polyline circle style")
	for {
		token, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if e.Name.Local == "script" {
			var own string
			if err := d.DecodeElement(&own, &e); err != nil || own != "\n"+zoom {
				t.Errorf("in a picture is a script that is not a flame graph's (%v): %.200s", err, own)
			}
			continue
		}
		if !slices.Contains(allowed, e.Name.Local) {
			t.Errorf("in a picture is an element %s", e.Name.Local)
		}
		for _, at := range e.Attr {
			if strings.HasPrefix(at.Name.Local, "on") || at.Name.Local == "href" {
				t.Errorf("in a picture, %s has the attribute %s=%q", e.Name.Local, at.Name.Local, at.Value)
			}
		}
	}
}

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// No request leaves the file, and no script runs but the page's own: a browser is told
// so, and there is nothing to ask for.
func TestPolicy(t *testing.T) {
	whole, still := pageOf(t, stored(t)), pageOf(t, stored(t))
	still.Data = nil
	plain := pageOf(t, stored(t))
	plain.Data.WhatIf = nil
	script := source(contents(t, "assets/page.js"))
	for _, c := range []struct {
		name    string
		page    *page.Page
		scripts string // what the policy says of them
		count   int    // of elements
	}{
		{"without scripts", still, "", 0},
		{"without a simulator", plain, "script-src " + script + "; ", 2},
		{"whole", whole, "worker-src blob:; script-src " + script + " 'wasm-unsafe-eval'; ", 3},
	} {
		_, root := written(t, c.page)
		policy, sheets, scripts := "", 0, 0
		for _, n := range elements(root) {
			switch {
			case n.Data == "meta" && attribute(n, "http-equiv") == "Content-Security-Policy":
				policy = attribute(n, "content")
			case n.Data == "script":
				scripts++
				if kind := attribute(n, "type"); kind == "" && source(words(n)) != script {
					t.Errorf("%s: another script than the page's runs", c.name)
				} else if kind != "" && kind != "application/json" && kind != "text/plain" {
					t.Errorf("%s: a script of the type %q", c.name, kind)
				}
			case n.Data == "style":
				sheets++
				text := words(n)
				want := "default-src 'none'; style-src " + source(text) + "; img-src data:; " + c.scripts + "base-uri 'none'; form-action 'none'"
				if policy != want {
					t.Errorf("%s: the policy is %q, and should be %q", c.name, policy, want)
				}
				if strings.Contains(text, "url(") || strings.Contains(text, "@import") || strings.Contains(text, "@font-face") {
					t.Error("the style loads something")
				}
			}
		}
		if sheets != 1 || scripts != c.count {
			t.Errorf("%s: %d styles and %d scripts, want 1 and %d", c.name, sheets, scripts, c.count)
		}
	}
}

// source is what a policy calls a text.
func source(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// What a screen reader and the keyboard need.
func TestStructure(t *testing.T) {
	_, root := written(t, pageOf(t, stored(t)))
	ids := make(map[string]bool)
	var all = elements(root)
	for _, n := range all {
		if id := attribute(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("two elements have the id %s", id)
			}
			ids[id] = true
		}
	}
	level, tops := 0, 0
	for _, n := range all {
		for _, key := range []string{"aria-labelledby", "aria-describedby"} {
			if id := attribute(n, key); id != "" && !ids[id] {
				t.Errorf("%s=%s is nowhere", key, id)
			}
		}
		switch n.Data {
		case "html":
			if attribute(n, "lang") != "en" {
				t.Error("the page has no language")
			}
		case "h1", "h2", "h3", "h4":
			next := int(n.Data[1] - '0')
			if next > level+1 {
				t.Errorf("after a heading of level %d comes %q, of level %d", level, words(n), next)
			}
			if level = next; level == 1 {
				tops++
			}
		case "a":
			if id, found := strings.CutPrefix(attribute(n, "href"), "#"); found && !ids[id] {
				t.Errorf("a link leads to #%s, which is nowhere", id)
			}
		case "img":
			if attribute(n, "alt") == "" {
				t.Error("a picture has no text in its place")
			}
		case "th":
			if attribute(n, "scope") == "" {
				t.Errorf("it is not said what %q is the head of", words(n))
			}
		case "table":
			if first := n.FirstChild.NextSibling; first == nil || first.Data != "caption" {
				t.Error("a table has no caption")
			}
		}
	}
	if tops != 1 {
		t.Errorf("%d headings of the first level", tops)
	}
}

// Text can be read on its ground, in light and dark: WCAG asks for 4.5 to 1.
func TestContrast(t *testing.T) {
	_, root := written(t, pageOf(t, stored(t)))
	style := ""
	for _, n := range elements(root) {
		if n.Data == "style" {
			style = words(n)
		}
	}
	schemes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(style, -1)
	if len(schemes) != 3 { // light, dark, print
		t.Fatalf("%d sets of colours", len(schemes))
	}
	for _, scheme := range schemes {
		light := make(map[string]float64)
		for _, m := range regexp.MustCompile(`--(\w+): #(\w{6});`).FindAllStringSubmatch(scheme[1], -1) {
			light[m[1]] = luminance(t, m[2])
		}
		for _, ink := range []string{"ink", "quiet", "link"} {
			for _, ground := range []string{"ground", "raised"} {
				a, b := light[ink], light[ground]
				if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 4.5 {
					t.Errorf("%s on %s has a contrast of %.1f in\n%s", ink, ground, ratio, scheme[1])
				}
			}
		}
	}
}

// luminance is WCAG's relative luminance of a colour.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i, weight := range []float64{0.0722, 0.7152, 0.2126} {
		c := float64(n>>(8*i)&0xff) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

// However much there is, the file stays small enough to mail, and says what it lacks.
func TestSize(t *testing.T) {
	p := pageOf(t, stored(t))
	if text, _ := written(t, p); len(text) > page.Most*3/4 {
		t.Errorf("a small run's page has %d bytes", len(text))
	}
	p.Pictures = nil
	for i := range 20 {
		p.Pictures = append(p.Pictures, page.Picture{Title: fmt.Sprintf("large %d", i), Type: "image/png", Data: make([]byte, page.MostPicture)})
	}
	text, root := written(t, p)
	if len(text) > page.Most {
		t.Errorf("the page has %d bytes, and may have %d", len(text), page.Most)
	}
	if said := words(root); !strings.Contains(said, "The picture “large 19” is not in this file") {
		t.Error("it is not said that a picture is missing")
	}
}

// A comparison of which nothing is known is a page, too.
func TestNothing(t *testing.T) {
	_, root := written(t, &page.Page{Summary: &runner.Summary{Verdict: "Nothing was measured."}})
	if text := words(root); !strings.Contains(text, "Nothing was measured.") {
		t.Errorf("the page says %q", text)
	}
}
