package live_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sys/unix"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/stream"
	"forkbench/workload"
)

// act is the built-in workload that does what its payload says.
func act(t testing.TB) workload.Workload {
	t.Helper()
	w, err := workload.Parse("act")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

const doneJob = `{"do":"done"}`

// TestFaultyJobs puts each fault between good jobs: it is settled as it should
// be, with the reason, and no good job suffers.
func TestFaultyJobs(t *testing.T) {
	tests := []struct {
		name, payload string
		status        models.Status
		detail        string // a part of it
		strays        int
		once          models.Status // in a child for one job, which has no socket to lose; 0 if the same
		dropped       string        // why its result was
	}{
		{"exception", `{"do":"fail","message":"broken pump"}`, models.Failed, "RuntimeError: broken pump", 0, 0, ""},
		{"sys.exit", `{"do":"sysexit","code":5}`, models.Failed, "SystemExit: 5", 0, 0, ""},
		{"KeyboardInterrupt", `{"do":"fail","error":"KeyboardInterrupt"}`, models.Failed, "KeyboardInterrupt", 0, 0, ""},
		{"os._exit", `{"do":"exit","code":7}`, models.Crashed, "exit status 7", 0, 0, ""},
		{"SIGSEGV", `{"do":"segv"}`, models.Crashed, "segmentation fault", 0, 0, ""},
		{"out of memory", `{"do":"crash","signum":9}`, models.Crashed, "out-of-memory killer", 0, 0, ""},
		{"hang", `{"do":"hang"}`, models.TimedOut, "--timeout", 0, 0, ""},
		{"deaf hang", `{"do":"hang","ignore":true}`, models.TimedOut, "--timeout", 0, 0, ""},
		{"endless loop", `{"do":"spin"}`, models.TimedOut, "--timeout", 0, 0, ""},
		{"closes descriptors", `{"do":"closefd"}`, models.Crashed, "exit status 70", 0, models.Done, ""},
		{"forks on its own", `{"do":"fork"}`, models.Done, "", 0, 0, ""},
		{"leaves a daemon", `{"do":"stray"}`, models.Done, "", 1, 0, ""},
		{"leaves a thread", `{"do":"thread"}`, models.Done, "", 0, 0, ""},
		{"prints a lot", `{"do":"print","size":50000000}`, models.Done, "", 0, 0, ""},
		{"changes directory", `{"do":"chdir"}`, models.Done, "", 0, 0, ""},
		{"forks, then dies", `{"do":"orphan"}`, models.Crashed, "signal: killed", 1, 0, ""},
		{"result is not a number", `{"do":"nan"}`, models.Done, "", 0, 0, "not JSON: float"},
		{"result is not JSON", `{"do":"notjson"}`, models.Done, "", 0, 0, "not JSON: set"},
		{"result is huge", `{"do":"done","size":50000000}`, models.Done, "", 0, 0, "above 1 MiB: str"},
		{"result is large", `{"do":"done","size":1000000}`, models.Done, "", 0, 0, ""},
		{"payload is too deep", `[` + strings.Repeat("[", 200000) + strings.Repeat("]", 200000) + `]`, models.Failed, "RecursionError", 0, 0, ""},
		{"wrong arguments", `{"no":"such"}`, models.Failed, "TypeError", 0, 0, ""},
		{"a scalar payload", `"done"`, models.Done, "", 0, 0, ""},
	}
	for _, e := range []models.Executor{prefork.Model{}, forkperjob.Model{}, hybrid.Model{JobsPerChild: 2}} {
		t.Run(e.Name(), func(t *testing.T) {
			rig := newRig(t, act(t))
			rig.machine.Workers = 2
			for _, test := range tests {
				t.Run(test.name, func(t *testing.T) {
					if _, once := e.(forkperjob.Model); once && test.once != 0 {
						test.status, test.detail = test.once, ""
					}
					rig.machine.Timeout = 0
					if test.status == models.TimedOut {
						rig.machine.Timeout = 300 * time.Millisecond
					}
					done, sink, err := rig.run(e, doneJob, doneJob, test.payload, doneJob, doneJob)
					if err != nil {
						t.Fatal(err)
					}
					if done.Settled != 5 || done.Strays != test.strays {
						t.Errorf("settled %d jobs, %d strays; want 5 and %d", done.Settled, done.Strays, test.strays)
					}
					for _, j := range sink.jobs {
						want, dropped := models.Done, ""
						if j.ID == 2 {
							want, dropped = test.status, test.dropped
						}
						if j.Dropped != dropped {
							t.Errorf("job %d: its result was dropped for %q; want %q", j.ID, j.Dropped, dropped)
						}
						if j.Status != want || !strings.Contains(j.Detail, test.detail) && j.ID == 2 {
							t.Errorf("job %d: %v %q; want %v with %q", j.ID, j.Status, j.Detail, want, test.detail)
						}
					}
				})
			}
		})
	}
}

// TestEachForkIsAProcess: the jobs of three forks return three pids.
func TestEachForkIsAProcess(t *testing.T) {
	rig := newRig(t, act(t))
	pids := make(map[string]bool)
	rig.machine.Workers = 1
	probe := spied{forkperjob.Model{}, func(o models.Outcome) { pids[string(o.Result)] = true }}
	if _, _, err := rig.run(probe, repeat(3, `{"do":"pid"}`)...); err != nil {
		t.Fatal(err)
	}
	if len(pids) != 3 {
		t.Errorf("3 forks returned the pids %v; want 3 different ones", pids)
	}
}

// TestBootErrors: what is wrong with the user's code is known before a job runs.
func TestBootErrors(t *testing.T) {
	tests := []struct {
		name     string
		work     script
		notFound bool
		text     string
	}{
		{"no such function", script{text: noop, function: "nope"}, true, "script has no attribute 'nope'; it has noop"},
		{"not callable", script{text: "x = 3", function: "x"}, true, "script:x is not callable: it is of type int"},
		{"syntax error", script{text: "def f(:", function: "f"}, false, "SyntaxError"},
		{"import fails", script{text: "raise OSError('no licence')", function: "f"}, false, "no licence"},
		{"misses a module", script{text: "import nosuch", function: "f"}, false, "nosuch"},
		{"exits on import", script{text: "import sys; sys.exit(4)", function: "f"}, false, "SystemExit: 4"},
		{"dies on import", script{text: "import os; print('bye'); os._exit(9)", function: "f"}, false, "exit status 9"},
		{"no such warm-up", script{text: noop, function: "noop", warm: []string{"script:nope"}}, true, "nope"},
		{"never ready", script{text: "import time; time.sleep(600)", function: "f"}, false, "--boot-timeout"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := live.Machine{
				Workers: 1, Workload: test.work, Runtime: live.Python{},
				BootTimeout: 20 * time.Second, Grace: 200 * time.Millisecond,
			}
			if test.name == "never ready" {
				m.BootTimeout = 300 * time.Millisecond
			}
			_, err := m.Check(t.Context())
			var boot *live.BootError
			if !errors.As(err, &boot) {
				t.Fatalf("Check: %v; want a BootError", err)
			}
			if boot.NotFound() != test.notFound || !strings.Contains(boot.Error(), test.text) {
				t.Errorf("not found: %v, %v; want %v and %q", boot.NotFound(), boot, test.notFound, test.text)
			}
		})
	}
}

