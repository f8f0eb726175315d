package sim_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"forkbench/models"
	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/sim"
	"forkbench/workload"
)

// execute makes an executor of a function.
type execute func(ctx context.Context, h models.Host) error

func (execute) Name() string                                       { return "broken" }
func (e execute) Execute(ctx context.Context, h models.Host) error { return e(ctx, h) }

// run runs a broken executor over ten jobs on two workers.
func run(t *testing.T, e models.Executor, sink record.Sink) (*record.Round, error) {
	t.Helper()
	m := &sim.Machine{Workers: 2, Cores: 2, Profile: whole(), Patience: 200 * time.Millisecond}
	r := round(t, 10, sink)
	r.Model = "broken"
	return m.Run(t.Context(), e, r)
}

func TestLeakedProcess(t *testing.T) {
	r, err := run(t, execute(func(ctx context.Context, h models.Host) error {
		p, err := h.Boot(ctx)
		if err != nil {
			return err
		}
		if _, err := p.Fork(ctx, 0); err != nil {
			return err
		}
		for job := range h.Jobs(ctx) {
			h.Settle(job, p.Run(ctx, job))
		}
		return nil
	}), new(lines))
	const want = "model broken left 2 processes open, the first is process 1, a parent made by slot 0"
	if err == nil || !strings.Contains(err.Error(), want) || r.Error != err.Error() {
		t.Errorf("error %v\nrecorded %q\nwant %s", err, r.Error, want)
	}
	if r.Settled != 10 {
		t.Errorf("%d jobs settled; want 10", r.Settled)
	}
}

// TestDeadlock runs a job that never ends, without a time limit.
func TestDeadlock(t *testing.T) {
	m := sim.Machine{
		Workers: 2, Cores: 2, Profile: whole(),
		Ending: func(workload.Job) models.Status { return models.TimedOut },
	}
	r := round(t, 4, new(lines))
	r.Model = "broken"
	done, err := m.Run(t.Context(), prefork.Model{}, r)
	const want = "model broken is deadlocked: slot 0 waits for a job that never ends, without a time limit"
	var d *sim.DeadlockError
	if !errors.As(err, &d) || err.Error() != want {
		t.Errorf("error %v; want %s", err, want)
	}
	if done.Error != want || done.Settled+done.NotRun+done.Lost != 4 {
		t.Errorf("the record says %+v", done)
	}
}

func TestExecutorBlocksOutsideItsHost(t *testing.T) {
	release := make(chan struct{})
	ended := make(chan struct{})
	_, err := run(t, execute(func(ctx context.Context, h models.Host) error {
		defer close(ended)
		return h.Parallel(ctx, 2, func(ctx context.Context, slot int) error {
			if slot == 1 {
				<-release
			}
			p, err := h.Boot(ctx)
			if err != nil {
				return err
			}
			return p.Close(ctx)
		})
	}), new(lines))
	var stuck *sim.StuckError
	if !errors.As(err, &stuck) || stuck.Slot != 1 || !strings.Contains(err.Error(), "model broken, slot 1: has not called its Host for 200ms") {
		t.Errorf("error %v; want a StuckError of slot 1", err)
	}
	close(release) // what the watchdog gave up on ends by itself
	<-ended
}

func TestExecutorWithGoroutinesOfItsOwn(t *testing.T) {
	_, err := run(t, execute(func(ctx context.Context, h models.Host) error {
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				p, err := h.Boot(ctx)
				if err != nil {
					return
				}
				for job := range h.Jobs(ctx) {
					h.Settle(job, p.Run(ctx, job))
				}
			})
		}
		group.Wait()
		return nil
	}), nil)
	var foreign *sim.ForeignGoroutineError
	if !errors.As(err, &foreign) || !strings.Contains(err.Error(), "model broken calls its Host from a goroutine of its own") {
		t.Errorf("error %v; want a ForeignGoroutineError", err)
	}
}

