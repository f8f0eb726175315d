package live_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
)

// TestInterpreterBehindScript: a time limit holds where the interpreter is a script
// that stays the parent of the one that forks.
func TestInterpreterBehindScript(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal(err)
	}
	script3 := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(script3, []byte("#!/bin/sh\n"+python+" \"$@\"\nexit $?\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	rig := newRig(t, script{text: "import time\ndef job(wait):\n    time.sleep(wait)\n", function: "job"})
	rig.machine.Runtime = live.Python{Interpreter: script3}
	rig.machine.Timeout = time.Second
	done, sink, err := rig.run(forkperjob.Model{}, "[0]", "[3600]", "[0]")
	if err != nil {
		t.Fatal(err)
	}
	late := 0
	for _, j := range sink.jobs {
		if j.Status == models.TimedOut {
			late++
		}
	}
	if late != 1 || done.Settled != 3 {
		t.Errorf("%d of %d jobs timed out; want 1 of 3", late, done.Settled)
	}
}
