package predict_test

import (
	"math"
	"testing"

	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/sim/profiles"
	"forkbench/whatif/predict"
)

func TestProfilesAreValid(t *testing.T) {
	for _, name := range profiles.Names() {
		if _, err := profiles.Read(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := profiles.Read(profiles.Default); err != nil {
		t.Error(err)
	}
	if _, err := profiles.Read("../profile"); err == nil {
		t.Error("a file outside was read")
	}
}

// TestRedash holds the profile against the account that it was made from: 1000
// jobs on 4 workers, without start-up.
func TestRedash(t *testing.T) {
	profile, err := profiles.Read("redash")
	if err != nil {
		t.Fatal(err)
	}
	a, err := predict.Run(t.Context(), predict.Question{
		Models: []predict.Model{
			{Name: "forkperjob", Executor: forkperjob.Model{}},
			{Name: "forkperjob, warm parents", Executor: forkperjob.Model{Warm: true}},
			{Name: "hybrid", Executor: hybrid.Model{}},
			{Name: "hybrid, 10 jobs per child", Executor: hybrid.Model{JobsPerChild: 10}},
			{Name: "hybrid, 100 jobs per child", Executor: hybrid.Model{JobsPerChild: 100}},
			{Name: "prefork, 10 jobs per child", Executor: prefork.Model{MaxJobsPerChild: 10}},
			{Name: "prefork, 100 jobs per child", Executor: prefork.Model{MaxJobsPerChild: 100}},
			{Name: "prefork", Executor: prefork.Model{}},
		},
		Profile: profile, Workers: 4, Cores: 4, Jobs: 1000, Replications: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	type figures struct{ wall, user, system float64 } // s
	published := map[string]figures{
		"forkperjob":               {102.6, 64.5, 24.8},
		"forkperjob, warm parents": {24.6, 8.4, 7.6},
		"hybrid":                   {24.6, 8.4, 7.6},
	}
	for _, p := range a.Models {
		r := &p.Runs[0].Round
		cpu := total(r)
		got := figures{r.WorkNS.Seconds(), cpu.User.Seconds(), cpu.System.Seconds()}
		t.Logf("%-27s %6.1f s wall %6.1f s user %6.1f s system, after %.1f s of start-up",
			p.Model, got.wall, got.user, got.system, r.StartupNS.Seconds())
		want, ok := published[p.Model]
		if !ok {
			continue
		}
		for _, x := range []struct {
			what      string
			got, want float64
		}{{"wall", got.wall, want.wall}, {"user", got.user, want.user}, {"system", got.system, want.system}} {
			if math.Abs(x.got/x.want-1) > 0.03 {
				t.Errorf("%s: %.2f s %s; published are %.1f", p.Model, x.got, x.what, x.want)
			}
		}
	}
}

func total(r *record.Round) record.CPU {
	return r.Children.Add(r.Parents).Add(r.Supervisor).Add(r.Redis)
}
