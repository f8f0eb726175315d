package runner

import (
	"math"
	"slices"
	"time"

	moremath "github.com/aclements/go-moremath/stats"

	"forkbench/internal/stats"
)

// Until has a comparison go on until it is known how its models compare. Time goes
// where the doubt is: a model whose turns are short gets more of them.
type Until struct {
	// HalfWidth is how far the 95 % interval of each ratio between two models may
	// reach from it, as a share of it: 0.1 is ±10 %.
	HalfWidth float64
	// Most is how long to go on for that, beyond the least number of rounds.
	Most time.Duration
	// Whole has each round made in one go. Otherwise those of models whose jobs do not
	// know of each other (models.JobsApart) are made in parts, if there are enough jobs,
	// and one of them is the least.
	Whole bool
}

const (
	// A model's turns in a row take up to such a share of the longest turn of any.
	// They are spread over the comparison, so that a drift of the machine hits all
	// models alike, and not put at its end.
	rowShare = 0.5
	maxRow   = 10 // turns

	// A model takes part in narrowing an interval if it makes at least such a share
	// of the interval's variance.
	partShare = 0.4

	// From how many blocks of each model an interval is believed to be narrow: two
	// that are alike by chance look as if there were no noise.
	enoughBlocks = 3
)

// A pacer decides whose turn is next in a comparison. Its time is that which the
// turns took; it knows no clock.
type pacer struct {
	until  Until
	cycle  int
	queue  []int   // the models whose turns come next, in this cycle
	last   int     // whose turn was the last in it; -1 for nobody's
	block  int     // which that turn belongs to, from 1
	begun  bool    // the least is done
	excess float64 // seconds since
	models []pace
}

// A pace is what a pacer knows of one model.
type pace struct {
	least   int         // turns
	parts   int         // of a round, a turn each
	blocks  [][]float64 // logarithms of the metric: of turns that were taken in a row
	seconds []float64   // that each turn took, start-up included
	out     bool        // it could not go on
}

// means is the mean of each block: turns in a row share what the machine did then,
// and are not independent measurements.
func (m *pace) means() []float64 {
	var means []float64
	for _, b := range m.blocks {
		if len(b) > 0 {
			means = append(means, moremath.Mean(b))
		}
	}
	return means
}

// hopeless reports whether no further turn of the model tells anything.
func (m *pace) hopeless() bool {
	return m.out || len(m.blocks) >= enoughBlocks && len(m.means()) == 0
}

// newPacer needs, for each model, how many turns it takes at least, and how many make a
// round. That least is whole rounds.
func newPacer(until Until, least, parts []int) *pacer {
	p := &pacer{until: until, last: -1}
	for i := range least {
		p.models = append(p.models, pace{least: least[i], parts: parts[i]})
	}
	return p
}

// open is how many turns the model's round still takes; 0 if none has begun.
func (m *pace) open() int { return (m.parts - len(m.seconds)%m.parts) % m.parts }

// next is the model whose turn is next; none if the comparison is at its end. Turns
// that follow each other in a cycle are of one block.
func (p *pacer) next() (model, block int, ok bool) {
	for len(p.queue) == 0 {
		if !p.fill() {
			return 0, 0, false
		}
	}
	model, p.queue = p.queue[0], p.queue[1:]
	if model != p.last {
		p.last = model
		p.block++
		p.models[model].blocks = append(p.models[model].blocks, nil)
	}
	return model, p.block, true
}

// took tells of the turn that was the next: how long it took, and the metric's value.
// A value that is not positive does not count.
func (p *pacer) took(model int, seconds, value float64) {
	m := &p.models[model]
	m.seconds = append(m.seconds, seconds)
	if value > 0 {
		last := &m.blocks[len(m.blocks)-1]
		*last = append(*last, math.Log(value))
	}
	if p.begun {
		p.excess += seconds
	}
}

// drop has a model take no further turn.
func (p *pacer) drop(model int) {
	p.models[model].out = true
	p.queue = slices.DeleteFunc(p.queue, func(m int) bool { return m == model })
}

// fill plans a cycle's turns, which may be none; it reports false if there is no need of
// another.
func (p *pacer) fill() bool {
	turns := p.leastTurns()
	least := turns != nil
	if !least {
		p.begun = true
		turns = p.moreTurns()
	}
	order := slices.DeleteFunc(Order(len(p.models), p.cycle), func(m int) bool { return turns[m] == 0 })
	for place, m := range order {
		p.queue = append(p.queue, m)
		for _, short := range order {
			p.queue = append(p.queue, slices.Repeat([]int{short}, piece(turns[short]-1, place, len(order)))...)
		}
	}
	p.cycle++
	p.last = -1
	return least || len(p.queue) > 0
}

