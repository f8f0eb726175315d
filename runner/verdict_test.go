package runner_test

import (
	"strings"
	"testing"
	"time"

	"forkbench/models"
	"forkbench/record"
	"forkbench/runner"
)

// unadvised is the verdict without the advice, which has a test of its own.
func unadvised(s *runner.Summary) string {
	if s.Advice == nil {
		return s.Verdict
	}
	return strings.Replace(s.Verdict, "; "+s.Advice.Text, "", 1)
}

func TestVerdict(t *testing.T) {
	named := func(b behaviour, name string) behaviour { b.name = name; return b }
	cold := hybrid
	cold.unreached = cold.oneTime
	leftover := hybrid
	leftover.unreached = 5 * ms
	light := prefork // nothing lazy in its jobs
	light.oneTime = 100 * µs
	slower := named(light, "slower")
	slower.run = 8 * ms
	for _, c := range []struct {
		name string
		run  *synthetic
		each change
		want string
	}{
		{"one model", newSynthetic(200, 3, prefork), nil,
			"prefork ran # jobs per second [#, #], with # ms of CPU time for each."},
		{"one model, one round", newSynthetic(200, 1, prefork), nil,
			"prefork ran # jobs per second, with # ms of CPU time for each."},
		{"two models", newSynthetic(200, 3, slower, light), nil,
			"prefork ran #× [#, #] the jobs per second of slower."},
		{"one round", newSynthetic(200, 1, slower, light), nil,
			"prefork ran #× the jobs per second of slower, in one round, which may be chance."},
		{"the same", newSynthetic(200, 3, light, named(light, "other")), nil,
			"there is no difference in jobs per second that matters, within ±# %, between # and # (#× [#, #])."},
		{"the same, and another", newSynthetic(200, 3, slower, light, named(light, "other")), nil,
			"# ran #× [#, #] the jobs per second of slower; there is no difference in jobs per second that matters, within ±# %, between # and # (#× [#, #])."},
		{"Redash's case", newSynthetic(200, 3, prefork, forkperjob, hybrid), nil,
			"prefork ran #× [#, #] the jobs per second of forkperjob and #× [#, #] those of hybrid; the first job of each forkperjob process costs # ms more than a later one: one-time work that every fork repeats, unless it is hoisted into the parent, as in hybrid."},
		{"without a hybrid", newSynthetic(200, 3, prefork, forkperjob), nil,
			"prefork ran #× [#, #] the jobs per second of forkperjob; the first job of each forkperjob process costs # ms more than a later one: one-time work that every fork repeats, unless it is hoisted into the parent (--model=hybrid)."},
		{"a hybrid that is not warm", newSynthetic(200, 3, prefork, forkperjob, cold), nil,
			"prefork ran #× [#, #] the jobs per second of # and #× [#, #] those of #; the first job of each # process costs # ms more than a later one: one-time work that every fork repeats, unless it is hoisted into the parent, which hybrid does not do yet: name it with --warm=MODULE:FUNCTION."},
		{"a hybrid with nothing to warm", func() *synthetic {
			run := newSynthetic(200, 3, prefork, cold)
			run.header.Spec.Warm = nil
			return run
		}(), nil,
			"prefork ran #× [#, #] the jobs per second of hybrid; the first job of each hybrid process costs # ms more than a later one: one-time work that every fork repeats, unless it is hoisted into the parent, which hybrid does not do yet: name it with --warm=MODULE:FUNCTION."},
		{"a warm hybrid that still repeats some", newSynthetic(200, 3, prefork, leftover), nil,
			"prefork ran #× [#, #] the jobs per second of hybrid; the first job of each hybrid process still costs # ms more than a later one: pages copied, and what the warm-up does not reach."},
		{"with the fork that repeats all", newSynthetic(200, 3, prefork, forkperjob, leftover), nil,
			"prefork ran #× [#, #] the jobs per second of forkperjob and #× [#, #] those of hybrid; the first job of each forkperjob process costs # ms more than a later one: one-time work that every fork repeats, unless it is hoisted into the parent, as in hybrid."},
		{"a warm parent of the user's own", newSynthetic(200, 3, prefork, forkperjob, named(hybrid, "nursery")), nil,
			"prefork ran #× [#, #] the jobs per second of forkperjob and #× [#, #] those of nursery; the first job of each forkperjob process costs # ms more than a later one: one-time work that every fork repeats, unless it is hoisted into the parent, as in nursery."},
		{"of two warm parents, the better", newSynthetic(200, 3, prefork, cold, named(hybrid, "nursery")), nil,
			"prefork ran #× [#, #] the jobs per second of hybrid and #× [#, #] those of nursery; the first job of each hybrid process still costs # ms more than a later one: pages copied, and what the warm-up does not reach."},
		{"its own, with no later jobs", newSynthetic(200, 3, forkperjob, named(hybrid, "nursery")), nil,
			"nursery ran #× [#, #] the jobs per second of forkperjob; a job runs # ms less in a fork of nursery's warm parent than in one of forkperjob: one-time work that every fork repeats, unless it is hoisted into the parent, as in nursery."},
		{"no later jobs", newSynthetic(200, 3, forkperjob, hybrid), nil,
			"hybrid ran #× [#, #] the jobs per second of forkperjob; a job runs # ms less in a fork of hybrid's warm parent than in one of forkperjob: one-time work that every fork repeats, unless it is hoisted into the parent, as in hybrid."},
		{"five models", newSynthetic(200, 3, light, slower, named(slower, "slow too"), named(forkperjob, "last"), named(light, "a")), nil,
			"# ran #× [#, #] the jobs per second of last; not measured long enough to tell # from # (#× [#, #]) in jobs per second: about # times as many rounds would; the first job of each last process costs # ms more than a later one: one-time work that every fork repeats, unless it is hoisted into the parent (--model=hybrid)."},
		{"nothing done", newSynthetic(200, 3, prefork), everyJob(func(j *record.Job) { j.Status = models.Failed }),
			"No verdict, as not one job was done: prefork did none of 600 jobs, 600 failed: no reason given."},
		{"nothing measured", newSynthetic(200, 1, prefork, hybrid), func(_ []record.Line, m *record.Round) []record.Line {
			*m = record.Round{Model: m.Model, Enqueued: 200, NotRun: 200, Error: "python3: not found"}
			return nil
		}, "No verdict: prefork and hybrid could not go on in round 1: python3: not found."},
		{"one model failed", newSynthetic(200, 3, slower, light, hybrid), func(lines []record.Line, m *record.Round) []record.Line {
			if m.Model != "hybrid" {
				return lines
			}
			*m = record.Round{Model: m.Model, Round: m.Round, Enqueued: 200, NotRun: 200, Error: "2 threads"}
			return nil
		}, "hybrid did none of 600 jobs, 600 never run, since it could not go on in round 1: 2 threads; slower and prefork did all 600. " +
			"prefork ran #× [#, #] the jobs per second of slower."},
		{"two errors", newSynthetic(200, 1, prefork), round(func(m *record.Round) { m.Settled, m.Lost = 199, 1 }),
			"Do not use these numbers: prefork: in round #, # of # jobs lost: neither run nor left in the stream (and # more, see the errors)."},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := unadvised(summarize(t, c.run, c.each))
			if !matches(got, c.want) {
				t.Errorf("verdict\n%s, want\n%s", got, c.want)
			}
		})
	}
}

