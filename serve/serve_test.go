package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"forkbench/record"
	"forkbench/runner"
	"forkbench/serve"
)

// standIn makes the test binary the command that makes runs.
const standIn = "SERVE_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(standIn) != "" {
		if err := command(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "compare:", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// command stands in for `compare`: what it does is told by the workload.
func command(args []string) error {
	flags := make(map[string]string)
	for _, arg := range args {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		flags[name] = value
	}
	out := flags["out"]
	if err := os.WriteFile(filepath.Join(out, "args.json"), []byte(fmt.Sprintf("%q", args)), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "environment.log"), []byte(strings.Join(os.Environ(), "\n")), 0o644); err != nil {
		return err
	}
	switch flags["workload"] {
	case "crash:0.5":
		return fmt.Errorf("it went wrong: <b>&")
	case "cpu:1ms": // until it is told to end
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		text, err := os.ReadFile(os.Getenv(standIn))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, "records.jsonl"), text[:len(text)/2], 0o644); err != nil {
			return err
		}
		fmt.Fprintln(os.Stderr, "so far: prefork ran 2× [1, 3] the jobs")
		fmt.Fprintln(os.Stderr, "hybrid, round 1")
		<-signals
	}
	return stored(os.Getenv(standIn), out)
}

// stored copies a stored run into a directory.
func stored(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(to, "records.jsonl"), text, 0o644); err != nil {
		return err
	}
	a, err := runner.Analyze(record.Read(bytes.NewReader(text)))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := runner.WriteJSON(&b, &a.Summary); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(to, "report.html"), []byte("<title>report</title><script>1</script>"), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "summary.json"), b.Bytes(), 0o644)
}

// A service is one that a test asks.
type service struct {
	t      *testing.T
	dir    string
	url    string
	client *http.Client
	stop   func() // ends it, and waits
}

