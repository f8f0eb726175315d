package runner_test

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"forkbench/models"
	"forkbench/record"
	"forkbench/report"
	"forkbench/runner"
)

// unsampled is what a run leaves on a machine that tells little: a Redis that
// counts no commands, and rounds over before the first sample.
func unsampled(model string) change {
	return func(lines []record.Line, m *record.Round) []record.Line {
		if m.Model != model {
			return lines
		}
		m.RedisCommands, m.CgroupNS = 0, 0
		return slices.DeleteFunc(lines, func(l record.Line) bool { _, ok := l.(*record.Sample); return ok })
	}
}

// What was not measured is not a zero, in any form.
func TestAbsentIsNotZero(t *testing.T) {
	s := summarize(t, newSynthetic(200, 3, prefork, hybrid), unsampled("hybrid"))
	names := []string{"peak_pss", "uss_per_worker", "redis_commands_per_job", "cgroup_residual_percent"}
	var text, markdown, table, object bytes.Buffer
	for out, write := range map[*bytes.Buffer]func(io.Writer, *runner.Summary) error{
		&text:     func(w io.Writer, s *runner.Summary) error { return runner.WriteText(w, s, report.TextOptions{}) },
		&markdown: runner.WriteMarkdown, &table: runner.WriteCSV, &object: runner.WriteJSON,
	} {
		if err := write(out, s); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(table.String(), "\n")
	columns := strings.Split(lines[0], ",")
	for _, name := range names {
		at := slices.Index(columns, name)
		if known, absent := strings.Split(lines[1], ",")[at], strings.Split(lines[2], ",")[at]; known == "" || absent != "" {
			t.Errorf("CSV: %s is %q of prefork and %q of hybrid", name, known, absent)
		}
		if n := strings.Count(object.String(), `"`+name+`": null`); n != 1 {
			t.Errorf("JSON: %s is null %d times, want once", name, n)
		}
		for model, absent := range map[string]bool{"prefork": false, "hybrid": true} {
			threshold, err := runner.ParseThreshold(model + "." + name + " > 2 * " + model + "." + name)
			if err != nil {
				t.Fatal(err)
			}
			crossed, why := threshold.Crossed(s)
			if crossed != absent || strings.Contains(why, "cannot be checked") != absent {
				t.Errorf("%v: crossed %t, because %q", threshold, crossed, why)
			}
		}
	}
	for _, label := range []string{"peak memory (PSS), MB", "a worker's own (USS)", "Redis commands per job", "cgroup residual, %"} {
		for form, out := range map[string]string{"text": text.String(), "Markdown": markdown.String()} {
			i := strings.Index(out, label)
			if i < 0 {
				t.Fatalf("%s: no row %q", form, label)
			}
			row, _, _ := strings.Cut(out[i:], "\n")
			if strings.Count(row, "–") != 1 {
				t.Errorf("%s: row %q, want one –", form, row)
			}
		}
	}
}

// A model of which no child was ever seen has a peak, but no worker's own memory.
func TestParentsAloneSampled(t *testing.T) {
	memory := summarize(t, newSynthetic(200, 1, prefork), func(lines []record.Line, _ *record.Round) []record.Line {
		for _, l := range lines {
			if s, ok := l.(*record.Sample); ok {
				s.ChildUSS = 0
			}
		}
		return lines
	}).Models[0].Memory
	if memory.PeakPSS == nil || memory.USSPerWorker != nil {
		t.Errorf("peak %v and own %v, want a number and nil", memory.PeakPSS, memory.USSPerWorker)
	}
}

// Rounds with nothing in them must not divide by it: JSON has no NaN.
func TestRoundsWithNothingInThem(t *testing.T) {
	nothing := func(m *record.Round) { // what the stream and the clocks then say
		*m = record.Round{Model: m.Model, Round: m.Round, Enqueued: m.Enqueued}
	}
	for _, c := range []struct {
		name   string
		jobs   int
		change change
	}{
		{"all lost", 200, func(_ []record.Line, m *record.Round) []record.Line {
			nothing(m)
			m.Lost, m.WorkNS, m.Children = m.Enqueued, time.Second, record.CPU{User: time.Second}
			return nil
		}},
		{"all lost in no time", 200, func(_ []record.Line, m *record.Round) []record.Line {
			nothing(m)
			m.Lost = m.Enqueued
			return nil
		}},
		{"interrupted at once", 200, func(_ []record.Line, m *record.Round) []record.Line {
			nothing(m)
			m.NotRun, m.Interrupted = m.Enqueued, true
			return nil
		}},
		{"settled, but not on record", 200, func(_ []record.Line, m *record.Round) []record.Line { return nil }},
		{"settled in no time", 200, func(lines []record.Line, m *record.Round) []record.Line { m.WorkNS = 0; return lines }},
		{"all clocks stand still", 200, func(lines []record.Line, m *record.Round) []record.Line {
			for _, l := range lines {
				if j, ok := l.(*record.Job); ok {
					j.DueNS, j.DequeuedNS, j.StartedNS, j.FinishedNS, j.SettledNS = 0, 0, 0, 0, 0
				}
			}
			settled := m.Settled
			nothing(m)
			m.Settled, m.WorkNS = settled, 1
			return lines
		}},
		{"no jobs at all", 0, nil},
	} {
		for _, rounds := range []int{1, 3, 7} {
			for _, only := range []string{"", "hybrid"} { // all models, or one of them
				s := summarize(t, newSynthetic(c.jobs, rounds, prefork, hybrid), func(lines []record.Line, m *record.Round) []record.Line {
					if c.change == nil || only != "" && m.Model != only {
						return lines
					}
					return c.change(lines, m)
				})
				var object, rest bytes.Buffer
				if err := runner.WriteJSON(&object, s); err != nil {
					t.Errorf("%s, %d rounds, of %q: %v", c.name, rounds, only, err)
				}
				if !json.Valid(object.Bytes()) {
					t.Errorf("%s, %d rounds, of %q: no JSON: %s", c.name, rounds, only, object.String())
				}
				for _, err := range []error{
					runner.WriteText(&rest, s, report.TextOptions{}), runner.WriteMarkdown(&rest, s), runner.WriteCSV(&rest, s),
				} {
					if err != nil {
						t.Error(err)
					}
				}
				if strings.Contains(rest.String(), "NaN") || strings.Contains(rest.String(), "Inf") {
					t.Errorf("%s, %d rounds, of %q: not a number:\n%s", c.name, rounds, only, rest.String())
				}
			}
		}
	}
}

// Each – in a table says why below it, by a mark of its own for each reason.
func TestAbsentSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		change change
		want   []string
	}{
		"little is told": {unsampled("hybrid"), []string{
			"–¹ no sample of memory was taken", "–² this Redis does not count its commands", "–³ there was no control group",
		}},
		"short jobs": {func(lines []record.Line, m *record.Round) []record.Line {
			for _, l := range lines {
				if sample, ok := l.(*record.Sample); ok && m.Model == "hybrid" {
					sample.ChildUSS = 0
				}
			}
			return lines
		}, []string{"–¹ no child of it lived when a sample was taken"}},
		"nothing done": {undone("hybrid", func(*record.Job) bool { return true }, models.Failed, "no"), []string{"–¹ not one job was done"}},
		"no round": {func(lines []record.Line, m *record.Round) []record.Line {
			if m.Model == "hybrid" {
				m.Error = "its parent was killed"
			}
			return lines
		}, []string{"–¹ no round of it was measured"}},
	} {
		s := summarize(t, newSynthetic(100, 3, prefork, hybrid), c.change)
		for _, write := range []func(io.Writer, *runner.Summary) error{
			func(w io.Writer, s *runner.Summary) error { return runner.WriteText(w, s, report.TextOptions{}) }, runner.WriteMarkdown,
		} {
			var b bytes.Buffer
			if err := write(&b, s); err != nil {
				t.Fatal(err)
			}
			text := strings.Join(strings.Fields(b.String()), " ")
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%s: no %q in\n%s", name, want, b.String())
				}
			}
			if n := strings.Count(text, "–"); n != strings.Count(text, "–¹")+strings.Count(text, "–²")+strings.Count(text, "–³") {
				t.Errorf("%s: a – has no reason:\n%s", name, b.String())
			}
		}
	}
}