func TestMissingInterpreter(t *testing.T) {
	m := live.Machine{Workers: 1, Workload: script{text: noop, function: "noop"}, Runtime: live.Python{Interpreter: "python0"}}
	_, err := m.Check(t.Context())
	var missing *live.MissingError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "python0 not found on PATH") {
		t.Errorf("Check: %v; want a MissingError that names python0", err)
	}
}

// TestThreadsRefused: a template with a thread must not be forked.
func TestThreadsRefused(t *testing.T) {
	text := "import threading\nstop = threading.Event()\n" +
		"threading.Thread(target=stop.wait, daemon=True, name='poller').start()\n" + noop
	rig := newRig(t, script{text: text, function: "noop"})
	var refused *live.ForkError
	for _, e := range []models.Executor{prefork.Model{}, forkperjob.Model{}, hybrid.Model{}, hybrid.Model{JobsPerChild: 3}} {
		done, sink, err := rig.run(e, repeat(5, "[1]")...)
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "--allow-threads") {
			t.Errorf("%s: forked a process with two threads: %v", e.Name(), err)
		}
		// Nobody ran them, so none of them crashed.
		if done.NotRun != 5 || done.Settled != 0 || done.Lost != 0 || len(sink.jobs) != 0 {
			t.Errorf("%s: of 5 jobs %d not run, %d settled, %d lost, %d recorded", e.Name(), done.NotRun, done.Settled, done.Lost, len(sink.jobs))
		}
	}
	rig.machine.Runtime = live.Python{AllowThreads: true}
	if done, _, err := rig.run(forkperjob.Model{}, "[1]"); err != nil || done.Settled != 1 {
		t.Errorf("with AllowThreads: %v, settled %d", err, done.Settled)
	}
}

