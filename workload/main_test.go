package workload

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test -update makes it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func mustParse(t testing.TB, spec string) Workload {
	t.Helper()
	w, err := Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// example is a description's example, with a file that is there.
func example(d Description) string {
	return strings.Replace(d.Example, "jobs.jsonl", jobFile, 1)
}

// A script is a Python program that imports a workload's modules.
type script struct {
	tmp string // its TMPDIR, empty at its start
	cmd *exec.Cmd
}

// findPython returns the interpreter itself: what is in PATH may be a slow
// wrapper.
var findPython = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	return strings.TrimSpace(string(out)), err
})

// pythonScript prepares a Python process in which w's modules can be imported and the
// variables f (the function), module, and call (which passes a payload to f as a
// runtime does) are defined. It reads no site packages and writes no caches.
func pythonScript(t testing.TB, w Workload, body string) *script {
	t.Helper()
	interpreter, err := findPython()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	p, ok := w.(Python)
	if !ok {
		t.Fatalf("%s does not run on Python", w.Name())
	}
	f := p.PythonFunction()
	modules := t.TempDir()
	for name, source := range WithApplication(f.Sources) {
		if err := os.WriteFile(filepath.Join(modules, name+".py"), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	prelude := `
import json, os, sys
import ` + f.Module + ` as module
f = module.` + f.Function + `
def call(payload):
    arguments = json.loads(payload)
    if isinstance(arguments, list):
        return f(*arguments)
    return f(**arguments) if isinstance(arguments, dict) else f(arguments)
`
	s := &script{tmp: t.TempDir(), cmd: exec.Command(interpreter, "-S", "-B", "-W", "error", "-c", prelude+body)}
	s.cmd.Env = append(os.Environ(), "PYTHONPATH="+modules, "TMPDIR="+s.tmp, "PYTHONIOENCODING=utf-8")
	s.cmd.Dir = s.tmp
	return s
}

// run runs the script to its successful end, checks that it left no file behind
// and decodes what it printed, one JSON value.
func (s *script) run(t testing.TB, result any) {
	t.Helper()
	out, stderr, err := s.output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	s.checkClean(t)
	if err := json.Unmarshal(out, result); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func (s *script) output() (stdout, stderr []byte, err error) {
	var out, errs bytes.Buffer
	s.cmd.Stdout, s.cmd.Stderr = &out, &errs
	err = s.cmd.Run()
	return out.Bytes(), errs.Bytes(), err
}

// checkClean checks that nothing is left in the script's TMPDIR, which is also
// where a core file would be.
func (s *script) checkClean(t testing.TB) {
	t.Helper()
	entries, err := os.ReadDir(s.tmp)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("left behind: %s", e.Name())
	}
}

// payloads returns the payloads of the first n jobs, one on a line.
func payloads(w Workload, n uint64) string {
	var b strings.Builder
	for id := range n {
		b.Write(w.Payload(1, id))
		b.WriteByte('\n')
	}
	return b.String()
}

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}
