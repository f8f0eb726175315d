// Package models says what an execution model is: the policy that decides which
// process runs which background job.
//
// A model is an [Executor]. It is written once, in plain blocking code, against
// a [Host], and runs unchanged on two machines: package live (real processes, a
// real Redis, real time) and a simulator (virtual time). The three models of
// this project are one page each and are the best introduction:
//
//	models/prefork     children made once run many jobs (Celery)
//	models/forkperjob  a child for each job (RQ)
//	models/hybrid      a child for each job, from a parent that is already warm
//
// The smallest executor there is runs every job in the process that loaded the
// application, one after another:
//
//	type Inline struct{}
//
//	func (Inline) Name() string { return "inline" }
//
//	func (Inline) Execute(ctx context.Context, h models.Host) error {
//		p, err := h.Boot(ctx)
//		if err != nil {
//			return err
//		}
//		defer p.Close(ctx)
//		for job := range h.Jobs(ctx) {
//			h.Settle(job, p.Run(ctx, job))
//		}
//		return nil
//	}
//
// Package modelstest is the conformance suite for executors and for hosts. A
// program that puts a model of its own beside these is examples/lazypool; the
// models that --model knows are listed in cmd/compare/models.go.
package models

import (
	"context"
	"fmt"
	"iter"
	"time"

	"forkbench/workload"
)

// An Executor is an execution model.
type Executor interface {
	// Name is the model's name on the command line, in records and in plots.
	Name() string

	// Execute runs the jobs of h until h.Jobs ends, settles each job that it
	// took exactly once, and closes each process that it booted or forked.
	//
	// Execute blocks only in methods of h and of its processes: no channels, no
	// sleeping, no goroutines of its own. Slots may share state under a mutex
	// that is not held across such a call. A simulated host depends on it.
	//
	// A returned error says that the model could not go on (a parent died, say);
	// a job that fails is an [Outcome], not an error. A job that was taken and
	// not settled when Execute returns counts as lost.
	Execute(ctx context.Context, h Host) error
}

// JobsApart reports whether the executor says of itself, by a method of this name, that
// each job has a process of its own that is forked for it, so that it is the same to
// a job which others ran before it. A host may then run the jobs in several goes, each
// with processes booted anew.
func JobsApart(e Executor) bool {
	apart, ok := e.(interface{ JobsApart() bool })
	return ok && apart.JobsApart()
}

// Configured is implemented by executors that have settings, for the records.
type Configured interface {
	// Knobs are the settings by name, as the command line has them. WarmKnob is among
	// them if parents are to do the one-time work; what that is, is not the model's to say.
	Knobs() map[string]string
}

// WarmKnob is the name of the setting that has parents do the one-time work.
const WarmKnob = "warm"

// A Host is a machine that hands out jobs and runs processes.
//
// The context that Parallel passes to work names the slot it runs in: pass that
// one, or one derived from it, to every other call. All methods may be called
// from all slots at once.
//
// What an executor needs that scales with its load (php-fpm's ondemand, Celery's
// autoscaler) is WithTimeout and Backlog: examples/ondemand and
// examples/autoscale are written with them.
type Host interface {
	// Workers is the number of jobs that may run at once, at least 1.
	Workers() int

	// Boot starts a process with the application loaded and no job run.
	Boot(ctx context.Context) (Process, error)

	// Jobs yields the jobs that the calling slot is to run. Every job goes to
	// exactly one slot, and to none before it is due. The sequence ends when the
	// stream is drained or ctx is done; ctx.Err() tells which. A slot whose ctx
	// ends while it waits has taken nothing, and may ask again.
	//
	// Asking for the first job declares the slot ready, also with a ctx that is
	// done: no job is handed out before every slot of the outermost Parallel has
	// asked or returned, which is how start-up is timed apart from work.
	//
	// While Parallel runs, a ctx that names no slot would wait for ever for a slot
	// that nobody is in: it ends the run with an error that says so.
	Jobs(ctx context.Context) iter.Seq[workload.Job]

	// WithTimeout is [context.WithTimeout] by this host's clock, real or virtual:
	// what a slot waits for with it ends after d. The executor must call cancel.
	WithTimeout(ctx context.Context, d time.Duration) (limited context.Context, cancel context.CancelFunc)

	// Backlog is how many jobs are due and in nobody's hands, as far as the host
	// has read ahead in the stream: where more wait than some hundreds, it is at
	// least so many. It is 0 before work begins.
	Backlog() int

	// Settle reports what became of a job taken from Jobs, exactly once for
	// each. It does not wait for the acknowledgement to reach the stream. A job
	// that was NotRun goes back to it.
	Settle(job workload.Job, o Outcome)

	// Parallel calls work for the slots 0 to n-1 at once and returns when all
	// have returned, with the first error. That error cancels the others' ctx.
	Parallel(ctx context.Context, n int, work func(ctx context.Context, slot int) error) error

	// Sleep blocks for d, or until ctx is cancelled (and returns its error).
	Sleep(ctx context.Context, d time.Duration) error

	// Now is the time since the host's start on its own clock, real or virtual.
	Now() time.Duration
}

