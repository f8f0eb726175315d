package sim_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/modelstest"
	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/sim"
	"forkbench/sim/simtest"
	"forkbench/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bare is a profile of nothing but jobs that take d of CPU.
func bare(d sim.Dist) *sim.Profile {
	return &sim.Profile{
		Version: sim.ProfileVersion, Name: "bare",
		Memory: sim.Memory{BootedMB: 20, PageKB: 4},
		Jobs:   []sim.Class{{Weight: 1, CPU: d}},
	}
}

// whole is a profile in which everything costs something.
func whole() *sim.Profile {
	return &sim.Profile{
		Version: sim.ProfileVersion, Name: "whole",
		Boot:     sim.Boot{CPU: sim.Constant(80), Wait: sim.Exponential(5), System: 0.2},
		OneTime:  sim.OneTime{CPU: sim.Lognormal(30, 0.1), Warmable: 1, MemoryMB: 8, Pages: 300},
		FirstJob: sim.FirstJob{CPU: sim.Constant(0.3), Wait: sim.Constant(0.1), Pages: 40},
		Fork:     sim.Fork{Base: sim.Exponential(0.1), PerMB: 0.015, Start: sim.Constant(0.2), Pages: 60, Reap: sim.Constant(0.05)},
		Exit:     sim.Exit{Base: sim.Constant(0.1), PerMB: 0.01},
		Cores:    sim.Cores{HotMS: 0.5, SliceMS: 4, ColdParent: sim.Constant(0.1), ColdChild: sim.Exponential(0.2)},
		Memory:   sim.Memory{BootedMB: 30, PageKB: 4, Copy: 0.002, Fresh: 0.0005},
		Jobs: []sim.Class{
			{Name: "light", Weight: 3, CPU: sim.Exponential(2), Wait: sim.Constant(1), System: 0.1, Pages: 10},
			{Name: "heavy", Weight: 1, CPU: sim.Hyperexponential([]float64{9, 1}, []float64{1, 10}), MemoryMB: 2, RetainedMB: 0.5},
		},
		Supervisor: sim.Supervisor{
			Dispatch: sim.Constant(0.05), Collect: sim.Constant(0.03), Fork: sim.Exponential(0.1),
			Latency: sim.Constant(0.02), Protocol: sim.Constant(0.04), System: 0.5, ThreadsPerCore: 1,
		},
		Redis: sim.Redis{
			Command: sim.Constant(0.02), Read: sim.Constant(0.002), Settle: sim.Exponential(0.004),
			RoundTrip: sim.Constant(0.05), LingerMS: 5, Batch: 256, System: 0.6,
		},
	}
}

// jobs are n jobs with the due times of a plan.
func jobs(t testing.TB, arrivals string, seed uint64, n int) iter.Seq[workload.Job] {
	t.Helper()
	plan, err := workload.ParseArrivals(arrivals)
	if err != nil {
		t.Fatal(err)
	}
	return workload.Jobs(noPayload{}, plan, seed, n)
}

type noPayload struct{}

func (noPayload) Name() string                  { return "none" }
func (noPayload) Payload(uint64, uint64) []byte { return nil }

func round(t testing.TB, n int, sink record.Sink) sim.Round {
	return sim.Round{Model: "test", Jobs: jobs(t, "burst", 1, n), Total: n, Sink: sink}
}

// executors are the models of this project with their knobs, and a custom one.
func executors() map[string]models.Executor {
	return map[string]models.Executor{
		"prefork":                    prefork.Model{},
		"prefork max-jobs-per-child": prefork.Model{MaxJobsPerChild: 3},
		"prefork max-memory":         prefork.Model{MaxMemoryPerChild: 1},
		"forkperjob":                 forkperjob.Model{},
		"hybrid":                     hybrid.Model{},
		"hybrid jobs-per-child":      hybrid.Model{JobsPerChild: 4},
		"hybrid spares":              hybrid.Model{Spares: 3},
		"hybrid refork":              hybrid.Model{JobsPerChild: 2, Spares: 2, Refork: 3},
		"custom":                     rota{},
	}
}

// rota is an executor of another shape: a manager in each slot, two workers
// under it, and a pause between jobs.
type rota struct{}

func (rota) Name() string { return "rota" }

