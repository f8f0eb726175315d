package sim_test

import (
	"runtime"
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
