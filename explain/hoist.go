package explain

import "forkbench/internal/hoist"

// A Hoist is one-time work that a parent is to do before it forks, in this order.
type Hoist struct {
	Env     []string `json:"env,omitempty"`     // NAME=VALUE that must be set before a library is loaded
	Setup   []string `json:"setup,omitempty"`   // MODULE:NAME that set the application up first
	Modules []string `json:"modules,omitempty"` // that the jobs are in
	Steps   []Step   `json:"steps"`
}

// A Step is one piece of that work.
type Step struct {
	Import string `json:"import"`         // the module that it needs
	Call   string `json:"call,omitempty"` // the expression; empty where the import is all
}

// A Snippet is a file of Python with the work in its place, for one system that forks.
type Snippet struct {
	System string // "RQ"
	File   string // its name
	Text   string
}

// Snippets are the files to paste, one for each system.
func (h *Hoist) Snippets() []Snippet {
	w := hoist.Work{Env: h.Env, Setup: h.Setup, Modules: h.Modules}
	for _, s := range h.Steps {
		w.Steps = append(w.Steps, hoist.Step(s))
	}
	var list []Snippet
	for _, s := range hoist.Snippets(w) {
		list = append(list, Snippet(s))
	}
	return list
}
