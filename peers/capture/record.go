package capture

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"time"

	"forkbench/workload"
)

// Options say how jobs are recorded.
type Options struct {
	// Names are the functions to write in place of names in the queue that are
	// none: a Celery task can be called anything.
	Names map[string]string

	// Unpickle decodes what is pickled. Without it, those jobs are left out.
	Unpickle *Unpickler
}

// A Summary says what was recorded and what was not.
type Summary struct {
	Jobs        int       // written
	Functions   []Counted // and of which functions, the most frequent first
	Timed       int       // those whose enqueue time is known
	First, Last time.Time // the earliest and the latest of those times
	ETA         int       // those with a due time of their own, which is not kept
	Follows     []Counted // what Celery sends when some of them have returned: not recorded
	Expanded    int       // jobs that were messages for several calls, and are not in Jobs
	Expansions  int       // the calls of those, which are
	LeftOut     []LeftOut // the most frequent first
}

// A Counted is a function, or what follows one, and the number of its jobs.
type Counted struct {
	Function string
	Jobs     int
}

// A LeftOut is a kind of jobs that could not be recorded.
type LeftOut struct {
	Why  *UnreadableError // that of the first one
	ID   string           // of the first one; "" if it could not be read
	Jobs int
}

// Bounds on what is in memory at once.
const (
	batchJobs  = 500
	batchBytes = 4 << 20
	mostKinds  = 1000 // of functions, and of reasons
)

// Record writes jobs as lines of a job file. A job that cannot be read does not
// stop the others: the summary says how many there were, and why.
func Record(ctx context.Context, w io.Writer, jobs iter.Seq2[Job, error], o Options) (Summary, error) {
	r := &recorder{
		out: bufio.NewWriterSize(w, 1<<16), o: o,
		functions: make(map[string]int), follows: make(map[string]int), left: make(map[string]*LeftOut),
	}
	for job, err := range jobs {
		if err == nil {
			err = r.add(ctx, job)
		}
		if err != nil {
			return r.result(), err
		}
	}
	if err := r.write(ctx); err != nil {
		return r.result(), err
	}
	return r.result(), r.out.Flush()
}

type recorder struct {
	out *bufio.Writer
	o   Options

	batch []Job
	bytes int // in the batch

	functions map[string]int
	follows   map[string]int
	left      map[string]*LeftOut
	origin    time.Time // the enqueue time of the first job that has one
	sum       Summary
}

func (r *recorder) add(ctx context.Context, job Job) error {
	r.batch = append(r.batch, job)
	r.bytes += len(job.Pickle) + len(job.Call.Args) + len(job.Call.Kwargs)
	if len(r.batch) < batchJobs && r.bytes < batchBytes {
		return nil
	}
	return r.write(ctx)
}

// write ends a batch.
func (r *recorder) write(ctx context.Context) error {
	if r.o.Unpickle != nil {
		if err := r.o.Unpickle.decode(ctx, r.batch); err != nil {
			return err
		}
	}
	for i := range r.batch {
		job := &r.batch[i]
		if job.Err == nil && job.Pickle != nil {
			job.Err = errPickled
		}
		var err error
		if job.Err == nil && job.celery && isOwnTask(job.Call.Function) {
			err = r.expand(job)
		} else {
			err = r.one(job)
		}
		if err != nil {
			return err
		}
	}
	r.batch, r.bytes = r.batch[:0], 0
	return nil
}

// one writes a job, or counts it among those that are left out.
func (r *recorder) one(job *Job) error {
	r.complete(job)
	if job.Err == nil {
		return r.line(job)
	}
	unreadable, ok := errors.AsType[*UnreadableError](job.Err)
	if !ok {
		return job.Err
	}
	r.leave(job.ID, unreadable)
	return nil
}

