package explain

import (
	"fmt"
	"slices"
	"strings"

	"forkbench/record"
)

// cure is how an application gives its connections up before each fork by itself, so
// that a parent that has run jobs may have forks; "" where it is not connections
// that are in the way.
func (r *run) cure() string {
	if !r.connected || len(r.base) > 0 { // it has been said
		return ""
	}
	const session = "session.remove()"
	calls, known := []string{session}, r.givenUp()
	if known == nil {
		known = []string{"engine.dispose()"}
	}
	calls = append(calls, known...)
	return fmt.Sprintf("To have forks of a parent that has run jobs, and to have that measured: let the application give its connections up before each fork, "+
		"in the module that has them: `import os; os.register_at_fork(before=lambda: (%s))`. "+
		"%s gives a scoped session's connection back to its pool: leave it out where there is none; for a connection by itself it is `before=connection.close`, "+
		"where jobs open another.", strings.Join(calls, ", "), session)
}

// givenUp are the calls by which connections were seen to be given up, that anybody
// can write down.
func (r *run) givenUp() (list []string) {
	undone := slices.Clone(r.oneJob.undone)
	for _, f := range r.releases() {
		undone = append(undone, f.release.undone...)
	}
	for _, line := range undone {
		for _, call := range means(line) {
			if !slices.Contains(list, call) {
				list = append(list, call)
			}
		}
	}
	return list
}

// means are the calls in a line that says what was open and how it was given up;
// nothing if one of them cannot be written down.
func means(line string) []string {
	_, how, _ := strings.Cut(line, ": ")
	list := strings.Split(how, ", ")
	if slices.ContainsFunc(list, func(call string) bool { return !pasted.MatchString(call) }) {
		return nil
	}
	return list
}

// disposes are the calls that gave up what a warm-up left open; nothing where there
// is one that cannot be written down.
func (w *WarmUp) disposes() (list []string) {
	for _, line := range w.Undone {
		calls := means(line)
		if calls == nil {
			return nil
		}
		list = append(list, calls...)
	}
	return list
}

// connects reports whether a hazard is what a hook before the fork can give up.
func connects(h record.Hazard) bool {
	return h.Kind == record.HazardConnection || h.Kind == record.HazardDatabase
}
