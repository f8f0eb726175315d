package explain

import (
	"fmt"
	"slices"
)

// freezing is what is said of a parent that is frozen before it forks and does
// nothing else; or "" where that saves nothing that is worth anybody's while.
//
// A collection in a child writes to the header of each object that the child
// inherited, and so copies nearly all of the parent's memory. Frozen objects are
// not looked at.
func (r *run) freezing() string {
	t := r.result.Freezing
	if least := worthShare * r.turn(); t == nil || !r.pays(t) || min(t.Measured.Wall.Median, t.Measured.CPU.Median) < least {
		return ""
	}
	return fmt.Sprintf("gc.freeze() in the parent before the fork, and nothing else, saves %s", t.savings())
}

// freezeNote says how to do it.
const freezeNote = "A collection of garbage in a child goes through all that the child inherited, and copies it. Once all is imported and warm, " +
	"right before the first fork: `import gc; gc.collect(); gc.freeze()`. Every warm parent here is frozen so, and what the others save is what they save besides."

// worthwhile reports whether what was measured of a try is a saving that is worth
// it: a small share of what a job takes of a worker. Where too few jobs were
// measured for an interval, their median has to do.
func (r *run) worthwhile(t *Try) bool {
	least := worthShare * r.turn()
	return !t.Measured.Wall.spansZero() && t.Measured.Wall.Median >= least ||
		!t.Measured.CPU.spansZero() && t.Measured.CPU.Median >= least
}

// pays reports whether a try is worthwhile, and forks of its parent are safe.
func (r *run) pays(t *Try) bool { return t.Unfit == nil && r.worthwhile(t) }

// outranks reports whether what was measured of a try is believed against what was
// seen of its calls: a saving that is worth it, and known to half of itself from
// several rounds, for one interval in twenty is without 0 by chance.
func (r *run) outranks(t *Try) bool {
	known := func(i Interval) bool {
		return i.rounds >= severalRounds && i.Median >= worthShare*r.turn() && i.Low != nil && *i.Low >= i.Median/2
	}
	return known(t.Measured.Wall) || known(t.Measured.CPU)
}

// severalRounds are so many that a slower core hardly hits the same contestant in all.
const severalRounds = 4

// savings tells a saving in words: by the clock, or of CPU where none was seen by
// the clock.
func (t *Try) savings() string {
	if t.Measured.Wall.seen() {
		return fmt.Sprintf("%s of each job, measured", milliseconds(t.Measured.Wall.Median))
	}
	return fmt.Sprintf("%s of CPU of each job, measured%s", milliseconds(t.Measured.CPU.Median), t.byTheClock())
}

// byTheClock says what becomes of the time by the clock where only CPU is saved.
func (t *Try) byTheClock() string {
	if wall := t.Measured.Wall; wall.High != nil && *wall.High < 0 {
		return fmt.Sprintf(", but takes %s longer by the clock", milliseconds(-wall.Median))
	}
	return ", but no time that could be seen by the clock"
}

// collected reports whether what a function's own code does once is a collection that
// falls there, and not the function's: forks of a parent that is frozen, and has done
// nothing else, do not have it.
func (r *run) collected(f *found) bool {
	return f.Own && r.frozen != nil && f.in(r.frozen) <= gone*f.in(r.cold.first)
}

// lastCollections puts such findings behind what can be hoisted.
func (r *run) lastCollections() {
	slices.SortStableFunc(r.findings, func(a, b *found) int {
		behind := func(f *found) int {
			if r.collected(f) {
				return 1
			}
			return 0
		}
		return behind(a) - behind(b)
	})
}
