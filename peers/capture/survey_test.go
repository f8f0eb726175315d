package capture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

// TestCeleryLists has the lists of a queue under all the names that transport
// options can give them.
func TestCeleryLists(t *testing.T) {
	client := serve(t)
	queue := func(name string, change ...func(*Queue)) Queue {
		q := Queue{System: Celery, Name: name}
		for _, c := range change {
			c(&q)
		}
		return q
	}
	binding := func(key string, members ...string) func(*testing.T) {
		return func(t *testing.T) {
			for _, m := range members {
				check(t, client.SAdd(t.Context(), key, m).Err())
			}
		}
	}
	for _, tt := range []struct {
		name    string
		lists   map[string]int // and how many messages they hold
		bound   func(*testing.T)
		queue   Queue
		read    []string
		alike   map[string]int // by the flag that reads them
		whole   bool
		unknown bool
	}{
		{
			name: "default", lists: map[string]int{"celery": 1, "celery\x06\x163": 2, "celery\x06\x1612": 1, "celery-other": 1, "mycelery": 1},
			queue: queue("celery"), read: []string{"celery", "celery\x06\x163", "celery\x06\x1612"}, whole: true, unknown: true,
		},
		{
			name: "the separator is told by the binding", lists: map[string]int{"celery": 1, "celery:5": 2, "celery:10": 1},
			bound: binding("_kombu.binding.celery", "celery::celery"),
			queue: queue("celery"), read: []string{"celery", "celery:5", "celery:10"}, whole: true,
		},
		{
			name: "only high priorities", lists: map[string]int{"celery:9": 2}, bound: binding("_kombu.binding.tasks", "orders.new::celery"),
			queue: queue("celery"), read: []string{"celery:9"}, whole: true,
		},
		{
			name: "two publishers with separators of their own", lists: map[string]int{"celery:3": 1, "celery\x06\x163": 1},
			bound: binding("_kombu.binding.celery", "celery::celery", "celery\x06\x16\x06\x16celery"),
			queue: queue("celery"), read: []string{"celery\x06\x163", "celery:3"}, whole: true,
		},
		{
			name: "nothing tells the separator", lists: map[string]int{"celery": 1, "celery:5": 2, "celery|9": 1},
			queue: queue("celery"), read: []string{"celery"}, alike: map[string]int{"--celery-sep=:": 2, "--celery-sep='|'": 1}, unknown: true,
		},
		{
			name: "nothing tells it, and only high priorities", lists: map[string]int{"celery:5": 2},
			queue: queue("celery"), alike: map[string]int{"--celery-sep=:": 2}, unknown: true,
		},
		{
			name: "the user tells it", lists: map[string]int{"celery": 1, "celery:5": 2, "celery\x06\x163": 4},
			queue: queue("celery", func(q *Queue) { q.Sep = ":" }), read: []string{"celery", "celery:5"},
			alike: map[string]int{`--celery-sep=$'\x06\x16'`: 4}, unknown: true,
		},
		{
			name: "the user tells the steps", lists: map[string]int{"celery": 1, "celery\x06\x165": 2, "celery\x06\x167": 4},
			queue: queue("celery", func(q *Queue) { q.Steps = []int{0, 5} }), read: []string{"celery", "celery\x06\x165"},
			alike: map[string]int{"--celery-priority-steps with 7 among them": 4}, unknown: true,
		},
		{
			name: "a queue whose name ends in a number", lists: map[string]int{"celery": 3, "celery:5": 2},
			bound: binding("_kombu.binding.celery", "celery\x06\x16\x06\x16celery", "celery:5\x06\x16\x06\x16celery:5"),
			queue: queue("celery"), read: []string{"celery"}, whole: true,
		},
		{
			name: "a key prefix", lists: map[string]int{"shop:celery": 1, "shop:celery\x06\x163": 2}, bound: binding("shop:_kombu.binding.celery", "celery\x06\x16\x06\x16celery"),
			queue: queue("celery"), alike: map[string]int{"--key-prefix=shop:": 3}, whole: true, unknown: true,
		},
		{
			name: "a key prefix that is told", lists: map[string]int{"shop:celery": 1, "shop:celery:3": 2}, bound: binding("shop:_kombu.binding.celery", "celery::celery"),
			queue: queue("celery", func(q *Queue) { q.KeyPrefix = "shop:" }), read: []string{"shop:celery", "shop:celery:3"}, whole: true,
		},
		{
			name: "a key prefix in the name", lists: map[string]int{"shop:celery": 1, "shop:celery:3": 2}, bound: binding("shop:_kombu.binding.celery", "celery::celery"),
			queue: queue("shop:celery"), read: []string{"shop:celery", "shop:celery:3"}, whole: true,
		},
		{
			name: "the same name in another application", lists: map[string]int{"celery": 5, "shop:celery": 1},
			queue: queue("celery"), read: []string{"celery"}, whole: true, unknown: true,
		},
		{
			name: "empty", bound: binding("_kombu.binding.celery", "celery::celery"), queue: queue("celery"), whole: true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := t.Context()
			check(t, client.FlushAll(ctx).Err())
			for key, n := range tt.lists {
				for range n {
					check(t, client.LPush(ctx, key, message("app.send", "[[],{},{}]", nil)).Err())
				}
			}
			// What others keep, and is not a message of Celery's.
			check(t, client.RPush(ctx, "rq:queue:celery", "an-id").Err())
			check(t, client.RPush(ctx, "log:celery", "{}").Err())
			check(t, client.RPush(ctx, "celery-2026", `{"body":1}`).Err())
			check(t, client.Set(ctx, "redbeat:celery:7", "x", 0).Err())
			check(t, client.HSet(ctx, "celery:8", "x", "y").Err())
			if tt.bound != nil {
				tt.bound(t)
			}
			s, err := Look(ctx, client, tt.queue)
			check(t, err)
			alike := make(map[string]int)
			for _, a := range s.Alike {
				alike[a.Flag] += a.Jobs
			}
			if diff := cmp.Diff(tt.read, s.Lists); diff != "" {
				t.Errorf("lists (-want +got)\n%s", diff)
			}
			if tt.alike == nil {
				tt.alike = make(map[string]int)
			}
			if diff := cmp.Diff(tt.alike, alike); diff != "" {
				t.Errorf("alike (-want +got)\n%s", diff)
			}
			waiting := 0
			for _, key := range tt.read {
				waiting += tt.lists[key]
			}
			if s.Waiting != waiting || s.Complete() != tt.whole || s.known == tt.unknown {
				t.Errorf("%d wait, want %d; complete: %t; known: %t", s.Waiting, waiting, s.Complete(), s.known)
			}
			n := 0
			for _, err := range s.Jobs(ctx, 0) {
				if missing, ok := err.(*MissingError); ok {
					if text := missing.Error(); strings.Contains(text, "does not exist:") {
						t.Errorf("there are such lists, or bindings: %s", text)
					}
					continue
				}
				check(t, err)
				n++
			}
			if n != waiting {
				t.Errorf("%d jobs are read, want %d", n, waiting)
			}
		})
	}
}

