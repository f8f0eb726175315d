package predict_test

import (
	"math"
	"strings"
	"testing"

	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/predict"
	"forkbench/sim"
	"forkbench/workload"
)

// bare is a profile in which nothing but the jobs' CPU costs anything.
func bare(cpu sim.Dist) *sim.Profile {
	return &sim.Profile{
		Version: sim.ProfileVersion, Name: "bare",
		Memory: sim.Memory{PageKB: 4},
		Jobs:   []sim.Class{{Weight: 1, CPU: cpu}},
		Redis:  sim.Redis{Batch: 1},
	}
}

func arrivals(t testing.TB, plan string) workload.Arrivals {
	t.Helper()
	a, err := workload.ParseArrivals(plan)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func all() []predict.Model {
	return []predict.Model{
		{Name: "prefork", Executor: prefork.Model{}},
		{Name: "forkperjob", Executor: forkperjob.Model{}},
		{Name: "hybrid", Executor: hybrid.Model{}},
	}
}

// TestCommonRandomNumbers: where nothing but the jobs costs anything, models do
// not differ, in any replication.
func TestCommonRandomNumbers(t *testing.T) {
	a := ask(t, predict.Question{
		Models: all(), Profile: bare(sim.Exponential(10)), Workers: 4, Cores: 4,
		Arrivals: arrivals(t, "poisson:320"), Jobs: 2_000, Replications: 4,
	})
	for _, of := range []func(*predict.Replication) float64{
		func(r *predict.Replication) float64 { return r.Throughput },
		func(r *predict.Replication) float64 { return r.CPU },
		func(r *predict.Replication) float64 { return r.P95 },
	} {
		e := predict.Paired(&a.Models[1], &a.Models[2], of)
		if want := (predict.Estimate{Value: 1, Low: 1, High: 1, N: 4}); e != want {
			t.Errorf("forkperjob against hybrid is %+v; want %+v", e, want)
		}
	}
	if p := a.Models[0]; p.Runs[0].P95 == p.Runs[1].P95 {
		t.Error("two replications are the same")
	}
}

func TestAboveCapacity(t *testing.T) {
	a := ask(t, predict.Question{
		Models: all()[:1], Profile: bare(sim.Exponential(10)), Workers: 4, Cores: 4,
		Arrivals: arrivals(t, "poisson:500"), Jobs: 5_000,
	})
	p := a.Models[0]
	if p.Converged || len(p.Reasons) != 1 || !strings.HasPrefix(p.Reasons[0], "unstable: ") {
		t.Errorf("converged=%v, %q; want the reason that it is unstable", p.Converged, p.Reasons)
	}
	if math.Abs(p.Capacity/400-1) > 0.02 {
		t.Errorf("capacity is %.1f/s; want 400", p.Capacity)
	}
	if p.P95.Known() || len(p.Runs) != 1 {
		t.Errorf("p95 is %+v after %d runs; want none after 1", p.P95, len(p.Runs))
	}
}

func TestUntil(t *testing.T) {
	q := predict.Question{Models: all()[:1], Profile: bare(sim.Exponential(10)), Workers: 4, Cores: 4, Jobs: 1000, Until: 0.02}
	p := ask(t, q).Models[0]
	if !p.Converged || len(p.Runs) <= predict.DefaultReplications || p.Throughput.HalfWidth() > q.Until || p.P99.HalfWidth() > q.Until {
		t.Errorf("converged=%v (%q) after %d, throughput within %.3f, p99 within %.3f; want %v",
			p.Converged, p.Reasons, len(p.Runs), p.Throughput.HalfWidth(), p.P99.HalfWidth(), q.Until)
	}
	q.MaxReplications = 12
	p = ask(t, q).Models[0]
	if p.Converged || len(p.Runs) != 12 || !strings.HasPrefix(p.Reasons[0], "not precise: after 12 replications") {
		t.Errorf("converged=%v (%q) after %d; want not, after 12", p.Converged, p.Reasons, len(p.Runs))
	}
}

func ask(t *testing.T, q predict.Question) *predict.Answer {
	t.Helper()
	a, err := predict.Run(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
