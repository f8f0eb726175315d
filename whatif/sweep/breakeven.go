package sweep

import "math"

// A Bound is where a region of a range ends: a break-even.
type Bound struct {
	At   float64  `json:"at"`
	Low  *float64 `json:"low"` // of the 95 % interval; nil: it reaches beyond the range
	High *float64 `json:"high"`
}

// A Region is a part of the range in which one model costs at most so much over
// another. An end that is nil is the end of the range.
type Region struct {
	From *Bound `json:"from"`
	To   *Bound `json:"to"`
}

// A sample is one point of a curve of costs over a reference: 1.1 is 10 % more.
type sample struct {
	x               float64
	over, low, high float64
}

// regions are the parts of a curve at or below the limit, ascending; the curve has
// a point at least, and its x ascend. Between two points the cost over the
// reference is taken to be a power of x on a logarithmic range, as it is where a
// constant cost is shared among x jobs, or has to be compared with a job that
// takes x; and else to be linear.
//
// A bound's interval is where the curve's 95 % band holds the limit: the band at
// the true break-even holds it in 95 of 100 sweeps. For whole numbers, bounds
// are within the region.
func regions(curve []sample, limit float64, logarithmic, whole bool) []Region {
	inside := func(i int) bool { return curve[i].over <= limit }
	var found []Region
	if inside(0) {
		found = append(found, Region{})
	}
	for i := 1; i < len(curve); i++ {
		if inside(i) == inside(i-1) {
			continue
		}
		b := bound(curve, i, limit, logarithmic)
		if inside(i) {
			if whole {
				b.round(math.Ceil)
			}
			found = append(found, Region{From: &b})
			continue
		}
		if whole {
			b.round(math.Floor)
		}
		found[len(found)-1].To = &b
	}
	return found
}

// bound is the crossing between points i-1 and i of the curve.
func bound(curve []sample, i int, limit float64, logarithmic bool) Bound {
	at := func(j int, of func(sample) float64) float64 {
		return crossing(curve[j-1].x, of(curve[j-1]), curve[j].x, of(curve[j]), limit, logarithmic)
	}
	over := func(s sample) float64 { return s.over }
	low := func(s sample) float64 { return s.low }
	high := func(s sample) float64 { return s.high }
	b := Bound{At: at(i, over)}
	// On the side of the higher cost, the lower edge of the band crosses first;
	// on the other, the upper edge last.
	left, right := low, high
	if curve[i].over > limit {
		left, right = high, low
	}
	for j := i; j >= 1; j-- {
		if (left(curve[j-1]) <= limit) != (left(curve[j]) <= limit) {
			if x := at(j, left); x <= b.At {
				b.Low = &x
				break
			}
		}
	}
	for j := i; j < len(curve); j++ {
		if (right(curve[j-1]) <= limit) != (right(curve[j]) <= limit) {
			if x := at(j, right); x >= b.At {
				b.High = &x
				break
			}
		}
	}
	return b
}

// round moves a bound to whole numbers.
func (b *Bound) round(to func(float64) float64) {
	fix := func(v float64) float64 {
		if near := math.Round(v); math.Abs(v-near) < 1e-9*max(1, math.Abs(v)) {
			return near
		}
		return to(v)
	}
	b.At = fix(b.At)
	for _, p := range []**float64{&b.Low, &b.High} {
		if *p != nil {
			v := fix(**p)
			*p = &v
		}
	}
}

// crossing is where the curve from (x1, y1) to (x2, y2), which are on both sides
// of the limit, meets it.
func crossing(x1, y1, x2, y2, limit float64, logarithmic bool) float64 {
	share := (limit - y1) / (y2 - y1)
	if logarithmic && y1 > 1 && y2 > 1 && limit > 1 {
		share = math.Log((limit-1)/(y1-1)) / math.Log((y2-1)/(y1-1))
	}
	share = min(max(share, 0), 1) // rounding
	if logarithmic {
		return x1 * math.Pow(x2/x1, share)
	}
	return x1 + share*(x2-x1)
}
