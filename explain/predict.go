package explain

import "forkbench/internal/calltree"

// notable is the share of a finding that a warm-up must spare the jobs for it to
// be credited with it: less is noise.
const notable = 0.1

// A sparing says how much of each finding jobs are spared, from 0 to 1.
type sparing map[*found]float64

// sparing looks at what jobs do in forks of a parent that has done something: of
// each finding as much as they do not do any more, against forks of a frozen
// parent. So a call is credited with what it needs done before it, too, and with a
// part of what it does in part.
func (r *run) sparing(after ...*calltree.Node) sparing {
	s := make(sparing)
	for _, tree := range after {
		for _, f := range r.findings {
			if tree == nil {
				continue
			}
			if share := r.sparedPart(f, tree); share >= notable {
				s[f] = max(s[f], share)
			}
		}
	}
	return s
}
