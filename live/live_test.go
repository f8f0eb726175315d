package live_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"forkbench/live"
	"forkbench/models"
	"forkbench/record"
	"forkbench/stream"
	"forkbench/workload"
)

func TestMain(m *testing.M) {
	live.Main(goEcho{})
	os.Exit(m.Run())
}

// A rig is a machine, a Redis server and a guard for one test.
type rig struct {
	t       testing.TB
	guard   *live.Guard
	server  *stream.Server
	machine live.Machine
	streams int
}

// newRig has everything but a workload.
func newRig(t testing.TB) *rig {
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
	log := zaptest.NewLogger(t)
	server, err := stream.Start(t.Context(), guard.Dir(), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("close the server: %v", err)
		}
	})
	return &rig{t: t, guard: guard, server: server, machine: live.Machine{
		Workers: 4, Runtime: live.Python{}, Server: server, Guard: guard, Log: log,
		BootTimeout: 20 * time.Second, Grace: time.Second,
	}}
}

// round enqueues payloads and returns a round over them.
func (r *rig) round(model string, payloads ...string) (live.Round, *memorySink) {
	r.t.Helper()
	r.streams++
	ctx := context.Background()
	jobs, err := r.server.Create(ctx, fmt.Sprintf("test:%d", r.streams))
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = jobs.Enqueue(ctx, func(yield func(workload.Job) bool) {
		for i, p := range payloads {
			if !yield(workload.Job{ID: uint64(i), Payload: []byte(p), Attempt: 1}) {
				return
			}
		}
	})
	if err != nil {
		r.t.Fatal(err)
	}
	group, err := jobs.Group(ctx, model)
	if err != nil {
		r.t.Fatal(err)
	}
	sink := new(memorySink)
	return live.Round{Model: model, Jobs: len(payloads), Group: group, Sink: sink}, sink
}

// run gives payloads to an executor and checks what holds for every run.
func (r *rig) run(e models.Executor, payloads ...string) (*record.Round, *memorySink, error) {
	r.t.Helper()
	round, sink := r.round(e.Name(), payloads...)
	done, err := r.machine.Run(r.t.Context(), e, round)
	if done == nil {
		r.t.Fatalf("no record of the round: %v", err)
	}
	return done, sink, err
}

func repeat(n int, payload string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = payload
	}
	return all
}

// A memorySink keeps the lines.
type memorySink struct {
	mu        sync.Mutex
	jobs      []record.Job
	processes []record.Process
	samples   []record.Sample
}

func (s *memorySink) Write(l record.Line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch l := l.(type) {
	case *record.Job:
		s.jobs = append(s.jobs, *l)
	case *record.Process:
		s.processes = append(s.processes, *l)
	case *record.Sample:
		s.samples = append(s.samples, *l)
	}
	return nil
}

// A script is a Python workload whose module is given as text.
type script struct {
	text     string
	function string
	warm     []string
}

func (script) Name() string                { return "script" }
func (script) Payload(_, id uint64) []byte { return fmt.Appendf(nil, "[%d]", id) }
func (s script) PythonFunction() workload.PythonFunction {
	return workload.PythonFunction{
		Module: "script", Function: s.function, Warm: s.warm, Sources: map[string]string{"script": s.text},
	}
}

// goEcho returns its payload.
type goEcho struct{}

func (goEcho) Name() string                { return "go:echo" }
func (goEcho) Payload(_, id uint64) []byte { return fmt.Appendf(nil, "[%d]", id) }
func (goEcho) Run(_ context.Context, payload []byte) ([]byte, error) {
	var v any
	if err := json.Unmarshal(payload, &v); err != nil {
		return nil, err
	}
	return payload, nil
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
