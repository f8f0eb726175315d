package stream

import (
	"testing"
	"time"

	"forkbench/record"
)

func TestStats(t *testing.T) {
	each(t, func(t *testing.T, s *Server) {
		ctx := t.Context()
		before, err := s.Stats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		const n = 5000
		st := enqueued(t, s, n)
		g := group(t, st, "g")
		for range 50 {
			if err := g.Settle(ctx, done(read(t, g, 100))); err != nil {
				t.Fatal(err)
			}
		}
		after, err := s.Stats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !before.CPUKnown || !after.CPUKnown {
			t.Error("the CPU of a private server is not known")
		}
		used := after.CPU.Sub(before.CPU)
		if before.CPU.Total() <= 0 || used.Total() <= 0 || used.User < 0 || used.System < 0 {
			t.Errorf("CPU %+v, before %+v", after.CPU, before.CPU)
		}
		// n XADD, 50 each of XREADGROUP, HSET and XACK, and a few to begin with.
		if got := after.Commands - before.Commands; got < n+150 || got > n+200 {
			t.Errorf("%d commands; want %d and a few", got, n+150)
		}

		yours, err := Connect(ctx, "unix://"+s.socket)
		if err != nil {
			t.Fatal(err)
		}
		defer yours.Close()
		stats, err := yours.Stats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if stats.Commands <= after.Commands {
			t.Errorf("%d commands; want more than the %d before", stats.Commands, after.Commands)
		}
		if want := s.name != "miniredis"; stats.CPUKnown != want || (stats.CPU.Total() > 0) != want {
			t.Errorf("CPU %+v, known %v; want %v", stats.CPU, stats.CPUKnown, want)
		}

		// What wait4 says in the end agrees. It counts in microseconds.
		last, err := s.Stats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		wantClosed(t, s)
		state := s.proc.cmd.ProcessState
		if total := state.UserTime() + state.SystemTime() + 2*time.Microsecond; total < last.CPU.Total() {
			t.Errorf("CPU %v while it ran, %v in the end", last.CPU.Total(), total)
		}
	})
}

func TestSplit(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		total        time.Duration
		user, system uint64
		before, want record.CPU
	}{
		{0, 0, 0, record.CPU{}, record.CPU{}},
		{3 * ms, 0, 0, record.CPU{}, record.CPU{User: 3 * ms}},
		{40 * ms, 3, 1, record.CPU{}, record.CPU{User: 30 * ms, System: 10 * ms}},
		{40 * ms, 0, 4, record.CPU{}, record.CPU{System: 40 * ms}},
		// The ratio jumps from tick to tick; the parts only grow.
		{10 * ms, 0, 1, record.CPU{User: 9 * ms}, record.CPU{User: 9 * ms, System: 1 * ms}},
		{10 * ms, 1, 0, record.CPU{System: 9 * ms}, record.CPU{User: 1 * ms, System: 9 * ms}},
	}
	for _, tt := range tests {
		if got := split(tt.total, tt.user, tt.system, tt.before); got != tt.want {
			t.Errorf("split(%v, %d, %d, %v) = %v; want %v", tt.total, tt.user, tt.system, tt.before, got, tt.want)
		}
	}
}

func TestStatTicks(t *testing.T) {
	const rest = " S 1 2 3 0 -1 4194560 100 0 0 0 17 4 0 0 20 0 5 0 100 1000 100"
	for _, name := range []string{"(redis-server)", "(a b) c)", "()"} {
		user, system, err := statTicks([]byte("42 " + name + rest))
		if user != 17 || system != 4 || err != nil {
			t.Errorf("%s: %d, %d, %v; want 17, 4", name, user, system, err)
		}
	}
	for _, bad := range []string{"", ")", "42 (x) S 1 2", "42 (x) S 1 2 3 0 -1 4194560 100 0 0 0 x 4 0", "42 (x) S 1 2 3 0 -1 4194560 100 0 0 0 4 -1 0"} {
		if _, _, err := statTicks([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
