package sweep

import (
	"math"
	"math/rand/v2"
	"testing"
)

// curveOf samples a cost over the reference, with a band of the given half-width
// in percent of the cost.
func curveOf(xs []float64, band float64, over func(x float64) float64) []sample {
	var curve []sample
	for _, x := range xs {
		y := over(x)
		curve = append(curve, sample{x, y, y * (1 - band), y * (1 + band)})
	}
	return curve
}

func points(t *testing.T, p *Parameter, text string, n int) []float64 {
	t.Helper()
	r, err := p.Range(text)
	if err != nil {
		t.Fatal(err)
	}
	return r.Points(n)
}

// A fork of f ms shared among n jobs of c ms each costs f/(n c) over none: the
// break-even at 10 % is n = 10 f/c, whatever the points.
func TestBreakEvenOfConstantCosts(t *testing.T) {
	const fork, job = 3.7, 1.3
	want := fork / (0.1 * job)
	for _, n := range []int{3, 5, 13, 40} {
		curve := curveOf(points(t, length, "1ms..10s", n), 0, func(x float64) float64 { return 1 + fork/(x*job) })
		got := regions(curve, 1.1, true, false)
		if len(got) != 1 || got[0].From == nil || got[0].To != nil {
			t.Fatalf("%d points: %+v", n, got)
		}
		if at := got[0].From.At; math.Abs(at/want-1) > 1e-9 {
			t.Errorf("%d points: break-even at %v, want %v", n, at, want)
		}
		whole := regions(curve, 1.1, true, true)
		if at := whole[0].From.At; at != math.Ceil(want) {
			t.Errorf("%d points: whole break-even at %v, want %v", n, at, math.Ceil(want))
		}
	}
}

// The cost of one-time work w in each of n jobs of c ms is w/c over none: up to
// w = 0.1 c it is within 10 %. The range begins at 0.
func TestBreakEvenUpTo(t *testing.T) {
	const job = 40.0
	curve := curveOf(points(t, length, "1us..500ms", 7), 0, func(x float64) float64 { return 1 + x/job })
	curve = append([]sample{{0, 1, 1, 1}}, curve...)
	got := regions(curve, 1.1, false, false)
	if len(got) != 1 || got[0].From != nil || got[0].To == nil {
		t.Fatalf("%+v", got)
	}
	if at := got[0].To.At; math.Abs(at-4) > 1e-9 {
		t.Errorf("break-even at %v, want 4", at)
	}
}

