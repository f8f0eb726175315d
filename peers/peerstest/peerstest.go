// Package peerstest is what the tests of all peers have in common: rounds of a
// real system on this computer, and what must be true of them.
package peerstest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"forkbench/live"
	"forkbench/live/livetest"
	"forkbench/models"
	"forkbench/models/modelstest"
	"forkbench/peers"
	"forkbench/record"
	"forkbench/workload"
)

// Need fails a test where the interpreter of the tests, python3, lacks something.
func Need(t testing.TB, r peers.Requirement) {
	t.Helper()
	if _, err := peers.Versions(t.Context(), "python3", nil, r); err != nil {
		t.Fatal(err)
	}
}

// A Sink keeps a round's records.
type Sink struct {
	mu        sync.Mutex
	Jobs      []record.Job
	Processes []record.Process
	Samples   []record.Sample

	// Results is what the jobs returned, by ID; of Script only.
	Results map[uint64][]int
}

// Write keeps a line.
func (s *Sink) Write(l record.Line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch l := l.(type) {
	case *record.Job:
		s.Jobs = append(s.Jobs, *l)
	case *record.Process:
		s.Processes = append(s.Processes, *l)
	case *record.Sample:
		s.Samples = append(s.Samples, *l)
	}
	return nil
}

var statuses = map[modelstest.Act]models.Status{
	modelstest.Done: models.Done, modelstest.Fail: models.Failed,
	modelstest.Crash: models.Crashed, modelstest.Hang: models.TimedOut,
}

// Run puts a system through a scenario and checks that each job ended as it must,
// in a process that is on record, that the accounts are those of the cgroup, and
// that the server holds what it held before.
func Run(t *testing.T, m *livetest.Machine, e models.Executor, s modelstest.Scenario) (*record.Round, *Sink) {
	t.Helper()
	sink := new(Sink)
	s.Sink = sink
	client := Client(t, m)
	leave(t, client)
	before := keys(t, client)
	round, err := m.Run(t.Context(), e, s)
	if err != nil {
		t.Fatalf("%s: %v", e.Name(), err)
	}
	if round.Settled != len(s.Acts) || round.Lost != 0 || round.NotRun != 0 || round.Strays != 0 {
		t.Errorf("settled %d, lost %d, not run %d, strays %d; want %d, 0, 0, 0 (%q)",
			round.Settled, round.Lost, round.NotRun, round.Strays, len(s.Acts), round.Warnings)
	}
	after := keys(t, client)
	maps.DeleteFunc(after, func(key, _ string) bool { return isStream(key) })
	if !maps.Equal(before, after) {
		t.Errorf("the server's keys are not what they were:\nbefore %v\nafter  %v", before, after)
	}
	sink.check(t, s)
	if round.CgroupNS != 0 {
		if d := float64(round.Wait4NS-round.CgroupNS) / float64(round.CgroupNS); d < -0.01 || d > 0.01 {
			t.Errorf("wait4 says %v, the cgroup %v: %.1f %% apart", round.Wait4NS, round.CgroupNS, 100*d)
		}
	}
	if len(s.Acts) > 0 && round.RedisCommands == 0 {
		t.Error("no Redis commands were counted")
	}
	return round, sink
}

// check holds jobs and processes against each other and against the scenario.
func (s *Sink) check(t *testing.T, scenario modelstest.Scenario) {
	t.Helper()
	processes := make(map[int]record.Process)
	for _, p := range s.Processes {
		if _, twice := processes[p.ID]; twice {
			t.Errorf("process %d is on record twice", p.ID)
		}
		processes[p.ID] = p
		if p.ReapNS < p.EndNS || p.EndNS < p.ForkNS {
			t.Errorf("process %d: its times run backwards: %+v", p.ID, p)
		}
	}
	ran := make(map[int]int)
	for _, j := range s.Jobs {
		if want := statuses[scenario.Acts[j.ID]]; j.Status != want {
			t.Errorf("job %d (%s): %v, want %v: %s", j.ID, scenario.Acts[j.ID], j.Status, want, j.Detail)
		}
		if _, known := processes[j.Process]; !known {
			t.Errorf("job %d ran in process %d, which is not on record", j.ID, j.Process)
		}
		ran[j.Process]++
		times := []time.Duration{0, j.DequeuedNS, j.StartedNS, j.FinishedNS, j.SettledNS}
		if !slices.IsSorted(times) {
			t.Errorf("job %d: its times run backwards: %v", j.ID, times)
		}
		if j.Slot < 0 || j.Slot >= scenario.Workers {
			t.Errorf("job %d ran in slot %d of %d", j.ID, j.Slot, scenario.Workers)
		}
	}
	for id, n := range ran {
		if processes[id].Jobs != n {
			t.Errorf("process %d ran %d jobs, its record says %d", id, n, processes[id].Jobs)
		}
	}
}

