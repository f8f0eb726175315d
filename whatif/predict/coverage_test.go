package predict_test

import (
	"fmt"
	"math"
	"testing"

	"forkbench/sim"
	"forkbench/whatif/predict"
)

// TestCoverage: the reported 95 % intervals hold the true value about as often as
// they say, in 200 predictions that differ in the seed. The queue is M/M/1, whose
// latencies are exponential, so that their quantiles are known too.
//
// The seeds are fixed, and with them the outcome. For other seeds it would be
// within the bounds with a probability of 0.99 per estimate if the coverage is
// 95 % (binomial).
func TestCoverage(t *testing.T) {
	macro, least, most := 200, 0.90, 0.98
	if testing.Short() {
		macro, least, most = 30, 0.80, 1 // 24 of 30: with a probability of 0.999
	}
	for _, c := range []struct {
		load float64
		jobs int
	}{{0.5, 5_000}, {0.8, 20_000}} {
		if testing.Short() && c.load > 0.5 {
			continue
		}
		t.Run(fmt.Sprintf("load=%v", c.load), func(t *testing.T) {
			const service = 10.0 // ms
			mean := service / (1 - c.load)
			truth := []struct {
				name  string
				value float64
				of    func(*predict.Prediction) predict.Estimate
				held  int
			}{
				{name: "mean", value: mean, of: func(p *predict.Prediction) predict.Estimate { return p.Mean }},
				{name: "p50", value: mean * math.Ln2, of: func(p *predict.Prediction) predict.Estimate { return p.P50 }},
				{name: "p95", value: mean * math.Log(20), of: func(p *predict.Prediction) predict.Estimate { return p.P95 }},
				{name: "p99", value: mean * math.Log(100), of: func(p *predict.Prediction) predict.Estimate { return p.P99 }},
				{name: "CPU per job", value: service, of: func(p *predict.Prediction) predict.Estimate { return p.CPU }},
			}
			bias := 0.0
			for m := range macro {
				p := &ask(t, predict.Question{
					Models: all()[:1], Profile: bare(sim.Exponential(service)), Workers: 1, Cores: 1,
					Arrivals: arrivals(t, fmt.Sprintf("poisson:%g", 1000/service*c.load)), Jobs: c.jobs, Seed: uint64(m+1) * 1e12,
				}).Models[0]
				bias += (p.Mean.Value/mean - 1) / float64(macro)
				for i := range truth {
					x := &truth[i]
					if e := x.of(p); e.Low <= x.value && x.value <= e.High {
						x.held++
					}
				}
			}
			for _, x := range truth {
				share := float64(x.held) / float64(macro)
				t.Logf("%-11s %.1f %% of %d intervals hold %.4f", x.name, 100*share, macro, x.value)
				if share < least || share > most {
					t.Errorf("%s: %.1f %% of the intervals hold the true value; want %.0f to %.0f", x.name, 100*share, 100*least, 100*most)
				}
			}
			t.Logf("the mean is %+.2f %% off on average", 100*bias)
			if math.Abs(bias) > 0.01 {
				t.Errorf("the mean is %+.2f %% off on average; want less than 1", 100*bias)
			}
		})
	}
}
