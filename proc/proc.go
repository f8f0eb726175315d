// Package proc is what several packages need of an operating-system process:
// its CPU clock, what it has waited for, and the end of what it prints.
package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is what a process has used so far, all threads, its children's not
// included, exact to the nanosecond where /proc/PID/stat counts in ticks of
// 10 ms. It fails once the process has been waited for.
//
// The clock's number is the one that clock_getcpuclockid(3) makes.
func CPU(pid int) (time.Duration, error) {
	if pid <= 0 {
		return 0, unix.ESRCH // the kernel would take 0 for the caller
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|2, &ts); err != nil {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// userHz is in how many ticks a second /proc/PID/stat counts, on every Linux.
const userHz = 100

// Waited is what the children used that a process has waited for, and their
// children, to the tick of 10 ms; 0 if it cannot be read.
func Waited(pid int) time.Duration {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// The name of the program is in parentheses, and may have some in it.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const user, system = 13, 14 // cutime and cstime: fields 16 and 17, the first here is the third
	if len(fields) <= system {
		return 0
	}
	ticks := 0
	for _, f := range fields[user : system+1] {
		n, err := strconv.Atoi(string(f))
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / userHz)
}

// A Tail is a Writer that keeps the end of what is written to it: a process may
// print a gigabyte, and what explains its death comes last. It may be used by
// several goroutines at once.
type Tail struct {
	keep int

	mu   sync.Mutex
	kept []byte
}

// NewTail returns a Tail that keeps so many bytes.
func NewTail(keep int) *Tail { return &Tail{keep: keep} }

// Write never fails.
func (t *Tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b[max(0, len(b)-t.keep):]...)
	if over := len(t.kept) - t.keep; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(b), nil
}

// String is what has been kept, without space around it.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.kept))
}
