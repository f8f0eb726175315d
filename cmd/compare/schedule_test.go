package main

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLongSchedules: jobs that come over more than ten minutes are refused with
// the length, what makes it, and the way out; or announced, where that is allowed.
func TestLongSchedules(t *testing.T) {
	b := newBench(t)
	// One job of January, and the others of December.
	if err := os.WriteFile("queue.jsonl", []byte(`{"function":"os.getpid","at_s":0}`+"\n"+
		`{"function":"os.getpid","at_s":28512000}`+"\n"+`{"function":"os.getpid","at_s":28512001}`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("trace", []byte("0\n0.01\n0.02\n400\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := []string{"--workload=jobs:queue.jsonl", "--model=prefork", "--rounds=1", "--out=out", "--force"}
	for _, test := range []struct {
		args string
		code exitCode
		want []string
	}{
		{"--arrivals=jobs:queue.jsonl --jobs=3", exitUsage, []string{
			"--arrivals=jobs:queue.jsonl: the jobs come over 330 days in each round", "330 days of it are one wait, before job 2", "--max-duration=7921h"}},
		{"--arrivals=jobs:queue.jsonl --jobs=3 --model=all --rounds=2", exitUsage, []string{"1980 days in all"}},
		{"--arrivals=jobs:queue.jsonl --jobs=3 --max-duration=2h", exitUsage, []string{"--max-duration=2h: --arrivals=jobs:queue.jsonl: the jobs come over 330 days"}},
		{"--arrivals=jobs:queue.jsonl --jobs=1000", exitUsage, []string{"centuries in all"}},
		{"--arrivals=trace:trace --jobs=4 --rounds=2", exitUsage, []string{"6 min 40 s in each round of each model, 13 min 20 s in all", "6 min 39 s of it are one wait, before job 4", "--max-duration=1h"}},
		{"--arrivals=rate:1/s --jobs=700", exitUsage, []string{"11 min 39 s", "--arrivals=burst takes none"}},
		{"--arrivals=trace:trace --jobs=3 --max-duration=1000d", exitUsage, []string{"not a duration"}},
		{"--arrivals=trace:trace --jobs=3 --max-duration=0s", exitUsage, []string{"must be more than 0"}},
		{"--arrivals=trace:trace --jobs=3", exitDone, nil},
		{"--arrivals=trace:trace --jobs=3 --max-duration=1ms", exitUsage, []string{"--max-duration=1ms"}},
		{"--jobs=3", exitDone, nil},
	} {
		r := b.run(slices.Concat(run, strings.Fields(test.args))...)
		r.want(t, test.code, test.want...)
		if strings.Contains(r.stderr, "notice: the jobs") {
			t.Errorf("%s: announced: %s", test.args, r.stderr)
		}
	}
}

// TestAnnouncedSchedule interrupts a run that was allowed to take long: its
// length was said before.
func TestAnnouncedSchedule(t *testing.T) {
	b := newBench(t)
	c := b.start("--workload=noop", "--arrivals=rate:1/s", "--jobs=1000", "--rounds=1", "--model=prefork", "--max-duration=1h", "--out=out")
	c.eventually("it says how long it takes", func() bool {
		return strings.Contains(c.stderr.String(), "notice: the jobs come over 16 min 39 s in each round of each model, 16 min 39 s in all")
	})
	c.signal(os.Interrupt)
	c.wait()
}

func TestLasting(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		0: "0 s", 1500 * time.Millisecond: "1.5 s", time.Minute: "1 min", 12*time.Minute + 30*time.Second: "12 min 30 s",
		2 * time.Hour: "2 h", 2*time.Hour + 5*time.Minute: "2 h 5 min", day + time.Hour: "1 day 1 h", 330 * day: "330 days", 2970*day + time.Hour: "2970 days",
		math.MaxInt64: "centuries",
	} {
		if got := lasting(d); got != want {
			t.Errorf("%v: %q; want %q", d, got, want)
		}
	}
}