// What stopped a model is told before what its broken round leads to.
func TestVerdictNamesTheCause(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(m *record.Round)
		want   string
	}{
		{"one round", func(m *record.Round) {
			if m.Model == "forkperjob" && m.Round == 1 {
				m.Lost, m.Settled, m.Error = 1, m.Settled-1, "the parent died: signal: killed"
			}
		}, "Do not use these numbers: forkperjob could not go on in round 2: the parent died: signal: killed (and # more, see the errors)."},
		{"nothing measured", func(m *record.Round) {
			*m = record.Round{Model: m.Model, Round: m.Round, Enqueued: 200, Lost: 200, Error: "boom"}
		}, "No verdict: prefork and forkperjob could not go on in round 1: boom."},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := summarize(t, newSynthetic(200, 3, prefork, forkperjob), round(c.change))
			if !matches(s.Verdict, c.want) {
				t.Errorf("verdict\n%s, want\n%s", s.Verdict, c.want)
			}
			if !strings.Contains(s.Errors[0], "could not go on") || !contains(s.Errors, "jobs lost") {
				t.Errorf("errors %q: want the cause first, and the count", s.Errors)
			}
		})
	}
}

// The verdict is what people paste: where most of what it rests on was measured on
// a busy machine, it says so, and it makes no finding of one-time work.
func TestVerdictOfABusyMachine(t *testing.T) {
	const (
		busy    = ", on a machine that was busy with other work"
		finding = "one-time work that every fork repeats"
	)
	named := func(b behaviour, name string) behaviour { b.name = name; return b }
	rounds := func(model string, n int) change {
		return round(func(m *record.Round) {
			if (model == "" || m.Model == model) && m.Round < n {
				m.Noise.Contaminated = "other processes used 31 % of the CPU"
			}
		})
	}
	five := []behaviour{prefork, forkperjob, named(hybrid, "a"), named(hybrid, "b"), named(hybrid, "c")}
	five[3].run *= 2 // b is neither the runner-up nor the last
	for _, c := range []struct {
		name        string
		run         *synthetic
		change      change
		busy, finds bool
	}{
		{"no round", newSynthetic(200, 3, prefork, forkperjob), nil, false, true},
		{"one of three", newSynthetic(200, 3, prefork, forkperjob), rounds("", 1), false, true},
		{"two of four", newSynthetic(200, 4, prefork, forkperjob), rounds("", 2), false, true},
		{"two of three", newSynthetic(200, 3, prefork, forkperjob), rounds("", 2), true, true},
		{"all", newSynthetic(200, 3, prefork, forkperjob), rounds("", 3), true, false},
		{"the only one", newSynthetic(200, 1, prefork, forkperjob), rounds("", 1), true, false},
		{"one model alone", newSynthetic(200, 1, prefork), rounds("", 1), true, false},
		{"all of the winner", newSynthetic(200, 3, prefork, forkperjob), rounds("prefork", 3), true, true},
		{"all of the one that repeats", newSynthetic(200, 3, prefork, forkperjob), rounds("forkperjob", 3), true, false},
		{"all of a model that is not in the sentence", newSynthetic(200, 3, five...), rounds("b", 3), false, true},
		{"no later jobs, all of the warm one", newSynthetic(200, 3, forkperjob, hybrid), rounds("hybrid", 3), true, false},
		{"no later jobs, all of the cold one", newSynthetic(200, 3, forkperjob, hybrid), rounds("forkperjob", 3), true, false},
		{"no later jobs, two of three", newSynthetic(200, 3, forkperjob, hybrid), rounds("", 2), true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := unadvised(summarize(t, c.run, c.change))
			// It belongs to the comparison, which a finding may follow.
			first, _, _ := strings.Cut(got, "; the first job")
			first, _, _ = strings.Cut(first, "; a job runs")
			if strings.HasSuffix(strings.TrimSuffix(first, "."), busy) != c.busy {
				t.Errorf("busy should be %t: %s", c.busy, got)
			}
			if strings.Contains(got, finding) != c.finds {
				t.Errorf("finding should be %t: %s", c.finds, got)
			}
		})
	}
	// Whether a warm parent helps is not known from contaminated rounds.
	got := unadvised(summarize(t, newSynthetic(200, 3, prefork, forkperjob, hybrid), rounds("hybrid", 3)))
	if !strings.HasSuffix(got, "unless it is hoisted into the parent.") {
		t.Errorf("verdict %s", got)
	}
}

