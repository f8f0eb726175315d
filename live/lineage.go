package live

import (
	"os"
	"sync"

	"forkbench/internal/proc"
)

// A lineage is what tells the processes of a round from others: those that the host
// has started itself, and what was seen of others. It may be asked by whoever holds
// any other lock.
type lineage struct {
	mu      sync.Mutex
	booted  map[int]bool   // the pids of all processes that were ever spawned: they lead groups
	spawned map[int]bool   // of those that nobody has waited for yet
	marked  map[birth]bool // that were seen with the round's mark
}

// A birth is a process, whoever has its pid later.
type birth struct {
	pid   int
	start int64
}

func newLineage() lineage {
	return lineage{booted: make(map[int]bool), spawned: make(map[int]bool), marked: make(map[birth]bool)}
}

// spawn notes a process that the host has started.
func (l *lineage) spawn(pid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.booted[pid], l.spawned[pid] = true, true
}

// waited notes that the host has waited for one of them.
func (l *lineage) waited(pid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.spawned, pid)
}

// living lists those that it has not waited for.
func (l *lineage) living() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	var pids []int
	for pid := range l.spawned {
		pids = append(pids, pid)
	}
	return pids
}

// isSpawned reports whether the host has started a process and is to wait for it.
func (l *lineage) isSpawned(pid int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spawned[pid]
}

// leads reports whether a group or session is that of a process that was spawned. Its
// number is not another's while it has members: if a process has it that was not spawned,
// then it had none, and that one leads another.
func (l *lineage) leads(group int) bool {
	l.mu.Lock()
	ours, lives := l.booted[group], l.spawned[group]
	l.mu.Unlock()
	if !ours || lives {
		return ours
	}
	_, other := proc.Stands(group)
	return !other
}

// hadMark reports whether a process has the mark, or was seen with it.
func (l *lineage) hadMark(pid int, s proc.Standing, mark string) bool {
	b := birth{pid, s.Start}
	l.mu.Lock()
	seen := l.marked[b]
	l.mu.Unlock()
	if seen || s.Exiting {
		return seen // what ends has no environment any more
	}
	if !hasMark(pid, mark) {
		return false // for now: it may have ended meanwhile, or be about to execute something
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.marked[b] = true
	return true
}

// forget drops what was seen of a process that is gone.
func (l *lineage) forget(pid int, s proc.Standing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.marked, birth{pid, s.Start})
}

// ofRound reports whether a process that the host does not wait for itself is of
// this round, alive or not: it is in the round's control group, or was when it
// ended; or in the process group or session of a process that was booted; or it was
// seen with the round's mark. Without a control group a process that has left its
// session cannot be told once it has ended, if nobody has looked before.
func (h *Host) ofRound(pid int, s proc.Standing) bool {
	if pid <= 1 || pid == os.Getpid() || h.lineage.isSpawned(pid) {
		return false
	}
	return h.cgroup.holds(pid) || h.lineage.leads(s.Group) || h.lineage.leads(s.Session) || h.lineage.hadMark(pid, s, h.roundMark())
}
