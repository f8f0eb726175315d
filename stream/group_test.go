package stream

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"forkbench/models"
	"forkbench/workload"
)

func done(jobs []workload.Job) []Settlement {
	batch := make([]Settlement, len(jobs))
	for i, job := range jobs {
		batch[i] = Settlement{ID: job.ID, Status: models.Done}
	}
	return batch
}

func TestReadGivesTheJobsAsEnqueued(t *testing.T) {
	each(t, func(t *testing.T, s *Server) {
		const n = 2000 // several pipelines
		st := enqueued(t, s, n)
		want := make([]workload.Job, 0, n)
		for job := range jobs(n) {
			job.Attempt = 1
			want = append(want, job)
		}
		for _, name := range []string{"prefork-0", "hybrid-0"} {
			g := group(t, st, name)
			var got []workload.Job
			for {
				batch, err := g.Read(t.Context(), 300)
				if err != nil {
					t.Fatal(err)
				}
				if len(batch) == 0 {
					break
				}
				got = append(got, batch...)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("group %s: read %d jobs, not the %d that were enqueued", name, len(got), n)
			}
			wantCounts(t, g, Counts{Enqueued: n, Delivered: n, Pending: n})
		}
	})
}

func TestReadersShareTheJobs(t *testing.T) {
	each(t, func(t *testing.T, s *Server) {
		const n, readers = 3000, 4
		g := group(t, enqueued(t, s, n), "g")
		var seen [n]atomic.Int32
		var eg errgroup.Group
		for i := range 2 * readers {
			// Half of them are consumers of their own, half share one.
			mine := g
			if i%2 == 0 {
				mine = g.With(Config{Consumer: fmt.Sprint("reader-", i)})
			}
			eg.Go(func() error {
				for {
					jobs, err := mine.Read(t.Context(), 7)
					if err != nil || len(jobs) == 0 {
						return err
					}
					for _, job := range jobs {
						seen[job.ID].Add(1)
					}
					if err := mine.Settle(t.Context(), done(jobs)); err != nil {
						return err
					}
				}
			})
		}
		if err := eg.Wait(); err != nil {
			t.Fatal(err)
		}
		for id := range seen {
			if k := seen[id].Load(); k != 1 {
				t.Errorf("job %d was read %d times", id, k)
			}
		}
		wantCounts(t, g, Counts{Enqueued: n, Delivered: n, Settled: n})
	})
}

func TestSettle(t *testing.T) {
	each(t, func(t *testing.T, s *Server) {
		g := group(t, enqueued(t, s, 6), "g")
		read(t, g, 5)
		batch := []Settlement{
			{ID: 0, Status: models.Done},
			{ID: 1, Status: models.Done, Result: []byte(`{"row":1}`)},
			{ID: 2, Status: models.Failed, Detail: "Traceback:\n  \"x\""},
			{ID: 3, Status: models.Crashed},
		}
		want := map[string]string{
			"1-0": "done",
			"2-0": `{"status":"done","result":{"row":1}}`,
			"3-0": `{"status":"failed","detail":"Traceback:\n  \"x\""}`,
			"4-0": "crashed",
		}
		for range 2 { // the second time changes nothing
			if err := g.Settle(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			wantCounts(t, g, Counts{Enqueued: 6, Delivered: 5, Settled: 4, Pending: 1})
			got, err := s.client.HGetAll(t.Context(), g.outcomes).Result()
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("outcomes %v, %v; want %v", got, err, want)
			}
		}
		if err := g.Settle(t.Context(), nil); err != nil {
			t.Errorf("nothing to settle: %v", err)
		}
		wantError(t, "no status", g.Settle(t.Context(), []Settlement{{ID: 4}}), nil, "job 4", "status 0")
		wantError(t, "no JSON", g.Settle(t.Context(), []Settlement{{ID: 4, Status: models.Done, Result: []byte("{")}}), nil, "job 4", "result")
		wantCounts(t, g, Counts{Enqueued: 6, Delivered: 5, Settled: 4, Pending: 1})
	})
}

