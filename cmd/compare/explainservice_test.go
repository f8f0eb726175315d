package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"forkbench/record"
)

// server answers the lines of each connection, and prints its port first.
const server = `import socketserver

class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)

socketserver.ThreadingTCPServer.daemon_threads = True
with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Lines) as s:
    print(s.server_address[1], flush=True)
    s.serve_forever()
`

// TestExplainService: what jobs have a program of this machine do is told apart in
// explain's measurements, too, found by their connections or named.
func TestExplainService(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds of other processes, under the race detector")
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", server)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	port = strings.TrimSpace(port)

	b := newBench(t)
	// As a database's clients do, each process keeps its connection.
	text := fmt.Sprintf(`import socket
kept = []
def ask():
    if not kept:
        kept.append(socket.create_connection(("127.0.0.1", %s)))
    kept[0].sendall(b"?\n")
    kept[0].recv(9)
`, port)
	if err := os.WriteFile("asking.py", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("none.jsonl", []byte("[]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		flag string
		told bool
	}{{"", true}, {"--service=" + port, true}, {"--service=none", false}} {
		args := []string{"explain", "--workload=py:asking:ask", "--payload=none.jsonl", "--path=.", "--jobs=6", "--rounds=1", "--quiet", "--force", "--out=out"}
		if test.flag != "" {
			args = append(args, test.flag)
		}
		b.run(args...).want(t, exitDone)
		f, err := os.Open("out/" + recordsName)
		if err != nil {
			t.Fatal(err)
		}
		rounds, told := 0, 0
		for l, err := range record.Read(f) {
			if err != nil {
				t.Fatal(err)
			}
			if r, ok := l.(*record.Round); ok {
				rounds++
				told += min(len(r.Services), 1)
			}
		}
		_ = f.Close() // it was only read
		if rounds == 0 || (told == rounds) != test.told || (told == 0) == test.told {
			t.Errorf("explain %s: a service in %d of %d rounds, want in all: %t", test.flag, told, rounds, test.told)
		}
	}
}
