package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"forkbench/record"
)

const (
	// listenEvery is how long a look at the peer's pipe waits for something.
	listenEvery = 50 * time.Millisecond
	// listenLinger is the pause between two looks. The times are in the lines: to
	// be woken for each would only cost the machine that the peer works on.
	listenLinger = 10 * time.Millisecond
)

// A kid is a process of the peer's.
type kid struct {
	process *process // nil until its maker has told of it, which may be after its first job has begun
	jobs    []uint64 // begun in it
	last    time.Duration
}

// A fate is what the peer's processes have said of a job, on CLOCK_MONOTONIC; 0
// where they have not.
type fate struct {
	pid, seq                             int
	process, slot                        int // its number, and its slot
	taken, started, finished, kept, over time.Duration
	cpu                                  time.Duration
}

// An event is a line of the peer's: what happened, and the numbers that go with
// it. forkbench_peer.py lists them.
type event struct {
	kind string
	n    [8]int64
}

// eventNumbers is how many numbers each kind of event has.
var eventNumbers = map[string]int{
	"ready": 5, "fork": 4, "reap": 8, "take": 2, "start": 3, "done": 5, "kept": 2, "over": 2, "hold": 1, "look": 2,
}

func parseEvent(line []byte) (event, error) {
	fields := bytes.Split(line, []byte{' '})
	e := event{kind: string(fields[0])}
	want, known := eventNumbers[e.kind]
	if !known || len(fields) != 1+want {
		return event{}, fmt.Errorf("%.100q is no event", line)
	}
	for i, field := range fields[1:] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil || n < 0 {
			return event{}, fmt.Errorf("%.100q is no event: %.20q is no number", line, field)
		}
		e.n[i] = n
	}
	return e, nil
}

func (e event) pid(i int) int            { return int(e.n[i]) }
func (e event) time(i int) time.Duration { return time.Duration(e.n[i]) }
func (e event) cpu(i int) record.CPU {
	return record.CPU{User: e.time(i) * time.Microsecond, System: e.time(i+1) * time.Microsecond}
}

// listen takes in what the peer says until done says so, or the context ends.
func (p *peer) listen(ctx context.Context, done func() (bool, error)) error {
	for {
		if over, err := done(); over || err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := p.drain(time.Now().Add(listenEvery)); err != nil {
			return err
		}
		_ = p.host.Sleep(ctx, listenLinger) // ctx is looked at above
	}
}

