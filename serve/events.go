package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"sync"
	"time"
)

// How often a run is looked at for those who watch it, and how often a stream that has
// nothing to say shows that it is there.
const (
	watchEvery = 500 * time.Millisecond
	perWatcher = 10 * time.Millisecond // all of them together have 100 events a second at most
	keepAlive  = 15 * time.Second
)

// Watchers are those who watch runs. However many watch one, it is followed once, and
// nobody follows a run that is not watched.
type watchers struct {
	store *store
	busy  func() bool // a comparison is being measured
	ctx   context.Context
	stop  context.CancelFunc // ends all streams
	group sync.WaitGroup     // of those who follow

	mu   sync.Mutex
	runs map[string]*watched
	n    int
}

// A watched is a run that somebody watches.
type watched struct {
	watchers map[chan message]bool
	last     *message
	stop     context.CancelFunc
}

// A message is one event. Its id is that of its content: a stream that is taken up again
// says the latest once, if it is another one.
type message struct {
	id    string
	text  []byte
	ended bool
}

func newWatchers(s *store, busy func() bool) *watchers {
	w := &watchers{store: s, busy: busy, runs: make(map[string]*watched)}
	w.ctx, w.stop = context.WithCancel(context.Background())
	return w
}

// close ends all streams, and waits for those who follow.
func (w *watchers) close() {
	w.mu.Lock()
	w.stop() // nobody joins from now on
	w.mu.Unlock()
	w.group.Wait()
}

// errWatched is for more watchers than there may be.
var errWatched = errors.New("too many watch already")

// errEnding is for watchers that come when the service ends.
var errEnding = &httpError{http.StatusServiceUnavailable, "the service ends"}

// join has the messages of a run sent on a channel that holds one: who is slow misses
// what came before the latest. The caller calls leave.
func (w *watchers) join(run string) (messages chan message, leave func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx.Err() != nil {
		return nil, nil, errEnding
	}
	if w.n == maxWatchers {
		return nil, nil, errWatched
	}
	w.n++
	x := w.runs[run]
	if x == nil {
		ctx, stop := context.WithCancel(w.ctx)
		x = &watched{watchers: make(map[chan message]bool), stop: stop}
		w.runs[run] = x
		w.group.Go(func() { w.follow(ctx, run, x) })
	}
	messages = make(chan message, 1)
	x.watchers[messages] = true
	if x.last != nil {
		messages <- *x.last
	}
	return messages, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.n--
		delete(x.watchers, messages)
		if len(x.watchers) == 0 {
			x.stop()
			if w.runs[run] == x {
				delete(w.runs, run)
			}
		}
	}, nil
}

func (w *watchers) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n
}

// follow tells what is new of a run, until it has ended or nobody watches any more.
func (w *watchers) follow(ctx context.Context, run string, x *watched) {
	f := &follower{store: w.store, run: run}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		most := int64(mostRead)
		if w.busy() {
			most = busyRead
		}
		p, err := f.follow(most)
		if err != nil {
			p = &Progress{State: Failed, Doing: err.Error(), Models: []ModelProgress{}}
		}
		m := newMessage(p)
		w.mu.Lock()
		if x.last == nil || x.last.id != m.id {
			x.last = &m
			for to := range x.watchers {
				offer(to, m)
			}
		}
		if m.ended && w.runs[run] == x {
			delete(w.runs, run) // whoever comes later looks again
		}
		w.mu.Unlock()
		if m.ended {
			return
		}
		timer.Reset(max(watchEvery, time.Duration(w.count())*perWatcher))
	}
}

// offer puts a message in the place of one that nobody took.
func offer(to chan message, m message) {
	select {
	case <-to:
	default:
	}
	to <- m // only the holder of the lock sends
}

func newMessage(p *Progress) message {
	text, err := json.Marshal(p)
	if err != nil {
		text = []byte("{}") // there is nothing in it that JSON cannot hold
	}
	h := fnv.New64a()
	_, _ = h.Write(text) // it never fails
	m := message{id: fmt.Sprintf("%016x", h.Sum64()), text: text, ended: p.State.Ended() && p.Behind == 0}
	if m.ended {
		m.id = "end-" + m.id
	}
	return m
}

// events streams how far a run has come (server-sent events: HTML, section 9.2). The
// last event of a run is "end"; who takes up a stream that has ended is told to stop.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	run := r.PathValue("run")
	if err := s.store.check(run); err != nil {
		return err
	}
	messages, leave, err := s.watch.join(run)
	if err != nil {
		return err
	}
	defer leave()
	known := r.Header.Get("Last-Event-ID")
	out := http.NewResponseController(w)
	send := func(text string) error {
		if err := out.SetWriteDeadline(time.Now().Add(readTimeout)); err != nil {
			return err
		}
		if _, err := fmt.Fprint(w, text); err != nil {
			return err
		}
		return out.Flush()
	}
	begun := false
	begin := func() error {
		if begun {
			return nil
		}
		begun = true
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Accel-Buffering", "no")
		return send(": forkbench\n\n")
	}
	// Whoever knows the end already is answered without a stream; all others have the
	// headers at once, and not with the first event.
	if known == "" {
		if err := begin(); err != nil {
			return nil // whoever asked has gone
		}
	}
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for {
		var err error
		select {
		case m := <-messages:
			if m.id == known && m.ended && !begun {
				w.WriteHeader(http.StatusNoContent)
				return nil
			}
			if err = begin(); err == nil && m.id != known {
				name := "progress"
				if m.ended {
					name = "end"
				}
				err = send(fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", m.id, name, m.text))
			}
			if m.ended {
				return nil
			}
		case <-alive.C:
			if err = begin(); err == nil {
				err = send(":\n\n")
			}
		case <-r.Context().Done():
			return nil
		case <-s.watch.ctx.Done():
			return nil
		}
		if err != nil {
			return nil // likewise
		}
	}
}
