package livetest

import (
	"testing"
	"time"

	"forkbench/record"
)

// Leaving is a module of Python with a function for each way in which a job leaves
// a process behind that burns 50 ms of CPU; see Ways. Each takes any arguments.
//
// Two more are: sleeper leaves a daemon that sleeps and has no mark of the run, and
// ignored has a process end that nobody can wait for.
const Leaving = `
import os, signal, subprocess, sys, time

BURN = "import time\nwhile time.process_time() < 0.05:\n    pass"

def burn():
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass

def popen(*_):
    subprocess.Popen([sys.executable, "-S", "-c", BURN])

def fork(*_):
    if os.fork() == 0:
        burn()
        os._exit(0)

def both(*_):
    os.fork()
    burn()

def detach(then):
    middle = os.fork()
    if middle == 0:
        os.setsid()
        if os.fork() == 0:
            then()
        os._exit(0)
    os.waitpid(middle, 0)

def daemon(*_):
    detach(burn)

def cleared(*_):
    detach(lambda: os.execve(sys.executable, [sys.executable, "-S", "-c", BURN], {}))

def waited(*_):
    subprocess.run([sys.executable, "-S", "-c", BURN], check=True)

def sleeper(*_):
    detach(lambda: os.execve("/bin/sleep", ["sleep", "600"], {}))

def ignored(*_):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        burn()
        os._exit(0)
    try:
        os.waitpid(child, 0)  # which returns when it has ended, and has nothing to tell
    except ChildProcessError:
        pass
`

// A Way is a function of Leaving, and how much CPU is burnt by it: in all, and in
// what it leaves behind.
type Way struct {
	Name         string
	Burns, Leave time.Duration
}

// Ways lists them: a program that is not waited for, a fork that is not, one that
// returns in both processes, a daemon, a daemon with an empty environment, and, for
// comparison, a program that is waited for.
func Ways() []Way {
	const each = 50 * time.Millisecond
	return []Way{
		{"popen", each, each},
		{"fork", each, each},
		{"both", 2 * each, each},
		{"daemon", each, each},
		{"cleared", each, each},
		{"waited", each, 0},
	}
}

// Booked checks that a round's table shows at least the CPU that so many jobs have burnt,
// and that it adds up to what the control group used.
func Booked(t *testing.T, r *record.Round, w Way, jobs int) {
	t.Helper()
	n := time.Duration(jobs)
	if got := r.Children.Total() + r.Parents.Total(); got < n*w.Burns {
		t.Errorf("%s: %v are booked on its processes during work; want at least the %v that were burnt", r.Model, got, n*w.Burns)
	}
	if got := r.Strayed.Total(); got < n*w.Leave {
		t.Errorf("%s: %v are booked on what was left behind; want at least the %v that were burnt there", r.Model, got, n*w.Leave)
	}
	if r.CgroupNS == 0 {
		t.Log("there is no control group to compare with")
	} else if off := r.CgroupNS - r.BookedNS; off.Abs() > r.CgroupNS/100 {
		t.Errorf("%s: the table's sum is %v, the control group used %v: %v apart", r.Model, r.BookedNS, r.CgroupNS, off)
	}
}

// LetFinish checks that nothing that was left behind had to be killed at a round's end.
func LetFinish(t *testing.T, r *record.Round) {
	t.Helper()
	if r.Strays != 0 {
		t.Errorf("%s: %d processes were killed at the end; want all to be let finish", r.Model, r.Strays)
	}
}
