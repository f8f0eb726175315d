package capture

import (
	"encoding/json"
	"fmt"

	"forkbench/workload"
)

// What Celery sends when a job has returned.
const (
	followsChain     = "a chain"
	followsChord     = "a chord"
	followsCallbacks = "callbacks"
)

// deepest bounds signatures within signatures.
const deepest = 20

// ownTasks are tasks of Celery's own that are nobody's work.
var ownTasks = map[string]string{
	"celery.backend_cleanup": "it deletes results that have expired",
	"celery.chord_unlock":    "it asks whether the header of a chord is done",
	"celery.accumulate":      "it hands the results of a replaced task on",
	"celery.chain":           "no worker can run it",
}

// parameters are those of Celery's tasks that call others, in their order.
var parameters = map[string][]string{
	"celery.map":     {"task", "it"},
	"celery.starmap": {"task", "it"},
	"celery.chunks":  {"task", "it", "n"},
	"celery.group":   {"tasks", "result", "group_id", "partial_args"},
	"celery.chord":   {"header", "body", "partial_args"},
}

// A signature is a call as Celery's canvas holds it.
type signature struct {
	Task      string          `json:"task"`
	Args      json.RawMessage `json:"args"`
	Kwargs    json.RawMessage `json:"kwargs"`
	Immutable bool            `json:"immutable"`
}

// An expansion is the calls that stand for one of Celery's own tasks.
type expansion struct {
	calls   []workload.Call
	follows string
}

// isOwnTask reports whether a task is one of Celery's own.
func isOwnTask(name string) bool {
	_, expands := parameters[name]
	return expands || ownTasks[name] != ""
}

// expand makes the calls that one of Celery's own tasks would make. It is an
// *UnreadableError if it makes none, or nobody can tell which.
func expand(c workload.Call) (expansion, error) {
	var e expansion
	if err := e.task(c, deepest); err != nil {
		return expansion{}, err
	}
	if len(e.calls) == 0 {
		return e, &UnreadableError{Reason: c.Function + " of nothing", Detail: "it calls no task"}
	}
	return e, nil
}

func (e *expansion) task(c workload.Call, depth int) error {
	names, expands := parameters[c.Function]
	switch {
	case depth == 0:
		return &UnreadableError{Reason: "signatures nested too deeply"}
	case ownTasks[c.Function] != "":
		return &UnreadableError{Reason: "Celery's own task " + c.Function, Detail: ownTasks[c.Function]}
	case !expands:
		e.calls = append(e.calls, c)
		return nil
	}
	arguments := make(map[string]json.RawMessage)
	var positional []json.RawMessage
	if isNull(c.Args) {
		c.Args = nil
	} else if err := json.Unmarshal(c.Args, &positional); err != nil {
		return unlike(c, "its arguments are no list")
	}
	if !isNull(c.Kwargs) {
		if err := json.Unmarshal(c.Kwargs, &arguments); err != nil {
			return unlike(c, "its named arguments are no object")
		}
	}
	for i, value := range positional[:min(len(positional), len(names))] {
		arguments[names[i]] = value
	}
	switch c.Function {
	case "celery.group":
		return e.group(c, arguments["tasks"], arguments["partial_args"], depth)
	case "celery.chord":
		e.follows = followsChord
		return e.group(c, arguments["header"], arguments["partial_args"], depth)
	}
	return e.items(c, arguments)
}

// items makes a call of each item: of map, starmap and chunks.
func (e *expansion) items(c workload.Call, arguments map[string]json.RawMessage) error {
	var of signature
	var items []json.RawMessage
	if json.Unmarshal(arguments["task"], &of) != nil || of.Task == "" {
		return unlike(c, "it names no task")
	}
	if json.Unmarshal(arguments["it"], &items) != nil {
		return unlike(c, "what it goes over is no list")
	}
	for _, item := range items {
		switch {
		case c.Function == "celery.map":
			item = fmt.Appendf(nil, "[%s]", item)
		case len(item) == 0 || item[0] != '[':
			return unlike(c, "one of its items is no list of arguments")
		}
		e.calls = append(e.calls, workload.Call{Function: of.Task, Args: item}) // as in Celery, without the signature's own
	}
	return nil
}

// group makes the calls of several signatures, each with some arguments before its
// own.
func (e *expansion) group(c workload.Call, tasks, partial json.RawMessage, depth int) error {
	var all []json.RawMessage
	if json.Unmarshal(tasks, &all) != nil {
		var group struct {
			Kwargs struct {
				Tasks []json.RawMessage `json:"tasks"`
			} `json:"kwargs"`
		}
		if json.Unmarshal(tasks, &group) != nil || group.Kwargs.Tasks == nil {
			return unlike(c, "it names no tasks")
		}
		all = group.Kwargs.Tasks
	}
	for _, text := range all {
		if err := e.signature(c, text, partial, depth-1); err != nil {
			return err
		}
	}
	return nil
}

func (e *expansion) signature(c workload.Call, text, partial json.RawMessage, depth int) error {
	var s signature
	if json.Unmarshal(text, &s) != nil || s.Task == "" {
		return unlike(c, "one of its tasks is no signature")
	}
	if s.Task == "celery.chain" && depth > 0 {
		var chain struct {
			Tasks []json.RawMessage `json:"tasks"`
		}
		if json.Unmarshal(s.Kwargs, &chain) != nil || len(chain.Tasks) == 0 {
			return unlike(c, "a chain in it has no tasks")
		}
		if len(chain.Tasks) > 1 {
			e.follows = followsChain
		}
		return e.signature(c, chain.Tasks[0], partial, depth-1)
	}
	call := workload.Call{Function: s.Task, Args: s.Args, Kwargs: s.Kwargs}
	if !s.Immutable && !isNull(partial) {
		var before, own []json.RawMessage
		if json.Unmarshal(partial, &before) != nil || !isNull(s.Args) && json.Unmarshal(s.Args, &own) != nil {
			return unlike(c, "the arguments of one of its tasks are no list")
		}
		call.Args, _ = json.Marshal(append(before, own...)) // they were JSON
	}
	return e.task(call, depth)
}

func unlike(c workload.Call, why string) error {
	return &UnreadableError{Reason: c.Function + " in an unknown form", Detail: why}
}

// follows is what the options of a message say that comes after the job.
func follows(chain, chord, callbacks json.RawMessage) string {
	switch {
	case isSome(chain):
		return followsChain
	case isSome(chord):
		return followsChord
	case isSome(callbacks):
		return followsCallbacks
	}
	return ""
}

func isSome(text json.RawMessage) bool {
	return !isNull(text) && string(text) != "[]" && string(text) != "{}"
}
