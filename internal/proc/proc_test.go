package proc_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"forkbench/internal/proc"
)

func ExampleTail() {
	tail := proc.NewTail(18)
	for i := range 1000 {
		_, _ = fmt.Fprintf(tail, "line %d\n", i)
	}
	fmt.Println(tail)
	// Output:
	// line 998
	// line 999
}

func TestTail(t *testing.T) {
	for _, test := range []struct{ written, want string }{
		{"", ""},
		{"\nshort\n", "short"},
		{strings.Repeat("x", 1<<20) + "the last words\n", "xxxxx" + "the last words"},
		{"12345678901234567890", "12345678901234567890"},
	} {
		tail := proc.NewTail(20)
		for _, part := range []int{len(test.written) / 3, len(test.written)} {
			b := []byte(test.written[:part])
			if part == len(test.written) {
				b = []byte(test.written[len(test.written)/3:])
			}
			if n, err := tail.Write(b); n != len(b) || err != nil {
				t.Errorf("wrote %d of %d bytes: %v", n, len(b), err)
			}
		}
		if got := tail.String(); got != test.want {
			t.Errorf("of %d bytes it kept %q; want %q", len(test.written), got, test.want)
		}
	}
}

// TestWaited: what a process that has ended used is counted on the one that waited
// for it, to the tick.
func TestWaited(t *testing.T) {
	if err := exec.Command("sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done").Run(); err != nil {
		t.Fatal(err)
	}
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &used); err != nil {
		t.Fatal(err)
	}
	want := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	const cut = 20 * time.Millisecond // two counters
	if got := proc.Waited(os.Getpid()); got > want || got < want-cut || got == 0 {
		t.Errorf("it waited for processes that used %v; want %v, cut to ticks", got, want)
	}
	if got := proc.Waited(-1); got != 0 {
		t.Errorf("a process that is none waited for %v", got)
	}
}

// TestCPU: the clock of this process goes forward by what getrusage says that it
// used, and a process that is gone has none.
func TestCPU(t *testing.T) {
	before, err := proc.CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	after, err := proc.CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// getrusage cuts its two parts to microseconds.
	const cut = 2000
	if total := used.Utime.Nano() + used.Stime.Nano(); total+cut < before.Nanoseconds() || total > after.Nanoseconds() {
		t.Errorf("getrusage says %d ns, between %v and %v", total, before, after)
	}

	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{cmd.Process.Pid, 0, -1} {
		if _, err := proc.CPU(pid); err == nil {
			t.Errorf("process %d, which is none, has a CPU clock", pid)
		}
	}
}

// TestChildren: a child is listed until it has been waited for, also by the search
// that kernels without a list need.
func TestChildren(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	s, ok := proc.Stands(pid)
	if want := (proc.Standing{State: 'Z', Exiting: true, Parent: os.Getpid(), Group: unix.Getpgrp(), Session: s.Session, Start: s.Start}); !ok || s.Start <= 0 || s != want {
		t.Errorf("a child that has ended stands as %+v, %v; want %+v", s, ok, want)
	}
	if used, err := proc.CPU(pid); err != nil || used <= 0 {
		t.Errorf("it used %v (%v); want the clock of what is not waited for yet", used, err)
	}
	for name, list := range map[string]func(int) []int{"listed": proc.Children, "found": proc.SearchChildren} {
		if !slices.Contains(list(os.Getpid()), pid) {
			t.Errorf("a child that has ended is not %s", name)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, ok := proc.Stands(pid); ok {
		t.Error("it stands after it was waited for")
	}
	if slices.Contains(proc.Children(os.Getpid()), pid) {
		t.Error("it is listed after it was waited for")
	}
}
