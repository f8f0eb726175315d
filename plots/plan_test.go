package plots

import (
	"math"
	"os"
	"testing"

	"forkbench/whatif/capacity"
	"forkbench/whatif/predict"
)

// tried is a size with a latency in ms; 0 is above capacity.
func tried(cores, workers int, ms float64) capacity.Point {
	p := capacity.Point{Size: capacity.Size{Workers: workers, Cores: cores}, Capacity: 40 * float64(cores)}
	if ms != 0 {
		p.Latency = predict.Estimate{Value: ms, Low: 0.9 * ms, High: 1.1 * ms, N: 5}
		p.Memory = predict.Estimate{Value: 20, Low: 19, High: 21, N: 5}
		p.Holds = ms < 1800
	}
	return p
}

// plans are the ordinary, the extreme and the broken, by name.
func plans() map[string]*capacity.Result {
	spec := capacity.Spec{
		Target: capacity.Target{Quantile: "p95", LimitMS: 2000}, Rate: 200, WorkersMax: 256, CoresMax: 64,
		Profile: "record_event in Python 3.11 on a machine with a long name, which goes on and on and on", Jobs: 20_000, Replications: 5,
	}
	one, two, three := tried(1, 1, 0.4), tried(2, 4, 700), tried(7, 9, 1500)
	all := map[string]*capacity.Result{
		"three models": {Spec: spec, Models: []capacity.Sizing{
			{Model: "prefork", Chosen: &one, Trail: []capacity.Point{one}},
			{Model: "forkperjob", Chosen: &three, Trail: []capacity.Point{tried(1, 1, 0), tried(7, 1, 0), tried(7, 2, 0), tried(7, 4, 0), tried(7, 8, 4000), tried(7, 16, 900), tried(7, 12, 1000), three}},
			{Model: "hybrid", Chosen: &two, Trail: []capacity.Point{tried(2, 1, 0), tried(2, 2, 9000), tried(2, 3, 2200), two, tried(2, 8, 600)}},
		}},
		"at no size": {Spec: spec, Models: []capacity.Sizing{
			{Model: "prefork", Chosen: &one, Trail: []capacity.Point{one}},
			{Model: "forkperjob", Cannot: &capacity.Cannot{Best: tried(64, 128, 0)}, Trail: []capacity.Point{tried(64, 128, 0)}},
			{Model: "hybrid", Cannot: &capacity.Cannot{Best: tried(64, 2, 3000)}, Trail: []capacity.Point{tried(64, 1, 5000), tried(64, 2, 3000)}},
		}},
		"none keeps up": {Spec: spec, Models: []capacity.Sizing{
			{Model: "forkperjob", Cannot: &capacity.Cannot{Best: tried(64, 128, 0)}, Trail: []capacity.Point{tried(64, 128, 0)}},
		}},
		"interrupted": {Spec: spec, Interrupted: true, Models: []capacity.Sizing{{Model: "prefork"}}},
		"empty":       {},
	}
	broken := tried(1, 2, 5)
	broken.Latency = predict.Estimate{Value: math.NaN(), Low: math.Inf(-1), High: math.Inf(1), N: 3}
	all["not numbers"] = &capacity.Result{Spec: spec, Models: []capacity.Sizing{
		{Model: "prefork", Chosen: &broken, Trail: []capacity.Point{one, broken}},
	}}
	for _, r := range all {
		r.Conclude()
	}
	return all
}

// TestPlanLayout holds the plot of plans to what a page must be.
func TestPlanLayout(t *testing.T) {
	for name, r := range plans() {
		t.Run(name, func(t *testing.T) { checkPage(t, planPicture(r)) })
	}
}

// TestPlanFiles: set PLAN_PICTURES to a directory to look at them all.
func TestPlanFiles(t *testing.T) {
	for name, r := range plans() {
		to := t.TempDir()
		if look := os.Getenv("PLAN_PICTURES"); look != "" {
			to = look + "/" + name
			if err := os.MkdirAll(to, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		names, err := WritePlan(to, r)
		if err != nil || len(names) != len(Formats()) {
			t.Errorf("%s: %q, %v", name, names, err)
		}
	}
}
