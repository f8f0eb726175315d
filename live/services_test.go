package live_test

import (
	"bufio"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/prefork"
	"forkbench/service"
)

// served is a server as PostgreSQL is one: a process for each connection, which
// burns 20 ms for each line it gets, and a parent that waits for them.
const served = `
import os, signal, socket, sys, time

family, address = (socket.AF_UNIX, sys.argv[1]) if len(sys.argv) > 1 else (socket.AF_INET, ("127.0.0.1", 0))
listener = socket.socket(family)
listener.bind(address)
listener.listen(64)
signal.signal(signal.SIGCHLD, lambda *_: None)
listener.settimeout(0.05)
print(listener.getsockname()[1] if family == socket.AF_INET else 0, flush=True)
while True:
    try:
        connection, _ = listener.accept()
    except OSError:
        connection = None
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
    if connection is None:
        continue
    if os.fork() == 0:
        listener.close()
        connection.setblocking(True)
        lines = connection.makefile("rwb")
        for line in lines:
            end = time.process_time() + 0.02
            while time.process_time() < end:
                pass
            lines.write(line)
            lines.flush()
        os._exit(0)
    connection.close()
`

// serve starts it and returns its process and its port.
func serve(t *testing.T, args ...string) (pid, port int) {
	t.Helper()
	cmd := exec.Command("python3", append([]string{"-c", served}, args...)...)
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
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(line, &port); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, port
}

// TestServices: what a program on this machine does for jobs is told apart, with
// that of the processes that it has started and waited for, whether it was named or
// is found by the jobs' connections.
func TestServices(t *testing.T) {
	const jobs, each = 12, 20 * time.Millisecond
	socket := t.TempDir() + "/s"
	for name, test := range map[string]struct {
		args    []string
		connect string // Python's address, with the port
		named   bool
	}{
		"named":               {nil, `("127.0.0.1", %d)`, true},
		"found by TCP":        {nil, `("127.0.0.1", %d)`, false},
		"found by its socket": {[]string{socket}, `"` + socket + `"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			pid, port := serve(t, test.args...)
			address := test.connect
			if strings.Contains(address, "%d") {
				address = fmt.Sprintf(address, port)
			}
			text := "import socket\nADDRESS = " + address + `

def ask(*_):
    s = socket.socket(socket.AF_UNIX if isinstance(ADDRESS, str) else socket.AF_INET)
    s.connect(ADDRESS)
    with s, s.makefile("rwb") as lines:
        lines.write(b"?\n")
        lines.flush()
        lines.readline()
`
			rig := newRig(t, script{text: text, function: "ask"})
			rig.machine.Services = service.NewSet()
			if test.named {
				s, err := service.Find(fmt.Sprint(port))
				if err != nil {
					t.Fatal(err)
				}
				rig.machine.Services.Add(s)
			}
			for _, e := range []models.Executor{prefork.Model{}, forkperjob.Model{}} {
				done, _, err := rig.run(e, repeat(jobs, "[]")...)
				if err != nil {
					t.Fatal(err)
				}
				if len(done.Services) != 1 || !strings.HasPrefix(done.Services[0].Name, "python3") {
					t.Fatalf("%s: the services are %+v; want process %d's", e.Name(), done.Services, pid)
				}
				// Two counters at two times, each to its tick.
				got := done.ServiceCPU().Total()
				if least := jobs*each - 40*time.Millisecond; got < least {
					t.Errorf("%s: the service used %v; want at least %v", e.Name(), got, least)
				}
				if all := done.CPU().Total(); all < got+done.Children.Total() {
					t.Errorf("%s: all parts used %v, of which the service %v", e.Name(), all, got)
				}
			}
		})
	}
}

// TestServicesThatAreNone: what the jobs start themselves, and the server that holds
// the jobs, are not services.
func TestServicesThatAreNone(t *testing.T) {
	text := `
import socket, threading

def ask(*_):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    ours = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    end = __import__("time").process_time() + 0.05
    while __import__("time").process_time() < end:
        pass
`
	rig := newRig(t, script{text: text, function: "ask"})
	rig.machine.Services = service.NewSet()
	for _, e := range []models.Executor{prefork.Model{}, forkperjob.Model{}} {
		done, _, err := rig.run(e, repeat(12, "[]")...)
		if err != nil {
			t.Fatal(err)
		}
		if len(done.Services) != 0 {
			t.Errorf("%s: services: %+v; want none", e.Name(), done.Services)
		}
	}
}
