package runner_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"forkbench/models"
	"forkbench/record"
	"forkbench/report"
	"forkbench/runner"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run with -update to make it", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; -update accepts it):\n%s", path, diff)
	}
}

func analyze(t *testing.T, s *synthetic) *runner.Analysis {
	t.Helper()
	a, err := runner.Analyze(withoutErrors(s.lines()))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// troubled is a run in which much went wrong.
func troubled() *synthetic {
	s := newSynthetic(60, 2, forkperjob, hybrid)
	s.header.Spec.Warm = nil
	s.header.Environment.Redis = "miniredis v2.40.0 (private)"
	s.each = func(lines []record.Line, m *record.Round) []record.Line {
		for _, l := range lines {
			j, ok := l.(*record.Job)
			if !ok {
				continue
			}
			switch {
			case j.ID%10 == 3:
				j.Status, j.Detail = models.Failed, "Traceback (most recent call last):\n  File \"x.py\", line 1\nValueError: *no* | <such> _event_\n"
			case j.ID == 7:
				j.Status, j.Detail = models.Crashed, "signal: segmentation fault"
			case j.ID == 8:
				j.Status, j.Detail = models.TimedOut, "exceeded 2s"
			}
		}
		if m.Model == "hybrid" && m.Round == 1 {
			m.Noise.Contaminated = "other processes used 31 % of the CPU"
			m.Lost, m.Settled = 1, m.Settled-1
			m.Error = "the parent died: signal: killed"
		}
		return lines
	}
	return s
}

func TestGolden(t *testing.T) {
	for _, run := range []struct {
		name string
		s    *synthetic
	}{
		{"redash", newSynthetic(1000, 3, prefork, forkperjob, hybrid)},
		{"troubled", troubled()},
		{"single", newSynthetic(200, 1, forkperjob)},
	} {
		summary := &analyze(t, run.s).Summary
		for _, form := range []struct {
			ext   string
			write func(io.Writer, *runner.Summary) error
		}{
			{"txt", func(w io.Writer, s *runner.Summary) error { return runner.WriteText(w, s, report.TextOptions{}) }},
			{"md", runner.WriteMarkdown},
			{"csv", runner.WriteCSV},
			{"json", runner.WriteJSON},
		} {
			t.Run(run.name+"."+form.ext, func(t *testing.T) {
				var got bytes.Buffer
				if err := form.write(&got, summary); err != nil {
					t.Fatal(err)
				}
				golden(t, run.name+"."+form.ext, got.Bytes())
			})
		}
	}
}

func TestTextFitsItsWidth(t *testing.T) {
	five := []behaviour{prefork, forkperjob, hybrid, prefork, hybrid}
	five[3].name, five[4].name = "lazy-prefork", "a-model-with-quite-a-long-name"
	for _, c := range []struct {
		s     *synthetic
		width int
	}{
		{newSynthetic(1000, 3, prefork, forkperjob, hybrid), 0},
		{newSynthetic(1000, 3, prefork, forkperjob, hybrid), 80},
		{newSynthetic(1000, 3, five...), 0},
		{newSynthetic(1000, 3, five...), 100},
		{troubled(), 72},
	} {
		summary := &analyze(t, c.s).Summary
		var out bytes.Buffer
		if err := runner.WriteText(&out, summary, report.TextOptions{Width: c.width}); err != nil {
			t.Fatal(err)
		}
		limit := c.width
		if limit == 0 {
			limit = 120
		}
		lines := strings.Split(out.String(), "\n")
		if lines[0] != summary.Verdict {
			t.Errorf("the first line is not the verdict: %q", lines[0])
		}
		for _, line := range lines[1:] {
			if n := utf8.RuneCountInString(line); n > limit {
				t.Errorf("width %d: a line of %d: %q", c.width, n, line)
			}
		}
		for _, m := range summary.Models {
			if !strings.Contains(out.String(), m.Model) {
				t.Errorf("width %d: %s is missing", c.width, m.Model)
			}
		}
	}
}

func TestColor(t *testing.T) {
	summary := &analyze(t, troubled()).Summary
	var plain, color bytes.Buffer
	if err := runner.WriteText(&plain, summary, report.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := runner.WriteText(&color, summary, report.TextOptions{Color: true}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(plain.String(), "\x1b") {
		t.Error("escapes without colour")
	}
	text := color.String()
	for _, escape := range []string{"\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[33m", "\x1b[0m"} {
		if !strings.Contains(text, escape) {
			t.Errorf("no %q in colour", escape)
		}
		text = strings.ReplaceAll(text, escape, "")
	}
	if diff := cmp.Diff(plain.String(), text); diff != "" {
		t.Errorf("colour changes the text: %s", diff)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWritersReportErrors(t *testing.T) {
	s := &analyze(t, newSynthetic(100, 1, prefork)).Summary
	for name, err := range map[string]error{
		"text":     runner.WriteText(brokenPipe{}, s, report.TextOptions{}),
		"markdown": runner.WriteMarkdown(brokenPipe{}, s),
		"csv":      runner.WriteCSV(brokenPipe{}, s),
		"json":     runner.WriteJSON(brokenPipe{}, s),
	} {
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: error %v, want %v", name, err, io.ErrClosedPipe)
		}
	}
}
