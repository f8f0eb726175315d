package capacity_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/sim"
	"forkbench/whatif/capacity"
	"forkbench/whatif/predict"
	"forkbench/workload"
)

// question is a machine on which nothing but the jobs costs anything.
func question(t *testing.T, rate float64, job sim.Class, jobs int) predict.Question {
	t.Helper()
	plan, err := workload.ParseArrivals(fmt.Sprintf("poisson:%g/s", rate))
	if err != nil {
		t.Fatal(err)
	}
	job.Weight = 1
	return predict.Question{
		Profile: &sim.Profile{
			Version: sim.ProfileVersion, Name: "bare", Memory: sim.Memory{BootedMB: 10, PageKB: 4}, Jobs: []sim.Class{job},
		},
		Arrivals: plan, Jobs: jobs, Seed: 7, Replications: 5,
	}
}

func planOf(q predict.Question, e models.Executor, target capacity.Target) *capacity.Plan {
	return &capacity.Plan{Target: target, WorkersMax: 64, CoresMax: 32, Predict: capacity.Ask(q, e)}
}

// erlangWait is the probability that a response takes longer than t in M/M/c with
// a mean service time of s: that of waiting (Erlang C), convolved with service.
func erlangLonger(c int, rate, s, t float64) float64 {
	a := rate * s
	b := 1.0
	for i := 1; i <= c; i++ {
		b = a * b / (float64(i) + a*b)
	}
	wait := b / (1 - a/float64(c)*(1-b))
	mu, theta := 1/s, (float64(c)-a)/s // rates of service, and of the queue's decay
	if math.Abs(theta-mu) < 1e-9 {
		return math.Exp(-mu*t) * (1 + wait*mu*t)
	}
	return math.Exp(-mu*t) + wait*mu/(mu-theta)*(math.Exp(-theta*t)-math.Exp(-mu*t))
}

// erlangServers is the fewest servers with which 95 % take at most t.
func erlangServers(rate, s, t float64) int {
	for c := int(rate*s) + 1; ; c++ {
		if float64(c) > rate*s && erlangLonger(c, rate, s, t) <= 0.05 {
			return c
		}
	}
}

// TestErlang: jobs that only compute need as many cores and workers as M/M/c
// needs servers, and jobs that only wait as many workers, on one core. The
// limits are well between what one server more and one less would do.
func TestErlang(t *testing.T) {
	const mean = 10.0 // ms
	cases := []struct{ rate, limit float64 }{{200, 36}, {60, 60}, {350, 45}, {700, 38}}
	if testing.Short() {
		cases = cases[:1] // the race detector makes each ten times as long
	}
	for _, c := range cases {
		want := erlangServers(c.rate/1000, mean, c.limit)
		for _, margin := range []float64{0.93, 1.07} { // the answer does not hang by a thread
			if got := erlangServers(c.rate/1000, mean, c.limit*margin); got != want {
				t.Fatalf("%v/s: %d servers at %v ms, %d at %v", c.rate, want, c.limit, got, c.limit*margin)
			}
		}
		t.Run(fmt.Sprintf("%v/s computing", c.rate), func(t *testing.T) {
			t.Parallel()
			q := question(t, c.rate, sim.Class{CPU: sim.Exponential(mean)}, 40_000)
			pt, found, err := planOf(q, prefork.Model{}, capacity.Target{"p95", c.limit}).Find(t.Context())
			if err != nil || !found || pt.Size != (capacity.Size{want, want}) {
				t.Errorf("%v, %v, %v; want %d of each", pt, found, err, want)
			}
		})
		t.Run(fmt.Sprintf("%v/s waiting", c.rate), func(t *testing.T) {
			t.Parallel()
			q := question(t, c.rate, sim.Class{Wait: sim.Exponential(mean)}, 40_000)
			pt, found, err := planOf(q, prefork.Model{}, capacity.Target{"p95", c.limit}).Find(t.Context())
			if err != nil || !found || pt.Size != (capacity.Size{want, 1}) {
				t.Errorf("%v, %v, %v; want %d workers on a core", pt, found, err, want)
			}
		})
	}
}

