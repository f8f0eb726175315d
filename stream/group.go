package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"forkbench/models"
	"forkbench/workload"
)

// The defaults of a Config.
const (
	DefaultConsumer    = "supervisor"
	DefaultMaxAttempts = 3
)

// Config says who reads a group and how often a job may be tried.
type Config struct {
	// Consumer is the reader's name in the group; empty means DefaultConsumer.
	// Two readers that live at the same time need two names.
	Consumer string

	// MaxAttempts is how many deliveries a job gets before Reclaim gives it up;
	// 0 means DefaultMaxAttempts.
	MaxAttempts int
}

// A Group is one model's view of the stream in one round, in the hands of one
// consumer. It is safe for concurrent use.
type Group struct {
	stream   *Stream
	name     string
	outcomes string // key
	dead     string // key
	config   Config

	// expiring says that the outcomes have their time to expire. It is one for
	// all hands that the group is in.
	expiring *atomic.Bool

	mu     sync.Mutex // one delivery at a time: see unsure
	last   uint64     // the largest entry number that this consumer was given
	unsure bool       // a reply was lost: entries after last may be ours already
}

// With returns the same group in other hands: for a second consumer, or with
// another limit.
func (g *Group) With(c Config) *Group {
	if c.Consumer == "" {
		c.Consumer = DefaultConsumer
	}
	if c.MaxAttempts == 0 {
		c.MaxAttempts = DefaultMaxAttempts
	}
	return &Group{stream: g.stream, name: g.name, outcomes: g.outcomes, dead: g.dead, config: c, expiring: g.expiring}
}

