package live

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A conn is one end of a socket pair, with whole frames. Reads are for one
// goroutine at a time, sends for any.
type conn struct {
	file *os.File
	raw  syscall.RawConn

	// What raw.Read calls with each chance to read, its arguments and results.
	tryRead func(s uintptr) bool
	into    []byte
	oob     [64]byte
	n, oobn int
	readErr error

	buf  []byte // buf[r:w] has been read from the socket and not yet parsed
	r, w int

	carries  atomic.Bool // something has been asked for that comes with a descriptor
	files    []int       // descriptors received and not yet claimed
	limit    int         // largest body accepted
	deadline time.Time

	sending sync.Mutex
	out     []byte
	hurried bool // what was sent last had a deadline, which is not that of what is sent next
}

// newConn returns a conn for the host, which waits for many: through the poller.
// It owns fd from here on.
func newConn(fd int, name string) (*conn, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("set socket non-blocking: %w", err)
	}
	return newBlockingConn(fd, name)
}

// newBlockingConn returns a conn for a process that waits for its host only, and
// can do without starting the poller.
func newBlockingConn(fd int, name string) (*conn, error) {
	file := os.NewFile(uintptr(fd), name)
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	c := &conn{file: file, raw: raw, buf: make([]byte, 4096), limit: maxBody}
	c.tryRead = c.readOnce
	return c, nil
}

// socketPair returns two connected stream sockets that are closed on exec.
func socketPair() (ours, theirs int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, 0, fmt.Errorf("make a socket pair: %w", err)
	}
	return fds[0], fds[1], nil
}

// send writes what compose appends: one frame or several. Only what may not fit
// into the socket's buffer needs the deadline.
func (c *conn) send(deadline time.Time, compose func([]byte) []byte) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.out = compose(c.out[:0])
	long := len(c.out) > 32<<10
	if !long {
		deadline = time.Time{}
	}
	if long || c.hurried {
		_ = c.file.SetWriteDeadline(deadline)
		c.hurried = !deadline.IsZero()
	}
	_, err := c.file.Write(c.out)
	if cap(c.out) > 1<<20 {
		c.out = nil // one huge payload need not stay for ever
	}
	return err
}

// sendFile writes a frame with a descriptor attached to its first byte.
func (c *conn) sendFile(frame []byte, fd int) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	rights := unix.UnixRights(fd)
	var n int
	var sent error
	err := c.raw.Write(func(s uintptr) bool {
		n, sent = unix.SendmsgN(int(s), frame, rights, nil, 0)
		return sent != unix.EAGAIN
	})
	if err = errors.Join(err, sent); err != nil {
		return err
	}
	_, err = c.file.Write(frame[n:])
	return err
}

// receive returns the next frame. Its body is valid until the next call.
func (c *conn) receive() (kind, []byte, error) {
	if err := c.fill(headerSize); err != nil {
		return 0, nil, err
	}
	k, size, err := parseHeader(c.buf[c.r:], c.limit)
	if err != nil {
		return 0, nil, err
	}
	if err := c.fill(headerSize + size); err != nil {
		return 0, nil, err
	}
	body := c.buf[c.r+headerSize : c.r+headerSize+size]
	c.r += headerSize + size
	return k, body, nil
}

// fill reads until n bytes are there to be parsed.
func (c *conn) fill(n int) error {
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if c.r+n > len(c.buf) {
		buf := c.buf
		if n > len(buf) {
			buf = make([]byte, n+n/4)
		}
		c.w = copy(buf, c.buf[c.r:c.w])
		c.buf, c.r = buf, 0
	}
	for c.w-c.r < n {
		got, err := c.read(c.buf[c.w:])
		if got > 0 {
			c.w += got
			continue
		}
		if err == nil || errors.Is(err, unix.ECONNRESET) {
			err = io.EOF
		}
		if errors.Is(err, io.EOF) && c.w > c.r {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return nil
}

// readOnce is one read, or one recvmsg where descriptors may come with the data.
// Another slot may ask for such while this one waits, so it is decided late.
func (c *conn) readOnce(s uintptr) bool {
	if c.carries.Load() {
		c.n, c.oobn, _, _, c.readErr = unix.Recvmsg(int(s), c.into, c.oob[:], unix.MSG_CMSG_CLOEXEC)
	} else {
		c.n, c.readErr = unix.Read(int(s), c.into)
		c.oobn = 0
	}
	return !errors.Is(c.readErr, unix.EAGAIN) && !errors.Is(c.readErr, unix.EINTR)
}

// read reads what is there, or waits for something to be there.
func (c *conn) read(p []byte) (n int, err error) {
	c.into = p
	err = c.raw.Read(c.tryRead)
	if err == nil {
		err = c.readErr
	}
	if err != nil {
		return 0, err
	}
	if c.oobn == 0 {
		return c.n, nil
	}
	messages, err := unix.ParseSocketControlMessage(c.oob[:c.oobn])
	if err != nil {
		return 0, fmt.Errorf("parse control message: %w", err)
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue // not a descriptor: nobody sends such
		}
		c.files = append(c.files, fds...)
	}
	return c.n, nil
}

// claimFile returns the descriptor that came with the frame just received, if
// it is of a kind that carries one; else -1.
func (c *conn) claimFile(k kind) int {
	if len(c.files) == 0 || k != kindForked && k != kindState && k != kindReady {
		return -1
	}
	fd := c.files[0]
	c.files = append(c.files[:0], c.files[1:]...)
	return fd
}

// bound limits the reads from now on to the deadline; the zero time means no
// limit. A read that ran out of time can be taken up again.
//
// Moving the poller's timer for each read would cost more than the read, so one
// that is late by up to the slack is left as it is.
func (c *conn) bound(deadline time.Time, slack time.Duration) {
	if deadline.IsZero() && c.deadline.IsZero() {
		return
	}
	if late := c.deadline.Sub(deadline); late >= 0 && late <= slack {
		return
	}
	c.deadline = deadline
	if !deadline.IsZero() {
		c.deadline = deadline.Add(slack / 2)
	}
	_ = c.file.SetReadDeadline(c.deadline)
}

// hangUp tells the other end that no more is coming. What it still sends can be
// read.
func (c *conn) hangUp() {
	_ = c.raw.Control(func(s uintptr) { _ = unix.Shutdown(int(s), unix.SHUT_WR) })
}

// abandon ends all reading: nothing is expected from the other end any more.
func (c *conn) abandon() {
	_ = c.raw.Control(func(s uintptr) { _ = unix.Shutdown(int(s), unix.SHUT_RD) })
}

func (c *conn) close() {
	_ = c.file.Close()
	for _, fd := range c.files {
		unix.Close(fd)
	}
	c.files = nil
}
