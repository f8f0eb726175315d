package live_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/record"
)

// TestStoppedTemplate: a template that is stopped neither forks, nor reads, nor
// reaps. The run ends with an error, whatever it was asked last.
func TestStoppedTemplate(t *testing.T) {
	// Once the template waits for its child, it is stopped.
	text := `
import os, signal, time
template = os.getpid()
def job(what, *_):
    if what == "stop":
        while ") S " not in open(f"/proc/{template}/stat").read():
            pass
        os.kill(template, signal.SIGSTOP)
    elif what == "hang":
        time.sleep(1000)
`
	stop, hang := `["stop"]`, `["hang"]`
	large := `["hang","` + strings.Repeat("x", 1<<20) + `"]`
	for _, test := range []struct {
		name     string
		e        models.Executor
		payloads []string
	}{
		{"before it reaps", forkperjob.Model{}, []string{stop}},
		{"before it forks", hybrid.Model{}, []string{stop, hang, hang, hang, hang}},
		{"before it reads", hybrid.Model{}, []string{stop, large, large, large, large}},
		{"with a spare", hybrid.Model{Spares: 1}, []string{stop, hang, large}},
	} {
		t.Run(test.name, func(t *testing.T) {
			rig := newRig(t, script{text: text, function: "job"})
			rig.machine.Workers = min(len(test.payloads), 4)
			rig.machine.BootTimeout, rig.machine.Grace = time.Second, 100*time.Millisecond
			done, _, err := rig.run(test.e, test.payloads...)
			if err == nil {
				t.Error("nobody noticed that the template had been stopped")
			}
			if sum := done.Settled + done.NotRun + done.Lost; sum != len(test.payloads) {
				t.Errorf("of %d jobs %d settled, %d not run, %d lost", len(test.payloads), done.Settled, done.NotRun, done.Lost)
			}
		})
	}
}

// TestWithoutPidfd: a Python that was built without os.pidfd_open, as conda's
// may be, runs jobs of several slots side by side all the same.
func TestWithoutPidfd(t *testing.T) {
	text := `
import os, time
del os.pidfd_open
def meet(directory, name, other):
    open(os.path.join(directory, name), "w").close()
    while not os.path.exists(os.path.join(directory, other)):
        time.sleep(0.001)
`
	for _, e := range []models.Executor{forkperjob.Model{}, hybrid.Model{}, hybrid.Model{JobsPerChild: 2}} {
		rig := newRig(t, script{text: text, function: "meet"})
		rig.machine.Workers, rig.machine.Timeout = 2, 20*time.Second
		dir := t.TempDir()
		quoted := strconv.Quote(dir)
		done, sink, err := rig.run(e, `[`+quoted+`,"a","b"]`, `[`+quoted+`,"b","a"]`)
		if err != nil || done.Settled != 2 {
			t.Errorf("%#v: settled %d of 2: %v", e, done.Settled, err)
		}
		for _, j := range sink.jobs {
			if j.Status != models.Done {
				t.Errorf("%#v: job %d: %v %s", e, j.ID, j.Status, j.Detail)
			}
		}
	}
}

// TestPhasesOfBothPaths: a child for one job that is made ahead, and one that is
// made for it, are recorded with the same stamps in the same order.
func TestPhasesOfBothPaths(t *testing.T) {
	for _, runtime := range []live.Runtime{live.Python{}, live.Go{}} {
		for _, e := range []models.Executor{forkperjob.Model{}, hybrid.Model{}, hybrid.Model{Spares: 2}} {
			rig := newRig(t, script{text: noop, function: "noop"})
			if runtime.Name() == "go" {
				rig.machine.Workload = goEcho{}
			}
			rig.machine.Runtime = runtime
			_, sink, err := rig.run(e, repeat(20, "[1]")...)
			if err != nil {
				t.Fatal(err)
			}
			started := make(map[int]record.Job)
			for _, j := range sink.jobs {
				started[j.Process] = j
			}
			for _, p := range sink.processes {
				if p.Role != record.RoleChild || p.Jobs == 0 {
					continue
				}
				j := started[p.ID]
				if !(p.ForkNS < p.ReadyNS && p.ForkNS < j.StartedNS && j.StartedNS < j.FinishedNS && j.FinishedNS == p.EndNS && p.EndNS < p.ReapNS) {
					t.Errorf("%s, %#v: process %d: fork %d, ready %d, job %d to %d, end %d, reap %d", runtime.Name(), e,
						p.ID, p.ForkNS, p.ReadyNS, j.StartedNS, j.FinishedNS, p.EndNS, p.ReapNS)
					break
				}
			}
		}
	}
}

