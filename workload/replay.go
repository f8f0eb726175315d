package workload

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

//go:embed dispatch.py
var dispatchSource string

// dispatchModule is the module that the jobs of a job file go through.
const dispatchModule = "forkbench_dispatch"

// parseReplay reads jobs:FILE.
func parseReplay(spec, path string) (Workload, error) {
	calls, err := openCalls(path)
	if err != nil {
		return nil, err
	}
	return replay(spec, calls), nil
}

// replay is the workload that calls what was recorded, in its order and from its
// beginning again when it is through. All functions are imported when the
// application is loaded, as a Celery worker does.
func replay(name string, calls []Call) Workload {
	payloads := make([][]byte, len(calls))
	var functions []string
	seen := make(map[string]bool)
	for i, c := range calls {
		payloads[i] = c.payload()
		if !seen[c.Function] {
			seen[c.Function] = true
			functions = append(functions, c.Function)
		}
	}
	slices.Sort(functions)
	list, _ := json.Marshal(functions) // strings have a JSON form, which Python reads as a list
	source := fmt.Sprintf("%s\n\nload(%s)\n", dispatchSource, list)
	function := PythonFunction{Module: dispatchModule, Function: "run", Sources: map[string]string{dispatchModule: source}}
	return WithPayloads(&python{name: name, function: function}, payloads)
}

// sortByTime puts calls into the order in which they were enqueued. Those whose
// time is not known stay behind the one before them.
func sortByTime(calls []Call) {
	type timed struct {
		at   float64
		call Call
	}
	list := make([]timed, len(calls))
	last := math.Inf(-1)
	for i, c := range calls {
		if c.At != nil {
			last = *c.At
		}
		list[i] = timed{last, c}
	}
	slices.SortStableFunc(list, func(a, b timed) int { return cmp.Compare(a.at, b.at) })
	for i, t := range list {
		calls[i] = t.call
	}
}

// recorded is the arrival plan of a job file.
type recorded struct{ trace }

var _ Arrivals = recorded{}

func (r recorded) String() string { return "jobs:" + r.name }

// parseRecorded reads the plan jobs:FILE: each job is due when it was enqueued,
// counted from the first of them.
func parseRecorded(path string) (Arrivals, error) {
	calls, err := openCalls(path)
	if err != nil {
		return nil, err
	}
	return arrivalsOf(path, calls)
}

// arrivalsOf is the plan of calls in the order of their times.
func arrivalsOf(path string, calls []Call) (Arrivals, error) {
	r := recorded{trace{name: path}}
	for _, c := range calls {
		if c.At == nil {
			return nil, fmt.Errorf("%s: a job of %s has no at_s: the queue did not tell when it was enqueued (Celery's never does): use burst, rate:N or poisson:N", path, c.Function)
		}
		due := seconds(*c.At - *calls[0].At)
		if due > maxTraceLater {
			return nil, fmt.Errorf("%s: at_s %v is more than a year after the first, %v", path, *c.At, *calls[0].At)
		}
		r.due = append(r.due, due)
	}
	return r, nil
}
