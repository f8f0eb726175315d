package runner_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"forkbench/models"
	"forkbench/record"
	"forkbench/runner"
)

// connection is a hazard of hybrid's.
func connection(m *record.Round) {
	if m.Model != "hybrid" {
		return
	}
	m.Hazards = []record.Hazard{
		{Kind: record.HazardConnection, What: "a TCP connection to 127.0.0.1:5432", From: "--warm=app:warm", Cure: "close it before the fork"},
		{Kind: record.HazardFile, What: "the file /var/log/app.log, open for appending", Caution: true, Cure: "write whole lines"},
	}
	m.Unfit = []string{m.Hazards[0].Clause()}
}

// TestHazardsAreTold: a hazard stands in the summary and in the warnings, with its
// cure and once for all rounds, and the verdict speaks of the model as unusable.
func TestHazardsAreTold(t *testing.T) {
	s := summarize(t, newSynthetic(200, 3, prefork, forkperjob, hybrid), round(connection))
	const clause = "its forks share a TCP connection to 127.0.0.1:5432 (from --warm=app:warm)"
	if !strings.Contains(s.Verdict, "do not use hybrid as it is: "+clause) || strings.Contains(s.Verdict, "as in hybrid") ||
		strings.Contains(s.Verdict, "did not end well") {
		t.Errorf("verdict %s", s.Verdict)
	}
	for text, want := range map[string]bool{"hazards > 0": true, "hybrid.hazards > 0": true, "prefork.hazards > 0": false} {
		limit, err := runner.ParseThreshold(text)
		if err != nil {
			t.Fatal(err)
		}
		if crossed, why := limit.Crossed(s); crossed != want {
			t.Errorf("%s crossed: %v (%s); want %v", text, crossed, why, want)
		}
	}
	if h := s.Models[2].Hazards; len(h) != 2 || h[0].Kind != record.HazardConnection || !h[1].Caution {
		t.Errorf("hazards %+v", h)
	}
	for _, want := range []string{
		"hybrid: " + clause + ": close it before the fork",
		"hybrid: its processes also had, when they forked, the file /var/log/app.log, open for appending: mostly harmless (docs/hazards.md)",
	} {
		n := 0
		for _, w := range s.Warnings {
			if w == want {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d times %q in %q", n, want, s.Warnings)
		}
	}
}

// TestHazardIsTheProbableCause: where jobs of such a model do not end well, that is
// why, probably; models with the same reason share a sentence.
func TestHazardIsTheProbableCause(t *testing.T) {
	fails := everyJob(func(j *record.Job) {
		if j.Model == "hybrid" && j.ID%2 == 0 {
			j.Status, j.Detail = models.Failed, "RuntimeError: answer of another process"
		}
	})
	s := summarize(t, newSynthetic(200, 3, prefork, forkperjob, hybrid), func(lines []record.Line, m *record.Round) []record.Line {
		connection(m)
		return fails(lines, m)
	})
	if want := "which is probably why 300 of its 600 jobs did not end well"; !strings.Contains(s.Verdict, want) {
		t.Errorf("verdict %s; want: %s", s.Verdict, want)
	}
	s = summarize(t, newSynthetic(200, 3, prefork, forkperjob, hybrid), round(func(m *record.Round) {
		m.Unfit = []string{"its forks lack the thread \"flusher\" (app.flush)"}
	}))
	if want := "do not use prefork, forkperjob and hybrid as they are: its forks lack"; !strings.Contains(s.Verdict, want) {
		t.Errorf("verdict %s; want: %s", s.Verdict, want)
	}
}

// TestUnfitIsNeverFirst: whichever models are unfit and however fast they are, what
// must not be used is said first, and of speed only the others are spoken of.
func TestUnfitIsNeverFirst(t *testing.T) {
	behaviours := []behaviour{prefork, forkperjob, hybrid}
	for _, every := range []time.Duration{0, 20 * ms} {
		for mask := 1; mask < 1<<len(behaviours); mask++ {
			var unfit []string
			for i, b := range behaviours {
				if mask>>i&1 != 0 {
					unfit = append(unfit, b.name)
				}
			}
			run := newSynthetic(200, 3, behaviours...)
			if run.every = every; every > 0 {
				run.header.Spec.Arrivals = "rate:50"
			}
			s := summarize(t, run, round(func(m *record.Round) {
				if slices.Contains(unfit, m.Model) {
					m.Unfit = []string{"its forks lack the thread \"flusher\""}
				}
			}))
			first, rest, _ := strings.Cut(s.Verdict, ". ")
			if !strings.HasPrefix(first, "do not use ") || strings.Contains(first, "jobs per second") || strings.Contains(first, "latency") {
				t.Errorf("%v unfit: %s", unfit, s.Verdict)
			}
			for _, name := range unfit {
				if !strings.Contains(first, name) || strings.Contains(rest, name) {
					t.Errorf("%s is unfit: %s", name, s.Verdict)
				}
			}
			if none := strings.HasPrefix(rest, "No model is left to recommend"); none != (len(unfit) == len(behaviours)) {
				t.Errorf("%v unfit: %s", unfit, s.Verdict)
			}
		}
	}
}
