package serve_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"forkbench/serve"
)

// An event is one of a stream.
type event struct{ id, name, data string }

// stream opens a stream of events.
func (x *service) stream(run, lastID string) (next func() (event, bool), head answered) {
	x.t.Helper()
	r, err := http.NewRequestWithContext(x.t.Context(), http.MethodGet, x.url+"/api/v1/runs/"+run+"/events", nil)
	if err != nil {
		x.t.Fatal(err)
	}
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	answer, err := x.client.Do(r)
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { _ = answer.Body.Close() })
	lines := bufio.NewScanner(answer.Body)
	return func() (e event, ok bool) {
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				e.data = value
			case "":
				if e.name != "" {
					return e, true
				}
			}
		}
		return e, false
	}, answered{status: answer.StatusCode, header: answer.Header}
}

// A stream tells how far a run is, is taken up where it was, and ends with the run.
func TestEvents(t *testing.T) {
	x := begin(t, serve.Options{Runs: true})
	name := x.start(long)
	next, answer := x.stream(name, "")
	if answer.status != 200 || answer.header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d: %v", answer.status, answer.header)
	}
	var last event
	var p serve.Progress
	for {
		e, ok := next()
		if !ok {
			t.Fatal("the stream ended before the run")
		}
		if err := json.Unmarshal([]byte(e.data), &p); err != nil {
			t.Fatal(err)
		}
		if e.id == last.id {
			t.Errorf("the event %s came twice", e.id)
		}
		last = e
		if p.State == serve.Running && p.SoFar != "" && len(p.Models) == 3 && p.Models[0].Jobs > 0 {
			break
		}
	}
	if p.Models[0].Rounds == 0 || p.Models[0].Recent[0].PerS <= 0 || p.Doing != "hybrid, round 1" {
		t.Errorf("%+v", p)
	}

	// Taken up again with what is known, it says nothing until there is something new.
	again, _ := x.stream(name, last.id)
	x.do("POST", "/api/v1/runs/"+name+"/cancel", "")
	e, ok := again()
	if !ok || e.id == last.id {
		t.Errorf("%+v", e)
	}
	for e.name != "end" {
		if e, ok = again(); !ok {
			t.Fatal("the stream ended without its end")
		}
	}
	if err := json.Unmarshal([]byte(e.data), &p); err != nil || p.State != serve.Cancelled {
		t.Errorf("%v: %+v", err, p)
	}
	if _, more := again(); more {
		t.Error("there is something after the end")
	}
	for e, ok = next(); ok && e.name != "end"; e, ok = next() {
		last = e
	}
	if e.name != "end" {
		t.Errorf("the first stream's last event is %+v", last)
	}
	// Who knows the end is not sent it again, and need not ask any more.
	if _, answer := x.stream(name, e.id); answer.status != http.StatusNoContent {
		t.Errorf("%d", answer.status)
	}
	// Who does not is.
	if late, _ := x.stream(name, ""); true {
		if e, ok := late(); !ok || e.name != "end" {
			t.Errorf("%+v", e)
		}
	}
}

// Streams end with the service.
func TestEventsEndWithTheService(t *testing.T) {
	x := begin(t, serve.Options{Runs: true})
	name := x.start(long)
	x.working(name)
	next, _ := x.stream(name, "")
	if _, ok := next(); !ok {
		t.Fatal("no event")
	}
	x.stop()
	for {
		if _, ok := next(); !ok {
			return
		}
	}
}

func TestEventsOfNoRun(t *testing.T) {
	x := begin(t, serve.Options{})
	if a := x.do("GET", "/api/v1/runs/none/events", ""); a.status != http.StatusNotFound || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d: %v", a.status, a.header)
	}
}
