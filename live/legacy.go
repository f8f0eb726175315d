package live

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"forkbench/internal/held"
	"forkbench/record"
)

// What a process has open, and which threads run in it, is looked at once before
// its first fork, again when it has been warmed, and again when it has run jobs:
// what its forks would share is a hazard, however fast they are. It is looked at
// from outside. Only where there is something, a fork is made to see what of it
// forks inherit, for an application may close it around the fork; and only where
// there are threads, the process is asked for the names that Python knows.

//go:embed held.py
var heldSource string

// inquiry bounds a question about what a process holds: it may be stuck in a lock.
const inquiry = 10 * time.Second

// maxHazards bounds those that are told of a round.
const maxHazards = 40

// A legacy is what a process would pass on.
type legacy struct {
	passed     atomic.Int32 // the generation whose hazards have been told
	inspecting sync.Mutex   // held while it is looked at, and guards what follows
	inspected  int32        // the generation that was looked at; 0 for none
	found      []record.Hazard

	steps []stepReply // what it did so far, and what that left; of Boot and Warm
}

// generation tells apart the states in which a process forks: cold, warm, after
// jobs.
func (p *process) generation() int32 {
	n := int32(1)
	if p.warm {
		n |= 2
	}
	if p.ran.Load() > 0 {
		n |= 4
	}
	return n
}

// forks reports whether the process's children are its forks, and ours to make.
func (p *process) forks() bool {
	_, python := p.host.m.Runtime.(Python)
	return python && !p.foreign
}

// examineParents looks at what was booted by a slot that is about to take its
// first job, so that it is not looked at while jobs wait.
func (h *Host) examineParents(top *slot) {
	if h.gate.isOpen() {
		return
	}
	for _, p := range h.open() {
		if p.role == roleParent && (p.birth == top || p.birth == h.gate.root) && p.forks() && p.is(running) {
			p.examine()
		}
	}
}

// pass is called before each fork: it tells the hazards of the process's state,
// once.
func (p *process) pass() {
	now := p.generation()
	if p.passed.Load() == now || !p.forks() {
		return
	}
	p.examine()
	if p.passed.Swap(now) != now {
		p.inspecting.Lock()
		defer p.inspecting.Unlock()
		p.host.endanger(p.found)
	}
}

// endanger notes hazards, each once.
func (h *Host) endanger(found []record.Hazard) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, one := range found {
		if len(h.hazards) < maxHazards && !slices.Contains(h.hazards, one) {
			h.hazards = append(h.hazards, one)
			if !one.Caution {
				h.m.log().Warn(fmt.Sprintf("%s: %s: %s", h.r.Model, one.Clause(), one.Cure))
			}
		}
	}
}

// unfit is why a model with these hazards must not be recommended, what jobs hang
// or fail by before what they do not notice.
func unfit(found []record.Hazard) []string {
	rank := func(h record.Hazard) int {
		switch {
		case h.Kind == record.HazardLock:
			return 0
		case h.Kind == record.HazardThread || h.Kind == record.HazardNativeThread:
			return 2
		}
		return 1
	}
	found = slices.Clone(found)
	slices.SortStableFunc(found, func(a, b record.Hazard) int { return rank(a) - rank(b) })
	var reasons []string
	for _, one := range found {
		if !one.Caution {
			reasons = append(reasons, one.Clause())
		}
	}
	return reasons
}

// examine looks at what the process holds, unless that has been done in its
// present state.
func (p *process) examine() {
	p.inspecting.Lock()
	defer p.inspecting.Unlock()
	now := p.generation()
	if p.inspected == now {
		return
	}
	p.inspected, p.found = now, nil
	things, err := held.Open(p.pid)
	if err != nil {
		return // it has ended, which others will notice
	}
	threads, _ := held.Threads(p.pid)
	if len(things) == 0 && len(threads) == 0 {
		return
	}
	e := &estate{things: things, threads: threads}
	if len(threads) > 0 {
		e.inside, _ = p.holds() // else they have no names
	}
	if e.err = p.handDown(e); e.err == nil {
		e.left, _ = held.Threads(p.pid)
	}
	p.assess(e)
}

// add notes a hazard that its makers do not have: theirs has been told.
func (p *process) add(one record.Hazard) {
	for q := p.maker; q != nil; q = q.maker {
		if q.has(one) {
			return
		}
	}
	p.found = append(p.found, one)
}

func (p *process) has(one record.Hazard) bool {
	p.inspecting.Lock()
	defer p.inspecting.Unlock()
	return slices.ContainsFunc(p.found, one.Same)
}

