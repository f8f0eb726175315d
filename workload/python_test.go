package workload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// observe is a script's view of what record_event has done in its process:
// which modules it loaded, how much it compiled, what it opened.
const observe = `
import builtins, re
count = {"patterns": 0, "sources": 0}
def counting(name, function):
    def wrapper(*args, **kwargs):
        count[name] += 1
        return function(*args, **kwargs)
    return wrapper
re.compile = counting("patterns", re.compile)
builtins.compile = counting("sources", builtins.compile)

seen = set(sys.modules)
lazy = ["sqlite3", "decimal", "email.utils", "ipaddress", "urllib.parse", "uuid"]
def state():
    now = dict(count)
    count.update(patterns=0, sources=0)
    new = set(sys.modules) - seen
    seen.update(new)
    return {
        "imported": bool(new),
        "loaded": [name for name in lazy if name in sys.modules],
        "patterns": now["patterns"] > 200,
        "sources": now["sources"] >= 20,
        "nothing": not any(now.values()),
        "files": len(nameless() - inherited),
    }
def nameless():
    return {fd for fd in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{fd}") and "(deleted)" in os.readlink(f"/proc/self/fd/{fd}")}
inherited = nameless()  # from whoever started the test
event = sys.stdin.readline()
`

type observed struct {
	Imported bool     // modules were imported since the last look
	Loaded   []string // of the modules that it needs, those that are
	Patterns bool     // hundreds of patterns were compiled since the last look
	Sources  bool     // and functions generated
	Nothing  bool     // nothing was compiled
	Files    int      // open files that have no name
}

