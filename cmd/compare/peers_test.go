package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The systems of others take part as models do, on a server of the user's that is
// left as it was.
func TestPeers(t *testing.T) {
	b := newBench(t)
	port := freePort(t)
	server := startRedisServer(t, "--port", port, "--requirepass", "open:s%same", "--databases", "4")
	server.command(t, "AUTH open:s%same\r\nSELECT 3\r\nRPUSH celery mine\r\nRPUSH rq:queue:default mine\r\nSADD rq:queues rq:queue:default")
	before := server.command(t, "AUTH open:s%same\r\nSELECT 3\r\nDBSIZE\r\nLRANGE celery 0 -1\r\nLRANGE rq:queue:default 0 -1")
	r := b.run("--model=prefork,celery(max-tasks-per-child=10),rq,rq(class=SimpleWorker,import=job)", "--workload=noop",
		"--jobs=30", "--rounds=1", "--workers=2", "--out=out", "--redis=redis://:open%3As%25same@127.0.0.1:"+port+"/3")
	r.want(t, exitDone)
	after := server.command(t, "AUTH open:s%same\r\nSELECT 3\r\nDBSIZE\r\nLRANGE celery 0 -1\r\nLRANGE rq:queue:default 0 -1")
	if before != after {
		t.Errorf("the server holds\n%s\nand held before\n%s", after, before)
	}
	s := summaryIn(t, "out")
	for _, m := range s.Models {
		if m.Jobs.Done != 30 {
			t.Errorf("%s: %d jobs done", m.Model, m.Jobs.Done)
		}
		if !s.Environment.Race && (m.CommandsPerJob == nil || *m.CommandsPerJob == 0) {
			t.Errorf("%s: no Redis commands", m.Model)
		}
	}
	if len(s.Errors) > 0 {
		t.Errorf("errors in the result: %q", s.Errors)
	}
	if v := s.Environment.Peers; !strings.Contains(v, "celery 5") || !strings.Contains(v, "rq ") {
		t.Errorf("the versions are %q", v)
	}
	if strings.Contains(r.stdout+r.stderr, "s%same") {
		t.Error("the password is shown")
	}
}

// freePort is a port of the loopback interface that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// A package that is not there is said with the way to get it, before anything is
// run.
func TestPeersMissing(t *testing.T) {
	b := newBench(t)
	// As if nothing were installed.
	for _, name := range []string{"celery.py", "rq.py"} {
		if err := os.WriteFile(name, []byte("raise ModuleNotFoundError('there is none')\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PYTHONPATH", ".")
	for model, want := range map[string]string{
		"celery": "-m pip install 'celery[redis]'",
		"rq":     "-m pip install rq",
	} {
		r := b.run("--model="+model, "--out=out")
		r.want(t, exitLacking, "cannot import "+model, want)
		if _, err := os.Stat("out"); err == nil {
			t.Errorf("%s: there are results", model)
		}
	}
}

// What only a parent of this program can do before it forks is refused of the peers,
// before anything is run.
func TestPeersUndoNothing(t *testing.T) {
	for _, model := range []string{"celery(warm)", "rq(warm)"} {
		for warm, want := range map[string]string{
			"undo:app:connect": "--warm=undo:…: ",
			"job":              "--warm=job: ",
		} {
			t.Run(model+" "+warm, func(t *testing.T) {
				b := newBench(t)
				if err := os.WriteFile("app.py", []byte("def connect():\n    pass\n\n\ndef job():\n    pass\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				r := b.run("--model="+model, "--workload=py:app:job", "--warm="+warm, "--jobs=5", "--rounds=1", "--out=out")
				r.want(t, exitFailed, want, "'s workers ", "before they fork: leave it to hybrid, or name ")
			})
		}
	}
}

func TestPeersInterrupted(t *testing.T) {
	for _, model := range []string{"celery", "rq"} {
		t.Run(model, func(t *testing.T) {
			server := startRedisServer(t) // before its environment is that of the command
			b := newBench(t)
			c := b.marked(false, "--path="+b.testdata, "--model="+model, "--jobs=3000", "--redis=unix://"+server.socket)
			c.signal(os.Interrupt)
			r := c.wait()
			r.want(t, exitInterrupted, sayStopping, "interrupted: the report is about what was measured until then")
			j := summaryIn(t, "out").Models[0].Jobs
			if j.Done == 0 || j.NotRun == 0 || j.Lost != 0 || j.Done+j.NotRun != 3000 {
				t.Errorf("jobs %+v", j)
			}
			if keys := server.command(t, "KEYS *"); keys != "*0\r\n" {
				t.Errorf("left on the server: %q", keys)
			}
		})
	}
}

func TestPeersKilled(t *testing.T) {
	for _, model := range []string{"celery", "rq"} {
		t.Run(model, func(t *testing.T) {
			b := newBench(t)
			c := b.marked(true, "--path="+b.testdata, "--model="+model, "--jobs=20")
			if len(c.processes()) < 3 {
				t.Error("there are too few processes")
			}
			c.signal(syscall.SIGKILL)
			c.eventually("its processes are gone", func() bool { return len(c.processes()) == 0 })
			c.eventually("its files are gone", func() bool {
				left, _ := filepath.Glob(filepath.Join(b.temporary, "*"))
				return len(left) == 0
			})
		})
	}
}

// An RQ that people pin runs on a private server. On one of theirs it is refused
// before anything is run, with the way out.
func TestOldRQ(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(filepath.Dir(python), "../old/rq-1.16.2")
	if _, err := os.Stat(old); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("%v: run scripts/deps.sh, with .venv/bin on PATH", err)
	}
	server := startRedisServer(t)
	b := newBench(t)
	args := []string{"--model=prefork,rq", "--workload=noop", "--jobs=10", "--rounds=2", "--workers=2", "--path=" + old, "--out=out"}
	b.run(append(args, "--redis=unix://"+server.socket)...).want(t, exitLacking,
		"--model=rq: rq 1.16.2 cannot keep its keys apart from others on a server of yours", "leave out --redis")
	b.run(append(args, "--rq-class=SpawnWorker")...).want(t, exitLacking, "rq 1.16.2 has no SpawnWorker: it has Worker, SimpleWorker")
	if _, err := os.Stat("out"); err == nil {
		t.Error("there are results")
	}
	b.run(args...).want(t, exitDone)
	s := summaryIn(t, "out")
	if done := s.Models[1].Jobs.Done; done != 20 || !strings.Contains(s.Environment.Peers, "rq 1.16.2") {
		t.Errorf("%d jobs done by %s", done, s.Environment.Peers)
	}
}
