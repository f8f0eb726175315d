// Package recordevent is the demo application: record_event, a job that looks like one
// light INSERT and is not, for the code behind it makes tables and more when it is first
// used. It is there in Python (record_event.py, which has the rules for both) and in Go
// ([Application]), with the events that a team's dashboard tool would report ([Event]).
package recordevent

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Source is the Python module, and Module the name that it is to have. Its function
// record_event is the job, and warm_record_event does its one-time work.
//
//go:embed record_event.py
var Source string

// Module is the Python module's name.
const Module = "forkbench_record_event"

// Application is record_event in Go. It checks an event by the same rules as
// the Python job does and appends a line to a file of its process. The zero value is
// ready; it may be used by several goroutines.
//
// What it does lazily is to compile some 250 regular expressions, by which user agents
// and paths are named: milliseconds. What they are compiled to is flat, so a snapshot is
// just that, and a process that restores one uses it where it lies, page by page as jobs
// need it. It saves that compilation and nothing else: a process made by exec still pays
// for its own start, for reading the schema, and for the file that it opens.
type Application struct {
	mu    sync.Mutex
	rules *rules   // nil until first used
	file  *os.File // nil until the first insert
	rows  int
}

// Run checks and inserts one event and returns the number of its row. The
// payload is an event, or a list of one, as the Python job has it.
func (a *Application) Run(_ context.Context, payload []byte) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.configure(); err != nil {
		return nil, err
	}
	fields, err := decodeEvent(payload)
	if err != nil {
		return nil, err
	}
	row, err := a.rules.makeRow(fields)
	if err != nil {
		return nil, err
	}
	if err := a.insert(row); err != nil {
		return nil, err
	}
	return strconv.AppendInt(nil, int64(a.rows), 10), nil
}

// Warm compiles the rules. It opens no file.
func (a *Application) Warm(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.configure()
}

// Snapshot returns the compiled rules, compiling them if nothing has yet.
func (a *Application) Snapshot() ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.configure(); err != nil {
		return nil, err
	}
	return a.rules.flat, nil
}

// Restore takes the rules in mem for its own.
func (a *Application) Restore(mem []byte) error {
	r, err := openRules(mem)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rules = r
	return nil
}

func (a *Application) configure() (err error) {
	if a.rules == nil {
		a.rules, err = compileRules()
	}
	return err
}

func decodeEvent(payload []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	if list, ok := value.([]any); ok && len(list) == 1 {
		value = list[0]
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("an event must be an object, not %.100s", payload)
	}
	return fields, nil
}

// A row is what is stored of an event.
type row struct {
	ID         int            `json:"id"`
	OrgID      any            `json:"org_id"`
	UserID     any            `json:"user_id"`
	Action     string         `json:"action"`
	ObjectType string         `json:"object_type"`
	ObjectID   any            `json:"object_id"`
	CreatedAt  any            `json:"created_at"`
	Agent      string         `json:"agent,omitempty"`
	Version    string         `json:"version,omitempty"`
	System     string         `json:"system,omitempty"`
	Device     string         `json:"device,omitempty"`
	Endpoint   string         `json:"endpoint,omitempty"`
	Properties map[string]any `json:"properties"`
}

// makeRow checks an event and turns it into a row. The error names all that is
// wrong with the event.
func (r *rules) makeRow(fields map[string]any) (*row, error) {
	s := eventSchema()
	kind, _ := fields["object_type"].(string)
	actions, known := s.actions[kind]
	if !known {
		return nil, fmt.Errorf("object_type: must be one of %s", strings.Join(s.kinds, ", "))
	}
	var errs []error
	action, _ := fields["action"].(string)
	if !slices.Contains(actions, action) {
		errs = append(errs, fmt.Errorf("action: must be one of %s", strings.Join(actions, ", ")))
	}
	extra, ok := fields["additional_properties"].(map[string]any)
	if !ok {
		if fields["additional_properties"] != nil {
			errs = append(errs, errors.New("additional_properties: must be an object"))
		}
		extra = map[string]any{}
	}
	errs = append(errs, convert(fields, s.required, true)...)
	errs = append(errs, convert(fields, s.optional, false)...)
	errs = append(errs, convert(extra, s.properties[kind], false)...)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}

	agent, _ := extra["user_agent"].(string)
	address, _ := extra["url"].(string)
	path, _, _ := strings.Cut(address, "?")
	out := &row{
		OrgID: fields["org_id"], UserID: fields["user_id"], Action: action,
		ObjectType: kind, ObjectID: fields["object_id"], CreatedAt: fields["timestamp"],
		Properties: extra,
	}
	var rest string
	out.Agent, rest = r.find(agents, agent)
	out.Version = r.version(rest)
	out.System, _ = r.find(systems, agent)
	out.Device, _ = r.find(devices, agent)
	out.Endpoint = r.fit(routes, path)
	return out, nil
}

// convert replaces the values of the properties by their stored form.
func convert(values map[string]any, properties []property, required bool) (errs []error) {
	for _, p := range properties {
		value := values[p.name]
		if value == nil && !required {
			continue
		}
		stored, err := converters[p.kind](value)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w: %.100q", p.name, err, fmt.Sprint(value)))
			continue
		}
		values[p.name] = stored
	}
	return errs
}

// version returns the version at the beginning of what follows a program's name:
// 1.2.3 of "/v1.2.3 (...)".
func (r *rules) version(s string) string {
	end := r.match(r.start(versions, 0), s, 0)
	if end < 0 {
		return ""
	}
	return strings.TrimLeft(s[:end], "/ v")
}

// insert appends a row to the file of this process, which is opened when it is
// first needed. It is written, not synchronised to the disk.
func (a *Application) insert(r *row) error {
	if a.file == nil {
		f, err := namelessFile()
		if err != nil {
			return fmt.Errorf("%w; set TMPDIR", err)
		}
		a.file = f
	}
	r.ID = a.rows + 1
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := a.file.Write(append(line, '\n')); err != nil {
		return err
	}
	a.rows++
	return nil
}

// namelessFile makes a temporary file that is gone when its process is, however
// that ends.
func namelessFile() (*os.File, error) {
	const tmpfile = 0x400000 | syscall.O_DIRECTORY // O_TMPFILE, open(2)
	dir := os.TempDir()
	if f, err := os.OpenFile(dir, os.O_RDWR|tmpfile, 0o600); err == nil {
		return f, nil
	}
	// Not every file system has it.
	f, err := os.CreateTemp(dir, "forkbench-*.jsonl")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