// Read takes up to limit jobs that no reader of the group has had yet, in the
// order of the stream. It does not wait for more to be enqueued: no jobs and no
// error mean that there is nothing new left.
//
// After an error it may be called again, and misses nothing: what a lost reply
// had delivered comes again, with Attempt counted up. An entry that is not a job
// goes to the dead letters.
func (g *Group) Read(ctx context.Context, limit int) (jobs []workload.Job, err error) {
	if limit < 1 {
		return nil, fmt.Errorf("reading %d jobs: must be at least 1", limit)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	err = g.patiently(ctx, func(ctx context.Context) (err error) {
		jobs, err = g.read(ctx, limit)
		return err
	})
	return jobs, err
}

// read is Read, once, for who has the lock.
func (g *Group) read(ctx context.Context, limit int) ([]workload.Job, error) {
	for {
		b, err := g.recover(ctx, limit)
		if err == nil && b.empty() {
			b, err = g.deliver(ctx, limit, ">", 1)
		}
		if err != nil || len(b.jobs) > 0 || b.empty() {
			return b.jobs, err
		}
		// Nothing but dead letters: the stream may go on behind them.
	}
}

// recover takes the entries that a lost reply had delivered, if one was lost.
//
// They are all after g.last: entries are delivered in the order of the stream,
// and g.mu admits one delivery at a time.
func (g *Group) recover(ctx context.Context, limit int) (batch, error) {
	if !g.unsure {
		return batch{}, nil
	}
	b, err := g.deliver(ctx, limit, strconv.FormatUint(g.last, 10)+"-0", 2)
	if err == nil && b.empty() {
		g.unsure = false
	}
	return b, err
}

// deliver reads entries: new ones after ">", or this consumer's pending ones
// after an ID. Until all of them are in good hands it changes nothing here, so
// that recover finds them again.
func (g *Group) deliver(ctx context.Context, limit int, after string, attempt int) (batch, error) {
	// A negative BLOCK in go-redis' XReadGroup, that is: none.
	const keyPos = 7
	cmd := redis.NewRawCmd(ctx, "xreadgroup", "group", g.name, g.config.Consumer, "count", limit, "streams", g.stream.key, after)
	cmd.SetFirstKeyPos(keyPos)
	wasUnsure := g.unsure
	g.unsure = true
	err := g.stream.server.client.Process(ctx, once{cmd})
	if err != nil {
		return batch{}, g.explain(err)
	}
	b, err := parseRead(cmd.Val(), attempt)
	if err != nil {
		return batch{}, g.explain(err)
	}
	if len(b.jobs) > 0 && b.jobs[0].ID < g.last {
		return batch{}, fmt.Errorf("job %d was delivered twice, the server went back in time: %w", b.jobs[0].ID, g.stream.server.lost())
	}
	if err := g.bury(ctx, b.bad); err != nil {
		return batch{}, err
	}
	g.last = max(g.last, b.last)
	g.unsure = wasUnsure
	return b, nil
}

// Reclaim takes over up to limit jobs that were delivered at least minIdle ago
// and have not been settled, whoever had them: minIdle must be longer than a job
// may take, or a job that is running now is handed out again. Attempt is the
// number of deliveries. Jobs past MaxAttempts go to the dead letters instead. No
// jobs and no error mean that there are none.
func (g *Group) Reclaim(ctx context.Context, minIdle time.Duration, limit int) (jobs []workload.Job, err error) {
	if limit < 1 {
		return nil, fmt.Errorf("reclaiming %d jobs: must be at least 1", limit)
	}
	if minIdle < 0 {
		return nil, fmt.Errorf("reclaiming jobs idle for %v: must not be negative", minIdle)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	err = g.patiently(ctx, func(ctx context.Context) (err error) {
		jobs, err = g.reclaim(ctx, minIdle, limit)
		return err
	})
	return jobs, err
}

// reclaim is Reclaim, once, for who has the lock.
func (g *Group) reclaim(ctx context.Context, minIdle time.Duration, limit int) ([]workload.Job, error) {
	for g.unsure {
		if b, err := g.recover(ctx, limit); err != nil || len(b.jobs) > 0 {
			return b.jobs, err
		}
	}
	for cursor := "0-0"; ; {
		g.unsure = true // until what was claimed is in good hands
		cmd := redis.NewRawCmd(ctx, "xautoclaim", g.stream.key, g.name, g.config.Consumer,
			minIdle.Milliseconds(), cursor, "count", limit)
		if err := g.stream.server.client.Process(ctx, once{cmd}); err != nil {
			return nil, g.explain(err)
		}
		next, b, err := parseClaim(cmd.Val())
		if err != nil {
			return nil, g.explain(err)
		}
		jobs, err := g.admit(ctx, b)
		if err != nil {
			return nil, err
		}
		g.last = max(g.last, b.last)
		g.unsure = false
		if len(jobs) > 0 || next == "0-0" {
			return jobs, nil
		}
		cursor = next
	}
}

// admit counts the attempts of claimed entries and buries those that had enough.
func (g *Group) admit(ctx context.Context, b batch) ([]workload.Job, error) {
	pipe := g.stream.server.client.Pipeline()
	counts := make([]*redis.XPendingExtCmd, len(b.jobs))
	for i, job := range b.jobs {
		id := entryID(job.ID)
		counts[i] = pipe.XPendingExt(ctx, &redis.XPendingExtArgs{
			Stream: g.stream.key, Group: g.name, Start: id, End: id, Count: 1,
		})
	}
	if len(counts) > 0 {
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, g.explain(err)
		}
	}
	jobs := b.jobs[:0]
	for i, job := range b.jobs {
		pending := counts[i].Val()
		if len(pending) == 0 {
			continue // settled since
		}
		job.Attempt = int(pending[0].RetryCount)
		if before := job.Attempt - 1; before >= g.config.MaxAttempts {
			b.bad = append(b.bad, DeadLetter{
				Entry: entryID(job.ID), Attempts: before, Payload: job.Payload,
				Reason: fmt.Sprintf("delivered %d times and never settled", before),
			})
			continue
		}
		jobs = append(jobs, job)
	}
	return jobs, g.bury(ctx, b.bad)
}

// A DeadLetter is an entry that the group gave up. It is acknowledged in the
// group and kept in a stream of its own with the fields entry, attempts, reason
// and payload.
type DeadLetter struct {
	Entry    string // the entry's ID: the job's ID + 1, and -0
	Attempts int    // deliveries
	Reason   string
	Payload  []byte // as far as there was one
}

// bury moves entries to the dead letters, all or none: an entry is either
// pending or dead, whenever the connection breaks.
func (g *Group) bury(ctx context.Context, letters []DeadLetter) error {
	if len(letters) == 0 {
		return nil
	}
	_, err := g.stream.server.client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, l := range letters {
			pipe.XAdd(ctx, &redis.XAddArgs{Stream: g.dead, Values: []any{
				"entry", l.Entry, "attempts", l.Attempts, "reason", l.Reason, fieldPayload, string(l.Payload),
			}})
			pipe.XAck(ctx, g.stream.key, g.name, l.Entry)
		}
		pipe.Expire(ctx, g.dead, KeptFor)
		return nil
	})
	return g.explain(err)
}

// DeadLetters returns the first dead letters of the group, at most limit.
func (g *Group) DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error) {
	entries, err := g.stream.server.client.XRangeN(ctx, g.dead, "-", "+", int64(limit)).Result()
	if err != nil {
		return nil, g.explain(err)
	}
	letters := make([]DeadLetter, len(entries))
	for i, e := range entries {
		text := func(field string) string { s, _ := e.Values[field].(string); return s }
		attempts, err := strconv.Atoi(text("attempts"))
		if err != nil {
			return nil, fmt.Errorf("dead letter %s of %s: attempts: %w", e.ID, g.dead, err)
		}
		letters[i] = DeadLetter{
			Entry: text("entry"), Attempts: attempts, Reason: text("reason"), Payload: []byte(text(fieldPayload)),
		}
	}
	return letters, nil
}

// A Settlement is what became of one job.
type Settlement struct {
	ID     uint64 // the job's
	Status models.Status
	Detail string // why it did not end as models.Done
	Result []byte // JSON, or nil
}

