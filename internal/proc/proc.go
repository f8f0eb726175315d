// Package proc is what several packages need of an operating-system process:
// its CPU clock, what it has waited for, its relatives, and the end of what it
// prints.
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
	t, _ := TimesOf(pid)
	return t.WaitedUser + t.WaitedSystem
}

// Times is what a process has used, and those that it has waited for, and they
// that they had: to the tick of 10 ms.
type Times struct {
	Parent                                 int
	User, System, WaitedUser, WaitedSystem time.Duration
}

// TimesOf reads them; false if the process is gone.
func TimesOf(pid int) (Times, bool) {
	const parent, user = 1, 11 // fields 4 and 14 to 17, the first here is the third
	fields := stat(strconv.Itoa(pid))
	if len(fields) < user+4 {
		return Times{}, false
	}
	var t Times
	var err error
	if t.Parent, err = strconv.Atoi(string(fields[parent])); err != nil {
		return Times{}, false
	}
	for i, to := range []*time.Duration{&t.User, &t.System, &t.WaitedUser, &t.WaitedSystem} {
		ticks, err := strconv.Atoi(string(fields[user+i]))
		if err != nil {
			return Times{}, false
		}
		*to = time.Duration(ticks) * (time.Second / userHz)
	}
	return t, true
}

// A Standing is how a process stands to others.
type Standing struct {
	State                  byte // 'R' runs or could, 'D' waits for a disk, 'S' sleeps, 'Z' has ended and was not waited for
	Exiting                bool // it has begun to end
	Parent, Group, Session int
	Start                  int64 // when it was started, in ticks: with its pid it is not another's
}

// Stands reads it; false if the process is gone.
func Stands(pid int) (Standing, bool) { return standing(stat(strconv.Itoa(pid))) }

// TaskStands is Stands of one of a process's threads.
func TaskStands(pid, tid int) (Standing, bool) {
	return standing(stat(strconv.Itoa(pid) + "/task/" + strconv.Itoa(tid)))
}

func standing(fields [][]byte) (Standing, bool) {
	const flags, exiting = 6, 0x4 // PF_EXITING
	const start = 19              // field 22
	if len(fields) <= start {
		return Standing{}, false
	}
	bits, err := strconv.Atoi(string(fields[flags]))
	if err != nil {
		return Standing{}, false
	}
	s := Standing{State: fields[0][0], Exiting: bits&exiting != 0}
	if s.Start, err = strconv.ParseInt(string(fields[start]), 10, 64); err != nil {
		return Standing{}, false
	}
	for i, to := range []*int{&s.Parent, &s.Group, &s.Session} {
		n, err := strconv.Atoi(string(fields[1+i]))
		if err != nil {
			return Standing{}, false
		}
		*to = n
	}
	return s, true
}

// stat is the fields of /proc/PID/stat from the third on; none if the process is
// gone.
func stat(process string) [][]byte {
	text, err := os.ReadFile("/proc/" + process + "/stat")
	if err != nil {
		return nil
	}
	// The name of the program is in parentheses, and may have some in it.
	return bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
}

// Children lists the children of a process, those that have ended and were not
// waited for among them.
func Children(pid int) []int {
	dir := "/proc/" + strconv.Itoa(pid) + "/task"
	tasks, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var found []int
	for _, task := range tasks {
		text, err := os.ReadFile(dir + "/" + task.Name() + "/children")
		if os.IsNotExist(err) && !listsChildren() {
			return searchChildren(pid)
		}
		for field := range bytes.FieldsSeq(text) {
			if child, err := strconv.Atoi(string(field)); err == nil {
				found = append(found, child)
			}
		}
	}
	return found
}

// listsChildren reports whether the kernel was built with CONFIG_PROC_CHILDREN.
var listsChildren = sync.OnceValue(func() bool {
	_, err := os.Stat("/proc/thread-self/children")
	return err == nil
})

// searchChildren is Children on a kernel that does not list them.
func searchChildren(pid int) []int {
	var found []int
	for _, other := range All() {
		if s, ok := Stands(other); ok && s.Parent == pid {
			found = append(found, other)
		}
	}
	return found
}

// All lists the processes of the machine.
func All() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var found []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			found = append(found, pid)
		}
	}
	return found
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
