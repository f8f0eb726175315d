package sweep

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Range is the values from one to another, both included.
type Range struct {
	Parameter *Parameter
	From, To  float64
}

// dots are between the ends of a range.
const dots = ".."

// IsRange reports whether a flag's value is meant to be a range.
func IsRange(text string) bool { return strings.Contains(text, dots) }

// Range reads a range, as in 1..1000 or 20MB..2GB. The error has a line for each
// thing that is wrong, and says what would be right.
func (p *Parameter) Range(text string) (Range, error) {
	first, last, found := strings.Cut(text, dots)
	if !found {
		return Range{}, fmt.Errorf("is one value: a range has two ends, as in %s", p.exampleRange())
	}
	r := Range{Parameter: p}
	var errs []error
	for _, end := range []struct {
		text, name string
		to         *float64
	}{{first, "beginning", &r.From}, {last, "end", &r.To}} {
		if end.text == "" {
			errs = append(errs, fmt.Errorf("the %s is missing: a range has two ends, as in %s", end.name, p.exampleRange()))
			continue
		}
		v, err := p.Parse(end.text)
		if err != nil {
			errs = append(errs, fmt.Errorf("its %s %w", end.name, err))
		}
		*end.to = v
	}
	switch {
	case errs != nil:
		return Range{}, errors.Join(errs...)
	case r.From == r.To:
		return Range{}, fmt.Errorf("both ends are the same: a range has two, as in %s", p.exampleRange())
	case r.From > r.To:
		return Range{}, fmt.Errorf("descends: write %s%s%s", last, dots, first)
	}
	return r, nil
}

// exampleRange is a range that can be typed.
func (p *Parameter) exampleRange() string {
	ends := map[Kind][2]float64{Whole: {1, 100}, Time: {1, 10_000}, Size: {20, 2000}, Rate: {10, 1000}}[p.Kind]
	return p.Kind.Format(max(ends[0], p.Least)) + dots + p.Kind.Format(min(ends[1], p.Most))
}

// String is the range as it is typed.
func (r Range) String() string {
	return r.Parameter.Kind.Format(r.From) + dots + r.Parameter.Kind.Format(r.To)
}

// Logarithmic reports whether the points of the range are spaced by ratios: they
// are, unless it begins at 0.
func (r Range) Logarithmic() bool { return r.From > 0 }

// MostPoints bounds the points of a sweep.
const MostPoints = 200

// Points are at most n values from the beginning to the end, ascending and
// distinct: evenly spaced by their ratios, or by their differences if the range
// begins at 0. Those between are rounded, to whole numbers or to three digits.
// n is at least 2.
func (r Range) Points(n int) []float64 {
	points := []float64{r.From}
	for i := 1; i < n-1; i++ {
		share := float64(i) / float64(n-1)
		points = append(points, r.round(r.interpolate(r.From, r.To, share)))
	}
	points = append(points, r.To)
	slices.Sort(points)
	return slices.Compact(points)
}

// round makes a value of one in the range that can be set and read.
func (r Range) round(v float64) float64 {
	if r.Parameter.Kind == Whole {
		v = math.Round(v)
	} else {
		v = significant(v)
	}
	return min(max(v, r.From), r.To)
}

// interpolate is the value at a share of the way from one to another, as the
// points are spaced.
func (r Range) interpolate(from, to, share float64) float64 {
	if r.Logarithmic() {
		return from * math.Pow(to/from, share)
	}
	return from + share*(to-from)
}

// between is the value in the middle of two.
func (r Range) between(a, b float64) float64 { return r.round(r.interpolate(a, b, 0.5)) }
