package live

import (
	"errors"
	"os"
	"testing"
	"time"
)

// TestDeadlineOfOneFrame: the limit of a long frame, such as a boot order that
// carries the profiler, is not that of the frames that follow it, however late.
func TestDeadlineOfOneFrame(t *testing.T) {
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	host, hostErr := newConn(ours, "host")
	process, processErr := newConn(theirs, "process")
	if err := errors.Join(hostErr, processErr); err != nil {
		t.Fatal(err)
	}
	defer host.close()
	defer process.close()
	frame := func(size int) func([]byte) []byte {
		return func(out []byte) []byte { return append(appendHeader(out, kindRun, size), make([]byte, size)...) }
	}
	past := time.Now().Add(-time.Minute)
	if err := host.send(past, frame(1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a long frame whose time is over: %v", err)
	}
	if err := host.send(past, frame(10)); err != nil {
		t.Fatalf("the next frame: %v", err)
	}
	if _, body, err := process.receive(); err != nil || len(body) != 10 {
		t.Fatalf("received %d bytes, %v", len(body), err)
	}
}
