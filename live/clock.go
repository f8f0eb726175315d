package live

import (
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
