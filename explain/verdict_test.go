package explain

import (
	"strings"
	"testing"
)

// known is a saving of a job that was measured to be that, and not 0.
func known(ms float64) Saving {
	low, high := 0.9*ms, 1.1*ms
	i := Interval{Median: ms, Low: &low, High: &high, rounds: 5}
	return Saving{Wall: i, CPU: i}
}

// unknown is a saving that may be none.
func unknown(ms float64) Saving {
	low, high := -2*ms, 3*ms
	i := Interval{Median: ms, Low: &low, High: &high, rounds: 5}
	return Saving{Wall: i, CPU: i}
}

// firstLine is what a result says first of a job of 100 ms.
func firstLine(res *Result) string {
	res.FirstJob.Wall.Median = 100
	r := &run{result: res, measured: &measurements{}}
	return r.verdictOfFindings()
}

// onlyCPU is a saving of CPU; by the clock there may be none, or a loss.
func onlyCPU(ms, low, high float64) Saving {
	s := known(ms)
	s.Wall = Interval{Median: (low + high) / 2, Low: &low, High: &high, rounds: 5}
	return s
}

// callSaves is a finding that is a call which saves that.
func callSaves(s Saving) Item {
	return Item{
		Call: "app.load", CallMS: 50, Job: 0.5, WarmUp: []string{"app.load()"}, Flag: "app:load",
		Saved: &Try{Measured: s, PredictedMS: 21, Throughput: 1.3},
	}
}

