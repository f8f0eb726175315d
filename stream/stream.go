// Package stream is the job stream of a comparison: a Redis stream that is
// enqueued once and read by every model in every round, each through a consumer
// group of its own, so that no model can get easier jobs than another.
//
//	server, err := stream.Start(ctx, dir, log)         // or Connect(ctx, url)
//	jobs, err := server.Create(ctx, "forkbench:42:jobs")
//	n, err := jobs.Enqueue(ctx, plan)
//	group, err := jobs.Group(ctx, "prefork-0")
//	batch, err := group.Read(ctx, 256)                 // until it is empty
//	err = group.Settle(ctx, settlements)               // outcome and acknowledgement
//
// # Keys
//
// A stream with the key K and a group G uses three keys:
//
//	K                the stream: entry ID "<job ID + 1>-0", fields payload and due
//	{K}:outcomes:G   a hash: entry ID to outcome, see [Group.Settle]
//	{K}:dead:G       a stream: the dead letters, see [DeadLetter]
//
// The braces are a hash tag: in a cluster all three live in one slot, which is
// what lets one pipeline write an outcome and acknowledge the job.
//
// All three expire by themselves, for a program that is killed cannot delete them:
// [KeptFor] after they are made, the stream that long after its last group is
// made. A round that takes longer loses its jobs, which is [ErrLost].
//
// # Delivery
//
// Each entry goes to one reader of a group. A reply that got lost on its way is
// read again; entries of a reader that died are for [Group.Reclaim]. When the
// data itself is gone (the server was restarted or flushed), every method says
// [ErrLost].
//
// Redis 6.2 or newer is needed, or Valkey; no command is newer than Redis 7.0.
package stream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"forkbench/workload"
)

// KeptFor is how long keys outlive a program that could not delete them.
const KeptFor = 24 * time.Hour

// One pipeline of Enqueue holds at most this much, so that memory stays bounded
// however many jobs there are.
const (
	enqueueJobs  = 512
	enqueueBytes = 1 << 20
)

// A Stream is one comparison's jobs. Its methods are safe for concurrent use,
// except Enqueue.
type Stream struct {
	server *Server
	key    string
	next   uint64 // the ID of the next job to enqueue

	mu     sync.Mutex
	groups []string // all that were ever created: their keys are ours to delete
}

// Create makes an empty stream under a key of its own. A key that exists already
// is an error, as is one with braces, which would move it to another slot of a
// cluster than its outcomes.
func (s *Server) Create(ctx context.Context, key string) (*Stream, error) {
	if key == "" || strings.ContainsAny(key, "{}") {
		return nil, fmt.Errorf("stream key %q: must not be empty or contain braces", key)
	}
	found, err := s.client.Exists(ctx, key).Result()
	if err != nil {
		return nil, s.explain(err)
	}
	if found != 0 {
		return nil, fmt.Errorf("redis at %s: key %q exists already: delete it, or use another", s.where, key)
	}
	// A stream without entries comes into being only through a group.
	const first = "create"
	create := once{redis.NewStatusCmd(ctx, "xgroup", "create", key, first, "0", "mkstream")}
	create.SetFirstKeyPos(2)
	if err := s.client.Process(ctx, create); err != nil {
		return nil, s.explain(err)
	}
	pipe := s.client.Pipeline()
	pipe.Expire(ctx, key, KeptFor)
	pipe.XGroupDestroy(ctx, key, first)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, s.explain(err)
	}
	return &Stream{server: s, key: key}, nil
}

