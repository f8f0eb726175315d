package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"forkbench/conditions"
	"forkbench/plots"
	"forkbench/record"
	"forkbench/runner"
)

// The whole way, for both runtimes: from the command line to the files.
func TestCompares(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		jobs int // that each model settles in all rounds
	}{
		{"python", []string{"--workload=noop", "--jobs=40", "--rounds=2"}, 80},
		{"go", []string{"--workload=go:noop", "--jobs=8", "--rounds=1"}, 8},
		{"knobs", []string{
			"--workload=noop", "--jobs=30", "--rounds=1", "--workers=2", "--seed=18446744073709551615",
			"--max-jobs-per-child=7", "--max-memory-per-child=1GB", "--jobs-per-child=3", "--spares=2", "--refork=4",
		}, 30},
		{"plan", []string{"--workload=noop", "--jobs=20", "--rounds=1", "--arrivals=rate:500/s", "--model=forkperjob,hybrid"}, 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			files := textNames()
			if c.name == "python" {
				b.draw, files = plots.Write, resultNames()
			}
			r := b.run(append(c.args, "--out=out")...)
			r.want(t, exitDone)
			if controlCodes.MatchString(r.stdout + r.stderr) {
				t.Errorf("control codes where there is no terminal:\n%q\n%q", r.stdout, r.stderr)
			}
			s := summaryIn(t, "out")
			if got := firstLine(r.stdout); got != s.Verdict {
				t.Errorf("the first line is %q, the verdict %q", got, s.Verdict)
			}
			if len(s.Models) != len(s.Spec.Models) || len(s.Models) == 0 {
				t.Fatalf("%d models of %d", len(s.Models), len(s.Spec.Models))
			}
			for _, m := range s.Models {
				if m.Jobs.Enqueued != c.jobs || m.Jobs.Settled != c.jobs || m.Jobs.Done != c.jobs {
					t.Errorf("%s: jobs %+v, want %d done", m.Model, m.Jobs, c.jobs)
				}
				if !strings.Contains(r.stderr, m.Model) {
					t.Errorf("the progress does not name %s:\n%s", m.Model, r.stderr)
				}
			}
			wantFiles(t, "out", files)
			for _, name := range files {
				if name = strings.TrimSuffix(strings.TrimSuffix(name, ".svg"), ".png"); !strings.Contains(r.stdout, name) {
					t.Errorf("the output does not say where %s is", name)
				}
			}
			// The report of the live run is that of its records.
			again := b.run("report", "out", "--format=json")
			again.want(t, exitDone)
			stored, err := os.ReadFile("out/" + summaryName)
			if err != nil {
				t.Fatal(err)
			}
			if again.stdout != string(stored) {
				t.Errorf("`compare report` and %s differ", summaryName)
			}
			if c.name == "python" {
				samePage(t, b, "out")
			}
		})
	}
}

// samePage wants the page to be made again as it was.
func samePage(t *testing.T, b *bench, dir string) {
	t.Helper()
	again := b.run("report", dir, "--format=html")
	again.want(t, exitDone)
	stored, err := os.ReadFile(filepath.Join(dir, pageName))
	if err != nil {
		t.Fatal(err)
	}
	if again.stdout != string(stored) {
		t.Errorf("`compare report --format=html` and %s differ", pageName)
	}
}

func wantFiles(t *testing.T, dir string, want []string) {
	t.Helper()
	got := names(t, dir)
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("files in %s: %q, want %q", dir, got, want)
	}
	for _, name := range got {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() == 0 {
			t.Errorf("%s is empty", name)
		}
	}
}

