package sim

import (
	"math"
	"testing"
)

// TestScaled: every quantile is multiplied, and d itself is left as it was.
func TestScaled(t *testing.T) {
	for name, d := range map[string]Dist{
		"constant": Constant(4), "exponential": Exponential(4), "lognormal": Lognormal(4, 0.5),
		"hyperexponential": Hyperexponential([]float64{3, 1}, []float64{2, 10}),
		"quantiles":        Quantiles([]float64{0, 0.5, 1}, []float64{1, 2, 9}),
	} {
		s := d.Scaled(2.5)
		if err := s.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, u := range []float64{0, 0.1, 0.5, 0.9, 0.999} {
			if got, want := s.quantile(u), 2.5*d.quantile(u); math.Abs(got-want) > 1e-9*want {
				t.Errorf("%s at %v: %v, want %v", name, u, got, want)
			}
		}
		if got, want := s.Mean(), 2.5*d.Mean(); math.Abs(got-want) > 1e-9*want {
			t.Errorf("%s: mean %v, want %v", name, got, want)
		}
		if zero := d.Scaled(0); !zero.zero() {
			t.Errorf("%s: scaled by 0 it is %+v", name, zero)
		}
	}
}