// TestBeside counts what does not wait.
func TestBeside(t *testing.T) {
	client := serve(t)
	ctx := t.Context()
	for i, key := range []string{"shop:scheduled:mail", "shop:deferred:mail", "shop:wip:mail", "shop:failed:mail", "shop:ready:mail", "rq:scheduler:scheduled_jobs"} {
		for n := range i + 1 {
			check(t, client.ZAdd(ctx, key, redis.Z{Member: n}).Err())
		}
	}
	check(t, client.ZAdd(ctx, "shop:scheduled:other", redis.Z{Member: 1}).Err())
	check(t, client.RPush(ctx, "shop:queue:mail:intermediate", 1, 2).Err())
	check(t, client.SAdd(ctx, "shop:queues", "shop:queue:mail", "shop:queue:other").Err())
	q := Queue{System: RQ, Name: "mail", KeyPrefix: "shop"}
	s, err := Look(ctx, client, q)
	check(t, err)
	got := make(map[string]int)
	for _, b := range s.Beside {
		got[b.What] = b.Jobs
	}
	want := map[string]int{"scheduled": 1, "deferred": 2, "started": 3, "failed": 4, "ready": 5, "in rq-scheduler": 6, "taken": 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	text := (&MissingError{s}).Error()
	if !strings.HasPrefix(text, "no job waits in rq:mail\n") || !strings.Contains(text, "1  scheduled: RQ's scheduler") {
		t.Errorf("only others are left: %s", text)
	}

	// Under its own prefix, it is said to be there.
	check(t, client.RPush(ctx, "shop:queue:mail", "a").Err())
	check(t, client.Del(ctx, "rq:scheduler:scheduled_jobs").Err())
	q.KeyPrefix = ""
	s, err = Look(ctx, client, q)
	check(t, err)
	if text := (&MissingError{s}).Error(); !strings.Contains(text, "does not exist by that name") || !strings.Contains(text, "--key-prefix=shop") {
		t.Errorf("under another prefix: %s", text)
	}

}

// TestHeldByWorkers: what workers hold of Celery's queues is counted by queue, by the
// exchange that it was sent to, and what does not tell its queue apart.
func TestHeldByWorkers(t *testing.T) {
	client := serve(t)
	ctx := t.Context()
	check(t, client.SAdd(ctx, "_kombu.binding.news", "send\x06\x16\x06\x16mail", "print\x06\x16\x06\x16paper").Err())
	check(t, client.SAdd(ctx, "_kombu.binding.all", "#\x06\x16\x06\x16mail").Err())
	for tag, text := range map[string]string{
		"a": `[{"body":"x"},"","mail"]`, "b": `[{},"news","send"]`, "c": `[{},"news","print"]`, "d": `[{},"","other"]`,
		"e": `[{},"all","send"]`, "f": "x", "g": "[1,2,3]",
	} {
		check(t, client.HSet(ctx, "unacked", tag, text).Err())
	}
	held := func(name string) (found []Beside) {
		s, err := Look(ctx, client, Queue{System: Celery, Name: name})
		check(t, err)
		for _, b := range s.Beside {
			found = append(found, Beside{b.What, b.Jobs, ""})
		}
		return found
	}
	const unknown = "held by workers, of queues that are not known"
	for name, want := range map[string][]Beside{
		"mail": {{"held by workers", 2, ""}, {unknown, 3, ""}}, "paper": {{"held by workers", 1, ""}, {unknown, 3, ""}},
		"none": {{unknown, 3, ""}},
	} {
		if got := held(name); !slices.Equal(got, want) {
			t.Errorf("of %s: %+v; want %+v", name, got, want)
		}
	}

	// So many are not read.
	many := make([]any, 0, 2*(mostHeld+1))
	for i := range mostHeld + 1 {
		many = append(many, strconv.Itoa(i), `[{},"","mail"]`)
	}
	check(t, client.HSet(ctx, "unacked", many...).Err())
	if got, want := held("mail"), []Beside{{"held by workers, of all queues", mostHeld + 8, ""}}; !slices.Equal(got, want) {
		t.Errorf("of many: %+v; want %+v", got, want)
	}
}

// TestNotAllowedToLook has a user who may read the queue's lists and nothing else:
// they are read, and it is said what was not looked at.
func TestNotAllowedToLook(t *testing.T) {
	client := serve(t)
	ctx := t.Context()
	check(t, client.LPush(ctx, "q", message("app.send", "[[],{},{}]", nil)).Err())
	check(t, client.RPush(ctx, "rq:queue:q", "id").Err())
	check(t, client.HSet(ctx, "rq:job:id", "data", `["app.send",null,[1],{}]`).Err())
	check(t, client.Do(ctx, "acl", "setuser", "guest", "on", "nopass", "~q*", "~rq:queue:q", "~rq:job:*", "+type", "+llen", "+lrange", "+hmget", "+ping").Err())
	o := client.(*redis.Client).Options()
	guest := redis.NewClient(&redis.Options{Network: o.Network, Addr: o.Addr, Username: "guest", Password: "x", Protocol: 2, DisableIdentity: true})
	defer func() { check(t, guest.Close()) }()
	for _, system := range []System{Celery, RQ} {
		s, err := Look(ctx, guest, Queue{System: system, Name: "q"})
		check(t, err)
		var b bytes.Buffer
		sum, err := Record(ctx, &b, s.Jobs(ctx, 0), Options{})
		check(t, err)
		if sum.Jobs != 1 || s.Complete() != (system == RQ) {
			t.Errorf("%s: %+v, %q", system, sum, s.Unseen)
		}
	}
	s, err := Look(ctx, guest, Queue{System: Celery, Name: "q2"})
	check(t, err)
	if text := (&MissingError{s}).Error(); strings.Contains(text, "does not exist") || !strings.Contains(text, "were not looked for") {
		t.Errorf("what was not looked for is said not to exist: %s", text)
	}
}

// TestManyKeys bounds the search in a large database, and says so.
func TestManyKeys(t *testing.T) {
	client := serve(t)
	ctx := t.Context()
	for from := 0; from < 120_000; from += 10_000 {
		pairs := make([]any, 0, 20_000)
		for i := range 10_000 {
			pairs = append(pairs, fmt.Sprintf("celery-task-meta-%d", from+i), "x")
		}
		check(t, client.MSet(ctx, pairs...).Err())
	}
	check(t, client.LPush(ctx, "celery:7", message("app.send", "[[],{},{}]", nil)).Err())
	check(t, client.SAdd(ctx, "_kombu.binding.celery", "celery::celery").Err())
	s, err := Look(ctx, client, Queue{System: Celery, Name: "celery"})
	check(t, err)
	if s.Waiting != 1 || !strings.Contains(s.Unseen, "of 120002") {
		t.Errorf("%d wait; %q", s.Waiting, s.Unseen)
	}
	s, err = Look(ctx, client, Queue{System: Celery, Name: "other"})
	check(t, err)
	if text := (&MissingError{s}).Error(); !strings.HasPrefix(text, "celery:other was not found: other names were looked for among") {
		t.Error(text)
	}
}

// TestCanvas expands Celery's own tasks.
func TestCanvas(t *testing.T) {
	client := serve(t)
	ctx := t.Context()
	add := `{"task":"app.add","args":[7],"kwargs":{"b":1},"options":{},"immutable":false}`
	fixed := `{"task":"app.add","args":[8],"kwargs":{},"immutable":true}`
	line := func(args string) string { return `{"function":"app.add","args":` + args + `}` + "\n" }
	for _, tt := range []struct{ task, body, want, reason, follows string }{
		{"celery.map", `[[],{"task":` + add + `,"it":[1,[2],"\u00e9"]},{}]`, line("[1]") + line("[[2]]") + line(`["\u00e9"]`), "", ""},
		{"celery.starmap", `[[` + add + `,[[1,2],[]]],{},{}]`, line("[1,2]") + line("[]"), "", ""},
		{"celery.chunks", `[[],{"task":` + add + `,"it":[[1],[2],[3]],"n":2},{"chain":[` + add + `]}]`, line("[1]") + line("[2]") + line("[3]"), "", "a chain"},
		{
			"celery.group", `[[[` + add + `,` + fixed + `],null,"id",[0]],{},{}]`,
			`{"function":"app.add","args":[0,7],"kwargs":{"b":1}}` + "\n" + `{"function":"app.add","args":[8],"kwargs":{}}` + "\n", "", "",
		},
		{
			"celery.chord", `[[],{"header":{"task":"celery.group","kwargs":{"tasks":[` + fixed + `,{"task":"celery.chain","kwargs":{"tasks":[` + fixed + `,` + add + `]}}]}},"body":` + add + `},{}]`,
			strings.Repeat(`{"function":"app.add","args":[8],"kwargs":{}}`+"\n", 2), "", "a chain",
		},
		{"app.add", `[[1],{},{"callbacks":[` + add + `]}]`, `{"function":"app.add","args":[1],"kwargs":{}}` + "\n", "", "callbacks"},
		{"celery.map", `[[],{"task":` + add + `,"it":[]},{}]`, "", "celery.map of nothing", ""},
		{"celery.map", `[[],{"task":1,"it":[1]},{}]`, "", "celery.map in an unknown form", ""},
		{"celery.map", `[{},[],{}]`, "", "celery.map in an unknown form", ""},
		{"celery.starmap", `[[],{"task":` + add + `,"it":[[1],"ab"]},{}]`, "", "celery.starmap in an unknown form", ""},
		{"celery.group", `[[],{},{}]`, "", "celery.group in an unknown form", ""},
		{"celery.chain", `[[],{},{}]`, "", "Celery's own task celery.chain", ""},
		{"celery.backend_cleanup", `[[],{},{}]`, "", "Celery's own task celery.backend_cleanup", ""},
		{"celery.group", strings.Repeat(`[[[{"task":"celery.group","args":`, 1) + `[[` + nested(30) + `]]}]],{},{}]`, "", "signatures nested too deeply", ""},
	} {
		check(t, client.FlushAll(ctx).Err())
		check(t, client.LPush(ctx, "q", message(tt.task, tt.body, map[string]any{"headers": map[string]any{"task": tt.task}})).Err())
		got, sum := recorded(t, client, "celery:q", Options{})
		if got != tt.want {
			t.Errorf("%s %s:\n%s\nwant\n%s", tt.task, tt.body, got, tt.want)
		}
		if tt.reason != "" && leftOut(sum)[tt.reason] != 1 {
			t.Errorf("%s %s: left out %v, want %s", tt.task, tt.body, leftOut(sum), tt.reason)
		}
		if tt.follows != "" && (len(sum.Follows) != 1 || sum.Follows[0].Function != tt.follows) {
			t.Errorf("%s: followed by %v, want %s", tt.task, sum.Follows, tt.follows)
		}
		if expanded := tt.task != "app.add" && tt.want != ""; (sum.Expanded == 1) != expanded || expanded && sum.Expansions != sum.Jobs {
			t.Errorf("%s: %+v", tt.task, sum)
		}
	}
}

// nested is a group within a group, and so on.
func nested(depth int) string {
	if depth == 0 {
		return `{"task":"app.add"}`
	}
	return `{"task":"celery.group","kwargs":{"tasks":[` + nested(depth-1) + `]}}`
}

// TestExpired leaves out what a worker would discard.
func TestExpired(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]bool{
		`"2026-01-31T11:59:59+00:00"`:        true,
		`"2026-01-31T11:59:59.5"`:            true, // UTC
		`"2026-01-31T12:30:00.123456+01:00"`: true,
		`"2026-01-31"`:                       true,
		`"2026-01-31T12:00:01+00:00"`:        false,
		`"2026-01-31T10:30:00-02:00"`:        false,
		`null`:                               false,
		``:                                   false,
		`"soon"`:                             false,
		`60`:                                 false,
	} {
		if got := expired(json.RawMessage(text), now) != nil; got != want {
			t.Errorf("%s: expired is %t", text, got)
		}
	}
	job := celeryParse([]byte(message("", `{"task":"app.send","args":[],"expires":"2026-01-31T11:00:00+00:00"}`, nil)), now)
	if why, ok := job.Err.(*UnreadableError); !ok || why.Reason != "expired" {
		t.Errorf("protocol 1: %v", job.Err)
	}
}

// FuzzShape holds what is made of a key to the key.
func FuzzShape(f *testing.F) {
	f.Add("shop:celery\x06\x163", "celery", "celery\x06\x16\x06\x16celery")
	f.Add("a:a:5", "a", "a::a")
	f.Fuzz(func(t *testing.T, key, name, member string) {
		if name == "" {
			return
		}
		if at, ok := shapeOf(key, name); ok {
			again := at.prefix + name + at.sep
			if at.step > 0 {
				again += fmt.Sprint(at.step)
			}
			if again != key {
				t.Errorf("%q as %+v of %q", key, at, name)
			}
		}
		for _, given := range []string{"", name} {
			if queue, sep, ok := boundTo(member, given, name); ok && (sep == "" || !strings.HasSuffix(member, sep+queue)) {
				t.Errorf("%q as %q, %q", member, queue, sep)
			}
		}
	})
}
