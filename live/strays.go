package live

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"forkbench/internal/proc"
)

// markVar is the environment variable by which the processes of a run can be
// told, whatever became of their parents. Its value is the run, or run/round.
const markVar = "FORKBENCH_RUN"

// mark is the variable for a round's processes.
func (h *Host) mark() string {
	return fmt.Sprintf("%s=%s/%s-%d-%d", markVar, h.m.Guard.id(), h.r.Model, h.r.Number, h.born)
}

// marked lists the living processes whose mark is the given one or one below it.
// A process that cleared its environment by exec is not found: its control group
// has it.
func marked(mark string) []int {
	var found []int
	for _, pid := range proc.All() {
		if pid != os.Getpid() && hasMark(pid, mark) {
			found = append(found, pid)
		}
	}
	return found
}

// hasMark says whether a process is marked; not of one that has ended or is
// somebody else's.
func hasMark(pid int, mark string) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	for entry := range bytes.SplitSeq(text, []byte{0}) {
		if value, ok := strings.CutPrefix(string(entry), markVar+"="); ok {
			return value == mark || strings.HasPrefix(value, mark+"/")
		}
	}
	return false
}

// roundMark is the value of the round's mark.
func (h *Host) roundMark() string { return strings.TrimPrefix(h.mark(), markVar+"=") }

// strays lists the living processes of the round that are none of the host's own:
// what jobs, and imports, have started and what that has become. If asked, it looks
// everywhere: also for those that have left the round's control group, and those
// that are about to end and in no list but that of this program's children.
func (h *Host) strays(everywhere bool) []int {
	h.booking.Lock()
	defer h.booking.Unlock()
	return h.list(everywhere)
}

// list is strays for who holds booking.
func (h *Host) list(everywhere bool) []int {
	members := h.cgroup.processes()
	if everywhere || h.cgroup.dir == nil {
		members = append(members, h.waitForOrphans()...)
		members = append(members, marked(h.roundMark())...)
	}
	known := h.known()
	var found []int
	for _, pid := range members {
		if !known[pid] {
			known[pid] = true
			found = append(found, pid)
		}
	}
	return found
}

// known is the pids of the host's own processes.
func (h *Host) known() map[int]bool {
	known := make(map[int]bool)
	for _, p := range h.open() {
		if pid := p.number(); pid != 0 {
			known[pid] = true
		}
	}
	for _, pid := range h.lineage.living() {
		known[pid] = true
	}
	return known
}

const (
	// strayLook is the pause between two looks at what jobs have left behind, and
	// strayIdle for how many of them in a row nothing may have come of it before it
	// is ended.
	strayLook = 10 * time.Millisecond
	strayIdle = 10
	// strayPatience bounds the time that what is left behind may work on after the
	// last of it has ended by itself, and strayLimit bounds it in all.
	strayPatience = 10 * time.Second
	strayLimit    = time.Minute
)

// clear ends what is left of the round when all processes of the host's own have
// ended, and books it. What still works is let finish, if that is asked: jobs have
// begun it, and what it uses is theirs. What waits is killed, and counted.
func (h *Host) clear(ctx context.Context, patiently bool) (killed int) {
	left := h.strays(true)
	if patiently {
		left = h.letFinish(ctx, left)
	}
	return h.endStrays(left, h.killStrays)
}

// letFinish waits until what is left behind has ended, or does nothing any more,
// and returns what is alive then.
func (h *Host) letFinish(ctx context.Context, left []int) []int {
	began := monotonic()
	ended := began // when the last one did
	idle, used := 0, h.usedBy(left)
	for idle < strayIdle && len(left) > 0 {
		if h.Sleep(ctx, strayLook) != nil || h.stopping() {
			return left
		}
		now := monotonic()
		if now-ended > strayPatience || now-began > strayLimit {
			h.warn("what jobs had left behind was still at work %d s after the last of them, and was killed: "+
				"the CPU per job lacks what it had left to do", int((now - began).Seconds()))
			return left
		}
		h.reapOrphans()
		before := len(left)
		left = h.strays(false)
		if len(left) < before {
			ended = now
		}
		was := used
		used = h.usedBy(left)
		idle++
		if used != was || anyAtWork(left) {
			idle = 0
		}
	}
	return left
}

// stopping reports whether the round is to end early.
func (h *Host) stopping() bool {
	select {
	case <-h.r.Stop: // nil blocks for ever, which default is for
		return true
	default:
		return false
	}
}

// anyAtWork reports whether one of the processes runs, would if it had a core, or
// waits for a disk.
func anyAtWork(pids []int) bool {
	for _, pid := range pids {
		if s, ok := proc.Stands(pid); ok && (s.State == 'R' || s.State == 'D') {
			return true
		}
	}
	return false
}

// usedBy is what living processes have used so far, with what they have waited
// for.
func (h *Host) usedBy(pids []int) time.Duration {
	var sum time.Duration
	for _, pid := range pids {
		others := proc.Waited(pid) // before the clock: it is not to be gone in between
		if used, err := proc.CPU(pid); err == nil {
			sum += used + others
		}
	}
	return sum
}

// endStrays kills what is left of the round until nothing is, books it, and returns
// how many there were. What does not end within the host's limit is named.
func (h *Host) endStrays(left []int, kill func([]int)) int {
	killed := make(map[int]bool)
	for began := time.Now(); ; {
		for _, pid := range left {
			if s, ok := proc.Stands(pid); ok && !s.Exiting {
				killed[pid] = true
			}
		}
		if len(left) > 0 {
			kill(left)
			time.Sleep(time.Millisecond)
		}
		if left = h.strays(true); len(left) == 0 {
			return len(killed)
		}
		if time.Since(began) > h.limit {
			h.warn("what jobs had left behind was killed and has not ended within %v, and its CPU is missing: %s", h.limit, listed(left))
			return len(killed)
		}
	}
}

// namedStrays are named in a warning, and the others counted.
const namedStrays = 5

// listed names the first of some processes for the reader of a warning.
func listed(pids []int) string {
	var names []string
	for _, pid := range pids[:min(len(pids), namedStrays)] {
		names = append(names, described(pid))
	}
	if more := len(pids) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}