func TestReclaim(t *testing.T) {
	each(t, func(t *testing.T, s *Server) {
		ctx := t.Context()
		g := group(t, enqueued(t, s, 10), "g")
		dead := g.With(Config{Consumer: "dead"})
		read(t, dead, 6)
		if err := dead.Settle(ctx, []Settlement{{ID: 2, Status: models.Done}}); err != nil {
			t.Fatal(err)
		}

		// None is old enough.
		if jobs, err := g.Reclaim(ctx, time.Hour, 10); len(jobs) != 0 || err != nil {
			t.Errorf("Reclaim of entries idle for an hour: %v, %v", jobs, err)
		}
		ids := func(jobs []workload.Job) (ids []uint64) {
			for _, job := range jobs {
				if !bytes.Equal(job.Payload, payload(int(job.ID))) {
					t.Errorf("job %d came with payload %s", job.ID, job.Payload)
				}
				ids = append(ids, job.ID)
			}
			return ids
		}
		for attempt := 2; attempt <= DefaultMaxAttempts; attempt++ {
			jobs, err := g.Reclaim(ctx, 0, 10)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := ids(jobs), []uint64{0, 1, 3, 4, 5}; !slices.Equal(got, want) {
				t.Fatalf("attempt %d: reclaimed %v; want %v", attempt, got, want)
			}
			for _, job := range jobs {
				if job.Attempt != attempt {
					t.Errorf("job %d: attempt %d; want %d", job.ID, job.Attempt, attempt)
				}
			}
		}
		// What is left are jobs that nobody had; they come after the reclaimed.
		if got := ids(read(t, g, 1)); got[0] != 6 {
			t.Errorf("read %v after reclaiming; want [6]", got)
		}
		// Another limit: two more attempts for one job, no more for the others.
		patient := g.With(Config{Consumer: "patient", MaxAttempts: 5})
		if jobs, err := patient.Reclaim(ctx, 0, 1); err != nil || !slices.Equal(ids(jobs), []uint64{0}) || jobs[0].Attempt != 4 {
			t.Errorf("reclaiming one job: %v, %v; want job 0, attempt 4", jobs, err)
		}
		// Job 6 was read once, so it is reclaimed; the others had enough.
		jobs, err := g.Reclaim(ctx, 0, 10)
		if err != nil || !slices.Equal(ids(jobs), []uint64{6}) {
			t.Errorf("after the last attempt: %v, %v; want job 6", jobs, err)
		}
		letters, err := g.DeadLetters(ctx, 10)
		if err != nil || len(letters) != 5 {
			t.Fatalf("dead letters: %v, %v; want 5", letters, err)
		}
		want := DeadLetter{Entry: "2-0", Attempts: 3, Reason: "delivered 3 times and never settled", Payload: []byte("[1]")}
		if !reflect.DeepEqual(letters[1], want) {
			t.Errorf("dead letter %+v; want %+v", letters[1], want)
		}
		wantCounts(t, g, Counts{Enqueued: 10, Delivered: 7, Settled: 1, Pending: 1, Dead: 5})
	})
}

