package workload

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Call is a line of a job file: one job of a queue that holds jobs of several
// functions. `compare record` writes them.
type Call struct {
	// Function is MODULE:FUNCTION, or a path with dots only, as Celery and RQ
	// write it: then the longest prefix that is a module is the module. The name of
	// a task of Celery may be any other text; it leads somewhere only where the
	// application is set up.
	Function string `json:"function"`

	// Args is a JSON array and Kwargs a JSON object; nil for none. An object with
	// exactly the keys __type__ and __value__ stands for what JSON lacks, as in
	// Celery's messages: {"__type__": "datetime", "__value__": "2026-01-31T12:00:00"}.
	// The other types are date, time, decimal, uuid, bytes and base64.
	Args   json.RawMessage `json:"args,omitempty"`
	Kwargs json.RawMessage `json:"kwargs,omitempty"`

	// At is when the job was enqueued, in seconds since any moment that is the
	// same for the whole file; nil if it is not known.
	At *float64 `json:"at_s,omitempty"`
}

// ErrNoCalls says that a job file holds no job.
var ErrNoCalls = errors.New(`no job in the file: it needs one on each line, as in {"function": "app.tasks.send", "args": [1]}`)

// ReadCalls reads a job file: a [Call] on each line, UTF-8; blank lines are
// skipped. The name is for errors, which carry the number of the line.
//
// The calls are in the order in which they were enqueued, and in that of the file
// where it is not known. They are kept in memory: a file of more than 1 GiB, or a
// line of more than 16 MiB, is an error.
func ReadCalls(r io.Reader, name string) ([]Call, error) {
	calls, err := entries(r, name, "jobs", maxPayloads, func(l line) (Call, error) {
		c, err := parseCall(l.text)
		if err != nil {
			return c, fmt.Errorf(" %w", err)
		}
		return c, nil
	})
	if err != nil {
		return nil, err
	}
	if calls == nil {
		return nil, fmt.Errorf("%s: %w", name, ErrNoCalls)
	}
	sortByTime(calls)
	return calls, nil
}

func parseCall(text []byte) (Call, error) {
	if column, err := checkJSON(text); err != nil {
		return Call{}, fmt.Errorf("column %d: %w", column, err)
	}
	var c Call
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields() // a key mistyped would be a job without its arguments
	if err := d.Decode(&c); err != nil {
		why := strings.TrimPrefix(err.Error(), "json: ")
		if other, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			why = fmt.Sprintf("%s cannot be a JSON %s", cmp.Or(other.Field, "a line"), other.Value)
		}
		return Call{}, fmt.Errorf("not a job (%s): it is an object with the keys function, args, kwargs and at_s", why)
	}
	if err := c.Check(); err != nil {
		return Call{}, err
	}
	return c, nil
}

// Check says what is wrong with a call, all at once.
func (c *Call) Check() error {
	var errs []error
	if !IsFunction(c.Function) && !isTaskName(c.Function) {
		errs = append(errs, fmt.Errorf("function %.100q: must be MODULE:FUNCTION or a path with dots, as in app.tasks.send, or the name of a task", c.Function))
	}
	if !isJSON(c.Args, '[') {
		errs = append(errs, errors.New("args: must be a JSON array"))
	}
	if !isJSON(c.Kwargs, '{') {
		errs = append(errs, errors.New("kwargs: must be a JSON object"))
	}
	return errors.Join(errs...)
}

// IsFunction reports whether the text can name a function of a module: it is
// MODULE:FUNCTION or a path with at least one dot.
func IsFunction(text string) bool {
	module, function, found := strings.Cut(text, ":")
	if !found {
		return strings.Contains(text, ".") && isPythonName(text)
	}
	return isPythonName(module) && isPythonName(function)
}

// isTaskName reports whether Celery could know a task by the text: it is anything
// that can be read.
func isTaskName(text string) bool {
	return text != "" && len(text) <= maxTaskName && strings.TrimSpace(text) == text &&
		utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) })
}

const maxTaskName = 255 // bytes

// isJSON reports whether a valid JSON text begins as it should. Nothing, and null,
// are for none.
func isJSON(text json.RawMessage, begin byte) bool {
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	return len(trimmed) == 0 || trimmed[0] == begin || bytes.Equal(trimmed, []byte("null"))
}

// payload is the call as the dispatcher's run takes it.
func (c *Call) payload() []byte {
	or := func(text json.RawMessage, none string) []byte {
		if len(text) == 0 || bytes.Equal(text, []byte("null")) {
			return []byte(none)
		}
		return text
	}
	args, kwargs := or(c.Args, "[]"), or(c.Kwargs, "{}")
	tagged := ""
	if bytes.Contains(args, []byte("__type__")) || bytes.Contains(kwargs, []byte("__type__")) {
		tagged = ",true"
	}
	name, _ := json.Marshal(c.Function) // a string has a JSON form
	return fmt.Appendf(nil, "[%s,%s,%s%s]", name, args, kwargs, tagged)
}

// openCalls reads a job file that is on disk: it is read again for its arrivals.
func openCalls(path string) ([]Call, error) {
	if path == "" {
		return nil, errors.New("needs the name of a file, as in jobs:jobs.jsonl; `compare record` makes one")
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadCalls(f, path)
}
