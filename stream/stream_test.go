package stream

import (
	"context"
	"errors"
	"iter"
	"math"
	"slices"
	"testing"
	"time"

	"forkbench/models"
	"forkbench/workload"
)

func TestCreate(t *testing.T) {
	each(t, func(t *testing.T, s *Server) {
		ctx := t.Context()
		for _, key := range []string{"", "a{b}", "}"} {
			_, err := s.Create(ctx, key)
			wantError(t, "Create("+key+")", err, nil, "stream key", "braces")
		}
		if err := s.client.Set(ctx, "taken", "1", 0).Err(); err != nil {
			t.Fatal(err)
		}
		_, err := s.Create(ctx, "taken")
		wantError(t, "a key that exists", err, nil, `"taken"`, "exists already")

		// A stream with no jobs is empty, not lost.
		st, err := s.Create(ctx, "none")
		if err != nil {
			t.Fatal(err)
		}
		g := group(t, st, "g")
		if jobs, err := g.Read(ctx, 1); len(jobs) != 0 || err != nil {
			t.Errorf("reading an empty stream: %v, %v", jobs, err)
		}
		wantCounts(t, g, Counts{})
		_, err = s.Create(ctx, "none")
		wantError(t, "a stream that exists", err, nil, "exists already")
	})
}

func TestEnqueue(t *testing.T) {
	bad := []struct {
		name string
		jobs []workload.Job
		n    int
		text string
	}{
		{"first", []workload.Job{{ID: 1}}, 0, "its ID must be 0"},
		{"gap", []workload.Job{{ID: 0}, {ID: 1}, {ID: 3}}, 2, "its ID must be 2"},
		{"twice", []workload.Job{{ID: 0}, {ID: 0}}, 1, "its ID must be 1"},
		{"huge", []workload.Job{{ID: math.MaxUint64}}, 0, "its ID must be 0"},
		{"due", []workload.Job{{ID: 0}, {ID: 1, Due: -1}}, 1, "must not be negative"},
	}
	each(t, func(t *testing.T, s *Server) {
		for _, tt := range bad {
			st, err := s.Create(t.Context(), tt.name)
			if err != nil {
				t.Fatal(err)
			}
			n, err := st.Enqueue(t.Context(), slices.Values(tt.jobs))
			wantError(t, tt.name, err, nil, tt.text)
			if n != tt.n {
				t.Errorf("%s: %d jobs enqueued; want %d", tt.name, n, tt.n)
			}
			wantCounts(t, group(t, st, "g"), Counts{Enqueued: tt.n})
		}
	})
}

func TestEnqueueGoesOn(t *testing.T) {
	each(t, func(t *testing.T, s *Server) {
		st := enqueued(t, s, 3)
		more := func(yield func(workload.Job) bool) {
			_ = yield(workload.Job{ID: 3}) && // no payload
				yield(workload.Job{ID: 4, Payload: make([]byte, 3*enqueueBytes), Due: math.MaxInt64}) &&
				yield(workload.Job{ID: 5, Payload: []byte("\r\n\x00{")})
		}
		if n, err := st.Enqueue(t.Context(), more); n != 3 || err != nil {
			t.Fatalf("Enqueue: %d, %v; want 3", n, err)
		}
		got := read(t, group(t, st, "g"), 6)
		if p := got[3].Payload; p == nil || len(p) != 0 {
			t.Errorf("no payload came back as %q", p)
		}
		if len(got[4].Payload) != 3*enqueueBytes || got[4].Due != math.MaxInt64 {
			t.Errorf("the large job came back with %d bytes, due %d", len(got[4].Payload), got[4].Due)
		}
		if string(got[5].Payload) != "\r\n\x00{" {
			t.Errorf("binary payload came back as %q", got[5].Payload)
		}
	})
}

