package plots

import (
	"context"
	"math"
	"os"
	"sync"
	"testing"

	"forkbench/whatif/sweep"
)

// madeSweep is a sweep over made-up costs: each model's is a function of x.
func madeSweep(tb testing.TB, parameter, text string, metric sweep.Metric, live int, models []madeModel) *sweep.Result {
	tb.Helper()
	p := sweep.Named(parameter)
	r, err := p.Range(text)
	if err != nil {
		tb.Fatal(err)
	}
	s := &sweep.Sweep{Range: r, Points: 13, Metric: metric, Within: 0.1}
	for _, m := range models {
		s.Contestants = append(s.Contestants, sweep.Contestant{Name: m.name, Varies: !m.level})
	}
	answer := func(i int, x, shift, noise float64) sweep.Answer {
		var a sweep.Answer
		for k := range 5 {
			v := models[i].cost(x) * shift * (1 + noise*math.Sin(float64(7*k+3*i)+x))
			var values sweep.Values
			for m := range values {
				values[m] = v
			}
			a.Replications = append(a.Replications, values)
		}
		return a
	}
	s.Evaluate = func(_ context.Context, i int, x float64) (sweep.Answer, error) { return answer(i, x, 1, 0.01), nil }
	if err := s.Run(context.Background()); err != nil {
		tb.Fatal(err)
	}
	if live > 0 {
		for i, m := range models {
			xs := r.Points(live)
			if m.level {
				xs = xs[:1]
			}
			for _, x := range xs {
				s.AddLive(i, x, answer(i, x, 1.04, 0.03))
			}
		}
	}
	set := sweep.Setting{Profile: "record_event", Workload: "record_event", Jobs: 10_000, Arrivals: "burst", Workers: 4, Cores: 2, Seed: 1, Replications: 5}
	if live > 0 {
		set.LiveRounds = 3
	}
	return s.Result(set)
}

type madeModel struct {
	name  string
	level bool
	cost  func(x float64) float64
}

// sweeps are the ordinary, the extreme and the broken, by name.
var sweeps = sync.OnceValue(func() map[string]*sweep.Result {
	var tb testing.TB = new(testing.T)
	flat := func(c float64) func(float64) float64 { return func(float64) float64 { return c } }
	all := map[string]*sweep.Result{
		"jobs per child": madeSweep(tb, sweep.JobsPerChild, "1..1000", sweep.CPU, 5, []madeModel{
			{"prefork", true, flat(1.3)}, {"forkperjob", true, flat(85)},
			{"hybrid", false, func(x float64) float64 { return 1.3 + 4.5/x }},
		}),
		"job time": madeSweep(tb, sweep.JobTime, "1ms..10s", sweep.CPU, 0, []madeModel{
			{"prefork", false, func(x float64) float64 { return x }},
			{"forkperjob", false, func(x float64) float64 { return x + 80 }},
			{"hybrid", false, func(x float64) float64 { return x + 4 }},
		}),
		"workers": madeSweep(tb, sweep.Workers, "1..64", sweep.Throughput, 0, []madeModel{
			{"prefork", false, func(x float64) float64 { return 300 * min(x, 32) }},
			{"forkperjob", false, func(x float64) float64 { return 12 * min(x, 32) }},
			{"hybrid", false, func(x float64) float64 { return min(200*x, 1500) }},
		}),
		"one-time work": madeSweep(tb, sweep.OneTime, "0..500ms", sweep.CPU, 0, []madeModel{
			{"prefork", false, func(x float64) float64 { return 40 + x/100 }},
			{"forkperjob", false, func(x float64) float64 { return 40 + x }},
		}),
		"near": madeSweep(tb, sweep.Cores, "1..8", sweep.CPU, 3, []madeModel{
			{"prefork", false, flat(4)}, {"forkperjob", false, flat(4.1)}, {"hybrid", false, flat(4.05)},
		}),
		"one model": madeSweep(tb, sweep.Workers, "1..4", sweep.PeakPSS, 0, []madeModel{{"prefork", false, func(x float64) float64 { return 20 * x }}}),
		"above capacity": madeSweep(tb, sweep.ArrivalRate, "10/s..1000/s", sweep.P95, 0, []madeModel{
			{"prefork", false, func(x float64) float64 { return 10 / (1 - x/1001) }},
			{"forkperjob", false, func(x float64) float64 {
				if x > 90 {
					return math.NaN()
				}
				return 90 / (1 - x/91)
			}},
			{"hybrid(jobs-per-child=10,spares=4,refork=20)", false, func(x float64) float64 { return 14 / (1 - min(x, 999)/1000) }},
		}),
		"many": madeSweep(tb, sweep.ParentMemory, "20MB..2GB", sweep.CPU, 0, manyModels()),
		"nothing": madeSweep(tb, sweep.Spares, "0..8", sweep.CPU, 0, []madeModel{
			{"prefork", true, flat(math.NaN())}, {"hybrid", false, flat(math.NaN())},
		}),
	}
	return all
})

func manyModels() []madeModel {
	var list []madeModel
	for i := range 8 {
		list = append(list, madeModel{"hybrid(jobs-per-child=1" + string(rune('0'+i)) + ")", false,
			func(x float64) float64 { return 5 + float64(i)*x/300 }})
	}
	return list
}

// TestSweepLayout holds the plots of sweeps to what a page must be.
func TestSweepLayout(t *testing.T) {
	drawsAlone(t)
	for name, r := range sweeps() {
		for _, p := range sweepPictures(r) {
			t.Run(name+"/"+p.name, func(t *testing.T) {
				p.chart = p.build()
				checkPage(t, &p.picture)
			})
		}
	}
}

// TestSweepFiles: set SWEEP_PICTURES to a directory to look at them all.
func TestSweepFiles(t *testing.T) {
	drawsAlone(t)
	dir := t.TempDir()
	for name, r := range sweeps() {
		to := dir
		if look := os.Getenv("SWEEP_PICTURES"); look != "" {
			to = look + "/" + name
			if err := os.MkdirAll(to, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		names, err := WriteSweep(to, r)
		if err != nil {
			t.Fatal(err)
		}
		if len(names) != len(SweepNames())*len(Formats()) {
			t.Errorf("%s: %q", name, names)
		}
		for _, n := range names {
			if _, err := os.Stat(to + "/" + n); err != nil {
				t.Error(err)
			}
		}
	}
}
