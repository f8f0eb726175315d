package live_test

import (
	"testing"
	"time"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/workload"
)

// TestAccounts: the CPU of jobs that burn a known amount is all booked, on the
// children, during work, and agrees with what the kernel's cgroup says.
func TestAccounts(t *testing.T) {
	burn, err := workload.Parse("cpu:5ms")
	if err != nil {
		t.Fatal(err)
	}
	const jobs = 60
	least := jobs * 5 * time.Millisecond
	for _, e := range []models.Executor{
		prefork.Model{}, prefork.Model{MaxJobsPerChild: 7}, forkperjob.Model{},
		hybrid.Model{}, hybrid.Model{Refork: 5}, hybrid.Model{JobsPerChild: 3, Spares: 2},
	} {
		rig := newRig(t, burn)
		payloads := make([]string, jobs)
		for i := range payloads {
			payloads[i] = string(burn.Payload(1, uint64(i)))
		}
		done, sink, err := rig.run(e, payloads...)
		if err != nil {
			t.Fatal(err)
		}
		var booked time.Duration
		startup := record.CPU{}
		for _, p := range sink.processes {
			booked += p.UserNS + p.SystemNS
			if p.UserNS < 0 || p.SystemNS < 0 {
				t.Errorf("%#v: process %d used %v + %v", e, p.ID, p.UserNS, p.SystemNS)
			}
			startup.User += p.StartupUserNS
			startup.System += p.StartupSysNS
		}
		if booked != done.Wait4NS {
			t.Errorf("%#v: the processes' records add up to %v, the round says %v", e, booked, done.Wait4NS)
		}
		work := done.Children.Total() + done.Parents.Total()
		if work > booked || done.Children.Total() < least {
			t.Errorf("%#v: children used %v and parents %v during work; want at least %v and in all at most %v",
				e, done.Children.Total(), done.Parents.Total(), least, booked)
		}
		if startup.Total() == 0 || work+startup.Total() > booked*102/100 {
			t.Errorf("%#v: %v at start-up and %v during work exceed the total of %v", e, startup.Total(), work, booked)
		}
		if done.CgroupNS == 0 {
			t.Logf("no cgroup to compare with: %s", rig.Guard.Cgroup())
			continue
		}
		if off := done.CgroupNS - done.Wait4NS; off.Abs() > done.CgroupNS/100 {
			t.Errorf("%#v: the cgroup used %v, wait4 says %v", e, done.CgroupNS, done.Wait4NS)
		}
	}
}

// TestStartupIsNotWork: what the application burns while it is imported is not
// booked on the jobs.
func TestStartupIsNotWork(t *testing.T) {
	text := "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end:\n    pass\n" + noop
	rig := newRig(t, script{text: text, function: "noop"})
	done, _, err := rig.run(forkperjob.Model{}, repeat(4, "[]")...)
	if err != nil {
		t.Fatal(err)
	}
	const burnt = 4 * 200 * time.Millisecond
	if work := done.Children.Total() + done.Parents.Total(); done.Wait4NS < burnt || work > burnt/4 {
		t.Errorf("work was booked %v of %v; want what four empty jobs take", work, done.Wait4NS)
	}
}

// burnElsewhere is Python that has a process of its own burn 0.2 s.
const burnElsewhere = `import subprocess, sys

def burn():
    text = "import time\nwhile time.process_time() < 0.2:\n    pass"
    subprocess.run([sys.executable, "-S", "-c", text], check=True)

`

// TestStartupOfOthers: nor is what it has another process burn meanwhile, as a
// shell script does that is python3 on the PATH, although wait4 says it in the end.
func TestStartupOfOthers(t *testing.T) {
	rig := newRig(t, script{text: burnElsewhere + "burn()\n" + noop, function: "noop"})
	done, sink, err := rig.run(forkperjob.Model{}, repeat(4, "[]")...)
	if err != nil {
		t.Fatal(err)
	}
	var startup time.Duration
	parents := 0
	for _, p := range sink.processes {
		if p.Role == record.RoleParent {
			parents++
			startup += p.StartupUserNS + p.StartupSysNS
		}
	}
	burnt := time.Duration(parents) * 200 * time.Millisecond
	if parents == 0 || startup < burnt {
		t.Errorf("the start-up of %d parents is booked with %v; want at least %v", parents, startup, burnt)
	}
	if work := done.Children.Total() + done.Parents.Total(); work > burnt/4 {
		t.Errorf("work was booked %v of %v; want what four empty jobs take", work, done.Wait4NS)
	}
}

// TestJobsOfOthers: what jobs have other processes burn is their children's work,
// also of children that live on.
func TestJobsOfOthers(t *testing.T) {
	const jobs = 6
	for _, e := range []models.Executor{prefork.Model{}, forkperjob.Model{}} {
		rig := newRig(t, script{text: burnElsewhere, function: "burn"})
		done, _, err := rig.run(e, repeat(jobs, "[]")...)
		if err != nil {
			t.Fatal(err)
		}
		// Two counters for each child, each cut to its tick.
		least := jobs*200*time.Millisecond - time.Duration(rig.machine.Workers)*20*time.Millisecond
		if got := done.Children.Total(); got < least || got > done.Wait4NS {
			t.Errorf("%s: children used %v during work; want at least %v and at most %v", e.Name(), got, least, done.Wait4NS)
		}
	}
}

// TestRecursionWithoutMain: a program that forgets Main is told so.
func TestRecursionWithoutMain(t *testing.T) {
	t.Setenv("FORKBENCH_GUARD", "{}")
	if g, err := live.StartGuard(); err == nil {
		t.Error("a guard's own process started a guard", g.Close())
	}
}
