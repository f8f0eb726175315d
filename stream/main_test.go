package stream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"forkbench/workload"
)

// orphanEnv makes the test binary a program that starts a server, says where,
// and then does nothing until it is killed.
const orphanEnv = "FORKBENCH_TEST_ORPHAN"

func TestMain(m *testing.M) {
	Main() // miniredis runs in this binary too
	if filepath.Base(os.Args[0]) == "redis-server" {
		oldServer(os.Args)
	}
	if name, ok := os.LookupEnv(orphanEnv); ok {
		orphan(name)
	}
	goleak.VerifyTestMain(m,
		// After several failures to connect go-redis tries by itself, once a
		// second. It sees only then that the client was closed.
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

func orphan(name string) {
	dir, command, _ := strings.Cut(name, "\n")
	run := miniredisCommand
	if command != "" {
		run = redisCommand(command)
	}
	s, err := start(context.Background(), dir, zap.NewNop(), "orphan", run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(s.Pid())
	select {}
}

// oldServer is this binary under the name of redis-server: one of version 6.0.16,
// that knows two commands.
func oldServer(args []string) {
	l, err := net.Listen("unix", args[slices.Index(args, "--unixsocket")+1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		go func() {
			for lines := bufio.NewScanner(c); lines.Scan(); {
				reply := ""
				switch strings.ToLower(lines.Text()) {
				case "hello":
					reply = "-ERR unknown command\r\n"
				case "ping":
					reply = "+PONG\r\n"
				case "info":
					reply = bulk("# Server\r\nredis_version:6.0.16\r\n")
				}
				if _, err := c.Write([]byte(reply)); err != nil {
					return
				}
			}
		}()
	}
}

// redisPath finds redis-server, which the tests need.
func redisPath(tb testing.TB) string {
	tb.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatal("redis-server is not installed")
		}
		tb.Skip("redis-server is not installed")
	}
	return path
}

// shortDir is a directory whose name leaves room for a socket's.
func shortDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "fb")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	return dir
}

// startServer runs a private server until the test ends.
func startServer(tb testing.TB, name string, command command) *Server {
	tb.Helper()
	s, err := start(tb.Context(), shortDir(tb), zap.NewNop(), name, command)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { wantClosed(tb, s) })
	return s
}

func wantClosed(tb testing.TB, s *Server) {
	tb.Helper()
	if err := s.Close(); err != nil {
		tb.Error("Close:", err)
	}
}

// startRedis runs a real Redis, with more arguments.
func startRedis(tb testing.TB, args ...string) *Server {
	tb.Helper()
	path := redisPath(tb)
	return startServer(tb, "redis-server", func(socket string) (*exec.Cmd, func(), error) {
		cmd, ask, err := redisCommand(path)(socket)
		cmd.Args = append(cmd.Args, args...)
		return cmd, ask, err
	})
}

// each runs a test on every kind of server.
func each(t *testing.T, test func(t *testing.T, s *Server)) {
	t.Run("redis-server", func(t *testing.T) { test(t, startRedis(t)) })
	t.Run("miniredis", func(t *testing.T) { test(t, startServer(t, "miniredis", miniredisCommand)) })
}

// jobs are n of them: number i has the payload [i] and is due after i ms.
func jobs(n int) iter.Seq[workload.Job] {
	return func(yield func(workload.Job) bool) {
		for i := range n {
			job := workload.Job{ID: uint64(i), Payload: payload(i), Due: time.Duration(i) * time.Millisecond}
			if !yield(job) {
				return
			}
		}
	}
}

func payload(i int) []byte { return []byte("[" + strconv.Itoa(i) + "]") }

// enqueued is a stream of n jobs.
func enqueued(tb testing.TB, s *Server, n int) *Stream {
	tb.Helper()
	st, err := s.Create(tb.Context(), "forkbench:"+strings.ToLower(filepath.Base(tb.Name()))+":jobs")
	if err != nil {
		tb.Fatal(err)
	}
	got, err := st.Enqueue(tb.Context(), jobs(n))
	if got != n || err != nil {
		tb.Fatalf("Enqueue: %d, %v; want %d, nil", got, err, n)
	}
	return st
}

func group(tb testing.TB, st *Stream, name string) *Group {
	tb.Helper()
	g, err := st.Group(tb.Context(), name)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// read takes n jobs, and fails if there are not as many.
func read(tb testing.TB, g *Group, n int) []workload.Job {
	tb.Helper()
	jobs, err := g.Read(tb.Context(), n)
	if err != nil || len(jobs) != n {
		tb.Fatalf("Read(%d): %d jobs, %v", n, len(jobs), err)
	}
	return jobs
}

func wantCounts(tb testing.TB, g *Group, want Counts) {
	tb.Helper()
	got, err := g.Count(tb.Context())
	if err != nil || got != want {
		tb.Errorf("Count: %+v, %v; want %+v", got, err, want)
	}
}

func wantError(tb testing.TB, what string, err error, target error, texts ...string) {
	tb.Helper()
	if err == nil || target != nil && !errors.Is(err, target) {
		tb.Errorf("%s: error %v; want %v", what, err, target)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			tb.Errorf("%s: error %q; want %q in it", what, err, text)
		}
	}
}

// freePort is one on loopback that nobody had a moment ago.
func freePort(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	return port
}

// waitGone waits until a process that is not our child has ended.
func waitGone(tb testing.TB, pidfd int) {
	tb.Helper()
	for {
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 10_000)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n != 1 {
			tb.Fatalf("the process has not ended: poll %d, %v", n, err)
		}
		return
	}
}

// A flaky is a proxy in front of a server that can swallow a reply and hang up.
type flaky struct {
	socket string
	cut    atomic.Bool // the next reply
}

func startFlaky(tb testing.TB, server string) *flaky {
	tb.Helper()
	f := &flaky{socket: filepath.Join(shortDir(tb), "proxy.sock")}
	l, err := net.Listen("unix", f.socket)
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("unix", server)
			if err != nil {
				_ = client.Close() // which is what it is told
				continue
			}
			go f.pass(client, upstream, false)
			go f.pass(upstream, client, true)
		}
	}()
	tb.Cleanup(func() {
		_ = l.Close() // nothing was written
		<-done
	})
	return f
}

func (f *flaky) pass(from, to net.Conn, replies bool) {
	defer from.Close()
	defer to.Close()
	r := bufio.NewReader(from)
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if err != nil || replies && f.cut.CompareAndSwap(true, false) {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
