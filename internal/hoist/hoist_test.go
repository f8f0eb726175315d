package hoist_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"forkbench/internal/hoist"
	"forkbench/live"
	"forkbench/stream"
)

func TestMain(m *testing.M) {
	live.Main()
	os.Exit(m.Run())
}

// found is what `compare explain` finds in testdata/lazy.py.
var found = hoist.Work{Modules: []string{"lazy"}, Steps: []hoist.Step{{Import: "lazy", Call: "lazy.table('en')"}}}

// A stage is a folder with the application and the snippets.
type stage struct {
	t        *testing.T
	dir, log string
	env      []string
}

func newStage(t *testing.T, w hoist.Work) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir()}
	s.log = filepath.Join(s.dir, "builds")
	app, err := os.ReadFile("testdata/lazy.py")
	if err != nil {
		t.Fatal(err)
	}
	s.write("lazy.py", string(app))
	for _, snippet := range hoist.Snippets(w) {
		s.write(snippet.File, snippet.Text)
	}
	s.env = append(os.Environ(), "BUILDS="+s.log, "PYTHONPATH="+s.dir, "PYTHONDONTWRITEBYTECODE=1")
	return s
}

func (s *stage) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// python is a program of the stage, to be run.
func (s *stage) python(args ...string) (*exec.Cmd, *bytes.Buffer) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	s.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "python3", args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, &out
}

func (s *stage) run(args ...string) {
	s.t.Helper()
	cmd, out := s.python(args...)
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// serve runs a server until as many jobs have been done, and ends it.
func (s *stage) serve(poke func() error, args ...string) {
	s.t.Helper()
	cmd, out := s.python(args...)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for len(s.pids("job")) < jobs {
		select {
		case err := <-ended:
			s.t.Fatalf("%v ended: %v\n%s", args, err, out)
		case <-tick.C:
			if poke != nil {
				_ = poke() // until it is there
			}
		}
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := <-ended; err == nil {
		s.t.Logf("%v ended with 0", args)
	}
	s.env = append(s.env, "PARENT="+strconv.Itoa(cmd.Process.Pid))
}

// pids are where something was noted.
func (s *stage) pids(what string) (list []string) {
	text, err := os.ReadFile(s.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if pid, ok := strings.CutPrefix(strings.TrimSpace(line), what+" "); ok {
			list = append(list, pid)
		}
	}
	return list
}

const jobs = 3

// TestSystems runs each snippet in the real system: with it, the table is built
// once, in the parent; without the call in it, in each process anew.
func TestSystems(t *testing.T) {
	server, err := stream.Start(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("close the Redis server: %v", err)
		}
	})
	lists, err := server.Lists()
	if err != nil {
		t.Fatal(err)
	}
	socket := lists.Address().Socket

	for name, serve := range map[string]func(*stage){
		"RQ": func(s *stage) {
			s.env = append(s.env, "REDIS_URL=unix://"+socket)
			s.run("-c", "import os, lazy, redis, rq\nqueue = rq.Queue('mail', connection=redis.Redis.from_url(os.environ['REDIS_URL']))\n"+
				"for _ in range("+strconv.Itoa(jobs)+"): queue.enqueue(lazy.job, 1)")
			s.serve(nil, "rq_worker.py", "mail")
		},
		"Celery": func(s *stage) {
			s.env = append(s.env, "BROKER=redis+socket://"+socket)
			s.write("shop.py", "import os, celery, celery_hoist, lazy\napp = celery.Celery('shop', broker=os.environ['BROKER'])\n"+
				"job = app.task(lazy.job, name='job')\n")
			s.run("-c", "import shop\nfor _ in range("+strconv.Itoa(jobs)+"): shop.job.delay(1)")
			s.serve(nil, "-m", "celery", "-A", "shop", "worker", "-c", "2", "--max-tasks-per-child=1", "--loglevel=warning")
		},
		"gunicorn": func(s *stage) {
			at := filepath.Join(s.dir, "http")
			client := &http.Client{Transport: &http.Transport{
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "unix", at)
				},
				DisableKeepAlives: true,
			}}
			poke := func() error {
				answer, err := client.Get("http://gunicorn/")
				if err == nil {
					err = answer.Body.Close()
				}
				return err
			}
			s.serve(poke, "-m", "gunicorn", "-c", "gunicorn.conf.py", "-b", "unix:"+at, "-w", "2", "--max-requests=1", "lazy:wsgi")
		},
		"a server of one's own": func(s *stage) {
			s.write("server.py", "import os, time, prefork\nprefork.before_fork()\n"+
				"for _ in range("+strconv.Itoa(jobs)+"):\n    if os.fork() == 0:\n        import lazy\n        lazy.job(1)\n        os._exit(0)\n    os.wait()\ntime.sleep(60)\n")
			s.serve(nil, "server.py")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, found)
			serve(s)
			parent := ""
			for _, v := range s.env {
				if pid, ok := strings.CutPrefix(v, "PARENT="); ok {
					parent = pid
				}
			}
			if built := s.pids("build"); !slices.Equal(built, []string{parent}) {
				t.Errorf("the table was built in %v; want once, in the parent %s", built, parent)
			}
			if ran := s.pids("job"); slices.Contains(ran, parent) {
				t.Errorf("jobs ran in %v; want none in the parent %s", ran, parent)
			}

			without := newStage(t, hoist.Work{Modules: found.Modules})
			serve(without)
			built, ran := without.pids("build"), without.pids("job")
			slices.Sort(ran)
			if len(built) < len(slices.Compact(ran)) || len(built) < 2 {
				t.Errorf("without the call in it, the table was built %d times for jobs in %v; want in each process", len(built), ran)
			}
		})
	}
}

