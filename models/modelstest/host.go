package modelstest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"forkbench/models"
	"forkbench/record"
)

// A policy is an executor made of a function.
type policy func(ctx context.Context, h models.Host) error

func (policy) Name() string { return "policy" }

func (p policy) Execute(ctx context.Context, h models.Host) error { return p(ctx, h) }

// inline gives each slot a booted process, and to work its jobs.
func inline(work func(ctx context.Context, h models.Host, p models.Process) error) policy {
	return func(ctx context.Context, h models.Host) error {
		return h.Parallel(ctx, h.Workers(), func(ctx context.Context, _ int) error {
			p, err := h.Boot(ctx)
			if err != nil {
				return err
			}
			defer p.Close(ctx)
			return work(ctx, h, p)
		})
	}
}

// Host holds a machine to what [models.Host] promises beyond what the executors
// of this project use.
func Host(t *testing.T, m Machine) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Machine)
	}{
		{"a slot that gives up waiting has taken nothing", testGiveUp},
		{"a limit is on the host's clock", testLimit},
		{"a slot may break off and ask again", testBreakOff},
		{"the backlog is what is due", testBacklog},
		{"asking with a context that is done declares a slot ready", testReady},
		{"jobs are for a slot", testNoSlot},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, m) })
	}
}

// run runs a policy and checks that all jobs were done once.
func run(t *testing.T, m Machine, e policy, s Scenario) (*record.Round, *sink) {
	t.Helper()
	sink := new(sink)
	s.Sink = sink
	round, err := m.Run(t.Context(), e, s)
	if err != nil {
		t.Fatalf("Execute: %v", err)
	}
	sink.checkAll(t, round, s)
	sink.checkProcesses(t)
	return round, sink
}

// testGiveUp has slots wait for less than the time between two jobs, many times.
func testGiveUp(t *testing.T, m Machine) {
	const every = 20 * time.Millisecond
	var mu sync.Mutex
	gaveUp := 0
	_, sink := run(t, m, inline(func(ctx context.Context, h models.Host, p models.Process) error {
		for {
			limited, cancel := h.WithTimeout(ctx, every/8)
			for job := range h.Jobs(limited) {
				h.Settle(job, p.Run(ctx, job))
			}
			over := limited.Err() == nil || ctx.Err() != nil
			cancel()
			if over {
				return nil
			}
			mu.Lock()
			gaveUp++
			mu.Unlock()
		}
	}), Scenario{Workers: 3, Acts: acts(20, Done), Every: every})
	if gaveUp < 20 {
		t.Errorf("the slots gave up %d times; want some times for each of 20 jobs", gaveUp)
	}
	slices.SortFunc(sink.jobs, func(a, b record.Job) int { return cmp.Compare(a.DequeuedNS, b.DequeuedNS) })
	for i, j := range sink.jobs {
		if int(j.ID) != i {
			t.Errorf("job %d was taken as number %d; want them in the order in which they are due", j.ID, i)
		}
	}
}

func testLimit(t *testing.T, m Machine) {
	const limit = 30 * time.Millisecond
	run(t, m, inline(func(ctx context.Context, h models.Host, p models.Process) error {
		began := h.Now()
		limited, cancel := h.WithTimeout(ctx, limit)
		defer cancel()
		derived, end := context.WithCancel(limited)
		defer end()
		if err := h.Sleep(derived, time.Hour); err == nil {
			t.Error("an hour's sleep within a limit ended without an error")
		}
		if waited := h.Now() - began; waited < limit || waited > 100*limit {
			t.Errorf("a limit of %v ended after %v", limit, waited)
		}
		if err := limited.Err(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended with %v; want %v", err, context.DeadlineExceeded)
		}
		early, cancelEarly := h.WithTimeout(ctx, time.Hour)
		cancelEarly()
		if err := early.Err(); !errors.Is(err, context.Canceled) {
			t.Errorf("a limit that was cancelled ended with %v; want %v", err, context.Canceled)
		}
		past, cancelPast := h.WithTimeout(ctx, 0)
		defer cancelPast()
		if err := past.Err(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a limit of no time ended with %v; want %v", err, context.DeadlineExceeded)
		}
		for job := range h.Jobs(ctx) {
			h.Settle(job, p.Run(ctx, job))
		}
		return nil
	}), Scenario{Workers: 2, Acts: acts(4, Done)})
}