// TestOutOfDescriptors: a template that cannot watch one more child says so. To
// wait for one in the place of all would measure something else.
func TestOutOfDescriptors(t *testing.T) {
	text := `
import os, sys, time
resource = sys.modules["resource"]  # the template has it: os.wait4 would load it now
resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
try:
    while True:
        last = os.dup(0)
except OSError:
    os.close(last)
def wait():
    time.sleep(1000)
`
	rig := newRig(t, script{text: text, function: "wait"})
	rig.machine.Timeout, rig.machine.Grace = 5*time.Second, 100*time.Millisecond
	done, _, err := rig.run(hybrid.Model{}, repeat(8, "[]")...)
	var refused *live.ForkError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "limit of open files") {
		t.Errorf("error %v; want the limit of open files", err)
	}
	if sum := done.Settled + done.NotRun + done.Lost; sum != 8 || done.Strays != 0 {
		t.Errorf("of 8 jobs %d settled, %d not run, %d lost; %d strays", done.Settled, done.NotRun, done.Lost, done.Strays)
	}
}

// TestJobsThatTakeTheirProcessAway: what a job does to the process it is in is
// told apart from what it returns, and the next job does not see it.
func TestJobsThatTakeTheirProcessAway(t *testing.T) {
	text := `
import os, resource, signal
def execute():
    os.execv("/bin/true", ["true"])
def leave():
    if os.fork():
        os._exit(0)
    return "the child's child"
def close():
    os.closerange(0, 1000)
    return "x" * ((1 << 20) - 2)
def limit():
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    return "x" * 100000
def group():
    os.setsid()
    os.killpg(0, signal.SIGTERM)
def many():
    for i in range(3):
        if os.fork() == 0:
            return i
    return "parent"
def job(name):
    return globals()[name]()
`
	for _, test := range []struct {
		name   string
		status models.Status
		text   string // in the detail, or how the result begins
		size   int    // of the result
	}{
		{"execute", models.Crashed, "exit status 0", 0},
		{"leave", models.Crashed, "exit status 0", 0},
		{"close", models.Done, `"xxx`, 1 << 20},
		{"limit", models.Done, `"xxx`, 100002},
		{"group", models.Crashed, "signal: terminated", 0},
		{"many", models.Done, `"parent"`, 8},
	} {
		for _, e := range []models.Executor{forkperjob.Model{}, hybrid.Model{}} {
			rig := newRig(t, script{text: text, function: "job"})
			rig.machine.Workers = 1
			var got models.Outcome
			done, _, err := rig.run(spied{e, func(o models.Outcome) { got = o }}, `["many"]`, `["`+test.name+`"]`)
			if err != nil || done.Settled != 2 {
				t.Errorf("%s, %s: settled %d of 2: %v", e.Name(), test.name, done.Settled, err)
			}
			if got.Status != test.status || len(got.Result) != test.size ||
				!strings.Contains(got.Detail, test.text) && !strings.HasPrefix(string(got.Result), test.text) {
				t.Errorf("%s, %s: %v, %d bytes, %q; want %v, %d bytes, %q",
					e.Name(), test.name, got.Status, len(got.Result), got.Detail, test.status, test.size, test.text)
			}
		}
	}
}
