package capture

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"forkbench/stream"
	"forkbench/workload"
)

func TestMain(m *testing.M) {
	stream.Main()
	os.Exit(m.Run())
}

// serve runs a private server until the test ends.
func serve(tb testing.TB) redis.UniversalClient {
	tb.Helper()
	dir, err := os.MkdirTemp("", "fb") // a socket's path is short
	check(tb, err)
	s, err := stream.Start(tb.Context(), dir, nil)
	check(tb, err)
	tb.Cleanup(func() {
		check(tb, s.Close())
		check(tb, os.RemoveAll(dir))
	})
	return s.Client()
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// python is the interpreter of the tests.
func python(tb testing.TB) string {
	tb.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatal(err)
		}
		tb.Skip(err)
	}
	return path
}

// recorded records a queue.
func recorded(t *testing.T, client redis.UniversalClient, queue string, o Options) (string, Summary) {
	t.Helper()
	q, err := ParseQueue(queue)
	check(t, err)
	var b bytes.Buffer
	s, err := Record(t.Context(), &b, Jobs(t.Context(), client, q, 0), o)
	check(t, err)
	if b.Len() > 0 {
		calls, err := workload.ReadCalls(bytes.NewReader(b.Bytes()), "recorded")
		check(t, err)
		if len(calls) != s.Jobs {
			t.Fatalf("%d lines for %d jobs", len(calls), s.Jobs)
		}
	}
	return b.String(), s
}

// leftOut is why jobs were left out, and how many.
func leftOut(s Summary) map[string]int {
	m := make(map[string]int)
	for _, l := range s.LeftOut {
		m[l.Why.Reason] = l.Jobs
	}
	return m
}

// TestRQLayouts reads what several versions of RQ have written. The files hold the
// queues and hashes as they were in Redis.
func TestRQLayouts(t *testing.T) {
	client := serve(t)
	files, err := filepath.Glob("testdata/rq-*.json")
	check(t, err)
	if len(files) < 4 {
		t.Fatalf("layouts: %q", files)
	}
	want := []string{
		`{"function":"app.tasks.Mailer.deliver","args":["x"],"kwargs":{}}`,
		`{"function":"app.tasks.send","args":[1],"kwargs":{"b":{"n":[null,"\u00e9",1180591620717411303424,1.5]}}}`,
		`{"function":"app.tasks.send","args":[{"__type__":"datetime","__value__":"2026-01-31T12:00:00"},` +
			`[{"__type__":"base64","__value__":"/w=="}]],"kwargs":{}}`,
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			ctx := t.Context()
			check(t, client.FlushAll(ctx).Err())
			data, err := os.ReadFile(file)
			check(t, err)
			var layout struct {
				Queues map[string][]string
				Hashes map[string]map[string]string
			}
			check(t, json.Unmarshal(data, &layout))
			for name, ids := range layout.Queues {
				for _, id := range ids {
					check(t, client.RPush(ctx, "rq:queue:"+name, id).Err())
				}
				check(t, client.SAdd(ctx, "rq:queues", "rq:queue:"+name).Err())
			}
			for key, fields := range layout.Hashes {
				for field, text := range fields {
					value, err := base64.StdEncoding.DecodeString(text)
					check(t, err)
					check(t, client.HSet(ctx, key, field, value).Err())
				}
			}

			_, sum := recorded(t, client, "rq:default", Options{})
			if sum.Jobs != 0 || leftOut(sum)["pickled"] != 3 {
				t.Errorf("without --unpickle: %+v", sum)
			}
			plain, sum := recorded(t, client, "rq:plain", Options{})
			if sum.Timed != 2 || sum.First.IsZero() {
				t.Errorf("enqueue times: %+v", sum)
			}
			compareLines(t, plain, want[:2])
			u := &Unpickler{Interpreter: python(t)}
			defer u.Close()
			pickled, _ := recorded(t, client, "rq:default", Options{Unpickle: u})
			compareLines(t, pickled, want)
		})
	}
}

