package runner_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"forkbench/models"
	"forkbench/record"
	"forkbench/runner"
)

// undone ends the jobs of a model that match in another way than done.
func undone(model string, which func(j *record.Job) bool, status models.Status, detail string) change {
	return everyJob(func(j *record.Job) {
		if (model == "" || j.Model == model) && which(j) {
			j.Status, j.Detail = status, detail
		}
	})
}

// each applies several changes.
func each(changes ...change) change {
	return func(lines []record.Line, m *record.Round) []record.Line {
		for _, c := range changes {
			lines = c(lines, m)
		}
		return lines
	}
}

const traceback = "Traceback (most recent call last):\n  File \"app.py\", line 4, in job\n    raise RuntimeError(1)\n"

// Outcomes come before speed: what a model got done is the first thing that is
// said, a model that did less of it gets no ratio, and is not an example.
func TestOutcomesComeFirst(t *testing.T) {
	const finding = "; the first job of each # process costs # ms more than a later one: " +
		"one-time work that every fork repeats, unless it is hoisted into the parent"
	allBut := func(n uint64) func(*record.Job) bool {
		return func(j *record.Job) bool { return j.ID >= n }
	}
	tenth := func(j *record.Job) bool { return j.ID%10 == 3 }
	refork := hybrid
	refork.name = "hybrid(refork=5)"
	for _, c := range []struct {
		name string
		run  *synthetic
		each change
		want string
	}{
		{"a pool that fails fast", newSynthetic(40, 3, prefork, forkperjob),
			undone("prefork", allBut(4), models.Failed, traceback+"RuntimeError: already initialised in process 4711\n"),
			"prefork did 12 of 120 jobs, 108 failed: RuntimeError: already initialised in process 4711; forkperjob did all 120. " +
				"forkperjob ran # jobs per second [#, #], with # ms of CPU time for each."},
		{"a fork that fails", newSynthetic(40, 3, prefork, forkperjob, hybrid),
			undone("forkperjob", allBut(30), models.TimedOut, "exceeded the time limit of 3s (--timeout) and was killed"),
			"forkperjob did 90 of 120 jobs, 30 timed out: exceeded the time limit of 3s (--timeout) and was killed; prefork and hybrid did all 120. " +
				"hybrid ran #× [#, #] the jobs per second of prefork" + finding + ", as in hybrid."},
		{"children that share a connection", newSynthetic(60, 1, prefork, refork),
			undone("hybrid(refork=5)", allBut(27), models.Failed, traceback+"RuntimeError: answer of another process\n"),
			"hybrid(refork=5) did 27 of 60 jobs, 33 failed: RuntimeError: answer of another process; prefork did all 60. " +
				"prefork ran # jobs per second, with # ms of CPU time for each" + finding + "."},
		{"by design", newSynthetic(100, 3, prefork, forkperjob),
			undone("", tenth, models.Crashed, "its process ended under it: signal: segmentation fault"),
			"prefork and forkperjob did 270 of 300 jobs each, 30 crashed: its process ended under it: signal: segmentation fault. " +
				"Counting jobs done only, prefork ran #× [#, #] the jobs per second of forkperjob" + finding + " (--model=hybrid)."},
		{"by design, with an example to follow", newSynthetic(100, 3, prefork, forkperjob, hybrid),
			undone("", tenth, models.Crashed, "signal: killed"),
			"prefork, forkperjob and hybrid did 270 of 300 jobs each, 30 crashed: signal: killed. " +
				"Counting jobs done only, hybrid ran #× [#, #] the jobs per second of forkperjob and #× [#, #] those of prefork" + finding + ", as in hybrid."},
		{"no more than chance, but no example", newSynthetic(100, 3, prefork, forkperjob, hybrid),
			undone("hybrid", func(j *record.Job) bool { return j.ID == 5 }, models.Failed, "ValueError: 5"),
			"hybrid did 297 of 300 jobs, 3 failed: ValueError: 5; prefork and forkperjob did all 300 (which is no more of a difference than chance makes). " +
				"Counting jobs done only, hybrid ran #× [#, #] the jobs per second of forkperjob and #× [#, #] those of prefork" + finding + "."},
		{"one model alone", newSynthetic(100, 1, prefork), undone("", tenth, models.Failed, "KeyError: 'x'"),
			"prefork did 90 of 100 jobs, 10 failed: KeyError: 'x'. " +
				"Counting jobs done only, prefork ran # jobs per second, with # ms of CPU time for each" + finding + " (--model=hybrid)."},
		{"several causes", newSynthetic(100, 1, prefork, forkperjob), each(
			undone("prefork", func(j *record.Job) bool { return j.ID%2 == 0 }, models.Failed, "KeyError: 'x'"),
			undone("prefork", func(j *record.Job) bool { return j.ID%20 == 1 }, models.Crashed, "signal: killed")),
			"prefork did 45 of 100 jobs, 50 failed and 5 crashed, 50 of them: KeyError: 'x'; forkperjob did all 100. " +
				"forkperjob ran # jobs per second, with # ms of CPU time for each" + finding + " (--model=hybrid)."},
		{"nothing done by one", newSynthetic(10, 1, prefork, forkperjob),
			undone("prefork", allBut(0), models.Failed, "TypeError: not JSON"),
			"prefork did none of 10 jobs, 10 failed: TypeError: not JSON; forkperjob did all 10. " +
				"forkperjob ran # jobs per second, with # ms of CPU time for each."},
		{"nothing done", newSynthetic(100, 1, prefork, forkperjob), undone("", allBut(0), models.Failed, "ImportError: no app"),
			"No verdict, as not one job was done: prefork and forkperjob did none of 100 jobs each, 100 failed: ImportError: no app."},
		{"a reason against it", newSynthetic(60, 1, prefork, hybrid), each(
			undone("hybrid", allBut(20), models.TimedOut, "exceeded the time limit"),
			round(func(m *record.Round) {
				if m.Model == "hybrid" {
					m.Unfit = []string{"a lock was held at the fork"}
				}
			})),
			"hybrid did 20 of 60 jobs, 40 timed out: exceeded the time limit; prefork did all 60; " +
				"do not use hybrid as it is: a lock was held at the fork, which is probably why 40 of its 60 jobs did not end well. " +
				"prefork ran # jobs per second, with # ms of CPU time for each" + finding + "."},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := summarize(t, c.run, c.each)
			if !matches(s.Verdict, c.want) {
				t.Errorf("verdict\n%s, want\n%s", s.Verdict, c.want)
			}
			for _, x := range s.Comparisons {
				for _, pair := range s.Shares {
					if pair.Differ && pair.A == x.A && pair.B == x.B {
						t.Errorf("%s did another share of its jobs than %s, and their ratio in %s is %v", x.A, x.B, x.Metric, x.Ratio)
					}
				}
			}
		})
	}
}