// testBreakOff takes one job at a time: work goes on until the last of them.
func testBreakOff(t *testing.T, m Machine) {
	round, sink := run(t, m, inline(func(ctx context.Context, h models.Host, p models.Process) error {
		for more := true; more; {
			more = false
			for job := range h.Jobs(ctx) {
				h.Settle(job, p.Run(ctx, job))
				more = true
				break
			}
		}
		return nil
	}), Scenario{Workers: 1, Acts: acts(30, Done)})
	var used time.Duration
	for _, j := range sink.jobs {
		used += j.CPUNS
	}
	if got := round.Children.Total() + round.Parents.Total(); got < used {
		t.Errorf("work was booked %v of CPU; its jobs alone took %v", got, used)
	}
}

func testBacklog(t *testing.T, m Machine) {
	const jobs = 12
	var seen []int
	run(t, m, inline(func(ctx context.Context, h models.Host, p models.Process) error {
		if n := h.Backlog(); n != 0 {
			t.Errorf("before work begins, %d jobs wait; want none", n)
		}
		for job := range h.Jobs(ctx) {
			seen = append(seen, h.Backlog())
			h.Settle(job, p.Run(ctx, job))
		}
		return nil
	}), Scenario{Workers: 1, Acts: acts(jobs, Done)})
	for i, n := range seen {
		if want := jobs - 1 - i; n != want {
			t.Errorf("with %d jobs left, the backlog is %d", want, n)
		}
	}

	// Of jobs that are a long time apart none waits, but for one that is due.
	run(t, m, inline(func(ctx context.Context, h models.Host, p models.Process) error {
		for job := range h.Jobs(ctx) {
			if n := h.Backlog(); n > 1 {
				t.Errorf("the backlog is %d; want what is due", n)
			}
			h.Settle(job, p.Run(ctx, job))
		}
		return nil
	}), Scenario{Workers: 1, Acts: acts(2, Done), Every: 50 * time.Millisecond})
}

func testReady(t *testing.T, m Machine) {
	e := policy(func(ctx context.Context, h models.Host) error {
		return h.Parallel(ctx, 2, func(ctx context.Context, slot int) error {
			if slot == 1 { // it never runs a job, and is not waited for
				done, cancel := context.WithCancel(ctx)
				cancel()
				for job := range h.Jobs(done) {
					t.Errorf("a slot whose context is done got job %d", job.ID)
				}
				return h.Sleep(ctx, time.Millisecond)
			}
			p, err := h.Boot(ctx)
			if err != nil {
				return err
			}
			defer p.Close(ctx)
			for job := range h.Jobs(ctx) {
				h.Settle(job, p.Run(ctx, job))
			}
			return nil
		})
	})
	run(t, m, e, Scenario{Workers: 2, Acts: acts(5, Done)})
}

// testNoSlot asks for jobs with Execute's own context, while slots run.
func testNoSlot(t *testing.T, m Machine) {
	e := policy(func(outer context.Context, h models.Host) error {
		return h.Parallel(outer, h.Workers(), func(ctx context.Context, _ int) error {
			p, err := h.Boot(ctx)
			if err != nil {
				return err
			}
			defer p.Close(ctx)
			for job := range h.Jobs(outer) {
				h.Settle(job, p.Run(ctx, job))
			}
			return nil
		})
	})
	sink := new(sink)
	round, err := m.Run(t.Context(), e, Scenario{Workers: 2, Acts: acts(4, Done), Sink: sink})
	if err == nil || !strings.Contains(err.Error(), "in no slot") {
		t.Errorf("Execute: %v; want a diagnosis that jobs were asked for in no slot", err)
	}
	if round == nil || round.Settled != 0 || round.Lost != 0 {
		t.Errorf("the round is %+v; want no job settled and none lost", round)
	}
	sink.checkProcesses(t)
}
