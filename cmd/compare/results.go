package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"forkbench/plots"
	"forkbench/runner"
)

// The files of a results directory, besides the plots.
const (
	recordsName = "records.jsonl"
	summaryName = "summary.json"
	reportName  = "report.md"
)

// resultsRoot is where results go that nobody named a directory for.
const resultsRoot = "results"

// makeResults makes the directory for a comparison's results.
func makeResults(o *options, workload string, now time.Time) (string, error) {
	return resultsDir(o, settings(o, workload, now), resultsOf(o.out))
}

// resultsDir makes a directory with the given name for results, or takes the
// empty one that --out names. With --force, what was left there under the given
// names is removed: the files that this program writes, and no others.
func resultsDir(o *options, name string, files []string) (string, error) {
	if o.out == "" {
		return newBelow(resultsRoot, name)
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return "", exitWith(exitUsage, fmt.Errorf("--out=%s: %w: name a directory that you may write to", o.out, pathCause(err)))
	}
	if o.force {
		for _, file := range files {
			if err := os.Remove(filepath.Join(o.out, file)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return "", fmt.Errorf("--force: remove the former results: %w", err)
			}
		}
	}
	return o.out, nil
}

// resultNames lists all files that a comparison writes.
func resultNames() []string {
	names := []string{recordsName, summaryName, reportName, pageName}
	for _, p := range plots.All() {
		for _, f := range plots.Formats() {
			names = append(names, p.Name+"."+string(f))
		}
	}
	return names
}

// newBelow makes a directory that did not exist.
func newBelow(root, name string) (string, error) {
	const wayOut = "name one that you may write to with --out"
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", exitWith(exitUsage, fmt.Errorf("make the directory %s: %w: %s", root, pathCause(err), wayOut))
	}
	for i := 1; ; i++ {
		dir := filepath.Join(root, name)
		if i > 1 {
			dir += fmt.Sprintf("-%d", i)
		}
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, os.ErrExist) {
			return "", exitWith(exitUsage, fmt.Errorf("make the directory %s: %w: %s", dir, pathCause(err), wayOut))
		}
	}
}

// settings is a directory name that says when a comparison was made, and of
// what.
func settings(o *options, workload string, now time.Time) string {
	parts := []string{now.Format("2006-01-02T150405"), workload}
	if names := contestantNames(o.contestants); len(names) > 0 && !slices.Equal(names, modelNames(builtInModels())) {
		parts = append(parts, strings.Join(names, "+"))
	}
	parts = append(parts, fmt.Sprintf("%djobs", o.jobs), fmt.Sprintf("%dworkers", o.workers))
	if plan := o.arrivals.String(); plan != "burst" {
		parts = append(parts, plan)
	}
	for i, part := range parts {
		parts[i] = fileName(part)
	}
	return strings.Join(parts, "-")
}

// fileName makes a text fit for a part of a file's name, on any system.
func fileName(text string) string {
	mapped := strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '_' || r == '+' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return '-'
	}, text)
	return mapped[:min(len(mapped), 60)]
}

// writeResults writes what can be made of a comparison's records: its summary,
// its report, its plots, and the page that holds all of them. Each is tried, whatever
// became of the others. It returns the names of the files written.
func (p *program) writeResults(ctx context.Context, dir string, a *runner.Analysis) ([]string, error) {
	var names []string
	var errs []error
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{summaryName, func(w io.Writer) error { return runner.WriteJSON(w, &a.Summary) }},
		{reportName, func(w io.Writer) error { return writeReport(w, &a.Summary) }},
	} {
		if err := replaceFile(filepath.Join(dir, f.name), f.write); err != nil {
			errs = append(errs, err)
			continue
		}
		names = append(names, f.name)
	}
	drawn, err := p.draw(dir, a)
	if err != nil {
		errs = append(errs, fmt.Errorf("draw the plots: %w", err))
	}
	if p.writePage(ctx, dir, a, false) {
		names = append(names, pageName)
	}
	return append(names, drawn...), errors.Join(errs...)
}

// writeReport writes the report that stands beside the plots, and shows them.
func writeReport(w io.Writer, s *runner.Summary) error {
	var b bytes.Buffer
	if err := runner.WriteMarkdown(&b, s); err != nil {
		return err
	}
	for _, p := range plots.All() {
		fmt.Fprintf(&b, "\n![%s](%s.%s)\n\n%s\n", p.Title, p.Name, plots.SVG, p.CaptionOf(s))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// replaceFile writes a file in one step: there is never half of one. A device or a
// pipe is written to: a file must not take its place.
func replaceFile(path string, write func(io.Writer) error) error {
	var b bytes.Buffer
	err := write(&b)
	to := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		to = path
	}
	if err == nil {
		err = os.WriteFile(to, b.Bytes(), 0o644)
	}
	if err == nil && to != path {
		err = os.Rename(to, path)
	}
	if err != nil {
		if to != path {
			_ = os.Remove(to) // it may never have come to be
		}
		return fmt.Errorf("write %s: %w", path, pathCause(err))
	}
	return nil
}

// listing says where the files are, in few words.
func listing(dir string, names []string) string {
	var texts, pictures []string
	for _, name := range names {
		switch filepath.Ext(name) {
		case "." + string(plots.SVG):
			pictures = append(pictures, strings.TrimSuffix(name, filepath.Ext(name)))
		case "." + string(plots.PNG):
			stem := strings.TrimSuffix(name, filepath.Ext(name))
			if !slices.Contains(pictures, stem) {
				pictures = append(pictures, stem)
			}
		default:
			texts = append(texts, name)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "results in %s%c\n", filepath.Clean(dir), filepath.Separator)
	if len(texts) > 0 {
		fmt.Fprintf(&b, "  %s\n", strings.Join(texts, "  "))
	}
	if len(pictures) > 0 {
		fmt.Fprintf(&b, "  plots (.svg, .png): %s\n", strings.Join(pictures, "  "))
	}
	return b.String()
}
