package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A recipe is a section of docs/recipes.md: files, and commands to run on them.
type recipe struct {
	name     string
	files    map[string]string
	commands []string
}

var fileBlock = regexp.MustCompile("(?s)\n`([^`\n]+)`:\n\n```[a-z]+\n(.*?)```\n")

func recipes(t *testing.T) []recipe {
	t.Helper()
	text, err := os.ReadFile("../../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	var list []recipe
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		name, _, _ := strings.Cut(section, "\n")
		r := recipe{name: name, files: make(map[string]string)}
		for _, found := range fileBlock.FindAllStringSubmatch(section, -1) {
			r.files[found[1]] = found[2]
		}
		for line := range strings.Lines(fileBlock.ReplaceAllString(section, "")) {
			if command, indented := strings.CutPrefix(strings.TrimRight(line, "\n"), "    "); indented {
				r.commands = append(r.commands, command)
			}
		}
		list = append(list, r)
	}
	return list
}

// TestRecipes runs what docs/recipes.md says, as it stands there: every job is
// done in each model, and in the real Celery and RQ.
func TestRecipes(t *testing.T) {
	if testing.Short() {
		t.Skip("minutes under the race detector, which finds nothing in Python")
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal(err)
	}
	list := recipes(t)
	if len(list) != 4 {
		t.Errorf("%d recipes, want 4", len(list))
	}
	for _, r := range list {
		t.Run(strings.Fields(r.name)[0], func(t *testing.T) {
			b := newBench(t)
			r.files["numbers.jsonl"] = "[1]\n[2]\n[3]\n[4]\n[5]\n"
			for name, text := range r.files {
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			compared := 0
			for _, command := range r.commands {
				words := strings.Fields(strings.ReplaceAll(command, "'", ""))
				switch words[0] {
				case "export":
					name, value, _ := strings.Cut(words[1], "=")
					t.Setenv(name, value)
				case "python":
					if out, err := exec.Command(python, words[1:]...).CombinedOutput(); err != nil {
						t.Fatalf("%s: %v\n%s", command, err, out)
					}
				case "compare":
					compared++
					out := fmt.Sprintf("out%d", compared)
					r := b.run(append(words[1:], "--jobs=20", "--rounds=1", "--workers=2", "--quiet", "--fail-if=failed>0", "--out="+out)...)
					r.want(t, exitDone)
					s := summaryIn(t, out)
					for _, m := range s.Models {
						if m.Jobs.Done != 20 {
							t.Errorf("%s: %s: %+v", command, m.Model, m.Jobs)
						}
					}
					if len(s.Errors) > 0 || len(s.Spec.Setup) != 1 || !strings.Contains(r.stdout, "set up by "+s.Spec.Setup[0]) {
						t.Errorf("%s: errors %q, set up by %q\n%s", command, s.Errors, s.Spec.Setup, r.stdout)
					}
				default:
					t.Errorf("no test for %q", command)
				}
			}
			if compared == 0 {
				t.Error("the recipe compares nothing")
			}
		})
	}
}
