package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"forkbench/runner"
	"forkbench/serve"
)

const serveToken = "0123456789abcdef"

// startService starts `compare serve`, and returns what asks it.
func startService(t *testing.T, b *bench) (*command, func(method, path, body string) (int, string)) {
	t.Helper()
	t.Setenv(tokenVariable, serveToken)
	c := b.start("serve", "--listen=127.0.0.1:0", "--allow-runs", "--dir=runs")
	c.eventually("the service says where it is", func() bool { return strings.HasSuffix(c.stdout.String(), "/\n") })
	url := strings.TrimSuffix(c.stdout.String(), "/\n")
	client := &http.Client{Transport: new(http.Transport)}
	t.Cleanup(client.CloseIdleConnections)
	return c, func(method, path, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+serveToken)
		r.Header.Set("Content-Type", "application/json")
		a, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		text, err := io.ReadAll(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		return a.StatusCode, string(text)
	}
}

// A comparison from the first request to the last: started, watched to its end, shown,
// held against itself, and the service ended by a signal.
func TestServe(t *testing.T) {
	c, do := startService(t, newBench(t))
	code, text := do("POST", "/api/v1/runs", `{"kind":"comparison","workload":"go:noop","jobs":20,"rounds":2,"workers":2}`)
	var run serve.Run
	if err := json.Unmarshal([]byte(text), &run); err != nil || code != http.StatusAccepted {
		t.Fatalf("%d: %s", code, text)
	}
	code, text = do("GET", "/api/v1/runs/"+run.Name+"/events", "") // it ends with the run
	lines := bufio.NewScanner(strings.NewReader(text))
	var last serve.Progress
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if err := json.Unmarshal([]byte(data), &last); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code != 200 || last.State != serve.Done || len(last.Models) != 3 || last.Models[2].Jobs != 40 || last.Models[2].Rounds != 2 {
		t.Fatalf("%d: %+v\n%s", code, last, text)
	}
	if code, text = do("GET", "/api/v1/runs/"+run.Name+"/summary", ""); code != 200 {
		t.Fatalf("%d: %s", code, text)
	}
	s, err := runner.ReadSummary([]byte(text))
	if err != nil || s.Spec.Workload != "go:noop" || s.Models[0].Jobs.Done != 40 {
		t.Errorf("%v: %s", err, text)
	}
	if code, text = do("GET", "/api/v1/diff?old="+run.Name+"&new="+run.Name, ""); code != 200 || !strings.Contains(text, `"verdict"`) {
		t.Errorf("%d: %s", code, text)
	}
	for _, name := range []string{recordsName, pageName, "state.json"} {
		if _, err := os.Stat(filepath.Join("runs", run.Name, name)); err != nil {
			t.Error(err)
		}
	}
	code, text = do("POST", "/api/v1/runs", `{"kind":"simulation","jobs":10,"workers":2,"cores":2}`)
	if err := json.Unmarshal([]byte(text), &run); err != nil || code != http.StatusAccepted {
		t.Fatalf("%d: %s", code, text)
	}
	_, _ = do("GET", "/api/v1/runs/"+run.Name+"/events", "")
	if code, text = do("GET", "/api/v1/runs/"+run.Name, ""); !strings.Contains(text, `"state": "done"`) {
		t.Errorf("%d: %s", code, text)
	}
	c.signal(syscall.SIGTERM)
	c.wait().want(t, exitDone, "stopping")
}