// TestSnippets: imports come first, each once, and what is not known is said.
func TestSnippets(t *testing.T) {
	w := hoist.Work{
		Setup: []string{"shop:create_app"}, Steps: []hoist.Step{
			{Import: "httpx"}, {Import: "sqlalchemy.orm", Call: "sqlalchemy.orm.configure_mappers()"},
			{Import: "sqlalchemy.orm", Call: "sqlalchemy.orm.clear_mappers()"},
		},
	}
	want := "    # First set the application up, as shop:create_app does.\n    # Import the modules that your jobs are in.\n" +
		"    import httpx\n    import sqlalchemy.orm\n    sqlalchemy.orm.configure_mappers()\n    sqlalchemy.orm.clear_mappers()\n"
	for _, s := range hoist.Snippets(w) {
		if !strings.Contains(s.Text, want) {
			t.Errorf("%s:\n%s\nwant in it:\n%s", s.File, s.Text, want)
		}
		if strings.Contains(s.Text, "HOISTED") {
			t.Errorf("%s still has its mark", s.File)
		}
	}
}

// TestVariables: what is hoisted with a native pool leaves the process that forks with
// one thread, as each snippet sets the variable before the library is loaded.
func TestVariables(t *testing.T) {
	if exec.Command("python3", "-c", "import numpy").Run() != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("python3 on PATH has no numpy")
		}
		t.Skip("python3 on PATH has no numpy: run `make test`, which has its own Python")
	}
	if runtime.NumCPU() < 2 {
		t.Skip("OpenBLAS starts no thread on a machine with one core")
	}
	work := hoist.Work{Modules: []string{"lazy"}, Steps: []hoist.Step{{Import: "numpy"}}}
	for file, call := range map[string]string{
		"rq_worker.py": "hoist()", "celery_hoist.py": "hoist()", "gunicorn.conf.py": "when_ready(None)", "prefork.py": "before_fork()",
	} {
		for _, env := range [][]string{nil, {"OPENBLAS_NUM_THREADS=1"}} {
			work.Env = env
			s := newStage(t, work)
			cmd, out := s.python("-c", "import os, runpy\nglobals().update(runpy.run_path("+strconv.Quote(file)+"))\n"+call+
				"\nprint(len(os.listdir('/proc/self/task')))")
			if err := cmd.Run(); err != nil {
				t.Fatalf("%s: %v\n%s", file, err, out)
			}
			if alone := strings.TrimSpace(out.String()) == "1"; alone != (env != nil) {
				t.Errorf("%s with %q leaves %s threads", file, env, out)
			}
		}
	}
}