// Acts is n acts, the given ones in turn.
func Acts(n int, turn ...modelstest.Act) []modelstest.Act {
	all := make([]modelstest.Act, n)
	for i := range all {
		all[i] = turn[i%len(turn)]
	}
	return all
}

// Client is a connection to the machine's server.
func Client(t *testing.T, m *livetest.Machine) *redis.Client {
	t.Helper()
	lists, err := m.Server.Lists()
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: lists.Address().Socket})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("close a client: %v", err)
		}
	})
	return client
}

// leave puts keys on the server as the user's own systems have them.
func leave(t *testing.T, c *redis.Client) {
	t.Helper()
	pipe := c.Pipeline()
	pipe.Del(t.Context(), "celery", "rq:queue:default", "rq:queue:jobs")
	pipe.LPush(t.Context(), "celery", "a message", "another")
	pipe.RPush(t.Context(), "rq:queue:default", "some-id")
	pipe.RPush(t.Context(), "rq:queue:jobs", "another-id")
	pipe.SAdd(t.Context(), "rq:queues", "rq:queue:default")
	pipe.SAdd(t.Context(), "_kombu.binding.celery", "celery\x06\x16\x06\x16celery")
	pipe.HSet(t.Context(), "unacked", "tag", "message")
	pipe.HSet(t.Context(), "rq:job:0", "status", "queued")
	pipe.Set(t.Context(), "celery-task-meta-0", "{}", 0)
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// isStream reports whether a key is a job stream of livetest or belongs to one.
func isStream(key string) bool {
	var n int
	_, err := fmt.Sscanf(key, "livetest:%d", &n)
	if err != nil {
		_, err = fmt.Sscanf(key, "{livetest:%d}", &n)
	}
	return err == nil
}

// keys is all that a server holds, byte for byte, but for job streams.
func keys(t *testing.T, c *redis.Client) map[string]string {
	t.Helper()
	all := make(map[string]string)
	names, err := c.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if isStream(name) {
			continue
		}
		value, err := c.Dump(t.Context(), name).Result()
		if err != nil {
			t.Fatal(err)
		}
		left, err := c.TTL(t.Context(), name).Result()
		if err != nil {
			t.Fatal(err)
		}
		all[name] = fmt.Sprintf("%q, %v", value, left)
	}
	return all
}

// A script is a module of Python with a function to run, and perhaps one called warm.
type script struct{ text, function string }

const module = "jobs_of_a_test"

func (script) Name() string               { return "script" }
func (script) Payload(_, _ uint64) []byte { return []byte("[]") }
func (s script) PythonFunction() workload.PythonFunction {
	return workload.PythonFunction{
		Module: module, Function: s.function, Sources: map[string]string{module: s.text},
	}
}

// Script runs a system on jobs that call a function of a module with their IDs,
// one due every so often. Set, unless nil, changes the machine and the round.
func Script(
	ctx context.Context, m *livetest.Machine, e models.Executor, text, function string, jobs int, every time.Duration,
	set func(*live.Machine, *live.Round),
) (*record.Round, *Sink, error) {
	sink := new(Sink)
	python := live.Python{}
	if strings.Contains(text, "def warm()") {
		python.Warm = []string{module + ":warm"}
	}
	machine := m.Live(script{text, function}, python, 2)
	round := m.Round(e.Name(), func(yield func(workload.Job) bool) {
		for i := range uint64(jobs) {
			if !yield(workload.Job{ID: i, Payload: fmt.Appendf(nil, "[%d]", i), Due: time.Duration(i) * every, Attempt: 1}) {
				return
			}
		}
	}, sink)
	if set != nil {
		set(machine, &round)
	}
	done, err := machine.Run(ctx, e, round)
	if err == nil {
		sink.Results, err = results(m, e.Name())
	}
	return done, sink, err
}

// results reads what the jobs of the last round returned: lists of numbers.
func results(m *livetest.Machine, model string) (map[uint64][]int, error) {
	lists, err := m.Server.Lists()
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: lists.Address().Socket})
	defer client.Close()
	names, err := client.Keys(ctx, "{livetest:*}:outcomes:"+model).Result()
	if err != nil {
		return nil, err
	}
	last, name := 0, ""
	for _, n := range names {
		var i int
		if _, err := fmt.Sscanf(n, "{livetest:%d}", &i); err == nil && i > last {
			last, name = i, n
		}
	}
	outcomes, err := client.HGetAll(ctx, name).Result()
	if err != nil {
		return nil, err
	}
	found := make(map[uint64][]int)
	for entry, text := range outcomes {
		var number uint64
		if _, err := fmt.Sscanf(entry, "%d-0", &number); err != nil {
			return nil, fmt.Errorf("entry %q: %w", entry, err)
		}
		var outcome struct{ Result []int }
		if err := json.Unmarshal([]byte(text), &outcome); err == nil { // else a bare status
			found[number-1] = outcome.Result
		}
	}
	return found, nil
}
