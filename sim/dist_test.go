package sim

import (
	"math"
	"testing"
)

// TestDistributions draws from each and compares the first two moments with
// theory.
func TestDistributions(t *testing.T) {
	for _, test := range []struct {
		name     string
		d        Dist
		mean, cv float64
	}{
		{"constant", Constant(4), 4, 0},
		{"exponential", Exponential(4), 4, 1},
		{"lognormal", Lognormal(4, 0.5), 4, 0.5},
		{"hyperexponential", Hyperexponential([]float64{8, 2}, []float64{1, 16}), 4, math.Sqrt(2*(0.8+0.2*256)/16 - 1)},
		{"quantiles", Quantiles([]float64{0, 0.5, 1}, []float64{2, 4, 6}), 4, math.Sqrt(4.0/3) / 4},
		{"a step", Quantiles([]float64{0, 0.5, 0.500001, 1}, []float64{1, 1, 3, 3}), 2, 0.5},
	} {
		if err := test.d.check(); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if got := test.d.Mean(); math.Abs(got-test.mean) > 1e-5 {
			t.Errorf("%s: the mean is said to be %v; want %v", test.name, got, test.mean)
		}
		const n = 400_000
		s := newSource(1)
		sum, squares := 0.0, 0.0
		for id := range uint64(n) {
			s.begin(forJob, id)
			x := float64(test.d.draw(&s)) / 1e6
			sum += x
			squares += x * x
		}
		mean := sum / n
		cv := math.Sqrt(max(squares/n-mean*mean, 0)) / mean
		if math.Abs(mean/test.mean-1) > 0.01 || math.Abs(cv-test.cv) > 0.02*max(test.cv, 1e-6/0.02) {
			t.Errorf("%s: mean %.4f and coefficient of variation %.4f; want %.4f and %.4f", test.name, mean, cv, test.mean, test.cv)
		}
	}
}

// TestUnitIsUniform counts the first numbers of neighbouring ids in 64 boxes:
// chi-squared with 63 degrees of freedom exceeds 112 once in 10,000.
func TestUnitIsUniform(t *testing.T) {
	for seed := range uint64(5) {
		s := newSource(seed)
		var boxes [64]float64
		var sum, lagged, before float64
		const n = 640_000
		for id := range uint64(n) {
			s.begin(forJob, id)
			u := s.unit()
			boxes[int(u*64)]++
			lagged += (u - 0.5) * (before - 0.5)
			sum += u
			before = u
		}
		chi := 0.0
		for _, got := range boxes {
			chi += (got - n/64) * (got - n/64) / (n / 64)
		}
		if chi > 112 {
			t.Errorf("seed %d: chi-squared is %.1f; want at most 112", seed, chi)
		}
		if r := lagged / n * 12; math.Abs(r) > 4/math.Sqrt(n) {
			t.Errorf("seed %d: neighbours are correlated by %.5f", seed, r)
		}
	}
}
