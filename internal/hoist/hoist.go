// Package hoist says where one-time work goes that is to be done once, before the
// forks: as Python to paste, for each system that forks.
package hoist

import (
	"embed"
	"fmt"
	"strings"
)

// A Step is one piece of that work.
type Step struct {
	Import string // the module that it needs
	Call   string // the expression; empty where the import is all
}

// Work is what is to be done, in order.
type Work struct {
	Env     []string // NAME=VALUE that must be set before a library is loaded
	Setup   []string // MODULE:NAME that set the application up first
	Modules []string // that the jobs are in
	Steps   []Step
}

// A Snippet is a file of Python for one system.
type Snippet struct {
	System string
	File   string // its name
	Text   string
}

//go:embed rq_worker.py celery_hoist.py gunicorn.conf.py prefork.py
var files embed.FS

var systems = []Snippet{
	{System: "RQ", File: "rq_worker.py"},
	{System: "Celery", File: "celery_hoist.py"},
	{System: "gunicorn", File: "gunicorn.conf.py"},
	{System: "a pre-fork server of your own", File: "prefork.py"},
}

// Lines of a file that are replaced: by the work, and by the variables.
const (
	mark      = "# HOISTED"
	variables = "# VARIABLES"
)

// Snippets is the work in its place, for each system.
func Snippets(w Work) []Snippet {
	list := make([]Snippet, len(systems))
	for i, s := range systems {
		text, err := files.ReadFile(s.File)
		if err != nil {
			panic(err) // it is embedded
		}
		var b strings.Builder
		for line := range strings.Lines(string(text)) {
			if line == variables+"\n" {
				b.WriteString(w.variables())
				continue
			}
			if indent, ok := strings.CutSuffix(strings.TrimRight(line, "\n"), mark); ok {
				for _, l := range w.lines() {
					fmt.Fprintf(&b, "%s%s\n", indent, l)
				}
				continue
			}
			b.WriteString(line)
		}
		s.Text = b.String()
		list[i] = s
	}
	return list
}

// Files lists the names of all files.
func Files() []string {
	var names []string
	for _, s := range systems {
		names = append(names, s.File)
	}
	return names
}

// variables sets what has to be set before a library is loaded.
func (w Work) variables() string {
	if len(w.Env) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "import os\n\n# Leaves pools of native threads without any: what forks must have none. A library reads it when it is loaded. Where\n"+
		"# anything imports one before this file, set it where the workers are started: %s\n", strings.Join(w.Env, " "))
	for _, variable := range w.Env {
		name, value, _ := strings.Cut(variable, "=")
		fmt.Fprintf(&b, "os.environ[%q] = %q\n", name, value)
	}
	return b.String() + "\n"
}

// lines are the statements: imports first, each once.
func (w Work) lines() []string {
	var imports, calls []string
	seen := make(map[string]bool)
	add := func(module string) {
		if module != "" && !seen[module] {
			seen[module] = true
			imports = append(imports, "import "+module)
		}
	}
	for _, m := range w.Modules {
		add(m)
	}
	for _, s := range w.Steps {
		add(s.Import)
		if s.Call != "" {
			calls = append(calls, s.Call)
		}
	}
	var first []string
	for _, s := range w.Setup {
		first = append(first, "# First set the application up, as "+s+" does.")
	}
	if len(w.Modules) == 0 {
		first = append(first, "# Import the modules that your jobs are in.")
	}
	lines := append(append(first, imports...), calls...)
	if len(imports) == 0 && len(calls) == 0 {
		lines = append(lines, "pass")
	}
	return lines
}