// begin starts a service; with dir empty, on a directory of its own.
func begin(t *testing.T, o serve.Options, with ...func(*serve.Server)) *service {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	records, err := filepath.Abs("../testdata/runs/small/records.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	o.Program, o.Env = []string{executable}, append(o.Env, standIn+"="+records)
	s, err := serve.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.SetBudget(1e6, nil) // tests ask often
	for _, change := range with {
		change(s)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	x := &service{t: t, dir: o.Dir, url: "http://" + l.Addr().String(), client: &http.Client{Transport: &http.Transport{}}}
	stopped := false
	x.stop = func() {
		if stopped {
			return
		}
		stopped = true
		x.client.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	x.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(x.stop)
	return x
}

// An answered is a whole answer.
type answered struct {
	status int
	header http.Header
	body   string
}

// do asks; each header is "Name: value".
func (x *service) do(method, path, body string, headers ...string) answered {
	x.t.Helper()
	r, err := http.NewRequestWithContext(x.t.Context(), method, x.url+path, strings.NewReader(body))
	if err != nil {
		x.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	a, err := x.client.Do(r)
	if err != nil {
		x.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		x.t.Fatal(err)
	}
	return answered{a.StatusCode, a.Header, string(text)}
}

const isJSON = "Content-Type: application/json"

// start has a run made, and returns its name.
func (x *service) start(request string) string {
	x.t.Helper()
	a := x.do("POST", "/api/v1/runs", request, isJSON)
	if a.status != http.StatusAccepted {
		x.t.Fatalf("%s: %d: %s", request, a.status, a.body)
	}
	var run serve.Run
	x.read(a, &run)
	return run.Name
}

func (x *service) read(a answered, v any) {
	x.t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		x.t.Fatalf("%v: %s", err, a.body)
	}
}

func (x *service) run(name string) serve.RunDetail {
	x.t.Helper()
	var d serve.RunDetail
	x.read(x.do("GET", "/api/v1/runs/"+name, ""), &d)
	return d
}

// until waits until a run is in a state; no run here takes long.
func (x *service) until(name string, want ...serve.State) serve.RunDetail {
	x.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		d := x.run(name)
		if slices.Contains(want, d.State) {
			return d
		}
		if d.State.Ended() || time.Now().After(deadline) {
			x.t.Fatalf("%s is %s (%s), not %s", name, d.State, d.Error, want)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// working waits until a long run has written something, so that it can end in order.
func (x *service) working(name string) {
	x.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		d := x.run(name)
		for _, f := range d.Files {
			if f.Name == "records.jsonl" && f.Bytes > 0 {
				return
			}
		}
		if d.State.Ended() || time.Now().After(deadline) {
			x.t.Fatalf("%s is %s (%s)", name, d.State, d.Error)
		}
	}
}

const (
	quick = `{"kind":"comparison","workload":"noop","jobs":24,"tags":["nightly"],"commit":"0123abc"}`
	long  = `{"kind":"comparison","workload":"cpu:1ms","jobs":24}`
	bad   = `{"kind":"comparison","workload":"crash:0.5","jobs":24}`
)

func TestRunIsMadeAndKept(t *testing.T) {
	x := begin(t, serve.Options{Runs: true})
	name := x.start(quick)
	d := x.until(name, serve.Done)
	if d.Verdict == "" || len(d.Figures) != 3 || d.Workload != "noop" || d.Commit != "0123abc" || d.Machine == "" || d.Request == nil {
		t.Errorf("%+v", d)
	}
	var list serve.RunList
	for query, want := range map[string]int{
		"": 1, "?workload=noop": 1, "?workload=cpu": 0, "?tag=nightly": 1, "?tag=x": 0, "?commit=0123": 1, "?commit=9": 0, "?state=done": 1, "?state=queued": 0,
		"?limit=1": 1, "?after=" + name: 0, "?machine=none": 0,
	} {
		x.read(x.do("GET", "/api/v1/runs"+query, ""), &list)
		if len(list.Runs) != want {
			t.Errorf("%s: %d runs, want %d", query, len(list.Runs), want)
		}
	}
	if a := x.do("GET", "/api/v1/runs/"+name+"/summary", ""); a.status != 200 || !strings.Contains(a.body, `"verdict"`) {
		t.Errorf("%d: %s", a.status, a.body)
	}
	if a := x.do("GET", "/api/v1/runs/"+name+"/files/records.jsonl", ""); a.status != 200 || !strings.Contains(a.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%d: %s", a.status, a.header)
	}
	// The page of a report runs apart from the service.
	if a := x.do("GET", "/api/v1/runs/"+name+"/files/report.html", ""); a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("%d: %s", a.status, a.header)
	}
	if a := x.do("DELETE", "/api/v1/runs/"+name, ""); a.status != http.StatusNoContent {
		t.Errorf("%d: %s", a.status, a.body)
	}
	if _, err := os.Stat(filepath.Join(x.dir, name)); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	if a := x.do("GET", "/api/v1/runs/"+name, ""); a.status != http.StatusNotFound {
		t.Errorf("%d: %s", a.status, a.body)
	}
}

func TestFailedRunSaysWhy(t *testing.T) {
	x := begin(t, serve.Options{Runs: true})
	d := x.until(x.start(bad), serve.Failed)
	if !strings.Contains(d.Error, "it went wrong: <b>&") {
		t.Errorf("%q", d.Error)
	}
	if a := x.do("GET", "/runs/"+d.Name, ""); !strings.Contains(a.body, "it went wrong: &lt;b&gt;&amp;") {
		t.Errorf("the page: %s", a.body)
	}
}

// One comparison at a time; what waits is in its order, and can be taken off.
func TestQueue(t *testing.T) {
	x := begin(t, serve.Options{Runs: true})
	first, second, third := x.start(long), x.start(quick), x.start(quick)
	x.working(first)
	if a := x.do("DELETE", "/api/v1/runs/"+first, ""); a.status != http.StatusConflict {
		t.Errorf("a run that goes on was removed: %d", a.status)
	}
	if a := x.do("GET", "/api/v1/diff?old="+first+"&new="+first, ""); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("two runs were compared beside a measurement: %d: %s", a.status, a.body)
	}
	if s := x.run(second).State; s != serve.Queued {
		t.Errorf("the second is %s while the first goes on", s)
	}
	if a := x.do("POST", "/api/v1/runs/"+second+"/cancel", ""); a.status != http.StatusAccepted {
		t.Errorf("%d: %s", a.status, a.body)
	}
	if s := x.run(second).State; s != serve.Cancelled {
		t.Errorf("the second is %s", s)
	}
	x.do("POST", "/api/v1/runs/"+first+"/cancel", "")
	if d := x.until(first, serve.Cancelled); d.Verdict == "" {
		t.Error("what was measured until then is not there")
	}
	x.until(third, serve.Done)
	if a := x.do("POST", "/api/v1/runs/"+third+"/cancel", ""); a.status != http.StatusConflict {
		t.Errorf("%d: %s", a.status, a.body)
	}
}

// A simulation stands still while a comparison is measured, and goes on after it.
func TestSimulationsWait(t *testing.T) {
	x := begin(t, serve.Options{Runs: true})
	live := x.start(long)
	x.working(live)
	simulated := x.start(`{"kind":"simulation","profile":"redash","jobs":24,"cores":2}`)
	if s := x.run(simulated).State; s != serve.Queued {
		t.Errorf("it is %s beside a comparison", s)
	}
	x.do("POST", "/api/v1/runs/"+live+"/cancel", "")
	x.until(simulated, serve.Done)
}

// What waits is made by the next service, and what was made is interrupted.
func TestRestart(t *testing.T) {
	x := begin(t, serve.Options{Runs: true})
	first, second := x.start(long), x.start(quick)
	x.working(first)
	x.stop()
	y := begin(t, serve.Options{Runs: true, Dir: x.dir})
	if d := y.until(first, serve.Interrupted); d.Verdict == "" {
		t.Errorf("the service ended, and its run not in order: %+v", d)
	}
	y.until(second, serve.Done)
}

// A service that was killed leaves "running" behind: the next one knows better. An
// index that is gone, or is none, is made again.
func TestKilledService(t *testing.T) {
	dir := t.TempDir()
	run := filepath.Join(dir, "killed")
	if err := os.Mkdir(run, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := stored("../testdata/runs/small/records.jsonl", run); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"killed/state.json":      `{"state":"running","queued":"2026-01-02T03:04:05Z","started":"2026-01-02T03:04:06Z"}`,
		"killed/request.json":    `{"kind":"comparison","workload":"noop","jobs":24}`,
		"killed/.state.json.new": `{"sta`,
		".index.json":            `{"killed":{"key":`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	x := begin(t, serve.Options{Dir: dir})
	if d := x.run("killed"); d.State != serve.Interrupted || d.Verdict == "" {
		t.Errorf("%+v", d)
	}
	var list serve.RunList
	x.read(x.do("GET", "/api/v1/runs", ""), &list)
	if len(list.Runs) != 1 || list.Runs[0].State != serve.Interrupted {
		t.Errorf("%+v", list)
	}
	x.stop()
	if text, err := os.ReadFile(filepath.Join(dir, ".index.json")); err != nil || !json.Valid(text) {
		t.Errorf("the index: %v: %s", err, text)
	}
}

// Runs that the command made by itself are shown, whole and broken ones.
func TestForeignRuns(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"whole", "cut", "empty", ".hidden"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := stored("../testdata/runs/small/records.jsonl", filepath.Join(dir, "whole")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../testdata/runs/small/records.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cut", "records.jsonl"), text[:len(text)/3], 0o644); err != nil {
		t.Fatal(err)
	}
	x := begin(t, serve.Options{Dir: dir})
	var list serve.RunList
	x.read(x.do("GET", "/api/v1/runs", ""), &list)
	states := make(map[string]serve.State)
	for _, r := range list.Runs {
		states[r.Name] = r.State
		if r.Workload != "record_event" || r.Machine == "" {
			t.Errorf("%+v", r)
		}
	}
	if len(states) != 2 || states["whole"] != serve.Done || states["cut"] != serve.Interrupted {
		t.Errorf("%v", states)
	}
	var d runner.Diff
	x.read(x.do("GET", "/api/v1/diff?old=whole&new=whole", ""), &d)
	if len(d.Models) != 3 || len(d.Refused) > 0 {
		t.Errorf("%+v", d)
	}
	for _, path := range []string{"/", "/runs/whole", "/runs/cut", "/start", "/diff", "/diff?old=whole&new=whole", "/docs", "/static/style.css", "/metrics", "/healthz"} {
		if a := x.do("GET", path, "", "Accept: text/html"); a.status != 200 {
			t.Errorf("%s: %d: %s", path, a.status, a.body)
		}
	}
}

func TestTwoServicesOnOneDirectory(t *testing.T) {
	x := begin(t, serve.Options{})
	if _, err := serve.New(serve.Options{Dir: x.dir}); err == nil || !strings.Contains(err.Error(), "another service has this directory") {
		t.Errorf("error %v", err)
	}
}
