package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"forkbench/record"
)

const (
	socketName    = "redis.sock"
	maxSocketPath = 107 // sun_path in unix(7), less its final zero
	readyWithin   = 15 * time.Second
)

// A Server is the Redis that a comparison runs on. It is safe for concurrent
// use.
type Server struct {
	client  redis.UniversalClient
	where   string // as errors name it: without the password
	chosen  bool   // of several addresses
	name    string // what it is: "redis", "valkey-server", "miniredis"
	version string // "" if it does not tell

	security security // of the user's own

	proc   *process // of a private server; nil for the user's own
	socket string   // of a private server

	mu  sync.Mutex
	cpu record.CPU // as Stats said last

	patience patience

	closing sync.Once
	closed  error
}

// Start runs a private server on a Unix socket in dir, a directory that exists
// and that only the caller can enter: redis-server or valkey-server from PATH, or
// where there is neither (or only one older than 6.2) miniredis, in a process of
// its own so that its CPU time is not booked on anybody else.
//
// The server keeps everything in memory. It is not reached by the terminal's
// Ctrl-C, and ends with Close or with this process, however that ends; ctx is for
// the start only. A program that calls Start must call [Main] first of all.
func Start(ctx context.Context, dir string, log *zap.Logger) (*Server, error) {
	if log == nil {
		log = zap.NewNop()
	}
	for _, name := range []string{"redis-server", "valkey-server"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue // not there, or not to be run from the current directory
		}
		s, err := start(ctx, dir, log, name, redisCommand(path))
		if _, old := errors.AsType[*tooOldError](err); old {
			log.Warn("not using "+path, zap.Error(err))
			continue
		}
		return s, err
	}
	return start(ctx, dir, log, "miniredis", miniredisCommand)
}

// A command makes the command that serves on a socket, and the function that
// asks it to end.
type command func(socket string) (*exec.Cmd, func(), error)

func redisCommand(path string) command {
	return func(socket string) (*exec.Cmd, func(), error) {
		cmd := exec.Command(path,
			"--port", "0", "--unixsocket", socket, "--unixsocketperm", "700",
			"--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning")
		cmd.Dir = filepath.Dir(socket)
		// SIGTERM rather than SIGKILL when we die: it removes its socket.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
		return cmd, terminate(cmd), nil
	}
}

// start runs one kind of private server and waits until it answers.
func start(ctx context.Context, dir string, log *zap.Logger, name string, command command) (_ *Server, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("directory for the socket of %s: %w", name, err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("directory for the socket of %s: %s is not a directory", name, dir)
	}
	socket := filepath.Join(dir, socketName)
	if n := len(socket); n > maxSocketPath {
		return nil, fmt.Errorf("the path of a Unix socket may have %d bytes, %s has %d: use a shorter directory (TMPDIR)", maxSocketPath, socket, n)
	}
	if _, err := os.Lstat(socket); err == nil {
		return nil, fmt.Errorf("%s exists: is another server running there?", socket)
	}
	cmd, ask, err := command(socket)
	if err != nil {
		return nil, err
	}
	proc, err := startProcess(name, cmd, ask, log)
	if err != nil {
		return nil, err
	}
	s := &Server{
		client: redis.NewClient(privateOptions(socket)),
		where:  socket,
		name:   name,
		proc:   proc,
		socket: socket,
	}
	if err := s.ready(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	log.Info("started "+s.Describe(), zap.Int("pid", s.Pid()), zap.String("socket", socket))
	return s, nil
}

// ready waits until the private server answers.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyWithin, fmt.Errorf("%s did not answer within %v", s.name, readyWithin))
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		// Not with the client: it would report each failure.
		c, err := net.Dial("unix", s.socket)
		if err == nil {
			_ = c.Close() // nothing was written
			break
		}
		select {
		case <-tick.C:
		case <-s.proc.done:
			return errors.New(s.proc.obituary())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return s.identify(ctx)
}

// identify makes sure that the server answers and can do what is needed, and
// asks what it is.
func (s *Server) identify(ctx context.Context) error {
	if err := s.client.Ping(ctx).Err(); err != nil {
		return s.explain(err)
	}
	text, err := s.client.Info(ctx, "server").Result()
	if isReply(err) { // miniredis has no such section, and some users may not ask
		if s.name == "miniredis" {
			s.version = miniredisVersion()
		}
		return nil
	}
	if err != nil {
		return s.explain(err)
	}
	info := parseInfo(text)
	s.version = info["redis_version"]
	if olderThan62(s.version) {
		return &tooOldError{where: s.where, version: s.version}
	}
	// Valkey gives the version of Redis that it is compatible with, and its own.
	if v := info["valkey_version"]; v != "" {
		s.version = v
		if s.proc == nil {
			s.name = "valkey"
		}
	}
	return nil
}

// Describe says which server it is and whose: "redis-server 7.0.15 (private)",
// "redis 7.2.4 at host:6379 (yours)". It never shows a password.
func (s *Server) Describe() string {
	parts := []string{s.name, s.version, "at " + s.where + " (yours)"}
	if s.Private() {
		parts[2] = "(private)"
	}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), " ")
}

// Private reports whether the server is ours: started by Start, and for nobody
// else.
func (s *Server) Private() bool { return s.proc != nil }

// Pid is the process ID of a private server, 0 for the user's own.
func (s *Server) Pid() int {
	if s.proc == nil {
		return 0
	}
	return s.proc.cmd.Process.Pid
}

// Close disconnects. It ends a private server, waits until its process is gone
// (killing it after a grace period), and removes its socket. Closing again
// returns the same.
func (s *Server) Close() error {
	s.closing.Do(func() {
		s.closed = s.client.Close()
		if s.proc == nil {
			return
		}
		s.proc.stop()
		if err := os.Remove(s.socket); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.closed = errors.Join(s.closed, err)
		}
	})
	return s.closed
}

// A tooOldError is a server that lacks XAUTOCLAIM and NOMKSTREAM.
type tooOldError struct{ where, version string }

func (e *tooOldError) Error() string {
	return fmt.Sprintf("redis at %s: version %s is too old: 6.2 or newer is needed", e.where, e.version)
}

// olderThan62 judges a version that it can read.
func olderThan62(version string) bool {
	var major, minor int
	n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor) // n says how much was there
	return n == 2 && (major < 6 || major == 6 && minor < 2)
}

// parseInfo reads the "key:value" lines of INFO.
func parseInfo(text string) map[string]string {
	info := make(map[string]string)
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[k] = v
		}
	}
	return info
}