// leastTurns is how many turns each model takes in a cycle that is of the least; nil if
// that is done. The least is spread over as many cycles as the model takes for it that
// takes the most turns, and models whose turns are short take more.
func (p *pacer) leastTurns() []int {
	cycles := 0
	for i := range p.models {
		cycles = max(cycles, p.models[i].least) // also of one that is out: the others' turns were spread over its own
	}
	if p.cycle >= cycles {
		return nil
	}
	turns := make([]int, len(p.models))
	longest := 0.0
	for i := range p.models {
		if m := &p.models[i]; !m.out {
			turns[i] = due(m.least, p.cycle+1, cycles) - due(m.least, p.cycle, cycles)
			longest = max(longest, float64(turns[i])*stats.Median(m.seconds))
		}
	}
	for i := range p.models {
		if m := &p.models[i]; !m.out {
			turns[i] = max(turns[i], m.row(longest))
		}
	}
	return turns
}

// due is how many of n are to have been after so many of all cycles: the first of them
// is in the first.
func due(n, cycle, cycles int) int { return (n*cycle + cycles - 1) / cycles }

// moreTurns is how many each takes in a cycle beyond the least: those that are in doubt,
// and in the end what is left of rounds that have begun.
func (p *pacer) moreTurns() []int {
	turns := make([]int, len(p.models))
	doubtful := p.doubtful()
	for i := range p.models {
		switch m := &p.models[i]; {
		case m.out:
		case doubtful[i]:
			turns[i] = max(1, m.row(p.longest()))
		case len(doubtful) == 0:
			turns[i] = m.open()
		}
	}
	return turns
}

// piece is how many of n are at one of so many places.
func piece(n, place, places int) int { return n*(place+1)/places - n*place/places }

// longest is how long the longest turn of any model takes.
func (p *pacer) longest() float64 {
	longest := 0.0
	for i := range p.models {
		longest = max(longest, stats.Median(p.models[i].seconds))
	}
	return longest
}

// row is how many turns of the model are no longer than a row may be, beside one of so
// many seconds; 0 if none is, or nobody knows.
func (m *pace) row(longest float64) int {
	own := stats.Median(m.seconds)
	if own == 0 {
		return 0
	}
	return int(min(rowShare*longest/own, maxRow))
}

// doubtful is the models of which another turn narrows an interval that is too
// wide, and for which there is time.
func (p *pacer) doubtful() map[int]bool {
	all := make(map[int]bool)
	for a := range p.models {
		for b := range p.models[:a] {
			x, y := &p.models[a], &p.models[b]
			if x.hopeless() || y.hopeless() {
				continue
			}
			as, bs := x.means(), y.means()
			if len(as) < enoughBlocks || len(bs) < enoughBlocks {
				all[a] = all[a] || len(as) < enoughBlocks
				all[b] = all[b] || len(bs) < enoughBlocks
				continue
			}
			w, _ := newWelch(as, bs, sequential)
			if w.half <= math.Log1p(p.until.HalfWidth) {
				continue
			}
			if w.shareA >= partShare {
				all[a] = true
			}
			if 1-w.shareA >= partShare {
				all[b] = true
			}
		}
	}
	left := p.until.Most.Seconds() - p.excess
	for i := range p.models {
		if m := &p.models[i]; !m.out {
			left -= float64(m.open()) * stats.Median(m.seconds)
		}
	}
	for i := range p.models {
		m := &p.models[i]
		turns := max(1, m.row(p.longest()))
		switch {
		case turns <= m.open():
			turns = 0 // their time is taken off
		case m.parts > 1:
			turns = max(turns, m.parts)
		}
		if cost := float64(turns) * stats.Median(m.seconds); all[i] && cost <= left {
			left -= cost
		} else {
			delete(all, i)
		}
	}
	return all
}

// sequential is the confidence of an interval that was looked at again and again,
// and that the comparison stopped for as soon as it was narrow: what holds the value
// in 95 % of comparisons made like that, where that costs the most. It stops when the
// noise seems small, and then it seems smaller than it is: of intervals at 96 %, 88 in
// 100 hold the ratio of two models alike whose rounds vary by 10 %. TestCoverage shows it.
const sequential = 0.99

// welch is the difference of the means of as and bs, each of which are independent
// of each other, by Welch's t (1947, "The generalization of 'Student's' problem when
// several different population variances are involved").
type welch struct {
	difference float64
	half       float64 // the half-width of its interval
	p          float64 // of "there is none"
	shareA     float64 // of the variance that is of as
}

// newWelch needs two values of each.
func newWelch(as, bs []float64, confidence float64) (w welch, ok bool) {
	if len(as) < 2 || len(bs) < 2 {
		return welch{}, false
	}
	na, nb := float64(len(as)), float64(len(bs))
	va, vb := variance(as)/na, variance(bs)/nb
	w.difference = moremath.Mean(as) - moremath.Mean(bs)
	v := va + vb
	if v == 0 {
		w.shareA = 0.5
		if w.difference == 0 {
			w.p = 1
		}
		return w, true
	}
	t := moremath.TDist{V: v * v / (va*va/(na-1) + vb*vb/(nb-1))}
	w.half = quantileT(t.V, (1+confidence)/2) * math.Sqrt(v)
	w.shareA = va / v
	// As many p-values are below alpha as intervals are without 0.
	p := 2 * (1 - t.CDF(math.Abs(w.difference)/math.Sqrt(v)))
	w.p = min(1, max(0, p)*alpha/(1-confidence))
	return w, true
}

func variance(xs []float64) float64 { return (&moremath.Sample{Xs: xs}).Variance() }
