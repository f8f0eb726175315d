package live_test

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/workload"
)

const noop = "def noop(*args):\n    return None\n"

func TestModelsOnBothRuntimes(t *testing.T) {
	runtimes := map[string]struct {
		runtime live.Runtime
		work    workload.Workload
	}{
		"python": {live.Python{}, script{text: noop, function: "noop"}},
		"go":     {live.Go{}, goEcho{}},
	}
	executors := []models.Executor{
		prefork.Model{}, prefork.Model{MaxJobsPerChild: 3}, forkperjob.Model{},
		hybrid.Model{}, hybrid.Model{JobsPerChild: 4, Spares: 2}, hybrid.Model{Refork: 5},
	}
	for name, rt := range runtimes {
		t.Run(name, func(t *testing.T) {
			rig := newRig(t, rt.work)
			rig.machine.Runtime = rt.runtime
			for _, e := range executors {
				done, sink, err := rig.run(e, repeat(100, "[1]")...)
				if err != nil {
					t.Errorf("%#v: %v", e, err)
				}
				if done.Settled != 100 || done.Lost != 0 || done.Duplicated != 0 || done.Strays != 0 {
					t.Errorf("%#v: settled %d, lost %d, duplicated %d, strays %d; want 100, 0, 0, 0",
						e, done.Settled, done.Lost, done.Duplicated, done.Strays)
				}
				for _, j := range sink.jobs {
					if j.Status != models.Done {
						t.Fatalf("%#v: job %d: %v %s", e, j.ID, j.Status, j.Detail)
					}
				}
			}
		})
	}
}

// TestWhichChildrenHaveASocket: all but those made for one job, with that in hand.
func TestWhichChildrenHaveASocket(t *testing.T) {
	for name, r := range map[string]live.Runtime{"python": live.Python{}, "go": live.Go{}} {
		t.Run(name, func(t *testing.T) {
			var work workload.Workload = script{text: noop, function: "noop"}
			if name == "go" {
				work = goEcho{}
			}
			rig := newRig(t, work)
			rig.machine.Runtime = r
			for _, test := range []struct {
				e    models.Executor
				want bool
			}{
				{forkperjob.Model{}, false},
				{hybrid.Model{}, false},
				{hybrid.Model{JobsPerChild: 4}, true},
				{prefork.Model{}, true},
				{prefork.Model{MaxJobsPerChild: 1}, true},
			} {
				_, sink, err := rig.run(test.e, repeat(20, "[1]")...)
				if err != nil {
					t.Errorf("%#v: %v", test.e, err)
				}
				for _, p := range sink.processes {
					if want := test.want && p.Role == record.RoleChild; p.Socket != want {
						t.Errorf("%#v: socket of %s %d: %v; want %v", test.e, p.Role, p.ID, p.Socket, want)
					}
				}
			}
		})
	}
}

// TestMemoryIndependentOfJobs: records are passed on, not kept.
func TestMemoryIndependentOfJobs(t *testing.T) {
	heap := func(jobs int) uint64 {
		rig := newRig(t, goEcho{})
		rig.machine.Runtime = live.Go{}
		var used uint64
		settled := 0
		sink := sinkFunc(func(l record.Line) error {
			if _, ok := l.(*record.Job); ok {
				if settled++; settled == jobs-10 {
					var m runtime.MemStats
					runtime.GC()
					runtime.ReadMemStats(&m)
					used = m.HeapAlloc
				}
			}
			return nil
		})
		round := rig.Round("prefork", func(yield func(workload.Job) bool) {
			for i := range jobs {
				if !yield(workload.Job{ID: uint64(i), Payload: []byte(`[1]`), Attempt: 1}) {
					return
				}
			}
		}, sink)
		if done, err := rig.machine.Run(t.Context(), prefork.Model{}, round); err != nil || done.Settled != jobs {
			t.Fatalf("settled %d of %d: %v", done.Settled, jobs, err)
		}
		return used
	}
	few, many := heap(1000), heap(100000)
	if many > few+1<<20 {
		t.Errorf("the heap holds %d bytes near the end of 1000 jobs and %d near the end of 100,000", few, many)
	}
}

// TestMemoryOfLargePayloads: what is read ahead is bounded by its size, too.
func TestMemoryOfLargePayloads(t *testing.T) {
	const jobs, size = 200, 1 << 20
	payload := []byte(`["` + strings.Repeat("x", size) + `"]`)
	rig := newRig(t, script{text: noop, function: "noop"})
	var most uint64
	sink := sinkFunc(func(l record.Line) error {
		if _, ok := l.(*record.Job); ok {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		return nil
	})
	round := rig.Round("prefork", func(yield func(workload.Job) bool) {
		for i := range jobs {
			if !yield(workload.Job{ID: uint64(i), Payload: payload, Attempt: 1}) {
				return
			}
		}
	}, sink)
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	if done, err := rig.machine.Run(t.Context(), prefork.Model{}, round); err != nil || done.Settled != jobs {
		t.Fatalf("settled %d of %d: %v", done.Settled, jobs, err)
	}
	if limit := uint64(jobs * size / 2); most > limit {
		t.Errorf("the heap held %d MB with %d payloads of 1 MB on the stream; want at most %d", most>>20, jobs, limit>>20)
	}
}

type sinkFunc func(record.Line) error

func (f sinkFunc) Write(l record.Line) error { return f(l) }
