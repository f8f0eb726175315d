package live_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/hybrid"
)

// kept is what jobs below keep in their process: a connection to a server, with
// what is asked of it once.
const kept = `
import os, socket, sqlite3, tempfile, threading

ADDRESS = ("127.0.0.1", %d)
asked = []  # once, of the first connection: what has been done in a parent is not done again

def connect():
    c = socket.create_connection(ADDRESS)
    if not asked:
        asked.append(os.getpid())
    return c

class Pool:
    def __init__(self):
        self.idle = []
    def take(self):
        return self.idle.pop() if self.idle else (connect(), os.getpid())
    def open(self):
        self.idle.append(self.take())
    def dispose(self):
        while self.idle:
            self.idle.pop()[0].close()

class Session:
    "Keeps its connection until it is closed, and then the pool has it."
    def __init__(self):
        self.taken = None
    def close(self):
        if self.taken:
            pool.idle.append(self.taken)
        self.taken = None

pool, session = Pool(), Session()
parent = os.getpid()

def said(taken):
    return ["again" if asked[0] == os.getpid() else "done", "shared" if taken[1] != os.getpid() else "own"]

def pooled(n):
    taken = pool.take()
    pool.idle.append(taken)
    return said(taken)

def checked_out(n):
    if session.taken is None:
        session.taken = pool.take()
    return said(session.taken)

def shop():
    return pool

held = []

def checked(n):
    if not held or held[0][0].fileno() < 0:
        held[:] = [(connect(), os.getpid())]
    return said(held[0])

def beneath(n):
    "Goes on with a new connection where the old one is dead, and has no means to close it."
    try:
        if not held or not held[0][0].send(b"x"):
            raise OSError
    except OSError:
        held[:] = [(Wire(), os.getpid())]
    return said(held[0])

class Wire:
    def __init__(self):
        self.number = connect().detach()
    def send(self, data):
        return os.write(self.number, data)

database = []

def inline(n):
    if not database:
        database.append(sqlite3.connect(os.path.join(tempfile.gettempdir(), "forkbench-warmjob.db")))
        database[0].execute("SELECT count(*) FROM sqlite_master").fetchall()
    return database[0].execute("SELECT 1").fetchone()[0]

def threaded(n):
    threading.Thread(target=threading.Event().wait, daemon=True).start()

def fails(n):
    raise RuntimeError("no such account")
`

// server accepts connections until the test ends.
func server(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// TestWarmJob: a job, or a call, is made in the parent, what it leaves open is given
// up by the means of who holds it, and its children have connections of their own.
func TestWarmJob(t *testing.T) {
	for _, c := range []struct{ function, warm, undone string }{
		{"pooled", "job", "script.pool.dispose()"},
		{"checked_out", "job", "script.session.close(), script.pool.dispose()"},
		{"checked", "job", "close() of the socket.socket"},
		{"beneath", "job", "its descriptor, which is closed"},
		{"pooled", "undo:script:pooled(1)", "script.pool.dispose()"},
		{"pooled", "undo:script:shop().open", "script.shop().dispose()"}, // as it was called
	} {
		t.Run(c.function+" "+c.warm, func(t *testing.T) {
			rig := newRig(t, script{text: fmt.Sprintf(kept, server(t)), function: c.function})
			rig.machine.Workers, rig.machine.Runtime = 1, live.Python{Warm: []string{c.warm}}
			var results []string
			probe := spied{hybrid.Model{}, func(o models.Outcome) { results = append(results, string(o.Result)) }}
			round, _, err := rig.run(probe, repeat(3, "[1]")...)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				if r != `["done", "own"]` {
					t.Errorf("a job says %s", r)
				}
			}
			if len(results) != 3 || len(round.Undone) != 1 || !strings.HasSuffix(round.Undone[0], ": "+c.undone) || len(round.Unfit) > 0 {
				t.Errorf("%d jobs, undone %q, want %q; unfit %q", len(results), round.Undone, c.undone, round.Unfit)
			}
		})
	}
}

// emptying has jobs that take what they need out of what they are given.
type emptying struct{ script }

func (emptying) Payload(_, _ uint64) []byte { return []byte("[[1]]") }

// TestWarmJobKeepsPayload: a job that changes its arguments gets them anew, each time
// that it is run in the parent.
func TestWarmJobKeepsPayload(t *testing.T) {
	text := fmt.Sprintf(kept, server(t)) + "\ndef emptied(given):\n    return pooled(given.pop())\n"
	rig := newRig(t, emptying{script{text: text, function: "emptied"}})
	rig.machine.Workers, rig.machine.Runtime = 1, live.Python{Warm: []string{"job"}}
	if round, _, err := rig.run(hybrid.Model{}, repeat(2, "[[1]]")...); err != nil || len(round.Undone) != 1 {
		t.Errorf("%+v, %v", round, err)
	}
}

// TestWarmJobNotUndone: what cannot be undone, or fails, is not forked from, and it
// is said why.
func TestWarmJobNotUndone(t *testing.T) {
	for function, want := range map[string]string{
		"inline":   "forkbench-warmjob.db open, which forks must not share, and it could not be given up so that the same still works",
		"threaded": "leaves 1 more thread running",
		"fails":    "RuntimeError: no such account",
	} {
		t.Run(function, func(t *testing.T) {
			rig := newRig(t, script{text: fmt.Sprintf(kept, server(t)), function: function})
			rig.machine.Workers, rig.machine.Runtime = 1, live.Python{Warm: []string{"job"}}
			_, _, err := rig.run(hybrid.Model{}, repeat(2, "[1]")...)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v; want %q", err, want)
			}
		})
	}
}
