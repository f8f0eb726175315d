package live_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
)

// liar is an application whose template says of its children that they have another
// process's pid, on its socket or in the register of its seats, and dies.
const liar = `
import os, signal, struct, sys
main = sys.modules["__main__"]

def other():
    return int(os.environ["FORKBENCH_TEST_PID"])

def die():
    # The host looks in the register of seats, which says what it is told here.
    with open("/proc/self/maps") as maps:
        for line in maps:
            if "forkbench-seats" in line:
                start = int(line.split("-")[0], 16)
                with open("/proc/self/mem", "r+b", buffering=0) as memory:
                    for entry in range(4):
                        memory.seek(start + 16 * entry)
                        memory.write(struct.pack("@I4xq", other(), 1))
                break
    os.kill(os.getpid(), signal.SIGKILL)

class Lie:
    size = main.FORKED.size
    pack = staticmethod(lambda pid, began, returned: struct.pack(">Iqq", other() if pid else 0, began, returned))

main.FORKED = Lie

class Dies:
    size = main.ONCE.size
    @staticmethod
    def unpack_from(body):
        die()

main.ONCE = Dies

main.Process.reap = lambda self, pid: die()

def job(n=0):
    pass
`

// TestLyingTemplate: what a template says of its children, and dies, has no other
// child of this program killed or waited for, alive or dead, with a control group or
// without.
func TestLyingTemplate(t *testing.T) {
	for _, group := range []bool{true, false} {
		for _, e := range []models.Executor{prefork.Model{}, forkperjob.Model{}, hybrid.Model{}} {
			for _, args := range [][]string{{"sleep", "1000"}, {"true"}} {
				t.Run(e.Name()+" "+args[0]+" "+strconv.FormatBool(group), func(t *testing.T) {
					rig := newRig(t, script{text: liar, function: "job"})
					if !group {
						live.WithoutGroup(rig.Guard)
					}
					bystander := exec.Command(args[0], args[1:]...)
					// As one that was started before the guard was.
					bystander.Env = []string{"PATH=" + os.Getenv("PATH")}
					if err := bystander.Start(); err != nil {
						t.Fatal(err)
					}
					defer func() { _, _ = bystander.Process.Kill(), bystander.Wait() }()
					if args[0] == "true" {
						awaitDeath(t, bystander.Process.Pid)
					}
					rig.machine.Env = []string{"FORKBENCH_TEST_PID=" + strconv.Itoa(bystander.Process.Pid)}
					rig.machine.Workers = 1
					done, _, err := rig.run(e, "[1]")
					if err == nil && e.Name() != "prefork" {
						t.Error("the template died, and nobody noticed")
					}
					want := 0 // its answer if it lives
					if args[0] == "true" {
						want = bystander.Process.Pid
					}
					var status unix.WaitStatus
					if pid, err := unix.Wait4(bystander.Process.Pid, &status, unix.WNOHANG, nil); pid != want || err != nil || status.Signaled() {
						t.Errorf("of a process that has nothing to do with the run, wait4 says %d, %v, %v; want %d", pid, status, err, want)
					}
					if !strings.Contains(strings.Join(done.Warnings, "\n"), "it was left alone") {
						t.Errorf("warnings %q; want one that a process was left alone", done.Warnings)
					}
				})
			}
		}
	}
}
