package stats_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"forkbench/internal/stats"
)

func TestCentre(t *testing.T) {
	for _, c := range []struct {
		xs           []float64
		median, mean float64
	}{
		{nil, 0, 0},
		{[]float64{7}, 7, 7},
		{[]float64{5, 1}, 3, 3},
		{[]float64{9, 1, 2}, 2, 4},
		{[]float64{4, 1, 3, 100}, 3.5, 27},
	} {
		given := slices.Clone(c.xs)
		if got := stats.Median(c.xs); got != c.median {
			t.Errorf("the median of %v is %v; want %v", c.xs, got, c.median)
		}
		if got := stats.Mean(c.xs); got != c.mean {
			t.Errorf("the mean of %v is %v; want %v", c.xs, got, c.mean)
		}
		if !slices.Equal(c.xs, given) {
			t.Errorf("%v has become %v", given, c.xs)
		}
	}
	if got := stats.Median([]float64{math.MaxFloat64, math.MaxFloat64}); got != math.MaxFloat64 {
		t.Errorf("the median of the largest numbers is %v", got)
	}
	if got := stats.Median([]time.Duration{3, 1}); got != 2 {
		t.Errorf("the median of 1 ns and 3 ns is %v", got)
	}
	times := []time.Duration{3 * time.Second, time.Second}
	if got := stats.Median(times); got != 2*time.Second {
		t.Errorf("the median of %v is %v; want 2s", times, got)
	}
	if got := stats.Mean(times); got != 2*time.Second {
		t.Errorf("the mean of %v is %v; want 2s", times, got)
	}
}

func TestQuantile(t *testing.T) {
	xs := []float64{1, 2, 4, 8}
	for q, want := range map[float64]float64{0: 1, 0.5: 3, 1: 8, 1.0 / 3: 2, 0.9: 6.8} {
		if got := stats.Quantile(xs, q); max(got-want, want-got) > 1e-9 {
			t.Errorf("the %v quantile of %v is %v; want %v", q, xs, got, want)
		}
	}
	if got := stats.Quantile(nil, 0.5); got != 0 {
		t.Errorf("that of nothing is %v", got)
	}
}