// TestRecordEventIsLazy checks that the one-time work is real, that it is done
// on first use or by warming, once, and that warming opens no file.
func TestRecordEventIsLazy(t *testing.T) {
	all := []string{"sqlite3", "decimal", "email.utils", "ipaddress", "urllib.parse", "uuid"}
	w := mustParse(t, "record_event")
	warm := w.(Python).PythonFunction().Warm
	equal(t, "warm", warm, []string{"forkbench_record_event:warm_record_event"})

	for _, test := range []struct {
		name, body string
		want       []observed
	}{
		{
			"cold", `
states = [state()]
call(event); states.append(state())
call(event); states.append(state())
`,
			[]observed{
				{Loaded: []string{}, Nothing: true},
				{Imported: true, Loaded: all, Patterns: true, Sources: true, Files: 1},
				{Loaded: all, Nothing: true, Files: 1},
			},
		},
		{
			"warm", `
states = [state()]
module.warm_record_event(); states.append(state())
call(event); states.append(state())
`,
			[]observed{
				{Loaded: []string{}, Nothing: true},
				{Imported: true, Loaded: all, Patterns: true, Sources: true},
				{Loaded: all, Nothing: true, Files: 1},
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := pythonScript(t, w, observe+test.body+"print(json.dumps(states))")
			s.cmd.Stdin = strings.NewReader(payloads(w, 1))
			var got []observed
			s.run(t, &got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// readBack defines rows(), which reads the database of this process as another
// one would see it after a crash: from the bytes of the file.
const readBack = `
def rows():
    import shutil, sqlite3, tempfile
    files = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    links = {f: os.readlink(f) for f in files if os.path.lexists(f)}
    ours = os.environ["TMPDIR"] + "/forkbench-"  # whoever started the test may have left others open
    files = [f for f, link in links.items() if link.startswith(ours) and "(deleted)" in link]
    assert len(files) == 1, links
    with tempfile.TemporaryDirectory() as directory:
        copy = shutil.copy(files[0], directory)
        connection = sqlite3.connect(copy)
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute("SELECT * FROM events ORDER BY id")]
        connection.close()
    for row in found:
        row["properties"] = json.loads(row["properties"])
    return found
`

// TestRecordEventCommits checks that a row is in the file when the job returns,
// and that it is the row that the Go form of the job makes of the same event.
func TestRecordEventCommits(t *testing.T) {
	const n = 300
	w := mustParse(t, "record_event")
	s := pythonScript(t, w, readBack+`
numbers = [call(line) for line in sys.stdin]
print(json.dumps({"numbers": numbers, "rows": rows()}))
`)
	s.cmd.Stdin = strings.NewReader(payloads(w, n))
	var got struct {
		Numbers []int
		Rows    []map[string]any
	}
	s.run(t, &got)
	if len(got.Numbers) != n || len(got.Rows) != n {
		t.Fatalf("%d jobs, %d rows, want %d", len(got.Numbers), len(got.Rows), n)
	}
	rows := goRows(t, n)
	for i := range n {
		if got.Numbers[i] != i+1 {
			t.Errorf("job %d returned row %d", i, got.Numbers[i])
		}
		want := map[string]any{ // Python has null where Go leaves out
			"agent": nil, "version": nil, "system": nil, "device": nil, "endpoint": nil,
		}
		if err := json.Unmarshal(rows[i], &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.Rows[i]); diff != "" {
			t.Fatalf("row of %s (-Go +Python):\n%s", w.Payload(1, uint64(i)), diff)
		}
	}
}

// goRows is what the Go form of the job writes for the first n jobs, read from its
// file, which has no name.
func goRows(t *testing.T, n int) [][]byte {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	w := mustParse(t, DefaultGo)
	defer runtime.KeepAlive(w) // or its file may be closed
	for id := range uint64(n) {
		if _, err := w.(Go).Run(t.Context(), w.Payload(1, id)); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if link, _ := os.Readlink(file); strings.HasPrefix(link, dir+"/") {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if rows := bytes.Split(bytes.TrimSpace(text), []byte{'\n'}); len(rows) == n {
				return rows
			}
		}
	}
	t.Fatalf("no file of %d rows is open in %s", n, dir)
	return nil
}

// TestRecordEventLeavesNothing kills processes with an open database.
func TestRecordEventLeavesNothing(t *testing.T) {
	w := mustParse(t, "record_event")
	s := pythonScript(t, w, `
for line in sys.stdin:
    call(line)
os.kill(os.getpid(), 9)
`)
	s.cmd.Stdin = strings.NewReader(payloads(w, 3))
	_, stderr, err := s.output()
	checkSignal(t, err, stderr, syscall.SIGKILL)
	s.checkClean(t)
}

// TestRecordEventForks checks that a child never uses its parent's connection.
func TestRecordEventForks(t *testing.T) {
	w := mustParse(t, "record_event")
	s := pythonScript(t, w, `
events = sys.stdin.readlines()
before = call(events[0])
read, write = os.pipe()
pid = os.fork()
if pid == 0:
    parents = module._store.connection
    numbers = [call(event) for event in events[1:]]
    os.write(write, json.dumps([numbers, parents is module._store.connection]).encode())
    os._exit(0)
os.close(write)
child = json.loads(os.read(read, 4096))
status = os.waitpid(pid, 0)[1]
print(json.dumps({"before": before, "child": child[0], "shared": child[1],
                  "status": status, "after": call(events[1])}))
`)
	s.cmd.Stdin = strings.NewReader(payloads(w, 3))
	var got struct {
		Before, After, Status int
		Child                 []int
		Shared                bool
	}
	s.run(t, &got)
	equal(t, "the child's rows", got.Child, []int{1, 2})
	if got.Before != 1 || got.After != 2 || got.Status != 0 || got.Shared {
		t.Errorf("got %+v, want rows 1 and 2 in the parent, and connections of their own", got)
	}
}

var wrongEvents = []struct {
	payload string
	want    []string // parts of the error
}{
	{`[{}]`, []string{"object_type: must be one of query, query_result,"}},
	{`{"object_type": ["query"]}`, []string{"object_type: must be one of query"}},
	{`[[1, 2]]`, []string{"an event must be an object, not"}},
	{`["view"]`, []string{"an event must be an object, not"}},
	{`[{"object_type": "query"}]`, []string{
		"action: must be one of view, create,",
		"org_id: must be an integer",
		"timestamp: must be in seconds since 1970",
	}},
	{`{"object_type": "page", "action": "view", "org_id": 1.5, "timestamp": -1, "user_id": true, "object_id": []}`, []string{
		"org_id: must be an integer of 64 bits",
		"timestamp: must be in seconds",
		"user_id: must be an integer",
		"object_id: must be an integer",
	}},
	{`[{"object_type": "page", "action": "view", "org_id": 9223372036854775808, "timestamp": 1, "additional_properties": [1]}]`, []string{
		"org_id: must be an integer of 64 bits",
		"additional_properties: must be an object",
	}},
	{`[{"object_type": "query_result", "action": "steal", "org_id": 1, "timestamp": 1, "additional_properties": {
		"ip": "300.1.1.1", "url": "no path", "user": "nobody", "request_id": "12", "rows": "3",
		"runtime": "fast", "user_agent": 7, "format": true}}]`, []string{
		"action: must be one of view, download, expire",
		"ip:", "url:", "user:", "request_id:", "rows:", "runtime:", "user_agent:", "format:",
	}},
	{`[{"object_type": "user", "action": "view", "org_id": 1, "timestamp": 1e300, "additional_properties": {"groups": [1]}}]`, []string{
		"timestamp: must be in seconds", "groups: must be",
	}},
	{`[{"object_type": "alert", "action": "view", "org_id": 1, "timestamp": 1, "additional_properties": {"value": "1e999999999"}}]`, []string{
		"value: ",
	}},
}

func TestRecordEventRefuses(t *testing.T) {
	w := mustParse(t, "record_event")
	var input strings.Builder
	for _, test := range wrongEvents {
		input.WriteString(strings.ReplaceAll(test.payload, "\n", " ") + "\n")
	}
	s := pythonScript(t, w, `
problems = []
for line in sys.stdin:
    try:
        problems.append(f"no error, row {call(line)}")
    except ValueError as error:
        problems.append(str(error))
assert module._store is None  # nothing to insert, nothing opened
print(json.dumps(problems))
`)
	s.cmd.Stdin = strings.NewReader(input.String())
	var got []string
	s.run(t, &got)
	for i, test := range wrongEvents {
		checkParts(t, test.payload, got[i], test.want)
	}
}

func checkParts(t *testing.T, input, got string, want []string) {
	t.Helper()
	for _, part := range want {
		if !strings.Contains(got, part) {
			t.Errorf("%s: %s\nwant in it: %s", input, got, part)
		}
	}
}

func TestRecordEventWithoutTMPDIR(t *testing.T) {
	w := mustParse(t, "record_event")
	s := pythonScript(t, w, `
os.environ["TMPDIR"] += "/none"
try:
    print(json.dumps(call(sys.stdin.readline())))
except OSError as error:
    print(json.dumps(str(error)))
`)
	s.cmd.Stdin = strings.NewReader(payloads(w, 1))
	var got string
	s.run(t, &got)
	checkParts(t, "TMPDIR", got, []string{"cannot make the database " + s.tmp + "/none/forkbench-", "set TMPDIR"})
}

// TestPythonJobs runs each of the other jobs and looks at what it did.
func TestPythonJobs(t *testing.T) {
	for _, test := range []struct{ spec, body, want string }{
		{"noop", `result = call(payload)`, `null`},
		{"cpu:5ms", `
import time
before = time.process_time()
call(payload)
result = time.process_time() - before >= 0.005`, `true`},
		{"io:90ms", `
import time
result = []
time.sleep = result.append
call(payload)`, `[0.09]`},
		{"leak:1MB", `
for _ in range(3):
    call(payload)
result = [len(memory) for memory in module._kept]`, `[1000000,1000000,1000000]`},
		{"crash:1e-9", `result = call(payload)`, `null`},
		{"hang:1e-9", `result = call(payload)`, `null`},
		{"hang:1", `
import time
def sleep(seconds):
    sleeps.append(seconds)
    if len(sleeps) == 3:
        raise KeyboardInterrupt
sleeps, time.sleep = [], sleep
try:
    call(payload)
except KeyboardInterrupt:
    result = len(sleeps)`, `3`},
		{"100%record_event", `result = [call(payload), call(payload)]`, `[1,2]`},
		{"100%noop", `result = call(payload)`, `null`},
		{"100%leak:10B", `call(payload); result = len(module._kept[0])`, `10`},
		// The module of a mix holds as much as its largest class writes to.
		{"50%touch:1MB,50%touch:3MB", `
result = []
for args in [1000000], [3000000]:
    f("touch", args)
    result.append(module._ballast.count(2))
result.append(len(module._ballast))`, `[245,733,3000000]`},
	} {
		t.Run(test.spec, func(t *testing.T) {
			w := mustParse(t, test.spec)
			s := pythonScript(t, w, "payload = sys.stdin.readline()\n"+test.body+"\nprint(json.dumps(result))")
			s.cmd.Stdin = strings.NewReader(payloads(w, 1))
			var got json.RawMessage
			s.run(t, &got)
			if text := strings.ReplaceAll(string(got), " ", ""); text != test.want {
				t.Errorf("got %s, want %s", text, test.want)
			}
		})
	}
}

// TestTouchCopies checks that the parent holds the memory and that a forked
// child comes to own what it writes to, and not before.
func TestTouchCopies(t *testing.T) {
	const size = 16 << 20
	w := mustParse(t, "touch:16MiB")
	s := pythonScript(t, w, `
def private():
    with open("/proc/self/smaps_rollup") as file:
        fields = (line.split() for line in file)
        return sum(int(field[1]) for field in fields if field[0] == "Private_Dirty:") * 1024
payload = sys.stdin.readline()
parent = private()
read, write = os.pipe()
if os.fork() == 0:
    before = private()
    call(payload)
    os.write(write, json.dumps([before, private()]).encode())
    os._exit(0)
os.wait()
print(json.dumps([parent] + json.loads(os.read(read, 4096))))
`)
	s.cmd.Stdin = strings.NewReader(payloads(w, 1))
	var got [3]int // private memory of the parent; of the child before and after
	s.run(t, &got)
	if got[0] < size || got[1] > size/2 || got[2] < size {
		t.Errorf("private memory: %d in the parent, %d in the child, %d after the job; the ballast is %d", got[0], got[1], got[2], size)
	}
}

func checkSignal(t *testing.T, err error, stderr []byte, want syscall.Signal) {
	t.Helper()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status := exit.Sys().(syscall.WaitStatus); status.Signaled() && status.Signal() == want {
			if status.CoreDump() {
				t.Error("it left a core file")
			}
			return
		}
	}
	t.Errorf("ended with %v, want %v\n%s", err, want, stderr)
}

func TestCrash(t *testing.T) {
	for _, spec := range []string{"crash:1", "100%crash:100%"} {
		w := mustParse(t, spec)
		s := pythonScript(t, w, "call(sys.stdin.readline())")
		s.cmd.Stdin = strings.NewReader(payloads(w, 1))
		_, stderr, err := s.output()
		checkSignal(t, err, stderr, syscall.SIGSEGV)
		s.checkClean(t)
	}
}

// BenchmarkPythonRecordEvent reports the CPU time of the first job of a process
// and of a later one.
func BenchmarkPythonRecordEvent(b *testing.B) {
	w := mustParse(b, "record_event")
	input := payloads(w, 500)
	var cold, warm float64
	for b.Loop() {
		s := pythonScript(b, w, `
import socket, time
events = sys.stdin.readlines()
start = time.process_time()
call(events[0])
first = time.process_time()
for event in events:
    call(event)
print(json.dumps([first - start, (time.process_time() - first) / len(events)]))
`)
		s.cmd.Stdin = strings.NewReader(input)
		var got [2]float64
		s.run(b, &got)
		cold, warm = cold+got[0], warm+got[1]
	}
	b.ReportMetric(1e3*cold/float64(b.N), "cold-ms")
	b.ReportMetric(1e3*warm/float64(b.N), "warm-ms")
	b.ReportMetric(0, "ns/op")
}

// TestAct runs what the fault tests of other packages rely on.
func TestAct(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		payload string
		after   string         // what to do with the result
		stdout  string         // what it prints
		code    int            // how it exits
		signal  syscall.Signal // or what kills it
		stderr  string         // a part of it
	}{
		{payload: `{"do":"done"}`, after: `print(result)`, stdout: "None\n"},
		{payload: `{"do":"done","value":{"a":[1]}}`, after: `print(result)`, stdout: "{'a': [1]}\n"},
		{payload: `{"do":"done","size":70000}`, after: `print(len(result))`, stdout: "70000\n"},
		{payload: `{"do":"fail","message":"so be it"}`, code: 1, stderr: "RuntimeError: so be it"},
		{payload: `{"do":"fail","error":"GeneratorExit"}`, code: 1, stderr: "GeneratorExit: told to fail"},
		{payload: `{"do":"dance"}`, code: 1, stderr: "do: 'dance' is none of done, fail,"},
		{payload: `{"do":"sysexit","code":5}`, code: 5},
		{payload: `{"do":"exit","code":6}`, after: `print("still here")`, code: 6},
		{payload: `{"do":"crash"}`, signal: syscall.SIGSEGV},
		{payload: `{"do":"crash","signum":9}`, signal: syscall.SIGKILL},
		{payload: `{"do":"segv"}`, signal: syscall.SIGSEGV},
		{payload: `{"do":"closefd"}`, after: `
try:
    os.fstat(held)
except OSError:
    print("closed", os.fstat(2) is not None)`, stdout: "closed True\n"},
		{payload: `{"do":"fork"}`, after: `
if result == "parent":
    os.wait()
os.write(1, result.encode())`, stdout: "childparent"},
		{payload: `{"do":"pid"}`, after: `print(result == os.getpid())`, stdout: "True\n"},
		{payload: `{"do":"thread"}`, after: `print(result, len(os.listdir("/proc/self/task")))`, stdout: "2 2\n"},
		{payload: `{"do":"print","size":3000}`, stdout: strings.Repeat(strings.Repeat("x", 1023)+"\n", 2) + strings.Repeat("x", 952)},
		{payload: `{"do":"print","size":10,"stream":"stderr"}`, stderr: "xxxxxxxxxx"},
		{payload: `{"do":"chdir","path":` + strconv.Quote(dir) + `}`, after: `print(os.getcwd())`, stdout: dir + "\n"},
		{payload: `{"do":"notjson"}`, after: `json.dumps(result)`, code: 1, stderr: "TypeError: Object of type set is not JSON serializable"},
		{payload: `{"do":"alloc","size":1000000}`, after: `print(result)`, stdout: "1000000\n"},
	} {
		t.Run(test.payload, func(t *testing.T) {
			w := WithPayloads(mustParse(t, "act"), [][]byte{[]byte(test.payload)})
			s := pythonScript(t, w, "held = os.open('/', os.O_RDONLY)\nresult = call(sys.stdin.readline())\n"+test.after)
			s.cmd.Stdin = strings.NewReader(payloads(w, 1))
			stdout, stderr, err := s.output()
			switch code := s.cmd.ProcessState.ExitCode(); {
			case test.signal != 0:
				checkSignal(t, err, stderr, test.signal)
			case code != test.code:
				t.Errorf("exit code %d, want %d\n%s", code, test.code, stderr)
			}
			if string(stdout) != test.stdout {
				t.Errorf("printed %.200q, want %.200q", stdout, test.stdout)
			}
			if !strings.Contains(string(stderr), test.stderr) {
				t.Errorf("stderr: %s\nwant in it: %s", stderr, test.stderr)
			}
			s.checkClean(t)
		})
	}
}

// TestActStray finds the detached process by its number, and ends it.
func TestActStray(t *testing.T) {
	w := WithPayloads(mustParse(t, "act"), [][]byte{[]byte(`{"do":"stray"}`)})
	// It inherits the pipes of its parent: they are not to keep us waiting.
	s := pythonScript(t, w, `
import subprocess
payload = sys.stdin.readline()
for fd in 1, 2:
    os.dup2(os.open(f"out{fd}", os.O_CREAT | os.O_WRONLY), fd)
print(json.dumps(call(payload)), flush=True)
`)
	s.cmd.Stdin = strings.NewReader(payloads(w, 1))
	if _, stderr, err := s.output(); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	text, err := os.ReadFile(filepath.Join(s.tmp, "out1"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after) // from the third on; the sixth is the session
	if len(fields) < 4 || fields[3] != strconv.Itoa(pid) {
		t.Errorf("session of %d: %s", pid, stat)
	}
}

// TestActForEver checks that the endless actions are still at it when they are
// killed, which SIGTERM does unless they were told to ignore it.
func TestActForEver(t *testing.T) {
	for _, test := range []struct {
		payload string
		signals []syscall.Signal // the last of them kills it
	}{
		{`{"do":"hang"}`, []syscall.Signal{syscall.SIGTERM}},
		{`{"do":"spin"}`, []syscall.Signal{syscall.SIGTERM}},
		{`{"do":"hang","ignore":true}`, []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}},
	} {
		t.Run(test.payload, func(t *testing.T) {
			w := WithPayloads(mustParse(t, "act"), [][]byte{[]byte(test.payload)})
			// It says when there is nothing left to do but to be killed.
			s := pythonScript(t, w, `
import time
sleep = time.sleep
def announce(seconds=None):
    os.write(1, b".")
    if seconds:
        sleep(seconds)
time.sleep = announce
payload = sys.stdin.readline()
if "spin" in payload:
    announce()
call(payload)
`)
			s.cmd.Stdin = strings.NewReader(payloads(w, 1))
			out, err := s.cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := out.Read(make([]byte, 1)); err != nil {
				t.Error(err)
			}
			for _, signal := range test.signals {
				if err := s.cmd.Process.Signal(signal); err != nil {
					t.Error(err)
				}
			}
			checkSignal(t, s.cmd.Wait(), nil, test.signals[len(test.signals)-1])
			s.checkClean(t)
		})
	}
}
