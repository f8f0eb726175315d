package workload

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

const jobFile = "testdata/jobs.jsonl"

func TestReplay(t *testing.T) {
	w := mustParse(t, "jobs:"+jobFile)
	equal(t, "payloads", strings.Split(strings.TrimSpace(payloads(w, 5)), "\n"), []string{
		`["datetime:datetime.isoformat",[{"__type__":"datetime","__value__":"2026-01-31T12:00:00"}],{"sep":"T"},true]`,
		`["collections.OrderedDict.fromkeys",[["k"],1],{}]`,
		`["os.path.join",[],{"path":"é"}]`,
		`["os.path.join",["a","b"],{}]`,
		`["datetime:datetime.isoformat",[{"__type__":"datetime","__value__":"2026-01-31T12:00:00"}],{"sep":"T"},true]`,
	})

	a, err := ParseArrivals("jobs:" + jobFile)
	if err != nil {
		t.Fatal(err)
	}
	if a.String() != "jobs:"+jobFile {
		t.Errorf("String() = %q", a)
	}
	var due []time.Duration
	for d := range a.Due(1) {
		if due = append(due, d); len(due) == 5 {
			break
		}
	}
	equal(t, "due times", due, []time.Duration{
		0, 1500 * time.Millisecond, 1500 * time.Millisecond, 3500 * time.Millisecond,
		3500*time.Millisecond + 3500*time.Millisecond/3, // again, a mean gap later
	})
}

func TestReadCallsErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "no job in the file"},
		{"\n\n", "no job in the file"},
		{"[]", "f:1: not a job (a line cannot be a JSON array)"},
		{"{}", `f:1: function "": must be MODULE:FUNCTION`},
		{`{"function":" send"}`, `function " send": must be`},
		{`{"function":"send\u001b[2J"}`, `function "send\x1b[2J": must be`},
		{`{"function":"a.b","arg":[]}`, `unknown field "arg"`},
		{`{"function":"a.b","args":{}}`, "args: must be a JSON array"},
		{`{"function":"a.b","args":1,"kwargs":[]}`, "kwargs: must be a JSON object"},
		{`{"function":"a.b","at_s":"now"}`, "not a job (at_s cannot be a JSON string)"},
		{`{"function":"a.b","at_s":1e999}`, "not a job (at_s cannot be a JSON number 1e999)"},
		{"{\"function\":\"a.b\",\"args\":[\"\xff\"]}", "column 28: not UTF-8"},
		{`{"function":"a.b","args":[NaN]}`, "column 27: not JSON"},
		{"{\"function\":\"a.b\"}\n{\"function\":\"a.b\"", "f:2:"},
		{strings.Repeat("x\n", 20), "f: the rest was not read"},
	} {
		calls, err := ReadCalls(strings.NewReader(c.text), "f")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, %v; want %q", c.text, calls, err, c.want)
		}
	}
	if _, err := ReadCalls(strings.NewReader(""), "f"); !errors.Is(err, ErrNoCalls) {
		t.Errorf("%v is not ErrNoCalls", err)
	}
}

func TestReplayErrors(t *testing.T) {
	for _, c := range []struct{ spec, want string }{
		{"jobs:", "needs the name of a file"},
		{"jobs", "needs the name of a file"},
		{"jobs:nowhere.jsonl", "no such file"},
		{"jobs:testdata", "not a regular file"},
	} {
		if w, err := Parse(c.spec); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Parse(%q): %v, %v; want %q", c.spec, w, err, c.want)
		}
		if a, err := ParseArrivals(c.spec); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("ParseArrivals(%q): %v, %v; want %q", c.spec, a, err, c.want)
		}
	}
	at := func(s float64) *float64 { return &s }
	for _, c := range []struct {
		want  string
		calls []Call
	}{
		{"app.send has no at_s", []Call{{Function: "a.b", At: at(1)}, {Function: "app.send"}}},
		{"more than a year", []Call{{Function: "a.b", At: at(0)}, {Function: "a.b", At: at(1e300)}}},
	} {
		if a, err := arrivalsOf("f", c.calls); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, %v; want %q", a, err, c.want)
		}
	}
}

