package live_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"forkbench/models"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
)

// A tree is the processes of a round as a stranger finds them: those that descend
// from this test and have the model's name on their command line.
func tree(model string) []int {
	parents := make(map[int]int)
	var found []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		parents[pid], _ = strconv.Atoi(fields[1])
	}
	for pid := range parents {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		ancestor := parents[pid]
		for ancestor != os.Getpid() && ancestor > 1 {
			ancestor = parents[ancestor]
		}
		if ancestor == os.Getpid() && bytes.Contains(line, []byte("forkbench:"+model)) {
			found = append(found, pid)
		}
	}
	slices.Sort(found)
	return found
}

// held sums smaps_rollup over the tree while it is stopped: the truth. It is 0 if
// there is no tree, or it has ended meanwhile.
func held(model string) (pss int64, processes int) {
	var stopped []int
	defer func() {
		for _, pid := range stopped {
			_ = unix.Kill(pid, unix.SIGCONT)
		}
	}()
	for {
		// Until nobody is left that could fork, and what was about to end has ended.
		all := tree(model)
		if slices.Equal(all, stopped) && !slices.ContainsFunc(all, ending) {
			break
		}
		for _, pid := range all {
			_ = unix.Kill(pid, unix.SIGSTOP)
		}
		stopped = all
	}
	for _, pid := range stopped {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
				kb, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
				pss += kb << 10
				processes++
			}
		}
	}
	return pss, processes
}

// ending reports whether a process has not stopped yet: it is on its way out of the
// kernel, or out of the world.
func ending(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	state := text[bytes.LastIndexByte(text, ')')+2]
	return state != 'T' && state != 'Z'
}

// TestMemoryOfChildrenThatLast: the sum that is sampled is that which a stranger
// finds, however many children there are, and however different.
func TestMemoryOfChildrenThatLast(t *testing.T) {
	text := `
import os, time
shared = bytearray(b"x" * (24 << 20))
def job(directory, number):
    own = bytearray(b"y" * ((number % 7) << 20))
    shared[: (number % 3) << 20] = b"z" * ((number % 3) << 20)
    if number == 0 and os.fork() == 0:  # in the memory of the round as well
        own += b"y" * (10 << 20)
        number = "of a job"
    open(os.path.join(directory, str(number)), "w").close()
    while not os.path.exists(os.path.join(directory, "go")):
        time.sleep(0.05)
`
	for _, e := range []models.Executor{prefork.Model{}, hybrid.Model{}} {
		for _, workers := range []int{4, 5, 100} {
			t.Run(fmt.Sprint(e.Name(), workers), func(t *testing.T) {
				rig := newRig(t, script{text: text, function: "job"})
				rig.machine.Workers = workers
				if workers == 5 {
					rig.machine.Guard = nil // and with it the control group
				}
				dir := t.TempDir()
				payloads := make([]string, workers)
				for i := range payloads {
					payloads[i] = fmt.Sprintf(`[%q,%d]`, dir, i)
				}
				round, sink := rig.round(e.Name(), payloads...)
				looked := make(chan struct{}, 1)
				sink.onSample = func() { notify(looked) }
				var want int64
				var from int
				go func() {
					for { // until all have what they will have
						started, _ := os.ReadDir(dir)
						if len(started) == workers+1 || t.Context().Err() != nil {
							break
						}
						<-looked
					}
					want, _ = held(e.Name())
					from = sink.count()
					for sink.count() < from+4 && t.Context().Err() == nil {
						<-looked
					}
					_ = os.WriteFile(filepath.Join(dir, "go"), nil, 0o600)
				}()
				done, err := rig.machine.Run(t.Context(), e, round)
				if err != nil || done.Settled != workers {
					t.Fatalf("settled %d of %d: %v", done.Settled, workers, err)
				}
				// Of many, some are read in full, drawn anew for each sample: those differ by
				// about 2 % of the sum, as these children differ.
				most, sum := 0.05, 0.0
				if workers == 100 {
					most = 0.12
				}
				// The first may have begun before.
				last := sink.samples[from+1 : from+4]
				for _, s := range last {
					off := float64(s.PSS)/float64(want) - 1
					if sum += off; off < -most || off > most {
						t.Errorf("sampled %.1f MB, a stranger sums up %.1f MB", float64(s.PSS)/1e6, float64(want)/1e6)
					}
					if s.Processes != workers+2 {
						t.Errorf("sampled %d processes; want %d", s.Processes, workers+2)
					}
				}
				if mean := sum / float64(len(last)); mean < -0.05 || mean > 0.05 {
					t.Errorf("in the mean of %d, samples are off by %.1f %%", len(last), 100*mean)
				}
			})
		}
	}
}

// TestMemoryOfChildrenThatPass: children that live for a moment are counted while
// they live, and not when they wait to be forked or to be reaped.
func TestMemoryOfChildrenThatPass(t *testing.T) {
	text := "shared = bytearray(b'x' * (24 << 20))\ndef job():\n    bytearray(b'y' * (1 << 20))\n"
	for _, e := range []models.Executor{hybrid.Model{}, hybrid.Model{Refork: 5}} {
		for _, workers := range []int{4, 100} {
			t.Run(fmt.Sprintf("%+v, %d", e, workers), func(t *testing.T) {
				rig := newRig(t, script{text: text, function: "job"})
				rig.machine.Workers = workers
				round, sink := rig.round(e.Name(), repeat(4000, `[]`)...)
				stop := make(chan struct{})
				round.Stop = stop
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var sums []float64
				most := 0
				watched := make(chan struct{})
				go func() {
					defer close(watched)
					for range 12 {
						for n := sink.count(); sink.count() == n && ctx.Err() == nil; {
							time.Sleep(time.Millisecond) // at the pace of the samples
						}
						if pss, n := held(e.Name()); n > 0 {
							sums, most = append(sums, float64(pss)/1e6), max(most, n)
						}
					}
					close(stop)
				}()
				done, err := rig.machine.Run(t.Context(), e, round)
				cancel()
				<-watched
				if err != nil || done.Settled == 0 || len(sums) == 0 || len(sink.samples) == 0 {
					t.Fatalf("settled %d jobs, %d sums, %d samples: %v", done.Settled, len(sums), len(sink.samples), err)
				}
				var sampled []float64
				processes := 0
				for _, s := range sink.samples {
					sampled, processes = append(sampled, float64(s.PSS)/1e6), max(processes, s.Processes)
				}
				t.Logf("%d samples, median %.1f MB, at most %.1f MB and %d processes; %d sums, median %.1f MB, at most %.1f MB and %d processes",
					len(sampled), median(sampled), slices.Max(sampled), processes, len(sums), median(sums), slices.Max(sums), most)
				if got, want := median(sampled), median(sums); got < 0.85*want || got > 1.15*want {
					t.Errorf("samples have a median of %.1f MB, a stranger's sums one of %.1f MB", got, want)
				}
				// Not taken at the same moments: their peaks are of other children.
				if got, want := slices.Max(sampled), slices.Max(sums); got > 2*want {
					t.Errorf("sampled up to %.1f MB, a stranger sums up to %.1f MB", got, want)
				}
			})
		}
	}
}

func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
