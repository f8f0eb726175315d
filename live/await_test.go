package live

import (
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// asked returns a process that nothing runs in, and the other end of its socket.
func asked(t *testing.T) (*process, *conn) {
	t.Helper()
	host, other := connected(t)
	p := &process{conn: host, state: running, token: make(chan struct{}, 1)}
	p.token <- struct{}{}
	return p, other
}

// connected returns a host's end of a socket, and the other.
func connected(t *testing.T) (host, other *conn) {
	t.Helper()
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	host, err = newConn(ours, "host")
	if err != nil {
		t.Fatal(err)
	}
	other, err = newConn(theirs, "process")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.close)
	t.Cleanup(other.close)
	return host, other
}

// TestAskedByMany: each of many who ask one process gets the reply that is his,
// whole, whoever reads it and whoever reads next.
func TestAskedByMany(t *testing.T) {
	p, other := asked(t)
	var served sync.WaitGroup
	served.Go(func() {
		for {
			_, body, err := other.receive()
			if err != nil {
				return
			}
			pid := binary.BigEndian.Uint32(body)
			reply := appendHeader(nil, kindReaped, 48)
			for range 12 { // every field tells whose it is
				reply = binary.BigEndian.AppendUint32(reply, pid)
			}
			if err := other.send(time.Time{}, func(b []byte) []byte { return append(b, reply...) }); err != nil {
				return
			}
		}
	})
	var asking sync.WaitGroup
	for slot := range 8 {
		asking.Go(func() {
			for i := range 2000 {
				pid := slot<<16 | i
				r := p.ask(&waiter{answers: kindReaped, which: pid}, 0, func(b []byte) []byte { return appendReap(b, pid) })
				if r.err != nil {
					t.Error(r.err)
					return
				}
				for at := 0; at < len(r.body); at += 4 {
					if got := int(binary.BigEndian.Uint32(r.body[at:])); got != pid {
						t.Errorf("slot %d asked for %x and got %x at byte %d", slot, pid, got, at)
						return
					}
				}
			}
		})
	}
	asking.Wait()
	p.conn.hangUp()
	served.Wait()
}

// TestAskedWhileItDoesNotRead: a process that does not read what it is sent can
// still be killed, and what it says can be read.
func TestAskedWhileItDoesNotRead(t *testing.T) {
	p, other := asked(t)
	huge := make([]byte, 4<<20) // more than any socket's buffer
	blocked := make(chan reply, 1)
	go func() {
		blocked <- p.ask(&waiter{answers: kindReaped, which: 7}, 0, func(b []byte) []byte { return append(b, huge...) })
	}()
	// Its first byte is there, so the send has begun, and cannot end.
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(other.file.Fd()), Events: unix.POLLIN}}, -1)
		if err == nil && n == 1 {
			break
		}
	}
	if !p.is(running) { // asks for the lock that kill asks for
		t.Error("it does not run")
	}
	other.close()
	if r := <-blocked; !hungUp(r.err) {
		t.Errorf("error %v; want the end of the socket", r.err)
	}
	// The waiter of a request that was not sent is gone.
	if len(p.waiting) != 0 {
		t.Errorf("%d still wait", len(p.waiting))
	}
}