func (rota) Execute(ctx context.Context, h models.Host) error {
	return h.Parallel(ctx, h.Workers(), func(ctx context.Context, _ int) error {
		manager, err := h.Boot(ctx)
		if err != nil {
			return err
		}
		defer manager.Close(ctx)
		for job := range h.Jobs(ctx) {
			ctx, cancel := context.WithCancel(ctx) // a context of its own
			err := h.Parallel(ctx, 2, func(ctx context.Context, i int) error {
				if i == 1 {
					return ignoreCancelled(h.Sleep(ctx, time.Microsecond))
				}
				worker, err := manager.Fork(ctx, 1)
				if err != nil {
					return err
				}
				h.Settle(job, worker.Run(ctx, job))
				return worker.Close(ctx)
			})
			cancel()
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func ignoreCancelled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func TestConformance(t *testing.T) {
	for profileName, p := range map[string]*sim.Profile{
		"nothing costs anything": bare(sim.Constant(0)),
		"everything does":        whole(),
	} {
		for name, e := range executors() {
			t.Run(profileName+"/"+name, func(t *testing.T) {
				modelstest.Run(t, simtest.Machine{Cores: 2, Profile: p, Seed: 1}, func() models.Executor { return e })
			})
		}
	}
}

// TestSameSeedSameBytes runs each model twice, on one and on several threads.
func TestSameSeedSameBytes(t *testing.T) {
	run := func(e models.Executor, seed uint64) []byte {
		var buf bytes.Buffer
		w := record.NewWriter(&buf)
		m := &sim.Machine{Workers: 4, Cores: 2, Profile: whole(), Seed: seed, Timeout: 40 * time.Millisecond}
		r := round(t, 400, w)
		r.Jobs = jobs(t, "poisson:400", seed, 400)
		done, err := m.Run(t.Context(), e, r)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write(done), w.Flush()); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	for name, e := range executors() {
		t.Run(name, func(t *testing.T) {
			before := runtime.GOMAXPROCS(1)
			first := run(e, 7)
			runtime.GOMAXPROCS(4)
			second := run(e, 7)
			runtime.GOMAXPROCS(before)
			if !bytes.Equal(first, second) {
				t.Error("the same seed gave other records")
			}
			if bytes.Equal(first, run(e, 8)) {
				t.Error("another seed gave the same records")
			}
		})
	}
}

// lines keeps copies of all records.
type lines struct {
	jobs      []record.Job
	processes []record.Process
	samples   []record.Sample
}

func (l *lines) Write(line record.Line) error {
	switch x := line.(type) {
	case *record.Job:
		l.jobs = append(l.jobs, *x)
	case *record.Process:
		l.processes = append(l.processes, *x)
	case *record.Sample:
		l.samples = append(l.samples, *x)
	}
	return nil
}

// TestCommonRandomNumbers checks that a job asks the same of every model.
func TestCommonRandomNumbers(t *testing.T) {
	p := whole()
	p.OneTime, p.FirstJob = sim.OneTime{}, sim.FirstJob{}
	p.Memory.Copy = 0                                              // how much is copied depends on the process
	p.Cores.ColdParent, p.Cores.ColdChild = sim.Dist{}, sim.Dist{} // and who has run before it, on the model
	cpu := make(map[uint64]time.Duration)
	for name, e := range executors() {
		got := new(lines)
		m := &sim.Machine{Workers: 3, Cores: 2, Profile: p, Seed: 5}
		if _, err := m.Run(t.Context(), e, round(t, 200, got)); err != nil {
			t.Fatal(err)
		}
		for _, j := range got.jobs {
			if before, ok := cpu[j.ID]; ok && before != j.CPUNS {
				t.Fatalf("%s: job %d used %v, and %v in another model", name, j.ID, j.CPUNS, before)
			}
			cpu[j.ID] = j.CPUNS
		}
	}
	if len(cpu) != 200 {
		t.Errorf("%d jobs; want 200", len(cpu))
	}
}

// TestCosts follows one job through each model by hand: one worker, one core,
// constants.
func TestCosts(t *testing.T) {
	p := &sim.Profile{
		Version: sim.ProfileVersion, Name: "constants",
		Boot:     sim.Boot{CPU: sim.Constant(100), Wait: sim.Constant(10)},
		OneTime:  sim.OneTime{CPU: sim.Constant(50), Wait: sim.Constant(4), Warmable: 1},
		FirstJob: sim.FirstJob{CPU: sim.Constant(2)},
		Fork:     sim.Fork{Base: sim.Constant(1), PerMB: 0.01, Start: sim.Constant(0.5), Reap: sim.Constant(0.25)},
		Exit:     sim.Exit{Base: sim.Constant(0.3), PerMB: 0.002},
		Memory:   sim.Memory{BootedMB: 100, PageKB: 4},
		Jobs:     []sim.Class{{Weight: 1, CPU: sim.Constant(5), Wait: sim.Constant(3)}},
	}
	const (
		boot    = 110
		warm    = 54
		fork    = 1 + 0.01*100 + 0.5
		exit    = 0.3 + 0.002*100 + 0.25
		first   = 2 + 5 + 3
		lazy    = 54
		later   = 5 + 3
		forkCPU = fork + exit
	)
	ms := func(x float64) time.Duration { return time.Duration(math.Round(x * 1e6)) }
	for _, test := range []struct {
		name          string
		e             models.Executor
		startup, work float64 // ms, of three jobs
		cpu           float64 // during work
	}{
		{"prefork", prefork.Model{}, boot + fork, lazy + first + 2*later, 50 + 2 + 3*5},
		{"prefork recycles", prefork.Model{MaxJobsPerChild: 1}, boot + fork, 3*(lazy+first) + 2*(exit+fork), 3*(50+7) + 3*forkCPU - 0},
		{"forkperjob", forkperjob.Model{}, boot, 3 * (fork + lazy + first + exit), 3 * (50 + 7 + forkCPU)},
		{"hybrid", hybrid.Model{}, boot + warm, 3 * (fork + first + exit), 3 * (7 + forkCPU)},
		{"hybrid, three jobs", hybrid.Model{JobsPerChild: 3}, boot + warm, fork + first + 2*later, 2 + 3*5 + forkCPU},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := new(lines)
			m := &sim.Machine{Workers: 1, Cores: 1, Profile: p}
			r, err := m.Run(t.Context(), test.e, round(t, 3, got))
			if err != nil {
				t.Fatal(err)
			}
			const tick = 1 // ns, between the opening of the gate and the first job
			if r.StartupNS != ms(test.startup) || r.WorkNS != ms(test.work)+tick {
				t.Errorf("start-up took %v and work %v; want %v and %v", r.StartupNS, r.WorkNS, ms(test.startup), ms(test.work))
			}
			if cpu := r.Children.Add(r.Parents).Total(); cpu != ms(test.cpu) {
				t.Errorf("work used %v of CPU; want %v", cpu, ms(test.cpu))
			}
		})
	}
}

// TestParentForksOneAtATime: eight slots, cores for all of them, one parent.
func TestParentForksOneAtATime(t *testing.T) {
	p := bare(sim.Constant(1))
	p.Fork.Base = sim.Constant(10)
	for _, test := range []struct {
		e    models.Executor
		want time.Duration // for the first eight jobs
	}{
		{forkperjob.Model{}, 11 * time.Millisecond}, // a parent for each
		{hybrid.Model{}, 81 * time.Millisecond},     // one for all
	} {
		m := &sim.Machine{Workers: 8, Cores: 8, Profile: p}
		r, err := m.Run(t.Context(), test.e, round(t, 8, nil))
		if err != nil {
			t.Fatal(err)
		}
		if r.WorkNS != test.want+1 {
			t.Errorf("%s: eight jobs took %v; want %v", test.e.Name(), r.WorkNS, test.want)
		}
	}
}

func TestMemory(t *testing.T) {
	p := bare(sim.Constant(500))
	p.Memory.BootedMB = 100
	p.Jobs[0].Pages = 256 // 1 MiB
	p.Jobs[0].MemoryMB = 8
	const mb = 1 << 20
	got := new(lines)
	m := &sim.Machine{Workers: 4, Cores: 4, Profile: p}
	if _, err := m.Run(t.Context(), prefork.Model{}, round(t, 8, got)); err != nil {
		t.Fatal(err)
	}
	if len(got.samples) < 9 {
		t.Fatalf("%d samples in a second; want one every 100 ms", len(got.samples))
	}
	s := got.samples[5] // in the middle of work
	if want := int64(100+4*9) * mb; s.PSS != want {
		t.Errorf("PSS is %d MiB; want %d", s.PSS/mb, want/mb)
	}
	if want := int64(5*100+4*8) * mb; s.RSS != want {
		t.Errorf("RSS is %d MiB; want %d", s.RSS/mb, want/mb)
	}
	if s.ChildUSS != 9*mb || s.Processes != 5 {
		t.Errorf("a child has %d MiB of its own, of %d processes; want 9 and 5", s.ChildUSS/mb, s.Processes)
	}
}

// TestTimeout kills jobs that take too long, wherever they are when time is up,
// and frees their processes for the next.
func TestTimeout(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]sim.Class{
		"computing":            {CPU: sim.Constant(50)},
		"waiting":              {Wait: sim.Constant(50)},
		"between the two":      {CPU: sim.Constant(20), Wait: sim.Constant(30)}, // time is up just then
		"computing, then more": {CPU: sim.Constant(15), Wait: sim.Constant(30)},
	} {
		t.Run(name, func(t *testing.T) {
			p := bare(sim.Constant(0))
			c.Weight = 1
			p.Jobs[0] = c
			p.Exit.Base = sim.Constant(1)
			got := new(lines)
			m := &sim.Machine{Workers: 1, Cores: 1, Profile: p, Timeout: 20 * ms}
			r, err := m.Run(t.Context(), prefork.Model{}, round(t, 3, got))
			if err != nil {
				t.Fatal(err)
			}
			for _, j := range got.jobs {
				if j.Status != models.TimedOut || j.FinishedNS-j.StartedNS != 20*ms || j.CPUNS != 0 {
					t.Errorf("job %d: %v after %v, with %v of CPU; want %v after 20ms, with none", j.ID, j.Status, j.FinishedNS-j.StartedNS, j.CPUNS, models.TimedOut)
				}
			}
			if r.WorkNS != 3*21*ms+1 {
				t.Errorf("work took %v; want three times 20 ms and an exit of 1 ms", r.WorkNS)
			}
			killed := 0
			for _, p := range got.processes {
				if p.Killed {
					killed++
				}
			}
			if killed != 3 {
				t.Errorf("%d processes were killed; want 3", killed)
			}
		})
	}
}

// TestCancelledFromOutside cancels a round without an end from another
// goroutine, as a signal does.
func TestCancelledFromOutside(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	enough := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		<-enough
		cancel()
	})
	m := &sim.Machine{Workers: 4, Cores: 2, Profile: whole()}
	const n = 1 << 40
	r, err := m.Run(ctx, hybrid.Model{Spares: 2}, round(t, n, &counting{at: 100, then: func() { close(enough) }}))
	done.Wait()
	if err == nil || r == nil || !r.Interrupted || r.Error != "" || r.Settled < 100 || r.Settled+r.NotRun != n || r.Lost != 0 {
		t.Errorf("error %v, record %+v; want an interrupted one", err, r)
	}
}