// drain takes in what is in the pipe, and waits for something until the
// deadline.
func (p *peer) drain(deadline time.Time) error {
	if err := p.pipe.SetReadDeadline(deadline); err != nil {
		return err
	}
	for {
		n, err := p.pipe.Read(p.buf)
		p.rest = append(p.rest, p.buf[:n]...)
		for {
			line, rest, whole := bytes.Cut(p.rest, []byte{'\n'})
			if !whole {
				break
			}
			e, err := parseEvent(line)
			if err == nil {
				err = p.note(e)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", p.system.Name, err)
			}
			p.rest = rest
			p.heard = monotonic()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) || err == nil && n < len(p.buf) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// note books an event.
func (p *peer) note(e event) error {
	switch e.kind {
	case "ready":
		if k := p.kids[e.pid(0)]; k != nil && k.process != nil && k.process.own != nil {
			main, ours := k.process, k.process.children
			main.ready, main.startup = e.time(1), e.cpu(2).Sub(ours)
			p.host.mu.Lock()
			main.waited = max(e.time(4)*time.Microsecond-ours.Total(), 0)
			p.host.mu.Unlock()
			p.ready++
			return nil
		}
		return fmt.Errorf("process %d is ready, and was not started", e.n[0])
	case "fork":
		return p.forked(e)
	case "reap":
		return p.reaped(e)
	case "hold":
		p.hold(e.pid(0))
		return nil
	case "look":
		p.look(e.pid(0), e.pid(1))
		return nil
	}
	if e.n[0] >= int64(len(p.fates)) {
		return fmt.Errorf("it ran job %d of %d", e.n[0], len(p.fates))
	}
	f := &p.fates[e.n[0]]
	switch e.kind {
	case "take":
		f.taken = e.time(1)
	case "start":
		k := p.kid(e.pid(1))
		k.jobs = append(k.jobs, uint64(e.n[0]))
		f.pid, f.seq, f.started = e.pid(1), len(k.jobs), e.time(2)
		p.running++
	case "done":
		f.finished, f.cpu = e.time(3), e.time(4)
		p.kid(e.pid(1)).last = f.finished
	case "kept":
		f.kept = e.time(1)
		p.kid(f.pid).last = f.kept
	case "over":
		if f.over != 0 {
			break // Celery's main process may find a job failed that its child has stored
		}
		f.over = max(e.time(1), 1)
		p.left--
		if f.pid != 0 {
			p.running--
		}
	}
	return nil
}

// kid is what is known of a process.
func (p *peer) kid(pid int) *kid {
	k := p.kids[pid]
	if k == nil {
		k = new(kid)
		p.kids[pid] = k
	}
	return k
}

// forked makes a child known to the host.
func (p *peer) forked(e event) error {
	maker := p.kids[e.pid(0)]
	if maker == nil || maker.process == nil {
		return fmt.Errorf("process %d was forked by %d, which is none of its own", e.n[1], e.n[0])
	}
	k := p.kid(e.pid(1))
	if k.process != nil {
		return fmt.Errorf("process %d was forked twice", e.n[1])
	}
	child := p.host.newProcess(roleChild, p.slotFor(maker.process), maker.process)
	child.pid, child.forkBegan, child.ready = e.pid(1), e.time(2), e.time(3)
	child.foreign = true
	child.setState(running)
	k.process = child
	p.host.register(child)
	p.born++
	return nil
}

// slotFor is the slot of a new child: its maker's, or in a pool the first that
// is free.
func (p *peer) slotFor(maker *process) int {
	if p.system.Pool == 0 {
		return maker.slot
	}
	taken := make([]bool, p.system.Pool)
	for _, k := range p.kids {
		if k.process != nil && k.process.own == nil {
			taken[k.process.slot] = true
		}
	}
	return max(slices.Index(taken, false), 0)
}

// reaped books a child that its maker has waited for.
func (p *peer) reaped(e event) error {
	k := p.kids[e.pid(0)]
	if k == nil || k.process == nil {
		return nil // it died before it could take a job: its CPU stays with its maker
	}
	if k.process.own != nil {
		return fmt.Errorf("it waited for process %d, which this program started", e.n[0])
	}
	p.close(e.pid(0), k, exit{
		known: true, ours: true, status: syscall.WaitStatus(e.n[1]), cpu: e.cpu(2),
		minor: e.n[4], major: e.n[5], at: e.time(6), own: e.time(7),
	})
	k.process.maker.booked(k.process.last)
	return nil
}

// close accounts for a child and forgets its pid.
func (p *peer) close(pid int, k *kid, e exit) {
	child := k.process
	child.end = k.last
	if p.stopped != 0 {
		// It was told to exit then, or made later: a pool replaces a child while it ends.
		child.end = max(child.end, p.stopped, child.ready)
	}
	child.last = e
	child.setState(closed)
	p.place(k)
	p.host.account(child, e)
	delete(p.kids, pid)
}

// bury waits for the children that the peer's main processes have left: they
// were killed before they could. The kernel has given those children to this
// program.
func (p *peer) bury() {
	for pid, k := range p.kids {
		if k.process == nil || k.process.own != nil {
			continue
		}
		// The pid is from a pipe that jobs can write to.
		e := p.host.endOrphan(pid, 0, func() { p.host.killChild(pid, k.process.maker.pid) })
		e.ours = e.known
		p.close(pid, k, e)
	}
	for _, main := range p.mains {
		p.place(p.kids[main.pid])
	}
}

// place notes which process the jobs of a kid ran in.
func (p *peer) place(k *kid) {
	k.process.ran.Store(int64(len(k.jobs)))
	for _, id := range k.jobs {
		p.fates[id].process, p.fates[id].slot = k.process.id, k.process.slot
	}
}
