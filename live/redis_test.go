package live_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/stream"
)

// A usersRedis is a server that is somebody else's: with its data on a disk.
type usersRedis struct {
	t      testing.TB
	socket string
	cmd    *exec.Cmd
}

func startUsersRedis(t testing.TB) *usersRedis {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("redis-server is not installed")
	}
	dir, err := os.MkdirTemp("", "fb") // a socket's name must be short
	if err != nil {
		t.Fatal(err)
	}
	r := &usersRedis{t: t, socket: filepath.Join(dir, "s")}
	t.Cleanup(func() {
		r.stop()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	r.start()
	client := r.client()
	defer client.Close()
	for ping := errors.New("never asked"); ping != nil; {
		if r.cmd.ProcessState != nil || t.Context().Err() != nil {
			t.Fatalf("redis-server does not answer: %v", ping)
		}
		ping = client.Ping(t.Context()).Err()
	}
	return r
}

func (r *usersRedis) start() {
	r.cmd = exec.Command("redis-server", "--port", "0", "--unixsocket", r.socket, "--dir", filepath.Dir(r.socket),
		"--save", "", "--appendonly", "yes", "--appendfsync", "always")
	if err := r.cmd.Start(); err != nil {
		r.t.Error(err)
	}
}

// stop ends it, if it runs; killed, it has no time to say goodbye.
func (r *usersRedis) stop() {
	if r.cmd.ProcessState == nil {
		_ = r.cmd.Process.Kill() // it can only have ended
		_ = r.cmd.Wait()
	}
}

func (r *usersRedis) client() *redis.Client {
	return redis.NewClient(&redis.Options{Network: "unix", Addr: r.socket})
}

func (r *usersRedis) do(args ...any) {
	client := r.client()
	defer client.Close()
	if err := client.Do(context.Background(), args...).Err(); err != nil {
		r.t.Error(err)
	}
}

// ledger is the source of jobs that append what they are to a file: what ran is
// known from there, whatever is reported.
const ledger = `import os
def run(path, number):
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, b"%d\n" % number)
    os.close(file)
`

// redisRig is a rig on a user's server, that is waited for.
func redisRig(t *testing.T, patience time.Duration) (*rig, *usersRedis) {
	t.Helper()
	rig := newRig(t, script{text: ledger, function: "run"})
	users := startUsersRedis(t)
	server, err := stream.Connect(t.Context(), "unix://"+users.socket+"?read_timeout=1s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() }) // of one that is gone
	server.SetPatience(patience, func(text string) { t.Log(text) })
	rig.Server = server
	rig.machine = rig.Live(rig.machine.Workload, live.Python{}, 2)
	return rig, users
}

// runLedger runs so many jobs, and does something once some were settled. It returns
// how often each job ran.
func runLedger(t *testing.T, rig *rig, e models.Executor, jobs int, once func()) (*record.Round, *memorySink, map[string]int, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger")
	payloads := make([]string, jobs)
	for i := range payloads {
		payloads[i] = "[" + strconv.Quote(path) + "," + strconv.Itoa(i) + "]"
	}
	round, sink := rig.round(e.Name(), payloads...)
	sink.onJob = func(n int) {
		if n == 50 {
			once()
		}
	}
	done, err := rig.machine.Run(t.Context(), e, round)
	ran := make(map[string]int)
	for line := range strings.Lines(readFile(t, path)) {
		ran[line]++
	}
	for id, n := range ran {
		if n != 1 {
			t.Errorf("%s: job %s ran %d times", e.Name(), strings.TrimSpace(id), n)
		}
	}
	return done, sink, ran, err
}

// TestRedisRestarts: a server that comes back with its data is waited for, and every
// job is done, once.
func TestRedisRestarts(t *testing.T) {
	for _, e := range []models.Executor{prefork.Model{}, forkperjob.Model{}, hybrid.Model{}} {
		rig, users := redisRig(t, time.Minute)
		const jobs = 1000
		done, sink, ran, err := runLedger(t, rig, e, jobs, func() {
			users.stop()
			users.start()
		})
		if err != nil {
			t.Errorf("%s: %v", e.Name(), err)
		}
		if done.Settled != jobs || len(sink.jobs) != jobs || len(ran) != jobs {
			t.Errorf("%s: of %d jobs %d settled, %d are on record, %d ran", e.Name(), jobs, done.Settled, len(sink.jobs), len(ran))
		}
		// The client's own retries may have been enough.
		if (done.AwayNS > 0) != strings.Contains(done.Noise.Contaminated, "Redis was away") {
			t.Errorf("%s: away for %v, contaminated %q", e.Name(), done.AwayNS, done.Noise.Contaminated)
		}
	}
}

// TestRedisIsGone: where the server does not come back, or not with its data, the
// accounts are exact all the same. What ran is never lost or not run.
func TestRedisIsGone(t *testing.T) {
	faults := map[string]struct {
		fault func(*usersRedis)
		text  string
	}{
		"killed":  {(*usersRedis).stop, "--redis-patience"},
		"flushed": {func(r *usersRedis) { r.do("flushall") }, stream.ErrLost.Error()},
		"full":    {func(r *usersRedis) { r.do("config", "set", "maxmemory", "1") }, "memory is full"},
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			for _, e := range []models.Executor{prefork.Model{}, hybrid.Model{}} {
				rig, users := redisRig(t, 300*time.Millisecond)
				const jobs = 3000
				done, sink, ran, err := runLedger(t, rig, e, jobs, func() { f.fault(users) })
				if err == nil || !strings.Contains(err.Error(), f.text) {
					t.Errorf("%s: error %v; want %q in it", e.Name(), err, f.text)
				}
				if sum := done.Settled + done.Unacknowledged + done.CutOff + done.NotRun + done.Lost + done.Dead; sum != jobs {
					t.Errorf("%s: of %d jobs %d are accounted for: %+v", e.Name(), jobs, sum, done)
				}
				known := done.Settled + done.Unacknowledged
				if len(ran) < known || len(ran) > known+done.CutOff {
					t.Errorf("%s: %d jobs ran: %d settled, %d unacknowledged, %d cut off, %d not run, %d lost",
						e.Name(), len(ran), done.Settled, done.Unacknowledged, done.CutOff, done.NotRun, done.Lost)
				}
				if len(sink.jobs) != known {
					t.Errorf("%s: %d jobs are on record; %d settled, %d unacknowledged", e.Name(), len(sink.jobs), done.Settled, done.Unacknowledged)
				}
				for i := range sink.jobs {
					if j := &sink.jobs[i]; j.Unacknowledged != (j.SettledNS == 0) {
						t.Errorf("%s: job %d: unacknowledged %v, settled at %v", e.Name(), j.ID, j.Unacknowledged, j.SettledNS)
					}
				}
				if gone := name == "flushed"; gone != (done.Lost > 0) || gone == (done.NotRun > 0) {
					t.Errorf("%s: %d not run, %d lost", e.Name(), done.NotRun, done.Lost)
				}
			}
		})
	}
}
