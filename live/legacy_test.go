package live_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/record"
)

// opens is a module that holds something once hold has been called, by warming
// (warm), when it is imported (TOP) or by its first job (lazy).
const opens = `
import os, sys
kept = []
def hold():
    %s
def warm():
    hold()
def lazy(*args):
    if not kept:
        hold()
def job(*args):
    pass
`

// listener is a server on loopback that accepts and says nothing.
func listener(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func connecting(address string) string {
	host, port, _ := net.SplitHostPort(address)
	return fmt.Sprintf("import socket; kept.append(socket.create_connection((%q, %s)))", host, port)
}

// TestHazards: what a parent holds that its forks share is found, by kind, with
// where it came from; what is harmless is a caution or nothing.
func TestHazards(t *testing.T) {
	server := listener(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "spool")
	rig := newRig(t, script{})
	rig.machine.Workers = 1
	path := filepath.Join(rig.Guard.Dir(), "redis.sock") // of a server that is not part of this program
	tests := []struct {
		name    string
		hold    string // a line of Python
		kind    record.HazardKind
		what    string // a part of it; empty if there must be no hazard
		caution bool
	}{
		{"TCP connection", connecting(server), record.HazardConnection, "a TCP connection to " + server, false},
		{"Unix connection", "import socket; c = socket.socket(socket.AF_UNIX); c.connect('" + path + "'); kept.append(c)",
			record.HazardConnection, "a Unix connection to " + path, false},
		{"SQLite", "import sqlite3; c = sqlite3.connect('" + dir + "/x.db'); c.execute('create table if not exists t (a)'); kept.append(c)",
			record.HazardDatabase, dir + "/x.db", false},
		{"written file", "kept.append(open('" + file + "', 'w'))", record.HazardFile, file + ", open for writing", false},
		{"both ways", "kept.append(open('" + file + "', 'w+'))", record.HazardFile, "open for reading and writing", false},
		{"temporary file", "import tempfile; kept.append(tempfile.TemporaryFile())", record.HazardFile, "a deleted file", false},
		{"event loop", "import asyncio; kept.append(asyncio.new_event_loop())", record.HazardEvents, "epoll", false},
		{"appended log", "import logging; kept.append(logging.FileHandler('" + file + "'))", record.HazardFile, "appending", true},
		{"file being read", "f = open(os.__file__); f.readline(); kept.append(f)", record.HazardFile, "open for reading", true},
		{"statsd", "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.connect(('127.0.0.1', 8125)); kept.append(s)",
			record.HazardDatagrams, "127.0.0.1:8125", true},
		{"server", "import socket; kept.append(socket.create_server(('127.0.0.1', 0)))", record.HazardListener, "listens on 127.0.0.1:", true},
		{"socket pair", "import socket; kept.extend(socket.socketpair())", record.HazardPipe, "socket pair", true},
		{"pipe", "kept.extend(os.pipe())", record.HazardPipe, "a pipe", true},
		{"shared memory", "import mmap; f = open('" + file + "', 'w+b'); f.truncate(4096); kept.append(mmap.mmap(f.fileno(), 0)); f.close()", "", "", false},
		{"no memory file", "kept.append(os.memfd_create('x'))", "", "", false},
		{"null", "kept.append(open('/dev/null', 'w'))", "", "", false},
		{"standard error", "kept.append(os.dup(2))", "", "", false},
		{"directory", "kept.append(os.open('/', os.O_RDONLY))", "", "", false},
		{"closed before the fork", connecting(server) + "; os.register_at_fork(before=kept.pop().close)", "", "", false},
		{"closed in the fork", connecting(server) + "; os.register_at_fork(after_in_child=kept[0].close)", "", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, how := range []struct {
				from     string
				workload script
				model    models.Executor
			}{
				{"--warm=script:warm", script{fmt.Sprintf(opens, test.hold), "job", []string{"script:warm"}}, hybrid.Model{}},
				{"the import of script", script{fmt.Sprintf(opens, test.hold) + "hold()", "job", nil}, forkperjob.Model{}},
				{"the first 2 jobs of the promoted child", script{fmt.Sprintf(opens, test.hold), "lazy", nil}, hybrid.Model{Refork: 2}},
			} {
				rig.machine.Workload = how.workload
				done, sink, err := rig.run(how.model, repeat(6, "[1]")...)
				if err != nil {
					t.Fatal(err)
				}
				for _, j := range sink.jobs {
					if j.Status != models.Done {
						t.Fatalf("job %d: %v: %s", j.ID, j.Status, j.Detail)
					}
				}
				if test.what == "" {
					if len(done.Hazards) > 0 || len(done.Unfit) > 0 {
						t.Errorf("from %s: %+v; want none", how.from, done.Hazards)
					}
					continue
				}
				i := slices.IndexFunc(done.Hazards, func(h record.Hazard) bool {
					return h.Kind == test.kind && strings.Contains(h.What, test.what) && h.Caution == test.caution
				})
				if i < 0 {
					t.Errorf("hazards %+v; want one of kind %s about %q", done.Hazards, test.kind, test.what)
					continue
				}
				if h := done.Hazards[i]; h.From != how.from || h.Cure == "" || h.Unverified {
					t.Errorf("%+v: want it from %q, with a cure, verified", h, how.from)
				}
				if unfit := len(done.Unfit) > 0; unfit == test.caution {
					t.Errorf("unfit because %q, and it is a caution: %v", done.Unfit, test.caution)
				}
			}
		})
	}
}