// go-redis repeats a pipeline whose connection broke. Entries that had got
// through must not be there twice, nor be an error.
func TestEnqueueThroughABrokenConnection(t *testing.T) {
	each(t, func(t *testing.T, s *Server) {
		proxy := startFlaky(t, s.socket)
		client, err := Connect(t.Context(), "unix://"+proxy.socket)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		st, err := client.Create(t.Context(), "jobs")
		if err != nil {
			t.Fatal(err)
		}
		proxy.cut.Store(true)
		n, err := st.Enqueue(t.Context(), jobs(2000))
		if n != 2000 || err != nil || proxy.cut.Load() {
			t.Errorf("Enqueue: %d, %v; want 2000, and a broken connection", n, err)
		}
		wantCounts(t, group(t, st, "g"), Counts{Enqueued: 2000})
	})
}

func TestEnqueueIsCancelled(t *testing.T) {
	s := startServer(t, "miniredis", miniredisCommand)
	st, err := s.Create(t.Context(), "jobs")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var plan iter.Seq[workload.Job] = func(yield func(workload.Job) bool) {
		for job := range jobs(1 << 30) {
			if job.ID == 3*enqueueJobs {
				cancel()
			}
			if !yield(job) {
				return
			}
		}
	}
	n, err := st.Enqueue(ctx, plan)
	if !errors.Is(err, context.Canceled) || n != 3*enqueueJobs {
		t.Errorf("Enqueue: %d, %v; want %d, %v", n, err, 3*enqueueJobs, context.Canceled)
	}
}

