// Package page writes a comparison as one HTML file that needs nothing else: it can
// be mailed, opened from a disk without a network, read on a phone and printed.
//
// It has no script. Pictures are images in data: URLs, in which a browser loads nothing
// and runs nothing, a flame graph's own script included, and a Content-Security-Policy in the file allows
// nothing but these and its own style. All texts go through html/template: what a
// job is called, or says when it fails, is shown and never read as markup.
//
// A page is a pure function of what it is made of: the same gives the same bytes.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
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
}

// A Picture is an image with its words.
type Picture struct {
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

// policy is the Content-Security-Policy: nothing but images in data: URLs and the
// style whose digest it names.
func policy() string {
	digest := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) +
		"'; img-src data:; base-uri 'none'; form-action 'none'"
}
