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

// Seats are memory that a process which makes children shares with the host. A
// child made for one job sits in one of them, and leaves there what came of the
// job: it needs no socket, and the host need not wake for anything but its end.
//
// A job may write wherever its process can. So a child has only its own seat mapped,
// and what the host acts upon (whom to kill) stands in the register, which no child
// has mapped at all. The first seatSize bytes are the register, an entry for each
// seat, which template.py writes:
//
//	0   uint32  pid of the child, once it is forked; 0 again before it is waited for
//	8   int64   when the fork returned, CLOCK_MONOTONIC; 0 before
//
// The seats follow:
//
//	0   uint32  length of a payload at 8 (Go)
//	4   uint32  length of what it said; 0 if it has not finished
//	8           what it said: the body of a D frame
//
// All but the last are in the machine's byte order, so that none is ever seen half
// written.
type seats struct {
	mem  []byte
	file *os.File // until the process that shares it is started

	mu   sync.Mutex
	free []int
}

const (
	seatSize     = 2 << 20
	seatPayload  = 0
	seatLength   = 4
	seatSaid     = 8
	entrySize    = 16
	entryReturns = 8
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
	file := os.NewFile(uintptr(fd), "seats")
	size := seatSize * (1 + max(n, 1))
	if err := file.Truncate(int64(size)); err != nil {
		return nil, errors.Join(fmt.Errorf("size a memory file to %d MiB (ulimit -f limits it): %w", size>>20, err), file.Close())
	}
	return mapSeats(file, size, n)
}

// mapSeats maps a file with n seats, which is the seats' from here on.
func mapSeats(file *os.File, size, n int) (*seats, error) {
	// Nobody can take away what the host has mapped.
	if _, err := unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW); err != nil {
		return nil, errors.Join(fmt.Errorf("seal a memory file: %w", err), file.Close())
	}
	mem, err := unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map a memory file: %w", err), file.Close())
	}
	s := &seats{mem: mem, file: file}
	for i := range n {
		s.free = append(s.free, i)
	}
	return s, nil
}

// adoptSeats maps the seats that a process has made for the children that it will
// have: it was forked itself, and so has none of its maker's.
func adoptSeats(fd, workers int) (*seats, error) {
	file := os.NewFile(uintptr(fd), "seats")
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if info.Size() != int64(seatSize*(1+workers)) {
		return nil, errors.Join(fmt.Errorf("a process made seats of %d bytes for %d children", info.Size(), workers), file.Close())
	}
	return mapSeats(file, int(info.Size()), workers)
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
	at := &seat{of: s, number: i, entry: s.mem[i*entrySize : (i+1)*entrySize], mem: s.mem[(i+1)*seatSize : (i+2)*seatSize]}
	clear(at.entry)
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
	of     *seats
	number int
	entry  []byte // of the register: only the process that makes the child writes there
	mem    []byte // the job may write anything here
}

// pid is the child's, or 0 if it is not forked yet or has been waited for.
func (s *seat) pid() int { return int(binary.NativeEndian.Uint32(s.entry)) }

// returned is when the fork returned, or 0.
func (s *seat) returned() time.Duration {
	return time.Duration(binary.NativeEndian.Uint64(s.entry[entryReturns:]))
}

// lay puts a payload where the child will find it.
func (s *seat) lay(payload []byte) {
	binary.NativeEndian.PutUint32(s.mem[seatPayload:], uint32(len(payload)))
	copy(s.mem[seatSaid:], payload)
}

// begin notes when the child was there, where the host makes it itself.
func (s *seat) begin(at time.Duration) {
	binary.NativeEndian.PutUint64(s.entry[entryReturns:], uint64(at))
}

// said is what the child reported of its job, and whether it did. Only an executed
// child has something to load, and may say that it could not. The detail is a copy:
// who knows what the job left running.
func (s *seat) said(executed bool) (doneReply, bool, error) {
	n := int(binary.NativeEndian.Uint32(s.mem[seatLength:]))
	if n == 0 {
		return doneReply{}, false, nil
	}
	if n > len(s.mem)-seatSaid {
		return doneReply{}, false, fmt.Errorf("a child says that it left %d bytes in a seat of %d", n, seatSize)
	}
	body := s.mem[seatSaid : seatSaid+n]
	if why, ok := parseUnready(body); ok && executed {
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