// A model with a reason against it is never the example to follow, however well
// it did.
func TestVerdictDoesNotRecommendTheUnfit(t *testing.T) {
	nursery := hybrid
	nursery.name, nursery.run = "nursery", hybrid.run*2
	unfit := round(func(m *record.Round) {
		if m.Model == "hybrid" {
			m.Unfit = []string{"its forks share a connection to 127.0.0.1:5432"}
		}
	})
	s := summarize(t, newSynthetic(200, 3, prefork, forkperjob, hybrid), unfit)
	if !strings.HasSuffix(unadvised(s), "unless it is hoisted into the parent.") {
		t.Errorf("verdict %s", s.Verdict)
	}
	if got := s.Models[2].Unfit; len(got) != 1 || got[0] != "its forks share a connection to 127.0.0.1:5432" {
		t.Errorf("unfit %q", got)
	}
	s = summarize(t, newSynthetic(200, 3, prefork, forkperjob, hybrid, nursery), unfit)
	if !strings.Contains(s.Verdict, "as in nursery") {
		t.Errorf("verdict %s", s.Verdict)
	}
}

// matches compares with a pattern in which # is one number or name.
func matches(text, pattern string) bool {
	for {
		head, rest, more := strings.Cut(pattern, "#")
		if !strings.HasPrefix(text, head) {
			return false
		}
		text, pattern = text[len(head):], rest
		if !more {
			return text == ""
		}
		n := strings.IndexFunc(text, func(r rune) bool {
			return !strings.ContainsRune("0123456789.,−abcdefghijklmnopqrstuvwxyz", r)
		})
		if n < 0 {
			n = len(text)
		}
		// A comma or a full stop after the number belongs to the sentence.
		n = len(strings.TrimRight(text[:n], ".,"))
		if n == 0 {
			return false
		}
		text = text[n:]
	}
}

