package plots

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"forkbench/runner"
)

func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "cpu.svg")
	if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	names, err := Write(dir, threeModels())
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, p := range All() {
		want = append(want, p.Name+".svg", p.Name+".png")
	}
	diff(t, "names", want, names)
	diff(t, "files", len(want), len(listing(t, dir)))
	for _, n := range names {
		info, err := os.Stat(filepath.Join(dir, n))
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() < 1000 || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: %d bytes, %v", n, info.Size(), info.Mode())
		}
	}
}

func TestWriteErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	occupied := t.TempDir()
	if err := os.Mkdir(filepath.Join(occupied, "throughput.png"), 0o755); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing")
	for _, c := range []struct {
		name, dir string
		file      string // named in the error
		is        error
		written   []string
	}{
		{"no such directory", missing, "throughput.svg", fs.ErrNotExist, nil},
		{"not a directory", file, "throughput.svg", syscall.ENOTDIR, nil},
		{"a directory in the file's place", occupied, "throughput.png", syscall.EEXIST, []string{"throughput.svg"}},
	} {
		names, err := Write(c.dir, threeModels())
		if !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %v", c.name, err, c.is)
		} else if !strings.HasPrefix(err.Error(), "write "+filepath.Join(c.dir, c.file)+": ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q does not name the file first, on one line", c.name, err)
		}
		diff(t, c.name+": written", c.written, names)
	}
	diff(t, "left behind", []string{"throughput.png", "throughput.svg"}, listing(t, occupied))
}

// TestWriteDespiteDefect wants all plots but the one that panics, and its name.
func TestWriteDespiteDefect(t *testing.T) {
	plots := All()
	plots[1].build = func(*runner.Analysis) chart {
		var path []int
		return noData(strings.Repeat("x", path[len(path)-1]))
	}
	dir := t.TempDir()
	names, err := write(dir, plots, threeModels())
	d, ok := errors.AsType[*defect](err)
	if !ok || d.plot != plots[1].Name {
		t.Fatalf("got %v, want a defect of %s", err, plots[1].Name)
	}
	for _, want := range []string{`"` + plots[1].Name + `"`, "index out of range [-1]"} {
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: want %s in it, on one line", err, want)
		}
	}
	var want []string
	for i, p := range plots {
		if i != 1 {
			want = append(want, p.Name+".svg", p.Name+".png")
		}
	}
	diff(t, "names", want, names)
	diff(t, "files", len(want), len(listing(t, dir)))

	// A file that cannot be written ends it; the defect before it is told too.
	occupied := t.TempDir()
	if err := os.Mkdir(filepath.Join(occupied, plots[2].Name+".svg"), 0o755); err != nil {
		t.Fatal(err)
	}
	names, err = write(occupied, plots, threeModels())
	if _, ok := errors.AsType[*defect](err); !ok || !errors.Is(err, syscall.EEXIST) {
		t.Errorf("got %v, want the defect and %v", err, syscall.EEXIST)
	}
	diff(t, "names", want[:2], names)
}

// TestWriteFileKeepsOld wants a failed write to leave the old file and nothing
// else.
func TestWriteFileKeepsOld(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.svg")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := writeFile(path, func(w io.Writer) error {
		if _, err := io.WriteString(w, "half"); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	diff(t, "files", []string{"a.svg"}, listing(t, dir))
	if b, err := os.ReadFile(path); err != nil || string(b) != "old" {
		t.Errorf("the old file holds %q, %v", b, err)
	}
}

// TestFull writes where no file may grow beyond 4 kB, which fails in the middle
// of a write as a full disk does. The limit is a process's, so a copy of this
// test binary takes it.
func TestFull(t *testing.T) {
	const marker = "PLOTS_TEST_FULL_DIR"
	if dir := os.Getenv(marker); dir != "" {
		signal.Ignore(syscall.SIGXFSZ)
		limit := syscall.Rlimit{Cur: 4096, Max: 4096}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		names, err := Write(dir, threeModels())
		if len(names) != 0 || !errors.Is(err, syscall.EFBIG) || !strings.HasPrefix(err.Error(), "write "+dir+"/throughput.svg: ") {
			t.Errorf("wrote %v, then %v", names, err)
		}
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestFull$")
	cmd.Env = append(os.Environ(), marker+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	diff(t, "left behind", 0, len(listing(t, dir)))
}

// BenchmarkWrite is the whole set for the default comparison.
func BenchmarkWrite(b *testing.B) {
	a, dir := threeModels(), b.TempDir()
	for b.Loop() {
		if _, err := Write(dir, a); err != nil {
			b.Fatal(err)
		}
	}
}
