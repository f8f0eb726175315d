package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forkbench/conditions"
)

// Each command line in the manual that begins with "$ compare" is run for real,
// with fewer jobs.
func TestManual(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector sees these commands at work in the tests of each")
	}
	text, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if args, ok := strings.CutPrefix(strings.TrimSpace(line), "//\t$ compare"); ok {
			lines = append(lines, args)
		}
	}
	if len(lines) < 10 {
		t.Fatalf("only %d command lines found in the manual: %q", len(lines), lines)
	}
	for _, line := range lines {
		t.Run("compare"+line, func(t *testing.T) {
			b := newBench(t)
			b.copyTestdata()
			if strings.Contains(line, "--redis=") {
				server := startRedisServer(t, "--requirepass", "secret")
				t.Setenv("CELERY_BROKER_URL", "redis+socket://:secret@"+server.socket)
				line = strings.ReplaceAll(line, "redis://:secret@localhost:6379/0", "unix://:secret@"+server.socket)
			}
			code := exitDone
			if conditions.Environment().Race && strings.Contains(line, "p95") {
				code = exitCrossed // what cannot be checked counts as crossed
			}
			b.run(append(words(t, line), "--jobs=6", "--rounds=1")...).want(t, code)
		})
	}
}

// copyTestdata makes the application of the examples the working directory's.
func (b *bench) copyTestdata() {
	b.t.Helper()
	for _, name := range []string{"app/__init__.py", "app/tasks.py", "events.jsonl", "jobs.jsonl"} {
		text, err := fs.ReadFile(os.DirFS(b.testdata), name)
		if err != nil {
			b.t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			b.t.Fatal(err)
		}
		if err := os.WriteFile(name, text, 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
}

// words splits a command line as a shell would, as far as the manual's need it:
// single quotes, no others, no escapes.
func words(t *testing.T, line string) []string {
	t.Helper()
	var list []string
	var word strings.Builder
	begun, quoted := false, false
	for _, r := range line + " " {
		switch {
		case r == '\'':
			quoted, begun = !quoted, true
		case r == ' ' && !quoted:
			if begun {
				list = append(list, word.String())
			}
			word.Reset()
			begun = false
		case strings.ContainsRune("\"\\$`|&;<>*?", r) && !quoted:
			t.Fatalf("%q is for a real shell: quote it in %q", r, line)
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quoted {
		t.Fatalf("a quote is not closed in %q", line)
	}
	return list
}