// compareLines compares recorded jobs, apart from their times.
func compareLines(t *testing.T, got string, want []string) {
	t.Helper()
	var lines []string
	for line := range strings.Lines(got) {
		before, after, found := strings.Cut(strings.TrimSpace(line), `,"at_s":`)
		if _, err := strconv.ParseFloat(strings.TrimSuffix(after, "}"), 64); !found || err != nil {
			t.Errorf("no time in %s", line)
		}
		lines = append(lines, before+"}")
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestCeleryLayouts reads what Celery has written, in both protocols.
func TestCeleryLayouts(t *testing.T) {
	client := serve(t)
	files, err := filepath.Glob("testdata/celery-*.json")
	check(t, err)
	if len(files) < 3 {
		t.Fatalf("layouts: %q", files)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			ctx := t.Context()
			check(t, client.FlushAll(ctx).Err())
			data, err := os.ReadFile(file)
			check(t, err)
			var layout struct{ Messages [][2]string }
			check(t, json.Unmarshal(data, &layout))
			for _, m := range layout.Messages {
				check(t, client.LPush(ctx, m[0], m[1]).Err())
			}
			got, sum := recorded(t, client, "celery:celery", Options{})
			want := `{"function":"app.tasks.add","args":[1],"kwargs":{"y":"\u00e9"}}
{"function":"app.tasks.add","args":[3],"kwargs":{}}
{"function":"app.tasks.add","args":[4],"kwargs":{}}
{"function":"app.tasks.add","args":[2],"kwargs":{"y":1180591620717411303424}}
`
			if diff := cmp.Diff(want, got); diff != "" || sum.Timed != 0 {
				t.Errorf("%+v (-want +got)\n%s", sum, diff)
			}
		})
	}
}

