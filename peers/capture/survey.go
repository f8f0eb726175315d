package capture

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// A Survey is what there is of a queue: what waits, and what does not.
type Survey struct {
	Queue   Queue
	Waiting int      // jobs in its lists, or messages of Celery's
	Lists   []string // that hold them, in the order in which workers ask them
	Beside  []Beside // what is not waiting
	Alike   []Alike  // lists that look like the queue's, and are not read

	// Unseen says what was not looked at: keys of other names than the usual.
	// Empty if there are none.
	Unseen string

	client    redis.UniversalClient
	known     bool     // the queue has been there
	others    []string // queues of the same system
	databases []string // others that hold keys
}

// A Beside is a number of jobs that are not waiting, and are not recorded.
type Beside struct {
	What string
	Jobs int
	Why  string
}

// An Alike is some lists that may belong to the queue.
type Alike struct {
	Keys []string
	Jobs int
	Flag string // what reads them

	// Other is that they are another queue's, unless the user knows better: of the
	// same name, under another prefix.
	Other bool
}

// Look finds out what there is of a queue, without reading its jobs. It is no
// error if there is nothing.
func Look(ctx context.Context, client redis.UniversalClient, q Queue) (*Survey, error) {
	s := &Survey{Queue: q, client: client}
	look := s.lookRQ
	if q.System == Celery {
		look = s.lookCelery
	}
	if err := look(ctx); err != nil {
		return nil, err
	}
	if s.Waiting == 0 && !s.known && len(s.Alike) == 0 && len(s.others) == 0 {
		s.lookElsewhere(ctx)
	}
	return s, nil
}

// Jobs yields the waiting jobs of a queue in the order in which workers would
// take them, up to limit (0 for all). A job that cannot be read is yielded with
// its Err; an error ends the sequence. It is a *MissingError if none waits.
//
// The jobs are read in pieces, and memory does not grow with the queue. Workers
// may go on meanwhile: jobs that they take before they are read are missing, no
// job is read twice.
func (s *Survey) Jobs(ctx context.Context, limit int) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		if s.Waiting == 0 {
			yield(Job{}, &MissingError{s})
			return
		}
		read := s.rqJobs
		if s.Queue.System == Celery {
			read = s.celeryJobs
		}
		n := 0
		for job, err := range read(ctx) {
			if !yield(job, err) || err != nil {
				return
			}
			if n++; n == limit {
				return
			}
		}
	}
}

// Complete reports whether all that may belong to the queue is read.
func (s *Survey) Complete() bool {
	return s.Unseen == "" && !slices.ContainsFunc(s.Alike, func(a Alike) bool { return !a.Other })
}

// A MissingError says that there is no job to read.
type MissingError struct{ *Survey }

func (e *MissingError) Error() string {
	q := e.Queue
	var b strings.Builder
	switch {
	case len(e.Beside) > 0:
		fmt.Fprintf(&b, "no job waits in %s", q)
		if !e.known && len(e.others) > 0 {
			fmt.Fprintf(&b, "; there are %s", strings.Join(e.others, ", "))
		}
	case e.known:
		fmt.Fprintf(&b, "%s is empty: enqueue jobs while no worker runs, and record them then", q)
	case e.Unseen != "":
		fmt.Fprintf(&b, "%s was not found: %s", q, e.Unseen)
	case len(e.Alike) > 0:
		fmt.Fprintf(&b, "%s does not exist by that name", q)
	case len(e.others) == 0:
		fmt.Fprintf(&b, "%s does not exist: there is no queue of %s in this database (the number at the end of the Redis URL chooses another)", q, q.System.title())
		if len(e.databases) > 0 {
			fmt.Fprintf(&b, "; there are keys in %s", strings.Join(e.databases, ", "))
		}
	default:
		fmt.Fprintf(&b, "%s does not exist: there are %s", q, strings.Join(e.others, ", "))
	}
	for _, a := range e.Alike {
		fmt.Fprintf(&b, "\n  %s", a)
	}
	for _, o := range e.Beside {
		fmt.Fprintf(&b, "\n  %s", o)
	}
	return b.String()
}

// mostNamed bounds a list of names in a text.
const mostNamed = 5

func (a Alike) String() string {
	names := strings.Join(a.Keys[:min(len(a.Keys), mostNamed)], ", ")
	if more := len(a.Keys) - mostNamed; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("%d  in %s, not read: if they are of this queue, add %s", a.Jobs, names, a.Flag)
}

func (b Beside) String() string { return fmt.Sprintf("%d  %s: %s", b.Jobs, b.What, b.Why) }

// mostKeys bounds the search for keys of other names in a large database.
const mostKeys = 100_000

// scan goes through the keys of the database, and says in Unseen if it could not
// go through all of them.
func (s *Survey) scan(ctx context.Context, visit func(key string)) error {
	var mu sync.Mutex
	looked, complete := 0, true
	one := func(ctx context.Context, client redis.Cmdable) error {
		for cursor := uint64(0); ; {
			keys, next, err := client.Scan(ctx, cursor, "", 1000).Result()
			if err != nil {
				return err
			}
			mu.Lock()
			for _, key := range keys {
				visit(key)
			}
			looked += len(keys)
			enough := looked >= mostKeys && next != 0
			complete = complete && !enough
			mu.Unlock()
			if cursor = next; cursor == 0 || enough {
				return nil
			}
		}
	}
	var err error
	if c, ok := s.client.(*redis.ClusterClient); ok {
		err = c.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return one(ctx, c) })
	} else {
		err = one(ctx, s.client)
	}
	switch {
	case isReply(err): // it may be forbidden: that is not a reason not to read the queue
		s.Unseen = fmt.Sprintf("keys of other names were not looked for (%v)", err)
		return nil
	case err != nil:
		return err
	case !complete:
		s.Unseen = fmt.Sprintf("other names were looked for among %d keys only", looked)
		if n, err := s.client.DBSize(ctx).Result(); err == nil {
			s.Unseen += fmt.Sprintf(", of %d", n)
		}
	}
	return nil
}

// lists is how long those of the keys are that are lists, and may be read.
func (s *Survey) lists(ctx context.Context, keys []string) (map[string]int, error) {
	lengths := make([]*redis.IntCmd, len(keys))
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range keys {
			lengths[i] = p.LLen(ctx, key)
		}
		return nil
	})
	if err != nil && !isReply(err) {
		return nil, err
	}
	found := make(map[string]int)
	for i, key := range keys {
		if n := lengths[i].Val(); lengths[i].Err() == nil && n > 0 {
			found[key] = int(n)
		}
	}
	return found, nil
}

// lookElsewhere asks which other databases hold anything.
func (s *Survey) lookElsewhere(ctx context.Context) {
	text, err := s.client.Info(ctx, "keyspace").Result()
	if err != nil {
		return // some users may not ask
	}
	ours := -1 // of a cluster, which has one only
	if c, ok := s.client.(*redis.Client); ok {
		ours = c.Options().DB
	}
	for line := range strings.Lines(text) {
		var n, keys int
		if _, err := fmt.Sscanf(line, "db%d:keys=%d", &n, &keys); err == nil && n != ours {
			s.databases = append(s.databases, fmt.Sprintf("database %d (%d)", n, keys))
		}
	}
}

// isReply tells what the server answered with from a failure to reach it. That
// there is nothing is not an error of either kind.
func isReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && !errors.Is(err, redis.Nil)
}
