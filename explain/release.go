package explain

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"forkbench/internal/calltree"
	"forkbench/internal/format"
)

// What leaves a connection can be done in a parent all the same: the connection is
// made there, what is asked of the first one is asked, and it is given up again
// before the first fork, by the means of who holds it (--warm=undo:…). What that
// spares the jobs is their first connection's questions; the connection itself is
// made by each.

// A release is a call that leaves something open, made in a parent and undone.
type release struct {
	call   warmCall
	after  *calltree.Node // a first job of that parent's children
	undone []string       // what was open, and how it was given up
}

// released names such a parent's contestant.
func (w *release) contestant() contestant {
	return warmed(w.name(), setup{warm: []string{w.call.reference()}})
}

// name is what is done, in words.
func (w *release) name() string { return w.call.String() + ", given up again" }

// tryReleased has a parent make a connection by name, and give it up.
func (r *run) tryReleased(ctx context.Context, f *found) error {
	if f.within != nil || len(hazards(f.seen)) == 0 {
		return nil
	}
	for i, w := range f.connecting() {
		if !r.Verify || i == triedReleases || r.attempts == triedAll {
			f.untried = []warmCall{w}
			break
		}
		r.attempts++
		r.doing("trying %s in a parent, and giving up what it opens", w)
		seen, err := r.inParent(ctx, []warmCall{w})
		if err != nil {
			return err
		}
		if seen.why == "" && r.notMade(f, seen.tree) >= partly {
			f.draws = seen.draws
			f.release = &release{call: w, after: seen.tree, undone: seen.undone}
			for _, other := range r.findings {
				if other != f && other.ways == nil && other.release == nil && other.spared == nil && r.spared(other, seen.tree) {
					other.spared = f
				}
			}
			return nil
		}
		f.tried = append(f.tried, fmt.Sprintf("%s, made in a parent and given up there, %s", w, cmp.Or(seen.why, "changes nothing: the jobs do it again")))
	}
	return nil
}

// triedReleases are tried of one finding.
const triedReleases = 3

// connecting lists the calls that do a finding and leave something open, and do
// nothing else that is to be known; those that anybody can write down: public ones
// first, and short ones. Arguments of a connection are nobody's to print.
func (f *found) connecting() (list []warmCall) {
	for _, c := range f.candidates() {
		if w := c.calls[0]; w.Name == "" || len(c.calls) > 1 || len(w.Args) > 0 || !onlyConnects(c.spot.seen) {
			continue
		}
		w := c.calls[0]
		w.Undo = true
		list = append(list, w)
	}
	slices.SortStableFunc(list, func(a, b warmCall) int {
		return cmp.Or(cmp.Compare(a.privacy(), b.privacy()), cmp.Compare(strings.Count(a.Name, "."), strings.Count(b.Name, ".")), cmp.Compare(len(a.Name), len(b.Name)))
	})
	return list
}

// onlyConnects reports whether calls left a connection, a database or a file open,
// and were not seen to start or run anything.
func onlyConnects(seen []observation) bool {
	opens := false
	for _, o := range seen {
		opens = opens || len(o.LeftOpen) > 0
		if o.Threads > 0 || slices.ContainsFunc(o.Events, func(e [2]string) bool { return e[0] != "socket.connect" && e[0] != "sqlite3.connect" }) {
			return false
		}
	}
	return opens
}

// releases lists the findings that are done and undone.
func (r *run) releases() (list []*found) {
	for _, f := range r.findings {
		if f.release != nil {
			list = append(list, f)
		}
	}
	return list
}

// An Undo is how a finding that leaves something open is done in a parent all the
// same, and what that spares the jobs.
type Undo struct {
	Call   string   `json:"call"`      // Python source
	Flag   string   `json:"warm_flag"` // the value of --warm that does it
	Undone []string `json:"undone"`    // what was open, and how it was given up
	Spares float64  `json:"spares"`    // the share of the finding that the jobs are spared
	Does   []string `json:"does"`      // its parts that are spared, with their shares of it
	Left   []string `json:"left"`      // its parts that each job does all the same
	Saved  *Try     `json:"saved,omitempty"`
}

// undo tells a finding's release.
func (r *run) undo(f *found) *Undo {
	w := f.release
	if w == nil {
		return nil
	}
	does, left := r.again(f, w.after)
	parts := r.sparing(w.after)
	parts[f] = r.notMade(f, w.after)
	return &Undo{
		Call: w.call.String(), Flag: w.call.reference(), Undone: w.undone, Spares: parts[f],
		Does: append([]string{}, does...), Left: append([]string{}, left...),
		Saved: r.attempt(w.contestant().name, w.name(), parts),
	}
}

// unsafe is why forks of a parent that did it, and was measured, are not to be had;
// or "".
func (u *Undo) unsafe() string { return u.Saved.unsafe() }

// flags are what has a parent do it.
func (u *Undo) flags() string { return "--warm=" + shellWord(u.Flag) }

// parts tell what is spared, and what is not.
func (u *Undo) parts() string {
	text := fmt.Sprintf("%s of it is done once", format.Percent(u.Spares, 0))
	if len(u.Does) > 0 {
		text += ": " + strings.Join(u.Does, ", ")
	}
	if text += fmt.Sprintf("; the other %s, which nothing saves, each job does for itself", format.Percent(1-u.Spares, 0)); len(u.Left) > 0 {
		text += ": " + strings.Join(u.Left, ", ")
	}
	return text
}

// pasted is a statement of Python that gives something up by a name that anybody has.
var pasted = regexp.MustCompile(`^[\pL_][\pL\pN_.()]*\(\)$`)

// statements are the call, and what gives up what it opens, where all of that can be
// written down; else nothing.
func (w *release) statements() []string {
	list := []string{w.call.String()} // and nothing else, where it leaves nothing open as soon as nobody has it
	for _, line := range w.undone {
		calls := means(line)
		if calls == nil {
			return nil
		}
		list = append(list, calls...)
	}
	return list
}