// origin says what the process did when it came to have something, or nothing if
// that is not known.
func (p *process) origin(what string) string {
	for q := p; q != nil; q = q.maker {
		for _, s := range q.steps {
			if slices.Contains(s.Left, what) {
				return s.Name
			}
		}
	}
	switch n := p.ran.Load(); {
	case n == 1:
		return "the first job of the promoted child"
	case n > 1:
		return fmt.Sprintf("the first %d jobs of the promoted child", n)
	}
	return ""
}

// holds asks the process for the threads and locks that Python knows.
func (p *process) holds() (heldReply, error) {
	r := p.ask(&waiter{answers: kindHeld}, min(inquiry, p.host.m.BootTimeout), func(b []byte) []byte {
		return appendHold(b, heldSource)
	})
	if r.err != nil {
		return heldReply{}, r.err
	}
	return parseHeld(r.body)
}

// errUnseen is why it is not known what forks inherit.
var errUnseen = errors.New("no fork to look at")

// handDown makes a fork, which does nothing, and notes what it has of the estate.
// What it used is booked as the process's start-up.
func (p *process) handDown(e *estate) error {
	threads := len(e.threads) > 0
	if threads && !p.host.m.Runtime.(Python).AllowThreads {
		return errUnseen // it refuses
	}
	limit := min(inquiry, p.host.m.BootTimeout)
	r := p.ask(&waiter{answers: kindForked}, limit, func(b []byte) []byte { return appendFork(b, 0, nil) })
	if r.err != nil {
		return r.err
	}
	forked, err := parseForked(r.body)
	if err != nil || forked.pid == 0 || r.file < 0 {
		return errUnseen
	}
	child := &process{host: p.host, maker: p, pid: forked.pid, token: make(chan struct{}, 1), state: running}
	child.token <- struct{}{}
	if child.conn, err = newConn(r.file, "fork to look at"); err != nil {
		return err
	}
	defer child.conn.close()
	defer p.endProbe(child.pid)
	source := heldSource
	if !threads {
		source = "def held(): return {}" // its answer says that it has come out of the fork
	}
	answer := child.ask(&waiter{answers: kindHeld}, limit, func(b []byte) []byte { return appendHold(b, source) })
	if answer.err != nil {
		return answer.err
	}
	inside, err := parseHeld(answer.body)
	if err != nil {
		return err
	}
	e.see(child.pid, inside)
	return nil
}

// endProbe ends the fork that was looked at. Nobody waits for it before it is
// asked for, so its pid is its own.
func (p *process) endProbe(pid int) {
	p.host.killChild(pid, p.parentPID())
	r := p.ask(&waiter{answers: kindReaped, which: pid}, p.host.m.BootTimeout, func(b []byte) []byte { return appendReap(b, pid) })
	if r.err != nil {
		return // its maker is gone, and sweep finds it
	}
	reaped, err := parseReaped(r.body)
	if err != nil || reaped.status == -1 {
		return
	}
	used := record.CPU{User: reaped.user, System: reaped.system}
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	p.waited += used.Total()
	if !p.host.gate.isOpen() {
		p.startup = p.startup.Add(used)
	}
}

// namedThreads are named in a refusal, and the others counted.
const namedThreads = 2

// refused is a process's refusal to fork. Of threads it names each, where it came
// from, and the way out.
func (p *process) refused(reason string) error {
	reason = strings.TrimSpace(reason)
	if !strings.HasPrefix(reason, "refused to fork: the process has more than one thread") {
		return &ForkError{Reason: reason}
	}
	threads, err := held.Threads(p.pid)
	if err != nil || len(threads) == 0 {
		return &ForkError{Reason: reason}
	}
	inside, _ := p.holds()
	var names, ways []string
	for _, one := range p.describe(&estate{threads: threads, inside: inside, err: errUnseen}) {
		if one.From != "" {
			one.What += ", from " + one.From
		}
		names = append(names, one.What)
		if !slices.Contains(ways, one.Cure) {
			ways = append(ways, one.Cure)
		}
	}
	if more := len(names) - namedThreads; more > 0 {
		names = append(names[:namedThreads], fmt.Sprintf("%d more", more))
	}
	text := "refused to fork: a fork would lack " + strings.Join(names, "; ")
	if len(inside.Locks) > 0 {
		text += ", and never get " + strings.Join(inside.Locks, ", ") + ", taken at the moment"
	}
	nevertheless := "or fork nevertheless, with --allow-threads"
	if !slices.ContainsFunc(threads, func(t held.Thread) bool { pool, _ := held.PoolOf(t.Library); return !pool.EndsAtFork }) {
		nevertheless = "or pass --allow-threads: this library ends its threads itself before a fork"
	}
	return &ForkError{Reason: fmt.Sprintf("%s: %s; %s", text, strings.Join(ways, "; "), nevertheless)}
}