// A model that could not go on gets no headline: neither what it had settled until
// then nor its whole rounds are put beside those of others.
func TestAModelThatCouldNotGoOn(t *testing.T) {
	cut := func(from int) change {
		return func(lines []record.Line, m *record.Round) []record.Line {
			if m.Model != "prefork" || m.Round < from {
				return lines
			}
			m.Settled, m.NotRun, m.Error = 30, 70, "the parent process 7 ended by itself: signal: killed"
			return slices.DeleteFunc(lines, func(l record.Line) bool {
				j, ok := l.(*record.Job)
				return ok && j.ID >= 30
			})
		}
	}
	const cause = "the parent process 7 ended by itself: signal: killed"
	for _, c := range []struct {
		name string
		run  *synthetic
		from int
		want string
	}{
		{"at once", newSynthetic(100, 3, prefork, forkperjob), 0,
			"prefork did 90 of 300 jobs, 210 never run, since it could not go on in round 1: " + cause + "; forkperjob did all 300. " +
				"forkperjob ran # jobs per second [#, #], with # ms of CPU time for each."},
		{"later", newSynthetic(100, 3, prefork, forkperjob), 2,
			"prefork did 230 of 300 jobs, 70 never run, since it could not go on in round 3: " + cause + "; forkperjob did all 300. " +
				"forkperjob ran # jobs per second [#, #], with # ms of CPU time for each; the first job of each forkperjob process costs # ms more " +
				"than a later one: one-time work that every fork repeats, unless it is hoisted into the parent (--model=hybrid)."},
		{"alone", newSynthetic(100, 1, prefork), 0,
			"No verdict: prefork did 30 of 100 jobs, 70 never run, since it could not go on in round 1: " + cause + "."},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := summarize(t, c.run, cut(c.from))
			if !matches(s.Verdict, c.want) {
				t.Errorf("verdict\n%s, want\n%s", s.Verdict, c.want)
			}
			if len(s.Comparisons) != 0 || s.Models[0].Rounds != c.from {
				t.Errorf("%d rounds count, comparisons %+v", s.Models[0].Rounds, s.Comparisons)
			}
			threshold, err := runner.ParseThreshold("prefork.p95 > 1h")
			if err != nil {
				t.Fatal(err)
			}
			if crossed, why := threshold.Crossed(s); !crossed || !strings.Contains(why, "210 never run") && !strings.Contains(why, "70 never run") {
				t.Errorf("p95 passes: %t, %s", crossed, why)
			}
		})
	}
}

