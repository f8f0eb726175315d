package stream

import (
	"fmt"
	"testing"

	"forkbench/models"
)

// The way of a job through the stream: its share of a Read and of a Settle. What
// is reported is this process and the server together, on whatever cores there
// are.
func BenchmarkReadSettle(b *testing.B) {
	servers := []struct {
		name  string
		start func() *Server
	}{
		{"redis-server", func() *Server { return startRedis(b) }},
		{"miniredis", func() *Server { return startServer(b, "miniredis", miniredisCommand) }},
	}
	for _, server := range servers {
		for _, size := range []int{16, 256} {
			b.Run(fmt.Sprintf("%s/batch=%d", server.name, size), func(b *testing.B) {
				s := server.start()
				g := group(b, enqueued(b, s, b.N), "g")
				batch := make([]Settlement, 0, size)
				before, err := s.Stats(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				b.ResetTimer()
				for done := 0; done < b.N; {
					jobs, err := g.Read(b.Context(), size)
					if err != nil || len(jobs) == 0 {
						b.Fatal(done, err)
					}
					batch = batch[:0]
					for _, job := range jobs {
						batch = append(batch, Settlement{ID: job.ID, Status: models.Done})
					}
					if err := g.Settle(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
					done += len(jobs)
				}
				b.StopTimer()
				after, err := s.Stats(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
				b.ReportMetric(float64(after.CPU.Sub(before.CPU).Total().Nanoseconds())/float64(b.N), "server-ns/op")
			})
		}
	}
}

func BenchmarkEnqueue(b *testing.B) {
	s := startRedis(b)
	b.ReportAllocs()
	b.ResetTimer()
	enqueued(b, s, b.N)
}
