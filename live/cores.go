package live

import "runtime"

// LeaveCores has this program keep to half of the processors, and leave the rest
// to the jobs, until restore is called. On all of them, idle threads of Go's
// scheduler look for work where the jobs should run: 1 to 3 % of the CPU with jobs
// of 1 ms on two cores. A program calls it around the rounds that it measures; it
// is not for several at once.
func LeaveCores() (restore func()) {
	before := runtime.GOMAXPROCS(max(1, runtime.NumCPU()/2))
	return func() { runtime.GOMAXPROCS(before) }
}
