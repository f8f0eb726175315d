package harness

import (
	"context"
	"syscall"
	"time"

	"forkbench/record"
	"forkbench/stream"
	"forkbench/workload"
)

// A Round is what a system is to run, and how.
type Round struct {
	Model   string // as records name it
	Number  int
	Workers int

	Function workload.PythonFunction
	Program  string   // the interpreter
	Path     []string // for sys.path, before all others
	Setup    []string // MODULE:NAME, in each process that loads the application
	Warm     []string // after the function's own
	Env      []string // NAME=VALUE: all of it, for processes that are not part of what is measured
	Dir      string   // to make a directory in

	// Inspector is the source of the Python module forkbench_held, by which processes
	// say what they hold.
	Inspector string

	Timeout     time.Duration // of a job; 0 for none
	BootTimeout time.Duration

	Lists   *stream.Lists // on the round's Redis
	Private bool          // nobody else uses that server
	Group   *stream.Group
	Sink    record.Sink

	Stop <-chan struct{} // no more jobs are to be begun once it is closed; may be nil
}

// A Machine starts a system's processes, keeps their accounts and its clock. Its methods
// are called from one goroutine, but for Clock and Sleep.
type Machine interface {
	Clock() time.Duration // CLOCK_MONOTONIC, which the system's processes read too
	Sleep(ctx context.Context, d time.Duration) error
	Warn(format string, args ...any)

	// Next takes the round's next job, due or not.
	Next(ctx context.Context) (workload.Job, bool)
	// Prepared says how long it took to enqueue the jobs, which the models do not
	// pay for: it is not start-up.
	Prepared(took time.Duration)
	// Start starts a main process.
	Start(slot int, program string, args []string) (Main, error)

	// Begin begins the measuring of work and returns its zero on Clock, or false if
	// the context has ended. End ends it.
	Begin(ctx context.Context) (zero time.Duration, ok bool)
	End()
	// Clear ends what is left when the main processes are gone. What it finds are
	// strays only if told is set: else a main process may have made it and not have
	// said so.
	Clear(ctx context.Context, patiently, told bool)

	// Settled says that so many outcomes have been acknowledged, the last at a time.
	Settled(n int, last time.Duration)
	// Taken says how many jobs have been begun, all told.
	Taken(n int)
}

// A Main is a main process of the system, which the machine has started.
type Main interface {
	ID() int // in the machine's records
	PID() int
	Exited() <-chan struct{}
	Output() string // the last of what its tree has printed, as the end of an error's text

	// Ready says that it can take jobs since a time, with the CPU that it had used,
	// of which waited by processes that it had waited for.
	Ready(at time.Duration, used record.CPU, waited time.Duration)
	// Forked makes a child of its known.
	Forked(slot, pid int, began, ready time.Duration) Child

	// Holds takes what it says that it holds before its first fork, Passes what a
	// fork of its says of the same, and Unseen gives up waiting for one. An error
	// says that a report is not one.
	Holds(report []byte) error
	Passes(child int, report []byte) error
	Unseen()

	Stop(ask bool)      // its end begins: it is asked to exit, or is about to be killed
	Kill() (ended bool) // it and its group; false if it has not ended in time
	Signalled() bool    // it was ended by a signal
	Ran(jobs int)
	Reap() // waits for it and accounts for it
}

// A Child is a process that a main process has forked.
type Child interface {
	ID() int
	// Reaped accounts for it by what its maker has said of its end, Orphaned by
	// waiting for it where its maker is gone. Ended is when it had no more to do.
	Reaped(e Exit, ended time.Duration, jobs int)
	Orphaned(ended time.Duration, jobs int)
}

// An Exit is how a child ended, by its maker's account.
type Exit struct {
	Status       syscall.WaitStatus
	CPU          record.CPU    // with that of children that it had waited for
	Own          time.Duration // of which its own
	Minor, Major int64         // faults
	At           time.Duration
}
