package live_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
)

// TestEnv: the machine's variables are those of every process that runs jobs,
// before anything is imported, whatever this program's own are.
func TestEnv(t *testing.T) {
	t.Setenv("FORKBENCH_TEST_ENV", "inherited")
	text := "import os\nat_import = os.environ['FORKBENCH_TEST_ENV']\ndef job(n):\n    return at_import\n"
	rig := newRig(t, script{text: text, function: "job"})
	rig.machine.Env = []string{"FORKBENCH_TEST_ENV=given"}
	for _, e := range []models.Executor{prefork.Model{}, forkperjob.Model{}, hybrid.Model{}} {
		var got []string
		if _, _, err := rig.run(spied{e, func(o models.Outcome) { got = append(got, string(o.Result)) }}, "[1]"); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, []string{`"given"`}) {
			t.Errorf("%s: jobs saw %q", e.Name(), got)
		}
	}
	rig.machine.Workload, rig.machine.Runtime = goEnv{}, live.Go{}
	var got []string
	if _, _, err := rig.run(spied{forkperjob.Model{}, func(o models.Outcome) { got = append(got, string(o.Result)) }}, "[1]"); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []string{`"given"`}) {
		t.Errorf("Go jobs saw %q", got)
	}
}

// goEnv returns the variable that TestEnv sets.
type goEnv struct{}

func (goEnv) Name() string               { return "go:env" }
func (goEnv) Payload(_, _ uint64) []byte { return []byte("[]") }
func (goEnv) Run(context.Context, []byte) ([]byte, error) {
	return json.Marshal(os.Getenv("FORKBENCH_TEST_ENV"))
}
