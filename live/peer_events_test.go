package live

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"forkbench/peers"
	"forkbench/workload"
)

// heard is a peer of one process, 100, that runs three jobs and starts nothing.
func heard() *peer {
	h := newHost(&Machine{Workers: 2}, Round{Model: "heard", Sink: discard{}})
	h.cancel = func(error) {}
	main := h.newProcess(roleParent, 0, nil)
	main.pid, main.own = 100, new(spawned)
	return &peer{
		host: h, system: peers.System{Name: "heard", Pool: 2}, mains: []*process{main},
		kids: map[int]*kid{100: {process: main}}, jobs: make([]workload.Job, 3), fates: make([]fate, 3), left: 3,
	}
}

func (p *peer) hear(text string) error {
	for line := range bytes.Lines([]byte(text)) {
		e, err := parseEvent(bytes.TrimSuffix(line, []byte{'\n'}))
		if err == nil {
			err = p.note(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func TestEvents(t *testing.T) {
	p := heard()
	// A child's first job may begin before its maker has told of the child.
	err := p.hear(`ready 100 5 3000 1000 700
start 0 101 20
fork 100 101 10 15
take 1 17
fork 100 102 16 18
done 0 101 20 25 4
over 0 26
start 1 102 30
done 1 102 30 35 5
kept 1 37
reap 102 0 2000 1000 50 1 40 2500000
over 1 41
`)
	if err != nil {
		t.Fatal(err)
	}
	p.place(p.kids[101])
	if p.left != 1 || p.running != 0 || p.ready != 1 || p.born != 2 {
		t.Errorf("left %d, running %d, ready %d, born %d; want 1, 0, 1, 2", p.left, p.running, p.ready, p.born)
	}
	want := []fate{
		{pid: 101, seq: 1, process: 2, slot: 0, started: 20, finished: 25, over: 26, cpu: 4},
		{pid: 102, seq: 1, process: 3, slot: 1, taken: 17, started: 30, finished: 35, kept: 37, over: 41, cpu: 5},
		{},
	}
	for i := range want {
		if p.fates[i] != want[i] {
			t.Errorf("job %d: %+v\nwant   %+v", i, p.fates[i], want[i])
		}
	}
	if child := p.kids[102]; child != nil {
		t.Errorf("a child that was waited for is still known: %+v", child)
	}
	main := p.mains[0]
	if main.children.Total() != 3*time.Millisecond || main.startup.Total() != 4*time.Millisecond || main.waited != 700*time.Microsecond || main.faults != 50 {
		t.Errorf("booked on the main process: children %v, start-up %v, waited for %v, faults %d", main.children, main.startup, main.waited, main.faults)
	}
}

// A child that a pool makes after it was told to exit ends no earlier than it began.
func TestEventsAfterTheEnd(t *testing.T) {
	p := heard()
	p.stopped = 30
	if err := p.hear("fork 100 101 10 15\nfork 100 102 40 45\n"); err != nil {
		t.Fatal(err)
	}
	early, late := p.kids[101].process, p.kids[102].process
	if err := p.hear("reap 101 0 1 1 1 1 50 0\nreap 102 0 1 1 1 1 50 0\n"); err != nil {
		t.Fatal(err)
	}
	if early.end != 30 || late.end != 45 {
		t.Errorf("they end at %d and %d, want 30 and 45", early.end, late.end)
	}
}

func TestEventsThatCannotBe(t *testing.T) {
	for text, want := range map[string]string{
		"begin 1 2":                            "is no event",
		"over 1":                               "is no event",
		"over 1 x":                             "is no number",
		"over -1 5":                            "is no number",
		"over 3 5":                             "it ran job 3 of 3",
		"ready 99 1 2 3 4":                     "was not started",
		"fork 99 101 1 2":                      "none of its own",
		"fork 100 101 1 2\nfork 100 101 1 2":   "forked twice",
		"reap 100 0 1 2 3 4 5 6":               "which this program started",
		"done 1 2 3 4 99999999999999999999999": "is no number",
	} {
		if err := heard().hear(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}

// FuzzEvents: a peer can say what it likes; no job is over twice.
func FuzzEvents(f *testing.F) {
	f.Add([]byte("fork 100 101 10 15\nstart 0 101 20\ndone 0 101 20 25 4\nkept 0 26\nreap 101 9 1 1 1 1 30 0\nover 0 31\nover 0 32\n"))
	f.Add([]byte("start 0 7 1\nstart 0 8 1\nkept 2 1\nreap 7 0 0 0 0 0 0 0\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p := heard()
		_ = p.hear(string(text)) // an error is an answer
		over := 0
		for _, fate := range p.fates {
			if fate.over != 0 {
				over++
			}
		}
		if p.left < 0 || p.left > 3 || over > 3-p.left {
			t.Errorf("%d jobs of 3 are left, %d are over", p.left, over)
		}
	})
}
