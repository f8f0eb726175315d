package harness

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"forkbench/peers"
	"forkbench/record"
	"forkbench/workload"
)

// A fakeMachine starts nothing: what it is told of a main process is in that one's
// fields.
type fakeMachine struct {
	Machine
	lastID int
}

func (*fakeMachine) Clock() time.Duration { return 0 }

func (m *fakeMachine) id() int {
	m.lastID++
	return m.lastID
}

type fakeMain struct {
	Main
	machine *fakeMachine
	number  int
	ready   []time.Duration // at, used, waited
}

func (p *fakeMain) ID() int  { return p.number }
func (p *fakeMain) PID() int { return 100 }
func (p *fakeMain) Ran(int)  {}

func (p *fakeMain) Ready(at time.Duration, used record.CPU, waited time.Duration) {
	p.ready = append(p.ready, at, used.Total(), waited)
}

func (p *fakeMain) Forked(int, int, time.Duration, time.Duration) Child {
	return &fakeChild{number: p.machine.id()}
}

type fakeChild struct {
	number int
	exit   Exit
	ended  time.Duration
	jobs   int
}

func (p *fakeChild) ID() int { return p.number }

func (p *fakeChild) Reaped(e Exit, ended time.Duration, jobs int) {
	p.exit, p.ended, p.jobs = e, ended, jobs
}

func (p *fakeChild) Orphaned(time.Duration, int) {}

// heard is a run of one main process, 100, with three jobs, that starts nothing.
func heard() (*run, *fakeMain) {
	m := new(fakeMachine)
	main := &fakeMain{machine: m, number: m.id()}
	return &run{
		machine: m, system: peers.System{Name: "heard", Pool: 2}, mains: []Main{main}, holding: map[Main]bool{},
		processes: map[int]*process{100: {main: main}}, jobs: make([]workload.Job, 3), times: make([]times, 3), left: 3,
	}, main
}

func (r *run) hear(text string) error {
	for line := range bytes.Lines([]byte(text)) {
		e, err := parseEvent(bytes.TrimSuffix(line, []byte{'\n'}))
		if err == nil {
			err = r.note(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func TestEvents(t *testing.T) {
	r, main := heard()
	// A child's first job may begin before its maker has told of the child.
	err := r.hear(`ready 100 5 3000 1000 700
start 0 101 20
fork 100 101 10 15
take 1 17
fork 100 102 16 18
done 0 101 20 25 4
over 0 26
start 1 102 30
done 1 102 30 35 5
kept 1 37
`)
	if err != nil {
		t.Fatal(err)
	}
	second := r.processes[102].child.(*fakeChild)
	if err := r.hear("reap 102 0 2000 1000 50 1 40 2500000\nover 1 41\n"); err != nil {
		t.Fatal(err)
	}
	r.reapRest()
	if r.left != 1 || r.running != 0 || r.ready != 1 || r.born != 2 {
		t.Errorf("left %d, running %d, ready %d, born %d; want 1, 0, 1, 2", r.left, r.running, r.ready, r.born)
	}
	want := []times{
		{pid: 101, seq: 1, process: 2, slot: 0, started: 20, finished: 25, over: 26, cpu: 4},
		{pid: 102, seq: 1, process: 3, slot: 1, taken: 17, started: 30, finished: 35, kept: 37, over: 41, cpu: 5},
		{},
	}
	for i := range want {
		if r.times[i] != want[i] {
			t.Errorf("job %d: %+v\nwant   %+v", i, r.times[i], want[i])
		}
	}
	if len(r.processes) != 1 {
		t.Errorf("children that were waited for are still known: %+v", r.processes)
	}
	if want := []time.Duration{5, 4 * time.Millisecond, 700 * time.Microsecond}; !slices.Equal(main.ready, want) {
		t.Errorf("the main process is told to be ready, with its CPU and what it waited for, as %v, want %v", main.ready, want)
	}
	exit := Exit{CPU: record.CPU{User: 2 * time.Millisecond, System: time.Millisecond}, Own: 2500 * time.Microsecond, Minor: 50, Major: 1, At: 40}
	if second.exit != exit || second.ended != 37 || second.jobs != 1 {
		t.Errorf("a child ended as %+v at %d after %d jobs, want %+v at 37 after 1", second.exit, second.ended, second.jobs, exit)
	}
}

// A child that a pool makes after it was told to exit ends no earlier than it began.
func TestEventsAfterTheEnd(t *testing.T) {
	r, _ := heard()
	r.stopped = 30
	if err := r.hear("fork 100 101 10 15\nfork 100 102 40 45\n"); err != nil {
		t.Fatal(err)
	}
	early, late := r.processes[101].child.(*fakeChild), r.processes[102].child.(*fakeChild)
	if err := r.hear("reap 101 0 1 1 1 1 50 0\nreap 102 0 1 1 1 1 50 0\n"); err != nil {
		t.Fatal(err)
	}
	if early.ended != 30 || late.ended != 45 {
		t.Errorf("they end at %d and %d, want 30 and 45", early.ended, late.ended)
	}
}

func TestEventsThatCannotBe(t *testing.T) {
	for text, want := range map[string]string{
		"begin 1 2":                            "is not an event",
		"over 1":                               "is not an event",
		"over 1 x":                             "is not a number",
		"over -1 5":                            "is not a number",
		"over 3 5":                             "it ran job 3 of 3",
		"ready 99 1 2 3 4":                     "was not started",
		"fork 99 101 1 2":                      "none of its main processes",
		"fork 100 101 1 2\nfork 100 101 1 2":   "forked twice",
		"reap 100 0 1 2 3 4 5 6":               "which this program started",
		"done 1 2 3 4 99999999999999999999999": "is not a number",
	} {
		r, _ := heard()
		if err := r.hear(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}

// FuzzEvents: a peer can say what it likes; no job is over twice.
func FuzzEvents(f *testing.F) {
	f.Add([]byte("fork 100 101 10 15\nstart 0 101 20\ndone 0 101 20 25 4\nkept 0 26\nreap 101 9 1 1 1 1 30 0\nover 0 31\nover 0 32\n"))
	f.Add([]byte("start 0 7 1\nstart 0 8 1\nkept 2 1\nreap 7 0 0 0 0 0 0 0\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, _ := heard()
		_ = r.hear(string(text)) // an error is an answer
		over := 0
		for _, job := range r.times {
			if job.over != 0 {
				over++
			}
		}
		if r.left < 0 || r.left > 3 || over > 3-r.left {
			t.Errorf("%d jobs of 3 are left, %d are over", r.left, over)
		}
	})
}