// What a first job costs over a later one is a finding only where it matters: the
// first writes of any fork copy pages.
func TestRepeatedWorkIsMaterial(t *testing.T) {
	for _, c := range []struct {
		name         string
		run, oneTime time.Duration
		found        bool
	}{
		{"no-op", 20 * µs, 300 * µs, false},
		{"of a short job, just below a millisecond", 20 * µs, 900 * µs, false},
		{"of a short job, above", 20 * µs, 1100 * µs, true},
		{"a small share", 10 * ms, 2 * ms, false},
		{"a fifth", 10 * ms, 3500 * µs, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			models := []behaviour{prefork, forkperjob, hybrid}
			for i := range models {
				models[i].run, models[i].oneTime = c.run, c.oneTime
			}
			models[2].unreached = c.oneTime // nobody named anything
			run := newSynthetic(200, 3, models...)
			run.header.Spec.Warm = nil
			s := summarize(t, run, nil)
			if found := strings.Contains(s.Verdict, "one-time work that every fork repeats"); found != c.found {
				t.Errorf("verdict %q", s.Verdict)
			}
			if warned := contains(s.Warnings, "its parent did nothing before the forks"); warned != c.found || !c.found && len(s.Warnings) != 0 {
				t.Errorf("warnings %q", s.Warnings)
			}
		})
	}
}

// At a rate of arrivals every model that keeps up has the same throughput: the
// verdict is about latency.
func TestVerdictAtARate(t *testing.T) {
	run := newSynthetic(200, 3, prefork, forkperjob)
	run.header.Spec.Arrivals = "rate:50"
	run.every = 20 * ms
	s := summarize(t, run, nil)
	if len(s.Errors) != 0 {
		t.Fatalf("errors %q", s.Errors)
	}
	want := "the p95 latency of prefork was #× [#, #] that of forkperjob; the first job"
	if at := strings.Index(s.Verdict, "; the first job"); at < 0 || !matches(s.Verdict[:at]+"; the first job", want) {
		t.Errorf("verdict %q", s.Verdict)
	}
	run = newSynthetic(200, 3, prefork)
	run.header.Spec.Arrivals = "poisson:50"
	run.every = 20 * ms
	want = "prefork finished # % of its jobs within # ms of their due time, with # ms of CPU time for each."
	if got := summarize(t, run, nil).Verdict; !matches(got, want) {
		t.Errorf("verdict %q", got)
	}
}
