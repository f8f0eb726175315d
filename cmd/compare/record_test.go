package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// TestRecordCanvas puts jobs into queues by Celery itself, with all that its canvas
// has and with transport options of their own, records them, and runs them under
// the three models.
func TestRecordCanvas(t *testing.T) {
	b := newBench(t)
	server := startRedisServer(t)
	url := "redis+socket://" + server.socket + "?virtual_host=0" // as Celery has it
	server.python(t, b, "celery", `
import datetime, sys
from celery import Celery, chord, group
broker = "redis+socket://" + sys.argv[1] + "?virtual_host="
app = Celery("shop", broker=broker + "0", backend=broker + "1")
def task(n, to=None): return n
send, later = app.task(task, name="recorded.send"), app.task(task, name="recorded.later")
with app.producer_or_acquire() as producer:
    on = {"producer": producer}
    send.chunks([(n, n) for n in range(3)], 2).apply_async(**on)
    send.map([3, 4]).apply_async(**on)
    send.starmap([(5, 5)]).apply_async(**on)
    (send.si(6) | send.si(7)).apply_async(**on)
    chord([send.s(8), send.s(9)], later.s()).apply_async(**on)
    group(send.s(10), send.map([11])).apply_async(**on)
    send.apply_async((12,), link=later.s(), **on)
    send.apply_async((13,), expires=datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc), **on)
    send.apply_async((14,), countdown=3600, expires=7200, compression="bzip2", priority=9, **on)
    app.send_task("celery.backend_cleanup", **on)
    send.map([]).apply_async(**on)
for n, options in enumerate([{"sep": ":", "priority_steps": list(range(10)), "queue_order_strategy": "priority"}, {"global_keyprefix": "shop:"}]):
    other = Celery("other", broker=broker + "0")
    other.conf.broker_transport_options = options
    with other.producer_or_acquire() as producer:
        for p in (9, 5, 5, 0):
            other.send_task("recorded.send", [p], priority=p, queue=["steps", "celery"][n], producer=producer)
old = Celery("old", broker=broker + "0", backend=broker + "1")
old.conf.update(task_serializer="pickle", accept_content=["pickle"])
send = old.task(task, name="recorded.send")
with old.producer_or_acquire() as producer:
    send.apply_async((1, {2}), queue="pickled", producer=producer)
    send.starmap([(2, (3,))]).apply_async(queue="pickled", producer=producer)
    (send.s(4) | send.s()).apply_async(queue="pickled", producer=producer)
`)
	c := server.client(t, "")
	before := dump(t, c)
	r := b.run("record", "--from=celery:celery", "--redis="+url, "--out=jobs.jsonl")
	r.want(t, exitDone)
	b.golden("record-canvas", ids.ReplaceAllString(r.stderr, "ID"))
	r = b.run("record", "--from=celery:steps", "--redis="+url)
	r.want(t, exitDone, "recorded 4 of 4 jobs of celery:steps")
	if want := "[0] [5] [5] [9] "; args(t, r.stdout) != want {
		t.Errorf("by priority: %s, want %s", args(t, r.stdout), want)
	}
	b.run("record", "--from=celery:steps", "--redis="+url, "--celery-priority-steps=0,5").want(t, exitDone,
		"recorded 3 of the 3 jobs read from celery:steps, and perhaps not all was read", `1  in "steps:9", not read: if they are of this queue, add --celery-priority-steps with 9 among them`)
	b.run("record", "--from=celery:steps", "--redis="+url, "--limit=3").want(t, exitDone, "recorded 3 jobs of the first 3 of 4 that wait in celery:steps")
	b.run("record", "--from=celery:celery", "--key-prefix=shop:", "--redis="+url).want(t, exitDone, "recorded 4 of 4 jobs of celery:celery")
	b.run("record", "--from=celery:shop:celery", "--redis="+url).want(t, exitDone, "recorded 4 of 4 jobs of celery:shop:celery")
	r = b.run("record", "--from=celery:pickled", "--redis="+url, "--unpickle")
	r.want(t, exitDone, "recorded 2 of 3 jobs", "1  an argument that a job file cannot hold (builtins.set)", "1 would be followed by a chain")
	if want := "[2,[3]] [4] "; args(t, r.stdout) != want {
		t.Errorf("unpickled: %s, want %s", args(t, r.stdout), want)
	}
	if after := dump(t, c); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Error("the queue was changed")
	}

	log := filepath.Join(b.temporary, "calls")
	t.Setenv("RECORDED_LOG", log)
	b.run("--workload=jobs:jobs.jsonl", "--model=all", "--jobs=14", "--rounds=1", "--workers=2", "--path="+filepath.Join(b.testdata, "app"),
		"--quiet", "--fail-if=failed>0", "--out=out").want(t, exitDone)
	var want []string
	for n := range 13 {
		to := "None"
		if n < 3 || n == 5 {
			to = fmt.Sprint(n)
		}
		if n != 7 { // which comes after another, and is not in the queue
			want = append(want, fmt.Sprintf("send (%d, %s, None)\n", n, to))
		}
	}
	want = append(want, "send (14, None, None)\n")
	// The first is run again: the file has 13 jobs.
	counts := make(map[string]int)
	for _, line := range calls(t, log) {
		counts[line]++
	}
	for _, line := range want {
		if counts[line] < 3 {
			t.Errorf("%d calls of %s in three models", counts[line], line)
		}
		delete(counts, line)
	}
	if len(counts) > 0 {
		t.Errorf("calls of what was not enqueued: %v", counts)
	}
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
}

