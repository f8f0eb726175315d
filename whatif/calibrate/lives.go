package calibrate

import (
	"math"
	"slices"

	"forkbench/internal/format"
)

// A lives is the lives of one round's children.
type lives struct {
	cpu      float64 // of all of them
	besides  float64 // their jobs: that is, the first ones as measured, and the others as if they were late ones
	jobs     float64
	faults   float64
	children []int   // jobs of each
	sockets  float64 // children that had one
}

// row is what the lives consist of, at a decay of what young processes cost more.
func (l *lives) row(decay float64) []float64 {
	young := 0.0
	for _, n := range l.children {
		young += series(decay, n-1)
	}
	return []float64{float64(len(l.children)) / l.cpu, l.jobs / l.cpu, l.faults / l.cpu, young / l.cpu, l.sockets / l.cpu}
}

// youngColumn is where a row has what young processes cost more.
const youngColumn = 3

// series is 1 + d + d² + ..., n terms.
func series(d float64, n int) float64 {
	if n <= 0 {
		return 0
	}
	return (1 - math.Pow(d, float64(n))) / (1 - d)
}

// lives sums up a round's children.
func (c *calibration) lives(r *Round) *lives {
	kinds := classesOf(&r.Header.Spec)
	spent := make(map[int]float64) // by process, in its jobs as defined above
	again := make(map[int]float64) // how often it lost its core in them
	seen := make(map[place]bool)
	first := r.firsts(kinds)
	for _, j := range r.jobs {
		k := place{j.process, kinds.of(j.id)}
		if first[k] == j.seq && !seen[k] {
			seen[k] = true
			cold := format.Millis(j.cpu)
			spent[j.process] += c.warmed(r, cold, turns(cold))
			again[j.process] += turns(cold)
			continue
		}
		spent[j.process] += c.late[kinds.names[k.class]]
	}
	l := new(lives)
	for i := range r.children {
		p := &r.children[i]
		if p.Killed {
			continue
		}
		cpu := c.warmed(r, format.Millis(p.UserNS+p.SystemNS), 1+again[p.ID])
		l.cpu += cpu
		l.besides += cpu - spent[p.ID]
		l.jobs += float64(p.Jobs)
		l.faults += float64(p.Faults)
		l.children = append(l.children, p.Jobs)
		if p.Socket && c.bothKinds {
			l.sockets++
		}
	}
	return l
}

// defaultDecay is taken where there is nothing to tell.
const defaultDecay = 0.75

// tellFaults keeps the faults only if children of one kind differ in them, as those
// of cold and of warm parents do: else they go with the number of children, and
// what a page costs is not told apart from what a child does.
func tellFaults(all []*lives) {
	most, least := 0.0, math.Inf(1)
	for _, l := range all {
		if l.sockets == 0 {
			each := l.faults / float64(len(l.children))
			most, least = max(most, each), min(least, each)
		}
	}
	if most >= 2*least {
		return
	}
	for _, l := range all {
		l.faults = 0
	}
}

// lengths is how many lengths of lives there are, in jobs, that differ by a factor
// of two at least, of children with a socket if there are any.
func lengths(all []*lives) int {
	var each []float64
	socket := slices.ContainsFunc(all, func(l *lives) bool { return l.sockets > 0 })
	for _, l := range all {
		if !socket || l.sockets > 0 {
			each = append(each, l.jobs/float64(len(l.children)))
		}
	}
	slices.Sort(each)
	n, last := 0, 0.0
	for _, x := range each {
		if x >= 2*last {
			n, last = n+1, x
		}
	}
	return n
}

// bestLives fits what lives consist of, with the decay that fits best.
func bestLives(all []*lives) (x []float64, decay float64) {
	target := make([]float64, len(all))
	for i, l := range all {
		target[i] = l.besides / l.cpu
	}
	rows := make([][]float64, len(all))
	for i, l := range all {
		rows[i] = l.row(defaultDecay)
		rows[i][youngColumn] = 0
	}
	x, decay = fit(rows, target), defaultDecay
	if lengths(all) < 3 {
		return x, decay // two lengths tell a line, and not its curvature
	}
	least := misfit(rows, target, x)
	for _, d := range []float64{0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98} {
		for i, l := range all {
			rows[i] = l.row(d)
		}
		y := fit(rows, target)
		if m := misfit(rows, target, y); m < least*0.999 {
			x, decay, least = y, d, m
		}
	}
	return x, decay
}
