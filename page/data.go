package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Data is what the page's scripts show, beside what can be read without them. Texts in
// it are report.Visible, but for those that name something to the simulator.
type Data struct {
	Models    []string `json:"models"`    // as they are shown, in the comparison's order
	Simulated bool     `json:"simulated"` // the run was

	LifeCycle any       `json:"life_cycle,omitempty"` // plots.LifeCycle
	Latency   []Latency `json:"latency,omitempty"`
	WhatIf    *WhatIf   `json:"what_if,omitempty"` // nil where nothing can be asked: see Page.NoWhatIf
}

// A Latency is the distribution of one model's latencies.
type Latency struct {
	Model  int          `json:"model"`
	Points [][2]float64 `json:"points"` // ms, and the share of jobs that took at most so long
}

// A WhatIf is what the simulator in the page is asked about.
type WhatIf struct {
	Base     any        `json:"base"`   // query.Base
	Models   []int      `json:"models"` // the place in the comparison of each of the base's models
	JobMS    float64    `json:"job_ms"` // mean CPU time of a job in the profile
	Profile  string     `json:"profile"`
	File     string     `json:"file"` // what the profile is called, for a command
	Notes    []string   `json:"notes,omitempty"`
	Measured []Measured `json:"measured,omitempty"` // none of a simulated run
}

// Measured is what was measured of a model, by the names of package sweep's metrics.
type Measured struct {
	Model  int                `json:"model"`
	Values map[string]float64 `json:"values"`
}

// The scripts, their style, and the simulator for them: `make web` makes them of web/
// and cmd/whatif.
var (
	//go:embed assets/page.js
	script string

	//go:embed assets/page.css
	scriptStyle string

	//go:embed assets/whatif.wasm.gz
	simulator []byte
)

// allStyle is the page's style, and that of what scripts draw.
func allStyle() string { return style + scriptStyle }

// scripted is what the scripts need in a page.
type scripted struct {
	Data      template.JS   // JSON, in which no letter means anything in HTML
	Simulator template.HTML // base64; empty where nothing can be asked
	Script    template.JS
}

// scripts are those of the page, with as much of its data as there is room for; nil
// where there is nothing for them to show. The pictures are there in any case.
func (p *Page) scripts(left *budget) (s *scripted, missing string) {
	d := p.Data
	if d == nil {
		return nil, ""
	}
	text := func() []byte {
		t, err := json.Marshal(d)
		if err != nil {
			return nil // it holds what is not a number: no script shows that
		}
		return spelt(t)
	}
	data := text()
	need := len(data) + len(script)
	if d.WhatIf != nil && !left.has(need+base64.StdEncoding.EncodedLen(len(simulator))) {
		without := *d
		without.WhatIf = nil
		d, missing = &without, "The simulator is not in this file, to keep it small."
		data = text()
		need = len(data) + len(script)
	}
	if data == nil || !left.has(need) {
		return nil, "What can be zoomed is not in this file, to keep it small: its pictures are."
	}
	*left -= budget(need)
	s = &scripted{Data: template.JS(data), Script: template.JS(script)}
	if d.WhatIf != nil {
		encoded := base64.StdEncoding.EncodeToString(simulator)
		*left -= budget(len(encoded))
		s.Simulator = template.HTML(encoded)
	}
	return s, missing
}

// spelt is JSON with all but ASCII spelt, as in \u202e: whoever reads the file sees what
// there is.
func spelt(text []byte) []byte {
	if !bytes.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if r <= unicode.MaxASCII {
			b.WriteByte(byte(r))
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.Bytes()
}

// has reports whether so many bytes are left.
func (b *budget) has(n int) bool { return n <= int(*b) }

// policy is the Content-Security-Policy: nothing but images in data: URLs, the style
// whose digest it names, and, where there is one, the script whose digest it names. The
// simulator runs in a worker, which is made of that script (so a blob:), and is compiled
// by it, which is what 'wasm-unsafe-eval' allows: eval stays forbidden.
func policy(s *scripted) string {
	parts := []string{"default-src 'none'", "style-src " + digest(allStyle()), "img-src data:"}
	if s != nil {
		source := "script-src " + digest(string(s.Script))
		if s.Simulator != "" {
			source += " 'wasm-unsafe-eval'"
			parts = append(parts, "worker-src blob:")
		}
		parts = append(parts, source)
	}
	return strings.Join(append(parts, "base-uri 'none'", "form-action 'none'"), "; ")
}

// digest is a source that is known by its SHA-256.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