// TestSavesMore: what saves much more than the call that the first line names is in
// that line.
func TestSavesMore(t *testing.T) {
	const call = "app.load() runs again in every fork, and takes 50 % of each job (50.0 ms of 100 ms); made in the parent before the fork (--warm=app:load), " +
		"it saves 20.0 ms of each job, measured (21.0 ms were predicted), and a worker gets through 1.30 times the jobs"
	oneJob := func(s Saving) Try { return Try{Name: "one job", Measured: s, oneJob: true} }
	all := func(s Saving) Try { return Try{Name: allTogether, Measured: s} }
	unfit := oneJob(known(54.2))
	unfit.Unfit = []string{"a connection is shared"}
	leaving := Item{
		Call: "pool.connect", CallMS: 50, Job: 0.5, Hazards: []string{"leaves a connection open to ('127.0.0.1', 6379)"},
		Undo: &Undo{Flag: "undo:app:connect", Spares: 0.9, Does: []string{"pool.ask (80 % of it)"}, Saved: &Try{Measured: known(20), PredictedMS: 21, Throughput: 1.3}},
	}
	for name, c := range map[string]struct {
		first    Item
		together []Try
		want     string // after the call; all of it, where that is not the first finding
	}{
		"one job":            {callSaves(known(20)), []Try{oneJob(known(54.2)), all(known(40))}, call + "; one job in the parent (--warm=job) saves 54.2 ms"},
		"all calls":          {callSaves(known(20)), []Try{oneJob(known(25)), all(known(40))}, call + "; all of the calls below save 40.0 ms"},
		"jobs in the parent": {callSaves(known(20)), []Try{{Name: "all of it", Measured: known(31), refork: true}}, call + "; a parent that has run jobs (--refork=5) saves 31.0 ms"},
		"not much more":      {callSaves(known(20)), []Try{oneJob(known(29))}, call},
		"of CPU": {
			callSaves(onlyCPU(20, -1, 9)), []Try{oneJob(known(54.2))},
			"app.load() runs again in every fork, and takes 50 % of each job (50.0 ms of 100 ms); made in the parent before the fork (--warm=app:load), " +
				"it saves 20.0 ms of CPU of each job, measured (0.00 ms were predicted), but no time that could be seen by the clock" +
				"; one job in the parent (--warm=job) saves 54.2 ms of CPU",
		},
		"not known": {callSaves(known(20)), []Try{oneJob(unknown(54.2))}, call},
		"unsafe":    {callSaves(known(20)), []Try{unfit}, call},
		"as given":  {callSaves(known(20)), []Try{{Name: "the warm-ups as given", Measured: known(60)}}, call},
		"given up again": {leaving, []Try{oneJob(known(54.2))}, "pool.connect runs again in every fork, and takes 50 % of each job (50.0 ms of 100 ms); " +
			"it leaves a connection open, but made in the parent and given up before the fork (--warm=undo:app:connect), " +
			"it saves 20.0 ms of each job, measured (21.0 ms were predicted), and a worker gets through 1.30 times the jobs; one job in the parent (--warm=job) saves 54.2 ms"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := firstLine(&Result{Findings: []Item{c.first}, Together: c.together}); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestFirstLineIsShort: no text to paste that fills a screen, and none at all of what
// was not seen to save anything.
func TestFirstLineIsShort(t *testing.T) {
	long := callSaves(known(20))
	long.Flag = strings.Repeat("app:table('en'),", 40)
	if got := firstLine(&Result{Findings: []Item{long}}); !strings.Contains(got, "before the fork (by the --warm below), it saves 20.0 ms") {
		t.Errorf("a long one: %s", got)
	}
	if got := long.hoist(); got != "by the --warm below" { // whole in a note: TestLongNames
		t.Errorf("in the table, it is %s", got)
	}

	vain := long
	vain.Saved = &Try{Measured: unknown(2)}
	other := callSaves(known(20))
	got := firstLine(&Result{Findings: []Item{vain, other}})
	if !strings.Contains(got, "; made in the parent before the fork, it was not seen to save anything; what can be made there is app.load() (--warm=app:load): it saves 20.0 ms") {
		t.Errorf("one in vain: %s", got)
	}
	if got := vain.hoist(); strings.Contains(got, "--warm") {
		t.Errorf("in the table, it is advised: %s", got)
	}

	untried := Item{Call: "app.load", Untried: strings.Repeat("app:table('en'),", 40)}
	if got := untried.hoist(); len(got) > inLine || !strings.Contains(got, "untried_warm in explain.json") {
		t.Errorf("not tried: %s", got)
	}
}

// TestBetterWithout: of two ways that save as much, the one that leaves nothing open
// is named.
func TestBetterWithout(t *testing.T) {
	leaving := Item{
		Call: "pool.connect", CallMS: 50, Job: 0.5, Hazards: []string{"leaves a connection open"}, Draws: []string{"a token (secrets.token_hex)"},
		Undo: &Undo{Flag: "undo:app:connect", Saved: &Try{Measured: known(19)}},
	}
	got := firstLine(&Result{Findings: []Item{leaving, callSaves(known(20))}})
	if !strings.Contains(got, "it leaves a connection open; what can be made there is app.load() (--warm=app:load): it saves 20.0 ms") ||
		strings.Contains(got, "undo:") || strings.Contains(got, "draws") {
		t.Errorf("%s", got)
	}
	leaving.Undo.Saved = &Try{Measured: known(22)}
	got = firstLine(&Result{Findings: []Item{leaving, callSaves(known(20))}})
	if !strings.Contains(got, "(--warm=undo:app:connect), it saves 22.0 ms") || strings.Contains(got, "app.load()") ||
		!strings.HasSuffix(got, "; but it draws a token (secrets.token_hex), which is then the same in every child (see below)") {
		t.Errorf("%s", got)
	}
}

// TestUnsafeIsNotAdvised: what forks of a parent share that made a call outranks what
// it was measured to save.
func TestUnsafeIsNotAdvised(t *testing.T) {
	unsafe := callSaves(known(40))
	unsafe.Call, unsafe.WarmUp, unsafe.Flag = "app.connect", []string{"app.connect()"}, "app:connect"
	unsafe.Saved.Unfit = []string{"its forks share a TCP connection to 127.0.0.1:6379"}
	const why = "app.connect() runs again in every fork, and takes 50 % of each job (50.0 ms of 100 ms), but must not be made in the parent as it is: " +
		"its forks share a TCP connection to 127.0.0.1:6379"
	for name, c := range map[string]struct {
		findings []Item
		want     string
	}{
		"alone":               {[]Item{unsafe}, why},
		"before another call": {[]Item{unsafe, callSaves(known(20))}, why + "; what can be made there is app.load() (--warm=app:load): it saves 20.0 ms"},
		"after another call": {
			[]Item{{Call: "app.wait", CallMS: 50, Job: 0.5}, unsafe, callSaves(known(20))},
			"app.wait runs again in every fork, and takes 50 % of each job (50.0 ms of 100 ms); what can be made there is app.load() (--warm=app:load): it saves 20.0 ms",
		},
	} {
		res := &Result{Findings: c.findings}
		res.Verdict = firstLine(res)
		if !strings.HasPrefix(res.Verdict, c.want) || c.want == why && res.Verdict != why {
			t.Errorf("%s: %s", name, res.Verdict)
		}
		if list := (&run{result: res, measured: &measurements{}}).contradictions(); list != nil {
			t.Errorf("%s: %q", name, list)
		}
	}
	if got := unsafe.hoist(); got != "no: made in the parent, its forks share a TCP connection to 127.0.0.1:6379" {
		t.Errorf("in the table: %s", got)
	}
	undone := Item{Call: "pool.connect", CallMS: 50, Job: 0.5, Hazards: []string{"leaves a connection open"}, Undo: &Undo{Flag: "undo:app:connect", Saved: unsafe.Saved}}
	if got := undone.hoist(); got != "no: leaves a connection open" {
		t.Errorf("given up, and unsafe all the same: %s", got)
	}
}

// TestToldOfTheClock: what saves CPU only, or loses time, is not told to save time.
func TestToldOfTheClock(t *testing.T) {
	for want, s := range map[string]Saving{
		"20.0 ms of each job, measured": known(20),
		"20.0 ms of CPU of each job, measured, but no time that could be seen by the clock": onlyCPU(20, -3, 12),
		"20.0 ms of CPU of each job, measured, but takes 10.0 ms longer by the clock":       onlyCPU(20, -12, -8),
	} {
		try := &Try{Measured: s, PredictedCPU: 21, PredictedMS: 21, Throughput: 0.9}
		if got := try.savings(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		told := strings.ReplaceAll(try.told(), " (21.0 ms were predicted)", "")
		if !strings.HasPrefix(told, want) || strings.Contains(told, "a worker") && !strings.HasSuffix(told, ", but a worker gets through 0.90 times the jobs") {
			t.Errorf("in the first line: %s", told)
		}
	}
}

// TestPastACollection: a collection of garbage says nothing of what can be hoisted.
func TestPastACollection(t *testing.T) {
	collection := Item{Call: "app.make", CallMS: 40, Job: 0.4, Kind: "own", Collection: true}
	got := firstLine(&Result{Findings: []Item{collection, callSaves(known(20))}})
	if !strings.HasPrefix(got, "app.load() runs again in every fork, and takes 50 %") || !strings.Contains(got, "(--warm=app:load), it saves 20.0 ms") {
		t.Errorf("behind a collection: %s", got)
	}
	if got := firstLine(&Result{Findings: []Item{collection}}); !strings.HasPrefix(got, nothingWorth) {
		t.Errorf("a collection alone: %s", got)
	}
	jobs := Try{Name: "all of it", Measured: known(31), PredictedMS: 30, Throughput: 1.4, refork: true}
	res := &Result{Findings: []Item{collection}, Together: []Try{jobs}}
	res.Verdict = firstLine(res)
	const want = "no call by itself is what each fork repeats, but a parent that has run jobs (--refork=5) saves 31.0 ms of each job, measured (30.0 ms were predicted), " +
		"and a worker gets through 1.40 times the jobs; a job takes 100 ms in a fresh fork and 0.00 ms in a process that has run others"
	if res.Verdict != want {
		t.Errorf("got  %s\nwant %s", res.Verdict, want)
	}
	if list := (&run{result: res, measured: &measurements{}}).contradictions(); list != nil {
		t.Errorf("%q", list)
	}
}

// TestTakesNoMoreThanTheJob: the median of the differences of jobs may be more than
// the median of jobs, and no call takes more than the job that it is in.
func TestTakesNoMoreThanTheJob(t *testing.T) {
	r := &run{result: new(Result), cold: trees{first: at("job", 0, at("load", 1000)), later: at("job", 0)}}
	r.result.FirstJob = known(692)
	r.result.OneTime = known(717)
	f := &found{finding: attribute(r.cold.first, r.cold.later)[0]}
	if wall, cpu := r.cost(f); wall != 692 || cpu != 692 {
		t.Errorf("%v ms by the clock and %v of CPU, of 692", wall, cpu)
	}
}

// TestNoCallOfItsOwn: where no call does what is repeated, and a parent that has run
// jobs spares it, the first line says so.
func TestNoCallOfItsOwn(t *testing.T) {
	res := &Result{
		Findings: []Item{{Call: "jinja2.loaders.BaseLoader.load", CallMS: 94, Job: 0.94, Refork: true}},
		Together: []Try{{Name: "all of it", Measured: known(90), PredictedMS: 91, Throughput: 11, refork: true}},
	}
	res.Verdict = firstLine(res)
	const want = "jinja2.loaders.BaseLoader.load runs again in every fork, and takes 94 % of each job (94.0 ms of 100 ms); " +
		"a parent that has run jobs (--refork=5) saves 90.0 ms of each job, measured (91.0 ms were predicted), and a worker gets through 11.0 times the jobs"
	if res.Verdict != want {
		t.Errorf("got  %s\nwant %s", res.Verdict, want)
	}
	if list := (&run{result: res, measured: &measurements{}}).contradictions(); list != nil {
		t.Errorf("%q", list)
	}
}

// TestOtherwise: what does a finding by another name is said to be what it is.
func TestOtherwise(t *testing.T) {
	for call, want := range map[string]string{
		"app.load('a._b')":         "app.load('a._b') is the public call that does what jobs do by lib._load (lib.py:3): made in a parent, the jobs",
		"app._load()":              "app._load() is the call that",
		"app.celery.tasks":         "app.celery.tasks is the public attribute that does what jobs do by lib._load (lib.py:3): read in a parent, the jobs",
		"app._state.tasks":         "app._state.tasks is the attribute that",
		"import xml.etree._helper": "import xml.etree._helper is the import that does what jobs do by lib._load (lib.py:3): made in a parent, the jobs",
	} {
		it := Item{Call: "lib._load", Defined: "lib.py:3", WarmUp: []string{call}}
		if got := it.otherwise(); !strings.HasPrefix(got, want) {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}

// TestLongNames: no cell of a table is as long as an argument may be; what is to be
// pasted is whole in a note.
func TestLongNames(t *testing.T) {
	long := "app:pattern('" + strings.Repeat("(?:å|b)", 25) + "')"
	it := Item{Call: "re._compiler.compile", WarmUp: []string{strings.Replace(long, ":", ".", 1)}, Flag: long, CallMS: 50, Job: 0.5}
	it.Saved = &Try{Name: it.WarmUp[0], Measured: known(20), Throughput: 1.3}
	res := &Result{Findings: []Item{it}, WarmUps: []WarmUp{{Reference: long, Verdict: "spares each job re._compiler.compile"}}}
	r := &run{result: res, measured: &measurements{}}
	r.notes()
	for _, table := range res.Report().Tables {
		for _, row := range table.Rows {
			for _, cell := range row {
				if len([]rune(cell)) > inTable {
					t.Errorf("%s: %s", table.Title, cell)
				}
			}
		}
	}
	if want := it.paste(); !strings.Contains(strings.Join(res.Notes, "\n"), want) {
		t.Errorf("no %s in %q", want, res.Notes)
	}
}

// TestNothingFound: what no profile shows is a saving only where enough was measured.
func TestNothingFound(t *testing.T) {
	few := Saving{Wall: Interval{Median: 30, rounds: 4}, CPU: Interval{Median: -9, rounds: 4}}
	for saving, want := range map[*Saving]string{
		new(known(30)): "no call by itself is what each fork repeats, but a parent that has run jobs (--refork=5) saves 30.0 ms",
		&few:           nothingWorth,
	} {
		if got := firstLine(&Result{Together: []Try{{Name: "all of it", Measured: *saving, Throughput: 0.46, refork: true}}}); !strings.HasPrefix(got, want) {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}
