package held_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"forkbench/internal/held"
	"forkbench/record"
)

// holder is a process that has nothing but these files, from descriptor 3 on.
func holder(t *testing.T, files ...*os.File) int {
	t.Helper()
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = files
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

func open(t *testing.T, name string, flags int) *os.File {
	t.Helper()
	// Far from the numbers that the holder has: what both have under one is left out.
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 100)
	if err != nil {
		t.Fatal(err)
	}
	dup := os.NewFile(uintptr(fd), name)
	t.Cleanup(func() { _ = dup.Close() })
	return dup
}

// TestSameOpening: two openings of one file are two things, and a duplicate is
// none of its own.
func TestSameOpening(t *testing.T) {
	name := filepath.Join(t.TempDir(), "spool")
	first, second := open(t, name, os.O_RDWR|os.O_CREATE), open(t, name, os.O_RDWR)
	a := holder(t, first)
	things, err := held.Open(a)
	if err != nil || len(things) != 1 || things[0].Kind != record.HazardFile || things[0].What != "the file "+name+", open for reading and writing" {
		t.Fatalf("%+v, %v", things, err)
	}
	if b := holder(t, second, first); !things[0].In(b) {
		t.Error("the duplicate is not seen")
	}
	if b := holder(t, second); things[0].In(b) {
		t.Error("another opening of the file counts as the same")
	}
}

// TestOursIsNotTheirs: what this program has handed on, and what leads to it, is
// none of a process's own.
func TestOursIsNotTheirs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	pid := holder(t, theirs)
	_ = theirs.Close()
	if things, err := held.Open(pid); err != nil || len(things) != 0 {
		t.Errorf("%+v, %v; want nothing", things, err)
	}
	// Without its other end here, it is a socket of nobody's.
	_ = ours.Close()
	if things, err := held.Open(pid); err != nil || len(things) != 0 {
		t.Errorf("%+v, %v; want nothing", things, err)
	}
}

func TestOpenOfNobody(t *testing.T) {
	if _, err := held.Open(1 << 30); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a process that is not there: %v", err)
	}
	if _, err := held.Threads(1 << 30); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a process that is not there: %v", err)
	}
}

// TestThreads: this test's own, which are the Go runtime's.
func TestThreads(t *testing.T) {
	threads, err := held.Threads(os.Getpid())
	if err != nil || len(threads) == 0 {
		t.Fatalf("%+v, %v", threads, err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(threads, func(t held.Thread) bool { return t.Library == program && t.Name != "" }) {
		t.Errorf("%+v: none is in %s", threads, program)
	}
}

func TestPoolOf(t *testing.T) {
	for library, want := range map[string]string{
		"/x/numpy.libs/libscipy_openblas64_-4b78795a.so": "OPENBLAS_NUM_THREADS",
		"/usr/lib/x86_64-linux-gnu/libopenblas.so.0":     "OPENBLAS_NUM_THREADS",
		"/x/torch/lib/libgomp-a34b3233.so.1":             "OMP_NUM_THREADS",
		"/opt/conda/lib/libiomp5.so":                     "OMP_NUM_THREADS",
		"/opt/conda/lib/libmkl_rt.so.2":                  "MKL_NUM_THREADS",
		"/usr/lib/libtbb.so.12":                          "",
		// The extension of NumExpr is called as others' may be.
		"/x/site-packages/numexpr/interpreter.cpython-311-x86_64-linux-gnu.so": "NUMEXPR_NUM_THREADS",
	} {
		if pool, ok := held.PoolOf(library); !ok || pool.Variable != want {
			t.Errorf("%s: %+v, %v; want %s", library, pool, ok, want)
		}
	}
	for _, library := range []string{"", "/usr/lib/libc.so.6", "/x/cygrpc.cpython-311-x86_64-linux-gnu.so", "/x/numpy.libs/interpreter.so"} {
		if pool, ok := held.PoolOf(library); ok {
			t.Errorf("%q is %+v", library, pool)
		}
	}
}
