package runner_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"forkbench/models"
	"forkbench/record"
	"forkbench/report"
	"forkbench/runner"
)

// TestDroppedResults: a result that was not kept is counted and told in a note,
// by its reason. It is neither a failure nor a warning, and changes no number.
func TestDroppedResults(t *testing.T) {
	plain := summarize(t, newSynthetic(200, 3, prefork, forkperjob), nil)
	got := summarize(t, newSynthetic(200, 3, prefork, forkperjob), everyJob(func(j *record.Job) {
		if j.Model != "prefork" {
			return
		}
		switch {
		case j.ID == 7:
			j.Dropped = "above 1 MiB: str"
		case j.ID%2 == 0:
			j.Dropped = "not JSON: datetime"
		}
	}))
	if len(got.Errors) != 0 || len(got.Warnings) != 0 || got.Verdict != plain.Verdict {
		t.Errorf("errors %q, warnings %q, verdict %q", got.Errors, got.Warnings, got.Verdict)
	}
	if n := got.Models[0].Jobs.ResultsDropped; n != 303 || got.Models[1].Jobs.ResultsDropped != 0 || got.Models[0].Jobs.Done != 600 {
		t.Errorf("%d results were dropped: %+v", n, got.Models[0].Jobs)
	}
	want := []string{"prefork: 303 results were dropped (300 not JSON: datetime; 3 above 1 MiB: str), and the jobs are done"}
	if !slices.Equal(got.Notes, want) {
		t.Errorf("notes %q; want %q", got.Notes, want)
	}
	var text, markdown bytes.Buffer
	if err := runner.WriteText(&text, got, report.TextOptions{Width: 500}); err != nil {
		t.Fatal(err)
	}
	if err := runner.WriteMarkdown(&markdown, got); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "note: "+want[0]) || !strings.Contains(markdown.String(), "\nNotes:\n\n- prefork: 303 results") {
		t.Errorf("%s\n%s", &text, &markdown)
	}
}

// TestDroppedReasons: one reason needs no count of its own, a generator is
// explained, and there are not so many reasons that they fill the memory.
func TestDroppedReasons(t *testing.T) {
	got := summarize(t, newSynthetic(200, 1, prefork), everyJob(func(j *record.Job) { j.Dropped = "not JSON: generator" }))
	want := "prefork: 200 results were dropped (not JSON: generator), and the jobs are done; of a generator nothing is run"
	if len(got.Notes) != 1 || !strings.HasPrefix(got.Notes[0], want) {
		t.Errorf("notes %q; want %q", got.Notes, want)
	}
	got = summarize(t, newSynthetic(200, 1, prefork), job(3, func(j *record.Job) { j.Dropped = "not JSON: set" }))
	if want := "prefork: 1 result was dropped (not JSON: set), and the jobs are done"; len(got.Notes) != 1 || got.Notes[0] != want {
		t.Errorf("notes %q; want %q", got.Notes, want)
	}
	got = summarize(t, newSynthetic(200, 1, prefork), everyJob(func(j *record.Job) { j.Dropped = fmt.Sprintf("not JSON: T%d", j.ID) }))
	want = "prefork: 200 results were dropped (168 for other reasons; 1 not JSON: T"
	if len(got.Notes) != 1 || !strings.HasPrefix(got.Notes[0], want) || !strings.Contains(got.Notes[0], "and 28 more reasons") {
		t.Errorf("notes %q; want %q", got.Notes, want)
	}
}

// TestNotSetUp: of jobs that fail because nobody has set their application up, it is
// said what it lacks, unless somebody has set it up.
func TestNotSetUp(t *testing.T) {
	fails := func(detail string) change {
		return job(3, func(j *record.Job) { j.Status, j.Detail = models.Failed, detail })
	}
	about := func(s *runner.Summary) (lacks any) {
		for _, w := range s.WarningDetails {
			if w.Code == runner.WarnNotSetUp {
				lacks = w.Args["lacks"]
			}
		}
		return lacks
	}
	for detail, want := range map[string]any{
		"Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nRuntimeError: Working outside of application context.\n\nThis typically means …": runner.LacksContext,
		"django.core.exceptions.AppRegistryNotReady: Apps aren't loaded yet.":                                                                                runner.LacksApps,
		"django.core.exceptions.ImproperlyConfigured: Requested setting DATABASES, but settings are not configured. You must …":                              runner.LacksSettings,
		"ValueError: three": nil,
	} {
		got := summarize(t, newSynthetic(200, 3, prefork), fails(detail))
		if lacks := about(got); lacks != want || contains(got.Warnings, "prefork: jobs failed because their application is not set up") != (want != nil) {
			t.Errorf("%s: it lacks %v, want %v; %q", detail, lacks, want, got.Warnings)
		}
		s := newSynthetic(200, 3, prefork)
		s.header.Spec.Setup = []string{"app:context"}
		if got := summarize(t, s, fails(detail)); about(got) != nil {
			t.Errorf("with a set-up: %q", got.Warnings)
		}
	}
}