// A service that is killed leaves no process behind, and its run as it was then.
func TestServeKilled(t *testing.T) {
	b := newBench(t)
	c, do := startService(t, b)
	code, text := do("POST", "/api/v1/runs", `{"kind":"comparison","workload":"go:noop","jobs":1000000,"workers":2,"models":["prefork"]}`)
	var run serve.Run
	if err := json.Unmarshal([]byte(text), &run); err != nil || code != http.StatusAccepted {
		t.Fatalf("%d: %s", code, text)
	}
	path := filepath.Join("runs", run.Name, recordsName)
	c.eventually("something is recorded", func() bool { info, err := os.Stat(path); return err == nil && info.Size() > 0 })
	// What it runs does not have the token.
	for _, pid := range c.processes() {
		environment, err := os.ReadFile(filepath.Join("/proc", pid, "environ"))
		if err == nil && strings.Contains(string(environment), serveToken) && pid != strconv.Itoa(c.cmd.Process.Pid) {
			t.Errorf("process %s has the token in its environment", pid)
		}
	}
	c.signal(syscall.SIGKILL)
	<-c.ended
	c.eventually("its run has ended", func() bool { return len(c.processes()) == 0 })
	var state struct{ State serve.State }
	if text, err := os.ReadFile(filepath.Join("runs", run.Name, "state.json")); err != nil || json.Unmarshal(text, &state) != nil || state.State != serve.Running {
		t.Errorf("%v: %s", err, text)
	}
	again, do := startService(t, b)
	if code, text = do("GET", "/api/v1/runs/"+run.Name, ""); !strings.Contains(text, `"state": "interrupted"`) {
		t.Errorf("%d: %s", code, text)
	}
	again.signal(syscall.SIGTERM)
	again.wait().want(t, exitDone)
}

// A simulation that stands still ends, too, with a service that is killed, whoever its
// parent is then: the kernel has it go on only where that is in another session.
func TestServeKilledBesideASimulation(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) })
	c, do := startService(t, newBench(t))
	code, text := do("POST", "/api/v1/runs", `{"kind":"simulation","jobs":1000000,"workers":256,"cores":2}`)
	var run serve.Run
	if err := json.Unmarshal([]byte(text), &run); err != nil || code != http.StatusAccepted {
		t.Fatalf("%d: %s", code, text)
	}
	c.eventually("the simulation goes on", func() bool { return len(c.processes()) == 2 })
	if code, text = do("POST", "/api/v1/runs", `{"kind":"comparison","workload":"go:noop","jobs":1000000,"workers":2,"models":["prefork"]}`); code != http.StatusAccepted {
		t.Fatalf("%d: %s", code, text)
	}
	stopped := ""
	c.eventually("the simulation stands still", func() bool {
		for _, pid := range c.processes() {
			stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
			if _, after, ok := strings.Cut(string(stat), ") "); err == nil && ok && after[0] == 'T' {
				stopped = pid
			}
		}
		return stopped != ""
	})
	c.signal(syscall.SIGKILL)
	<-c.ended
	c.eventually("all have ended", func() bool { return len(c.processes()) == 0 })
}

// What is not safe is refused before anything listens.
func TestServeUsage(t *testing.T) {
	b := newBench(t)
	if err := os.WriteFile("empty", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--listen=0.0.0.0:0"}, "others can reach it: give a token by --token-file or " + tokenVariable},
		{[]string{"--listen=:0"}, "others can read along: give --tls-cert and --tls-key, or --insecure"},
		{[]string{"--listen=192.0.2.1:80", "--insecure"}, "others can reach it"},
		{[]string{"--token-file=empty"}, "--token-file=empty: is empty"},
		{[]string{"--token-file=none"}, "--token-file=none: no such file"},
		{[]string{"--tls-cert=x"}, "--tls-cert and --tls-key go together"},
		{[]string{"--listen=8080"}, "--listen=8080: not an address"},
		{[]string{"--host=*.example.org"}, "--host=*.example.org: not the name of a host"},
		{[]string{"--host=evil.example/x"}, "not the name of a host"},
		{[]string{"--allow=py:app:job"}, "begins with no name"},
		{[]string{"--allow=x=noop"}, "is a built-in workload"},
		{[]string{"--allow=x=py:app"}, "needs a module and a function"},
		{[]string{"--allow=x=py:app:job,rounds=3"}, "rounds: not known"},
		{[]string{"--allow=x=py:app:job,path"}, "path: needs a value"},
		{[]string{"--allow=x=py:app:job,path=none"}, "path=none: no such file"},
		{[]string{"--allow=x=py:app:job", "--allow=x=py:app:other"}, "x is allowed twice"},
		{[]string{"now"}, "takes no arguments"},
	} {
		b.run(append([]string{"serve"}, c.args...)...).want(t, exitUsage, c.want)
	}
}