// TestKilledProcesses: a template or a child killed from outside.
func TestKilledProcesses(t *testing.T) {
	// Not getppid: once the template is dead, that is the test itself.
	const killTemplate = "import os, signal\ntemplate = os.getpid()\n" +
		"def kill():\n    os.kill(template, signal.SIGKILL)\n"
	for _, e := range []models.Executor{prefork.Model{}, forkperjob.Model{}, hybrid.Model{}} {
		rig := newRig(t, script{text: killTemplate, function: "kill"})
		done, sink, err := rig.run(e, repeat(50, "[]")...)
		if err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("%s: the template was killed and the error is %v", e.Name(), err)
		}
		if done.Settled+done.NotRun+done.Lost != 50 || done.Settled != len(sink.jobs) || done.Strays != 0 {
			t.Errorf("%s: of 50 jobs %d settled (%d recorded), %d not run, %d lost; %d strays",
				e.Name(), done.Settled, len(sink.jobs), done.NotRun, done.Lost, done.Strays)
		}
	}
}

// TestParentKilledHalfway: once the parent is killed, the round ends and says so, what
// was done is in it, and none of the processes that did it is left.
func TestParentKilledHalfway(t *testing.T) {
	const killing = "import os, signal\nparent = os.getpid()\n" +
		"def work(last):\n    if last:\n        os.kill(parent, signal.SIGKILL)\n    return [parent, os.getpid()]\n"
	payloads := slices.Concat(repeat(30, "[false]"), []string{"[true]"}, repeat(30, "[false]"))
	for _, e := range []models.Executor{prefork.Model{}, prefork.Model{MaxJobsPerChild: 5}, forkperjob.Model{}, hybrid.Model{}, hybrid.Model{JobsPerChild: 5}} {
		rig := newRig(t, script{text: killing, function: "work"})
		var pids []int
		done, sink, err := rig.run(spied{e, func(o models.Outcome) {
			var two []int
			if o.Status == models.Done && json.Unmarshal(o.Result, &two) == nil {
				pids = append(pids, two...)
			}
		}}, payloads...)
		if err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("%s: the parent was killed, and the error is %v", e.Name(), err)
		}
		// Of the 30 before the killing one, at most those of the other workers were under way.
		if done.Settled < 30-rig.machine.Workers || done.Settled+done.NotRun+done.Lost != len(payloads) || done.Settled != len(sink.jobs) || done.Strays != 0 {
			t.Errorf("%s: of %d jobs %d settled (%d recorded), %d not run, %d lost; %d strays",
				e.Name(), len(payloads), done.Settled, len(sink.jobs), done.NotRun, done.Lost, done.Strays)
		}
		if len(pids) == 0 {
			t.Errorf("%s: no job said where it ran", e.Name())
		}
		for _, pid := range pids {
			if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
				t.Errorf("%s: process %d is left: %v", e.Name(), pid, err)
			}
		}
	}
}

// TestIdleChildKilled: a child killed between two jobs fails one job, which was
// never started, and not the pool.
func TestIdleChildKilled(t *testing.T) {
	rig := newRig(t, script{text: "import os\ndef pid():\n    return os.getpid()\n", function: "pid"})
	rig.machine.Workers = 1
	killed := false
	done, sink, err := rig.run(spied{prefork.Model{}, func(o models.Outcome) {
		if killed {
			return
		}
		killed = true
		var pid int
		if err := json.Unmarshal(o.Result, &pid); err != nil {
			t.Error(err)
		}
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Error(err)
		}
		awaitDeath(t, pid)
	}}, repeat(5, "[]")...)
	if err != nil {
		t.Fatal(err)
	}
	crashed := 0
	for _, j := range sink.jobs {
		if j.Status != models.Crashed {
			continue
		}
		crashed++
		if j.StartedNS != 0 || j.Process != 0 || !strings.Contains(j.Detail, "not started") ||
			!strings.Contains(j.Detail, "signal: killed") {
			t.Errorf("job %d: started at %v in process %d, %q; want a job that was not started", j.ID, j.StartedNS, j.Process, j.Detail)
		}
	}
	if done.Settled != 5 || crashed != 1 {
		t.Errorf("settled %d jobs, %d of them crashed; want 5 and 1", done.Settled, crashed)
	}
}

