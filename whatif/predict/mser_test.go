package predict

import (
	"math"
	"math/rand/v2"
	"testing"
)

// byDefinition is the rule as White writes it.
func byDefinition(x []float64) int {
	best, at := math.Inf(1), 0
	for d := 0; len(x)-d >= leastRest; d++ {
		rest := x[d:]
		mean, squares := 0.0, 0.0
		for _, v := range rest {
			mean += v / float64(len(rest))
		}
		for _, v := range rest {
			squares += (v - mean) * (v - mean)
		}
		if v := squares / float64(len(rest)) / float64(len(rest)); v < best {
			best, at = v, d
		}
	}
	return at
}

func TestMSER(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for trial := range 200 {
		transient := r.IntN(200)
		x := make([]float64, 400)
		for i := range x {
			x[i] = r.NormFloat64()
			if i < transient {
				x[i] -= 6 * float64(transient-i) / float64(transient)
			}
		}
		want := byDefinition(x)
		cut, ok := mser(x)
		if want > len(x)/2 {
			if ok || cut != len(x)/2 {
				t.Errorf("trial %d: cut %d, %v; want half, not over (%d by definition)", trial, cut, ok, want)
			}
			continue
		}
		if !ok || cut != want {
			t.Errorf("trial %d: cut %d, %v; want %d", trial, cut, ok, want)
		}
		// What is left of the slope after the cut is within the noise.
		if cut < transient/2 || cut > transient+60 {
			t.Errorf("trial %d: cut %d of a transient of %d", trial, cut, transient)
		}
	}
}

func TestMSERWithoutEnd(t *testing.T) {
	x := make([]float64, 400)
	for i := range x {
		x[i] = float64(i)
	}
	if cut, ok := mser(x); ok || cut != 200 {
		t.Errorf("of a queue that grows it cuts %d, %v; want half, not over", cut, ok)
	}
	for _, few := range [][]float64{nil, {1}, {1, 2, 3}} {
		if cut, ok := mser(few); ok || cut != 0 {
			t.Errorf("of %v it cuts %d, %v; want nothing, not over", few, cut, ok)
		}
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	for range 2 {
		n := int64(0)
		for ns := int64(1_000_000); ns <= 2_000_000; ns += 10 {
			h.add(ns)
			n++
		}
		for _, q := range []float64{0.01, 0.5, 0.95, 0.99} {
			if got, want := h.quantile(q, n), 1+q; math.Abs(got/want-1) > 0.0006 {
				t.Errorf("quantile %v is %v ms; want %v", q, got, want)
			}
		}
		h.reset()
		if h.quantile(0.5, 1) != 0 || len(h.bins()) != 0 {
			t.Error("it is not empty after a reset")
		}
	}
	for _, ns := range []int64{0, 1, 2, 1023, 1e9, math.MaxInt64} {
		h.reset()
		h.add(ns)
		if got, want := h.quantile(0.5, 1)*1e6, float64(max(ns, 1)); math.Abs(got/want-1) > 0.0006 {
			t.Errorf("%d ns comes back as %v", ns, got)
		}
	}
}
