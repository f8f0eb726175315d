package sim_test

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/sim"
)

// BenchmarkMM4 is the queue M/M/4 at a load of 0.8, through the prefork
// executor: one operation is one simulated job.
func BenchmarkMM4(b *testing.B) {
	b.ReportAllocs()
	m := &sim.Machine{Workers: 4, Cores: 4, Profile: bare(sim.Exponential(10)), Seed: 1}
	r := sim.Round{Model: "prefork", Jobs: jobs(b, "poisson:320", 1, b.N), Total: b.N}
	before := cpuTime(b)
	b.ResetTimer()
	done, err := m.Run(b.Context(), prefork.Model{}, r)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(done.Settled)/b.Elapsed().Seconds(), "jobs/s")
	// On a machine that does other things too, this is what a core to itself
	// would do, or a little less.
	b.ReportMetric(float64(done.Settled)/(cpuTime(b)-before).Seconds(), "jobs/cpu-s")
}

// BenchmarkAgainstSimPy runs the same queue in SimPy, in turn with package sim on
// one processor, and reports how many times as many jobs a second of CPU time
// simulates here: against a process for each job that requests a server, as
// SimPy's own examples have it, and against the quicker form in which a process
// for each worker takes jobs from a store (testdata/mm4.py).
//
// It needs a python3 with SimPy, as .venv has.
func BenchmarkAgainstSimPy(b *testing.B) {
	const jobsThere, jobsHere = 200_000, 4_000_000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want := erlangC(4, 3.2)*meanService/(4*(1-0.8)) + meanService
	var here float64 // s for each job, summed over the operations
	there := make(map[string]float64)
	for b.Loop() {
		text, err := exec.Command("python3", "testdata/mm4.py", strconv.Itoa(jobsThere)).Output()
		if err != nil {
			if os.Getenv("CI") == "true" {
				b.Fatalf("python3 testdata/mm4.py: %v", err)
			}
			b.Skipf("python3 testdata/mm4.py: %v: does python3 have SimPy?", err)
		}
		for line := range strings.Lines(string(text)) {
			var form string
			var took, response float64
			if _, err := fmt.Sscan(line, &form, &took, &response); err != nil {
				b.Fatalf("SimPy said %q: %v", line, err)
			}
			if math.Abs(response/want-1) > 0.05 {
				b.Errorf("%s: jobs took %.2f ms in SimPy; want %.2f", form, response, want)
			}
			there[form] += took / jobsThere
		}

		m := &sim.Machine{Workers: 4, Cores: 4, Profile: bare(sim.Exponential(meanService)), Seed: 1}
		before := cpuTime(b)
		done, err := m.Run(b.Context(), prefork.Model{}, sim.Round{
			Model: "prefork", Jobs: jobs(b, "poisson:320", 1, jobsHere), Total: jobsHere,
		})
		if err != nil {
			b.Fatal(err)
		}
		here += (cpuTime(b) - before).Seconds() / float64(done.Settled)
	}
	b.ReportMetric(float64(b.N)/here, "jobs/cpu-s")
	for form, took := range there {
		b.ReportMetric(took/here, "times-SimPy-"+form)
	}
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// TestNoAllocations: what a run allocates does not depend on the number of jobs
// where no process is made for them.
func TestNoAllocations(t *testing.T) {
	run := func(n int) uint64 {
		m := &sim.Machine{Workers: 4, Cores: 2, Profile: whole(), Seed: 1, Timeout: time.Minute}
		r := round(t, n, nil)
		r.Jobs = jobs(t, "poisson:300", 1, n)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := m.Run(t.Context(), prefork.Model{}, r); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs
	}
	run(1000)
	few, many := run(5_000), run(25_000)
	if more := int64(many) - int64(few); more > 200 {
		t.Errorf("20,000 more jobs took %d more allocations; want none for each", more)
	}
}

// BenchmarkWhole has every cost switched on.
func BenchmarkWhole(b *testing.B) {
	b.Run("prefork", func(b *testing.B) {
		m := &sim.Machine{Workers: 4, Cores: 2, Profile: whole(), Seed: 1, Timeout: time.Minute}
		if _, err := m.Run(b.Context(), prefork.Model{}, round(b, b.N, nil)); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("forkperjob", func(b *testing.B) {
		m := &sim.Machine{Workers: 4, Cores: 2, Profile: whole(), Seed: 1, Timeout: time.Minute}
		if _, err := m.Run(b.Context(), forkperjob.Model{}, round(b, b.N, nil)); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("hybrid", func(b *testing.B) {
		m := &sim.Machine{Workers: 4, Cores: 2, Profile: whole(), Seed: 1, Timeout: time.Minute}
		if _, err := m.Run(b.Context(), hybrid.Model{}, round(b, b.N, nil)); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkManyWorkers is jobs on 10,000 workers of as many cores, at a load of
// 0.9. Run it with -benchtime=10000000x for ten million jobs.
func BenchmarkManyWorkers(b *testing.B) {
	const workers = 10_000
	m := &sim.Machine{Workers: workers, Cores: workers, Profile: bare(sim.Exponential(10)), Seed: 1}
	r := sim.Round{Model: "prefork", Jobs: jobs(b, "poisson:900000", 1, b.N), Total: b.N}
	if _, err := m.Run(b.Context(), prefork.Model{}, r); err != nil {
		b.Fatal(err)
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	b.ReportMetric(float64(mem.Sys)/(1<<20), "MiB-from-system")
}