// The band of a falling curve: its lower edge meets the limit first.
func TestBreakEvenInterval(t *testing.T) {
	over := func(x float64) float64 { return 1 + 50/x }
	curve := curveOf(points(t, length, "1ms..10s", 41), 0.01, over)
	b := regions(curve, 1.1, true, false)[0].From
	// 0.99 (1 + 50/x) = 1.1 and 1.01 (1 + 50/x) = 1.1.
	low, high := 50/(1.1/0.99-1), 50/(1.1/1.01-1)
	if b.Low == nil || b.High == nil {
		t.Fatalf("%+v", b)
	}
	for _, c := range []struct{ got, want float64 }{{b.At, 500}, {*b.Low, low}, {*b.High, high}} {
		if math.Abs(c.got/c.want-1) > 0.002 {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
	// A wide band reaches beyond both ends of a short range.
	b = regions(curveOf([]float64{400, 600}, 0.1, over), 1.1, true, false)[0].From
	if b.Low != nil || b.High != nil {
		t.Errorf("interval of %+v is closed", b)
	}
	// Upwards, the upper edge meets it first.
	rising := curveOf(points(t, length, "1ms..10s", 41), 0.01, func(x float64) float64 { return 1 + x/5000 })
	b = regions(rising, 1.1, true, false)[0].To
	if b.Low == nil || b.High == nil || !(*b.Low < b.At && b.At < *b.High) {
		t.Errorf("upwards: %+v", b)
	}
}

func TestRegionsOfAllShapes(t *testing.T) {
	for _, c := range []struct {
		name string
		over []float64
		want [][2]bool // whether each region has a beginning, an end
	}{
		{"within everywhere", []float64{1, 1.05, 1}, [][2]bool{{false, false}}},
		{"nowhere", []float64{3, 2, 1.5}, nil},
		{"cheaper than the reference", []float64{0.5, 0.4}, [][2]bool{{false, false}}},
		{"from", []float64{3, 1.05, 0.9}, [][2]bool{{true, false}}},
		{"up to", []float64{0.9, 1, 2}, [][2]bool{{false, true}}},
		{"between", []float64{2, 1, 1.05, 3}, [][2]bool{{true, true}}},
		{"but between", []float64{1, 2, 1}, [][2]bool{{false, true}, {true, false}}},
		{"one point", []float64{1}, [][2]bool{{false, false}}},
	} {
		var curve []sample
		for i, y := range c.over {
			curve = append(curve, sample{float64(i + 1), y, y, y})
		}
		got := regions(curve, 1.1, true, false)
		if len(got) != len(c.want) {
			t.Errorf("%s: %+v", c.name, got)
			continue
		}
		for i, r := range got {
			if (r.From != nil) != c.want[i][0] || (r.To != nil) != c.want[i][1] {
				t.Errorf("%s: region %d is %+v", c.name, i, r)
			}
		}
	}
}

// TestIntervalCovers: of 400 noisy sweeps with a known break-even, about 95 %
// have it in their interval. Five replications of a cost with a standard
// deviation of 2 %, seven points, a fixed seed.
func TestIntervalCovers(t *testing.T) {
	const truth = 50.0 // 1 + 5/x = 1.1
	random := rand.New(rand.NewPCG(1, 2))
	xs := points(t, length, "1ms..1s", 31)
	const sweeps = 400
	covered := 0
	for range sweeps {
		var curve []sample
		for _, x := range xs {
			values := make([]float64, 5)
			for i := range values {
				values[i] = (1 + 5/x) * math.Exp(0.02*random.NormFloat64())
			}
			e, ok := estimate(values)
			if !ok {
				t.Fatal("no estimate")
			}
			low, high := e.bounds()
			curve = append(curve, sample{x, e.Value, low, high})
		}
		found := regions(curve, 1.1, true, false)
		if len(found) == 0 || found[0].From == nil {
			continue
		}
		b := found[len(found)-1].From
		if (b.Low == nil || *b.Low <= truth) && (b.High == nil || *b.High >= truth) {
			covered++
		}
	}
	if share := float64(covered) / sweeps; share < 0.88 {
		t.Errorf("%.1f %% of the intervals hold the truth; want about 95", 100*share)
	} else {
		t.Logf("%.1f %% of the intervals hold the truth", 100*share)
	}
}

func TestEstimate(t *testing.T) {
	e, ok := estimate([]float64{8, 12.5})
	if !ok || math.Abs(e.Value-10) > 1e-12 {
		t.Fatalf("%+v: want the geometric mean, 10", e)
	}
	// t(1, 0.975) = 12.7062; half width is t * ln(1.25)*sqrt(2)/sqrt(2).
	if want := 10 * math.Exp(12.7062047*math.Log(1.25)); math.Abs(*e.High/want-1) > 1e-6 {
		t.Errorf("upper bound %v, want %v", *e.High, want)
	}
	if e, _ := estimate([]float64{0, 2}); e.Value != 1 {
		t.Errorf("with a zero: %v, want the mean, 1", e.Value)
	}
	if _, ok := estimate([]float64{1, math.NaN()}); ok {
		t.Error("NaN has an estimate")
	}
	r, ok := ratio([]float64{2, 20, 200}, []float64{1, 10, 100})
	if !ok || math.Abs(r.Value-2) > 1e-12 || math.Abs(*r.Low-2) > 1e-9 || math.Abs(*r.High-2) > 1e-9 {
		t.Errorf("pairs of one ratio: %+v", r)
	}
}
