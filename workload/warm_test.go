package workload

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestCheckWarm(t *testing.T) {
	for _, good := range []string{
		"app:warm_up", "sqlalchemy.orm:configure_mappers", "app:Model.load", "httpx", "babel.localedata",
		"app:table('en')", "app:table('a,b)', 2, deep=[1, (2, \"x\")])", "app:settings.tables", "app:client().load('x').y", "app:TABLES['en']",
		`app:table('it\'s', "\\")`, "undo:app:engine.connect", "undo:app:db.engine.pool.connect()", "undo:f",
	} {
		if err := CheckWarm(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"":              "is not the name of a module",
		"app:":          "needs a function behind the colon, as in app.tasks:warm_up; app alone is the import of it",
		":f":            "is not the name of a module",
		"app:a b":       "is not a function, a call or an attribute",
		"app:table('en": "is not a function",
		"app:table(1]]": "is not a function",
		"app:f(\n)":     "has several lines",
		"app:f();g":     "is not a function",
		"app:+f":        "is not a function",
		"undo:app:":     "needs a function behind the colon",
		"undo::f":       "is not the name of a module",
	} {
		if err := CheckWarm(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", bad, err, want)
		}
	}
}

// TestUndo: a call that is to be undone comes with the module that does that; a
// module of the name undo is none.
func TestUndo(t *testing.T) {
	f := PythonFunction{}.WithWarm([]string{"undo:app:engine.connect"})
	if _, sent := f.Sources[undoModule]; !sent || !slices.Equal(f.Warm, []string{"forkbench_warm:warm_0"}) {
		t.Errorf("warm-ups %q, %d sources", f.Warm, len(f.Sources))
	}
	if f := (PythonFunction{}).WithWarm([]string{"undo:connect"}); f.Sources != nil || !slices.Equal(f.Warm, []string{"undo:connect"}) {
		t.Errorf("of a module: warm-ups %q, %d sources", f.Warm, len(f.Sources))
	}
}

func TestSplitList(t *testing.T) {
	for text, want := range map[string][]string{
		"a:b, c:d('x,y', [1,2]),e": {"a:b", "c:d('x,y', [1,2])", "e"},
		"a:b(')', \"',\"),c":       {"a:b(')', \"',\")", "c"},
		"":                         {""},
		"a:b('x,y":                 {"a:b('x,y"},
	} {
		if got := SplitList(text); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestWithWarm: the module that does more than calls by name comes along only
// where there is something for it to do.
func TestWithWarm(t *testing.T) {
	own := map[string]string{"app": "x = 1"}
	f := PythonFunction{Module: "app", Function: "job", Sources: own}
	if plain := f.WithWarm([]string{"app:warm_up"}); !slices.Equal(plain.Warm, []string{"app:warm_up"}) || len(plain.Sources) != 1 {
		t.Errorf("%+v", plain)
	}
	more := f.WithWarm([]string{"app:table('<é>')", "app:warm_up", "httpx"})
	if !slices.Equal(more.Warm, []string{"forkbench_warm:warm_0", "app:warm_up", "forkbench_warm:warm_1"}) {
		t.Errorf("warm-ups %q", more.Warm)
	}
	if !maps.Equal(own, map[string]string{"app": "x = 1"}) || len(more.Sources) != 2 {
		t.Errorf("sources %q, the workload's own %q", slices.Sorted(maps.Keys(more.Sources)), own)
	}
}

func FuzzSplitList(f *testing.F) {
	f.Add("a:b, c:d('x,y', [1,2]),e")
	f.Add("a(']")
	f.Fuzz(func(t *testing.T, text string) {
		for _, part := range SplitList(text) {
			if CheckWarm(part) == nil && len(SplitList(part)) != 1 {
				t.Errorf("%q is one reference, and splits into %q", part, SplitList(part))
			}
		}
	})
}
