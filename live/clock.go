package live

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"forkbench/record"
)

// monotonic is CLOCK_MONOTONIC, which all processes of a machine share: what a
// child stamps can be compared with what the host stamps.
func monotonic() time.Duration {
	a := anchored()
	return a.stamp + time.Since(a.at)
}

// An anchor is one moment on both CLOCK_MONOTONIC and Go's clock, which is the
// same one, read without a system call, but does not tell its zero.
type anchor struct {
	at    time.Time
	stamp time.Duration
}

var anchored = sync.OnceValue(func() anchor {
	var ts unix.Timespec
	before := time.Now()
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail for this clock
	half := time.Since(before) / 2
	return anchor{before.Add(half), time.Duration(ts.Nano())}
})

// ownCPU is what this program has used so far.
func ownCPU() record.CPU {
	var ru unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &ru) // cannot fail with these arguments
	return record.CPU{User: time.Duration(ru.Utime.Nano()), System: time.Duration(ru.Stime.Nano())}
}

// ownWaits is how often a thread of this program has slept.
func ownWaits() int64 {
	var ru unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &ru) // cannot fail with these arguments
	return ru.Nvcsw
}

// ownThread is the CPU that the calling thread has used.
func ownThread() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) // cannot fail for this clock
	return time.Duration(ts.Nano())
}

// memory is what smaps_rollup says of a process, in bytes.
type memory struct{ rss, pss, uss int64 }

// memoryOf walks the page tables of a process: about 10 us for each MB.
func memoryOf(pid int) (memory, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	if err != nil {
		return memory{}, err
	}
	var m memory
	seen := false
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			continue // the first line is the address range
		}
		switch name {
		case "Rss":
			m.rss = kb << 10
		case "Pss":
			m.pss, seen = kb<<10, true
		case "Private_Clean", "Private_Dirty":
			m.uss += kb << 10
		}
	}
	if !seen {
		return memory{}, errors.New("smaps_rollup has no Pss: the process is gone, or the kernel is older than 4.14")
	}
	return m, nil
}

// residentOf is a process's RSS in bytes, or 0 when it cannot be read.
func residentOf(pid int) int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
