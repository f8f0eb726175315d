package sweep

import (
	"fmt"
	"math"
	"strings"
)

// verdict is the answer in one line.
func (s *Sweep) verdict(r *Result) string {
	if len(s.xs()) == 0 {
		return "cut short before anything was known"
	}
	limit, cost := percent(s.Within), metricTexts[s.Metric].cost
	reference := s.Contestants[0].Name
	var parts []string
	for i := range r.BreakEvens {
		b := &r.BreakEvens[i]
		switch {
		case len(b.Regions) > 0:
			parts = append(parts, fmt.Sprintf("%s takes less than %s more %s than %s %s", b.Model, limit, cost, reference, b.Phrase))
		default:
			parts = append(parts, fmt.Sprintf("%s takes at least %s more %s than %s %s", b.Model, limit, cost, reference, b.Phrase))
		}
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
	first, ok := c.Points[0].Value(s.Metric.String())
	last, both := c.Points[len(c.Points)-1].Value(s.Metric.String())
	if !ok || !both {
		return fmt.Sprintf("%s has no %s", c.Model, s.Metric.Label())
	}
	return fmt.Sprintf("%s of %s: %s with %s, %s with %s", s.Metric.Label(), c.Model,
		s.withUnit(first.Value), s.each(c.Points[0].X), s.withUnit(last.Value), s.each(c.Points[len(c.Points)-1].X))
}

func (s *Sweep) withUnit(v float64) string { return number(v) + " " + s.Metric.Unit() }

// each is a value in words: 18 jobs per child.
func (s *Sweep) each(x float64) string {
	p := s.Range.Parameter
	return fmt.Sprintf(p.Each, p.Kind.Format(x))
}

// phrase is where a break-even is, in words.
func (s *Sweep) phrase(b *BreakEven) string {
	from, to := s.Range.From, s.Range.To
	switch {
	case len(b.Regions) == 0:
		return fmt.Sprintf("throughout %s (%s): no break-even in this range%s", s.Range, s.ends(b), s.side(b, false))
	case b.Regions[0].From == nil && b.Regions[0].To == nil:
		return fmt.Sprintf("throughout %s (%s): no break-even in this range%s", s.Range, s.ends(b), s.side(b, true))
	}
	var parts []string
	for _, r := range b.Regions {
		switch {
		case r.From == nil:
			parts = append(parts, "up to "+s.withInterval(r.To)+s.otherEnd(b.Last, to))
		case r.To == nil:
			parts = append(parts, "from "+s.withInterval(r.From)+" on"+s.otherEnd(b.First, from))
		default:
			parts = append(parts, "between "+s.withInterval(r.From)+" and "+s.withInterval(r.To))
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
	return fmt.Sprintf("%s with %s, %s with %s", moreOf(b.First), k.Format(s.Range.From), moreOf(b.Last), k.Format(s.Range.To))
}

// side says on which side of the range a break-even may be, if the curve leans.
func (s *Sweep) side(b *BreakEven, inside bool) string {
	firstLow, firstHigh := spanOf(b.First)
	lastLow, lastHigh := spanOf(b.Last)
	falls, rises := lastHigh < firstLow, lastLow > firstHigh
	k := s.Range.Parameter.Kind
	switch {
	case falls && !inside, rises && inside:
		return fmt.Sprintf("; if there is one, it is above %s", k.Format(s.Range.To))
	case falls && inside && s.Range.From > s.Range.Parameter.Least, rises && !inside && s.Range.From > s.Range.Parameter.Least:
		return fmt.Sprintf("; if there is one, it is below %s", k.Format(s.Range.From))
	}
	return ""
}

// withInterval is a bound in words: 18 jobs per child [16, 21].
func (s *Sweep) withInterval(b *Bound) string {
	k := s.Range.Parameter.Kind
	text := s.each(b.At)
	low, high := k.Format(s.Range.From)+" or less", k.Format(s.Range.To)+" or more"
	if b.Low != nil {
		low = k.Format(*b.Low)
	}
	if b.High != nil {
		high = k.Format(*b.High)
	}
	if b.Low != nil && b.High != nil && low == high {
		return text // the interval is smaller than what can be told apart
	}
	return fmt.Sprintf("%s [%s, %s]", text, low, high)
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
		return number(ratio) + " times as much"
	case math.Abs(ratio-1) < 0.0005:
		return "as much"
	case ratio >= 1:
		return percent(ratio-1) + " more"
	}
	return percent(1-ratio) + " less"
}

// percent writes a share as a percentage.
func percent(share float64) string { return number(100*share) + " %" }

// number writes a value to three digits, two below 0.1.
func number(v float64) string {
	switch {
	case v < 0:
		return "−" + number(-v)
	case v >= 1000:
		text := fmt.Sprintf("%.0f", v)
		for i := len(text) - 3; i > 0; i -= 3 {
			text = text[:i] + "," + text[i:]
		}
		return text
	}
	return digits(v)
}

// note adds what a reader has to know besides.
func (s *Sweep) note(r *Result) {
	if s.cutShort {
		r.Warnings = append(r.Warnings, "interrupted: the range was tried with fewer points")
	}
	for i := range r.Curves {
		c := &r.Curves[i]
		if c.Level && i > 0 && len(c.Points) == 1 && c.Points[0].Over != nil && r.Curves[0].Level {
			r.Notes = append(r.Notes, fmt.Sprintf("the %s makes no difference to %s: %s %s than %s",
				s.Range.Parameter.Label, c.Model, more(c.Points[0].Over.Value), metricTexts[s.Metric].cost, r.Curves[0].Model))
		}
		s.doubt(r, c, c.Points, "simulated")
		s.doubt(r, c, c.Live, "measured")
		s.compareLive(r, i)
	}
}

// doubt warns of points whose numbers cannot be stood up for: of each reason once.
func (s *Sweep) doubt(r *Result, c *Curve, points []Point, how string) {
	var order []string
	where := make(map[string][]string)
	for _, p := range points {
		for _, d := range p.Doubts {
			if where[d] == nil {
				order = append(order, d)
			}
			where[d] = append(where[d], s.Range.Parameter.Kind.Format(p.X))
		}
	}
	for _, d := range order {
		at := " at " + strings.Join(where[d], ", ")
		if c.Level {
			at = ""
		}
		r.Warnings = append(r.Warnings, fmt.Sprintf("%s, %s%s: %s", c.Model, how, at, d))
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
	text := fmt.Sprintf("%s: the simulated %s is off the measured one by %s", c.Model, s.Metric.Label(), signed(worst))
	if n > 1 {
		text = fmt.Sprintf("%s: the simulated %s is off the measured one by %s on average over %d points, %s at worst (with %s)",
			c.Model, s.Metric.Label(), percent(sum/float64(n)), n, signed(worst), s.Range.Parameter.Kind.Format(at))
	}
	r.Notes = append(r.Notes, text)
}

func signed(share float64) string {
	if share >= 0 {
		return "+" + percent(share)
	}
	return percent(share)
}