// A Process is one operating-system process, or the simulation of one.
//
// Run and Warm are for one slot at a time; Fork may be called by several slots
// at once, and the process makes the children one after another.
type Process interface {
	// Warm does now, in this process, what the first Run would otherwise do
	// lazily (as far as the workload names it), so that children forked from
	// here on inherit it done.
	Warm(ctx context.Context) error

	// Fork makes a child that inherits this process's state. The child lives
	// for the given number of jobs and then exits by itself (Celery's
	// max-tasks-per-child); 0 means until it is closed.
	//
	// A host may put off the fork until the child's first Run where the calling
	// slot has a job in hand, and so pass the job on to the child for free. Then
	// what Fork would have returned as an error ends the run, and the job's
	// Outcome says NotRun. A process that is not alive returns an error.
	Fork(ctx context.Context, jobs int) (Process, error)

	// Run executes one job and reports what became of it, also when ctx has been
	// cancelled: then the job may have been killed with its process. Crashed and
	// TimedOut leave the process dead. A process that is dead already reports
	// Crashed, without a start time, and NotRun.
	Run(ctx context.Context, job workload.Job) Outcome

	// Alive reports whether the process can run another job or fork.
	Alive() bool

	// Usage is what a recycling policy looks at. It reads the system's
	// accounts at each call.
	Usage() Usage

	// Close ends the process, waits for it and accounts for it: asked first,
	// killed after a grace period, or killed at once when ctx is cancelled.
	// Closing a process twice, or one that died by itself, is not an error.
	Close(ctx context.Context) error
}

// Usage is a process's state at one moment.
type Usage struct {
	Jobs     int   // jobs run to an outcome in this process
	Resident int64 // resident memory (RSS) in bytes, shared pages included; 0 if unknown
}

// A Status says how a job ended.
type Status uint8

// The ways a job can end. There are no others: a job that has none of these was
// lost.
const (
	Done     Status = iota + 1 // it returned
	Failed                     // it reported an error or raised an exception; its process goes on
	Crashed                    // its process died under it
	TimedOut                   // it exceeded the time limit and its process was killed
)

var statusNames = [...]string{Done: "done", Failed: "failed", Crashed: "crashed", TimedOut: "timed_out"}

// Statuses lists all of them, in order.
func Statuses() []Status { return []Status{Done, Failed, Crashed, TimedOut} }

func (s Status) String() string {
	if s < Done || s > TimedOut {
		return fmt.Sprintf("Status(%d)", uint8(s))
	}
	return statusNames[s]
}

// MarshalText writes the status as records and streams spell it.
func (s Status) MarshalText() ([]byte, error) {
	if s < Done || s > TimedOut {
		return nil, fmt.Errorf("status %d has no name", uint8(s))
	}
	return []byte(statusNames[s]), nil
}

// UnmarshalText is the inverse of MarshalText.
func (s *Status) UnmarshalText(text []byte) error {
	for _, v := range Statuses() {
		if statusNames[v] == string(text) {
			*s = v
			return nil
		}
	}
	return fmt.Errorf("unknown status %q", text)
}

// An Outcome is what became of one job. Times are on the clock of Host.Now.
type Outcome struct {
	Status Status
	Detail string // why it did not end as Done: a traceback, a signal; else empty
	Result []byte // what the job returned, as JSON; nil where it returned nothing

	// NotRun says that no process was given the job, and that the host ends the run
	// for it: a parent refuses to fork, or is gone. The Status is Crashed, as there
	// is not a process to go on with. Settle takes it back instead of settling it: it
	// is left in the stream, and counts as not run.
	NotRun bool

	// Dropped is why what a job returned was not kept, in a few words: "not JSON:
	// datetime". The job is done all the same.
	Dropped string

	Process  int           // the process it ran in, numbered within the round from 1; 0 if it was not started
	Seq      int           // 1 for the first job of that process
	Started  time.Duration // the first instruction of the job; 0 if it never started
	Finished time.Duration // when it ended or was found dead
	CPU      time.Duration // what the job itself used; 0 where its process died under it
}