// message is a Celery message of protocol 2.
func message(task, body string, more map[string]any) string {
	m := map[string]any{
		"body": base64.StdEncoding.EncodeToString([]byte(body)), "content-type": "application/json", "content-encoding": "utf-8",
		"headers":    map[string]any{"task": task, "id": "an-id"},
		"properties": map[string]any{"body_encoding": "base64"},
	}
	maps.Copy(m, more)
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// TestBadJobs has one of each kind of job that cannot be read: each is counted,
// and those between them are recorded.
func TestBadJobs(t *testing.T) {
	client := serve(t)
	ctx := t.Context()
	good := 0
	put := func(m string) {
		check(t, client.LPush(ctx, "bad", m, message("app.send", fmt.Sprintf("[[%d],{},{}]", good), nil)).Err())
		good++
	}
	headers := func(more ...string) map[string]any {
		h := map[string]any{"task": "app.send", "id": "an-id"}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = more[i+1]
		}
		return map[string]any{"headers": h}
	}
	for _, m := range []string{
		"not JSON", `"a string"`, "{}", "[]", message("app.send", "[[1],{}", nil), message("app.send", "[1]", nil), message("app.send", "[[NaN],{},{}]", nil),
		message("app.send", "{}", nil), message("app.send", "[{},[],{}]", nil), message("app.send", "[[\"\xff\"],{},{}]", nil),
		message("", `{"args":[1]}`, nil), message("send", "[[1],{},{}]", nil),
		message("app.send", "[]", map[string]any{"body": "%%%"}), message("app.send", "[]", map[string]any{"body": 1}),
		message("app.send", "[]", map[string]any{"content-type": "application/x-yaml"}),
		message("app.send", "[]", map[string]any{"properties": map[string]any{"body_encoding": "rot13"}}),
		message("app.send", "[]", headers("compression", "gzip")), message("app.send", "BZh9", headers("compression", "bzip2")),
		message("app.send", "[]", headers("compression", "application/x-brotli")),
		message("app.send", "\x80\x05K\x01.", map[string]any{"content-type": "application/x-python-serialize"}),
	} {
		put(m)
	}
	_, sum := recorded(t, client, "celery:bad", Options{})
	if sum.Jobs != good {
		t.Errorf("%d of %d good jobs recorded", sum.Jobs, good)
	}
	want := map[string]int{
		"not JSON": 4, "JSON of another kind": 3, "not Celery's message": 5, "not a call": 1, `the name "send" is not the path of a function`: 1, "damaged base64": 1,
		`content type "application/x-yaml"`: 1, `body encoding "rot13"`: 1, "damaged compression": 1, `compression "application/x-brotli"`: 1, "pickled": 1,
	}
	if diff := cmp.Diff(want, leftOut(sum)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, l := range sum.LeftOut {
		if strings.Contains(l.Why.Detail, "Go ") {
			t.Errorf("%s: said in words of this program's language: %s", l.Why.Reason, l.Why.Detail)
		}
		if l.Jobs == 1 && l.Why.Detail == "" && l.Why.WayOut == "" && !strings.Contains(l.Why.Reason, `"`) {
			t.Errorf("%s: nothing more is said", l.Why.Reason)
		}
	}

	for id, fields := range map[string][]any{
		"ok": {"data", `["app.send",null,[1],{}]`}, "gone": nil, "empty": {"data", ""}, "text": {"data", "hello"}, "short": {"data", `["app.send"]`},
		"number": {"data", `[1,null,[],{}]`}, "method": {"data", `["m",{"a":1},[],{}]`}, "torn": {"data", "\x78\x9c\x4b\x4c"},
		"date": {"data", `["app.send",null,[2],{}]`, "enqueued_at", "yesterday", "created_at", "2026-01-31T12:00:00Z"},
	} {
		if fields != nil {
			check(t, client.HSet(ctx, "rq:job:"+id, fields...).Err())
		}
		check(t, client.RPush(ctx, "rq:queue:bad", id).Err())
	}
	check(t, client.RPush(ctx, "rq:queue:bad", "list").Err())
	check(t, client.RPush(ctx, "rq:job:list", "no hash").Err())
	_, sum = recorded(t, client, "rq:bad", Options{})
	want = map[string]int{
		"no data under rq:job:ID": 2, "a serializer other than pickle and JSON": 2, "not RQ's data": 2, "a method of an object": 1, "damaged compression": 1,
	}
	if diff := cmp.Diff(want, leftOut(sum)); diff != "" || sum.Jobs != 2 || sum.Timed != 1 {
		t.Errorf("%+v (-want +got)\n%s", sum, diff)
	}
}

// TestNothingIsWritten holds the reader to commands that read.
func TestNothingIsWritten(t *testing.T) {
	client := serve(t)
	ctx := t.Context()
	for i := range 3000 {
		id := strconv.Itoa(i)
		check(t, client.HSet(ctx, "rq:job:"+id, "data", `["app.send",null,[`+id+`],{}]`, "enqueued_at", "2026-01-31T12:00:00.5Z").Err())
		check(t, client.RPush(ctx, "rq:queue:q", id).Err())
		check(t, client.LPush(ctx, "q\x06\x169", message("app.send", "[["+id+"],{},{}]", nil)).Err())
	}
	check(t, client.ConfigResetStat(ctx).Err())
	for _, queue := range []string{"rq:q", "celery:q"} {
		text, sum := recorded(t, client, queue, Options{})
		if sum.Jobs != 3000 || !strings.Contains(strings.SplitAfter(text, "\n")[2999], "[2999]") {
			t.Errorf("%s: %d jobs of 3000", queue, sum.Jobs)
		}
	}
	for _, queue := range []string{"rq:none", "celery:none"} {
		q, err := ParseQueue(queue)
		check(t, err)
		for _, err := range Jobs(ctx, client, q, 0) {
			if _, ok := errors.AsType[*MissingError](err); !ok {
				t.Errorf("%s: %v", queue, err)
			}
		}
	}
	stats, err := client.Info(ctx, "commandstats").Result()
	check(t, err)
	reading := []string{"lrange", "llen", "type", "hmget", "smembers", "scan", "dbsize", "hlen", "zcard", "lindex", "ping", "info", "config|resetstat"}
	for line := range strings.Lines(stats) {
		name, _, found := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":")
		if found && strings.HasPrefix(line, "cmdstat_") && !slices.Contains(reading, name) {
			t.Errorf("it sent %s", name)
		}
	}
}

