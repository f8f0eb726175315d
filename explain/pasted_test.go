package explain_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"forkbench/explain"
)

// TestGivenPasted: what was given and is of use goes into the files as the statement
// that does it, which may be no call, and a job is no statement at all.
func TestGivenPasted(t *testing.T) {
	for module, c := range map[string]struct{ given, want string }{
		"described":   {"described:settings.rates", "described.settings.rates"},
		"held":        {"held:client.load", "held.client.load()"},
		"subscripted": {"subscripted:tables['de']", "subscripted.tables['de']"},
		"filled":      {"job", ""},
	} {
		t.Run(module, func(t *testing.T) {
			p := plan(t, module, c.given)
			p.Jobs, p.Rounds, p.Verify = explain.MinJobs, 2, false
			r, err := p.Run(t.Context())
			check(t, err)
			if w := r.WarmUps[0]; w.Useless {
				t.Fatalf("%s: %s", w.Reference, w.Verdict)
			}
			if c.want == "" {
				if r.Hoist != nil {
					t.Errorf("to paste: %+v", r.Hoist)
				}
				return
			}
			if r.Hoist == nil || !slices.Equal(r.Hoist.Steps, []explain.Step{{Import: module, Call: c.want}}) {
				t.Fatalf("to paste: %+v", r.Hoist)
			}
			apps, err := filepath.Abs(filepath.Join("testdata", "apps"))
			check(t, err)
			for _, s := range r.Hoist.Snippets() {
				if s.File != "prefork.py" {
					continue
				}
				cmd := exec.Command("python3", "-B", "-c", s.Text+"\nbefore_fork()\n")
				cmd.Env = append(os.Environ(), "PYTHONPATH="+apps)
				if text, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s\n%s", err, s.Text, text)
				}
			}
		})
	}
}

// TestJobItself: a job is nothing that a parent is told to call, or tries, whatever
// of it is done once.
func TestJobItself(t *testing.T) {
	p := plan(t, "all_in_one")
	p.Jobs, p.Rounds, p.Verify = explain.MinJobs, 2, false
	r, err := p.Run(t.Context())
	check(t, err)
	it := wantFirst(t, r, "all_in_one.job")
	if it.Flag != "" || it.Untried != "" || len(it.Tried) > 0 || strings.Contains(r.Verdict, "all_in_one:job") {
		t.Errorf("--warm=%s, not tried %q, tried %q: %s", it.Flag, it.Untried, it.Tried, r.Verdict)
	}
}
