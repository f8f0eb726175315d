package sim

import (
	"errors"
	"strings"
	"testing"

	"forkbench/models"
	"forkbench/workload"
)

// TestLaws breaks each law in turn.
func TestLaws(t *testing.T) {
	for _, test := range []struct {
		want string
		do   func(h *Host)
	}{
		{"", func(*Host) {}},
		{"Little's law: jobs spent 7 ns in slots, the slots held jobs for 8 ns", func(h *Host) { h.law.area++ }},
		{"1 jobs were taken, 0 are accounted for", func(h *Host) { h.settle.settled-- }},
		{"Little's law: the cores had tasks for 1 ns, tasks were there for 0 ns", func(h *Host) { h.cpu.area++ }},
		{"the cores worked for 0 ns, tasks received 9 ns", func(h *Host) { h.cpu.served = 9 }},
		{"processes used 5ns, their records say 0s", func(h *Host) { h.used.parents.User = 5 }},
		{"0 processes with 3 pages are left", func(h *Host) { h.pages.frames = 3 }},
		{"job 4 was due at 0s, taken at 5ns, started at 4ns, finished at 9ns and settled at 9ns", func(h *Host) {
			h.law.check(&workload.Job{ID: 4}, &models.Outcome{Process: 1, Started: 4, Finished: 9}, 5, 9, 0)
		}},
	} {
		h := new(Host)
		h.law.take(1)
		h.law.settle(8, 1)
		h.feed.taken, h.settle.settled = 1, 1
		test.do(h)
		err := h.verify()
		_, broken := errors.AsType[*InvariantError](err)
		if broken != (test.want != "") || broken && !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v; want %q", err, test.want)
		}
	}
}
