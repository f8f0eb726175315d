package live_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"forkbench/live"
	"forkbench/live/livetest"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
)

func leaving(function string) script { return script{text: livetest.Leaving, function: function} }

// TestLeftBehind: what a job leaves running is booked on its model, in whatever way
// it was left, under every model.
func TestLeftBehind(t *testing.T) {
	const jobs = 8
	for _, way := range livetest.Ways() {
		t.Run(way.Name, func(t *testing.T) {
			rig := newRig(t, leaving(way.Name))
			for _, e := range []models.Executor{prefork.Model{}, forkperjob.Model{}, hybrid.Model{}, hybrid.Model{JobsPerChild: 3}} {
				done, sink, err := rig.run(e, repeat(jobs, "[]")...)
				if err != nil {
					t.Fatal(err)
				}
				livetest.Booked(t, done, way, jobs)
				livetest.LetFinish(t, done)
				if done.Settled != jobs {
					t.Errorf("%#v: %d jobs of %d settled", e, done.Settled, jobs)
				}
				var sum time.Duration
				for _, p := range sink.processes {
					sum += p.UserNS + p.SystemNS
				}
				if sum += done.Strayed.Total(); sum != done.Wait4NS {
					t.Errorf("%#v: processes on record and those left behind used %v, wait4 says %v", e, sum, done.Wait4NS)
				}
			}
		})
	}
}

// TestKilledTree: what a job has others do is booked also if the job dies before it
// has waited for them.
func TestKilledTree(t *testing.T) {
	const jobs = 4
	dies := livetest.Leaving + "\ndef dies(*_):\n    popen()\n    os.kill(os.getpid(), signal.SIGKILL)\n"
	way := livetest.Way{Name: "dies", Burns: 50 * time.Millisecond, Leave: 50 * time.Millisecond}
	rig := newRig(t, script{text: dies, function: way.Name})
	for _, e := range []models.Executor{prefork.Model{}, forkperjob.Model{}, hybrid.Model{}} {
		done, _, err := rig.run(e, repeat(jobs, "[]")...)
		if err != nil {
			t.Fatal(err)
		}
		livetest.Booked(t, done, way, jobs)
		livetest.LetFinish(t, done)
	}
}

// TestUnbooked: the check of the accounts can fail. What ends under a parent that
// ignores SIGCHLD is in nobody's account, and the table's sum is short of it.
func TestUnbooked(t *testing.T) {
	const jobs = 8
	for _, e := range []models.Executor{prefork.Model{}, forkperjob.Model{}, hybrid.Model{}} {
		rig := newRig(t, leaving("ignored"))
		done, _, err := rig.run(e, repeat(jobs, "[]")...)
		if err != nil {
			t.Fatal(err)
		}
		if done.CgroupNS == 0 {
			t.Logf("no cgroup to compare with: %s", rig.Guard.Cgroup())
			return
		}
		if off := done.CgroupNS - done.BookedNS; off < jobs*50*time.Millisecond {
			t.Errorf("%s: the control group used %v, the table's sum is %v; want what nobody could wait for to be missing", e.Name(), done.CgroupNS, done.BookedNS)
		}
	}
}

// TestSleepersAreEnded: daemons without the mark are found in the control group,
// ended and counted, and the group goes with them.
func TestSleepersAreEnded(t *testing.T) {
	const jobs = 5
	for _, e := range []models.Executor{prefork.Model{}, forkperjob.Model{}, hybrid.Model{}} {
		rig := newRig(t, leaving("sleeper"))
		group := live.GroupOf(rig.Guard)
		if group == "" {
			t.Logf("they cannot be found: the control group is %s", rig.Guard.Cgroup())
			return
		}
		done, _, err := rig.run(e, repeat(jobs, "[]")...)
		if err != nil {
			t.Fatal(err)
		}
		if done.Strays != jobs {
			t.Errorf("%s: %d processes were found; want the %d that were left", e.Name(), done.Strays, jobs)
		}
		if left, _ := filepath.Glob(filepath.Join(group, "*", "cgroup.procs")); len(left) > 0 {
			t.Errorf("%s: groups are left: %s", e.Name(), strings.Join(left, ", "))
		}
	}
}

// TestWithoutCgroup: where no control group can be made, the accounts are the same
// but for their check. Only what has left its session and cleared its environment
// is not told from the processes of others.
func TestWithoutCgroup(t *testing.T) {
	const jobs = 8
	for _, way := range livetest.Ways() {
		if way.Name == "cleared" {
			continue
		}
		t.Run(way.Name, func(t *testing.T) {
			rig := newRig(t, leaving(way.Name))
			live.WithoutGroup(rig.Guard)
			for _, e := range []models.Executor{prefork.Model{}, forkperjob.Model{}} {
				done, _, err := rig.run(e, repeat(jobs, "[]")...)
				if err != nil {
					t.Fatal(err)
				}
				livetest.Booked(t, done, way, jobs)
				livetest.LetFinish(t, done)
				if done.CgroupNS != 0 {
					t.Errorf("%s: a control group used %v; want none", e.Name(), done.CgroupNS)
				}
			}
		})
	}
}
