package workload

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

//go:embed warm.py
var warmSource string

//go:embed undo.py
var undoSource string

// WarmJob is the reference to one of the jobs themselves: the first one's payload,
// run in the parent, and what it leaves open undone.
const WarmJob = "job"

// WarmUndo is put before a reference to a call whose connections are to be given up
// again before the first fork.
const WarmUndo = "undo:"

// undoes reports whether a reference is such a one, and not to a module of that name.
func undoes(reference string) bool {
	inner, ok := strings.CutPrefix(reference, WarmUndo)
	return ok && strings.Contains(inner, ":")
}

// Undoes reports whether any of some references gives up what it leaves open.
func Undoes(references []string) bool { return slices.ContainsFunc(references, undoes) }

// undoModule is the module that runs a job, or a call, in a parent and undoes it.
const undoModule = "forkbench_undo"

// warmModule is the module that does one-time work by reference.
const warmModule = "forkbench_warm"

// CheckWarm reports what is wrong with a reference to one-time work, as --warm
// takes it: job ([WarmJob]), MODULE (its import), MODULE:FUNCTION, MODULE:NAME.METHOD('literal')
// or MODULE:OBJECT.PROPERTY, and before these undo: ([WarmUndo]). What is in parentheses, and whether the names exist,
// is for the process to say that has the modules.
func CheckWarm(reference string) error {
	if undoes(reference) {
		reference = strings.TrimPrefix(reference, WarmUndo)
	}
	module, path, colon := strings.Cut(reference, ":")
	var errs []error
	if !isPythonName(module) {
		errs = append(errs, fmt.Errorf("%q is not the name of a module, as in app.tasks:warm_up", module))
	}
	names, _ := outside(path)
	switch {
	case !colon:
	case path == "":
		errs = append(errs, fmt.Errorf("needs a function behind the colon, as in app.tasks:warm_up; %s alone is the import of it", module))
	case strings.ContainsAny(path, "\r\n"):
		errs = append(errs, errors.New("has several lines: write a function that does it, and name that"))
	case !isPythonName(names):
		errs = append(errs, fmt.Errorf("%q is not a function, a call or an attribute, as in app.tasks:warm_up, app:table('en') or app:settings.tables", path))
	}
	return errors.Join(errs...)
}

// SplitList splits at the commas of a list: those in the brackets and strings of an
// item are its own.
func SplitList(text string) []string {
	_, commas := outside(text)
	var parts []string
	begin := 0
	for _, i := range commas {
		parts = append(parts, strings.TrimSpace(text[begin:i]))
		begin = i + 1
	}
	return append(parts, strings.TrimSpace(text[begin:]))
}

// outside is what of a text is in no brackets and in no string of Python, and
// where there are commas in that. Where a bracket or a string does not end, the
// rest of the text is in it.
func outside(text string) (rest string, commas []int) {
	var b strings.Builder
	depth, quote, escaped := 0, rune(0), false
	for i, r := range text {
		switch {
		case quote != 0:
			if r == quote && !escaped {
				quote = 0
			}
			escaped = r == '\\' && !escaped
		case strings.ContainsRune("([{", r):
			depth++
		case strings.ContainsRune(")]}", r) && depth > 0:
			depth--
		case depth > 0 && (r == '\'' || r == '"'):
			quote = r
		case depth > 0:
		case r == ',':
			commas = append(commas, i)
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	if depth > 0 || quote != 0 {
		b.WriteRune('(') // no name has one
	}
	return b.String(), commas
}

// WithWarm is f with these references to one-time work in place of its own, as a
// process takes them: functions of a module that comes with it, where MODULE:NAME
// does not say all.
func (f PythonFunction) WithWarm(references []string) PythonFunction {
	f.Warm = slices.Clone(references)
	var list []string
	for i, reference := range references {
		if reference == WarmJob {
			continue
		}
		module, name, _ := strings.Cut(reference, ":")
		if isPythonName(module) && isPythonName(name) && !strings.Contains(name, ".") {
			continue
		}
		f.Warm[i] = fmt.Sprintf("%s:warm_%d", warmModule, len(list))
		list = append(list, reference)
	}
	if slices.Contains(references, WarmJob) || Undoes(references) {
		f.Sources = maps.Clone(f.Sources)
		if f.Sources == nil {
			f.Sources = make(map[string]string)
		}
		f.Sources[undoModule] = undoSource
	}
	if list == nil {
		return f
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err) // strings have a JSON form, and it is one of Python's
	}
	if f.Sources = maps.Clone(f.Sources); f.Sources == nil {
		f.Sources = make(map[string]string)
	}
	f.Sources[warmModule] = warmSource + "\n\nREFERENCES.extend(" + string(text) + ")\n"
	return f
}
