// Package page writes a comparison as one HTML file that needs nothing else: it can
// be mailed, opened from a disk without a network, read on a phone and printed.
//
// It can be read without scripts. One script, which is in it, adds what pictures cannot
// do: life cycles to zoom, distributions to read, and the simulator, compiled to
// WebAssembly, with the profile of the run (data.go). A Content-Security-Policy in the
// file allows that script, its style and images in data: URLs, and nothing else; in
// images a browser runs no script and loads nothing, in a flame graph neither. All texts
// go through html/template, or are set as texts: what a job is called, or says when it
// fails, is shown and never read as markup.
//
// A page is a pure function of what it is made of: the same gives the same bytes.
package page

import (
	"bytes"
	_ "embed"
	"html/template"
	"io"

	"forkbench/runner"
)

// What a page may hold, in bytes.
const (
	// Most is of the whole file: what would make it larger is left out, and that
	// is said in it.
	Most = 4 << 20
	// MostPicture is of a picture of the comparison, before it is encoded.
	MostPicture = 256 << 10
	// MostRecords is of the raw records, which are there for small runs only.
	MostRecords = 256 << 10

	mostWords = 512 << 10 // kept free for all that is not in a data: URL
)

// A Page is what is shown of a comparison.
type Page struct {
	Summary  *runner.Summary
	Pictures []Picture // in reading order
	Graphs   []Picture // flame graphs
	Files    []File    // to download, those that matter most first
	Missing  []string  // what is not in it, a sentence each

	Data     *Data  // what its scripts show; nil for a page without
	NoWhatIf string // why the simulator cannot be asked, a sentence; empty if it can
}

// A Picture is an image with its words.
type Picture struct {
	Name    string // of the plot; empty for what is none
	Title   string
	Caption string
	Type    string // image/svg+xml or image/png
	Data    []byte
}

// A File is raw data to download.
type File struct {
	Name  string
	About string
	Type  string // text/csv, say
	Data  []byte
}

//go:embed page.html
var layout string

//go:embed page.css
var style string

var pageTemplate = template.Must(template.New("page").Parse(layout))

// Write writes the page. Its errors are w's.
func (p *Page) Write(w io.Writer) error {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p.view()); err != nil {
		return err
	}
	_, err := b.WriteTo(w)
	return err
}