// TestDispatch runs the dispatcher in Python: what it finds, and what it calls it
// with.
func TestDispatch(t *testing.T) {
	var got struct {
		Found []string
		Calls []string
		Wrong string
	}
	pythonScript(t, mustParse(t, "jobs:"+jobFile), `
calls = []
module.FUNCTIONS["spy"] = lambda *args, **kwargs: calls.append(repr((args, kwargs)))
found = [function.__qualname__ for name, function in sorted(module.FUNCTIONS.items()) if name != "spy"]
returned = f("spy", [1, {"__type__": "date"}], {"k": None})
assert returned is None, returned
tagged = [{"__type__": kind, "__value__": value} for kind, value in [
    ("datetime", "2026-01-31T12:00:00.5"), ("date", "2026-01-31"), ("time", "12:00:00"), ("decimal", "1.10"),
    ("uuid", {"hex": "0" * 31 + "5"}), ("bytes", "é"), ("base64", "/w=="),
]]
f("spy", [tagged], {"k": {"deep": [tagged[3]]}}, True)
async def coroutine(*args):
    calls.append(repr(args))
module.FUNCTIONS["async"] = coroutine
module.application.awaited(f("async", ["awaited"], {}))
try:
    f("spy", [{"__type__": "set", "__value__": []}], {}, True)
except ValueError as error:
    calls.append(str(error))
try:
    module.load(["os.path.join", "os.path.nothing", "nowhere.at.all", "nowhere:f", "os:path", "os.name", "..x", "a-b.c", "send"])
except module.NotFound as error:
    wrong = str(error)
print(json.dumps({"Found": found, "Calls": calls, "Wrong": wrong}))
`).run(t, &got)
	equal(t, "functions found", got.Found, []string{"OrderedDict.fromkeys", "datetime.isoformat", "join"})
	equal(t, "calls", got.Calls, []string{
		`((1, {'__type__': 'date'}), {'k': None})`,
		`(([datetime.datetime(2026, 1, 31, 12, 0, 0, 500000), datetime.date(2026, 1, 31), datetime.time(12, 0), Decimal('1.10'), ` +
			`UUID('00000000-0000-0000-0000-000000000005'), b'\xc3\xa9', b'\xff'],), {'k': {'deep': [Decimal('1.10')]}})`,
		`('awaited',)`,
		`an argument of type 'set': only datetime, date, time, decimal, uuid, bytes, base64 are known`,
	})
	for _, want := range []string{
		"8 of 9 functions not found", "send: neither the path of a function nor", "os.path.nothing: os.path has no nothing", "nowhere.at.all: no such module", "nowhere:f: no such module",
		"os:path: is not callable, but of type module", "os.name: is not callable, but of type str",
	} {
		if !strings.Contains(got.Wrong, want) {
			t.Errorf("%q lacks %q", got.Wrong, want)
		}
	}
}

func FuzzReadCalls(f *testing.F) {
	f.Add([]byte(`{"function":"a.b:c","args":[1,{"__type__":"date"}],"kwargs":{"k":null},"at_s":1.5}` + "\n" + `{"function":"a.b"}`))
	f.Add([]byte(`{"function":"a.b","args": null,"at_s":-1e308}`))
	f.Add([]byte("{\"function\":\"\xc3\xa9.b\"}\n\n[]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		calls, err := ReadCalls(bytes.NewReader(data), "f")
		if (calls == nil) == (err == nil) {
			t.Fatalf("%d calls and %v", len(calls), err)
		}
		if err != nil {
			return
		}
		w := replay("jobs:f", calls)
		var lines bytes.Buffer
		for i, c := range calls {
			if payload := w.Payload(1, uint64(i)); !json.Valid(payload) {
				t.Errorf("payload %s", payload)
			}
			text, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			lines.Write(append(text, '\n'))
		}
		again, err := ReadCalls(&lines, "again")
		if err != nil || len(again) != len(calls) {
			t.Fatalf("written and read again: %d calls of %d, %v", len(again), len(calls), err)
		}
		if a, err := arrivalsOf("f", calls); err == nil {
			last, n := time.Duration(0), 0
			for due := range a.Due(1) {
				if due < last {
					t.Fatalf("due %v after %v", due, last)
				}
				if last, n = due, n+1; n > 2*len(calls) {
					break
				}
			}
		}
	})
}
