package stream

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"forkbench/models"
)

// A told keeps what a patience tells.
type told struct {
	mu    sync.Mutex
	lines []string
	first chan struct{} // closed with the first line
}

func newTold() *told { return &told{first: make(chan struct{})} }

func (t *told) tell(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lines = append(t.lines, text); len(t.lines) == 1 {
		close(t.first)
	}
}

// text is all of it, once something was told.
func (t *told) text() string {
	<-t.first
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}

// A users is a server with its data in a directory, as a user's own is, and a
// connection to it that is patient.
type users struct {
	*Server
	t     *testing.T
	dir   string
	own   *Server // that it runs as
	admin *redis.Client
	log   *told
}

func startUsers(t *testing.T, limit time.Duration) *users {
	t.Helper()
	u := &users{t: t, dir: shortDir(t), log: newTold()}
	u.start()
	s, err := Connect(t.Context(), "unix://"+filepath.Join(u.dir, socketName)+"?max_retries=-1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { wantClosed(t, s) })
	u.Server = s
	s.SetPatience(limit, u.log.tell)
	u.admin = redis.NewClient(privateOptions(filepath.Join(u.dir, socketName)))
	t.Cleanup(func() { _ = u.admin.Close() }) // nothing of it matters
	return u
}

func (u *users) start() {
	u.t.Helper()
	path := redisPath(u.t)
	s, err := start(context.Background(), u.dir, zap.NewNop(), "redis-server", func(socket string) (*exec.Cmd, func(), error) {
		cmd, ask, err := redisCommand(path)(socket)
		cmd.Args = append(cmd.Args, "--appendonly", "yes", "--appendfsync", "always")
		return cmd, ask, err
	})
	if err != nil {
		u.t.Fatal(err)
	}
	u.own = s
	u.t.Cleanup(func() { wantClosed(u.t, s) })
}

func (u *users) signal(sig unix.Signal) {
	u.t.Helper()
	if err := unix.Kill(u.own.Pid(), sig); err != nil {
		u.t.Error(err)
	}
}

func (u *users) do(args ...any) {
	u.t.Helper()
	if err := u.admin.Do(context.Background(), args...).Err(); err != nil {
		u.t.Error(err)
	}
}

// TestAbsencesAreWaitedFor: the server goes away with work in hand and comes back
// with its data. Nothing is missing, and nothing comes twice.
func TestAbsencesAreWaitedFor(t *testing.T) {
	tests := []struct {
		name       string
		away, back func(u *users)
		told       string
	}{
		{"restarted", func(u *users) { wantClosed(u.t, u.own) }, (*users).start, "is it running?"},
		{"stopped", func(u *users) { u.signal(unix.SIGSTOP) }, func(u *users) { u.signal(unix.SIGCONT) }, "no answer for 2s"},
		{"full", func(u *users) { u.do("config", "set", "maxmemory", "1") }, func(u *users) { u.do("config", "set", "maxmemory", "0") }, "memory is full"},
		{"failed over", func(u *users) { u.do("replicaof", "127.0.0.1", freePort(u.t)) }, func(u *users) { u.do("replicaof", "no", "one") }, "read-only replica"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			u := startUsers(t, time.Minute)
			g := group(t, enqueued(t, u.Server, 10), "g")
			read(t, g, 4)
			test.away(u)
			settled := make(chan error, 1)
			go func() {
				settled <- g.Settle(t.Context(), []Settlement{{ID: 0, Status: models.Done}, {ID: 1, Status: models.Done}})
			}()
			text := u.log.text()
			test.back(u)
			if err := <-settled; err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{test.told, "waiting for it", "--redis-patience"} {
				if !strings.Contains(text, want) {
					t.Errorf("it was told %q; want %q in it", text, want)
				}
			}
			if text := u.log.text(); !strings.Contains(text, "is there again, after") {
				t.Errorf("it was told %q", text)
			}
			read(t, g, 6)
			wantCounts(t, g, Counts{Enqueued: 10, Delivered: 10, Settled: 2, Pending: 8})
			if u.Away() == 0 {
				t.Error("it was never away")
			}
		})
	}
}

// TestPatienceEnds: a server that does not come back is waited for once, for as long
// as was said.
func TestPatienceEnds(t *testing.T) {
	const limit = 150 * time.Millisecond
	u := startUsers(t, limit)
	g := group(t, enqueued(t, u.Server, 10), "g")
	read(t, g, 4)
	wantClosed(t, u.own)
	err := g.Settle(t.Context(), []Settlement{{ID: 0, Status: models.Done}})
	wantError(t, "Settle", err, nil, "is it running?", "it was waited for, for 150ms (--redis-patience)")
	away := u.Away()
	if away < limit {
		t.Errorf("away for %v; want at least %v", away, limit)
	}
	_, err = g.Read(t.Context(), 1)
	wantError(t, "Read", err, nil, "is it running?")
	if u.Away() != away {
		t.Errorf("it was waited for again: for %v and then %v", away, u.Away()-away)
	}
	u.start()
	read(t, g, 6)
}

// TestPatienceIsCutShort: who waits for a server can be told not to.
func TestPatienceIsCutShort(t *testing.T) {
	u := startUsers(t, time.Minute)
	g := group(t, enqueued(t, u.Server, 10), "g")
	wantClosed(t, u.own)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := g.Read(ctx, 1)
		failed <- err
	}()
	u.log.text()
	cancel()
	if err := <-failed; err == nil {
		t.Error("Read says nothing of it")
	}
}

// TestLostIsNotWaitedFor: what does not come back is known at once.
func TestLostIsNotWaitedFor(t *testing.T) {
	u := startUsers(t, time.Minute)
	g := group(t, enqueued(t, u.Server, 10), "g")
	u.do("flushall")
	_, err := g.Read(t.Context(), 1)
	wantError(t, "Read", err, ErrLost)
	if u.Away() != 0 {
		t.Errorf("it was waited for, for %v", u.Away())
	}
}

func TestPassing(t *testing.T) {
	for text, want := range map[string]bool{
		"LOADING Redis is loading the dataset in memory":                    true,
		"READONLY You can't write against a read only replica.":             true,
		"OOM command not allowed when used memory > 'maxmemory'.":           true,
		"CLUSTERDOWN The cluster is down":                                   true,
		"MASTERDOWN Link with MASTER is down":                               true,
		"TRYAGAIN Multiple keys request during rehashing of slot":           true,
		"MISCONF Errors writing to the AOF file: No space left on device":   true,
		"BUSY Redis is busy running a script.":                              true,
		"ERR max number of clients reached":                                 true,
		"NOAUTH Authentication required.":                                   false,
		"NOPERM this user has no permissions to run the 'xread' command":    false,
		"WRONGTYPE Operation against a key holding the wrong kind of value": false,
		"BUSYGROUP Consumer Group name already exists":                      false,
	} {
		if got := passing(fmt.Errorf("redis at there: %w", replyError(text))); got != want { // as explain wraps it
			t.Errorf("%s: passes %v; want %v", text, got, want)
		}
	}
}