// What was asked for stands in the records, with what it was run on.
func TestHeader(t *testing.T) {
	b := newBench(t)
	b.run("--model=prefork,hybrid", "--workload=py:app.tasks:record_event", "--payload="+b.testdata+"/events.jsonl", "--path="+b.testdata,
		"--warm=app.tasks:warm_up", "--jobs=5", "--rounds=1", "--workers=2", "--seed=7", "--timeout=9s", "--spares=1", "--out=out",
	).want(t, exitDone)

	f, err := os.Open("out/" + recordsName)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for l, err := range record.Read(f) {
		if err != nil {
			t.Fatal(err)
		}
		h := l.(*record.Header)
		text, err := json.Marshal(h.Spec)
		if err != nil {
			t.Fatal(err)
		}
		want := `{"models":[{"name":"prefork","knobs":{"max-jobs-per-child":"0","max-memory-per-child":"0"}},` +
			`{"name":"hybrid","knobs":{"jobs-per-child":"1","refork":"0","spares":"1","warm":"app.tasks:warm_up"}}],` +
			`"jobs":5,"workers":2,"rounds":1,"seed":7,"workload":"py:app.tasks:record_event","runtime":"python",` +
			`"warm":["app.tasks:warm_up"],"payload":"` + b.testdata + "/events.jsonl" + `","listed":3,"arrivals":"burst","timeout_ns":9000000000}`
		if string(text) != want {
			t.Errorf("spec\n%s\nwant\n%s", text, want)
		}
		e := h.Environment
		if !strings.HasPrefix(e.Python, "Python 3.") || e.Redis == "" || e.ForkPrimitive == "" || e.Cgroup == "" || e.Cores == 0 {
			t.Errorf("environment %+v", e)
		}
		break
	}
	for _, m := range summaryIn(t, "out").Models {
		if m.Jobs.Done != 5 {
			t.Errorf("%s: jobs %+v: the payloads were not passed on", m.Model, m.Jobs)
		}
	}
}

// Data on standard output is data and nothing else.
func TestFormats(t *testing.T) {
	b := newBench(t)
	args := []string{"--workload=noop", "--jobs=20", "--rounds=1", "--model=prefork", "--quiet"}
	for format, check := range map[string]func(text string) error{
		formatJSON: func(text string) error { return json.Unmarshal([]byte(text), new(runner.Summary)) },
		formatCSV: func(text string) error {
			_, err := csv.NewReader(strings.NewReader(text)).ReadAll()
			return err
		},
		formatMarkdown: func(text string) error { return nil },
	} {
		r := b.run(append(args, "--format="+format)...)
		r.want(t, exitDone, "results in results/2026-01-31T120000-noop-prefork-20jobs-4workers")
		if err := check(r.stdout); err != nil {
			t.Errorf("%s: %v in\n%s", format, err, r.stdout)
		}
		if strings.Contains(r.stdout, resultsRoot+"/") {
			t.Errorf("%s: the place of the files is among the data:\n%s", format, r.stdout)
		}
		if n := strings.Count(r.stderr, "\n"); n > 3 {
			t.Errorf("%s: progress in spite of --quiet:\n%s", format, r.stderr)
		}
	}
	// Three runs in the same second have three directories.
	if got := len(names(t, resultsRoot)); got != 3 {
		t.Errorf("%d directories of results, want 3", got)
	}
}

func TestThresholds(t *testing.T) {
	b := newBench(t)
	args := []string{"--workload=noop", "--jobs=20", "--rounds=1", "--model=prefork", "--out=out"}
	r := b.run(append(args, "--fail-if=settled < 20", "--fail-if=prefork.done >= 20", "--fail-if=enqueued > 1")...)
	r.want(t, exitCrossed, "done of prefork is 20", "enqueued of prefork is 20")
	if strings.Contains(r.stderr, "settled of") {
		t.Errorf("a threshold that was not crossed is said to be:\n%s", r.stderr)
	}
	wantFiles(t, "out", textNames())
	b.run("report", "out", "--fail-if=done >= 20").want(t, exitCrossed, "done of prefork is 20")
	b.run("report", "out", "--fail-if=done > 20").want(t, exitDone)
}

