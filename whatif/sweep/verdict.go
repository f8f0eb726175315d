package sweep

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"forkbench/internal/format"
)

// verdict is the answer in one line.
func (s *Sweep) verdict(r *Result) string {
	if len(s.xs()) == 0 {
		return "cut short before anything was known"
	}
	reference, cost := s.Contestants[0].Name, metricTexts[s.Metric].cost
	var parts []string
	last := ""
	for i := range r.BreakEvens {
		b := &r.BreakEvens[i]
		how := "less than"
		if len(b.Regions) == 0 {
			how = "at least"
		}
		if how == last { // as the one before
			parts = append(parts, b.Model+" "+b.Phrase)
		} else {
			parts = append(parts, fmt.Sprintf("%s takes %s %s more %s than %s %s", b.Model, how, format.TrimmedPercent(s.Within), cost, reference, b.Phrase))
		}
		last = how
	}
	if parts == nil {
		return s.levelVerdict(r)
	}
	return strings.Join(parts, "; ")
}

// levelVerdict is for a sweep without a second model to compare: how far the
// parameter moves the first one.
func (s *Sweep) levelVerdict(r *Result) string {
	c := &r.Curves[0]
	if len(c.Points) < 2 {
		return fmt.Sprintf("the %s makes no difference to %s", s.Range.Parameter.Label, c.Model)
	}
	var ends []string
	known := false
	for _, p := range []*Point{&c.Points[0], &c.Points[len(c.Points)-1]} {
		e, ok := p.Value(s.Metric.String())
		what := "none"
		if ok {
			what = s.withUnit(e.Value)
		}
		known = known || ok
		ends = append(ends, what+" with "+s.each(p.X))
	}
	if !known && !slices.ContainsFunc(c.Points, func(p Point) bool { _, ok := p.Value(s.Metric.String()); return ok }) {
		return fmt.Sprintf("%s has no %s", c.Model, s.Metric.Label())
	}
	return fmt.Sprintf("%s of %s: %s", s.Metric.Label(), c.Model, strings.Join(ends, ", "))
}

func (s *Sweep) withUnit(v float64) string { return format.Trimmed(v, 3) + " " + s.Metric.Unit() }

// each is a value in words: 18 jobs per child.
func (s *Sweep) each(x float64) string {
	p := s.Range.Parameter
	return fmt.Sprintf(p.Each, p.Kind.Format(x))
}

func (s *Sweep) bound(b *Bound) string {
	spec := Spec{From: s.Range.From, To: s.Range.To, parameter: s.Range.Parameter}
	return spec.Bound(b)
}

// phrase is where a break-even is, in words.
func (s *Sweep) phrase(b *BreakEven) string {
	from, to := s.Range.From, s.Range.To
	if len(b.Regions) == 0 || b.Regions[0].From == nil && b.Regions[0].To == nil {
		return fmt.Sprintf("throughout %s (%s); %s", s.Range, s.ends(b), s.side(b, len(b.Regions) > 0))
	}
	var parts []string
	for _, r := range b.Regions {
		switch {
		case r.From == nil:
			parts = append(parts, "up to "+s.bound(r.To)+s.otherEnd(b.Last, to))
		case r.To == nil:
			parts = append(parts, "from "+s.bound(r.From)+" on"+s.otherEnd(b.First, from))
		default:
			parts = append(parts, "between "+s.bound(r.From)+" and "+s.bound(r.To))
		}
	}
	return strings.Join(parts, ", and ")
}

// otherEnd is what it costs at the far end, where it costs more.
func (s *Sweep) otherEnd(over *Estimate, x float64) string {
	return fmt.Sprintf(" (%s with %s)", moreOf(over), s.Range.Parameter.Kind.Format(x))
}

// ends are the costs at both ends of the range.
func (s *Sweep) ends(b *BreakEven) string {
	k := s.Range.Parameter.Kind
	first, last := moreOf(b.First), moreOf(b.Last)
	if first == last {
		return first
	}
	return fmt.Sprintf("%s with %s, %s with %s", first, k.Format(s.Range.From), last, k.Format(s.Range.To))
}

