package runner

import (
	"slices"
	"testing"

	"forkbench/live"
	"forkbench/models"
	pool "forkbench/models/prefork"
	"forkbench/workload"
)

// TestLiveSpec: the records of a program's comparison say what was done for its jobs,
// so that nobody is told to name a warm-up that was named.
func TestLiveSpec(t *testing.T) {
	o := Options{
		Models:  []models.Executor{pool.Model{}},
		Runtime: live.Python{Setup: []string{"app:create"}, Warm: []string{"app:warm"}},
	}.withDefaults()
	work, err := workload.Parse(o.Workload)
	if err != nil {
		t.Fatal(err)
	}
	arrivals, err := workload.ParseArrivals(o.Arrivals)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := o.spec(work, arrivals)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(spec.Setup, []string{"app:create"}) || len(spec.Warm) == 0 || spec.Warm[len(spec.Warm)-1] != "app:warm" {
		t.Errorf("setup %q, warm %q", spec.Setup, spec.Warm)
	}
	if !namesWarming(&spec, "prefork") {
		t.Error("nobody is said to have named a warm-up")
	}
}
