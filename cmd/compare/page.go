package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"forkbench/page"
	"forkbench/plots"
	"forkbench/runner"
	"forkbench/sim"
)

// pageName is the comparison as one file to mail.
const pageName = "report.html"

// profileName is what a profile that was made of a run is called, in its page and in the
// commands that the page shows.
const profileName = "profile.json"

// mostGraph is the largest flame graph that is read, in bytes.
const mostGraph = 1 << 20

// writePage writes the page of a comparison whose other results are in dir. It is
// made of these, and can be made again: that it could not be written is said, and
// ends nothing.
func (p *program) writePage(ctx context.Context, dir string, a *runner.Analysis, graphs bool) (written bool) {
	content, err := pageOf(ctx, dir, a, drawnIn(dir), graphs)
	if err == nil {
		err = replaceFile(filepath.Join(dir, pageName), content.Write)
	}
	if err != nil {
		_, _ = fmt.Fprintf(p.stderr, "compare: %s is not there: %v: `compare report %s --format=html` makes it again\n", pageName, err, dir) // it is only said
	}
	return err == nil
}

// A drawing gives a plot in a format, as the bytes of its file.
type drawing func(plots.Plot, plots.Format) ([]byte, error)

// drawnIn takes plots that have been drawn into a directory.
func drawnIn(dir string) drawing {
	return func(x plots.Plot, f plots.Format) ([]byte, error) {
		return os.ReadFile(filepath.Join(dir, x.Name+"."+string(f)))
	}
}

// drawnFrom draws plots.
func drawnFrom(a *runner.Analysis) drawing {
	return func(x plots.Plot, f plots.Format) ([]byte, error) {
		var b bytes.Buffer
		err := x.Draw(&b, f, a)
		return b.Bytes(), err
	}
}

// pageOf is the page of a comparison, with the records in dir if they are few, and with
// its flame graphs if they are asked for.
func pageOf(ctx context.Context, dir string, a *runner.Analysis, draw drawing, graphs bool) (*page.Page, error) {
	s := &a.Summary
	content := &page.Page{Summary: s}
	var profile *sim.Profile
	content.Data, profile, content.NoWhatIf = interactive(ctx, dir, a)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, x := range plots.All() {
		pic, err := picture(x, s, draw)
		if err != nil {
			content.Missing = append(content.Missing, fmt.Sprintf("The picture “%s” is not here: it was not drawn.", x.Title))
			continue
		}
		content.Pictures = append(content.Pictures, pic)
	}
	if graphs {
		content.Graphs = flameGraphs(dir)
	}
	for _, f := range []struct {
		page.File
		write func(io.Writer, *runner.Summary) error
	}{
		{page.File{Name: summaryName, About: "the numbers of this page", Type: "application/json"}, runner.WriteJSON},
		{page.File{Name: "summary.csv", About: "a line for each model", Type: "text/csv"}, runner.WriteCSV},
	} {
		var b bytes.Buffer
		if err := f.write(&b, s); err != nil {
			return nil, err
		}
		f.Data = b.Bytes()
		content.Files = append(content.Files, f.File)
	}
	if profile != nil {
		var b bytes.Buffer
		if err := profile.Write(&b); err != nil {
			return nil, err
		}
		content.Files = append(content.Files, page.File{Name: profileName, About: "what the simulator of this page goes by: for --profile", Type: "application/json", Data: b.Bytes()})
	}
	records := page.File{Name: recordsName, About: "what happened: a line for each job, process, memory sample and round", Type: "application/jsonl"}
	var err error
	if records.Data, err = readSmall(filepath.Join(dir, recordsName), page.MostRecords); err == nil {
		content.Files = append(content.Files, records)
	} else {
		content.Missing = append(content.Missing, fmt.Sprintf("The raw records are not in this file (%v): they are in the results’ directory, %s.", err, recordsName))
	}
	return content, nil
}

// picture is a plot as the page has it: SVG, or PNG where that would be large.
func picture(x plots.Plot, s *runner.Summary, draw drawing) (page.Picture, error) {
	pic := page.Picture{Name: x.Name, Title: x.Title, Caption: x.CaptionOf(s), Type: "image/svg+xml"}
	var err error
	if pic.Data, err = draw(x, plots.SVG); err == nil && len(pic.Data) > page.MostPicture {
		pic.Type = "image/png"
		pic.Data, err = draw(x, plots.PNG)
	}
	return pic, err
}

// flameGraphs are those of an explanation in dir, or in the directory that --explain
// makes below it.
func flameGraphs(dir string) []page.Picture {
	var all []page.Picture
	for _, where := range []string{dir, filepath.Join(dir, explainDir)} {
		for _, name := range flameNames() {
			path := filepath.Join(where, name)
			text, err := readSmall(path, mostGraph)
			if err != nil {
				continue // there is none, or one that is too large to mail
			}
			all = append(all, page.Picture{
				Title: svgTitle(text, name), Type: "image/svg+xml", Data: text,
				Caption: fmt.Sprintf("Each call is as wide as it takes time. In the results’ directory, %s can be zoomed by a click, and says what each call takes.", strings.TrimPrefix(path, filepath.Clean(dir)+"/")),
			})
		}
	}
	return all
}

// svgTitle is the title of a picture; or else is, where it has none.
func svgTitle(svg []byte, otherwise string) string {
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if err != nil {
			return otherwise
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "title" {
			var text string
			if d.DecodeElement(&text, &e) != nil || text == "" {
				return otherwise
			}
			return text
		}
	}
}

// readSmall reads a file of at most so many bytes.
func readSmall(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, pathCause(err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file", filepath.Base(path))
	case info.Size() > most:
		return nil, fmt.Errorf("%.3g MB are too many", float64(info.Size())/1e6)
	}
	return os.ReadFile(path)
}

// resultsOf lists what a comparison may have written, and the flame graphs of a former
// explanation, which its page would show. All else in that directory stays: files to
// paste may have been edited, and a link may lead to what is not ours.
func resultsOf(out string) []string {
	all := resultNames()
	if info, err := os.Lstat(filepath.Join(out, explainDir)); err == nil && info.IsDir() {
		for _, name := range flameNames() {
			all = append(all, filepath.Join(explainDir, name))
		}
	}
	return all
}
