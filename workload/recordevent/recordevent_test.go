package recordevent

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

// job is the arguments of a job.
func job(seed, id uint64) []byte { return Event(rand.New(rand.NewPCG(seed, id)), id) }

func newApplication(t testing.TB) *Application {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	a := new(Application)
	t.Cleanup(func() {
		if a.file != nil {
			if err := a.file.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return a
}

func TestRun(t *testing.T) {
	const n = 20
	a := newApplication(t)
	for id := range uint64(n) {
		result, err := a.Run(t.Context(), job(1, id))
		if err != nil {
			t.Fatal(err)
		}
		var number int
		if err := json.Unmarshal(result, &number); err != nil || number != int(id)+1 {
			t.Errorf("job %d returned %s", id, result)
		}
	}
	entries, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(entries) != 0 {
		t.Errorf("the file has a name: %v, %v", entries, err)
	}
	s := bufio.NewScanner(io.NewSectionReader(a.file, 0, 1<<20))
	rows := 0
	for ; s.Scan(); rows++ {
		var r row
		d := json.NewDecoder(bytes.NewReader(s.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil || r.ID != rows+1 {
			t.Errorf("row %d: %v, %s", rows+1, err, s.Text())
		}
	}
	if rows != n {
		t.Errorf("%d rows in the file, want %d", rows, n)
	}
}

func TestRunWithoutTMPDIR(t *testing.T) {
	a := newApplication(t)
	dir := filepath.Join(t.TempDir(), "none")
	t.Setenv("TMPDIR", dir)
	_, err := a.Run(t.Context(), job(1, 0))
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "set TMPDIR") {
		t.Errorf("error %v, want the directory %s in it", err, dir)
	}
	t.Setenv("TMPDIR", t.TempDir())
	if result, err := a.Run(t.Context(), job(1, 0)); err != nil || string(result) != "1" {
		t.Errorf("the next job: %s, %v; want row 1", result, err)
	}
}

// readOnly maps data into memory that cannot be written to, as a child gets it.
func readOnly(t testing.TB, data []byte) []byte {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "snapshot")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	mem, err := syscall.Mmap(int(f.Fd()), 0, len(data), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(mem); err != nil {
			t.Error(err)
		}
	})
	return mem
}

// TestSnapshot checks that a restored process makes the same rows, out of the
// memory it was given.
func TestSnapshot(t *testing.T) {
	warm, restored := newApplication(t), newApplication(t)
	if err := warm.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	if warm.file != nil {
		t.Error("warming opened a file")
	}
	before := warm.rules
	if err := warm.Warm(t.Context()); err != nil || warm.rules != before {
		t.Errorf("warmed twice: %v; compiled again: %t", err, warm.rules != before)
	}
	snapshot, err := warm.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	mem := readOnly(t, snapshot)
	if err := restored.Restore(mem); err != nil {
		t.Fatal(err)
	}
	for id := range uint64(300) {
		var rows [2]*row
		for i, a := range []*Application{warm, restored} {
			if _, err := a.Run(t.Context(), job(9, id)); err != nil {
				t.Fatal(err)
			}
			fields, err := decodeEvent(job(9, id))
			if err != nil {
				t.Fatal(err)
			}
			if rows[i], err = a.rules.makeRow(fields); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(rows[0], rows[1]); diff != "" {
			t.Fatalf("job %d (-warm +restored):\n%s", id, diff)
		}
	}
	again, err := restored.Snapshot()
	if err != nil || unsafe.SliceData(again) != unsafe.SliceData(mem) {
		t.Errorf("it does not use the memory it was given (%v)", err)
	}
}

func TestSnapshotOfColdProcess(t *testing.T) {
	snapshot, err := newApplication(t).Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := newApplication(t).Restore(snapshot); err != nil {
		t.Error(err)
	}
}

func TestRestoreErrors(t *testing.T) {
	a := newApplication(t)
	good, err := a.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int, to byte) []byte {
		mem := bytes.Clone(good)
		mem[at] = to
		return mem
	}
	const start = len(rulesMagic)
	bad := map[string][]byte{
		"empty":           nil,
		"of another form": change(start-1, '1'),
		"other sum":       change(start, good[start]+1),
		"other rules":     change(rulesHeader, good[rulesHeader]+1),
		"other code":      change(len(good)-1, good[len(good)-1]+1),
		"too long":        append(bytes.Clone(good), 0),
	}
	for n := 1; n < len(good); n += len(good)/50 + 1 {
		bad[fmt.Sprintf("cut to %d bytes", n)] = good[:n]
	}
	for name, mem := range bad {
		if err := new(Application).Restore(mem); !errors.Is(err, errSnapshot) {
			t.Errorf("%s: error %v, want %v", name, err, errSnapshot)
		}
	}
}

// FuzzRestore checks that no memory makes a process that restores it panic.
func FuzzRestore(f *testing.F) {
	good, err := new(Application).Snapshot()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(0, uint16(0), len(good), "Chrome/1")
	f.Add(rulesHeader, uint16(2), len(good), "/queries/1")
	f.Add(len(good)-instructionSize, uint16(9), len(good), "x")
	f.Fuzz(func(t *testing.T, at int, value uint16, size int, text string) {
		mem := bytes.Clone(good[:min(max(size, 0), len(good))])
		if at >= 0 && at+1 < len(mem) {
			mem[at], mem[at+1] = byte(value), byte(value>>8)
		}
		r, err := openRules(mem)
		if err != nil {
			return
		}
		for i := range tableCount {
			r.find(i, text)
			r.fit(i, text)
		}
	})
}

func BenchmarkApplication(b *testing.B) {
	ctx := context.Background()
	warm := newApplication(b)
	snapshot, err := warm.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			if err := new(Application).Warm(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("restore", func(b *testing.B) {
		mem := readOnly(b, snapshot)
		for b.Loop() {
			if err := new(Application).Restore(mem); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("warm", func(b *testing.B) {
		payload := job(1, 1)
		for b.Loop() {
			if _, err := warm.Run(ctx, payload); err != nil {
				b.Fatal(err)
			}
		}
	})
}