// awaitDeath waits until a killed process has let go of its sockets, without
// waiting for it in its parent's place.
func awaitDeath(t *testing.T, pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer unix.Close(fd)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if n > 0 || !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// TestRedisFaults: the server dies or loses its data in the middle of a run.
func TestRedisFaults(t *testing.T) {
	faults := map[string]func(rig *rig){
		"killed": func(rig *rig) { _ = unix.Kill(rig.Server.Pid(), unix.SIGKILL) },
		"flushed": func(rig *rig) {
			client := redis.NewClient(&redis.Options{Network: "unix", Addr: filepath.Join(rig.Guard.Dir(), "redis.sock")})
			defer client.Close()
			if err := client.FlushAll(rig.t.Context()).Err(); err != nil {
				rig.t.Error(err)
			}
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			rig := newRig(t, script{text: noop, function: "noop"})
			round, sink := rig.round("prefork", repeat(20000, "[1]")...)
			sink.onJob = func(n int) {
				if n == 100 {
					fault(rig)
				}
			}
			done, err := rig.machine.Run(t.Context(), prefork.Model{}, round)
			if err == nil {
				t.Fatal("the run did not notice")
			}
			if name == "flushed" && !errors.Is(err, stream.ErrLost) {
				t.Errorf("error %v; want ErrLost", err)
			}
			if sum := done.Settled + done.Unacknowledged + done.CutOff + done.NotRun + done.Lost; sum != 20000 {
				t.Errorf("of 20000 jobs %d settled, %d not acknowledged, %d cut off, %d not run, %d lost: %d accounted for",
					done.Settled, done.Unacknowledged, done.CutOff, done.NotRun, done.Lost, sum)
			}
		})
	}
}

// TestFullDisk: records cannot be written.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	rig := newRig(t, script{text: noop, function: "noop"})
	round, _ := rig.round("prefork", repeat(5000, "[1]")...)
	round.Sink = record.NewWriter(full)
	done, err := rig.machine.Run(t.Context(), prefork.Model{}, round)
	if !errors.Is(err, unix.ENOSPC) {
		t.Errorf("error %v; want ENOSPC", err)
	}
	if sum := done.Settled + done.Unacknowledged + done.CutOff + done.NotRun + done.Lost; sum != 5000 {
		t.Errorf("of 5000 jobs %d settled, %d not run, %d lost", done.Settled, done.NotRun, done.Lost)
	}
}

// TestMemoryPerChild: the pool recycles a child that has grown.
func TestMemoryPerChild(t *testing.T) {
	leak := "held = []\ndef leak():\n    held.append(bytearray(8 << 20))\n"
	rig := newRig(t, script{text: leak, function: "leak"})
	rig.machine.Workers = 1
	_, sink, err := rig.run(prefork.Model{MaxMemoryPerChild: 60 << 20}, repeat(30, "[]")...)
	if err != nil {
		t.Fatal(err)
	}
	var lives []int
	for _, p := range sink.processes {
		if p.Role == record.RoleChild {
			lives = append(lives, p.Jobs)
		}
	}
	if len(lives) < 3 || slices.Max(lives) >= 10 {
		t.Errorf("children ran %v jobs; want several that ended before 10", lives)
	}
}

// TestWarmIsInherited: what the warm-up does is not done again in the children.
func TestWarmIsInherited(t *testing.T) {
	text := `
import os
state = {}
def warm():
    state["by"] = os.getpid()
def job():
    if "by" not in state:
        warm()
    return state["by"] == os.getpid()
`
	for _, test := range []struct {
		e    models.Executor
		want string // whether each job did the work itself
	}{
		{forkperjob.Model{}, "true"},
		{hybrid.Model{}, "false"},
	} {
		python := newRig(t, script{text: text, function: "job", warm: []string{"script:warm"}})
		golang := newRig(t, new(goState))
		golang.machine.Runtime = live.Go{}
		for _, rig := range []*rig{python, golang} {
			var got []string
			rig.machine.Workers = 1
			_, _, err := rig.run(spied{test.e, func(o models.Outcome) { got = append(got, string(o.Result)) }}, repeat(3, "[]")...)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, []string{test.want, test.want, test.want}) {
				t.Errorf("%s on %s: jobs that did the work themselves: %v; want %s",
					test.e.Name(), rig.machine.Runtime.Name(), got, test.want)
			}
		}
	}
}

// TestReforkInheritsWhatJobsDid: after the promotion, nobody does the work again.
func TestReforkInheritsWhatJobsDid(t *testing.T) {
	text := "done = []\ndef job():\n    cold = not done\n    done.append(1)\n    return cold\n"
	rig := newRig(t, script{text: text, function: "job"})
	rig.machine.Workers = 1
	var cold []bool
	_, sink, err := rig.run(spied{hybrid.Model{Refork: 2}, func(o models.Outcome) {
		var was bool
		if err := json.Unmarshal(o.Result, &was); err != nil {
			t.Error(err)
		}
		cold = append(cold, was)
	}}, repeat(6, "[]")...)
	if err != nil {
		t.Fatal(err)
	}
	if want := []bool{true, false, false, false, false, false}; !slices.Equal(cold, want) {
		t.Errorf("cold jobs: %v; want %v", cold, want)
	}
	if !slices.ContainsFunc(sink.processes, func(p record.Process) bool { return p.Refork }) {
		t.Error("no process is recorded as reforked")
	}
}