// counting does something after a number of jobs.
type counting struct {
	jobs, at int
	then     func()
}

func (c *counting) Write(l record.Line) error {
	if _, ok := l.(*record.Job); ok {
		if c.jobs++; c.jobs == c.at {
			c.then()
		}
	}
	return nil
}

// TestStationsLimit checks that Redis and the supervisor can be what limits.
func TestStationsLimit(t *testing.T) {
	for name, set := range map[string]func(*sim.Profile){
		"redis settles": func(p *sim.Profile) { p.Redis = sim.Redis{Settle: sim.Constant(1), Batch: 16} },
		"redis reads":   func(p *sim.Profile) { p.Redis = sim.Redis{Read: sim.Constant(1), Batch: 16} },
		"supervisor":    func(p *sim.Profile) { p.Supervisor = sim.Supervisor{Dispatch: sim.Constant(1)} },
	} {
		t.Run(name, func(t *testing.T) {
			p := bare(sim.Constant(0.1))
			set(p)
			m := &sim.Machine{Workers: 8, Cores: 8, Profile: p}
			r, err := m.Run(t.Context(), prefork.Model{}, round(t, 1000, nil))
			if err != nil {
				t.Fatal(err)
			}
			// The first batch is read before work begins.
			if s := r.WorkNS.Seconds(); s < 0.97 || s > 1.03 {
				t.Errorf("1000 jobs at 1 ms each took %v", r.WorkNS)
			}
			if cpu := r.Redis.Add(r.Supervisor).Total(); cpu < 900*time.Millisecond || cpu > 1010*time.Millisecond {
				t.Errorf("the server used %v; want about 1 s", cpu)
			}
		})
	}
}

func TestMachineValidate(t *testing.T) {
	m := &sim.Machine{Workers: 0, Cores: 2_000_000, Timeout: -1, Profile: bare(sim.Constant(math.NaN()))}
	_, err := m.Run(t.Context(), prefork.Model{}, round(t, 1, nil))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"workers=0: must be from 1 to 100000", "cores=2000000: must be", "timeout=-1ns", "jobs[0].cpu_ms: is not a number"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant in it: %s", err, want)
		}
	}
}

// TestHost holds the simulated computer to the contract of a host.
func TestHost(t *testing.T) {
	for name, p := range map[string]*sim.Profile{"bare": bare(sim.Constant(2)), "whole": whole()} {
		t.Run(name, func(t *testing.T) { modelstest.Host(t, simtest.Machine{Cores: 2, Profile: p, Seed: 1}) })
	}
}