// Some failed jobs are not a failure of the comparison; that nothing was done is. A
// threshold does not let them pass, unless so many are fine.
func TestFailedJobs(t *testing.T) {
	b := newBench(t)
	run := func(fail string, more ...string) result {
		payloads(t, append(slices.Repeat([]string{"[false]"}, 9), fail)...)
		return b.run(append([]string{
			"--workload=py:faults:luck", "--path=" + b.testdata, "--payload=payloads", "--model=prefork", "--jobs=10", "--rounds=1", "--out=out", "--force",
		}, more...)...)
	}
	const one = "prefork did 9 of 10 jobs, 1 failed: RuntimeError: no luck"
	if r := run("[true]"); !strings.HasPrefix(r.stdout, one+".") {
		t.Errorf("the first sentence is not %q:\n%s", one, r.stdout)
	} else {
		r.want(t, exitDone, "1 not done")
	}
	run("[true]", "--fail-if=failed > 0").want(t, exitCrossed, "failed of prefork is 1")
	run("[true]", "--fail-if=failed > 1").want(t, exitDone)
	run("[true]", "--fail-if=p95 > 1h").want(t, exitCrossed, "does not pass: "+one)
	run("[true]", "--fail-if=throughput < 0.001", "--allow-failures=9%").want(t, exitCrossed, "does not pass: "+one)
	passes := exitDone
	if conditions.Environment().Race {
		passes = exitCrossed // there is no figure to check
	}
	run("[true]", "--fail-if=throughput < 0.001", "--allow-failures=0.1").want(t, passes)
	b.run("report", "out", "--fail-if=p95 > 1h").want(t, exitCrossed, "does not pass: "+one)
	b.run("report", "out", "--fail-if=p95 > 1h", "--allow-failures=10%").want(t, passes)

	payloads(t, "[true]")
	all := []string{"--workload=py:faults:luck", "--path=" + b.testdata, "--payload=payloads", "--model=prefork,hybrid", "--jobs=10", "--rounds=1", "--out=out", "--force"}
	const none = "not one job was done by prefork, hybrid"
	b.run(all...).want(t, exitFailed, none)
	b.run(append(all, "--fail-if=failed > 0")...).want(t, exitCrossed, "failed of prefork is 10")
	b.run(append(all, "--allow-failures=100%")...).want(t, exitDone)
	b.run("report", "out").want(t, exitFailed, none)
}

// A recording is run as it is, each of its jobs once, unless a number is asked for;
// then it is said what becomes of the recording.
func TestJobsOfARecording(t *testing.T) {
	b := newBench(t)
	if err := os.WriteFile("jobs.jsonl", []byte(strings.Repeat(`{"function": "faults:luck", "args": [false]}`+"\n", 7)), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"--workload=jobs:jobs.jsonl", "--path=" + b.testdata, "--model=prefork", "--rounds=1", "--out=out", "--force"}
	r := b.run(args...)
	r.want(t, exitDone)
	if s := summaryIn(t, "out"); s.Models[0].Jobs.Done != 7 || s.Spec.Listed != 7 || len(s.Notes) != 0 {
		t.Errorf("%d jobs of 7 done, notes %q", s.Models[0].Jobs.Done, s.Notes)
	}
	b.run(append(args, "--jobs=20")...).want(t, exitDone)
	if s := summaryIn(t, "out"); s.Models[0].Jobs.Done != 20 || !strings.Contains(strings.Join(s.Notes, ""), "the 7 recorded jobs are gone through again and again to make 20 jobs") {
		t.Errorf("%d jobs of 20 done, notes %q", s.Models[0].Jobs.Done, s.Notes)
	}
}

// A run that is refused before its first job has done nothing: no job of it
// crashed, and it has no speed.
func TestRefusedRun(t *testing.T) {
	b := newBench(t)
	r := b.run("--workload=py:faults:luck", "--path="+b.testdata, "--warm=faults:begin", "--model=hybrid", "--jobs=10", "--workers=2", "--rounds=1", "--out=out")
	r.want(t, exitFailed, "refused to fork", "--allow-threads")
	if !strings.HasPrefix(r.stdout, "No verdict: hybrid could not go on in round 1: fork process") {
		t.Errorf("the verdict does not name the cause:\n%s", r.stdout)
	}
	if j := summaryIn(t, "out").Models[0].Jobs; j.Crashed != 0 || j.Settled != 0 || j.NotRun != 10 {
		t.Errorf("jobs %+v", j)
	}
	for _, unwanted := range []string{"crashed", "per second", "latency"} {
		if strings.Contains(r.stdout, unwanted) {
			t.Errorf("%q of a run that was refused:\n%s", unwanted, r.stdout)
		}
	}
}