// What is smaller does not hold the target, and a worker less than the load needs
// is above capacity, which is c/mean. (95 % of M/M/3 take at most 66.5 ms.)
func TestSmaller(t *testing.T) {
	q := question(t, 250, sim.Class{CPU: sim.Exponential(10)}, 20_000)
	p := planOf(q, prefork.Model{}, capacity.Target{"p95", 120})
	pt, found, err := p.Find(t.Context())
	if err != nil || !found || pt.Size != (capacity.Size{3, 3}) {
		t.Fatalf("%v, %v, %v", pt, found, err)
	}
	smaller, err := p.Smaller(t.Context(), pt.Size)
	if err != nil || len(smaller) != 2 {
		t.Fatalf("%v, %v", smaller, err)
	}
	for _, s := range smaller {
		if s.Holds || !s.Overloaded() || math.Abs(s.Capacity/200-1) > 0.05 {
			t.Errorf("%v: holds %v, capacity %v; want overloaded at 200/s", s.Size, s.Holds, s.Capacity)
		}
	}
	if trail := p.Trail(); len(trail) < 4 || trail[0].Size != (capacity.Size{1, 1}) {
		t.Errorf("trail: %v", trail)
	}
}

// TestBottlenecks: one parent that forks in 10 ms does 100 jobs a second at
// most, and Redis with 5 ms for each job 200, however large the machine is.
func TestBottlenecks(t *testing.T) {
	for _, c := range []struct {
		name     string
		e        models.Executor
		edit     func(p *sim.Profile)
		want     string
		capacity float64
	}{
		{"one parent", hybrid.Model{}, func(p *sim.Profile) { p.Fork.Base = sim.Constant(10) }, "the parent", 100},
		{"Redis", prefork.Model{}, func(p *sim.Profile) {
			p.Redis = sim.Redis{Settle: sim.Constant(5), Batch: 16}
		}, "Redis", 200},
		{"too few cores", forkperjob.Model{}, func(p *sim.Profile) { p.Jobs[0].CPU = sim.Constant(200) }, "cores", 160},
		{"too few workers", prefork.Model{}, func(p *sim.Profile) { p.Jobs[0].Wait = sim.Constant(1000) }, "workers", 64},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q := question(t, 500, sim.Class{CPU: sim.Constant(1)}, 10_000)
			c.edit(q.Profile)
			p := planOf(q, c.e, capacity.Target{"p95", 5000})
			pt, found, err := p.Find(t.Context())
			if err != nil || found || !pt.Overloaded() {
				t.Fatalf("%v, %v, %v; want that no size holds it", pt, found, err)
			}
			if math.Abs(pt.Capacity/c.capacity-1) > 0.05 {
				t.Errorf("capacity %v, want %v", pt.Capacity, c.capacity)
			}
			q.Workers, q.Cores = 64, 32
			q.Models = []predict.Model{{Name: "it", Executor: c.e}}
			b, err := capacity.FindBottleneck(t.Context(), q)
			if err != nil || b.Name != c.want {
				t.Errorf("the bottleneck is %+v, %v; want %s", b, err, c.want)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	q := question(t, 250, sim.Class{CPU: sim.Exponential(10)}, 1000)
	p := planOf(q, prefork.Model{}, capacity.Target{"p95", 75})
	n := 0
	p.Trying = func(capacity.Size) {
		if n++; n == 3 {
			cancel()
		}
	}
	if _, found, err := p.Find(ctx); err == nil || found {
		t.Errorf("found %v, %v; want the context's error", found, err)
	}
	if len(p.Trail()) != 2 {
		t.Errorf("trail: %v", p.Trail())
	}
}