// What an interruption left is nobody's fault.
func TestInterruptedJobsAreNotUndone(t *testing.T) {
	s := summarize(t, newSynthetic(100, 1, prefork, forkperjob), func(lines []record.Line, m *record.Round) []record.Line {
		if m.Model == "prefork" {
			return lines
		}
		m.Settled, m.NotRun, m.CutOff, m.Unacknowledged, m.Interrupted = 40, 50, 4, 6, true
		return slices.DeleteFunc(lines, func(l record.Line) bool {
			j, ok := l.(*record.Job)
			return ok && j.ID >= 40
		})
	})
	if j := s.Models[1].Jobs; j.Undone != 0 || j.NotRun != 50 || s.Outcome() != "" {
		t.Errorf("jobs %+v, outcome %q", j, s.Outcome())
	}
	if len(s.Shares) != 1 || s.Shares[0].Jobs != 40 || s.Shares[0].Differ {
		t.Errorf("shares %+v", s.Shares)
	}
}

// Per second and per job is per job done; of those settled it has another name.
func TestFiguresOfJobsDone(t *testing.T) {
	s := summarize(t, newSynthetic(100, 3, prefork, forkperjob), undone("prefork", func(j *record.Job) bool { return j.ID%4 != 0 }, models.Failed, "x"))
	m := &s.Models[0]
	near := func(a, b float64) bool { return a > 0 && a/b < 1.0001 && b/a < 1.0001 }
	if !near(m.DonePerS.Median, m.Throughput.Median/4) {
		t.Errorf("%v jobs done per second, of %v settled", m.DonePerS.Median, m.Throughput.Median)
	}
	if m.CPUDone == nil || !near(m.CPUDone.Median, 4*m.CPU.Median) || !near(m.CPUDone.Children, 4*m.CPU.Children) {
		t.Errorf("CPU per job done %+v, per job settled %+v", m.CPUDone, m.CPU)
	}
	s = summarize(t, newSynthetic(100, 3, prefork), everyJob(func(j *record.Job) { j.Status = models.Failed }))
	if m := &s.Models[0]; m.DonePerS.Median != 0 || m.CPUDone != nil || m.Throughput.Median == 0 {
		t.Errorf("nothing done: %+v", m)
	}
}

// McNemar's test against its definition, summed in rational numbers.
func TestShareTest(t *testing.T) {
	for _, c := range []struct{ onlyA, onlyB int }{{0, 0}, {1, 0}, {5, 0}, {0, 6}, {3, 3}, {4, 9}, {12, 30}, {40, 41}, {0, 100},
		{4900, 5000}, {5000, 5200}} {
		jobs := max(200, c.onlyA+c.onlyB+10)
		s := summarize(t, newSynthetic(jobs, 1, prefork, forkperjob), everyJob(func(j *record.Job) {
			id := int(j.ID)
			only := j.Model == "forkperjob" && id < c.onlyA || j.Model == "prefork" && id >= c.onlyA && id < c.onlyA+c.onlyB
			if only || id >= jobs-10 { // the last ones fail wherever they run
				j.Status = models.Failed
			}
		}))
		if len(s.Shares) != 1 {
			t.Fatalf("shares %+v", s.Shares)
		}
		got := s.Shares[0]
		if got.Jobs != jobs || got.OnlyA != c.onlyA || got.OnlyB != c.onlyB {
			t.Errorf("%+v: got %+v", c, got)
		}
		want := midP(c.onlyA, c.onlyB)
		near := 1e-9
		if c.onlyA+c.onlyB > 10_000 {
			near = 1e-4 // from there on by the normal distribution
		}
		if d := got.P - want; d > near || d < -near {
			t.Errorf("%+v: p = %v, want %v", c, got.P, want)
		}
		if got.Differ != (want < 0.05) {
			t.Errorf("%+v: differ %t with p = %v", c, got.Differ, want)
		}
	}
}

