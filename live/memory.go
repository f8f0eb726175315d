package live

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"

	"forkbench/internal/proc"
)

// The memory of a tree of processes is the sum of their PSS: what a page that
// several map is worth is divided among them. It is the sum of those that live when
// they are read: what is about to be forked has none, and what has ended and was not
// waited for has none any more.
//
// A sum takes its time, and children may live for a millisecond. A child that is
// forked or ends between two reads changes what all others share with it: a parent
// read alone and a child read after it come to one and a half parents. So where the
// processes before and after were not the same, what the forked ones share with
// their parents is counted once, in the parents, whoever shares it.

// readMost is how many processes of a kind are read in full, chosen at random: it
// takes about 10 us for each MB. Of all others the resident memory is read, and what
// they share is taken to be as the read ones have it.
const readMost = 16

// A census is the memory of the processes of a round that were alive at one moment,
// in bytes.
type census struct {
	processes int
	pss, rss  int64
	own       int64 // median private memory of the host's children that were read; 0 if none was
}

// A living process is one that has memory.
type living struct {
	pid      int
	rss      int64
	parent   bool // it was booted
	child    bool // the host had it forked, for jobs
	promoted bool // it was, and has become a template
	memory        // if read
}

// census sums the memory of the round's processes, as close together as can be.
func (h *Host) census() census {
	roles := h.roles()
	before := h.members(roles)
	var parents, rest []living
	for _, pid := range before {
		p := roles[pid]
		l := living{pid: pid, rss: residentOf(pid)}
		switch {
		case l.rss == 0: // it has ended
		case p != nil && p.role == roleParent:
			l.parent = true
			parents = append(parents, l)
		default:
			l.child, l.promoted = p != nil, p != nil && p.refork.Load()
			rest = append(rest, l)
		}
	}
	booted, others := readSome(parents), readSome(rest)
	stable := alike(before, h.members(h.roles()))

	sum := func(measure func(*living) int64) int64 { return booted.sum(measure, true) + others.sum(measure, true) }
	c := census{processes: booted.count() + others.count(), rss: sum(func(l *living) int64 { return l.rss })}
	parent := int64(0) // anonymous memory of the largest
	for i := range booted.read {
		parent = max(parent, booted.read[i].anon)
	}
	// Counted in the parents, whoever shares it. What a parent has written to since it
	// forked, and several children still share as it was, is not seen so.
	c.pss = sum(func(l *living) int64 {
		switch {
		case l.parent:
			return l.anon + l.files()
		case l.promoted:
			return max(l.dirty, l.anon-parent) + l.files()
		default:
			return l.dirty + l.files()
		}
	})
	if stable { // but for one that is about to end: it has a share, and cannot be read
		c.pss = max(c.pss, sum(func(l *living) int64 { return l.pss }))
	}
	var own []int64
	for i := range others.read {
		if l := &others.read[i]; l.child && !l.promoted {
			own = append(own, l.uss)
		}
	}
	if len(own) > 0 {
		slices.Sort(own)
		c.own = own[len(own)/2]
	}
	return c
}

// roles is the host's own processes that have a pid.
func (h *Host) roles() map[int]*process {
	open := h.open()
	roles := make(map[int]*process, len(open))
	for _, p := range open {
		if pid := p.number(); pid != 0 {
			roles[pid] = p
		}
	}
	return roles
}

// members lists the processes of the round: those in its control group. Where there
// is none, the host's own and all that have one of them for an ancestor.
func (h *Host) members(roles map[int]*process) []int {
	var found []int
	if h.cgroup.dir != nil {
		found = h.cgroup.processes()
	} else {
		children := make(map[int][]int)
		for _, pid := range proc.All() {
			if s, ok := proc.Stands(pid); ok {
				children[s.Parent] = append(children[s.Parent], pid)
			}
		}
		for pid := range roles {
			found = append(found, pid)
		}
		for i := 0; i < len(found); i++ {
			for _, child := range children[found[i]] {
				if roles[child] == nil {
					found = append(found, child)
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// alike reports whether two sorted lists of processes have so many in common that
// the others do not change what those share: all of a few.
func alike(a, b []int) bool {
	common := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			common, i, j = common+1, i+1, j+1
		}
	}
	changed := len(a) + len(b) - 2*common
	return 20*changed <= len(a)
}

// Kin are processes of a kind: those that were read, those that were not, and how
// many had ended when they were to be read.
type kin struct {
	read, rest []living
	ended      int
}

// readSome reads some of the processes, or all if they are few.
func readSome(all []living) (k kin) {
	if n := len(all); n > readMost {
		rand.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
		all, k.rest = all[:readMost], all[readMost:]
	}
	for _, l := range all {
		m, err := memoryOf(l.pid)
		if err != nil {
			k.ended++
			continue
		}
		l.memory = m
		k.read = append(k.read, l)
	}
	return k
}

// count is how many were alive, if as many of the rest had ended as of those that
// were to be read.
func (k *kin) count() int { return int(k.sum(func(*living) int64 { return 1 }, false)) }

// sum is what the processes come to by a measure that is known of those that were
// read. Of the rest their resident memory is known: if the measure goes with it, it
// is taken to be as far from it as in the mean of the others. That has no bias, and
// where all were read it is exact.
func (k *kin) sum(measure func(*living) int64, resident bool) int64 {
	if len(k.read) == 0 {
		return 0
	}
	var sum, apart, rest int64
	for i := range k.read {
		l := &k.read[i]
		sum += measure(l)
		apart += measure(l)
		if resident {
			apart -= l.rss
		}
	}
	if resident {
		for i := range k.rest {
			rest += k.rest[i].rss
		}
	}
	n, read := int64(len(k.rest)), int64(len(k.read))
	rest += apart * n / read
	return sum + max(rest, 0)*read/(read+int64(k.ended))
}

// memory is what smaps_rollup says of a process, in bytes.
type memory struct {
	pss     int64 // of all
	anonPSS int64 // of what is in no file
	anon    int64 // in no file, whoever shares it
	uss     int64 // private
	dirty   int64 // private and written to
}

// files is the process's share of what is in files.
func (m *memory) files() int64 { return m.pss - m.anonPSS }

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
		case "Pss":
			m.pss, seen = kb<<10, true
		case "Pss_Anon":
			m.anonPSS = kb << 10
		case "Anonymous":
			m.anon = kb << 10
		case "Private_Clean":
			m.uss += kb << 10
		case "Private_Dirty":
			m.uss += kb << 10
			m.dirty = kb << 10
		}
	}
	if !seen {
		return memory{}, errors.New("smaps_rollup has no Pss: the process is gone, or the kernel is older than 4.14")
	}
	return m, nil
}

// residentOf is a process's RSS in bytes, or 0 when it cannot be read or has ended.
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
