package predict_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/sim"
	"forkbench/whatif/predict"
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

// TestSameAnswer: however many replications go on at once.
func TestSameAnswer(t *testing.T) {
	q := predict.Question{
		Models: all(), Profile: bare(sim.Lognormal(10, 2)), Workers: 4, Cores: 2,
		Arrivals: arrivals(t, "poisson:150"), Jobs: 2_000, Until: 0.1, MaxReplications: 20,
	}
	var answers []*predict.Answer
	for _, procs := range []int{1, 2, 5} {
		before := runtime.GOMAXPROCS(procs)
		answers = append(answers, ask(t, q))
		runtime.GOMAXPROCS(before)
	}
	for _, a := range answers[1:] {
		if diff := cmp.Diff(answers[0], a, cmpopts.IgnoreUnexported(predict.Replication{})); diff != "" {
			t.Errorf("the answer depends on GOMAXPROCS:\n%s", diff)
		}
	}
}

func TestTooShort(t *testing.T) {
	p := ask(t, predict.Question{
		Models: all()[:1], Profile: bare(sim.Exponential(10)), Workers: 1, Cores: 1, Arrivals: arrivals(t, "poisson:95"), Jobs: 5_000,
	}).Models[0]
	if p.Converged || !strings.Contains(strings.Join(p.Reasons, "\n"), "too short") && !strings.Contains(strings.Join(p.Reasons, "\n"), "warm-up not over") {
		t.Errorf("converged=%v, %q; want that 5000 jobs are too short for a load of 0.95", p.Converged, p.Reasons)
	}
}

func TestStopped(t *testing.T) {
	stop := make(chan struct{})
	q := predict.Question{
		Models: all()[:1], Profile: bare(sim.Exponential(10)), Workers: 1, Cores: 1, Jobs: 1000, Replications: 1000, Stop: stop,
	}
	q.Sink = func(_ string, replication int) record.Sink {
		if replication == 5 {
			close(stop)
		}
		return nil
	}
	p := ask(t, q).Models[0]
	if n := len(p.Runs); p.Converged || n == 0 || n > 5 || !strings.HasPrefix(p.Reasons[0], "stopped after ") {
		t.Errorf("converged=%v (%q) after %d replications; want stopped after 5 or less", p.Converged, p.Reasons, n)
	}
}

// broken cannot go on.
type broken struct{}

func (broken) Name() string                               { return "broken" }
func (broken) Execute(context.Context, models.Host) error { return errors.New("out of luck") }

func TestBadQuestions(t *testing.T) {
	q := predict.Question{Models: []predict.Model{{Name: "broken", Executor: broken{}}}, Profile: bare(sim.Constant(1)), Workers: 1, Cores: 1, Jobs: 10}
	a, err := predict.Run(t.Context(), q)
	if err == nil || !strings.HasPrefix(err.Error(), "model broken, replication ") || !strings.HasSuffix(err.Error(), ": out of luck") || a == nil || a.Models[0].Converged {
		t.Errorf("error %v, answer %+v", err, a)
	}
	_, err = predict.Run(t.Context(), predict.Question{
		Models: []predict.Model{{Name: "a"}, {Name: "a", Executor: broken{}}}, Until: math.NaN(), Replications: -1, MaxReplications: -1,
	})
	for _, want := range []string{`model "a" has no executor`, `model "a" is there twice`, "jobs=0", "replications=-1", "until=NaN", "no profile"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v; want %q in it", err, want)
		}
	}
	q.Workers, q.Cores, q.Profile = 0, 1_000_000_000, &sim.Profile{}
	_, err = predict.Run(t.Context(), q)
	for _, want := range []string{"workers=0", "cores=1000000000", "version"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v; want %q in it", err, want)
		}
	}
}

// Jobs that come at less than what a model can do, on average, are not too many
// because those of one replication came faster.
func TestOfferedIsTheRateAsked(t *testing.T) {
	for seed := range uint64(8) {
		p := ask(t, predict.Question{
			Models: all()[:1], Profile: bare(sim.Exponential(10)), Workers: 4, Cores: 4,
			Arrivals: arrivals(t, "poisson:380"), Jobs: 200, Replications: 3, Seed: seed,
		}).Models[0]
		if p.Offered != 380 || p.Unstable {
			t.Errorf("seed %d: offered %v of %v/s, unstable=%v", seed, p.Offered, p.Capacity, p.Unstable)
		}
	}
}

// leaky boots a process and forgets it.
type leaky struct{}

func (leaky) Name() string { return "leaky" }
func (leaky) Execute(ctx context.Context, h models.Host) error {
	_, err := h.Boot(ctx)
	return err
}

// A model that leaks a process is named, and nothing of the simulation is left.
func TestLeakyModel(t *testing.T) {
	before := runtime.NumGoroutine()
	q := predict.Question{
		Models:  append(all(), predict.Model{Name: "leaky", Executor: leaky{}}),
		Profile: bare(sim.Constant(1)), Workers: 4, Cores: 2, Jobs: 100,
	}
	for range 3 {
		if _, err := predict.Run(t.Context(), q); err == nil || !strings.Contains(err.Error(), "leaky") {
			t.Fatalf("error %v; want one that names the model", err)
		}
	}
	// A goroutine that has done its work may take a moment to be gone.
	for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines were left", runtime.NumGoroutine()-before)
		}
	}
}