var ids = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// args are the arguments of recorded jobs, in their order.
func args(t *testing.T, lines string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(lines) {
		var job struct{ Args json.RawMessage }
		if err := json.Unmarshal([]byte(line), &job); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s ", job.Args)
	}
	return b.String()
}

// TestRecordRQElsewhere has jobs that do not wait, and a key prefix.
func TestRecordRQElsewhere(t *testing.T) {
	b := newBench(t)
	server := startRedisServer(t)
	put := `
import datetime, sys
import redis, rq
from rq.serializers import JSONSerializer
queue = rq.Queue("mail", connection=redis.Redis(unix_socket_path=sys.argv[1]), serializer=JSONSerializer)
for n in range(3):
    queue.enqueue_in(datetime.timedelta(hours=1), "recorded.send", n)
first = queue.enqueue("recorded.send", 4)
queue.enqueue("recorded.send", 5, depends_on=first)
`
	server.python(t, b, "rq", put)
	url := "--redis=unix://" + server.socket
	r := b.run("record", "--from=rq:mail", url)
	r.want(t, exitDone, "recorded 1 of 1 jobs waiting in rq:mail", "not waiting, so not recorded:\n  3  scheduled: RQ's scheduler", "1  deferred: they wait for jobs")
	c := server.client(t, "")
	if err := c.Del(context.Background(), "rq:queue:mail").Err(); err != nil {
		t.Fatal(err)
	}
	b.run("record", "--from=rq:mail", url).want(t, exitFailed, "no job waits in rq:mail\n  3  scheduled: RQ's scheduler")
	if err := c.FlushAll(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	b.run("record", "--from=rq:mail", url).want(t, exitFailed, "rq:mail does not exist: there is no queue of RQ in this database")
	t.Run("key prefix", func(t *testing.T) {
		t.Setenv("RQ_KEY_PREFIX", "shop")
		server.python(t, b, "rq", put)
		b.run("record", "--from=rq:mail", url).want(t, exitDone, "recorded 1 of 1 jobs waiting in rq:mail", "3  scheduled")
	})
	b.run("record", "--from=rq:mail", url).want(t, exitFailed, "rq:mail does not exist by that name", "1  in shop:queue:mail, not read: if they are of this queue, add --key-prefix=shop")
	b.run("record", "--from=rq:mail", url, "--key-prefix=shop").want(t, exitDone, "recorded 1 of 1 jobs waiting in rq:mail")
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
