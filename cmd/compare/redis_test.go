package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A redisServer is a server that a test runs for itself, as a user's own.
type redisServer struct {
	socket string
	pid    int
}

// startRedisServer starts a server with a password, on a Unix socket.
func startRedisServer(t *testing.T, args ...string) redisServer {
	t.Helper()
	program := lookPath(t, "redis-server")
	dir := shortDir(t)
	socket := filepath.Join(dir, "mine.sock")
	cmd := exec.Command(program, append([]string{"--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // a test may kill it
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	})
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); ; {
		if c, err := net.Dial("unix", socket); err == nil {
			_ = c.Close() // nothing was written
			return redisServer{socket, cmd.Process.Pid}
		}
		select {
		case <-tick.C:
		case <-ended:
			t.Fatal("redis-server ended")
		case <-end:
			t.Fatal("redis-server does not answer")
		}
	}
}

// command sends a command to the server and returns the reply's first bytes.
func (s redisServer) command(t *testing.T, text string) string {
	t.Helper()
	c, err := net.Dial("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "%s\r\n", text); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, 4096)
	n, err := c.Read(reply)
	if err != nil {
		t.Fatal(err)
	}
	return string(reply[:n])
}

func TestYourRedis(t *testing.T) {
	b := newBench(t)
	server := startRedisServer(t, "--requirepass", "sesame")
	r := b.run(append(quickRun, "--redis=unix://:sesame@"+server.socket, "--out=out", "--verbose")...)
	r.want(t, exitDone)
	if s := summaryIn(t, "out"); !strings.Contains(s.Environment.Redis, "(yours)") {
		t.Errorf("Redis is %q", s.Environment.Redis)
	}
	report := b.run("report", "out", "--format=markdown")
	for _, name := range names(t, "out") {
		text, err := os.ReadFile("out/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "sesame") {
			t.Errorf("the password is in %s", name)
		}
	}
	if strings.Contains(r.stdout+r.stderr+report.stdout, "sesame") {
		t.Error("the password is shown")
	}

	r = b.run(append(quickRun, "--redis=unix://:opensesame@"+server.socket)...)
	r.want(t, exitLacking, "check the user and the password")
	if strings.Contains(r.stdout+r.stderr, "opensesame") {
		t.Errorf("the password is shown:\n%s", r.stderr)
	}
}

// What is in the environment is in no command line: of nobody, and in no error.
func TestRedisFromTheEnvironment(t *testing.T) {
	b := newBench(t)
	server := startRedisServer(t, "--requirepass", "se/same")
	t.Setenv("BROKER", "redis+socket://:se%2Fsame@"+server.socket+"?virtual_host=0")
	b.run(append(quickRun, "--redis=env:BROKER")...).want(t, exitDone)
	b.run("record", "--from=rq:default", "--redis=env:NO_SUCH_VARIABLE").want(t, exitUsage, "--redis: env:NO_SUCH_VARIABLE: there is no such variable")
	t.Setenv("BROKER", "se/same")
	r := b.run("record", "--from=rq:default", "--redis=env:BROKER")
	r.want(t, exitUsage, "--redis: env:BROKER: redis URL ***: must begin with")
	b.run("record", "--from=rq:default", "--redis=unix://"+server.socket).want(t, exitLacking, "FORKBENCH_REDIS_PASSWORD")
	t.Setenv("FORKBENCH_REDIS_PASSWORD", "se/same")
	b.run("record", "--from=rq:default", "--redis=unix://"+server.socket).want(t, exitFailed, "rq:default")
	t.Setenv("FORKBENCH_REDIS_PASSWORD", "wrong")
	r = b.run("record", "--from=rq:default", "--redis=unix://"+server.socket)
	r.want(t, exitLacking, "check the user and the password")
	if strings.Contains(r.stderr, "se/same") || strings.Contains(r.stderr, "wrong") {
		t.Errorf("a password is shown: %s", r.stderr)
	}
}

// What stands beside the address in Celery's settings is added to the variable's
// name, and of several addresses it is said which was read.
func TestRedisWithOptions(t *testing.T) {
	b := newBench(t)
	server := startRedisServer(t)
	t.Setenv("BROKER", "sentinel://127.0.0.1:1;sentinel://127.0.0.1:2/1")
	b.run("record", "--from=celery:celery", "--redis=env:BROKER").want(t, exitUsage, "env:BROKER?master_name=NAME", "broker_transport_options")
	b.run("record", "--from=celery:celery", "--redis=env:BROKER?master_name=shop").want(t, exitLacking, "127.0.0.1:1,127.0.0.1:2 (Sentinel, master shop)")

	t.Setenv("BROKER", "redis+socket:///nowhere.sock;redis+socket://"+server.socket)
	chosen := server.socket + " (of 2 addresses the first that answers)"
	b.run("record", "--from=rq:mail", "--redis=env:BROKER?virtual_host=0").want(t, exitFailed, "redis at "+chosen)
	server.command(t, `HSET rq:job:a data "[\"app.send\", null, [], {}]"`)
	server.command(t, "RPUSH rq:queue:mail a")
	b.run("record", "--from=rq:mail", "--redis=env:BROKER?virtual_host=0").want(t, exitDone, "recorded 1 of 1", "read from "+chosen)
}

// Nothing of ours stays in a server that is somebody else's, whatever happened.
func TestYourRedisIsLeftClean(t *testing.T) {
	b := newBench(t)
	server := startRedisServer(t)
	b.run(append(quickRun, "--redis=unix://"+server.socket)...).want(t, exitDone)
	b.run(append(quickRun, "--redis=unix://"+server.socket, "--out=/proc/out")...).want(t, exitUsage)
	b.signals <- os.Interrupt
	b.run(append(quickRun, "--redis=unix://"+server.socket)...).want(t, exitInterrupted)
	if got := server.command(t, "DBSIZE"); got != ":0\r\n" {
		t.Errorf("keys left: %q in %q", got, server.command(t, "KEYS *"))
	}
}

func TestRedisUnreachable(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct{ url, want string }{
		{"unix://" + filepath.Join(b.temporary, "nobody.sock"), "is it running?"},
		{"redis://:sesame@127.0.0.1:1", "127.0.0.1:1"},
		{"redis+sentinel://:sesame@127.0.0.1:1?master_name=main&dial_timeout=200ms", "127.0.0.1:1"},
	} {
		r := b.run(append(quickRun, "--redis="+c.url)...)
		r.want(t, exitLacking, "--redis: ", c.want)
		if strings.Contains(r.stdout+r.stderr, "sesame") {
			t.Errorf("the password is shown:\n%s", r.stderr)
		}
	}
	if _, err := os.Stat(resultsRoot); err == nil {
		t.Error("there is a directory of results of a run that never was")
	}
}

// A job empties the server, or kills it, in the middle of the run.
func TestRedisLostDuringTheRun(t *testing.T) {
	for _, c := range []struct {
		name, function string
		payload        func(redisServer) string
	}{
		{"flushed", "flush", func(s redisServer) string { return fmt.Sprintf("[%q]", s.socket) }},
		{"killed", "kill", func(s redisServer) string { return fmt.Sprintf("[%d]", s.pid) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			server := startRedisServer(t)
			payloads(t, c.payload(server))
			r := b.run("--workload=py:faults:"+c.function, "--path="+b.testdata, "--payload=payloads", "--model=prefork",
				"--jobs=2000", "--rounds=1", "--workers=1", "--out=out", "--redis=unix://"+server.socket, "--redis-patience=1s")
			r.want(t, exitFailed, "redis at "+server.socket)
			s := summaryIn(t, "out")
			if len(s.Errors) == 0 {
				t.Error("the summary has no error")
			}
			j := s.Models[0].Jobs
			if j.Settled+j.Unacknowledged+j.CutOff+j.NotRun+j.Lost+j.Dead != 2000 {
				t.Errorf("jobs %+v do not add up to 2000", j)
			}
		})
	}
}