// TestHazardsOfEachModel: every model's forks are looked at, cold parents' too,
// and what is told of one is told once.
func TestHazardsOfEachModel(t *testing.T) {
	w := script{fmt.Sprintf(opens, connecting(listener(t))) + "hold()", "job", nil}
	rig := newRig(t, w)
	for name, e := range map[string]models.Executor{
		"prefork": prefork.Model{}, "forkperjob": forkperjob.Model{}, "forkperjob(warm)": forkperjob.Model{Warm: true},
		"hybrid": hybrid.Model{}, "hybrid of several": hybrid.Model{JobsPerChild: 3}, "hybrid with spares": hybrid.Model{Spares: 2},
		"hybrid that reforks": hybrid.Model{Refork: 2},
	} {
		done, sink, err := rig.run(e, repeat(12, "[1]")...)
		if err != nil {
			t.Fatal(err)
		}
		if len(done.Hazards) != 1 || done.Hazards[0].From != "the import of script" {
			t.Errorf("%s: hazards %+v; want one, from the import", name, done.Hazards)
		}
		for _, p := range sink.processes {
			if p.Role == record.RoleChild && p.Jobs == 0 && p.Socket && name != "prefork" && name != "hybrid with spares" {
				t.Errorf("%s: the fork that was looked at is in the records: %+v", name, p)
			}
		}
	}
}

// TestCleanParentIsOnlyLookedAt: where a parent holds nothing, nothing is forked
// but for the jobs.
func TestCleanParentIsOnlyLookedAt(t *testing.T) {
	text := `
import os
forks = 0
def count():
    global forks
    forks += 1
os.register_at_fork(before=count)
def job(n):
    return forks
`
	rig := newRig(t, script{text: text, function: "job"})
	rig.machine.Workers = 1
	most := 0
	probe := spied{hybrid.Model{}, func(o models.Outcome) {
		var n int
		if _, err := fmt.Sscan(string(o.Result), &n); err == nil {
			most = max(most, n)
		}
	}}
	if done, _, err := rig.run(probe, repeat(5, "[1]")...); err != nil || len(done.Hazards) != 0 {
		t.Fatalf("%v, %+v", err, done.Hazards)
	}
	if most != 5 {
		t.Errorf("5 jobs took %d forks", most)
	}
}

// native starts a thread that Python does not know: the C library's pause, in a
// thread of the C library's.
const native = `
import ctypes
libc = ctypes.CDLL(None)
thread = ctypes.c_ulong()
libc.pthread_create(ctypes.byref(thread), None, libc.pause, None)
`

// TestThreadsAreNamed: a refusal to fork names each thread, Python's by name and
// function, others by what the kernel knows, and says what to do.
func TestThreadsAreNamed(t *testing.T) {
	text := native + `
import threading
lock = threading.Lock()
class Flusher(threading.Thread):
    def run(self):
        with lock:
            begun.set()
            threading.Event().wait()
begun = threading.Event()
Flusher(daemon=True, name="flusher").start()
begun.wait()
def job(n):
    with lock:
        return n
`
	rig := newRig(t, script{text: text, function: "job"})
	done, _, err := rig.run(hybrid.Model{}, "[1]")
	if _, refused := errors.AsType[*live.ForkError](err); !refused {
		t.Fatalf("forked a process with three threads: %v", err)
	}
	for _, want := range []string{`the thread "flusher" (script.Flusher.run), from the import of script`, "a native thread \"python",
		"script.lock", "--allow-threads"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the refusal does not say %s: %v", want, err)
		}
	}
	if len(done.Unfit) == 0 {
		t.Error("the model is fit")
	}

	// Forked nevertheless, what hangs its jobs is named.
	rig.machine.Runtime = live.Python{AllowThreads: true}
	rig.machine.Timeout = 300 * time.Millisecond
	done, sink, err := rig.run(hybrid.Model{}, "[1]")
	if err != nil || sink.jobs[0].Status != models.TimedOut {
		t.Fatalf("%v, %+v", err, sink.jobs)
	}
	if want := "its forks cannot ever take the lock script.lock"; done.Unfit[0] != want {
		t.Errorf("unfit because %q; want first: %s", done.Unfit, want)
	}
	var kinds []record.HazardKind
	for _, h := range done.Hazards {
		kinds = append(kinds, h.Kind)
	}
	slices.Sort(kinds)
	if want := []record.HazardKind{record.HazardLock, record.HazardNativeThread, record.HazardThread}; !slices.Equal(kinds, want) {
		t.Errorf("hazards %v; want %v", kinds, want)
	}
}

