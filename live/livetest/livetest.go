// Package livetest gives tests this computer as a machine: real processes and a
// real Redis, set up and torn down with the test.
//
// The test binary serves as the processes' program, so its TestMain must begin
// with live.Main():
//
//	func TestMain(m *testing.M) {
//		live.Main()
//		os.Exit(m.Run())
//	}
package livetest

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/modelstest"
	"forkbench/record"
	"forkbench/stream"
	"forkbench/workload"
)

// A Machine is this computer, for one test.
type Machine struct {
	Server *stream.Server
	Guard  *live.Guard

	t       testing.TB
	streams int
}

var _ modelstest.Machine = (*Machine)(nil)

// New starts a guard and a Redis server that end with the test.
func New(t testing.TB) *Machine {
	t.Helper()
	guard, err := live.StartGuard()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := guard.Close(); err != nil {
			t.Errorf("close the guard: %v", err)
		}
	})
	server, err := stream.Start(t.Context(), guard.Dir(), zaptest.NewLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("close the Redis server: %v", err)
		}
	})
	return &Machine{Server: server, Guard: guard, t: t}
}

// Live is a live.Machine on this server and guard, with limits that suit tests.
func (m *Machine) Live(w workload.Workload, r live.Runtime, workers int) *live.Machine {
	return &live.Machine{
		Workers: workers, Workload: w, Runtime: r,
		Server: m.Server, Guard: m.Guard, Log: zaptest.NewLogger(m.t),
		BootTimeout: 30 * time.Second, Grace: time.Second,
	}
}

// Round enqueues jobs and returns a round over them.
func (m *Machine) Round(model string, jobs iter.Seq[workload.Job], sink record.Sink) live.Round {
	m.t.Helper()
	m.streams++
	ctx := context.Background()
	s, err := m.Server.Create(ctx, fmt.Sprintf("livetest:%d", m.streams))
	if err != nil {
		m.t.Fatal(err)
	}
	n, err := s.Enqueue(ctx, jobs)
	if err != nil {
		m.t.Fatal(err)
	}
	group, err := s.Group(ctx, model)
	if err != nil {
		m.t.Fatal(err)
	}
	return live.Round{Model: model, Jobs: n, Group: group, Sink: sink}
}

// Run runs a scenario of the conformance suite in Python processes.
func (m *Machine) Run(ctx context.Context, e models.Executor, s modelstest.Scenario) (*record.Round, error) {
	act, err := workload.Parse("act")
	if err != nil {
		return nil, err
	}
	machine := m.Live(act, live.Python{}, s.Workers)
	machine.Timeout = s.Timeout
	round := m.Round(e.Name(), func(yield func(workload.Job) bool) {
		for i, a := range s.Acts {
			if !yield(workload.Job{ID: uint64(i), Payload: fmt.Appendf(nil, `{"do":%q}`, a), Due: time.Duration(i) * s.Every, Attempt: 1}) {
				return
			}
		}
	}, s.Sink)
	round.Stop = s.Stop
	return machine.Run(ctx, e, round)
}
