package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"forkbench/live"
	"forkbench/workload"
)

// An interpreter is a Python that answers.
type interpreter struct {
	path    string // its own file: what a wrapper script on PATH leads to
	version string
}

// probe asks an interpreter for its version and file. It runs on Python 2, too.
const probe = `import sys; print("%d.%d.%d" % sys.version_info[:3]); print(sys.executable or "")`

const (
	probeTimeout = 20 * time.Second
	wayToPython  = "install Python 3.9 or newer, name another with --python, or use --workload=" + workload.DefaultGo
)

// findPython finds the interpreter of that name. Errors are *live.MissingError,
// or the context's.
func findPython(ctx context.Context, name string) (interpreter, error) {
	missing := func(format string, args ...any) (interpreter, error) {
		return interpreter{}, &live.MissingError{What: fmt.Sprintf(format, args...), How: wayToPython}
	}
	path, err := exec.LookPath(name)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return missing("%s not found on PATH", name)
	case err != nil:
		return missing("%s cannot be run (%v)", name, inner(err))
	}
	limited, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	out, err := exec.CommandContext(limited, path, "-c", probe).Output()
	switch {
	case ctx.Err() != nil:
		return interpreter{}, ctx.Err()
	case err != nil:
		text := err.Error()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
			text = shorten(strings.Join(strings.Fields(string(exit.Stderr)), " "), 200)
		}
		return missing("%s does not work as a Python interpreter (%s)", path, text)
	}
	// A sitecustomize may print something before.
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	var major, minor int
	if len(lines) >= 2 {
		_, err = fmt.Sscanf(lines[len(lines)-2], "%d.%d.", &major, &minor)
	}
	if len(lines) < 2 || err != nil {
		return missing("%s is not a Python interpreter", path)
	}
	found := interpreter{lines[len(lines)-1], lines[len(lines)-2]}
	if found.path == "" {
		found.path = path
	}
	if major < 3 || major == 3 && minor < 9 {
		return interpreter{}, &tooOldError{&live.MissingError{
			What: fmt.Sprintf("%s is Python %s, which is too old", path, found.version), How: wayToPython,
		}}
	}
	return found, nil
}

// A tooOldError is a Python that is there and cannot be used.
type tooOldError struct{ *live.MissingError }

func (e *tooOldError) Unwrap() error { return e.MissingError }

// An application is what the jobs run in.
type application struct {
	workload workload.Workload
	runtime  live.Runtime
	python   interpreter // the zero value where it is not used
}

// ownWarm is what the workload knows of itself.
func (a *application) ownWarm() []string {
	if python, ok := a.workload.(workload.Python); ok {
		return python.PythonFunction().Warm
	}
	return nil
}

// choose makes the application that the options ask for. Where nobody asked for
// Python and there is none, it is one that needs none, and that is said.
func choose(ctx context.Context, o *options, say func(string)) (application, error) {
	if _, ok := o.workload.(workload.Python); !ok {
		return application{workload: o.workload, runtime: live.Go{}}, nil
	}
	python, err := findPython(ctx, o.python)
	if err == nil {
		r := live.Python{Interpreter: python.path, Path: o.path, Setup: o.setup, Warm: o.warm, AllowThreads: o.allowThreads}
		if r.Path == nil && (importsYours(o.workload.Name()) || len(o.setup) > 0) {
			here, err := filepath.Abs(".") // jobs may change their directory
			if err != nil {
				return application{}, err
			}
			r.Path = []string{here}
		}
		return application{o.workload, r, python}, nil
	}
	missing, isMissing := errors.AsType[*live.MissingError](err)
	_, tooOld := errors.AsType[*tooOldError](err)
	if !isMissing || tooOld || o.asksForPython() {
		return application{}, err
	}
	w, err := workload.Parse(workload.DefaultGo)
	if err != nil {
		return application{}, err
	}
	say(fmt.Sprintf("notice: %s; running --workload=%s instead, which needs no Python, but a Go process cannot really fork",
		missing.What, workload.DefaultGo))
	return application{workload: w, runtime: live.Go{}}, nil
}

// importsYours reports whether a workload's code is the user's own.
func importsYours(name string) bool {
	return strings.HasPrefix(name, "py:") || strings.HasPrefix(name, "jobs:")
}

// asksForPython reports whether the user named anything that only Python has.
func (o *options) asksForPython() bool {
	for _, name := range append([]string{"workload", "payload"}, pythonFlags...) {
		if o.given[name] {
			return true
		}
	}
	return false
}