// side says on which side of the range a break-even may be, if the curve leans.
func (s *Sweep) side(b *BreakEven, inside bool) string {
	firstLow, firstHigh := spanOf(b.First)
	lastLow, lastHigh := spanOf(b.Last)
	falls, rises := lastHigh < firstLow, lastLow > firstHigh
	k := s.Range.Parameter.Kind
	switch {
	case falls && !inside, rises && inside:
		return "a break-even, if there is one, is above " + k.Format(s.Range.To)
	case s.Range.From > s.Range.Parameter.Least && (falls && inside || rises && !inside):
		return "a break-even, if there is one, is below " + k.Format(s.Range.From)
	}
	return "there is no break-even"
}

// spanOf is an estimate's interval; nil, which cannot keep up, costs without end.
func spanOf(e *Estimate) (low, high float64) {
	if e == nil {
		return math.Inf(1), math.Inf(1)
	}
	return e.bounds()
}

func moreOf(e *Estimate) string {
	if e == nil {
		return "it cannot keep up"
	}
	return more(e.Value)
}

// more is a ratio of costs in words.
func more(ratio float64) string {
	switch {
	case ratio >= 1.995:
		return format.Trimmed(ratio, 3) + " times as much"
	case math.Abs(ratio-1) < 0.0005:
		return "as much"
	case ratio >= 1:
		return format.TrimmedPercent(ratio-1) + " more"
	}
	return format.TrimmedPercent(1-ratio) + " less"
}

// note adds what a reader has to know besides.
func (s *Sweep) note(r *Result) {
	if s.cutShort {
		r.Warnings = append(r.Warnings, "interrupted: the range was tried with fewer points")
	}
	for i := range r.Curves {
		c := &r.Curves[i]
		s.doubt(r, c, c.Points, "simulated")
		s.doubt(r, c, c.Live, "measured")
		s.compareLive(r, i)
	}
}

// doubt warns of points whose numbers cannot be stood up for: of each kind of reason once.
func (s *Sweep) doubt(r *Result, c *Curve, points []Point, how string) {
	var order []string
	where, first := make(map[string][]string), make(map[string]string)
	for _, p := range points {
		for _, d := range p.Doubts {
			kind, _, _ := strings.Cut(d, ":")
			if where[kind] == nil {
				order = append(order, kind)
				first[kind] = d
			}
			where[kind] = append(where[kind], s.Range.Parameter.Kind.Format(p.X))
		}
	}
	for _, kind := range order {
		at := ""
		if xs := slices.Compact(where[kind]); !c.Level {
			at = " with " + xs[0]
			if len(xs) > 1 {
				at += fmt.Sprintf(" (and %d more, up to %s)", len(xs)-1, xs[len(xs)-1])
			}
		}
		r.Warnings = append(r.Warnings, fmt.Sprintf("%s, %s%s: %s", c.Model, how, at, first[kind]))
	}
}

// compareLive says how far the measured points are from the simulated curve.
func (s *Sweep) compareLive(r *Result, i int) {
	c := &r.Curves[i]
	worst, at, sum, n := 0.0, 0.0, 0.0, 0
	for _, p := range c.Live {
		a, ok := s.at(i, p.X)
		if !ok {
			continue
		}
		simulated, ok := s.Metric.estimate(a)
		measured, both := p.Value(s.Metric.String())
		if !ok || !both || measured.Value == 0 {
			continue
		}
		off := simulated.Value/measured.Value - 1
		sum += math.Abs(off)
		n++
		if math.Abs(off) >= math.Abs(worst) {
			worst, at = off, p.X
		}
	}
	if n == 0 {
		return
	}
	text := fmt.Sprintf("%s: the simulated %s is off the measured one by %s", c.Model, s.Metric.Label(), format.Signed(format.TrimmedPercent(worst)))
	if n > 1 {
		text = fmt.Sprintf("%s: the simulated %s is off the measured one by %s on average over %d points, %s at worst (with %s)",
			c.Model, s.Metric.Label(), format.TrimmedPercent(sum/float64(n)), n, format.Signed(format.TrimmedPercent(worst)), s.Range.Parameter.Kind.Format(at))
	}
	r.Notes = append(r.Notes, text)
}
