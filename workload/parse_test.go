package workload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		spec     string
		function string // what it calls; empty for Go workloads
		payload  string // of job 0 of seed 1; empty if it is made up
	}{
		{"record_event", "forkbench_record_event.record_event", ""},
		{"noop", "forkbench_jobs.noop", "[]"},
		{" noop ", "forkbench_jobs.noop", "[]"},
		{"cpu:1ms", "forkbench_jobs.cpu", "[0.001]"},
		{"cpu:1m1s", "forkbench_jobs.cpu", "[61]"},
		{"cpu:1h", "forkbench_jobs.cpu", "[3600]"},
		{"io:1.5s", "forkbench_jobs.io", "[1.5]"},
		{"io:250ns", "forkbench_jobs.io", "[2.5e-7]"},
		{"touch:64MB", "forkbench_jobs.touch", "[64000000]"},
		{"touch:64MiB", "forkbench_jobs.touch", "[67108864]"},
		{"touch:64M", "forkbench_jobs.touch", "[67108864]"},
		{"touch:1B", "forkbench_jobs.touch", "[1]"},
		{"touch:64G", "forkbench_jobs.touch", "[68719476736]"},
		{"leak:1.5KB", "forkbench_jobs.leak", "[1500]"},
		{"leak:1K", "forkbench_jobs.leak", "[1024]"},
		{"crash:1", "forkbench_jobs.crash", "[true]"},
		{"crash:100%", "forkbench_jobs.crash", "[true]"},
		{"crash:1e-300", "forkbench_jobs.crash", "[false]"},
		{"hang:1", "forkbench_jobs.hang", "[true]"},
		{"100%cpu:1ms", "forkbench_jobs.mixed", `{"job":"cpu","args":[0.001]}`},
		{"50%noop, 50%noop", "forkbench_jobs.mixed", `{"job":"noop","args":[]}`},
		{"33.3%noop,33.3%noop,33.4%noop", "forkbench_jobs.mixed", `{"job":"noop","args":[]}`},
		{"py:app.tasks:Mailer.send", "app.tasks.Mailer.send", "[]"},
		{"py:größe:f1", "größe.f1", "[]"},
		{"act", "forkbench_act.act", `{"do":"done"}`},
		{"go:record_event", "", ""},
		{"go:noop", "", "[]"},
	} {
		w, err := Parse(test.spec)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, want := w.Name(), strings.TrimSpace(test.spec); got != want {
			t.Errorf("Parse(%q).Name() = %q", test.spec, got)
		}
		if got := string(w.Payload(1, 0)); test.payload != "" && got != test.payload {
			t.Errorf("%s: payload %s, want %s", test.spec, got, test.payload)
		}
		p, isPython := w.(Python)
		if _, isGo := w.(Go); isGo == isPython {
			t.Errorf("%s: runs on Python: %t, on Go: %t", test.spec, isPython, isGo)
		}
		if !isPython {
			continue
		}
		f := p.PythonFunction()
		if got := f.Module + "." + f.Function; got != test.function {
			t.Errorf("%s: calls %s, want %s", test.spec, got, test.function)
		}
		if _, has := f.Sources[f.Module]; has == strings.HasPrefix(test.spec, "py:") {
			t.Errorf("%s: brings the source of its module: %t", test.spec, has)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ spec, want string }{
		{"", `unknown name ""; the workloads are record_event, noop, cpu:DURATION,`},
		{"recrd_event", `unknown name "recrd_event"; did you mean record_event?`},
		{"Record_Event", `did you mean record_event?`},
		{"cup:1ms", `unknown name "cup"; did you mean cpu:DURATION?`},
		{"leek:1MB", `did you mean leak:SIZE?`},
		{"GO:noop", `did you mean go:noop?`},
		{"go:recordevent", `unknown name "go:recordevent"; did you mean go:record_event?`},
		{"go:", `the workloads are`},
		{"PY:a:b", `did you mean py:MODULE:FUNCTION?`},
		{"app.tasks:send", `unknown name "app.tasks"; a Python function is py:app.tasks:send`},
		{"something", `the workloads are`},
		{"noop:1", `workload "noop:1": noop takes nothing after its name`},
		{"cpu", `workload "cpu": cpu needs a duration, as in cpu:10ms`},
		{"touch:", `touch needs a size, as in touch:64MB`},
		{"hang", `hang needs a probability, as in hang:1%`},
		{"cpu:1", `"1" is not a duration: give a number and a unit (ns, us, ms, s, m, h), as in cpu:10ms`},
		{"io:fast", `"fast" is not a duration`},
		{"io:0s", `a duration of 0s: must be more than 0, as in io:10ms`},
		{"io:-1ms", `a duration of -1ms: must be more than 0`},
		{"cpu:61m", `a duration of 61m: must be at most 1h`},
		{"cpu:9999999999999h", `is not a duration`},
		{"touch:64", `"64" is not a size: give a number and a unit`},
		{"touch:64TB", `"64TB" is not a size`},
		{"touch:64iB", `"64iB" is not a size`},
		{"touch:MB", `"MB" is not a size`},
		{"touch:0x1p3MB", `"0x1p3MB" is not a size`},
		{"touch:0MB", `a size of 0MB: must be at least 1B`},
		{"touch:-1MB", `a size of -1MB: must be at least 1B`},
		{"leak:65G", `a size of 65G: must be at most 64G, as in leak:1MB`},
		{"leak:1e999B", `must be at most 64G`},
		{"crash:", `crash needs a probability`},
		{"crash:often", `"often" is not a probability: give a number up to 1 or a percentage, as in crash:0.05`},
		{"crash:NaN", `"NaN" is not a probability`},
		{"crash:0", `a probability of 0: must be more than 0, as in crash:0.05; noop is`},
		{"crash:-5%", `a probability of -5%: must be more than 0`},
		{"crash:5", `a probability of 5: must be at most 1 or 100%`},
		{"hang:101%", `a probability of 101%: must be at most 1 or 100%`},
		{"py:", `needs a module and a function, as in py:app.tasks:record_event`},
		{"py:app.tasks.send", `needs a colon between module and function, as in py:app.tasks:send`},
		{"py:a-b:c d", `"a-b" is not the name of a module`},
		{"py:a-b:c d", `"c d" is not the name of a function`},
		{"py:a..b:f", `"a..b" is not the name of a module`},
		{"py:1a:f", `"1a" is not the name of a module`},
		{"py:a:b:c", `"b:c" is not the name of a function`},
		{"90%cpu:1ms,5%noop", `the shares of a mix must add up to 100: 90 + 5 = 95`},
		{"33.3%noop,33.3%noop,33.3%noop", `the shares of a mix must add up to 100: 33.3 + 33.3 + 33.3 = 99.9`},
		{"noop,io:1ms", `part 1, "noop": a part of a mix begins with its share, as in 90%cpu:1ms`},
		{"100%noop,", `part 2, "": a part of a mix begins with its share`},
		{"0%noop,100%noop", `part 1, "0%noop": "0" is not a share: give a percentage above 0 and up to 100`},
		{"-5%noop,105%noop", `"-5" is not a share`},
		{"-5%noop,105%noop", `"105" is not a share`},
		{"50%cup:1ms,50%io:1", `part 1, "50%cup:1ms": unknown name "cup"; did you mean cpu:DURATION?`},
		{"50%cup:1ms,50%io:1", `part 2, "50%io:1": "1" is not a duration`},
		{"x%noop,%io:1", `"" is not a share`},
		{"x%noop,%io:1", `part 2, "%io:1": "" is not a share: give a percentage above 0 and up to 100, as in 90%cpu:1ms` + "\n" + `"1" is not a duration`},
		{"50%py:a:b,50%go:noop", `part 1, "50%py:a:b": a mix holds only built-in Python jobs`},
		{"50%py:a:b,50%go:noop", `part 2, "50%go:noop": a mix holds only built-in Python jobs`},
		{strings.Repeat("1%noop,", 1000), `longer than 4096 bytes`},
	} {
		w, err := Parse(test.spec)
		if err == nil {
			t.Errorf("Parse(%q) = %v, want an error", test.spec, w)
			continue
		}
		if !strings.Contains(err.Error(), test.want) {
			t.Errorf("Parse(%q): %v\nwant in it: %s", test.spec, err, test.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, d := range Builtin() {
		f.Add(d.Example)
	}
	f.Add("33.3%touch:1KiB,66.7%crash:5%")
	f.Fuzz(func(t *testing.T, spec string) {
		w, err := Parse(spec)
		if (w == nil) == (err == nil) {
			t.Fatalf("Parse(%q) = %v, %v", spec, w, err)
		}
		if err != nil {
			return
		}
		again, err := Parse(w.Name())
		if err != nil {
			t.Fatalf("Parse(%q), a workload's own name: %v", w.Name(), err)
		}
		for id := range uint64(3) {
			payload := w.Payload(7, id)
			if !json.Valid(payload) {
				t.Errorf("%q: payload %s is not JSON", spec, payload)
			}
			if other := again.Payload(7, id); !bytes.Equal(other, payload) {
				t.Errorf("%q: payload %s, and %s when parsed again", spec, payload, other)
			}
		}
	})
}

// TestBuiltin holds the list as a user sees it, and that it is true.
func TestBuiltin(t *testing.T) {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, d := range Builtin() {
		_, _ = fmt.Fprintf(tw, "%s\t%s\t%s\n", d.Name, d.Example, d.Doc)
		if _, err := Parse(example(d)); err != nil {
			t.Errorf("%s: its example: %v", d.Name, err)
		}
		if strings.ContainsRune(d.Doc, '\n') || d.Doc == "" {
			t.Errorf("%s: its description must be one line: %q", d.Name, d.Doc)
		}
	}
	if err := tw.Flush(); err != nil {
		t.Fatal(err)
	}
	golden(t, "workloads.golden", b.String())
	for _, spec := range []string{Default, DefaultGo} {
		mustParse(t, spec)
	}
}

func TestNearest(t *testing.T) {
	candidates := []string{"io", "cpu", "touch", "record_event"}
	for _, test := range []struct {
		name string
		want int
	}{
		{"cpu", 1},
		{"CPU", 1},
		{"cup", 1},                   // neighbours swapped
		{"toch", 2},                  // a letter missing
		{"tuoch:", 2},                // and one too many
		{"recordevents", 3},          // two edits
		{"record_the_event", 3},      // four, in a long name
		{"record_the_big_event", -1}, // eight
		{"oi", 0},                    // a swap
		{"xy", -1},                   // as long as io, and nothing in common
		{"", -1},                     // nothing to go by
		{"\xff\xfe", -1},             // not even text
		{strings.Repeat("x", 5), -1}, // all replaced
	} {
		if got := nearest(test.name, candidates); got != test.want {
			t.Errorf("nearest(%q) = %d, want %d", test.name, got, test.want)
		}
	}
}
