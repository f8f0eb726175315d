package workload

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"time"
)

// Bounds on a trace.
const (
	maxTrace      = 10_000_000 // due times
	maxTraceLine  = 1024       // bytes
	maxTraceLater = 366 * 24 * time.Hour
)

// ErrNoTrace says that a trace file holds no due time.
var ErrNoTrace = errors.New("no time in the file: it needs one on each line, as in 0.25 or 250ms")

// ReadTrace reads a trace: on each line the due time of one job, counted from
// the start of work, in ascending order. A time is a number of seconds (0.25) or
// a duration (250ms, 1m30s). Blank lines and lines that begin with # are
// skipped. The name is for errors, which carry the line, and for the plan's own.
//
// Jobs beyond the trace repeat it, shifted so that its mean rate goes on: by the
// time from its first entry to its last and one mean gap.
func ReadTrace(r io.Reader, name string) (Arrivals, error) {
	t := trace{name: name}
	for line, err := range lines(r, name, maxTraceLine) {
		if err != nil {
			return nil, err
		}
		if line.text[0] == '#' {
			continue
		}
		due, err := parseOffset(string(line.text))
		switch {
		case err != nil:
		case len(t.due) > 0 && due < t.due[len(t.due)-1]:
			err = fmt.Errorf("%s is before the line above it (%v): the times must ascend", line.text, t.due[len(t.due)-1])
		case len(t.due) == maxTrace:
			err = fmt.Errorf("more than %d times", maxTrace)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line.number, err)
		}
		t.due = append(t.due, due)
	}
	if t.due == nil {
		return nil, fmt.Errorf("%s: %w", name, ErrNoTrace)
	}
	return t, nil
}

func parseOffset(s string) (time.Duration, error) {
	due, err := time.ParseDuration(s)
	if err != nil {
		n, numberErr := parseNumber(s)
		if numberErr != nil {
			return 0, fmt.Errorf("%q is not a time: give seconds or a duration, as in 0.25 or 250ms", s)
		}
		if due = seconds(n); n < 0 {
			due = -1 // however small
		}
	}
	switch {
	case due < 0:
		return 0, fmt.Errorf("%s is before the start of work: a time is at least 0", s)
	case due > maxTraceLater:
		return 0, fmt.Errorf("%s is later than a year: a time is at most %.0fs", s, maxTraceLater.Seconds())
	}
	return due, nil
}

// trace is a list of due times, ascending, at least one.
type trace struct {
	name string
	due  []time.Duration
}

var _ Arrivals = trace{}

func (t trace) String() string { return "trace:" + t.name }

func (t trace) Due(uint64) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		period := t.due[len(t.due)-1] - t.due[0]
		if gaps := time.Duration(len(t.due) - 1); gaps > 0 {
			period += period / gaps
		}
		const far = math.MaxInt64 - 2*maxTraceLater // from there on, in centuries, time stands still
		for shift := time.Duration(0); ; {
			for _, due := range t.due {
				if due += shift; shift > far {
					due = math.MaxInt64
				}
				if !yield(due) {
					return
				}
			}
			if shift <= far {
				shift += period
			}
		}
	}
}