// midP is P(X ≤ k) + P(X < k) of X binomial with n = b + c and 1/2, k the lesser.
func midP(b, c int) float64 {
	if b == c {
		return 1
	}
	n, k := int64(b+c), int64(min(b, c))
	sum, x := new(big.Int), big.NewInt(1) // n over i
	for i := int64(0); i <= k; i++ {
		sum.Add(sum, x)
		if i < k {
			sum.Add(sum, x)
		}
		x.Mul(x, big.NewInt(n-i))
		x.Quo(x, big.NewInt(i+1))
	}
	p, _ := new(big.Rat).SetFrac(sum, new(big.Int).Lsh(big.NewInt(1), uint(n))).Float64()
	return min(p, 1)
}

// Of several pairs, a small difference in one is not a finding: one in twenty would
// be, with no difference at all.
func TestSharesOfManyModels(t *testing.T) {
	named := func(name string) behaviour { b := prefork; b.name = name; return b }
	six := func(j *record.Job) bool { return j.ID < 6 }
	s := summarize(t, newSynthetic(100, 1, named("a"), named("b")), undone("a", six, models.Failed, "x"))
	if !s.Shares[0].Differ {
		t.Errorf("of one pair: %+v", s.Shares)
	}
	s = summarize(t, newSynthetic(100, 1, named("a"), named("b"), named("c"), named("d"), named("e")), undone("a", six, models.Failed, "x"))
	if slices.ContainsFunc(s.Shares, func(x runner.ShareTest) bool { return x.Differ }) {
		t.Errorf("of ten pairs: %+v", s.Shares)
	}
}

// Jobs that fail at random, as often in each model, are not told apart: in 200
// runs, about one in twenty is.
func TestSharesByChance(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	found := 0
	const runs = 200
	for range runs {
		s := summarize(t, newSynthetic(60, 1, prefork, forkperjob), everyJob(func(j *record.Job) {
			if random.Float64() < 0.3 {
				j.Status = models.Failed
			}
		}))
		if s.Shares[0].Differ {
			found++
		}
	}
	if found > runs/8 {
		t.Errorf("a difference was found in %d of %d runs without one", found, runs)
	}
}

// Causes are grouped by their last words, but for what differs from job to job.
func TestCauses(t *testing.T) {
	const chained = "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\nKeyError: 'x'\n\n" +
		"During handling of the above exception, another exception occurred:\n\n" + traceback
	const group = "  + Exception Group Traceback (most recent call last):\n  |   File \"a.py\", line 3, in f\n  |     raise g\n" +
		"  | ExceptionGroup: two (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n    | ValueError: 1\n    +---------------- 2 ----------------\n    | KeyError: 'k'\n    +------------------------------------\n"
	for _, c := range []struct {
		name    string
		details []string // of the first jobs; the others are done
		want    []string
	}{
		{"numbers and identifiers", []string{
			"E: user 17 of 0x7f3a", "E: user 9 of 0x1", "E: user 123 of 0xffff", "E: job 3f2b9c1e-1111-4222-8333-944455556666", "E: job 00000000-aaaa-4bbb-8ccc-0d0e0f101112",
		}, []string{"3 × E: user 17 of 0x7f3a", "2 × E: job 3f2b9c1e-1111-4222-8333-944455556666"}},
		{"what was raised last", []string{chained + "RuntimeError: b\n"}, []string{"1 × RuntimeError: b"}},
		{"a message of several lines", []string{traceback + "OperationalError: connection refused\n\tIs the server running?\n(Background at https://x/y)\n"},
			[]string{"1 × OperationalError: connection refused"}},
		{"a syntax error", []string{"Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n  File \"b.py\", line 2\n    def f(:\n          ^\nSyntaxError: invalid syntax\n"},
			[]string{"1 × SyntaxError: invalid syntax"}},
		{"a group", []string{group}, []string{"1 × KeyError: 'k'"}},
		{"recursion", []string{traceback + "  [Previous line repeated 971 more times]\nRecursionError: maximum recursion depth exceeded\n"},
			[]string{"1 × RecursionError: maximum recursion depth exceeded"}},
		{"Go", []string{"panic: nil map\ngoroutine 1 [running]:\nmain.f()\n\t/x.go:3"}, []string{"1 × panic: nil map"}},
		{"only words", []string{"no luck"}, []string{"1 × no luck"}},
		{"nothing", []string{" \n\n"}, []string{"1 × no reason given"}},
		{"hostile", []string{"\x1b[31mE\x00"}, []string{"1 × \x1b[31mE\x00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := summarize(t, newSynthetic(100, 1, prefork), everyJob(func(j *record.Job) {
				if j.ID < uint64(len(c.details)) {
					j.Status, j.Detail = models.Failed, c.details[j.ID]
				}
			}))
			var got []string
			for _, x := range s.Models[0].Causes {
				got = append(got, fmt.Sprintf("%d × %s", x.Jobs, x.Text))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("causes %q, want %q", got, c.want)
			}
		})
	}
	// The end of a process is found out by its host, in the first line; what it
	// printed follows.
	s := summarize(t, newSynthetic(100, 1, prefork), job(3, func(j *record.Job) {
		j.Status, j.Detail = models.Crashed, "its process ended under it: signal: killed\nlast output of the process tree:\nbye"
	}))
	if got := s.Models[0].Causes; len(got) != 1 || got[0] != (runner.Cause{Status: models.Crashed, Jobs: 1, Text: "its process ended under it: signal: killed"}) {
		t.Errorf("causes %+v", got)
	}
}

