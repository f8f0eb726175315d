package live_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/workload"
)

// TestAwaitedJobs: a job that is a coroutine is run, whichever way its process
// came to be, and what it returns is the job's result. What it raises is told
// from its own first line on.
func TestAwaitedJobs(t *testing.T) {
	for _, e := range []models.Executor{prefork.Model{}, forkperjob.Model{}, hybrid.Model{JobsPerChild: 2}} {
		t.Run(e.Name(), func(t *testing.T) {
			rig := newRig(t, script{function: "crawl", text: `
import asyncio
async def crawl(n):
    await asyncio.sleep(0)
    if n == 3:
        raise ValueError("three")
    return {"n": n}
`})
			results := make(map[string]bool)
			spy := spied{e, func(o models.Outcome) { results[string(o.Result)] = true }}
			_, sink, err := rig.run(spy, "[1]", "[2]", "[3]", "[4]")
			if err != nil {
				t.Fatal(err)
			}
			for _, j := range sink.jobs {
				want := models.Done
				if j.ID == 2 {
					want = models.Failed
					if !strings.HasPrefix(j.Detail, "Traceback (most recent call last):\n  File \"script.py\", line 6, in crawl\n") {
						t.Errorf("the traceback is %s", j.Detail)
					}
				}
				if j.Status != want || j.Dropped != "" {
					t.Errorf("job %d: %v %q %q; want %v", j.ID, j.Status, j.Detail, j.Dropped, want)
				}
			}
			for _, want := range []string{`{"n": 1}`, `{"n": 2}`, `{"n": 4}`} {
				if !results[want] {
					t.Errorf("no job returned %s: %v", want, results)
				}
			}
		})
	}
}

// TestSetUpOnce: each booted process is set up once, before the jobs' module is
// imported and anything is warmed; its children inherit that, and it is left when
// the process ends, by nobody else.
func TestSetUpOnce(t *testing.T) {
	for _, test := range []struct {
		model  models.Executor
		booted int
	}{{prefork.Model{}, 1}, {prefork.Model{MaxJobsPerChild: 1}, 1}, {forkperjob.Model{}, 2}, {hybrid.Model{}, 1}, {hybrid.Model{Refork: 2}, 1}} {
		t.Run(test.model.Name(), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			rig := newRig(t, script{function: "job", warm: []string{"script:warm"}, text: `
from forkbench_test import State, say
say("imported")
assert State.entered
def warm():
    say("warmed")
def job(n):
    say("job")
    assert State.entered
`})
			rig.machine.Workers = 2
			rig.machine.Runtime = live.Python{Setup: []string{"forkbench_test:context"}}
			rig.machine.Workload = withSource{rig.machine.Workload, `
import contextlib, os
class State:
    entered = False
def say(what):
    with open(` + quoted(path) + `, "a") as log:
        log.write(f"{os.getpid()} {what}\n")
@contextlib.contextmanager
def context():
    say("entered")
    State.entered = True
    yield
    say("left")
`}
			done, sink, err := rig.run(test.model, repeat(6, "[1]")...)
			if err != nil || done.Settled != 6 {
				t.Fatalf("%d settled, %v", done.Settled, err)
			}
			for _, j := range sink.jobs {
				if j.Status != models.Done {
					t.Errorf("job %d: %v: %s", j.ID, j.Status, j.Detail)
				}
			}
			for _, p := range sink.processes {
				if p.Killed {
					t.Errorf("process %d was killed: %s", p.ID, p.Exit)
				}
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			did := make(map[string][]string)
			for line := range strings.Lines(string(text)) {
				pid, what, _ := strings.Cut(strings.TrimSpace(line), " ")
				did[pid] = append(did[pid], what)
			}
			booted := 0
			for pid, list := range did {
				if list[0] != "entered" {
					if slices.Contains(list, "entered") || slices.Contains(list, "left") || slices.Contains(list, "imported") {
						t.Errorf("the child %s did %q", pid, list)
					}
					continue
				}
				booted++
				if list[1] != "imported" || list[len(list)-1] != "left" || slices.Contains(list, "job") {
					t.Errorf("the booted process %s did %q", pid, list)
				}
			}
			if booted != test.booted {
				t.Errorf("%d processes were set up, want %d: %v", booted, test.booted, did)
			}
		})
	}
}

// TestSetUpErrors: what is wrong with a set-up is known before a job runs.
func TestSetUpErrors(t *testing.T) {
	for _, test := range []struct {
		text, setup string
		notFound    bool
		want        string
	}{
		{noop, "script:nope", true, "script has no attribute 'nope'"},
		{noop, "nowhere:nope", true, "no module named 'nowhere'"},
		{noop + "\nasync def gen():\n    yield\n", "script:gen", true, "returned a generator"},
		{noop + "\ndef gone():\n    raise OSError('no licence')\n", "script:gone", false, "no licence"},
		{noop + "\ndef gone():\n    raise SystemExit(4)\n", "script:gone", false, "SystemExit: 4"},
	} {
		rig := newRig(t, script{text: test.text, function: "noop"})
		rig.machine.Runtime = live.Python{Setup: []string{test.setup}}
		_, err := rig.machine.Check(t.Context())
		boot, ok := errors.AsType[*live.BootError](err)
		if !ok || boot.NotFound() != test.notFound || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want %q, and %v", test.setup, err, test.want, test.notFound)
		}
	}
}

// withSource gives a Python workload another module.
type withSource struct {
	workload.Workload
	text string
}

func (w withSource) PythonFunction() workload.PythonFunction {
	f := w.Workload.(workload.Python).PythonFunction()
	f.Sources["forkbench_test"] = w.text
	return f
}

func quoted(path string) string { return "'" + path + "'" }

// TestGoResultsDropped: of a Go job, too, only the result is dropped.
func TestGoResultsDropped(t *testing.T) {
	rig := newRig(t, goReturns{})
	rig.machine.Runtime = live.Go{}
	for _, e := range []models.Executor{prefork.Model{}, forkperjob.Model{}} {
		_, sink, err := rig.run(e, "1", "2", "3")
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range sink.jobs {
			want := []string{"", "not JSON: []byte", "above 1 MiB: []byte"}[j.ID]
			if j.Status != models.Done || j.Dropped != want {
				t.Errorf("%s: job %d: %v, dropped for %q; want done and %q", e.Name(), j.ID, j.Status, j.Dropped, want)
			}
		}
	}
}

// goReturns returns JSON, no JSON, or much JSON.
type goReturns struct{}

func (goReturns) Name() string               { return "go:returns" }
func (goReturns) Payload(_, _ uint64) []byte { return []byte("1") }
func (goReturns) Run(_ context.Context, payload []byte) ([]byte, error) {
	switch string(payload) {
	case "2":
		return []byte("not JSON"), nil
	case "3":
		return []byte(`"` + strings.Repeat("x", 3<<20) + `"`), nil
	}
	return []byte("true"), nil
}