func TestDelete(t *testing.T) {
	each(t, func(t *testing.T, s *Server) {
		ctx := t.Context()
		st := enqueued(t, s, 10)
		closed, open := group(t, st, "closed"), group(t, st, "open")
		for _, g := range []*Group{closed, open} {
			if err := g.Settle(ctx, done(read(t, g, 5))); err != nil {
				t.Fatal(err)
			}
			read(t, g, 2)
			if _, err := g.With(Config{MaxAttempts: -1}).Reclaim(ctx, 0, 10); err != nil {
				t.Fatal(err)
			}
			wantCounts(t, g, Counts{Enqueued: 10, Delivered: 7, Settled: 5, Dead: 2})
		}
		size := func() int64 {
			n, err := s.client.DBSize(ctx).Result()
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := size(); n != 5 {
			t.Fatalf("%d keys; want 5: the stream, and outcomes and dead letters of two groups", n)
		}
		for range 2 { // closing twice is not an error
			if err := closed.Close(ctx); err != nil {
				t.Fatal(err)
			}
		}
		_, err := closed.Read(ctx, 1)
		wantError(t, "reading a closed group", err, ErrLost)
		if n := size(); n != 3 {
			t.Errorf("%d keys after closing a group; want 3", n)
		}
		for range 2 {
			if err := st.Delete(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := open.Close(ctx); err != nil {
			t.Errorf("closing a group of a deleted stream: %v", err)
		}
		if n := size(); n != 0 {
			t.Errorf("%d keys after deleting the stream; want 0", n)
		}
	})
}

// A program that is killed leaves nothing behind for good: every key expires.
func TestKeysExpire(t *testing.T) {
	each(t, func(t *testing.T, s *Server) {
		ctx := t.Context()
		ttl := func(key string) time.Duration {
			d, err := s.client.PTTL(ctx, key).Result()
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		// The test is not an hour long; a key without a time to expire has -1.
		wantWhole := func(what, key string) {
			t.Helper()
			if d := ttl(key); d <= KeptFor-time.Hour || d > KeptFor {
				t.Errorf("%s: expires in %v; want %v", what, d, KeptFor)
			}
		}
		shorten := func(key string) {
			if err := s.client.Expire(ctx, key, time.Hour).Err(); err != nil {
				t.Fatal(err)
			}
		}
		st, err := s.Create(ctx, "jobs")
		if err != nil {
			t.Fatal(err)
		}
		wantWhole("the stream when it is made", st.key)
		if _, err := st.Enqueue(ctx, jobs(10)); err != nil {
			t.Fatal(err)
		}
		wantWhole("the stream with jobs", st.key)
		shorten(st.key)
		g := group(t, st, "g")
		wantWhole("the stream with a new group", st.key)

		batch := done(read(t, g, 5))
		if err := g.Settle(ctx, batch[:1]); err != nil {
			t.Fatal(err)
		}
		wantWhole("the outcomes", g.outcomes)
		shorten(g.outcomes)
		// Only the first outcomes pay for it, whoever settles.
		for _, hands := range []*Group{g, g.With(Config{Consumer: "other"})} {
			if err := hands.Settle(ctx, batch[1:3]); err != nil {
				t.Fatal(err)
			}
			if d := ttl(g.outcomes); d <= 0 || d > time.Hour {
				t.Errorf("a later Settle set the time to expire again, to %v", d)
			}
		}
		if _, err := g.With(Config{MaxAttempts: -1}).Reclaim(ctx, 0, 10); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, g, Counts{Enqueued: 10, Delivered: 5, Settled: 3, Dead: 2})
		wantWhole("the dead letters", g.dead)

		keys, err := s.client.Keys(ctx, "*").Result()
		if err != nil || len(keys) != 3 {
			t.Fatalf("keys %q, %v; want 3", keys, err)
		}
	})
}

// A first Settle whose reply was lost is not a reason to leave the outcomes for good.
func TestOutcomesExpireAfterAFailure(t *testing.T) {
	each(t, func(t *testing.T, s *Server) {
		g := group(t, enqueued(t, s, 2), "g")
		batch := done(read(t, g, 2))
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.Settle(cancelled, batch); !errors.Is(err, context.Canceled) {
			t.Fatalf("Settle: %v; want %v", err, context.Canceled)
		}
		if err := g.Settle(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if d, err := s.client.TTL(t.Context(), g.outcomes).Result(); d <= 0 || err != nil {
			t.Errorf("the outcomes expire in %v, %v; want %v", d, err, KeptFor)
		}
	})
}

func TestFlushedInTheMiddle(t *testing.T) {
	each(t, func(t *testing.T, s *Server) {
		ctx := t.Context()
		st := enqueued(t, s, 10)
		g := group(t, st, "g")
		jobs := read(t, g, 5)
		if err := g.Settle(ctx, done(jobs[:2])); err != nil {
			t.Fatal(err)
		}
		if err := s.client.FlushAll(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		calls := map[string]func() error{
			"Read":    func() error { _, err := g.Read(ctx, 5); return err },
			"Settle":  func() error { return g.Settle(ctx, done(jobs[2:])) },
			"Reclaim": func() error { _, err := g.Reclaim(ctx, 0, 5); return err },
			"Count":   func() error { _, err := g.Count(ctx); return err },
			"Group":   func() error { _, err := st.Group(ctx, "next"); return err },
			"Enqueue": func() error {
				_, err := st.Enqueue(ctx, slices.Values([]workload.Job{{ID: 10}}))
				return err
			},
		}
		for name, call := range calls {
			wantError(t, name, call(), ErrLost, s.where, "flushed")
		}
		// What Settle wrote before it knew goes too.
		if err := errors.Join(g.Close(ctx), st.Delete(ctx)); err != nil {
			t.Error(err)
		}
		if n, err := s.client.DBSize(ctx).Result(); n != 0 || err != nil {
			t.Errorf("%d keys left, %v", n, err)
		}
	})
}

func TestKilledInTheMiddle(t *testing.T) {
	each(t, func(t *testing.T, s *Server) {
		ctx := t.Context()
		st := enqueued(t, s, 10)
		g := group(t, st, "g")
		jobs := read(t, g, 5)
		if err := s.proc.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		calls := map[string]func() error{
			"Read":    func() error { _, err := g.Read(ctx, 5); return err },
			"Settle":  func() error { return g.Settle(ctx, []Settlement{{ID: jobs[0].ID, Status: models.Done}}) },
			"Count":   func() error { _, err := g.Count(ctx); return err },
			"Enqueue": func() error { _, err := st.Enqueue(ctx, slices.Values([]workload.Job{{ID: 10}})); return err },
			"Stats":   func() error { _, err := s.Stats(ctx); return err },
			"Delete":  func() error { return st.Delete(ctx) },
		}
		for name, call := range calls {
			wantError(t, name, call(), ErrLost, s.name, "died (signal: killed)")
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}
