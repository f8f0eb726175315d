package workload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadPayloads(t *testing.T) {
	for _, test := range []struct {
		name, file string
		want       []string
	}{
		{"values of all kinds", "[1, 2]\n{\"a\": 1}\n\"x\"\n7\nnull\n", []string{"[1, 2]", `{"a": 1}`, `"x"`, "7", "null"}},
		{"no newline at the end", "[1]\n[2]", []string{"[1]", "[2]"}},
		{"blank lines, blanks, other newlines", "\n  [1]\t\r\n\r\n \n[2]\r\n", []string{"[1]", "[2]"}},
		{"a byte order mark", "\ufeff[1]\n", []string{"[1]"}},
		{"Unicode", "\"größe \\ud83d\\ude00\"\n", []string{`"größe \ud83d\ude00"`}},
		{"the longest line", `"` + strings.Repeat("x", maxPayload-2) + "\"\n", []string{`"` + strings.Repeat("x", maxPayload-2) + `"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			payloads, err := ReadPayloads(iotest.HalfReader(strings.NewReader(test.file)), "f")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range payloads {
				got = append(got, string(p))
			}
			equal(t, "payloads", got, test.want)
		})
	}
}

func TestReadPayloadsErrors(t *testing.T) {
	broken := errors.New("the disk is gone")
	for _, test := range []struct {
		name string
		file io.Reader
		want string
	}{
		{"empty", strings.NewReader(""), "jobs.jsonl: no payload in the file: it needs a JSON value on each line"},
		{"blank", strings.NewReader("\n \n\ufeff"), "jobs.jsonl:3:1: not JSON"},
		{"blank", strings.NewReader("\n \n"), "jobs.jsonl: no payload"},
		{"not JSON", strings.NewReader("[1]\n\n  {'a': 1}\n"), "jobs.jsonl:3:4: not JSON: invalid character '\\''"},
		{"two values", strings.NewReader("[1] [2]\n"), "jobs.jsonl:1:5: not JSON"},
		{"half a value", strings.NewReader("[1]\n{\"a\":\n1}\n"), "jobs.jsonl:2:5: not JSON: unexpected end of JSON input"},
		{"and so on", strings.NewReader("[1]\n{\"a\":\n1}\n"), "jobs.jsonl:3:2: not JSON"},
		{"not a number", strings.NewReader("NaN\n"), "jobs.jsonl:1:1: not JSON"},
		{"not UTF-8", strings.NewReader("[1]\n\"gr\xf6\xdfe\"\n"), "jobs.jsonl:2:4: not UTF-8"},
		{"many bad lines", strings.NewReader(strings.Repeat("x\n", 100)), "jobs.jsonl:10:1: not JSON: invalid character 'x' looking for beginning of value\njobs.jsonl: the rest was not read"},
		{"a long line", strings.NewReader("[1]\n" + strings.Repeat("x", maxPayload+1)), "jobs.jsonl:2: the line is longer than 16777216 bytes"},
		{"a broken file", io.MultiReader(strings.NewReader("[1]\n[2"), iotest.ErrReader(broken)), "jobs.jsonl:2: the disk is gone"},
	} {
		t.Run(test.name, func(t *testing.T) {
			payloads, err := ReadPayloads(test.file, "jobs.jsonl")
			if err == nil {
				t.Fatalf("payloads %q, want an error", payloads)
			}
			if payloads != nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%d payloads and error %v\nwant in it: %s", len(payloads), err, test.want)
			}
		})
	}
	if _, err := ReadPayloads(iotest.ErrReader(broken), "f"); !errors.Is(err, broken) {
		t.Errorf("%v does not wrap %v", err, broken)
	}
	if _, err := ReadPayloads(strings.NewReader(""), "f"); !errors.Is(err, ErrNoPayloads) {
		t.Errorf("%v does not wrap %v", err, ErrNoPayloads)
	}
}

func TestReadPayloadsInAll(t *testing.T) {
	file := strings.NewReader("[1]\n[22]\n")
	if _, err := readPayloads(file, "f", 6); err == nil || !strings.Contains(err.Error(), "f:2: the payloads take more than 6 bytes") {
		t.Errorf("%v", err)
	}
}

func FuzzReadPayloads(f *testing.F) {
	f.Add([]byte("[1]\n{\"a\": 2}\r\n\n"))
	f.Add([]byte("\ufeff\"x\"\n\xff"))
	f.Fuzz(func(t *testing.T, file []byte) {
		payloads, err := ReadPayloads(bytes.NewReader(file), "f")
		if (len(payloads) == 0) == (err == nil) {
			t.Fatalf("%d payloads and error %v", len(payloads), err)
		}
		var again bytes.Buffer
		for _, p := range payloads {
			if !json.Valid(p) {
				t.Errorf("%q is not JSON", p)
			}
			fmt.Fprintf(&again, "%s\n", p)
		}
		if err != nil {
			return
		}
		payloads2, err := ReadPayloads(&again, "f")
		if err != nil || !bytes.Equal(bytes.Join(payloads, nil), bytes.Join(payloads2, nil)) {
			t.Errorf("%q and %q, %v", payloads, payloads2, err)
		}
	})
}

// The optional interfaces, to be put together at will.
type (
	fakePython struct{}
	fakeGo     struct{}
	fakeWarmer struct{}
	fakeSnap   struct{}
)

func (fakePython) PythonFunction() PythonFunction { return PythonFunction{Function: "f"} }
func (fakeGo) Run(_ context.Context, p []byte) ([]byte, error) {
	return p, nil
}
func (fakeWarmer) Warm(context.Context) error { return errors.New("warmed") }
func (fakeSnap) Snapshot() ([]byte, error)    { return []byte("snapshot"), nil }
func (fakeSnap) Restore([]byte) error         { return errors.New("restored") }

func TestWithPayloads(t *testing.T) {
	w := goNoop{} // for the name
	list := [][]byte{[]byte("[1]"), []byte("[2]"), []byte("[3]")}
	for _, base := range []Workload{
		struct{ Workload }{w},
		struct {
			Workload
			fakePython
		}{Workload: w},
		struct {
			Workload
			fakeGo
		}{Workload: w},
		struct {
			Workload
			fakeGo
			fakeWarmer
		}{Workload: w},
		struct {
			Workload
			fakeGo
			fakeSnap
		}{Workload: w},
		struct {
			Workload
			fakeGo
			fakeWarmer
			fakeSnap
		}{Workload: w},
		struct {
			Workload
			fakePython
			fakeGo
		}{Workload: w},
		struct {
			Workload
			fakePython
			fakeGo
			fakeWarmer
		}{Workload: w},
		struct {
			Workload
			fakePython
			fakeGo
			fakeSnap
		}{Workload: w},
		struct {
			Workload
			fakePython
			fakeGo
			fakeWarmer
			fakeSnap
		}{Workload: w},
	} {
		got := WithPayloads(base, list)
		if want := abilities(t, base); abilities(t, got) != want {
			t.Errorf("%T: can %s, want %s", base, abilities(t, got), want)
		}
		if got.Name() != w.Name() {
			t.Errorf("name %q", got.Name())
		}
		for id, want := range map[uint64]string{0: "[1]", 2: "[3]", 3: "[1]", 3000001: "[2]"} {
			if p := string(got.Payload(id, id)); p != want {
				t.Errorf("job %d: payload %s, want %s", id, p, want)
			}
		}
		if same := WithPayloads(base, nil); same != base {
			t.Errorf("%T without payloads became %T", base, same)
		}
	}
}

// abilities says which optional interfaces w has, and that they are the fakes'.
func abilities(t *testing.T, w Workload) string {
	t.Helper()
	var can []string
	if p, ok := w.(Python); ok && p.PythonFunction().Function == "f" {
		can = append(can, "Python")
	}
	if g, ok := w.(Go); ok {
		if result, err := g.Run(t.Context(), []byte("x")); err == nil && string(result) == "x" {
			can = append(can, "Go")
		}
	}
	if m, ok := w.(Warmer); ok && m.Warm(t.Context()).Error() == "warmed" {
		can = append(can, "Warmer")
	}
	if s, ok := w.(Snapshotter); ok {
		if mem, err := s.Snapshot(); err == nil && string(mem) == "snapshot" && s.Restore(nil).Error() == "restored" {
			can = append(can, "Snapshotter")
		}
	}
	return strings.Join(can, ", ")
}