// expand writes the calls of a message for one of Celery's own tasks.
func (r *recorder) expand(job *Job) error {
	var e expansion
	if e, job.Err = expand(job.Call); job.Err != nil {
		return r.one(job)
	}
	r.sum.Expanded++
	r.sum.Expansions += len(e.calls)
	for _, c := range e.calls {
		part := *job
		part.Call, part.Follows = c, cmp.Or(job.Follows, e.follows)
		if err := r.one(&part); err != nil {
			return err
		}
	}
	return nil
}

var errPickled = &UnreadableError{
	Reason: "pickled", Detail: "reading a pickle runs whatever code it names",
	WayOut: "if all who can write to this Redis are trusted, add --unpickle and the application's --python and --path",
}

// complete checks that a job can be a line of a job file.
func (r *recorder) complete(job *Job) {
	if job.Err != nil {
		return
	}
	c := &job.Call
	name, mapped := r.o.Names[c.Function]
	if mapped {
		c.Function = name
	}
	if isNull(c.Args) {
		c.Args = nil
	}
	if isNull(c.Kwargs) {
		c.Kwargs = nil
	}
	if !mapped && !workload.IsFunction(c.Function) {
		job.Err = &UnreadableError{
			Reason: fmt.Sprintf("the name %.80q is not the path of a function", c.Function),
			WayOut: fmt.Sprintf("say which it is: --map='%.80[1]s=MODULE:FUNCTION', or keep it for a run with --setup=MODULE:APP: --map='%.80[1]s=%.80[1]s'", c.Function),
		}
	} else if err := c.Check(); err != nil {
		job.Err = &UnreadableError{Reason: "not a call", Detail: err.Error()}
	}
}

// line writes a job that is complete.
func (r *recorder) line(job *Job) error {
	s := &r.sum
	c := job.Call
	if at := job.Enqueued; !at.IsZero() {
		if s.Timed == 0 {
			s.First, s.Last = at, at
		}
		if at.Before(s.First) {
			s.First = at
		}
		if at.After(s.Last) {
			s.Last = at
		}
		s.Timed++
		if s.Timed == 1 {
			r.origin = at
		}
		seconds := at.Sub(r.origin).Seconds()
		c.At = &seconds
	}
	if job.ETA {
		s.ETA++
	}
	if job.Follows != "" {
		r.follows[job.Follows]++
	}
	s.Jobs++
	if _, known := r.functions[c.Function]; known || len(r.functions) < mostKinds {
		r.functions[c.Function]++
	} else {
		r.functions["others"]++
	}
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("job %s: %w", job.ID, err)
	}
	_, _ = r.out.Write(append(text, '\n')) // Flush tells
	return nil
}

// leave counts a job that is not recorded.
func (r *recorder) leave(id string, why *UnreadableError) {
	l := r.left[why.Reason]
	if l == nil && len(r.left) >= mostKinds {
		why = &UnreadableError{Reason: "other reasons"}
		l = r.left[why.Reason]
	}
	if l == nil {
		l = &LeftOut{Why: why, ID: id}
		r.left[why.Reason] = l
	}
	l.Jobs++
}

func (r *recorder) result() Summary {
	s := r.sum
	s.Functions, s.Follows = frequent(r.functions), frequent(r.follows)
	for _, reason := range slices.Sorted(maps.Keys(r.left)) {
		s.LeftOut = append(s.LeftOut, *r.left[reason])
	}
	slices.SortStableFunc(s.LeftOut, func(a, b LeftOut) int { return cmp.Compare(b.Jobs, a.Jobs) })
	return s
}

// frequent is the most frequent first.
func frequent(counts map[string]int) []Counted {
	var all []Counted
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, Counted{name, counts[name]})
	}
	slices.SortStableFunc(all, func(a, b Counted) int { return cmp.Compare(b.Jobs, a.Jobs) })
	return all
}

// Total is how many jobs were read, with those of expanded messages one by one.
func (s *Summary) Total() int {
	n := s.Jobs
	for _, l := range s.LeftOut {
		n += l.Jobs
	}
	return n
}
