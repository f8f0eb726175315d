package live_test

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/record"
)

// scribbler writes a number wherever a job can write in memory or files that are
// shared with the host, and then hangs.
const scribbler = `
import os, struct, time

def reach():
    # Mapped, and open: what a stray pointer, or a write to the wrong number, would hit.
    found = []
    with open("/proc/self/maps") as maps:
        for line in maps:
            if "forkbench-seats" in line and "rw" in line.split()[1]:
                low, high = (int(x, 16) for x in line.split()[0].split("-"))
                found.append(("/proc/self/mem", low, high - low))
    for fd in os.listdir("/proc/self/fd"):
        try:
            if "forkbench-seats" in os.readlink(f"/proc/self/fd/{fd}"):
                found.append((f"/proc/self/fd/{fd}", 0, os.fstat(int(fd)).st_size))
        except OSError:
            pass
    return found

def scribble(word):
    for path, start, size in reach():
        with open(path, "r+b", buffering=0) as file:
            for at in range(0, size, 4096):
                file.seek(start + at)
                file.write(struct.pack("@I", word) * 1024)

def job(what, word=0):
    if what == "fork":
        if os.fork() == 0:
            os.setsid()
            for _ in range(300):
                scribble(word)
                time.sleep(0.001)
            os._exit(0)
    if what == "scribble":
        scribble(word)
        time.sleep(1000)
    if what == "wait":
        time.sleep(0.5)
    return what
`

// TestScribblingJob: a job that writes all over the memory that it shares with the
// host spoils its own outcome, and nothing else: no stranger is killed, no
// neighbour's outcome changes, its own limit holds.
func TestScribblingJob(t *testing.T) {
	for _, test := range []struct {
		name string
		e    models.Executor
	}{
		{"forkperjob", forkperjob.Model{}},
		{"hybrid", hybrid.Model{}},
		{"promoted", hybrid.Model{Refork: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bystander := exec.Command("sleep", "1000")
			if err := bystander.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _, _ = bystander.Process.Kill(), bystander.Wait() }()

			rig := newRig(t, script{text: scribbler, function: "job"})
			rig.machine.Timeout, rig.machine.BootTimeout = 2*time.Second, 20*time.Second
			word := strconv.Itoa(bystander.Process.Pid)
			payloads := repeat(24, `["done"]`)
			for i := 4; i < len(payloads); i += 4 { // side by side with those that wait
				payloads[i], payloads[i+1] = `["wait"]`, `["wait"]`
				payloads[i+2] = `["scribble",` + word + `]`
			}
			done, sink, err := rig.run(test.e, payloads...)
			if err != nil || done.Settled != len(payloads) || done.Strays != 0 {
				t.Errorf("settled %d of %d, %d strays: %v", done.Settled, len(payloads), done.Strays, err)
			}
			for _, j := range sink.jobs {
				want := models.Done
				if strings.Contains(payloads[j.ID], "scribble") {
					want = models.TimedOut
				}
				if j.Status != want {
					t.Errorf("job %d (%s): %v %s; want %v", j.ID, payloads[j.ID], j.Status, j.Detail, want)
				}
			}
			if err := bystander.Process.Signal(unix.Signal(0)); err != nil {
				t.Errorf("a process that has nothing to do with the run is gone: %v", err)
			}
			var status unix.WaitStatus
			if pid, err := unix.Wait4(bystander.Process.Pid, &status, unix.WNOHANG, nil); pid != 0 || err != nil {
				t.Errorf("a process that has nothing to do with the run has ended: %v, %v", status, err)
			}
			seated := 0
			for _, p := range sink.processes {
				if p.Role == record.RoleChild && !p.Socket {
					seated++
				}
			}
			if seated < len(payloads)-2 {
				t.Errorf("%d of %d jobs ran in a child with a seat: this tests little", seated, len(payloads))
			}
		})
	}
}

// TestScribblingLeftover: what a job leaves running cannot reach the seat of its
// process, which is another's by then.
func TestScribblingLeftover(t *testing.T) {
	for _, e := range []models.Executor{forkperjob.Model{}, hybrid.Model{}} {
		rig := newRig(t, script{text: scribbler, function: "job"})
		rig.machine.Workers = 1
		payloads := append([]string{`["fork",7]`}, repeat(200, `["done"]`)...)
		done, sink, err := rig.run(e, payloads...)
		if err != nil || done.Settled != len(payloads) {
			t.Errorf("%s: settled %d of %d: %v", e.Name(), done.Settled, len(payloads), err)
		}
		for _, j := range sink.jobs {
			if j.Status != models.Done {
				t.Errorf("%s: job %d: %v %s", e.Name(), j.ID, j.Status, j.Detail)
			}
		}
	}
}

// TestForgedOutcome: a job that leaves an outcome that cannot be has crashed.
func TestForgedOutcome(t *testing.T) {
	text := `
import os, struct, time
done = struct.Struct(">QBqqq")
def job(what):
    forged = {
        "other": (99, 1, time.monotonic_ns(), time.monotonic_ns(), 0),
        "early": (0, 1, 1, 2, 0),
        "late": (0, 1, time.monotonic_ns(), time.monotonic_ns() + 10**12, 0),
        "backward": (0, 1, time.monotonic_ns(), time.monotonic_ns() - 10**6, 0),
        "status": (0, 9, time.monotonic_ns(), time.monotonic_ns(), 0),
        "unready": (0, 0, 0, 0, 0),
        "cpu": (0, 1, time.monotonic_ns(), time.monotonic_ns(), -1),
    }
    with open("/proc/self/maps") as maps:
        seat = next(line for line in maps if "forkbench-seats" in line)
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(int(seat.split("-")[0], 16))
        memory.write(struct.pack("@II", 0, done.size) + done.pack(*forged[what]))
    os._exit(0)
`
	for _, what := range []string{"other", "early", "late", "backward", "status", "unready", "cpu"} {
		rig := newRig(t, script{text: text, function: "job"})
		done, sink, err := rig.run(forkperjob.Model{}, `["`+what+`"]`)
		if err != nil || done.Settled != 1 || len(sink.jobs) != 1 {
			t.Errorf("%s: settled %d: %v", what, done.Settled, err)
			continue
		}
		if j := sink.jobs[0]; j.Status != models.Crashed || !strings.Contains(j.Detail, "exit status 0 (") {
			t.Errorf("%s: %v %q; want a crash, with what was wrong", what, j.Status, j.Detail)
		}
	}
}
