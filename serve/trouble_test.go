package serve_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"forkbench/serve"
)

// made puts a stored run into a directory.
func made(t *testing.T, dir, name string) {
	t.Helper()
	run := filepath.Join(dir, name)
	if err := os.Mkdir(run, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := stored("../testdata/runs/small/records.jsonl", run); err != nil {
		t.Fatal(err)
	}
}

// Two runs that somebody has asked to compare before a comparison began are not compared
// beside it: it begins after what goes on, and what waits is refused.
func TestComparisonBeginsAfterReading(t *testing.T) {
	dir := t.TempDir()
	made(t, dir, "made")
	var reading interface {
		Lock()
		Unlock()
	}
	x := begin(t, serve.Options{Dir: dir, Runs: true}, func(s *serve.Server) { reading = s.Reading() })
	reading.Lock() // as if two runs were compared
	answer := make(chan int, 1)
	go func() { answer <- x.do("GET", "/api/v1/diff?old=made&new=made", "").status }()
	for stacks := make([]byte, 1<<20); !strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "serve.(*Server).diff("); {
		runtime.Gosched() // until it waits
	}
	live := x.start(long)
	for x.run(live).State != serve.Running {
		runtime.Gosched()
	}
	if _, err := os.Stat(filepath.Join(x.dir, live, "progress.log")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it has begun beside the reading: %v", err)
	}
	reading.Unlock()
	if status := <-answer; status != http.StatusServiceUnavailable {
		t.Errorf("two runs were compared beside a measurement: %d", status)
	}
	x.working(live)
}

// On a full disk nothing is half there, and what became of a run is known, and written
// when there is room again. The limit that stands for it is a process's, so a copy of this
// test binary takes it: this one writes a log of its own for `go test`.
func TestFullDisk(t *testing.T) {
	const marker = "SERVE_TEST_FULL_DISK"
	if os.Getenv(marker) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFullDisk$")
		cmd.Env = append(os.Environ(), marker+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	x := begin(t, serve.Options{Runs: true})
	live := x.start(long)
	x.working(live)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	full := func(most uint64) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: most, Max: was.Max}); err != nil {
			t.Fatal(err)
		}
	}
	full(0)
	defer full(was.Cur)
	a := x.do("POST", "/api/v1/runs", quick, isJSON)
	if a.status != http.StatusInternalServerError {
		t.Errorf("%d: %s", a.status, a.body)
	}
	entries, err := os.ReadDir(x.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && e.Name() != live {
			t.Errorf("%s is half there", e.Name())
		}
	}
	x.do("POST", "/api/v1/runs/"+live+"/cancel", "")
	x.until(live, serve.Cancelled)
	full(was.Cur)
	x.stop()
	if text, err := os.ReadFile(filepath.Join(x.dir, live, "state.json")); err != nil || !strings.Contains(string(text), `"cancelled"`) {
		t.Errorf("%v: %s", err, text)
	}
}

// A finished run is there although a file of the service in it is broken: the machine
// may have lost power.
func TestBrokenFiles(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{"state.json", "request.json"} {
		made(t, dir, file)
		if err := os.WriteFile(filepath.Join(dir, file, file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	x := begin(t, serve.Options{Dir: dir})
	var list serve.RunList
	if x.read(x.do("GET", "/api/v1/runs", ""), &list); len(list.Runs) != 2 {
		t.Errorf("%+v", list)
	}
	for _, file := range []string{"state.json", "request.json"} {
		if d := x.run(file); d.State != serve.Done || d.Verdict == "" || !strings.Contains(d.Error, file) {
			t.Errorf("%+v", d.Run)
		}
		if a := x.do("GET", "/runs/"+file, ""); a.status != 200 {
			t.Errorf("%d: %s", a.status, a.body)
		}
	}
}

// Records that are gone, or that another run's have replaced, are not waited for.
func TestFollowingWhatChanges(t *testing.T) {
	dir := t.TempDir()
	made(t, dir, "run")
	path := filepath.Join(dir, "run", "records.jsonl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	next, err := serve.Follow(dir, "run")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := next(1 << 30)
	if err != nil || whole.Behind != 0 {
		t.Fatalf("%+v, %v", whole, err)
	}
	if err := os.WriteFile(path, text[:len(text)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	half, err := next(1 << 30)
	if err != nil || half.Behind != 0 || half.Read != int64(len(text)/2) || half.Models[0].Jobs > whole.Models[0].Jobs {
		t.Errorf("%+v, %v; before: %+v", half, err, whole)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if p, err := next(1); err != nil || p.Behind == 0 {
		t.Errorf("%+v, %v", p, err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "run")); err != nil {
		t.Fatal(err)
	}
	if p, err := next(1); err != nil || p.Behind != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

// The address that the service says is one under which it answers.
func TestOwnAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skip(err) // only Linux has all of 127.0.0.0/8
	}
	s, err := serve.New(serve.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	x := &service{t: t, url: "http://" + l.Addr().String(), client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	if a := x.do("GET", "/", ""); a.status != 200 {
		t.Errorf("%d: %s", a.status, a.body)
	}
}

// A list goes on after a run that is in it, and does not begin anew for one that is gone.
func TestListGoesOn(t *testing.T) {
	dir := t.TempDir()
	made(t, dir, "one")
	x := begin(t, serve.Options{Dir: dir})
	if a := x.do("GET", "/api/v1/runs?after=two", ""); a.status != http.StatusBadRequest {
		t.Errorf("%d: %s", a.status, a.body)
	}
}