// TestMissing says what is wrong with a queue that cannot be read.
func TestMissing(t *testing.T) {
	client := serve(t)
	ctx := t.Context()
	ask := func(queue string) string {
		q, err := ParseQueue(queue)
		check(t, err)
		for _, err := range Jobs(ctx, client, q, 0) {
			if err != nil {
				return err.Error()
			}
		}
		return ""
	}
	for _, queue := range []string{"rq:default", "celery:celery"} {
		if got := ask(queue); !strings.Contains(got, "does not exist: there is no queue of") {
			t.Errorf("%s: %s", queue, got)
		}
	}
	check(t, client.SAdd(ctx, "rq:queues", "rq:queue:idle", "rq:queue:low").Err())
	check(t, client.SAdd(ctx, "_kombu.binding.idle", "idle\x06\x16\x06\x16idle").Err())
	check(t, client.SAdd(ctx, "_kombu.binding.celeryev", "worker.#\x06\x16\x06\x16celeryev.1234").Err())
	check(t, client.Set(ctx, "rq:queue:text", "x", 0).Err())
	check(t, client.Set(ctx, "text", "x", 0).Err())
	for queue, want := range map[string]string{
		"rq:idle":     "rq:idle is empty",
		"rq:high":     "rq:high does not exist: there are rq:idle, rq:low",
		"celery:idle": "celery:idle is empty",
		"celery:high": "celery:high does not exist: there are celery:idle",
		"rq:text":     `"rq:queue:text" is no queue: the key holds a string`,
		"celery:text": `"text" is no queue: the key holds a string`,
	} {
		if got := ask(queue); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s; want %s", queue, got, want)
		}
	}
}

// TestReadingBesideWorkers takes items from a list, and adds some, between its
// pieces: nothing is read twice, and what is missing was taken.
func TestReadingBesideWorkers(t *testing.T) {
	client := serve(t)
	ctx := t.Context()
	const n = 6000
	for _, tail := range []bool{false, true} {
		for seed := range uint64(6) {
			check(t, client.Del(ctx, "list").Err())
			items := make([]any, n)
			for i := range items {
				items[i] = strconv.Itoa(i)
			}
			push, pop, unpop := client.RPush, client.LPopCount, client.LPush
			if tail {
				push, pop, unpop = client.LPush, client.RPopCount, client.RPush
			}
			check(t, push(ctx, "list", items...).Err())
			r := rand.New(rand.NewPCG(seed, 1))
			next, taken, last := n, make(map[int]bool), -1
			var seen []int
			for piece, err := range (list{client, "list", tail}).pieces(ctx) {
				check(t, err)
				for _, item := range piece {
					i, err := strconv.Atoi(item)
					check(t, err)
					if i <= last {
						t.Fatalf("%d after %d", i, last)
					}
					last = i
					seen = append(seen, i)
				}
				if r.IntN(3) == 0 && next < 2*n {
					check(t, push(ctx, "list", next).Err())
					next++
				}
				if r.IntN(20) == 0 {
					check(t, unpop(ctx, "list", -1-next).Err()) // in front: not read any more
				}
				if k := r.IntN([]int{2, 20, 500, 3000}[r.IntN(4)]); k > 0 {
					popped, err := pop(ctx, "list", k).Result()
					if err != nil && !errors.Is(err, redis.Nil) {
						t.Fatal(err)
					}
					for _, item := range popped {
						i, err := strconv.Atoi(item)
						check(t, err)
						taken[i] = true
					}
				}
			}
			for i := range next {
				if _, found := slices.BinarySearch(seen, i); !found && !taken[i] {
					t.Fatalf("tail %t, seed %d: %d was neither read nor taken", tail, seed, i)
				}
			}
		}
	}
}

// pickled makes a pickle of a job of RQ by running Python.
func pickled(t *testing.T, setup, value string) string {
	t.Helper()
	out, err := exec.Command(python(t), "-c", "import pickle, sys\n"+setup+"\nsys.stdout.buffer.write(pickle.dumps("+value+", protocol=4))").Output()
	check(t, err)
	return string(out)
}