// payloads writes the file of that name.
func payloads(t *testing.T, lines ...string) {
	t.Helper()
	if err := os.WriteFile("payloads", []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The application that cannot be loaded is found before anything else is done.
func TestApplicationErrors(t *testing.T) {
	b := newBench(t)
	for name, text := range map[string]string{
		"broken": "raise ZeroDivisionError('at import')\n",
		"exits":  "import sys\nsys.exit(7)\n",
		"dies":   "import os\nos._exit(7)\n",
		"sleeps": "import time\ntime.sleep(1000)\n",
		"good":   "number = 5\ndef function():\n    pass\n",
		"threads": "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n" +
			"def function():\n    pass\n",
	} {
		if err := os.WriteFile(name+".py", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args []string
		code exitCode
		want string
	}{
		{[]string{"--workload=py:nowhere.tasks:function"}, exitUsage, "--workload=py:nowhere.tasks:function: no module named 'nowhere'"},
		{[]string{"--workload=py:good:functoin"}, exitUsage, "good has no attribute 'functoin'; it has function, number"},
		{[]string{"--workload=py:good:number"}, exitUsage, "not callable"},
		{[]string{"--workload=py:good:function", "--warm=good:warm"}, exitUsage, "--warm=good:warm: good has no attribute 'warm'"},
		{[]string{"--workload=py:broken:function"}, exitFailed, "ZeroDivisionError: at import"},
		{[]string{"--workload=py:exits:function"}, exitFailed, "SystemExit: 7"},
		{[]string{"--workload=py:dies:function"}, exitFailed, "exit status 7"},
		{[]string{"--workload=py:sleeps:function", "--boot-timeout=300ms"}, exitFailed, "--boot-timeout"},
		{[]string{"--workload=py:threads:function", "--model=prefork"}, exitFailed, "--allow-threads"},
	} {
		b.run(append(c.args, "--jobs=5", "--rounds=1")...).want(t, c.code, c.want)
	}
	b.run("--workload=py:threads:function", "--model=prefork", "--jobs=5", "--rounds=1", "--allow-threads").want(t, exitDone)
	// Only the two that came as far as a fork have results.
	if got := names(t, resultsRoot); len(got) != 2 {
		t.Errorf("directories of results: %q, want 2", got)
	}
}

// withPrograms makes a PATH with the given scripts only, and those of the real
// programs that are named without one.
func withPrograms(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		path := filepath.Join(dir, name)
		var err error
		if script == "" {
			err = os.Symlink(lookPath(t, name), path)
		} else {
			err = os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

const shortRun = "--jobs=4"

func TestWithoutPython(t *testing.T) {
	for _, c := range []struct {
		name   string
		script string // of python3; empty for none at all
		args   []string
		code   exitCode
		want   string
	}{
		{"the default falls back", "", nil, exitDone, "notice: python3 not found on PATH; running --workload=go:record_event instead"},
		{"also where a wrapper is broken", "echo no version >&2; exit 127", nil, exitDone, "no version"},
		{"a named workload does not", "", []string{"--workload=noop"}, exitLacking, "install Python 3.9 or newer, name another with --python"},
		{"a named interpreter does not", "", []string{"--python=python4"}, exitLacking, "python4 not found on PATH"},
		{"a file that is no program", "", []string{"--python=./compare_test.go"}, exitLacking, "./compare_test.go"},
		{"too old", "echo 3.8.20; echo /opt/python3", nil, exitLacking, "is Python 3.8.20, which is too old"},
		{"much too old", "echo 2.7.18; echo /opt/python", []string{"--workload=noop"}, exitLacking, "is Python 2.7.18, which is too old"},
		{"no Python", "echo hello", []string{"--workload=noop"}, exitLacking, "is not a Python interpreter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			scripts := map[string]string{"redis-server": ""}
			if c.script != "" {
				scripts["python3"] = c.script
			}
			withPrograms(t, scripts)
			// One model: each job of the others would be an execution of this binary.
			r := b.run(append(c.args, shortRun, "--rounds=1", "--model=prefork", "--out=out")...)
			r.want(t, c.code, c.want)
			if c.code == exitDone {
				if s := summaryIn(t, "out"); s.Spec.Workload != "go:record_event" || s.Models[0].Jobs.Done != 4 {
					t.Errorf("%s: jobs %+v", s.Spec.Workload, s.Models[0].Jobs)
				}
			}
		})
	}
}

// Where there is neither Python nor Redis, the command still runs.
func TestWithoutAnything(t *testing.T) {
	b := newBench(t)
	t.Setenv("PATH", t.TempDir())
	b.run(shortRun, "--rounds=1", "--out=out").want(t, exitDone, "python3 not found")
	s := summaryIn(t, "out")
	if !strings.HasPrefix(s.Environment.Redis, "miniredis") {
		t.Errorf("Redis is %q", s.Environment.Redis)
	}
}

// A binary with the race detector publishes no numbers, and this one says so.
func TestRaceDetector(t *testing.T) {
	b := newBench(t)
	r := b.run("--workload=noop", shortRun, "--rounds=1", "--model=prefork")
	r.want(t, exitDone)
	if got := strings.Contains(firstLine(r.stdout), "built with -race"); got != conditions.Environment().Race {
		t.Errorf("built with -race: %t, the verdict: %s", conditions.Environment().Race, firstLine(r.stdout))
	}
}
