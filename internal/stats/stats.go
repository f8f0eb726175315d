// Package stats has what several packages need to know of plain numbers: their centre
// and their quantiles. Tests and intervals are those of go-moremath and benchmath.
package stats

import (
	"slices"
	"time"
)

// A Number is a measured value, or a time.
type Number interface{ float64 | time.Duration }

// Median is the middle of xs, in whatever order they are, or halfway between the two
// middle ones; 0 if there are none.
func Median[T Number](xs []T) T {
	if len(xs) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(xs))
	n := len(s)
	if n%2 == 1 {
		return s[n/2]
	}
	// In halves, as the sum may be too large, and with what whole numbers lose by that.
	a, b := s[n/2-1], s[n/2]
	return a/2 + b/2 + (a-a/2*2+b-b/2*2)/2
}

// Mean is the sum of xs over their number; 0 if there are none.
func Mean[T Number](xs []T) T {
	var sum T
	for _, x := range xs {
		sum += x
	}
	return sum / T(max(len(xs), 1))
}

// Quantile is the value below which a share q of sorted ones is, linear between them
// (the seventh definition of Hyndman and Fan 1996, "Sample quantiles in statistical
// packages"); 0 if there are none.
func Quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := q * float64(len(sorted)-1)
	i := min(int(at), len(sorted)-1)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
