package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"forkbench/live"
)

// An exitCode is how the command ends, for scripts. The package comment
// documents them.
type exitCode int

const (
	exitDone        exitCode = 0
	exitFailed      exitCode = 1
	exitUsage       exitCode = 2
	exitLacking     exitCode = 3
	exitCrossed     exitCode = 99
	exitInterrupted exitCode = 130 // 128 + SIGINT, as shells have it
)

// An exitError is an error with the code to end with.
type exitError struct {
	code exitCode
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// exitWith gives an error a code. The outermost code counts.
func exitWith(code exitCode, err error) error { return &exitError{code, err} }

// A usageError is all that is wrong with a command line.
type usageError struct {
	command  string // whose help to see
	problems []string
}

func (e *usageError) Error() string {
	return fmt.Sprintf("%s\nsee: %s --help", strings.Join(e.problems, "\n"), e.command)
}

// usagef is a usage error of one problem.
func usagef(command, format string, args ...any) error {
	return &usageError{command, []string{fmt.Sprintf(format, args...)}}
}

func codeOf(err error) exitCode {
	if err == nil {
		return exitDone
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*live.MissingError](err); ok {
		return exitLacking
	}
	return exitFailed
}

// finish says on stderr how it ended, and returns the code to end with.
func finish(err error, stderr io.Writer) exitCode {
	if err == nil {
		return exitDone
	}
	prefix := "compare: "
	if _, usage := errors.AsType[*usageError](err); usage {
		prefix = "" // each of its lines begins with what is wrong
	}
	_, _ = fmt.Fprintf(stderr, "%s%s\n", prefix, printable(err.Error())) // what cannot be said here cannot be said
	return codeOf(err)
}
