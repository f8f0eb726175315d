package explain

import (
	"fmt"
	"slices"
	"strings"

	"forkbench/internal/calltree"
)

// What a parent draws once is the same in all of its children: a uuid, a token, a
// generator's seed. Whether the call keeps it, a profile does not tell; that it is
// drawn does.

// drawn names what a function draws that is to differ from process to process; or
// "". Names of Python before 3.11 have no classes.
func drawn(f calltree.Function) string {
	switch name := f.Name; {
	case f.Kind == calltree.Import && name == "numpy.random.mtrand":
		return "the state of numpy.random"
	case f.Kind == calltree.Import:
		return ""
	case strings.HasPrefix(name, "uuid.uuid") && name != "uuid.uuid3" && name != "uuid.uuid5": // these are of a name
		return "a uuid (" + name + ")"
	case strings.HasPrefix(name, "secrets.token_"), name == "secrets.randbelow", name == "secrets.randbits":
		return "a token (" + name + ")"
	case name == "random.Random.seed", name == "random.seed":
		return "the seed of a random.Random"
	case strings.HasPrefix(name, "numpy.random") && strings.HasSuffix(name, ".default_rng"):
		return "the seed of a generator (numpy.random.default_rng)"
	case name == "posix.urandom":
		return "random bytes (os.urandom)"
	}
	return ""
}

// reseeds are modules that draw when they are imported, and draw again in each fork
// or keep nothing.
var reseeds = []string{"random", "secrets", "tempfile", "uuid"}

// draws lists what is drawn in a tree of calls, each once, by the outermost call
// that says what it is.
func draws(tree *calltree.Node) (list []string) {
	if tree == nil {
		return nil
	}
	tree.Walk(func(path []*calltree.Node) bool {
		n := path[len(path)-1]
		if n.Kind == calltree.Import && slices.Contains(reseeds, n.Name) {
			return false
		}
		what := drawn(n.Function)
		if what != "" && !slices.Contains(list, what) {
			list = append(list, what)
		}
		return what == ""
	})
	slices.Sort(list)
	return list
}

// sharedDraws says what comes of that, after the name of the call.
func sharedDraws(list []string) string {
	return fmt.Sprintf("draws %s: what it keeps of that is then the same in every child", strings.Join(list, " and "))
}

// drawsNote is the same with what to do.
func drawsNote(call string, list []string) string {
	return fmt.Sprintf("%s %s. Where children must differ in it, draw it anew in each (os.register_at_fork(after_in_child=…)), or leave it to the jobs; "+
		"a seed that is fixed is the same in each anyway.", call, sharedDraws(list))
}
