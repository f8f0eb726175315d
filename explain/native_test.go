package explain_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestPoolOfThreads: an import that starts the threads of a native pool is done in
// the parent with that pool at one thread, and the variable is printed.
func TestPoolOfThreads(t *testing.T) {
	needs(t, "numpy")
	if runtime.NumCPU() < 2 {
		t.Skip("OpenBLAS starts no thread on a machine with one core")
	}
	r := explained(t, "numbers_imported")
	it := wantPaste(t, r, "numpy", "--env=OPENBLAS_NUM_THREADS=1 --warm=numpy")
	if want := []string{"OPENBLAS_NUM_THREADS=1"}; !slices.Equal(it.Env, want) || !slices.Equal(r.Env, want) {
		t.Errorf("tried with %q, measured with %q; want %q", it.Env, r.Env, want)
	}
	if len(it.Hazards) > 0 {
		t.Errorf("hazards %q", it.Hazards)
	}
	if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "the pool of OpenBLAS (lib") }) {
		t.Errorf("no word of whose threads they are: %q", r.Notes)
	}
}

// TestPoolAtImport: where the application itself has started the pool, it is explained
// all the same, at one thread, and what that alone saves is measured.
func TestPoolAtImport(t *testing.T) {
	needs(t, "numpy")
	if runtime.NumCPU() < 2 {
		t.Skip("OpenBLAS starts no thread on a machine with one core")
	}
	r := explained(t, "numbers_at_top")
	if want := []string{"OPENBLAS_NUM_THREADS=1"}; !slices.Equal(r.Env, want) || r.Limiting == nil || r.Limiting.Name != want[0] {
		t.Errorf("measured with %q, which saves %+v; want %q", r.Env, r.Limiting, want)
	}
	if !slices.ContainsFunc(r.Notes, func(n string) bool {
		return strings.Contains(n, "has native threads before its first job: a native thread") && strings.Contains(n, "(OpenBLAS). ") &&
			strings.Contains(n, "with OPENBLAS_NUM_THREADS=1") && strings.Contains(n, "By themselves they save")
	}) {
		t.Errorf("no word of whose threads they are: %q", r.Notes)
	}
	// What it needs stands in what is pasted.
	if r.Hoist == nil || !slices.Equal(r.Hoist.Env, r.Env) {
		t.Errorf("to paste: %+v", r.Hoist)
	}
}

// TestThreadIsNotAPool: a thread of Python's own stays a hazard, and no variable is
// advised.
func TestThreadIsNotAPool(t *testing.T) {
	r := explained(t, "not_in_parent")
	if r.Env != nil {
		t.Errorf("measured with %q", r.Env)
	}
}