func TestExecutorPanics(t *testing.T) {
	closed := 0
	defer func() {
		if got := recover(); got != "oh" {
			t.Errorf("recovered %v; want what the executor panicked with", got)
		}
		if closed != 2 {
			t.Errorf("%d slots were unwound; want 2", closed)
		}
	}()
	_, err := run(t, execute(func(ctx context.Context, h models.Host) error {
		return h.Parallel(ctx, 2, func(ctx context.Context, slot int) error {
			defer func() { closed++ }()
			if err := h.Sleep(ctx, time.Duration(slot+1)*time.Second); err != nil {
				return err
			}
			panic("oh")
		})
	}), nil)
	t.Errorf("no panic, but the error %v", err)
}

func TestExecutorEndsItsGoroutine(t *testing.T) {
	_, err := run(t, execute(func(context.Context, models.Host) error {
		runtime.Goexit()
		return nil
	}), nil)
	if err == nil || !strings.Contains(err.Error(), "runtime.Goexit") {
		t.Errorf("error %v; want one that says runtime.Goexit", err)
	}
}

func TestSettledTwice(t *testing.T) {
	r, err := run(t, execute(func(ctx context.Context, h models.Host) error {
		p, err := h.Boot(ctx)
		if err != nil {
			return err
		}
		defer p.Close(ctx)
		for job := range h.Jobs(ctx) {
			o := p.Run(ctx, job)
			h.Settle(job, o)
			h.Settle(job, o)
		}
		return nil
	}), nil)
	if err == nil || !strings.Contains(err.Error(), "model broken settled job 0 twice, or without taking it") || r.Duplicated != 1 {
		t.Errorf("error %v, %d duplicated; want one that names job 0, and 1", err, r.Duplicated)
	}
}

func TestJobNeverSettled(t *testing.T) {
	r, err := run(t, execute(func(ctx context.Context, h models.Host) error {
		for range h.Jobs(ctx) {
			break
		}
		return nil
	}), nil)
	if err != nil || r.Lost != 1 || r.NotRun != 9 {
		t.Errorf("error %v, %d lost, %d not run; want none, 1 and 9", err, r.Lost, r.NotRun)
	}
}

// TestErrorCancelsTheOthers: the first slot's error ends the sleep of the
// second, also where that sleeps on a context of its own.
func TestErrorCancelsTheOthers(t *testing.T) {
	oh := errors.New("oh")
	var woken error
	var at time.Duration
	_, err := run(t, execute(func(ctx context.Context, h models.Host) error {
		return h.Parallel(ctx, 2, func(ctx context.Context, slot int) error {
			if slot == 0 {
				return errors.Join(h.Sleep(ctx, time.Second), oh)
			}
			own, cancel := context.WithCancel(ctx)
			defer cancel()
			woken = h.Sleep(own, time.Hour)
			at = h.Now()
			return woken
		})
	}), nil)
	if !errors.Is(err, oh) || !errors.Is(woken, context.Canceled) || at != time.Second {
		t.Errorf("error %v; the other slot woke at %v with %v; want 1s and %v", err, at, woken, context.Canceled)
	}
}

func TestSinkFails(t *testing.T) {
	full := errors.New("no space left on device")
	r, err := run(t, prefork.Model{}, failing{full})
	if !errors.Is(err, full) || !strings.Contains(r.Error, "write a record") {
		t.Errorf("error %v; want %v", err, full)
	}
}

type failing struct{ err error }

func (f failing) Write(record.Line) error { return f.err }

func TestFewerJobsThanPromised(t *testing.T) {
	m := &sim.Machine{Workers: 2, Cores: 2, Profile: whole()}
	r := round(t, 5, nil)
	r.Total = 7
	if _, err := m.Run(t.Context(), prefork.Model{}, r); err == nil || !strings.Contains(err.Error(), "the round has 5 jobs and was to have 7") {
		t.Errorf("error %v; want one that names 5 and 7", err)
	}
}
