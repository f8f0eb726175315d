package live_test

import (
	"testing"
	"time"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
)

// helperBurns is Python that starts a process which burns 0.2 s before it says so.
const helperBurns = `import contextlib, subprocess, sys

def start():
    text = "import time\nwhile time.process_time() < 0.2:\n    pass\nprint('up', flush=True)\n%s"
    return subprocess.Popen([sys.executable, "-S", "-c", text % more], stdout=subprocess.PIPE)

@contextlib.contextmanager
def helper():
    process = start()
    process.stdout.readline()
    yield
    process.kill()
    process.wait()

def job(*args):
    pass

`

// TestHelpers: what an application's helpers burn before work is start-up, whether
// they live until the application ends them, or have ended and nobody has waited.
func TestHelpers(t *testing.T) {
	for name, test := range map[string]struct {
		text  string
		setup []string
	}{
		"lives":     {helperBurns + "more = \"time.sleep(1000)\"\n", []string{"script:helper"}},
		"has ended": {helperBurns + "more = \"\"\nstart().stdout.read()\n", nil},
	} {
		for _, e := range []models.Executor{prefork.Model{}, forkperjob.Model{}, hybrid.Model{}} {
			rig := newRig(t, script{text: test.text, function: "job"})
			rig.machine.Runtime = live.Python{Setup: test.setup}
			done, _, err := rig.run(e, repeat(8, "[]")...)
			if err != nil {
				t.Fatal(err)
			}
			children, parents := done.Children.Total(), done.Parents.Total()
			if children < 0 || parents < 0 || children+parents > 100*time.Millisecond {
				t.Errorf("a helper that %s, %s: children used %v (of which left behind %v) and parents %v during work; want what empty jobs take",
					name, e.Name(), children, done.Strayed.Total(), parents)
			}
			if off := done.CgroupNS - done.BookedNS; done.CgroupNS != 0 && off.Abs() > done.CgroupNS/100 {
				t.Errorf("a helper that %s, %s: the cgroup used %v, booked are %v", name, e.Name(), done.CgroupNS, done.BookedNS)
			}
		}
	}
}
