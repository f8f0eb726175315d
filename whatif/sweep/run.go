package sweep

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// A Contestant is one model of a sweep.
type Contestant struct {
	Name string // as tables and plots have it

	// Varies says that the parameter makes a difference to it. One that does not
	// is evaluated once, and its curve is level.
	Varies bool
}

// An Answer is what is known of one contestant at one value of the parameter.
type Answer struct {
	// Replications are independent of each other. Those of the same number share
	// their random numbers, or their round, with those of other answers.
	Replications []Values

	// Doubts are why the numbers should not be trusted; empty if they can be.
	Doubts []string
}

// A Sweep is what to find out, and then what has been found. It is not safe for
// concurrent use.
type Sweep struct {
	Range  Range
	Points int    // how many values to try, from 2 to MostPoints
	Metric Metric // what "costs" means

	// Within is how much more than the reference counts as break-even: 0.1 is 10 %.
	Within float64

	// Contestants are the models; the first is the reference.
	Contestants []Contestant

	// Evaluate answers for a contestant at a value of the parameter.
	Evaluate func(ctx context.Context, contestant int, x float64) (Answer, error)

	// Progress, if not nil, is told before each evaluation how many have been
	// made, of about how many, and what comes next.
	Progress func(done, of int, contestant string, x float64)

	curves, live []map[float64]Answer
	cutShort     bool
}

// refinements is how often a break-even is made more exact by a point of its
// own.
const refinements = 3

// Run evaluates the points, ends first and then ever finer, so that one that is
// cut short has the whole range. Then it adds points at the break-evens.
//
// After a cancellation, or an error of Evaluate, what has been found is in the
// result; a cancellation alone is not an error.
func (s *Sweep) Run(ctx context.Context) error {
	s.prepare()
	points := s.Range.Points(s.Points)
	of := 0
	for _, c := range s.Contestants {
		of++
		if c.Varies {
			of += len(points) - 1
		}
	}
	done := 0
	try := func(x float64) error {
		for i, c := range s.Contestants {
			at := x
			if !c.Varies {
				at = s.Range.From
			}
			if _, known := s.curves[i][at]; known {
				continue
			}
			if s.cancelled(ctx) {
				return nil
			}
			if s.Progress != nil {
				s.Progress(done, max(of, done+1), c.Name, at)
			}
			a, err := s.Evaluate(ctx, i, at)
			switch {
			case s.cancelled(ctx):
				return nil // the answer is one cut short, too
			case err != nil:
				return fmt.Errorf("%s at %s=%s: %w", c.Name, s.Range.Parameter.Name, s.Range.Parameter.Kind.Format(at), err)
			}
			s.curves[i][at] = a
			done++
		}
		return nil
	}
	for _, i := range coarseToFine(len(points)) {
		if err := try(points[i]); err != nil || s.cutShort {
			return err
		}
	}
	for range refinements {
		for _, x := range s.nearBreakEvens() {
			if err := try(x); err != nil || s.cutShort {
				return err
			}
		}
	}
	return nil
}

func (s *Sweep) cancelled(ctx context.Context) bool {
	s.cutShort = s.cutShort || ctx.Err() != nil
	return s.cutShort
}

func (s *Sweep) prepare() {
	for len(s.curves) < len(s.Contestants) {
		s.curves = append(s.curves, make(map[float64]Answer))
		s.live = append(s.live, make(map[float64]Answer))
	}
}

// Empty reports whether nothing has been found.
func (s *Sweep) Empty() bool {
	return !slices.ContainsFunc(s.curves, func(c map[float64]Answer) bool { return len(c) > 0 })
}

// AddLive adds a point that was measured on real processes.
func (s *Sweep) AddLive(contestant int, x float64, a Answer) {
	s.prepare()
	s.live[contestant][x] = a
}

// nearBreakEvens are the values at which a further point would tell most: whole
// numbers on both sides of a break-even, or its estimate.
func (s *Sweep) nearBreakEvens() []float64 {
	var xs []float64
	for i := range s.Contestants {
		curve := s.over(i)
		for j := 1; j < len(curve); j++ {
			if math.IsInf(curve[j].over, 1) != math.IsInf(curve[j-1].over, 1) {
				xs = append(xs, s.Range.between(curve[j-1].x, curve[j].x))
			}
		}
		for _, r := range s.regions(i) {
			for _, b := range []*Bound{r.From, r.To} {
				switch {
				case b == nil:
				case s.Range.Parameter.Kind != Whole:
					xs = append(xs, s.Range.round(b.At))
				case b == r.From:
					xs = append(xs, s.Range.round(b.At-1), s.Range.round(b.At))
				default:
					xs = append(xs, s.Range.round(b.At), s.Range.round(b.At+1))
				}
			}
		}
	}
	return xs
}

// coarseToFine orders n points: both ends, then the middles of what is between.
func coarseToFine(n int) []int {
	order := []int{0, n - 1}
	type gap struct{ from, to int }
	gaps := []gap{{0, n - 1}}
	for len(gaps) > 0 {
		g := gaps[0]
		gaps = gaps[1:]
		if g.to-g.from < 2 {
			continue
		}
		middle := (g.from + g.to) / 2
		order = append(order, middle)
		gaps = append(gaps, gap{g.from, middle}, gap{middle, g.to})
	}
	return order
}

// at is the answer of a contestant at a value of the parameter.
func (s *Sweep) at(i int, x float64) (Answer, bool) {
	if !s.Contestants[i].Varies {
		x = s.Range.From
	}
	a, ok := s.curves[i][x]
	return a, ok
}

// xs are the values of the parameter that a contestant has answers for.
func (s *Sweep) xs() []float64 {
	var xs []float64
	for i, c := range s.Contestants {
		if c.Varies {
			for x := range s.curves[i] {
				xs = append(xs, x)
			}
		}
	}
	slices.Sort(xs)
	return slices.Compact(xs)
}

// regions are where a contestant costs within so much of the reference; nil
// where that is not known.
func (s *Sweep) regions(i int) []Region {
	curve := s.over(i)
	if len(curve) == 0 {
		return nil
	}
	return regions(curve, 1+s.Within, s.Range.Logarithmic(), s.Range.Parameter.Kind == Whole)
}

// over is a contestant's cost over the reference, wherever both are known; nil
// if neither depends on the parameter, and for the reference itself.
func (s *Sweep) over(i int) []sample {
	if i == 0 || !s.Contestants[0].Varies && !s.Contestants[i].Varies {
		return nil
	}
	var curve []sample
	for _, x := range s.xs() {
		if e, ok := s.ratioAt(i, x); ok {
			low, high := e.bounds()
			curve = append(curve, sample{x, e.Value, low, high})
		} else if s.cannot(i, x) && !s.cannot(0, x) {
			curve = append(curve, sample{x, math.Inf(1), math.Inf(1), math.Inf(1)})
		}
	}
	return curve
}

// cannot reports whether a contestant has been asked at a point and has no cost
// there: the load is above its capacity.
func (s *Sweep) cannot(i int, x float64) bool {
	a, ok := s.at(i, x)
	if !ok {
		return false
	}
	_, known := s.Metric.estimate(a)
	return !known
}

// ratioAt is a contestant's cost over the reference at one point.
func (s *Sweep) ratioAt(i int, x float64) (Estimate, bool) {
	a, ok := s.at(i, x)
	b, both := s.at(0, x)
	if !ok || !both {
		return Estimate{}, false
	}
	return s.Metric.ratio(a, b)
}
