package live_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
)

// warmable is a module with what can be warmed in it; its job says what was.
const warmable = `
import functools, sys

DONE, NUMBER = [], 3

def plain():
    DONE.append("plain")

def table(key, size=1, *, deep=None):
    DONE.append(f"table {key!r} {size} {deep!r}")
    return plain

class Settings:
    @functools.cached_property
    def tables(self):
        DONE.append("tables")
        return plain  # is not called: reading it was the work

    def load(self, key="none"):
        DONE.append(f"load {key}")
        return self

    @classmethod
    def of_class(cls):
        DONE.append("of class")

    def __getitem__(self, key):
        DONE.append(f"item {key}")

settings = Settings()

def job():
    return DONE + (["import"] if "colorsys" in sys.modules else [])
`

// TestWarmReferences: each form of a reference does what it says in a parent, and
// nothing where no parent is to be warm.
func TestWarmReferences(t *testing.T) {
	for reference, want := range map[string]string{
		"script:plain":       `["plain"]`,
		"script:table('en')": `["table 'en' 1 None"]`,
		`script:table("a,b", 2, deep=[1, {'k': (None, -1)}])`: `["table 'a,b' 2 [1, {'k': (None, -1)}]"]`,
		"script:settings.tables":                              `["tables"]`,
		"script:settings.load":                                `["load none"]`,
		"script:settings.load('a').load('b')":                 `["load a","load b"]`,
		"script:Settings.of_class":                            `["of class"]`,
		"script:settings['k']":                                `["item k"]`,
		"colorsys":                                            `["import"]`,
	} {
		t.Run(reference, func(t *testing.T) {
			work := script{text: warmable, function: "job"}
			for _, c := range []struct {
				executor models.Executor
				want     string
			}{{hybrid.Model{}, want}, {forkperjob.Model{}, "[]"}} {
				rig := newRig(t, work)
				rig.machine.Workers, rig.machine.Runtime = 1, live.Python{Warm: []string{reference}}
				var results []string
				probe := spied{c.executor, func(o models.Outcome) {
					results = append(results, strings.ReplaceAll(string(o.Result), `", "`, `","`))
				}}
				if _, _, err := rig.run(probe, repeat(1, "[]")...); err != nil {
					t.Fatal(err)
				}
				if len(results) != 1 || results[0] != c.want {
					t.Errorf("in %s the job saw %s, want %s", c.executor.Name(), results, c.want)
				}
			}
		})
	}
}

// TestWrongWarmReferences: what leads nowhere is known before a job runs, and says
// how to write it.
func TestWrongWarmReferences(t *testing.T) {
	for reference, want := range map[string]string{
		"script:table(NUMBER)":  "NUMBER is no literal",
		"script:table(*[1])":    "takes no * and no **",
		"script:table(1":        "is no call of Python",
		"script:NUMBER.x":       "script:NUMBER has no attribute 'x'",
		"script:settings.wrong": "script:settings has no attribute 'wrong'; it has load, of_class, tables",
		"script:NUMBER(1)":      "script:NUMBER is not callable: it is of type int",
		"no_such_module":        "no module named 'no_such_module' on sys.path",
		"no_such_module:f(1)":   "no module named 'no_such_module' on sys.path",
		"script.plain:x.y":      "plain is in the module script: write script:plain",
	} {
		t.Run(reference, func(t *testing.T) {
			m := live.Machine{
				Workers: 1, Workload: script{text: warmable, function: "job"}, Runtime: live.Python{Warm: []string{reference}},
				BootTimeout: 20 * time.Second, Grace: 200 * time.Millisecond,
			}
			_, err := m.Check(t.Context())
			var boot *live.BootError
			if !errors.As(err, &boot) || !boot.NotFound() || !strings.Contains(boot.Error(), want) {
				t.Errorf("Check: %v; want %q", err, want)
			}
		})
	}
}
