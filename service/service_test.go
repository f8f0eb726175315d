package service_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"forkbench/service"
)

// start runs a shell that has started another one, which burns some CPU and ends
// when its input does, and returns the first one's process.
func start(t *testing.T) (cmd *exec.Cmd, burn func()) {
	t.Helper()
	// Each line is burnt by a process that is waited for, as a backend is.
	cmd = exec.Command("sh", "-c", `while read -r line; do sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'; echo "$line"; done`)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	return cmd, func() {
		t.Helper()
		if _, err := fmt.Fprintln(in, "burn"); err != nil || !lines.Scan() {
			t.Fatal(err, lines.Err())
		}
	}
}

// TestBetween: what a service used between two readings is that of its processes and
// of those that they have waited for.
func TestBetween(t *testing.T) {
	cmd, burn := start(t)
	s, err := service.Find(fmt.Sprintf("pid:%d", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "sh" {
		t.Errorf("its name is %q", s.Name)
	}
	begin := service.ReadAll()
	burn()
	end := service.Read([]*service.Service{s})
	user, system, err := s.Between(begin, end)
	const least = 20 * time.Millisecond // a hundred thousand turns take more, of which a tick may be missing
	if used := user + system; err != nil || used < least {
		t.Errorf("it used %v (%v); want at least %v", used, err, least)
	}
	if user, system, err := s.Between(end, end); err != nil || user+system != 0 {
		t.Errorf("between one reading and itself it used %v (%v)", user+system, err)
	}
	if _, _, err := s.Between(begin, service.Reading{}); !errors.Is(err, service.ErrGone) {
		t.Errorf("of a service that is gone: %v", err)
	}
}

func TestFind(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	for _, text := range []string{fmt.Sprint(port), fmt.Sprintf("port:%d", port)} {
		s, err := service.Find(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if user, system, err := s.Between(service.Reading{}, service.ReadAll()); err != nil || user+system <= 0 {
			t.Errorf("%s: this program has used %v (%v)", text, user+system, err)
		}
	}
	cmd, _ := start(t)
	if _, err := service.Find("sh"); err != nil {
		t.Errorf("sh runs as process %d: %v", cmd.Process.Pid, err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"":                                 "is empty",
		"no-such-program":                  "no process of this machine runs no-such-program",
		fmt.Sprintf("port:%d", port):       "nobody listens on port",
		"port:0":                           "must be at least 1",
		"-5":                               "must be at least 1",
		"port:70000":                       "at most 65535",
		"port:x":                           `"x" is no number`,
		"http:80":                          "is neither a program's name",
		"999999999":                        "there is no process 999999999",
		"pid:1":                            "has started everything else",
		fmt.Sprintf("pid:%d", os.Getpid()): "has started everything else",
		"99999999999999999999999":          "no process of this machine runs",
	} {
		if _, err := service.Find(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}

// TestSet: no process is counted twice, and no two services have one name.
func TestSet(t *testing.T) {
	one, _ := start(t)
	other, _ := start(t)
	set := service.NewSet(service.Of([]int{one.Process.Pid}))
	if set.Add(service.Of([]int{one.Process.Pid, other.Process.Pid})) {
		t.Error("a process is in two services")
	}
	if !set.Add(service.Of([]int{other.Process.Pid})) {
		t.Error("another process is no other service")
	}
	if list := set.List(); len(list) != 2 || list[0].Name == list[1].Name {
		t.Errorf("the services are %+v", list)
	}
	if s := service.Of([]int{1}); s != nil {
		t.Errorf("process 1 is a service: %+v", s)
	}
}