// However many different causes there are, memory is bounded and all are counted.
func TestCountlessCauses(t *testing.T) {
	s := summarize(t, newSynthetic(2000, 2, prefork), everyJob(func(j *record.Job) {
		word := strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprint(j.ID))
		j.Status, j.Detail = models.Failed, "E: "+word
	}))
	causes := s.Models[0].Causes
	if len(causes) != 10 || causes[0].Text != "for many different reasons" || causes[0].Jobs < 3800 {
		t.Errorf("causes %+v", causes)
	}
}

// No limit lets a model with undone jobs pass, unless so many are fine.
func TestGate(t *testing.T) {
	s := summarize(t, newSynthetic(100, 3, prefork, forkperjob, hybrid), each(
		undone("prefork", func(j *record.Job) bool { return j.ID < 5 }, models.Failed, "E: x"),
		undone("prefork", func(j *record.Job) bool { return j.ID == 7 }, models.Crashed, "signal: killed")))
	for _, c := range []struct {
		limits string // with semicolons between them
		allow  float64
		want   string // what is crossed, or "" if all pass
	}{
		{"prefork.p95 > 1h", 0, "prefork.p95 > 3.6e+06ms does not pass: prefork did 282 of 300 jobs, 15 failed and 3 crashed, 15 of them: E: x; --allow-failures=SHARE says how many are fine"},
		{"p95 > 1h", 0, "p95 > 3.6e+06ms does not pass: prefork did 282"},
		{"hybrid.p95 > 1h", 0, ""},
		{"prefork.throughput < 2*forkperjob.throughput", 0, "does not pass: prefork did 282"},
		{"hybrid.p95 > 1e6*prefork.p95", 0, "does not pass: prefork did 282"},
		{"hybrid.p95 > 1e6*forkperjob.p95", 0, ""},
		{"prefork.contaminated_rounds > 5", 0, "does not pass: prefork did 282"},
		{"p95 > 1h", 0.05, "does not pass: prefork did 282"},
		{"p95 > 1h", 0.06, ""},
		{"p95 > 1h", 1, ""},
		{"p95 > 1us", 1, "p95 of prefork is"},
		// A limit on a count says itself how many are fine, of these.
		{"failed > 20; crashed > 3", 0, ""},
		{"prefork.failed > 20; prefork.crashed > 3", 0, ""},
		{"failed > 20", 0, "failed > 20 does not pass: prefork did 282"},
		{"timed_out > 0", 0, "timed_out > 0 does not pass: prefork did 282"},
		{"failed > 20", 0.01, ""},
		{"undone > 18", 0, ""},
		{"undone > 17", 0, "undone of prefork is 18, which crosses undone > 17 (17)"},
		{"done < 282", 0, ""},
		{"failed > 20; crashed > 3; p95 > 1h", 0, "p95 > 3.6e+06ms does not pass: prefork did 282"},
	} {
		g := runner.Gate{AllowFailures: c.allow}
		for text := range strings.SplitSeq(c.limits, ";") {
			limit, err := runner.ParseThreshold(strings.TrimSpace(text))
			if err != nil {
				t.Fatal(err)
			}
			g.Thresholds = append(g.Thresholds, limit)
		}
		got := g.Crossed(s)
		if c.want == "" && len(got) != 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
			t.Errorf("%s with %v: %q, want %q", c.limits, c.allow, got, c.want)
		}
	}
	// A model that did nothing has no figures, and does not pass for that.
	s = summarize(t, newSynthetic(100, 1, prefork, forkperjob), undone("prefork", func(*record.Job) bool { return true }, models.Failed, "E: x"))
	limit, err := runner.ParseThreshold("cpu_ms_per_job > 1h")
	if err != nil {
		t.Fatal(err)
	}
	if crossed, why := limit.Crossed(s); !crossed || !strings.Contains(why, "prefork did none of 100 jobs") {
		t.Errorf("crossed %t: %s", crossed, why)
	}
}

