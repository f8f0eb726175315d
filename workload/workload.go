// Package workload says what a job is, what it does and when it is due.
//
// A [Workload] makes the payloads of a comparison's jobs and names the code that
// runs them. What it can run on is told by the optional interfaces it
// implements: [Python] (a function that a Python process imports and calls) and
// [Go] (a method of this binary). An [Arrivals] plan says when each job is due.
//
// [Parse] reads the --workload flag, [ParseArrivals] the --arrivals flag, and
// [Builtin] lists what is built in.
package workload

import (
	"context"
	"time"
)

// A Job is one entry of the job stream.
type Job struct {
	ID      uint64        // its place in the stream, from 0
	Payload []byte        // its arguments, as JSON; see Python for how they are passed
	Due     time.Duration // when it should start, counted from the start of work; 0 in a burst
	Attempt int           // deliveries so far, this one included: 1 unless it was reclaimed
}

// A Workload says what the jobs of a comparison do.
type Workload interface {
	// Name is the workload as it is written after --workload.
	Name() string

	// Payload is the arguments of the job with the given ID, as JSON. The same
	// seed and ID give the same bytes. It is called from one goroutine.
	Payload(seed, id uint64) []byte
}

// Python is implemented by workloads that run in a Python process.
//
// Payloads that are JSON arrays are passed as positional arguments, objects as
// keyword arguments, and anything else as the single argument. The function may
// return anything: docs/jobs.md says what of it is kept.
type Python interface {
	Workload
	PythonFunction() PythonFunction
}

// A PythonFunction names a job's code and its warm-up.
type PythonFunction struct {
	Module   string   // importable as is, or one of Sources
	Function string   // an attribute of it; dots reach into classes
	Warm     []string // MODULE:FUNCTION calls that do the one-time work up front

	// Sources holds modules that are not installed anywhere: name to source
	// text. The built-in workloads come to the template this way.
	Sources map[string]string
}

// Go is implemented by workloads that run in a process of this binary.
type Go interface {
	Workload

	// Run executes one job and returns its result as JSON, or nil. What is not
	// JSON, or above 1 MiB, is dropped, and the job is done nevertheless.
	Run(ctx context.Context, payload []byte) ([]byte, error)
}

// A Warmer is a Go workload with one-time work that Run would do lazily.
type Warmer interface {
	Warm(ctx context.Context) error
}

// A Snapshotter is a Go workload whose warm state can be handed to a process
// that was not forked from it: Go cannot fork, so a warm parent writes a
// snapshot and each child maps it.
type Snapshotter interface {
	// Snapshot is the process's warm state. It is called after Warm or Run.
	Snapshot() ([]byte, error)

	// Restore makes mem, which is read-only memory shared with other processes
	// and stays mapped, the warm state of this process.
	Restore(mem []byte) error
}
