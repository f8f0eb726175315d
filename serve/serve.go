// Package serve is the comparison as a service: an HTTP API and pages over a directory
// of runs, and a queue from which they are made.
//
// The run directories are the truth: what `compare` writes, and beside it the request
// (request.json) and what became of it (state.json), each written in one step. All else
// is made from them, and a service that is killed at any moment loses no finished run.
//
// What it runs are processes of their own, of this same program: one live comparison at
// a time, so that none disturbs another, and simulations beside it, which are stopped
// while one is measured. No request names code: a comparison is of a built-in workload,
// or of one that the operator allowed by name.
package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// Options are what a service is made with.
type Options struct {
	Dir string // of the run directories; made if it is not there

	// Program is the command that makes runs, and arguments that come before all
	// others; Env is its environment.
	Program []string
	Env     []string

	Runs    bool     // comparisons of the built-in workloads may be started
	Targets []Target // comparisons of these, too

	Hosts []string // names under which it may be asked, besides those of loopback
	Token string   // that whoever asks must have; empty for nobody

	Log *zap.Logger
}

// Bounds on what one client can make it hold.
const (
	maxBody      = 64 << 10 // bytes of a request
	maxQueue     = 100      // runs that wait
	maxWatchers  = 512      // event streams
	readTimeout  = 10 * time.Second
	writeTimeout = 30 * time.Second
	idleTimeout  = 2 * time.Minute
	grace        = 10 * time.Second // for what is under way when the service ends
)

// longDownload is until when a file must have been sent.
func longDownload() time.Time { return time.Now().Add(time.Hour) }

// A Server is the service. New makes one, and Serve runs it until its context ends.
type Server struct {
	options Options
	log     *zap.Logger
	store   *store
	lock    *os.File // of the directory: two services would run twice at a time
	index   *index
	queue   *queue
	watch   *watchers
	login   *login
	metrics *metrics
	budget  *budget
	handler http.Handler

	patience time.Duration // with clients that are slow to send

	mu    sync.Mutex
	hosts map[string]bool // that may be asked for; filled when the address is known
}

// New opens the directory. The caller closes the server, or has Serve do it.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Token != "" && len(o.Token) < leastToken {
		return nil, fmt.Errorf("the token has %d characters: %d are the least, as in `openssl rand -hex 32`", len(o.Token), leastToken)
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	store, err := openStore(o.Dir)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s := &Server{options: o, log: o.Log, store: store, lock: lock, hosts: make(map[string]bool), patience: readTimeout}
	s.login = newLogin(o.Token)
	s.queue = newQueue(s.store, o, s.log)
	s.index = newIndex(s.store, s.queue.busy, s.log)
	s.watch = newWatchers(s.store, s.queue.busy)
	s.metrics = newMetrics(s)
	s.budget = newBudget()
	s.handler = s.routes()
	if err := s.queue.load(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// lockName is the file that says that a service has the directory.
const lockName = ".serve.lock"

// lockDir makes sure that no other service has the directory. The lock ends with the
// process, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: another service has this directory: end it, or name another one", dir), f.Close())
	}
	return f, nil
}

// Close closes a server that was not run.
func (s *Server) Close() error {
	s.watch.close()
	return s.close()
}

func (s *Server) close() error { return errors.Join(s.store.close(), s.lock.Close()) }

// Serve answers on the listener until ctx ends; then it ends what it started, waits for
// it, and closes the server. Runs that wait are taken up by the next service on the
// directory.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	s.allowHosts(l.Addr())
	h := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: s.patience, ReadTimeout: s.patience, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: 32 << 10, ErrorLog: zap.NewStdLog(s.log),
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		s.watch.close() // streams never end by themselves
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			return h.Close()
		}
		return nil
	})
	group.Go(func() error {
		if _, err := s.index.list(Filter{}); err != nil { // it may be new: not while something is measured
			s.log.Warn("the directory cannot be read", zap.Error(err))
		}
		s.queue.run(ctx)
		return nil
	})
	err := group.Wait()
	s.index.save()
	return errors.Join(err, s.close())
}
