package peerstest

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"testing"

	"forkbench/live/livetest"
	"forkbench/models"
)

// shares is an application that has opened and started this and that before a fork.
const shares = `
import os, queue, socket, sqlite3, threading
kept = []
def connect():
    return socket.create_connection((%[1]q, %[2]s))
kept.append(connect())
kept.append(sqlite3.connect(%[3]q + "/jobs.db"))
kept[-1].execute("create table if not exists t (a)")
kept.append(open(%[3]q + "/log", "a"))

# Forks do not get these.
os.register_at_fork(before=socket.create_connection((%[1]q, %[2]s)).close)
os.register_at_fork(after_in_child=socket.create_connection((%[1]q, %[2]s)).close)

lock, begun = threading.Lock(), threading.Event()
def flush():
    with lock:
        begun.set()
        queue.Queue().get()
threading.Thread(target=flush, daemon=True, name="flusher").start()
begun.wait()

# This is in forks, too.
def watch():
    threading.Event().wait()
def start():
    threading.Thread(target=watch, daemon=True, name="watcher").start()
start()
os.register_at_fork(after_in_child=start)

def warm():
    kept.append(open(%[3]q + "/spool", "w"))
def job(number):
    return [number]
`

// Hazards checks what the forks of a system's main process are said to share and
// to lack: what the application has opened and started in it, unless forks do not
// get that, and nothing of the system's own. The executor must warm.
func Hazards(t *testing.T, m *livetest.Machine, e models.Executor) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	dir := t.TempDir()
	for text, want := range map[string][]string{
		"def warm():\n    pass\ndef job(number):\n    return [number]\n": nil,
		fmt.Sprintf(shares, host, port, dir): {
			"its forks cannot ever take the lock " + module + ".lock",
			`its forks lack the thread "flusher" (` + module + ".flush) (from the import of " + module + ")",
			"its forks share a TCP connection to " + l.Addr().String() + " (from the import of " + module + ")",
			"its forks share an SQLite connection to " + filepath.Join(dir, "jobs.db") + " (from the import of " + module + ")",
			"its forks share the file " + filepath.Join(dir, "log") + ", open for appending (from the import of " + module + ")",
			"its forks share the file " + filepath.Join(dir, "spool") + ", open for writing (from --warm=" + module + ":warm)",
		},
	} {
		done, sink, err := Script(t.Context(), m, e, text, "job", 4, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(sink.Results) != 4 {
			t.Errorf("%d of 4 jobs were done", len(sink.Results))
		}
		var told, unfit []string
		for _, h := range done.Hazards {
			told = append(told, h.Clause())
			if h.Cure == "" {
				t.Errorf("there is no cure for %+v", h)
			}
			if !h.Caution {
				unfit = append(unfit, h.Clause())
			}
		}
		slices.Sort(told)
		if !slices.Equal(told, want) {
			t.Errorf("hazards %q; want %q", told, want)
		}
		slices.Sort(unfit)
		if got := slices.Sorted(slices.Values(done.Unfit)); !slices.Equal(got, unfit) {
			t.Errorf("unfit because %q; want %q", got, unfit)
		}
	}
}
