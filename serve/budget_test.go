package serve_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"forkbench/serve"
)

// The service earns a share of the time, saves little of it, and pays its debts.
func TestBudget(t *testing.T) {
	ms := time.Millisecond
	got := serve.BudgetWaits(t, 0.01, [][2]time.Duration{
		{0, 0},
		{time.Second, 60 * ms}, // 50 saved at the most
		{time.Second, 0},
		{time.Hour, 50 * ms},
		{0, 200 * ms}, // one request that took long
		{10 * time.Second, 50 * ms},
		{15 * time.Second, 0},
	})
	want := []time.Duration{0, time.Second, 0, 0, 20 * time.Second, 15 * time.Second, 0}
	if !slices.Equal(got, want) {
		t.Errorf("waits %v, want %v", got, want)
	}
}

// While a comparison is measured, reading takes next to nothing of the cores: then it is
// refused for a time, and what must not wait is not.
func TestReadingIsSparing(t *testing.T) {
	var spent atomic.Int64
	x := begin(t, serve.Options{Runs: true}, func(s *serve.Server) {
		s.SetBudget(0.01, func() time.Duration { return time.Duration(spent.Load()) })
	})
	ask := func(method, path, body string, want int) answered {
		t.Helper()
		a := x.do(method, path, body, isJSON, "Accept: text/html")
		if a.status != want {
			t.Errorf("%s %s: %d, want %d: %s", method, path, a.status, want, a.body)
		}
		return a
	}
	spent.Add(int64(time.Hour)) // before, which counts for nothing
	live := x.start(long)
	x.working(live)
	ask("GET", "/api/v1/runs", "", 200)
	spent.Add(int64(100 * time.Second))
	a := ask("GET", "/api/v1/runs", "", http.StatusTooManyRequests)
	if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < 9000 || n > 10000 || !strings.Contains(a.header.Get("Content-Type"), "problem+json") {
		t.Errorf("it says %s", a.header)
	}
	for _, path := range []string{"/", "/runs/" + live, "/api/v1/runs/" + live, "/api/v1/runs/" + live + "/files/records.jsonl", "/metrics", "/docs", "/diff"} {
		if a := ask("GET", path, "", http.StatusTooManyRequests); a.header.Get("Refresh") != a.header.Get("Retry-After") {
			t.Errorf("%s: %s", path, a.header)
		}
	}
	ask("DELETE", "/api/v1/runs/"+live, "", http.StatusTooManyRequests)
	for _, path := range []string{"/healthz", "/login", "/static/style.css"} {
		ask("GET", path, "", 200)
	}
	ask("POST", "/runs/"+live+"/cancel", "", http.StatusSeeOther)
	if a := ask("GET", "/api/v1/runs/"+live+"/events", "", 200); !strings.Contains(a.body, "event: end") { // it ends with the run
		t.Errorf("the events: %s", a.body)
	}
	for x.do("GET", "/api/v1/runs/"+live, "").status == http.StatusTooManyRequests {
		continue // it has ended, and the queue is about to know
	}
	x.until(live, serve.Cancelled)
}
