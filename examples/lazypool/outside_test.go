package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOutside does what README's section on the library says, in a module that is
// not this one, word by word.
func TestOutside(t *testing.T) {
	root, err := filepath.Abs("../..")
	check(t, err)
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	check(t, err)
	_, section, _ := strings.Cut(string(text), "\n## The library\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := strings.Split(section, "```")
	if len(blocks) != 7 {
		t.Fatalf("%d blocks in the section, want a model, a program and a go.mod", len(blocks)/2)
	}
	method, program, mod := strings.TrimPrefix(blocks[1], "go\n"), strings.TrimPrefix(blocks[3], "go\n"), blocks[5]

	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	write("go.mod", strings.Replace(mod, "=> ../forkbench", "=> "+root, 1))
	write("main.go", program)
	write("pool.go", "package main\n\nimport (\n\"context\"\n\"forkbench/models\"\n)\n\n"+
		"type Pool struct{}\n\nfunc (Pool) Name() string { return \"mine\" }\n\n"+method)
	command := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	command("mod", "tidy")
	out := command("run", ".")
	if !strings.Contains(out, "100 jobs of record_event") || !strings.Contains(out, " mine ") {
		t.Errorf("it printed\n%s", out)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
