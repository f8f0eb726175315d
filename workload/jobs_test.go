package workload

import (
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJobs(t *testing.T) {
	w, a := mustParse(t, "crash:50%"), mustParseArrivals(t, "rate:100")
	var got []Job
	for j := range Jobs(w, a, 6, 3) {
		got = append(got, j)
	}
	var want []Job
	for id := range uint64(3) {
		want = append(want, Job{ID: id, Payload: w.Payload(6, id), Due: time.Duration(id) * 10 * time.Millisecond, Attempt: 1})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestJobsCount(t *testing.T) {
	w, a := mustParse(t, "noop"), mustParseArrivals(t, "burst")
	for n, want := range map[int]int{-1: 0, 0: 0, 1: 1, 1000: 1000} {
		got := 0
		for range Jobs(w, a, 1, n) {
			got++
		}
		if got != want {
			t.Errorf("%d jobs of %d", got, n)
		}
	}
	for j := range Jobs(w, a, 1, 10) {
		if j.ID == 2 {
			break // and it stops without a panic
		}
	}
}

// TestJobsMakesNoMore checks that due times are asked for one by one, and no
// more of them than there are jobs.
func TestJobsMakesNoMore(t *testing.T) {
	asked := 0
	for j := range Jobs(mustParse(t, "noop"), counting{&asked}, 1, 5) {
		if asked != int(j.ID)+1 {
			t.Errorf("job %d: %d due times were asked for", j.ID, asked)
		}
	}
	if asked != 5 {
		t.Errorf("%d due times for 5 jobs", asked)
	}
}

type counting struct{ asked *int }

func (counting) String() string { return "counting" }

func (c counting) Due(uint64) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		for {
			*c.asked++
			if !yield(0) {
				return
			}
		}
	}
}

func BenchmarkJobs(b *testing.B) {
	for _, spec := range []string{"noop", "record_event", "90%cpu:1ms,10%cpu:50ms"} {
		b.Run(spec, func(b *testing.B) {
			for range Jobs(mustParse(b, spec), mustParseArrivals(b, "poisson:100"), 1, b.N) {
			}
		})
	}
}