// A reader is told that nothing is left only when it is so, not when a batch had
// dead letters only.
func TestMalformedEntries(t *testing.T) {
	bad := []struct {
		id     string
		fields []string
		reason string
	}{
		{"5-0", []string{"due", "0"}, "missing"},
		{"6-0", []string{"payload", "[]"}, "missing"},
		{"7-0", []string{"payload", "[]", "due", "soon"}, `"soon"`},
		{"8-0", []string{"payload", "[]", "due", "-1"}, `"-1"`},
		{"9-0", []string{"payload", "[]", "due", "9223372036854775808"}, "9223372036854775808"},
		{"10-0", []string{"payload", "[]", "due", "0", "color", "red"}, `"color"`},
		{"11-0", []string{"payload", "[]", "due", "0", "due", "1"}, `"due"`},
		{"12-7", []string{"payload", "[]", "due", "0"}, "ID"},
	}
	each(t, func(t *testing.T, s *Server) {
		ctx := t.Context()
		st := enqueued(t, s, 4)
		for _, b := range bad {
			args := []any{"xadd", st.key, b.id}
			for _, f := range b.fields {
				args = append(args, f)
			}
			if err := s.client.Do(ctx, args...).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.client.Do(ctx, "xadd", st.key, "13-0", "due", "7", "payload", "last").Err(); err != nil {
			t.Fatal(err)
		}
		g := group(t, st, "g")
		read(t, g, 4)
		last := read(t, g, 1)[0]
		if want := (workload.Job{ID: 12, Payload: []byte("last"), Due: 7, Attempt: 1}); !reflect.DeepEqual(last, want) {
			t.Errorf("job after the malformed ones: %+v; want %+v", last, want)
		}
		letters, err := g.DeadLetters(ctx, 100)
		if err != nil || len(letters) != len(bad) {
			t.Fatalf("%d dead letters, %v; want %d", len(letters), err, len(bad))
		}
		for i, l := range letters {
			if l.Entry != bad[i].id || l.Attempts != 1 || !strings.Contains(l.Reason, bad[i].reason) {
				t.Errorf("dead letter %+v; want entry %s and %q in the reason", l, bad[i].id, bad[i].reason)
			}
		}
		wantCounts(t, g, Counts{Enqueued: 13, Delivered: 13, Pending: 5, Dead: 8})
	})
}

// The reply to a read gets lost when the connection breaks under it. Its jobs
// must come again, and none of them twice.
func TestLostRepliesAreReadAgain(t *testing.T) {
	each(t, func(t *testing.T, s *Server) {
		ctx := t.Context()
		st := enqueued(t, s, 30)
		proxy := startFlaky(t, s.socket)
		client, err := Connect(ctx, "unix://"+proxy.socket)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		g := group(t, &Stream{server: client, key: st.key}, "g")
		attempts := make(map[uint64]int)
		note := func(jobs []workload.Job) {
			for _, job := range jobs {
				if before := attempts[job.ID]; before != 0 {
					t.Errorf("job %d came twice", job.ID)
				}
				attempts[job.ID] = job.Attempt
			}
		}
		note(read(t, g, 4))
		proxy.cut.Store(true)
		if jobs, err := g.Read(ctx, 5); err == nil {
			t.Fatalf("read %d jobs through a broken connection", len(jobs))
		}
		// Another consumer goes on meanwhile.
		note(read(t, g.With(Config{Consumer: "other"}), 6))
		for {
			jobs, err := g.Read(ctx, 3) // fewer at once than were lost
			if err != nil {
				t.Fatal(err)
			}
			if len(jobs) == 0 {
				break
			}
			note(jobs)
		}
		for id := range uint64(30) {
			want := 1
			if 4 <= id && id < 9 {
				want = 2
			}
			if attempts[id] != want {
				t.Errorf("job %d: attempt %d; want %d", id, attempts[id], want)
			}
		}
		// Settling through a broken connection works by itself: it can be
		// repeated.
		var all []Settlement
		for id := range attempts {
			all = append(all, Settlement{ID: id, Status: models.Done})
		}
		proxy.cut.Store(true)
		if err := g.Settle(ctx, all); err != nil {
			t.Errorf("settling through a broken connection: %v", err)
		}
		wantCounts(t, g, Counts{Enqueued: 30, Delivered: 30, Settled: 30})
	})
}

func TestReclaimRecoversALostReplyFirst(t *testing.T) {
	s := startServer(t, "miniredis", miniredisCommand)
	ctx := t.Context()
	st := enqueued(t, s, 8)
	proxy := startFlaky(t, s.socket)
	client, err := Connect(ctx, "unix://"+proxy.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	g := group(t, &Stream{server: client, key: st.key}, "g")
	proxy.cut.Store(true)
	if _, err := g.Read(ctx, 3); err == nil {
		t.Fatal("read through a broken connection")
	}
	jobs, err := g.Reclaim(ctx, time.Hour, 10)
	if err != nil || len(jobs) != 3 || jobs[0].ID != 0 || jobs[0].Attempt != 2 {
		t.Errorf("Reclaim after a lost reply: %+v, %v; want the jobs 0 to 2 again", jobs, err)
	}
	if jobs := read(t, g, 5); jobs[0].ID != 3 {
		t.Errorf("the next new job is %d; want 3", jobs[0].ID)
	}
}

// A server that was restarted from an old snapshot would hand out jobs again.
func TestServerWentBackInTime(t *testing.T) {
	s := startRedis(t) // miniredis has no XGROUP SETID
	g := group(t, enqueued(t, s, 10), "g")
	read(t, g, 5)
	if err := s.client.XGroupSetID(t.Context(), g.stream.key, g.name, "2-0").Err(); err != nil {
		t.Fatal(err)
	}
	_, err := g.Read(t.Context(), 5)
	wantError(t, "reading jobs again", err, ErrLost, "job 2", "delivered twice")
}

func TestGroupArguments(t *testing.T) {
	s := startServer(t, "miniredis", miniredisCommand)
	ctx := t.Context()
	st := enqueued(t, s, 1)
	g := group(t, st, "g")
	_, err := st.Group(ctx, "g")
	wantError(t, "a group that exists", err, nil, "BUSYGROUP")
	_, err = st.Group(ctx, "")
	wantError(t, "a group without name", err, nil, "name")
	for _, n := range []int{0, -1} {
		_, err = g.Read(ctx, n)
		wantError(t, "Read", err, nil, fmt.Sprint(n), "at least 1")
		_, err = g.Reclaim(ctx, 0, n)
		wantError(t, "Reclaim", err, nil, fmt.Sprint(n), "at least 1")
	}
	_, err = g.Reclaim(ctx, -1, 1)
	wantError(t, "Reclaim", err, nil, "-1ns")
}
