package explain

import (
	"strings"
	"testing"
)

// TestContradictions trips each rule with a result that says one thing and the
// opposite.
func TestContradictions(t *testing.T) {
	between := func(low, high float64) Interval {
		return Interval{Median: (low + high) / 2, Low: &low, High: &high, rounds: 5}
	}
	saves := func(name string) Try {
		return Try{Name: name, Measured: Saving{Wall: between(25, 31), CPU: between(20, 30)}}
	}
	saving := saves("import httpcore")
	unsafe := saves("app.load()")
	unsafe.Unfit = []string{"its forks share a TCP connection to 127.0.0.1:6379"}
	loading := Item{Call: "app.load", WarmUp: []string{"app.load()"}, Flag: "app:load", Saved: &unsafe}
	long := loading
	long.Flag = strings.Repeat("app:table('en'),", 40)
	undone := Item{Call: "app.connect", Hazards: []string{"leaves a connection open"}, Undo: &Undo{Call: "app.pool.connect()", Flag: "undo:app:pool.connect", Saved: &unsafe}}
	job := unsafe
	job.oneJob = true
	for name, c := range map[string]struct {
		result Result
		want   string
	}{
		"nothing, and a saving": {
			Result{Verdict: nothingWorth + ": a job takes 100 ms", Together: []Try{saves("all of it (--refork=5)")}},
			"nothing is worth hoisting, and all of it (--refork=5) saves 28.0 ms of each job",
		},
		"a warm-up that changes nothing and saves": {
			Result{WarmUps: []WarmUp{{Reference: "httpcore", Useless: true, Saved: &saving}}},
			"the warm-up httpcore changes nothing, and saves 28.0 ms",
		},
		"tried in vain, and measured to save": {
			Result{Findings: []Item{
				{Call: "import httpx", Tried: []string{"import httpcore, made in a parent, changes nothing: the jobs do it again"}},
				{Call: "import httpcore", WarmUp: []string{"import httpcore"}, Flag: "httpcore", Saved: &saving},
			}},
			"import httpcore changes nothing, and saves 28.0 ms",
		},
		"a refork that was not measured": {
			Result{Findings: []Item{{Call: "app.load", Refork: true}}, NoRefork: "its jobs leave a connection open"},
			"--refork saves app.load, and was not measured",
		},
		"a saving by no call": {
			Result{Findings: []Item{{Call: "app.load", Saved: &saving}}}, "there is no call that does it",
		},
		"more than the whole": {
			Result{Named: &Rest{WallMS: 34}, OneTime: Saving{Wall: Interval{Median: 19}}}, "what is named comes to 34.0 ms of 19.0 ms",
		},
		"unsafe, in the first line": {
			Result{Verdict: "app.load() runs again in every fork; made in the parent before the fork (--warm=app:load), it saves 28.0 ms", Findings: []Item{loading}},
			"app.load() is recommended by the first line, and is unsafe: its forks share a TCP connection",
		},
		"unsafe, and too long for the first line": {
			Result{Verdict: "app.load() runs again in every fork; made in the parent before the fork (by the --warm below), it saves 28.0 ms", Findings: []Item{long}},
			"app.load() is recommended by the first line",
		},
		"unsafe, and undone": {
			Result{Verdict: "app.connect runs again in every fork; made and given up (--warm=undo:app:pool.connect), it saves 28.0 ms", Findings: []Item{undone}},
			"app.connect is recommended by the first line",
		},
		"unsafe, to be pasted": {
			Result{Findings: []Item{loading}, Hoist: &Hoist{Steps: []Step{{Import: "app", Call: "app.load()"}}}},
			"app.load() is recommended by what is to be pasted, and is unsafe",
		},
		"an unsafe job": {
			Result{Verdict: "app.load runs again; one job in the parent (--warm=job) saves 54.2 ms", Together: []Try{job}},
			"app.load() is recommended by the first line, and is unsafe",
		},
		"unsafe, and advised by nothing": {
			Result{Verdict: "app.load runs again in every fork, but must not be made in the parent as it is", Findings: []Item{loading, undone}, Together: []Try{job}}, "",
		},
		"none": {
			Result{
				Verdict: "import httpcore runs again in every fork", Together: []Try{saves("all of these calls")},
				Findings: []Item{{Call: "import httpcore", WarmUp: []string{"import httpcore"}, Flag: "httpcore", Saved: &saving}},
				WarmUps:  []WarmUp{{Reference: "httpcore", Saved: &saving}, {Reference: "app:nothing", Useless: true}},
			}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.result.FirstJob.Wall.Median = 100
			r := &run{result: &c.result, measured: &measurements{}}
			got := strings.Join(r.contradictions(), "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestOverlap: two calls that share most of what they do are not added up.
func TestOverlap(t *testing.T) {
	wall := func(ms float64) *Try { return &Try{Measured: Saving{Wall: Interval{Median: ms}}} }
	r := &run{result: &Result{
		Findings: []Item{{Call: "import smtplib", Saved: wall(17)}, {Call: "import email.mime.text", Saved: wall(17)}},
		Together: []Try{{Name: allTogether, Measured: Saving{Wall: Interval{Median: 19}}}},
	}}
	if got := r.overlap(); !strings.Contains(got, "34.0 ms if added up; all of them save 19.0 ms") {
		t.Errorf("got %q", got)
	}
	r.result.Findings[0].Saved = wall(3)
	if got := r.overlap(); got != "" {
		t.Errorf("got %q of calls that do not overlap", got)
	}
}

// TestShellWord: what is printed is one word of a shell, and that word.
func TestShellWord(t *testing.T) {
	for text, want := range map[string]string{
		"sqlalchemy.orm:configure_mappers": "sqlalchemy.orm:configure_mappers", "httpx": "httpx", "": `""`,
		"app:table('en')": `"app:table('en')"`, `app:t("$x")`: `'app:t("$x")'`, `app:t('a', "b")`: `'app:t('\''a'\'', "b")'`,
	} {
		if got := shellWord(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
