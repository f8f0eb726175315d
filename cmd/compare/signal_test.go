package main

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// marked starts a comparison of a job that leaves a file, and waits for the file:
// then a job has begun. The last payload hangs, if asked.
func (b *bench) marked(hang bool, args ...string) *command {
	b.t.Helper()
	lines := []string{`["begun"]`}
	if hang {
		lines = append(lines, `["hanging", true]`)
	}
	payloads(b.t, lines...)
	c := b.start(append([]string{
		"--workload=py:faults:mark", "--payload=payloads", "--model=prefork", "--workers=1", "--rounds=1", "--jobs=20000", "--out=out",
		"--arrivals=rate:200/s", // so that they are not over before the signal comes, however busy the machine is
	}, args...)...)
	file := "begun"
	if hang {
		file = "hanging"
	}
	c.eventually("a job has begun", func() bool {
		_, err := os.Stat(file)
		return err == nil
	})
	return c
}

func TestInterruptedOnce(t *testing.T) {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if signal.Ignored(s) {
			continue // these tests run under nohup, say, and so does what they start
		}
		t.Run(s.String(), func(t *testing.T) {
			b := newBench(t)
			c := b.marked(false, "--path="+b.testdata)
			c.signal(s)
			r := c.wait()
			r.want(t, exitInterrupted, sayStopping, "interrupted: the report is about what was measured until then")
			sum := summaryIn(t, "out")
			if firstLine(r.stdout) != sum.Verdict {
				t.Errorf("the first line is %q", firstLine(r.stdout))
			}
			j := sum.Models[0].Jobs
			if j.Done == 0 || j.NotRun == 0 || j.Lost != 0 || j.Done+j.NotRun != 20000 {
				t.Errorf("jobs %+v", j)
			}
			wantFiles(t, "out", textNames())
		})
	}
}

func TestInterruptedTwice(t *testing.T) {
	for _, model := range []string{"prefork", "forkperjob", "hybrid", "hybrid(refork=1)"} {
		t.Run(model, func(t *testing.T) { interruptedTwice(t, model) })
	}
}

func interruptedTwice(t *testing.T, model string) {
	b := newBench(t)
	c := b.marked(true, "--path="+b.testdata, "--model="+model)
	c.signal(os.Interrupt)
	c.eventually("the first signal is answered", func() bool { return strings.Contains(c.stderr.String(), sayStopping) })
	if len(c.processes()) < 3 {
		t.Error("it did not wait for the job that hangs")
	}
	c.signal(os.Interrupt)
	r := c.wait()
	r.want(t, exitInterrupted, sayKilling, "no summary.json, report.md, report.html or plots are written; records.jsonl is in out")
	wantFiles(t, "out", []string{recordsName})
	if strings.Contains(r.stderr, "the report") {
		t.Errorf("a report is promised:\n%s", r.stderr)
	}
	if !strings.Contains(r.stdout, "not run") {
		t.Errorf("standard output does not say what was not run:\n%s", r.stdout)
	}
	// What was recorded can still be read.
	b.run("report", "out").want(t, exitDone)
	b.run("plot", "out").want(t, exitDone)
}

// An interrupt before there is anything to finish ends it at once.
func TestInterruptedBeforeTheRun(t *testing.T) {
	b := newBench(t)
	if err := os.WriteFile("sleeps.py", []byte("import time\nopen('importing', 'w')\ntime.sleep(1000)\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := b.start("--workload=py:sleeps:function")
	c.eventually("the application is being loaded", func() bool {
		_, err := os.Stat("importing")
		return err == nil
	})
	c.signal(os.Interrupt)
	c.wait().want(t, exitInterrupted, "interrupted before anything was measured")
	if _, err := os.Stat(resultsRoot); err == nil {
		t.Error("there is a directory of results")
	}
}

// After SIGKILL there is nobody left to clean up but the guard.
func TestKilledLeavesNothing(t *testing.T) {
	for _, model := range []string{"prefork", "forkperjob", "hybrid"} {
		t.Run(model, func(t *testing.T) {
			b := newBench(t)
			c := b.marked(true, "--path="+b.testdata, "--model="+model)
			if n := len(c.processes()); n < 5 { // itself, its guard, Redis, a parent and a child
				t.Fatalf("only %d processes are there to be left", n)
			}
			if len(names(t, b.temporary)) == 0 {
				t.Fatal("there is no temporary file to be left")
			}
			c.signal(syscall.SIGKILL)
			<-c.ended
			c.eventually("no process is left", func() bool { return len(c.processes()) == 0 })
			c.eventually("no temporary file is left", func() bool { return len(names(t, b.temporary)) == 0 })
		})
	}
}

// `compare | head -1` and the like: the reader has gone, the work is not lost.
func TestClosedOutput(t *testing.T) {
	b := newBench(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c := b.startWith(func(c *command) {
		c.cmd.Stdout = w
		c.cmd.Env = append(c.cmd.Env, commandVar+"="+commandIsWhole)
	}, append(quickRun, "--out=out")...)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c.wait().want(t, exitDone)
	wantFiles(t, "out", resultNames())
}

// On a terminal there is one line that changes, and nothing of it is left.
func TestTerminal(t *testing.T) {
	b := newBench(t)
	terminal, screen := openTerminal(t)
	c := b.startWith(func(c *command) {
		c.cmd.Stderr = terminal
		c.cmd.Env = append(c.cmd.Env, "TERM=xterm")
	}, "--workload=io:5ms", "--model=prefork", "--jobs=200", "--rounds=1", "--workers=2", "--out=out")
	r := c.wait()
	r.want(t, exitDone)
	text := screen()
	for _, want := range []string{lineStart, lineClear, "round 1/1  prefork", "/200 jobs"} {
		if !strings.Contains(text, want) {
			t.Errorf("the screen lacks %q: %q", want, text)
		}
	}
	if strings.Contains(text, "\n") {
		t.Errorf("more than one line: %q", text)
	}
	if !strings.HasSuffix(text, lineStart+lineClear) {
		t.Errorf("the line was not cleared at the end: %q", text)
	}
	if controlCodes.MatchString(r.stdout) {
		t.Errorf("control codes in a file: %q", r.stdout)
	}
	// Each drawing fits in the terminal's 60 columns.
	for drawn := range strings.SplitSeq(text, lineStart) {
		if n := len([]rune(strings.TrimSuffix(drawn, lineClear))); n >= 60 {
			t.Errorf("%d columns: %q", n, drawn)
		}
	}
}

func TestDumbTerminal(t *testing.T) {
	b := newBench(t)
	terminal, screen := openTerminal(t)
	c := b.startWith(func(c *command) {
		c.cmd.Stderr = terminal
		c.cmd.Env = append(c.cmd.Env, "TERM=dumb")
	}, append(quickRun, "--out=out")...)
	c.wait().want(t, exitDone)
	text := screen()
	if strings.Contains(text, lineClear) || !strings.Contains(text, fmt.Sprintf("%d jobs in", 10)) {
		t.Errorf("the screen shows %q", text)
	}
}