// TestJoinedThreads: a thread that was joined right before a fork is not a reason to
// refuse it, though the kernel lists it for a moment yet.
func TestJoinedThreads(t *testing.T) {
	text := `
import sys, threading
process = sys.modules["__main__"].Process

def joined(fork):
    def forks(self, body):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
        return fork(self, body)
    return forks

process.fork, process.fork_once = joined(process.fork), joined(process.fork_once)

def job(n):
    pass
`
	for _, e := range []models.Executor{prefork.Model{MaxJobsPerChild: 1}, forkperjob.Model{}, hybrid.Model{}} {
		rig := newRig(t, script{text: text, function: "job"})
		done, _, err := rig.run(e, repeat(60, "[1]")...)
		if err != nil || done.Settled != 60 || len(done.Hazards) != 0 {
			t.Errorf("%s: settled %d of 60, %+v: %v", e.Name(), done.Settled, done.Hazards, err)
		}
	}
}

// TestLocksThatAreMeantToBeTaken: a thread that waits for work has taken none.
func TestLocksThatAreMeantToBeTaken(t *testing.T) {
	text := `
import concurrent.futures, logging, queue, threading
q = queue.Queue()
threading.Thread(target=q.get, daemon=True).start()
pool = concurrent.futures.ThreadPoolExecutor(2)
pool.submit(int).result()
def job(n):
    pass
`
	rig := newRig(t, script{text: text, function: "job"})
	rig.machine.Runtime = live.Python{AllowThreads: true}
	done, _, err := rig.run(forkperjob.Model{}, "[1]")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range done.Hazards {
		if h.Kind != record.HazardThread {
			t.Errorf("%+v; want threads only", h)
		}
	}
}

// TestThreadsThatStartAgain: a thread that a fork starts again, or that has ended
// before the fork, is none that it lacks.
func TestThreadsThatStartAgain(t *testing.T) {
	text := `
import os, threading
def watch():
    threading.Event().wait()
def start():
    threading.Thread(target=watch, daemon=True).start()
start()
os.register_at_fork(after_in_child=start)
end = threading.Event()
ends = threading.Thread(target=end.wait, daemon=True)
ends.start()
def stop():
    end.set()
    ends.join()
os.register_at_fork(before=stop)
def job(n):
    pass
`
	rig := newRig(t, script{text: text, function: "job"})
	rig.machine.Runtime = live.Python{AllowThreads: true}
	if done, _, err := rig.run(forkperjob.Model{}, "[1]"); err != nil || len(done.Hazards) > 0 {
		t.Errorf("%v, hazards %+v; want none", err, done.Hazards)
	}
}

// TestPoolIsNamed: the threads of a BLAS are told by their library, with the
// variable that leaves it without; with that, the process forks.
func TestPoolIsNamed(t *testing.T) {
	if exec.Command("python3", "-c", "import numpy").Run() != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("python3 on PATH has no numpy")
		}
		t.Skip("python3 on PATH has no numpy: run `make test`, which has its own Python")
	}
	if runtime.NumCPU() < 2 {
		t.Skip("OpenBLAS starts no thread on a machine with one core")
	}
	text := "import numpy\ndef job(n):\n    return float((numpy.ones((300, 300)) @ numpy.ones((300, 300))).sum())\n"
	rig := newRig(t, script{text: text, function: "job"})
	_, _, err := rig.run(hybrid.Model{}, "[1]")
	if _, refused := errors.AsType[*live.ForkError](err); !refused {
		t.Fatalf("forked a process with a pool: %v", err)
	}
	for _, want := range []string{"(OpenBLAS)", "--env=OPENBLAS_NUM_THREADS=1", "from the import of script", "ends its threads itself before a fork"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the refusal does not say %s: %v", want, err)
		}
	}
	rig.machine.Env = []string{"OPENBLAS_NUM_THREADS=1"}
	if done, _, err := rig.run(hybrid.Model{}, "[1]"); err != nil || len(done.Hazards) != 0 {
		t.Errorf("%v, %+v", err, done.Hazards)
	}
	// Its threads are gone at a fork, and it works in the forks: nothing is unfit.
	rig.machine.Env, rig.machine.Runtime = nil, live.Python{AllowThreads: true}
	done, sink, err := rig.run(hybrid.Model{}, repeat(6, "[1]")...)
	if err != nil || len(done.Unfit) != 0 || len(done.Hazards) != 1 || !done.Hazards[0].Caution {
		t.Errorf("%v, unfit %q, %+v", err, done.Unfit, done.Hazards)
	}
	for _, j := range sink.jobs {
		if j.Status != models.Done {
			t.Errorf("job %d: %v %s", j.ID, j.Status, j.Detail)
		}
	}
}