// A list of payloads, or of recorded jobs, that is longer or shorter than there are
// jobs is told in a note: it takes nothing from the numbers.
func TestListsOfAnotherLength(t *testing.T) {
	for _, c := range []struct {
		listed  int
		payload string
		want    string
	}{
		{0, "", ""},
		{200, "", ""},
		{30, "", "the 30 recorded jobs are gone through again and again to make 200 jobs"},
		{5000, "", "the first 200 of 5,000 recorded jobs are run"},
		{30, "events.jsonl", "the 30 payloads are gone through again and again to make 200 jobs"},
	} {
		run := newSynthetic(200, 1, prefork)
		run.header.Spec.Listed, run.header.Spec.Payload = c.listed, c.payload
		if got := strings.Join(summarize(t, run, nil).Notes, "|"); got != c.want {
			t.Errorf("%+v: notes %q", c, got)
		}
	}
}

// A limit on a child's life that no child came to is told: the numbers are those of
// the model without it.
func TestLimitsThatAreNotReached(t *testing.T) {
	for _, c := range []struct {
		knob, value string
		jobs        int // 4 workers
		want        string
	}{
		{"max-jobs-per-child", "100", 200, "prefork: max-jobs-per-child=100 came to nothing: the most jobs that a child ran were "},
		{"max-tasks-per-child", "1000", 200, "so no child was replaced for it"},
		{"refork", "100", 200, "so no child became the parent of others"},
		{"jobs-per-child", "40", 200, ""},
		{"max-jobs-per-child", "0", 200, ""},
		{"jobs-per-child", "1", 200, ""},
	} {
		run := newSynthetic(c.jobs, 1, prefork)
		run.header.Spec.Models[0].Knobs = map[string]string{c.knob: c.value}
		s := summarize(t, run, nil)
		if c.want == "" && contains(s.Warnings, "came to nothing") || c.want != "" && !contains(s.Warnings, c.want) {
			t.Errorf("%+v: warnings %q", c, s.Warnings)
		}
	}
}

// Every job is in one state, and each state has its name: what ran and was not
// acknowledged is neither done nor lost.
func TestStatesAddUp(t *testing.T) {
	const unacknowledged, cutOff, notRun = 7, 2, 20
	gone := func(lines []record.Line, m *record.Round) []record.Line {
		jobs := 0
		lines = slices.DeleteFunc(lines, func(l record.Line) bool {
			j, ok := l.(*record.Job)
			if !ok {
				return false
			}
			jobs++
			j.Unacknowledged = jobs <= unacknowledged
			return jobs > m.Enqueued-cutOff-notRun
		})
		m.Unacknowledged, m.CutOff, m.NotRun = unacknowledged, cutOff, notRun
		m.Settled -= unacknowledged + cutOff + notRun
		m.Error = "settle jobs: redis at host:6379: connection refused"
		return lines
	}
	s := summarize(t, newSynthetic(100, 1, prefork), gone)
	want := runner.Jobs{Enqueued: 100, Settled: 71, Done: 71, Undone: 29, NotRun: notRun, Unacknowledged: unacknowledged, CutOff: cutOff}
	if got := s.Models[0].Jobs; got != want {
		t.Errorf("jobs %+v; want %+v", got, want)
	}
	const text = "prefork did 71 of 100 jobs, 7 run but not acknowledged, 2 cut off and 20 never run, since it could not go on in round 1: "
	if !strings.Contains(s.Verdict, text) {
		t.Errorf("verdict %q; want %q in it", s.Verdict, text)
	}
	for _, e := range s.Errors {
		if !strings.Contains(e, "could not go on") {
			t.Errorf("error: %s", e)
		}
	}
}
