package live_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"

	"forkbench/live"
	"forkbench/live/livetest"
	"forkbench/models"
	"forkbench/record"
	"forkbench/workload"
)

func TestMain(m *testing.M) {
	bareMain()
	live.Main(goEcho{}, goReturns{}, new(goState), goEnv{})
	os.Exit(m.Run())
}

// A rig is a machine for one test.
type rig struct {
	*livetest.Machine
	machine *live.Machine
	t       testing.TB
}

// newRig runs a workload in Python processes, if nobody says otherwise.
func newRig(t testing.TB, w workload.Workload) *rig {
	t.Helper()
	m := livetest.New(t)
	return &rig{Machine: m, machine: m.Live(w, live.Python{}, 4), t: t}
}

// round enqueues payloads and returns a round over them.
func (r *rig) round(model string, payloads ...string) (live.Round, *memorySink) {
	r.t.Helper()
	sink := new(memorySink)
	return r.Round(model, func(yield func(workload.Job) bool) {
		for i, p := range payloads {
			if !yield(workload.Job{ID: uint64(i), Payload: []byte(p), Attempt: 1}) {
				return
			}
		}
	}, sink), sink
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
	onJob     func(n int) // called with the number of jobs so far
	onSample  func()
}

func (s *memorySink) Write(l record.Line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch l := l.(type) {
	case *record.Job:
		s.jobs = append(s.jobs, *l)
		if s.onJob != nil {
			s.onJob(len(s.jobs))
		}
	case *record.Process:
		s.processes = append(s.processes, *l)
	case *record.Sample:
		s.samples = append(s.samples, *l)
		if s.onSample != nil {
			s.onSample()
		}
	}
	return nil
}

// count is the number of samples so far.
func (s *memorySink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.samples)
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

// goState remembers which process made its state, and hands it on.
type goState struct{ by []byte }

func (*goState) Name() string                { return "go:state" }
func (*goState) Payload(_, _ uint64) []byte  { return []byte("[]") }
func (s *goState) Snapshot() ([]byte, error) { return s.by, nil }

func (s *goState) Warm(context.Context) error {
	s.by = strconv.AppendInt(nil, int64(os.Getpid()), 10)
	return nil
}

func (s *goState) Restore(mem []byte) error {
	s.by = mem
	return nil
}

// Run returns whether the process made the state itself.
func (s *goState) Run(ctx context.Context, _ []byte) ([]byte, error) {
	if s.by == nil {
		if err := s.Warm(ctx); err != nil {
			return nil, err
		}
	}
	return strconv.AppendBool(nil, string(s.by) == strconv.Itoa(os.Getpid())), nil
}

var _ workload.Snapshotter = (*goState)(nil)
