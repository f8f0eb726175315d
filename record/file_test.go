package record_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"forkbench/models"
	"forkbench/record"
)

// full is one line of each kind with every field set.
func full() []record.Line {
	lines := []record.Line{new(record.Header), new(record.Job), new(record.Process), new(record.Sample), new(record.Round), new(record.Prediction)}
	n := 0
	for _, l := range lines {
		fill(reflect.ValueOf(l).Elem(), &n)
	}
	lines[0].(*record.Header).Version = record.Version
	return lines
}

// fill sets every field to a value that no other has.
func fill(v reflect.Value, n *int) {
	*n++
	if v.CanAddr() {
		switch p := v.Addr().Interface().(type) {
		case *time.Time:
			*p = time.Unix(int64(*n), 123456789).UTC()
			return
		case *models.Status:
			*p = models.Crashed
			return
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field, n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString(fmt.Sprintf("line %d\n\t\"é\" \\ </script>", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(-int64(*n))
	case reflect.Uint64:
		v.SetUint(math.MaxUint64 - uint64(*n))
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.1)
	default:
		panic("a field of a kind that this test does not know: " + v.Type().String())
	}
}

func write(t *testing.T, lines ...record.Line) string {
	t.Helper()
	var file bytes.Buffer
	w := record.NewWriter(&file)
	for _, l := range lines {
		if err := w.Write(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return file.String()
}

// read is everything that Read yields: lines, then an error or nil.
func read(r io.Reader) ([]record.Line, error) {
	var lines []record.Line
	for l, err := range record.Read(r) {
		if err != nil {
			return lines, err
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func TestRoundTripOfEveryField(t *testing.T) {
	want := full()
	file := write(t, want...)
	if got := strings.Count(file, "\n"); got != len(want) {
		t.Errorf("%d lines in the file, want %d", got, len(want))
	}
	for i, kind := range []string{"run", "job", "process", "sample", "round", "prediction"} {
		if line := strings.Split(file, "\n")[i]; !strings.HasPrefix(line, `{"kind":"`+kind+`",`) {
			t.Errorf("line %d does not begin with its kind, %q: %.40s", i+1, kind, line)
		}
	}
	got, err := read(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestZeroLinesRoundTrip(t *testing.T) {
	want := []record.Line{
		&record.Header{Version: record.Version},
		&record.Job{Status: models.Done},
		new(record.Process), new(record.Sample), new(record.Round),
	}
	got, err := read(strings.NewReader(write(t, want...)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadErrorsNameTheLine(t *testing.T) {
	header := write(t, &record.Header{Version: record.Version})
	sample := write(t, &record.Sample{Model: "prefork"})
	for _, c := range []struct {
		name, file string
		line       int
		want       string
	}{
		{"empty", "", 1, "the file is empty"},
		{"not JSON", header + "what\n", 2, "invalid character"},
		{"not an object", header + "[]\n", 2, "cannot unmarshal array"},
		{"null", header + "null\n", 2, `unknown kind ""`},
		{"blank line", header + sample + "\n" + sample, 3, "unexpected end of JSON input"},
		{"unknown kind", header + `{"kind":"jobs"}` + "\n", 2, `unknown kind "jobs"`},
		{"wrong type", header + `{"kind":"job","id":"x"}` + "\n", 2, "cannot unmarshal string"},
		{"unknown status", header + `{"kind":"job","status":"gone"}` + "\n", 2, `unknown status "gone"`},
		{"older version", strings.Replace(header, `"version":1`, `"version":0`, 1), 1, "format version 0: this program reads version 1"},
		{"newer version", strings.Replace(header, `"version":1`, `"version":2`, 1), 1, "format version 2: this program reads version 1"},
		{"no header", sample, 1, "the header must be the first line, and only there"},
		{"two headers", header + sample + header, 3, "the header must be the first line, and only there"},
		{"half a line", header + sample[:len(sample)-1], 2, "the file ends in the middle of a line"},
		{"endless line", header + strings.Repeat("x", 17<<20), 2, "token too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines, err := read(strings.NewReader(c.file))
			var syntax *record.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("error %v (%T), want a SyntaxError", err, err)
			}
			if syntax.Line != c.line || !strings.HasPrefix(err.Error(), fmt.Sprintf("line %d: ", c.line)) {
				t.Errorf("error %q, want line %d", err, c.line)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want %q in it", err, c.want)
			}
			if len(lines) != c.line-1 {
				t.Errorf("%d lines before it, want %d", len(lines), c.line-1)
			}
		})
	}
}

// TestKindAnywhere: another program may have written the fields in another order.
func TestKindAnywhere(t *testing.T) {
	header := write(t, &record.Header{Version: record.Version})
	lines, err := read(strings.NewReader(header + `{"id":7,"status":"done","kind":"job"}` + "\n" + `{ "kind" : "sample" }` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]record.Line{&record.Job{ID: 7, Status: models.Done}, new(record.Sample)}, lines[1:]); diff != "" {
		t.Error(diff)
	}
}

func TestReadReportsTheReadersError(t *testing.T) {
	broken := errors.New("broken")
	file := write(t, &record.Header{Version: record.Version})
	lines, err := read(io.MultiReader(strings.NewReader(file), failing{broken}))
	if !errors.Is(err, broken) || len(lines) != 1 {
		t.Errorf("%d lines and error %v, want 1 and %v", len(lines), err, broken)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A killed program leaves a file that ends anywhere: the whole lines must be
// readable, and only a cut between two lines goes unnoticed.
func TestTruncatedAnywhere(t *testing.T) {
	all := full()
	file := write(t, all...)
	for cut := 1; cut < len(file); cut++ {
		lines, err := read(strings.NewReader(file[:cut]))
		whole := strings.Count(file[:cut], "\n")
		if diff := cmp.Diff(all[:whole], lines, cmp.Transformer("len", func(l []record.Line) int { return len(l) })); diff != "" {
			t.Fatalf("cut at %d: %s", cut, diff)
		}
		if between := file[cut-1] == '\n'; between != (err == nil) {
			t.Fatalf("cut at %d: error %v", cut, err)
		} else if !between && !errors.Is(err, record.ErrTruncated) {
			t.Fatalf("cut at %d: error %v, want ErrTruncated", cut, err)
		}
	}
}

func TestReadStopsWhenAsked(t *testing.T) {
	file := write(t, full()...)
	n := 0
	for _, err := range record.Read(strings.NewReader(file)) {
		if n++; err != nil || n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
}

func TestWriteRefusesWhatHasNoForm(t *testing.T) {
	var file bytes.Buffer
	w := record.NewWriter(&file)
	if err := w.Write(&record.Job{}); err == nil {
		t.Error("a job without a status was written")
	}
	// That was the caller's mistake, not the file's: it stays usable.
	if err := w.Write(&record.Sample{}); err != nil {
		t.Error(err)
	}
	if err := w.Flush(); err != nil {
		t.Error(err)
	}
	if got := file.String(); strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, `{"kind":"sample"`) {
		t.Errorf("file %q", got)
	}
}

// A disk that is full after some bytes.
type disk struct {
	room   int
	writes int
}

func (d *disk) Write(p []byte) (int, error) {
	d.writes++
	n := min(d.room, len(p))
	d.room -= n
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func TestFullDisk(t *testing.T) {
	d := &disk{room: 100_000}
	w := record.NewWriter(d)
	var err error
	for range 10_000 {
		if err = w.Write(&record.Sample{Model: "prefork"}); err != nil {
			break
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("error %v, want %v", err, syscall.ENOSPC)
	}
	writes := d.writes
	d.room = 1 << 30 // somebody tidied up: half a line is in the file all the same
	if again := w.Write(&record.Sample{}); !errors.Is(again, err) {
		t.Errorf("the next Write: %v, want %v", again, err)
	}
	if again := w.Flush(); !errors.Is(again, err) {
		t.Errorf("Flush: %v, want %v", again, err)
	}
	if d.writes != writes {
		t.Errorf("%d more writes after the error", d.writes-writes)
	}
}

func TestFullDiskAtFlush(t *testing.T) {
	w := record.NewWriter(new(disk))
	if err := w.Write(&record.Sample{}); err != nil {
		t.Fatalf("a line that fits in memory: %v", err)
	}
	if err := w.Flush(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Flush: %v, want %v", err, syscall.ENOSPC)
	}
	if err := w.Write(&record.Sample{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Write after it: %v, want %v", err, syscall.ENOSPC)
	}
}

func TestRealFullDisk(t *testing.T) {
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := record.NewWriter(f)
	if err := w.Write(&record.Header{Version: record.Version}); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Flush: %v, want %v", err, syscall.ENOSPC)
	}
}

func TestConcurrentWriters(t *testing.T) {
	const writers, each = 8, 500
	var file bytes.Buffer
	w := record.NewWriter(&file)
	if err := w.Write(&record.Header{Version: record.Version}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for slot := range writers {
		wg.Go(func() {
			for i := range each {
				j := record.Job{ID: uint64(i), Slot: slot, Status: models.Failed, Detail: strings.Repeat("x", i)}
				if err := w.Write(&j); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	next := make([]uint64, writers) // each writer's lines keep their order
	for l, err := range record.Read(&file) {
		if err != nil {
			t.Fatal(err)
		}
		j, ok := l.(*record.Job)
		if !ok {
			continue
		}
		if j.ID != next[j.Slot] || len(j.Detail) != int(j.ID) {
			t.Fatalf("writer %d: job %d with %d bytes, want job %d", j.Slot, j.ID, len(j.Detail), next[j.Slot])
		}
		next[j.Slot]++
	}
	for slot, n := range next {
		if n != each {
			t.Errorf("writer %d: %d lines, want %d", slot, n, each)
		}
	}
}

func TestCPUArithmetic(t *testing.T) {
	a, b := record.CPU{User: 5, System: 3}, record.CPU{User: 1, System: 2}
	if got := a.Total(); got != 8 {
		t.Errorf("Total %d, want 8", got)
	}
	if got, want := a.Sub(b), (record.CPU{User: 4, System: 1}); got != want {
		t.Errorf("Sub %v, want %v", got, want)
	}
	if got := a.Sub(b).Add(b); got != a {
		t.Errorf("Sub then Add %v, want %v", got, a)
	}
}

// Whatever the file: no panic, every error names its line, and what was read
// can be written and read again.
func FuzzRead(f *testing.F) {
	var file bytes.Buffer
	w := record.NewWriter(&file)
	for _, l := range full() {
		if err := w.Write(l); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		f.Fatal(err)
	}
	whole := file.String()
	f.Add([]byte(whole))
	f.Add([]byte(whole[:len(whole)/2]))
	for line := range strings.Lines(whole) {
		f.Add([]byte(line))
	}
	f.Add([]byte(`{"kind":"run","version":1,"spec":{"models":[{"knobs":{}}],"warm":[]}}` + "\n"))
	f.Add([]byte(`{"kind":"run","version":1}` + "\n" + `{"kind":"job","status":"done","due_ns":-9223372036854775808}` + "\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := read(bytes.NewReader(data))
		var syntax *record.SyntaxError
		if err != nil && (!errors.As(err, &syntax) || syntax.Line != len(lines)+1) {
			t.Fatalf("after %d lines: %v", len(lines), err)
		}
		if err == nil && len(lines) == 0 {
			t.Fatal("a file without lines was read without an error")
		}
		var second bytes.Buffer
		w := record.NewWriter(&second)
		for i, l := range lines {
			if j, ok := l.(*record.Job); ok && j.Status == 0 {
				return // a job without its status has no form
			}
			if err := w.Write(l); err != nil {
				t.Fatalf("line %d: %v", i+1, err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if len(lines) == 0 {
			return
		}
		again, err := read(&second)
		if err != nil {
			t.Fatalf("read again: %v", err)
		}
		if diff := cmp.Diff(lines, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func ExampleRead() {
	var file bytes.Buffer
	w := record.NewWriter(&file)
	lines := []record.Line{
		&record.Header{Version: record.Version},
		&record.Job{Model: "prefork", ID: 7, Status: models.Done, FinishedNS: 3 * time.Millisecond},
	}
	for _, l := range lines {
		if err := w.Write(l); err != nil {
			fmt.Println(err)
		}
	}
	if err := w.Flush(); err != nil {
		fmt.Println(err)
	}

	for l, err := range record.Read(&file) {
		if err != nil {
			fmt.Println(err)
			break
		}
		if job, ok := l.(*record.Job); ok {
			fmt.Println("job", job.ID, job.Status, "after", job.FinishedNS)
		}
	}
	// Output: job 7 done after 3ms
}