// Settle writes the outcomes of the jobs and acknowledges them, in one round
// trip. Repeating it, after a connection error say, changes nothing. Outcomes are
// kept in a hash by entry ID: the bare status, or where there is more to say a
// JSON object of status, detail and result.
func (g *Group) Settle(ctx context.Context, batch []Settlement) error {
	if len(batch) == 0 {
		return nil
	}
	set := make([]any, 2, 2+2*len(batch))
	set[0], set[1] = "hset", g.outcomes
	ack := make([]any, 3, 3+len(batch))
	ack[0], ack[1], ack[2] = "xack", g.stream.key, g.name
	for i := range batch {
		outcome, err := batch[i].outcome()
		if err != nil {
			return err
		}
		var id any = entryID(batch[i].ID) // once on the heap for both
		set = append(set, id, outcome)
		ack = append(ack, id)
	}
	return g.patiently(ctx, func(ctx context.Context) error { return g.settle(ctx, set, ack) })
}

// settle sends an HSET of outcomes and the XACK of their jobs.
func (g *Group) settle(ctx context.Context, set, ack []any) error {
	client := g.stream.server.client
	// The outcome first: a job that is acknowledged has one.
	pipe := client.Pipeline()
	_ = pipe.Process(ctx, redis.NewIntCmd(ctx, set...)) // only queues
	first := !g.expiring.Load()
	if first { // of several at a time, each: which changes nothing
		pipe.Expire(ctx, g.outcomes, KeptFor)
	}
	acked := redis.NewIntCmd(ctx, ack...)
	_ = pipe.Process(ctx, acked)
	if _, err := pipe.Exec(ctx); err != nil {
		return g.explain(err)
	}
	if first {
		g.expiring.Store(true)
	}
	const before = 3 // the jobs of an XACK
	if acked.Val() < int64(len(ack)-before) {
		// Settled before, or there is nothing left to acknowledge in: XACK does
		// not tell a missing group.
		return g.explain(client.XPending(ctx, g.stream.key, g.name).Err())
	}
	return nil
}

// outcome is the value in the hash.
func (s *Settlement) outcome() (any, error) {
	if _, err := s.Status.MarshalText(); err != nil {
		return nil, fmt.Errorf("job %d: %w", s.ID, err)
	}
	if s.Detail == "" && s.Result == nil {
		return s.Status.String(), nil
	}
	value, err := json.Marshal(struct {
		Status models.Status   `json:"status"`
		Detail string          `json:"detail,omitempty"`
		Result json.RawMessage `json:"result,omitempty"`
	}{s.Status, s.Detail, s.Result})
	if err != nil {
		return nil, fmt.Errorf("job %d: result: %w", s.ID, err)
	}
	return value, nil
}

// Counts is what the stream itself says about a group.
type Counts struct {
	Enqueued  int // entries in the stream
	Delivered int // of which some reader of the group has had
	Settled   int // of which have an outcome; each counts once
	Pending   int // of which are delivered, and neither settled nor dead
	Dead      int // of which were given up
}

// Count asks the stream what became of its entries. Entries that were delivered
// and are in none of the other counts have been lost.
func (g *Group) Count(ctx context.Context) (c Counts, err error) {
	err = g.patiently(ctx, func(ctx context.Context) (err error) {
		c, err = g.count(ctx)
		return err
	})
	return c, err
}

// count is Count, once.
func (g *Group) count(ctx context.Context) (Counts, error) {
	pipe := g.stream.server.client.Pipeline()
	enqueued := pipe.XLen(ctx, g.stream.key)
	settled := pipe.HLen(ctx, g.outcomes)
	dead := pipe.XLen(ctx, g.dead)
	pending := pipe.XPending(ctx, g.stream.key, g.name)
	groups := pipe.XInfoGroups(ctx, g.stream.key)
	if _, err := pipe.Exec(ctx); err != nil {
		return Counts{}, g.explain(err)
	}
	c := Counts{
		Enqueued: int(enqueued.Val()), Settled: int(settled.Val()), Dead: int(dead.Val()),
		Pending: int(pending.Val().Count),
	}
	for _, info := range groups.Val() {
		if info.Name == g.name {
			// Entry numbers are consecutive from 1. Lag and entries-read would
			// say it too, but not on every server.
			n, _, _ := leadingUint([]byte(info.LastDeliveredID))
			c.Delivered = int(n)
		}
	}
	return c, nil
}

// Close removes the group, its outcomes and its dead letters. What is gone
// already is not an error.
func (g *Group) Close(ctx context.Context) error {
	return g.patiently(ctx, func(ctx context.Context) error {
		client := g.stream.server.client
		err := g.explain(client.XGroupDestroy(ctx, g.stream.key, g.name).Err())
		if err != nil && !errors.Is(err, ErrLost) {
			return err
		}
		return g.explain(client.Unlink(ctx, g.outcomes, g.dead).Err())
	})
}

// patiently is the server's.
func (g *Group) patiently(ctx context.Context, do func(ctx context.Context) error) error {
	return g.stream.server.patiently(ctx, do)
}

func (g *Group) explain(err error) error { return g.stream.server.explain(err) }
