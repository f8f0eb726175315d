package explain

import (
	"fmt"
	"strings"
	"time"

	"forkbench/internal/calltree"
	"forkbench/internal/format"
)

// What of a finding jobs do again, when their parent has done something, is told by
// the calls that they make, not by the time that it takes them: a connection waits
// for others, and so for whatever else the machine does.

// kept is the part of a call's cost that jobs pay again: that of the calls below it
// that they still make, so often as they make them. The other is the same call in a
// job whose parent has done something; nil where it is not made.
func kept(n, other *calltree.Node) calltree.Cost {
	if other == nil || n.Calls <= 0 {
		return calltree.Cost{}
	}
	often := min(1, other.Calls/n.Calls)
	sum := calltree.Cost{Wall: time.Duration(often * float64(n.Self.Wall)), CPU: time.Duration(often * float64(n.Self.CPU))}
	for _, c := range n.Children {
		sum = sum.Add(kept(c, other.Child(c.Function)))
	}
	return sum
}

// places lists where a finding's call stands in a tree, the outermost of each.
func (f *found) places(tree *calltree.Node) (list []*calltree.Node) {
	if tree == nil {
		return nil
	}
	tree.Walk(func(path []*calltree.Node) bool {
		n := path[len(path)-1]
		if n.Function != f.Call {
			return true
		}
		list = append(list, n)
		return false
	})
	return list
}

// made is the share of a finding's cost before that is in calls which are made after,
// too, from 0 to 1: by what they cost before, whatever the core's speed was after.
func (f *found) made(before, after *calltree.Node) float64 {
	var all, still calltree.Cost
	others := f.places(after)
	for i, n := range f.places(before) {
		all = all.Add(n.Total())
		if i < len(others) {
			still = still.Add(kept(n, others[i]))
		}
	}
	return ratio(still, all)
}

// notMade is the share of a finding's cost that is in calls that jobs do not make
// any more when their parent has done something, where after is one of them.
func (r *run) notMade(f *found, after *calltree.Node) float64 {
	return max(0, 1-f.made(r.frozen, after))
}

// toldByTime reports whether what of a finding is left can be told by the time that it
// takes: next to nothing is, or there are no calls that tell. Else it has to show in the
// calls, for a core that was slower before looks the same by time.
func (f *found) toldByTime(left, before float64) bool {
	return left <= little*before || f.Own || f.group != ""
}

// sparedPart is the share of a finding that jobs are spared where after is one of
// them, from 0 to 1.
func (r *run) sparedPart(f *found, after *calltree.Node) float64 {
	before, left := f.in(r.frozen), f.in(after)
	if before <= 0 {
		return 0
	}
	part := max(0, 1-left/before)
	if f.toldByTime(left, before) {
		return part
	}
	return min(part, r.notMade(f, after))
}

// ratio is a cost's share of another, by the clock or in CPU, whichever is larger of
// the whole.
func ratio(part, all calltree.Cost) float64 {
	switch {
	case all.Wall >= all.CPU && all.Wall > 0:
		return float64(part.Wall) / float64(all.Wall)
	case all.CPU > 0:
		return float64(part.CPU) / float64(all.CPU)
	}
	return 0
}

const (
	// hardly is the share of a part that is left where nothing of it is done again.
	hardly = 0.02

	// half of a part is held by the call that gives it its name.
	half = 0.5
)

// again lists what of a finding jobs are spared, and what they do again: its parts,
// with their share of it. What is spared in part is told by its own parts.
func (r *run) again(f *found, after *calltree.Node) (saved, left []string) {
	whole, others := f.places(r.frozen), f.places(after)
	if len(whole) == 0 {
		return nil, nil
	}
	all := whole[0].Total()
	var look func(n, other *calltree.Node, deep int)
	look = func(n, other *calltree.Node, deep int) {
		for _, c := range n.Children {
			share := ratio(c.Total(), all)
			if share < partly {
				continue
			}
			same := other.Child(c.Function)
			below := deep
			if share < nearly {
				below++
			}
			still := ratio(kept(c, same), c.Total())
			if told := len(saved) + len(left); hardly < still && still < 1-notable && below <= partsDeep {
				if look(c, same, below); told < len(saved)+len(left) {
					continue // by its own parts
				}
			}
			text := fmt.Sprintf("%s (%s of it)", speaking(c), format.Percent(share, 0))
			if still <= gone {
				saved = append(saved, text)
			} else {
				left = append(left, text)
			}
		}
	}
	var other *calltree.Node
	if len(others) > 0 {
		other = others[0]
	}
	look(whole[0], other, 0)
	return saved, left
}

// speaking is what to call a part by: the first call below it that holds half of it
// or more and is neither machinery nor private; else the part itself.
func speaking(n *calltree.Node) calltree.Function {
	for _, c := range spine([]*calltree.Node{n}, half) {
		if !machinery(c.Function) && !strings.Contains("."+c.Name, "._") {
			return c.Function
		}
	}
	return n.Function
}
