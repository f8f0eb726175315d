package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

// client connects to the server.
func (s redisServer) client(t *testing.T, password string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket, Password: password, Protocol: 2})
	t.Cleanup(func() { _ = c.Close() }) // the server may be gone
	return c
}

// dump is everything that a database holds, with the times that it will hold it
// for in seconds.
func dump(t *testing.T, c *redis.Client) map[string]string {
	t.Helper()
	ctx := context.Background()
	keys, err := c.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, key := range keys {
		value, err := c.Dump(ctx, key).Result()
		if err != nil {
			t.Fatal(err)
		}
		expires, err := c.ExpireTime(ctx, key).Result()
		if err != nil && !strings.Contains(err.Error(), "unknown command") { // before Redis 7
			t.Fatal(err)
		}
		all[key] = fmt.Sprintf("%s, until %v", value, expires)
	}
	return all
}

// python runs a script, for which the server's socket is the first argument, with
// the modules of testdata/app.
func (s redisServer) python(t *testing.T, b *bench, modules, script string) {
	t.Helper()
	interpreter := lookPath(t, "python3")
	for m := range strings.SplitSeq(modules, " ") {
		if err := exec.Command(interpreter, "-c", "import "+m).Run(); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("python3 on PATH has no %s", m)
			}
			t.Skipf("python3 on PATH has no %s: run `make test`, which has its own Python", m)
		}
	}
	cmd := exec.Command(interpreter, "-c", script, s.socket)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+filepath.Join(b.testdata, "app"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// calls returns what the jobs in testdata/app/recorded.py have noted, sorted.
func calls(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(strings.Lines(string(data)))
}

// TestRecordRQ enqueues jobs with RQ, records them, and runs the recording under
// two models: every function is called with what it was enqueued with.
func TestRecordRQ(t *testing.T) {
	b := newBench(t)
	server := startRedisServer(t)
	server.python(t, b, "rq", `
import datetime, sys, uuid
import redis, rq
from rq.serializers import JSONSerializer
import recorded
connection = redis.Redis(unix_socket_path=sys.argv[1])
pickled = rq.Queue("pickled", connection=connection)
plain = rq.Queue("plain", connection=connection, serializer=JSONSerializer)
for n in range(8):
    pickled.enqueue(recorded.send, n, to={"name": "Zo\u00eb", "tags": [None, 1.5]}, at=datetime.datetime(2026, 1, 31, 12, n))
    plain.enqueue("recorded.send", n, to=2**70)
pickled.enqueue(recorded.Mailer.deliver, uuid.UUID(int=7))
pickled.enqueue(recorded.later, b"\xff")
pickled.enqueue(recorded.Mailer().method)
pickled.enqueue(recorded.send, {1, 2})
plain.enqueue("recorded.Mailer.deliver", "x", at_front=True)
`)
	c := server.client(t, "")
	before := dump(t, c)
	if len(before) < 20 {
		t.Fatalf("%d keys: nothing was enqueued", len(before))
	}
	url := "--redis=unix://" + server.socket
	app := "--path=" + filepath.Join(b.testdata, "app")

	r := b.run("record", "--from=rq:pickled", url)
	r.want(t, exitFailed, "none of the 12 jobs", "pickled", "--unpickle")
	if r.stdout != "" {
		t.Errorf("recorded without being asked to unpickle: %s", r.stdout)
	}
	b.run("record", "--from=rq:pickled", url, "--unpickle", app, "--out=pickled.jsonl").want(t, exitDone,
		"recorded 10 of 12 jobs of rq:pickled", "8  recorded.send", "a method of an object", "builtins.set")
	b.run("record", "--from=rq:plain", url, "-o", "plain.jsonl").want(t, exitDone, "recorded 9 of 9")
	b.run("record", "--from=rq:plain", url, "-o", "plain.jsonl").want(t, exitUsage, "plain.jsonl: exists")

	after := dump(t, c)
	if len(before) != len(after) {
		t.Errorf("%d keys before, %d after", len(before), len(after))
	}
	for key, value := range before {
		if after[key] != value {
			t.Errorf("%s changed", key)
		}
	}

	for _, name := range []string{"pickled", "plain"} {
		t.Run(name, func(t *testing.T) {
			log := filepath.Join(b.temporary, "calls")
			t.Setenv("RECORDED_LOG", log)
			jobs := map[string]string{"pickled": "10", "plain": "9"}[name]
			file := "jobs:" + name + ".jsonl"
			b.run("--workload="+file, "--arrivals="+file, "--model=prefork,hybrid", "--jobs="+jobs, "--rounds=1", "--workers=2",
				app, "--quiet", "--fail-if=failed>0", "--out=out-"+name).want(t, exitDone)
			var want []string
			for n := range 8 {
				line := fmt.Sprintf(`send (%d, {'name': 'Zoë', 'tags': [None, 1.5]}, datetime.datetime(2026, 1, 31, 12, %d))`, n, n)
				if name == "plain" {
					line = fmt.Sprintf(`send (%d, 1180591620717411303424, None)`, n)
				}
				want = append(want, line+"\n", line+"\n")
			}
			if name == "pickled" {
				want = append(want, "deliver (UUID('00000000-0000-0000-0000-000000000007'),)\n", "deliver (UUID('00000000-0000-0000-0000-000000000007'),)\n",
					"later (b'\\xff',)\n", "later (b'\\xff',)\n")
			} else {
				want = append(want, "deliver ('x',)\n", "deliver ('x',)\n")
			}
			slices.Sort(want)
			if got := calls(t, log); !slices.Equal(got, want) {
				t.Errorf("calls:\n%s\nwant:\n%s", strings.Join(got, ""), strings.Join(want, ""))
			}
			if err := os.Remove(log); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestRecordCelery records messages that Celery has written.
func TestRecordCelery(t *testing.T) {
	b := newBench(t)
	server := startRedisServer(t)
	c := server.client(t, "")
	messages, err := os.ReadFile(filepath.Join(b.testdata, "celery-messages.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for line := range strings.Lines(string(messages)) {
		var m struct {
			Properties struct {
				Priority int `json:"priority"`
			} `json:"properties"`
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		key := "celery"
		if step := m.Properties.Priority / 3 * 3; step > 0 {
			key = fmt.Sprintf("celery\x06\x16%d", step)
		}
		if err := c.LPush(ctx, key, strings.TrimSuffix(line, "\n")).Err(); err != nil {
			t.Fatal(err)
		}
	}
	before := dump(t, c)
	r := b.run("record", "--from=celery:celery", "--redis=unix://"+server.socket, "--map=send-mail=app.celeryapp:send_mail")
	r.want(t, exitDone, "recorded 15 of 16 jobs", "1  pickled", "1 have a due time of their own")
	b.golden("record-celery", r.stdout)
	if after := dump(t, c); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Error("the queue was changed")
	}
}

// TestRecordErrors has everything that can be wrong with the queue and its
// server. No half of a file is left.
func TestRecordErrors(t *testing.T) {
	b := newBench(t)
	server := startRedisServer(t, "--requirepass", "sesame")
	url := "unix://:sesame@" + server.socket
	c := server.client(t, "sesame")
	ctx := context.Background()
	for key, value := range map[string]string{"rq:queue:text": "x", "text": "x"} {
		if err := c.Set(ctx, key, value, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.SAdd(ctx, "rq:queues", "rq:queue:default").Err(); err != nil {
		t.Fatal(err)
	}
	// Stands for /dev/null, which --force must not put a file in the place of.
	if err := syscall.Mkfifo("pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		code exitCode
		want string
	}{
		{"no such Redis", []string{"--from=rq:default", "--redis=unix:///nowhere/redis.sock"}, exitLacking, "is it running?"},
		{"wrong password", []string{"--from=rq:default", "--redis=unix://:wrong@" + server.socket}, exitLacking, "check the user and the password"},
		{"no password", []string{"--from=rq:default", "--redis=unix://" + server.socket}, exitLacking, "check the user and the password"},
		{"empty", []string{"--from=rq:default", "--redis=" + url}, exitFailed, "--from=rq:default: rq:default is empty"},
		{"mistyped", []string{"--from=rq:defaults", "--redis=" + url}, exitFailed, "does not exist: there are rq:default"},
		{"not a list", []string{"--from=rq:text", "--redis=" + url}, exitFailed, `"rq:queue:text" is no queue`},
		{"not a list of Celery's", []string{"--from=celery:text", "--redis=" + url}, exitFailed, `"text" is no queue`},
		{"no interpreter", []string{"--from=rq:default", "--redis=" + url, "--unpickle", "--python=no-such-python"}, exitLacking, "not found on PATH"},
		{"a device", []string{"--from=rq:default", "--redis=" + url, "--out=pipe", "--force"}, exitUsage, "--out=pipe: is no regular file"},
		{"what a terminal would obey", []string{"--from=rq:\x1b[2J\u009b2J", "--redis=" + url}, exitFailed, "rq:\uFFFD[2J\uFFFD2J does not exist"},
		{"no directory", []string{"--from=rq:default", "--redis=" + url, "--out=nowhere/jobs.jsonl"}, exitUsage, "name a file that you may write"},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"record", "--out=jobs.jsonl"}, test.args...)
			r := b.run(args...)
			r.want(t, test.code, test.want)
			if strings.Contains(r.stderr, "sesame") || strings.Contains(r.stderr, "wrong@") {
				t.Errorf("the password is shown: %s", r.stderr)
			}
			if left := names(t, "."); !slices.Equal(left, []string{"pipe"}) {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}