// Enqueue appends the jobs and returns how many it has appended, also when it
// fails. Their IDs must be consecutive from 0; a second call goes on where the
// first one ended. After a failure of the server the stream may have holes, and
// is good for Delete only.
func (st *Stream) Enqueue(ctx context.Context, jobs iter.Seq[workload.Job]) (n int, err error) {
	pipe := st.server.client.Pipeline()
	size := 0
	flush := func() error {
		k, err := st.flush(ctx, pipe)
		n += k
		size = 0
		return err
	}
	refuse := func(err error) (int, error) {
		err = errors.Join(err, flush()) // those before it are good
		return n, err
	}
	for job := range jobs {
		if want := st.next + uint64(pipe.Len()); job.ID != want {
			return refuse(fmt.Errorf("job %d: its ID must be %d: IDs are consecutive from 0", job.ID, want))
		}
		if job.Due < 0 {
			return refuse(fmt.Errorf("job %d: due %v: must not be negative", job.ID, job.Due))
		}
		payload := job.Payload
		if payload == nil {
			payload = []byte{} // go-redis refuses a nil argument
		}
		cmd := redis.NewStringCmd(ctx, "xadd", st.key, "nomkstream", entryID(job.ID),
			fieldPayload, payload, fieldDue, int64(job.Due))
		if err := pipe.Process(ctx, cmd); err != nil {
			return n, st.server.explain(err)
		}
		size += len(job.Payload)
		if pipe.Len() >= enqueueJobs || size >= enqueueBytes {
			if err := flush(); err != nil {
				return n, err
			}
		}
	}
	err = flush()
	return n, err
}

// flush sends the XADDs of a pipeline and returns how many entries they made.
func (st *Stream) flush(ctx context.Context, pipe redis.Pipeliner) (int, error) {
	if pipe.Len() == 0 {
		return 0, nil
	}
	cmds, _ := pipe.Exec(ctx) // the error is that of the first failed command
	for n, cmd := range cmds {
		switch err := cmd.Err(); {
		case err == nil:
		case errors.Is(err, redis.Nil):
			return n, st.server.lost() // NOMKSTREAM found no stream
		case strings.Contains(err.Error(), "equal or smaller"):
			// The connection broke, go-redis sent the pipeline again, and this
			// entry had got through the first time.
		default:
			return n, st.server.explain(err)
		}
		st.next++
	}
	return len(cmds), nil
}

// Delete removes every key that belongs to the stream: its entries, its groups,
// their outcomes and dead letters. Keys that are gone already are not an error, so it
// can be repeated and serves to clean up after anything.
func (st *Stream) Delete(ctx context.Context) error {
	st.mu.Lock()
	keys := []string{st.key}
	for _, g := range st.groups {
		keys = append(keys, st.outcomes(g), st.dead(g))
	}
	st.mu.Unlock()
	return st.server.patiently(ctx, func(ctx context.Context) error {
		return st.server.explain(st.server.client.Unlink(ctx, keys...).Err())
	})
}

// Group makes a consumer group that reads the stream from its beginning. The
// name must be new to the stream. The stream's time to expire begins anew: a
// comparison may take longer than that, if none of its rounds does.
func (st *Stream) Group(ctx context.Context, name string) (*Group, error) {
	if name == "" {
		return nil, errors.New("a group needs a name")
	}
	st.mu.Lock()
	st.groups = append(st.groups, name)
	st.mu.Unlock()
	tried := false
	err := st.server.patiently(ctx, func(ctx context.Context) error {
		again := tried
		tried = true
		return st.createGroup(ctx, name, again)
	})
	if err != nil {
		return nil, err
	}
	g := &Group{stream: st, name: name, outcomes: st.outcomes(name), dead: st.dead(name), expiring: new(atomic.Bool)}
	return g.With(Config{}), nil
}

// createGroup makes a group, which may be there already if it is tried again: the
// reply was lost.
func (st *Stream) createGroup(ctx context.Context, name string, again bool) error {
	cmd := once{redis.NewStatusCmd(ctx, "xgroup", "create", st.key, name, "0")}
	cmd.SetFirstKeyPos(2)
	err := st.server.client.Process(ctx, cmd)
	if err != nil && !(again && redis.HasErrorPrefix(err, "BUSYGROUP")) {
		return st.server.explain(err)
	}
	return st.server.explain(st.server.client.Expire(ctx, st.key, KeptFor).Err())
}

func (st *Stream) outcomes(group string) string { return "{" + st.key + "}:outcomes:" + group }
func (st *Stream) dead(group string) string     { return "{" + st.key + "}:dead:" + group }

// entryID is the stream ID of a job's entry. IDs start at 1, because 0-0 is not
// one.
func entryID(job uint64) string {
	var b [24]byte
	return string(append(strconv.AppendUint(b[:0], job+1, 10), "-0"...))
}

// once is a command that go-redis must not send a second time by itself: it has
// an effect, and the reply that got lost may have been that of a success.
type once struct{ redis.Cmder }

// NoRetry tells go-redis so.
func (once) NoRetry() bool { return true }
