package stream

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// ErrLost says that the stream's data is gone: its server died or was restarted,
// its keys were flushed, deleted or evicted. No retry brings it back.
var ErrLost = errors.New("the job stream is gone")

func (s *Server) lost() error {
	return fmt.Errorf("redis at %s: %w: was the server restarted, flushed, or its memory full?", s.where, ErrLost)
}

// explain names the server and adds what to do to an error of go-redis. The
// errors of go-redis hold addresses, but no passwords.
func (s *Server) explain(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrLost):
		return err
	case redis.HasErrorPrefix(err, "NOGROUP"),
		redis.HasErrorPrefix(err, "The XGROUP subcommand requires the key"),
		redis.HasErrorPrefix(err, "no such key"):
		return s.lost()
	case errors.Is(err, context.Canceled):
		return err
	}
	if s.proc != nil && !isReply(err) {
		if died := s.proc.postMortem(); died != "" {
			return fmt.Errorf("%s: %w", died, ErrLost)
		}
	}
	if hint := hint(err); hint != "" {
		return fmt.Errorf("redis at %s: %w: %s", s.where, err, hint)
	}
	return fmt.Errorf("redis at %s: %w", s.where, err)
}

// isReply tells an error that the server answered with from a failure to reach
// it.
func isReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}

// hint is the way out of the errors that users meet.
func hint(err error) string {
	var timeout net.Error
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &name):
		return "ssl_check_hostname=false takes a certificate with another name"
	case errors.As(err, &unknown):
		return "name who signed it with ssl_ca_certs=FILE; Celery verifies nothing unless told to, as ssl_cert_reqs=none does here"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, os.ErrNotExist):
		return "is it running?"
	case redis.IsAuthError(err):
		return "check the user and the password: in the URL, or in the variable FORKBENCH_REDIS_PASSWORD"
	case redis.IsPermissionError(err):
		return "the user in the URL may not do that"
	case redis.IsReadOnlyError(err):
		return "it is a read-only replica, the job stream needs its master"
	case redis.IsOOMError(err):
		return "its memory is full (maxmemory, with policy noeviction): raise the limit, or run fewer jobs"
	case redis.IsLoadingError(err):
		return "it is loading its data: try again later"
	case redis.HasErrorPrefix(err, "MOVED"), redis.HasErrorPrefix(err, "ASK"):
		return "it is part of a cluster: begin the URL with redis+cluster://, or wait until the slots have moved"
	case strings.Contains(err.Error(), "cluster support disabled"):
		return "it is no cluster: begin the URL with redis://"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time: check the address, what is in between, and redis:// against rediss://"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "it hung up: was it stopped, or does it speak TLS (rediss://)?"
	}
	return ""
}
