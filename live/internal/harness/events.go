package harness

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
	// listenEvery is how long a look at the system's pipe waits for something.
	listenEvery = 50 * time.Millisecond
	// listenLinger is the pause between two looks. The times are in the lines: to
	// be woken for each would only cost the machine that the system works on.
	listenLinger = 10 * time.Millisecond
)

// A process is one of the system's. Of a child, nothing but its jobs is known until its
// maker has told of it, which may be after its first job has begun.
type process struct {
	main  Main // nil if it is a child
	child Child
	maker *process
	slot  int
	ready time.Duration // of a child

	jobs []uint64 // begun in it
	last time.Duration
}

func (p *process) known() bool { return p.main != nil || p.child != nil }

// times is what the system's processes have said of a job, on CLOCK_MONOTONIC; 0
// where they have not.
type times struct {
	pid, seq                             int
	process, slot                        int // its number, and its slot
	taken, started, finished, kept, over time.Duration
	cpu                                  time.Duration
}

// An event is a line of the system's: what happened, and the numbers that go with
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
		return event{}, fmt.Errorf("%.100q is not an event", line)
	}
	for i, field := range fields[1:] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil || n < 0 {
			return event{}, fmt.Errorf("%.100q is not an event: %.20q is not a number", line, field)
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

// listen takes in what the system says until done says so, or the context ends.
func (r *run) listen(ctx context.Context, done func() (bool, error)) error {
	for {
		if over, err := done(); over || err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := r.drain(time.Now().Add(listenEvery)); err != nil {
			return err
		}
		_ = r.machine.Sleep(ctx, listenLinger) // ctx is looked at above
	}
}

// drain takes in what is in the pipe, and waits for something until the
// deadline.
func (r *run) drain(deadline time.Time) error {
	if err := r.pipe.SetReadDeadline(deadline); err != nil {
		return err
	}
	for {
		n, err := r.pipe.Read(r.buf)
		r.rest = append(r.rest, r.buf[:n]...)
		for {
			line, rest, whole := bytes.Cut(r.rest, []byte{'\n'})
			if !whole {
				break
			}
			e, err := parseEvent(line)
			if err == nil {
				err = r.note(e)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", r.system.Name, err)
			}
			r.rest = rest
			r.heard = r.machine.Clock()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) || err == nil && n < len(r.buf) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// note books an event.
func (r *run) note(e event) error {
	switch e.kind {
	case "ready":
		p := r.processes[e.pid(0)]
		if p == nil || p.main == nil {
			return fmt.Errorf("process %d is ready, and was not started", e.n[0])
		}
		p.main.Ready(e.time(1), e.cpu(2), e.time(4)*time.Microsecond)
		r.ready++
		return nil
	case "fork":
		return r.forked(e)
	case "reap":
		return r.reaped(e)
	case "hold":
		r.hold(e.pid(0))
		return nil
	case "look":
		r.look(e.pid(0), e.pid(1))
		return nil
	}
	return r.noteJob(e)
}

// noteJob books what became of a job.
func (r *run) noteJob(e event) error {
	if e.n[0] >= int64(len(r.times)) {
		return fmt.Errorf("it ran job %d of %d", e.n[0], len(r.times))
	}
	t := &r.times[e.n[0]]
	switch e.kind {
	case "take":
		t.taken = e.time(1)
	case "start":
		p := r.process(e.pid(1))
		p.jobs = append(p.jobs, uint64(e.n[0]))
		t.pid, t.seq, t.started = e.pid(1), len(p.jobs), e.time(2)
		r.running++
	case "done":
		t.finished, t.cpu = e.time(3), e.time(4)
		r.process(e.pid(1)).last = t.finished
	case "kept":
		t.kept = e.time(1)
		r.process(t.pid).last = t.kept
	case "over":
		if t.over != 0 {
			break // Celery's main process may find a job failed that its child has stored
		}
		t.over = max(e.time(1), 1)
		r.left--
		if t.pid != 0 {
			r.running--
		}
	}
	return nil
}

// process is what is known of a process.
func (r *run) process(pid int) *process {
	p := r.processes[pid]
	if p == nil {
		p = new(process)
		r.processes[pid] = p
	}
	return p
}

// forked makes a child known to the machine.
func (r *run) forked(e event) error {
	maker := r.processes[e.pid(0)]
	if maker == nil || maker.main == nil {
		return fmt.Errorf("process %d was forked by %d, which is none of its main processes", e.n[1], e.n[0])
	}
	p := r.process(e.pid(1))
	if p.known() {
		return fmt.Errorf("process %d was forked twice", e.n[1])
	}
	p.maker, p.slot, p.ready = maker, r.slotFor(maker), e.time(3)
	p.child = maker.main.Forked(p.slot, e.pid(1), e.time(2), p.ready)
	r.born++
	return nil
}

// slotFor is the slot of a new child: its maker's, or in a pool the first that
// is free.
func (r *run) slotFor(maker *process) int {
	if r.system.Pool == 0 {
		return maker.slot
	}
	taken := make([]bool, r.system.Pool)
	for _, p := range r.processes {
		if p.child != nil {
			taken[p.slot] = true
		}
	}
	return max(slices.Index(taken, false), 0)
}

// reaped books a child that its maker has waited for.
func (r *run) reaped(e event) error {
	p := r.processes[e.pid(0)]
	if p == nil || !p.known() {
		return nil // it died before it could take a job: its CPU stays with its maker
	}
	if p.main != nil {
		return fmt.Errorf("it waited for process %d, which this program started", e.n[0])
	}
	r.forget(e.pid(0), p)
	p.child.Reaped(Exit{
		Status: syscall.WaitStatus(e.n[1]), CPU: e.cpu(2), Minor: e.n[4], Major: e.n[5], At: e.time(6), Own: e.time(7),
	}, r.ended(p), len(p.jobs))
	return nil
}

// ended is when a child had no more to do.
func (r *run) ended(p *process) time.Duration {
	if r.stopped == 0 {
		return p.last
	}
	// It was told to exit then, or made later: a pool replaces a child while it ends.
	return max(p.last, r.stopped, p.ready)
}

// forget notes which process its jobs ran in, and that its pid is free.
func (r *run) forget(pid int, p *process) {
	r.place(p, p.child.ID())
	delete(r.processes, pid)
}

// reapRest waits for the children that the system's main processes have left: they
// were killed before they could. The kernel has given those children to this
// program.
func (r *run) reapRest() {
	for pid, p := range r.processes {
		if p.child != nil {
			r.forget(pid, p)
			p.child.Orphaned(r.ended(p), len(p.jobs))
		}
	}
	for _, main := range r.mains {
		p := r.processes[main.PID()]
		r.place(p, main.ID())
		main.Ran(len(p.jobs))
	}
}

// place notes which process a process's jobs ran in.
func (r *run) place(p *process, id int) {
	for _, job := range p.jobs {
		r.times[job].process, r.times[job].slot = id, p.slot
	}
}
