// Package capture reads the jobs that wait in a queue of RQ or Celery, and
// changes nothing: it sends commands that read, and no others.
//
// [Jobs] yields what is in a queue, [Record] writes it to a job file, which
// [workload.Parse] reads as jobs:FILE. Pickled arguments can contain any code, so
// they are decoded by [Unpickler] only, in a Python process of the user's choice.
package capture

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"forkbench/workload"
)

// A System is what a queue belongs to.
type System string

// The systems whose queues can be read.
const (
	RQ     System = "rq"     // 1.x, 2.x and 3.x
	Celery System = "celery" // protocols 2 and 1, with kombu's Redis transport
)

// title is the system as it calls itself.
func (s System) title() string { return map[System]string{RQ: "RQ", Celery: "Celery"}[s] }

// A Queue is a queue's name and system, and what its users have set.
type Queue struct {
	System System
	Name   string // as its users call it

	// KeyPrefix begins all of its keys: RQ's RQ_KEY_PREFIX, which is rq unless it
	// is set, or Celery's global_keyprefix, which may stand in Name as well.
	KeyPrefix string

	// Sep and Steps are transport options of Celery's. Empty, they are looked for.
	Sep   string
	Steps []int
}

// ParseQueue reads rq:NAME or celery:NAME.
func ParseQueue(text string) (Queue, error) {
	system, name, found := strings.Cut(text, ":")
	q := Queue{System: System(system), Name: name}
	switch {
	case q.System != RQ && q.System != Celery, !found:
		return Queue{}, errors.New("must be rq:QUEUE or celery:QUEUE, as in rq:default")
	case name == "":
		return Queue{}, fmt.Errorf("needs the name of a queue, as in %s:%s", q.System, map[System]string{RQ: "default", Celery: "celery"}[q.System])
	}
	return q, nil
}

// String is the queue as ParseQueue reads it.
func (q Queue) String() string { return string(q.System) + ":" + q.Name }

// A Job is a waiting job, as far as it could be read.
type Job struct {
	ID       string
	Call     workload.Call // complete if Pickle and Err are nil
	Enqueued time.Time     // zero if the queue does not tell
	ETA      bool          // due at a time of its own, which is not read
	Follows  string        // what Celery sends when it has returned; "" for nothing

	// Pickle is what is still pickled: RQ's job, or the arguments of Celery's.
	Pickle []byte
	celery bool // whose pickle it is

	Err error // why it cannot be recorded, an *UnreadableError; nil if it can
}

// An UnreadableError says why a job cannot be recorded.
type UnreadableError struct {
	Reason string // of a kind: the same text for all jobs with this fault
	Detail string // what this one has; may be empty
	WayOut string // may be empty
}

func (e *UnreadableError) Error() string {
	if e.Detail == "" {
		return e.Reason
	}
	return e.Reason + ": " + e.Detail
}

// Jobs looks for a queue and yields its jobs: [Look] and [Survey.Jobs] in one.
func Jobs(ctx context.Context, client redis.UniversalClient, q Queue, limit int) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		s, err := Look(ctx, client, q)
		if err != nil {
			yield(Job{}, err)
			return
		}
		s.Jobs(ctx, limit)(yield)
	}
}