// TestUnpickle decodes pickles that do what pickles can do.
func TestUnpickle(t *testing.T) {
	client := serve(t)
	ctx := t.Context()
	trace := filepath.Join(t.TempDir(), "trace")
	t.Setenv("CAPTURE_TRACE", trace)
	evil := func(code string) string {
		return pickled(t, "class Evil:\n  def __reduce__(self):\n    return exec, ("+strconv.Quote(code)+",)", `("app.send", None, (Evil(),), {})`)
	}
	for i, data := range []string{
		pickled(t, "", `("app.send", None, (1, [True, None]), {"k": {"deep": (2.5,)}})`),
		evil("import os; open(os.environ['CAPTURE_TRACE'], 'a').write('x'); print('noise')"),
		evil("import os; os._exit(7)"),
		evil("import sys; sys.exit(3)"),
		evil("import os, time\nif os.fork() == 0: time.sleep(3600)\nos._exit(8)"), // somebody keeps the pipes
		evil("raise KeyError('of its own')"),
		pickled(t, "", `("app.send", None, (float("nan"),), {})`),
		pickled(t, "", `("app.send", object, (), {})`),
		pickled(t, "", `("send", None, (), {})`),
		"\x80\x04torn",
		pickled(t, "", `("app.send", None, ("last",), {})`),
	} {
		id := strconv.Itoa(i)
		check(t, client.HSet(ctx, "rq:job:"+id, "data", data).Err())
		check(t, client.RPush(ctx, "rq:queue:q", id).Err())
	}
	if _, sum := recorded(t, client, "rq:q", Options{}); sum.Jobs != 0 || leftOut(sum)["pickled"] != 11 {
		t.Errorf("not asked to unpickle: %+v", sum)
	}
	if _, err := os.Stat(trace); err == nil {
		t.Fatal("a pickle was run without being asked for")
	}
	u := &Unpickler{Interpreter: python(t)}
	defer u.Close()
	text, sum := recorded(t, client, "rq:q", Options{Unpickle: u})
	want := `{"function":"app.send","args":[1,[true,null]],"kwargs":{"k":{"deep":[2.5]}}}
{"function":"app.send","args":[null],"kwargs":{}}
{"function":"app.send","args":["last"],"kwargs":{}}
`
	if text != want {
		t.Errorf("recorded\n%s\nwant\n%s", text, want)
	}
	if diff := cmp.Diff(map[string]int{
		"unpickling it ended the interpreter": 3, "cannot be unpickled": 2, "an argument that a job file cannot hold (a float that is not finite)": 1,
		"a method of an object": 1, `the name "send" is not the path of a function`: 1,
	}, leftOut(sum)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := os.Stat(trace); err != nil {
		t.Error("the pickle with a trace was not run")
	}
}

// TestUnpickleHopeless has an interpreter that is none.
func TestUnpickleHopeless(t *testing.T) {
	jobs := func(yield func(Job, error) bool) {
		for range 3 * mostDeaths {
			if !yield(Job{ID: "x", Pickle: []byte("\x80\x04N.")}, nil) {
				return
			}
		}
	}
	for _, interpreter := range []string{"/bin/false", "/nowhere/python"} {
		u := &Unpickler{Interpreter: interpreter}
		_, err := Record(t.Context(), &bytes.Buffer{}, jobs, Options{Unpickle: u})
		if err == nil || !strings.Contains(err.Error(), interpreter) {
			t.Errorf("%s: %v", interpreter, err)
		}
		u.Close()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	u := &Unpickler{Interpreter: python(t)}
	defer u.Close()
	if _, err := Record(ctx, &bytes.Buffer{}, jobs, Options{Unpickle: u}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestLimit(t *testing.T) {
	client := serve(t)
	for i := range 100 {
		check(t, client.LPush(t.Context(), "q", message("app.send", fmt.Sprintf("[[%d],{},{}]", i), nil)).Err())
	}
	n := 0
	for _, err := range Jobs(t.Context(), client, Queue{System: Celery, Name: "q"}, 7) {
		check(t, err)
		n++
	}
	if n != 7 {
		t.Errorf("%d jobs, want 7", n)
	}
}

// What is in memory at once is bounded by its size, however small it is in Redis.
func TestMemoryIsBounded(t *testing.T) {
	var written bytes.Buffer
	args := []byte(`["` + strings.Repeat("x", 1<<20) + `"]`)
	jobs := func(yield func(Job, error) bool) {
		for i := range 100 {
			if made := i * len(args); made-written.Len() > batchBytes+2*len(args) {
				t.Errorf("of %d bytes, %d are written", made, written.Len())
				return
			}
			if !yield(Job{Call: workload.Call{Function: "app.send", Args: args}}, nil) {
				return
			}
		}
	}
	sum, err := Record(t.Context(), &written, jobs, Options{})
	check(t, err)
	if sum.Jobs != 100 {
		t.Errorf("%d jobs are recorded, want 100", sum.Jobs)
	}
}

func TestParseQueue(t *testing.T) {
	for text, want := range map[string]string{
		"rq:default": "", "celery:a:b": "", "rq": "must be rq:QUEUE", "rq:": "needs the name", "celery:": "as in celery:celery", "bull:x": "must be",
	} {
		q, err := ParseQueue(text)
		switch {
		case want == "" && (err != nil || q.String() != text):
			t.Errorf("%s: %v, %v", text, q, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
