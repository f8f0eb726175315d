package calibrate

import (
	"math"
	"slices"

	"forkbench/internal/stats"
	"forkbench/sim"
)

// lower is the first decile.
func lower(xs []float64) float64 { return stats.Quantile(slices.Sorted(slices.Values(xs)), 0.1) }

// enough is the number of values from which on a mean stands for itself.
const enough = 5

// A sample is values by the round that they come from.
type sample struct {
	rounds []float64 // means of those with enough values
	all    []float64
}

// add takes one round's values.
func (s *sample) add(xs []float64) {
	if len(xs) >= enough {
		s.rounds = append(s.rounds, stats.Mean(xs))
	}
	s.all = append(s.all, xs...)
}

func (s *sample) empty() bool { return len(s.all) == 0 }

// centre is the median over the rounds of their means: a mean, because costs add
// up, and a median, because a round may have been disturbed.
func (s *sample) centre() float64 {
	if len(s.rounds) > 0 {
		return stats.Median(s.rounds)
	}
	return stats.Mean(s.all)
}

// grid is where an empirical distribution is kept.
var grid = []float64{0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1}

// distribution is the values' own, with the sample's centre as its mean.
func (s *sample) distribution() sim.Dist {
	centre := rounded(s.centre())
	if len(s.all) < 20 || centre == 0 {
		return sim.Constant(centre)
	}
	sorted := slices.Sorted(slices.Values(s.all))
	ms := make([]float64, len(grid))
	for i, q := range grid {
		ms[i] = max(stats.Quantile(sorted, q), 0)
	}
	d := sim.Quantiles(grid, ms)
	if m := d.Mean(); m > 0 {
		for i := range ms {
			ms[i] = rounded(ms[i] * centre / m)
		}
		return sim.Quantiles(grid, ms)
	}
	return sim.Constant(centre)
}

// least is what a number must exceed to be told from 0: a nanosecond, in ms.
const least = 1e-6

// rounded has four significant digits: more are not known.
func rounded(x float64) float64 {
	if x < least || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(x)))
	return math.Round(x*scale) / scale
}

// fit finds the coefficients, none below 0, with which the columns of the rows
// come closest to the targets: non-negative least squares, by coordinate descent,
// which cannot go astray in a convex problem with bounds of this kind. Whoever
// wants relative errors divides rows and targets first.
func fit(rows [][]float64, targets []float64) []float64 {
	if len(rows) == 0 {
		return nil
	}
	n := len(rows[0])
	product := make([][]float64, n)
	right := make([]float64, n)
	for i := range n {
		product[i] = make([]float64, n)
		for k, r := range rows {
			right[i] += r[i] * targets[k]
			for j := range n {
				product[i][j] += r[i] * r[j]
			}
		}
	}
	x := make([]float64, n)
	for range 10_000 {
		moved := 0.0
		for i := range n {
			if product[i][i] == 0 {
				continue
			}
			rest := right[i]
			for j := range n {
				if j != i {
					rest -= product[i][j] * x[j]
				}
			}
			next := max(0, rest/product[i][i])
			moved = max(moved, math.Abs(next-x[i])/(next+1e-12))
			x[i] = next
		}
		if moved < 1e-9 {
			break
		}
	}
	return x
}

// misfit is the sum of the squares that a fit leaves.
func misfit(rows [][]float64, targets, x []float64) float64 {
	sum := 0.0
	for k, r := range rows {
		d := -targets[k]
		for i := range r {
			d += r[i] * x[i]
		}
		sum += d * d
	}
	return sum
}
