package capture

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
)

// BenchmarkRecord records queues of 100,000 jobs: jobs per second, and how much
// the heap is larger half way through.
func BenchmarkRecord(b *testing.B) {
	const n, pieces = 100_000, 1000
	client := serve(b)
	ctx := b.Context()
	for from := 0; from < n; from += pieces {
		_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := from; i < from+pieces; i++ {
				id := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
				args := `[` + strconv.Itoa(i) + `,"some text, as arguments have it"],{"named":[1,2,3]}`
				p.HSet(ctx, "rq"+rqJob+id, "data", `["app.tasks.send",null,`+args+`]`, "enqueued_at", "2026-01-31T12:00:00.5Z", "status", "queued")
				p.RPush(ctx, "rq"+rqQueue+"q", id)
				p.LPush(ctx, "q", message("app.tasks.send", `[`+args+`,{}]`, nil))
			}
			return nil
		})
		check(b, err)
	}
	for _, q := range []Queue{{System: RQ, Name: "q"}, {System: Celery, Name: "q"}} {
		b.Run(string(q.System), func(b *testing.B) {
			for b.Loop() {
				before, during := heap(), uint64(0)
				count := 0
				jobs := func(yield func(Job, error) bool) {
					for job, err := range Jobs(ctx, client, q, 0) {
						if count++; count == n/2 {
							during = heap()
						}
						if !yield(job, err) {
							return
						}
					}
				}
				s, err := Record(context.Background(), io.Discard, jobs, Options{})
				if err != nil || s.Jobs != n {
					b.Fatalf("%d jobs, %v", s.Jobs, err)
				}
				b.ReportMetric((float64(during)-float64(before))/1e6, "MB")
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}

// heap is what is in use, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
