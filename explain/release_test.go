package explain_test

import (
	"slices"
	"strings"
	"testing"

	"forkbench/explain"
	"forkbench/live"
)

// wantReleased checks that the first finding leaves something open, and is done in a
// parent all the same: made, and given up before the fork.
func wantReleased(t *testing.T, r *explain.Result, flag, dispose string) {
	t.Helper()
	if len(r.Findings) == 0 {
		t.Fatalf("nothing found: %s", r.Verdict)
	}
	it := r.Findings[0]
	u := it.Undo
	if u == nil {
		t.Fatalf("%s is not done and undone: tried %q, hazards %q", it.Call, it.Tried, it.Hazards)
	}
	if u.Flag != flag {
		t.Errorf("--warm=%s, want %s", u.Flag, flag)
	}
	if !slices.ContainsFunc(u.Undone, func(line string) bool { return strings.HasSuffix(line, ": "+dispose) }) {
		t.Errorf("given up by %q, want %s", u.Undone, dispose)
	}
	if len(it.Hazards) == 0 || it.WarmUp != nil || it.Flag != "" {
		t.Errorf("hazards %q, hoisted as it is by %q", it.Hazards, it.WarmUp)
	}
	if u.Spares < 0.15 || !slices.ContainsFunc(u.Does, func(part string) bool { return strings.Contains(part, ".initialize (") }) {
		t.Errorf("spares %.2f: %q, and not %q", u.Spares, u.Does, u.Left)
	}
	if u.Saved == nil || u.Saved.Unfit != nil {
		t.Errorf("measured: %+v", u.Saved)
	}
	for _, call := range []string{u.Call, dispose} {
		if r.Hoist == nil || !slices.ContainsFunc(r.Hoist.Steps, func(s explain.Step) bool { return s.Call == call }) {
			t.Errorf("nothing to paste for %s: %+v", call, r.Hoist)
		}
	}
}

// TestFirstConnect: what the first connection of an engine asks is asked in the
// parent, by name, and the connection is given up by the engine's own means: with
// SQLAlchemy as it is, and as it is pinned by many.
func TestFirstConnect(t *testing.T) {
	t.Run("new", func(t *testing.T) {
		needs(t, "sqlalchemy")
		r := explained(t, "connection")
		wantFirst(t, r, "sqlalchemy.pool.base.Pool._create_connection")
		wantReleased(t, r, "undo:connection:engine.connect", "connection.engine.dispose()")
	})
	t.Run("old, behind a property", func(t *testing.T) {
		r := explainedWith(t, old(t), "engine_of")
		wantReleased(t, r, "undo:engine_of:db.engine.connect", "engine_of.db.engine.dispose()")
	})
}

// TestGivenAndUndone: what is printed can be given.
func TestGivenAndUndone(t *testing.T) {
	p := plan(t, "engine_of", "undo:engine_of:db.engine.connect")
	python := p.Machine.Runtime.(live.Python)
	python.Path = append([]string{old(t)}, python.Path...)
	p.Machine.Runtime = python
	r, err := p.Run(t.Context())
	check(t, err)
	wantConsistent(t, r)
	w := r.WarmUps[0]
	if w.Useless || !strings.HasPrefix(w.Verdict, "spares each job ") || len(w.Hazards) > 0 || w.Saved == nil || w.Saved.Unfit != nil {
		t.Errorf("%s: %s, hazards %q, saved %+v", w.Reference, w.Verdict, w.Hazards, w.Saved)
	}
	want := []explain.Step{{Import: "engine_of", Call: "engine_of.db.engine.connect()"}, {Import: "engine_of", Call: "engine_of.db.engine.dispose()"}}
	if r.Hoist == nil || len(r.Hoist.Steps) < 2 || !slices.Equal(r.Hoist.Steps[:2], want) {
		t.Errorf("to paste: %+v", r.Hoist)
	}
}
