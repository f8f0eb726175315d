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
		list = slices.Insert(list, 0, scoped+".remove()")
		about = scoped + ".remove() gives a scoped session's connection back to its pool: leave it out where there is none. "
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
		"in the module that has them: `import %s; os.register_at_fork(before=lambda: %s)`. %s", strings.Join(imports(list), ", "), text, about))
}

// imports are what such calls need besides variables: what stands for a module has
// several names before the method's.
func imports(calls []string) []string {
	list := []string{"os"}
	for _, call := range calls {
		if top, rest, _ := strings.Cut(call, "."); strings.Contains(rest, ".") && !slices.Contains(list, top) {
			list = append(list, top)
		}
	}
	return list
}

// scoped is the variable of a scoped session.
const scoped = "session"

// A holder is what a connection is given up by, where that has no name in a module.
type holder struct {
	library, class, method string
	at                     int // in the list of calls
}

// variable is what it is called: after its class, and its library where that is
// taken.
func (h *holder) variable(taken map[string]bool) string {
	name := h.class[strings.LastIndexByte(h.class, '.')+1:]
	variable := snake(name)
	if taken[variable] {
		variable = snake(h.library) + "_" + variable
	}
	for number := 2; taken[variable]; number++ {
		variable = fmt.Sprintf("%s_%s_%d", snake(h.library), snake(name), number)
	}
	return variable
}

// givenUp are the calls by which connections were seen to be given up, and for those
// that are not by a module's name, whose they are. No two of them are by one name, and
// none is by two.
func (r *run) givenUp() (list, where []string) {
	undone := slices.Clone(r.oneJob.undone)
	for _, f := range r.releases() {
		undone = append(undone, f.release.undone...)
	}
	// Names that mean something else there.
	taken := map[string]bool{"os": true, scoped: true}
	var holders []*holder
	for _, line := range undone {
		for _, call := range means(line) {
			if pasted.MatchString(call) {
				if !slices.Contains(list, call) {
					list = append(list, call)
					top, _, _ := strings.Cut(call, ".")
					taken[top] = true
				}
				continue
			}
			method, class, ok := strings.Cut(call, "() of the ")
			if !ok {
				continue // its descriptor, which is closed
			}
			if hasName(undone, line, method) {
				continue
			}
			library, _, _ := strings.Cut(class, ".")
			i := slices.IndexFunc(holders, func(h *holder) bool { return h.library == library })
			switch {
			case i < 0:
				holders = append(holders, &holder{library, class, method, len(list)})
				list = append(list, "")
			case holders[i].method == "close" && method != "close":
				holders[i].class, holders[i].method = class, method
			}
		}
	}
	shared := make(map[string]int)
	for _, h := range holders {
		shared[h.variable(nil)]++
	}
	for name, n := range shared {
		taken[name] = taken[name] || n > 1
	}
	for _, h := range holders {
		variable := h.variable(taken)
		taken[variable] = true
		list[h.at] = variable + "." + h.method + "()"
		where = append(where, variable+" is the "+h.class)
	}
	return list, where
}

// hasName reports whether what a line gives up by a method of some class is what other
// lines give up by that method of something that has a name: not a close, which all
// has, and not where the line has more open than that.
func hasName(undone []string, line, method string) bool {
	if method == "close" {
		return false
	}
	open := func(line string) int {
		what, _, _ := strings.Cut(line, ": ")
		return 1 + strings.Count(what, ", ")
	}
	left, named, others := open(line), 0, 0
	for _, call := range means(line) {
		if name, _, _ := strings.Cut(call, "() of the "); name != method && name != "close" {
			others++
		}
	}
	for _, other := range undone {
		byName := func(call string) bool { return pasted.MatchString(call) && strings.HasSuffix(call, "."+method+"()") }
		if other != line && slices.ContainsFunc(means(other), byName) {
			named += open(other)
		}
	}
	return named > 0 && left-others <= named
}

// snake is a class's name as variables are spelled: ConnectionPool is connection_pool,
// and what is not a variable's name in Python becomes one: Pool[int], Lambda.
func snake(class string) string {
	var b strings.Builder
	before := '_'
	for _, c := range class {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			c = '_'
		case unicode.IsUpper(c) && !unicode.IsUpper(before) && before != '_':
			b.WriteByte('_')
		}
		if before != '_' || c != '_' {
			b.WriteRune(unicode.ToLower(c))
		}
		before = c
	}
	name := strings.Trim(b.String(), "_")
	if slices.Contains(keywords, name) || strings.IndexFunc(name, unicode.IsLetter) != 0 {
		name = strings.TrimRight("the_"+name, "_")
	}
	return name
}

// keywords of Python are not names of variables.
var keywords = strings.Fields("false none true and as assert async await break class continue def del elif else except finally for from global if import in is " +
	"lambda nonlocal not or pass raise return try while with yield")

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
