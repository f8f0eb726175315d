package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Seats are memory that a booted process, all that it forks, and the host share.
// A child made for one job sits in one of them, and leaves there what came of the
// job: it needs no socket, and the host need not wake for anything but its end.
//
// A seat's layout, which template.py shares:
//
//	0   uint32  pid of the child, once it is forked; 0 again before it is waited for
//	4   uint32  length of a payload at 20 (Go)
//	8   int64   when the fork returned, CLOCK_MONOTONIC; 0 before
//	16  uint32  length of what it said; 0 if it has not finished
//	20          what it said: the body of a D frame
//
// The first three are in the machine's byte order, so that none is ever seen half
// written.
type seats struct {
	mem  []byte
	file *os.File // until the process that shares it is started

	mu   sync.Mutex
	free []int
}

const (
	seatSize     = 2 << 20
	seatPayload  = 4
	seatReturned = 8
	seatLength   = 16
	seatSaid     = 20
)

// newSeats makes n seats. Memory is only taken by what is written to them.
func newSeats(n int) (*seats, error) {
	// Who sits there is killed by pidfd: a pid alone could be another process's.
	if fd, err := unix.PidfdOpen(os.Getpid(), 0); err == nil {
		unix.Close(fd)
	} else {
		n = 0 // Linux before 5.3
	}
	fd, err := unix.MemfdCreate("forkbench-seats", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make a memory file: %w", err)
	}
	s := &seats{file: os.NewFile(uintptr(fd), "seats")}
	size := max(n, 1) * seatSize
	if err := s.file.Truncate(int64(size)); err != nil {
		return nil, errors.Join(fmt.Errorf("size a memory file to %d MiB (ulimit -f limits it): %w", size>>20, err), s.file.Close())
	}
	// Nobody can take away what the host has mapped.
	if _, err := unix.FcntlInt(s.file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW); err != nil {
		return nil, errors.Join(fmt.Errorf("seal a memory file: %w", err), s.file.Close())
	}
	s.mem, err = unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map a memory file: %w", err), s.file.Close())
	}
	for i := range n {
		s.free = append(s.free, i)
	}
	return s, nil
}

// take gives an empty seat away, or none if all are taken: then the child has a
// socket as any other.
func (s *seats) take() *seat {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.free) - 1
	if last < 0 {
		return nil
	}
	i := s.free[last]
	s.free = s.free[:last]
	at := &seat{i, s.mem[i*seatSize : (i+1)*seatSize]}
	clear(at.mem[:seatSaid])
	return at
}

// give takes a seat back. Nobody may sit there any more.
func (s *seats) give(at *seat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, at.number)
}

// retire gives no seat away any more.
func (s *seats) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = nil
}

// close unmaps the seats. No process that uses them may be left.
func (s *seats) close() {
	_ = s.file.Close()
	_ = unix.Munmap(s.mem)
	s.mem, s.free = nil, nil
}

// A seat is one of them.
type seat struct {
	number int
	mem    []byte
}

// pid is the child's, or 0 if it is not forked yet or has been waited for.
func (s *seat) pid() int { return int(binary.NativeEndian.Uint32(s.mem)) }

// returned is when the fork returned, or 0.
func (s *seat) returned() time.Duration {
	return time.Duration(binary.NativeEndian.Uint64(s.mem[seatReturned:]))
}

// lay puts a payload where the child will find it.
func (s *seat) lay(payload []byte) {
	binary.NativeEndian.PutUint32(s.mem[seatPayload:], uint32(len(payload)))
	copy(s.mem[seatSaid:], payload)
}

// begin notes when the child was there, where the host makes it itself.
func (s *seat) begin(at time.Duration) {
	binary.NativeEndian.PutUint64(s.mem[seatReturned:], uint64(at))
}

// said is what the child reported of its job, and whether it did. The detail is
// a copy: who knows what the job left running.
func (s *seat) said() (doneReply, bool, error) {
	n := int(binary.NativeEndian.Uint32(s.mem[seatLength:]))
	if n == 0 {
		return doneReply{}, false, nil
	}
	if n > len(s.mem)-seatSaid {
		return doneReply{}, false, fmt.Errorf("a child says that it left %d bytes in a seat of %d", n, seatSize)
	}
	body := s.mem[seatSaid : seatSaid+n]
	if why, ok := parseUnready(body); ok {
		return doneReply{}, false, &BootError{Kind: "error", Message: why}
	}
	r, err := parseDone(body)
	r.detail = slices.Clone(r.detail)
	return r, err == nil, err
}

// gone reports whether who sat there has ended.
func (s *seat) gone() bool {
	pid := s.pid()
	if pid == 0 {
		return true // about to be waited for
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return errors.Is(err, unix.ESRCH)
	}
	defer unix.Close(fd)
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return n > 0 && err == nil
}

// kill kills who sits there. The template clears the seat before it waits for
// the child, so as long as the seat says so the pid is the child's.
func (s *seat) kill() {
	pid := s.pid()
	if pid == 0 {
		return
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return // it is gone, or the limit of open files: it will be tried again
	}
	defer unix.Close(fd)
	if s.pid() == pid {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}
