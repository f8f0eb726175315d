package explain

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"forkbench/internal/calltree"
	"forkbench/record"
)

// What gives a connection up is said by this rule, the first of these that is known:
//
//   - the calls by which it was seen to be given up, by names that a module has;
//   - the method by which its holder was seen to give it up, on a variable called
//     after the holder's class: connection_pool.disconnect() of a
//     redis.connection.ConnectionPool. Of each library one, a pool's before a
//     connection's;
//   - by the calls that opened it: SQLAlchemy's engine.dispose(), redis-py's
//     connection_pool.disconnect();
//   - close(), which all that can be opened has (psycopg2, sqlite3, files, sockets).

// cure is how an application gives its connections up before each fork by itself, so
// that a parent that has run jobs may have forks; "" where it is not connections
// that are in the way.
func (r *run) cure() string {
	if !r.connected || len(r.base) > 0 { // it has been said
		return ""
	}
	list, where := r.givenUp()
	if list == nil {
		list = r.openers()
	}
	about := ""
	if slices.ContainsFunc(list, func(call string) bool { return strings.HasSuffix(call, ".dispose()") }) {
		const session = "session.remove()"
		list = slices.Insert(list, 0, session)
		about = session + " gives a scoped session's connection back to its pool: leave it out where there is none. "
	}
	if len(where) > 0 {
		about += "There, " + strings.Join(where, ", ") + ". "
	}
	text := strings.Join(list, ", ")
	if len(list) > 1 {
		text = "(" + text + ")"
	}
	if !strings.HasSuffix(text, closing) {
		about += "For a connection by itself it is `before=connection.close`, where jobs open another."
	}
	return strings.TrimSpace(fmt.Sprintf("To have forks of a parent that has run jobs, and to have that measured: let the application give its connections up before each fork, "+
		"in the module that has them: `import os; os.register_at_fork(before=lambda: %s)`. %s", text, about))
}

// givenUp are the calls by which connections were seen to be given up, and for those
// that are not by a module's name, whose they are.
func (r *run) givenUp() (list, where []string) {
	undone := slices.Clone(r.oneJob.undone)
	for _, f := range r.releases() {
		undone = append(undone, f.release.undone...)
	}
	libraries := make(map[string]int) // where the call of each stands
	for _, line := range undone {
		for _, call := range means(line) {
			if pasted.MatchString(call) {
				if !slices.Contains(list, call) {
					list = append(list, call)
				}
				continue
			}
			method, class, ok := strings.Cut(call, "() of the ")
			if !ok {
				continue // its descriptor, which is closed
			}
			library, _, _ := strings.Cut(class, ".")
			variable := snake(class[strings.LastIndexByte(class, '.')+1:])
			call, whose := variable+"."+method+"()", variable+" is the "+class
			if at, known := libraries[library]; !known {
				libraries[library] = len(where)
				list, where = append(list, call), append(where, whose)
			} else if i := slices.Index(list, called(where[at], "close")); i >= 0 && method != "close" {
				list[i], where[at] = call, whose
			}
		}
	}
	return list, where
}

// called is the call of a method on the variable that such words are about.
func called(whose, method string) string {
	variable, _, _ := strings.Cut(whose, " is the ")
	return variable + "." + method + "()"
}

// snake is a class's name as variables are spelled: ConnectionPool is connection_pool.
func snake(class string) string {
	var b strings.Builder
	for i, c := range class {
		if unicode.IsUpper(c) && i > 0 && !unicode.IsUpper(rune(class[i-1])) && class[i-1] != '_' {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return strings.TrimLeft(b.String(), "_")
}

// openers are the calls that give up what findings leave open, by what opened it.
func (r *run) openers() (list []string) {
	for _, f := range r.findings {
		if what := hazards(f.seen); len(what) > 0 && strings.HasPrefix(what[0], connectionLeft) {
			if call := opener(f, what[0]); !slices.Contains(list, call) {
				list = append(list, call)
			}
		}
	}
	if list == nil {
		return []string{closing}
	}
	return list
}

// closing gives up what belongs to no library that has other means.
const closing = "connection.close()"

// opener is the call that gives up what a finding leaves open, by the libraries
// whose functions lead to it or are called by it, the outer one first: what
// SQLAlchemy opens by a driver is SQLAlchemy's.
func opener(f *found, hazard string) string {
	if len(f.Paths) == 0 {
		return closing
	}
	path := f.Paths[0]
	has := func(library string) (found bool) {
		of := func(n *calltree.Node) bool {
			return n.Kind != calltree.Import && strings.HasPrefix(n.Name, library+".")
		}
		if slices.ContainsFunc(path, of) {
			return true
		}
		path[len(path)-1].Walk(func(below []*calltree.Node) bool {
			found = found || of(below[len(below)-1])
			return !found
		})
		return found
	}
	switch {
	case strings.HasPrefix(hazard, threadLeft):
		return "stop it"
	case has("sqlalchemy"):
		return "engine.dispose()"
	case strings.HasPrefix(hazard, connectionLeft) && has("redis"):
		return "connection_pool.disconnect()"
	case strings.HasPrefix(hazard, connectionLeft), strings.HasSuffix(hazard, databaseLeft):
		return closing
	case strings.HasPrefix(hazard, fileLeft):
		return "file.close()"
	}
	return "close it"
}

// means are the calls in a line that says what was open and how it was given up.
func means(line string) []string {
	_, how, _ := strings.Cut(line, ": ")
	return strings.Split(how, ", ")
}

// pastedMeans are the same; nothing if one of them cannot be written down.
func pastedMeans(line string) []string {
	list := means(line)
	if slices.ContainsFunc(list, func(call string) bool { return !pasted.MatchString(call) }) {
		return nil
	}
	return list
}

// disposes are the calls that gave up what a warm-up left open; nothing where there
// is one that cannot be written down.
func (w *WarmUp) disposes() (list []string) {
	for _, line := range w.Undone {
		calls := pastedMeans(line)
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
