package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sampledJobs is an application whose jobs take long enough to be sampled.
const sampledJobs = `import time

def record_event(user, action="view"):
    return build_table(time.process_time() + 0.5)

def build_table(until):
    while time.process_time() < until:
        pass
`

// TestPySpyRecipe runs the commands of docs/explain.md as they stand there, with the
// real py-spy: the comparison goes to its end, and the picture shows its jobs.
func TestPySpyRecipe(t *testing.T) {
	if testing.Short() {
		t.Skip("what is tested is py-spy, and no code that the race detector sees")
	}
	if _, err := exec.LookPath("py-spy"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no py-spy on PATH: `make deps`")
	}
	text, err := os.ReadFile("../../docs/explain.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## A second opinion\n")
	if !found {
		t.Fatal("docs/explain.md has no second opinion")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	script := "set -u\n"
	for line := range strings.Lines(section) {
		if command, indented := strings.CutPrefix(line, "    "); indented {
			script += command
		}
	}
	if !strings.Contains(script, "compare ") || !strings.Contains(script, "py-spy ") {
		t.Fatalf("these are not the commands:\n%s", script)
	}

	b := newBench(t)
	b.copyTestdata()
	if err := os.WriteFile("app/tasks.py", []byte(sampledJobs), 0o644); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	compare := fmt.Sprintf("#!/bin/sh\n%s=%s exec '%s' \"$@\" --jobs=8 --rounds=1 --workers=2 --quiet --out=out\n", commandVar, commandIsQuick, self)
	if err := os.WriteFile(filepath.Join(bin, "compare"), []byte(compare), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))

	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "bash", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := summaryIn(t, "out")
	if len(s.Models) != 1 || s.Models[0].Jobs.Done != 8 {
		t.Errorf("not all jobs were done: %+v\n%s", s.Models, out)
	}
	graph, err := os.ReadFile("forks.svg")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(graph), "build_table") {
		t.Errorf("the picture shows no job\n%s", out)
	}
}
