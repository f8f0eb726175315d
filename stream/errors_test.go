package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Errors that no test brings about for real.
func TestExplain(t *testing.T) {
	s := &Server{where: "host:1", client: redis.NewClient(&redis.Options{})}
	defer s.Close()
	tests := []struct {
		err  error
		text string
	}{
		{replyError("LOADING Redis is loading the dataset in memory"), "try again later"},
		{replyError("MOVED 1 host:2"), "begin the URL with redis+cluster://"},
		{replyError("ASK 1 host:2"), "begin the URL with redis+cluster://"},
		{replyError("MISCONF no disk"), "redis at host:1: MISCONF no disk"},
		{fmt.Errorf("dial: %w", syscall.ECONNREFUSED), "is it running?"},
		{fmt.Errorf("read: %w", syscall.ECONNRESET), "hung up"},
		{io.EOF, "hung up"},
		{context.DeadlineExceeded, "no answer in time"},
	}
	for _, tt := range tests {
		wantError(t, tt.err.Error(), s.explain(tt.err), tt.err, "redis at host:1: "+tt.err.Error(), tt.text)
	}
	for _, lost := range []string{
		"NOGROUP No such key 'x' or consumer group 'g' in XREADGROUP with GROUP option",
		"ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use MKSTREAM.",
		"ERR no such key",
	} {
		wantError(t, lost, s.explain(replyError(lost)), ErrLost, "host:1")
	}
	if err := s.explain(nil); err != nil {
		t.Errorf("explain(nil) = %v", err)
	}
	cause := fmt.Errorf("wrapped: %w", context.Canceled)
	if err := s.explain(cause); !errors.Is(err, context.Canceled) {
		t.Errorf("explain(%v) = %v", cause, err)
	}
}
