package runner

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkbench/live"
	"forkbench/models"
	pool "forkbench/models/prefork"
	"forkbench/record"
	"forkbench/stream"
	"forkbench/workload"
)

// TestLiveSpec: the records of a program's comparison say what was done for its jobs,
// so that nobody is told to name a warm-up that was named.
func TestLiveSpec(t *testing.T) {
	o := Options{
		Models:  []models.Executor{pool.Model{}, Named("limited", pool.Model{MaxJobsPerChild: 10, Warm: true})},
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
	server, err := stream.Start(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	plan := Plan{Rounds: o.Rounds}
	for _, e := range o.Models {
		plan.Contestants = append(plan.Contestants, Contestant{Name: e.Name(), Executor: e})
	}
	work = workload.WithPayloads(work, [][]byte{[]byte("[1]"), []byte("[2]")})
	machine := &live.Machine{Workers: o.Workers, Workload: work, Runtime: o.Runtime, Server: server}
	plan.Describe(machine, live.Application{Version: "3.11.2", Executable: "python3"}, Load{o.Jobs, arrivals, o.Seed})
	spec := plan.Header.Spec
	if !slices.Equal(spec.Setup, []string{"app:create"}) || len(spec.Warm) == 0 || spec.Warm[len(spec.Warm)-1] != "app:warm" {
		t.Errorf("setup %q, warm %q", spec.Setup, spec.Warm)
	}
	if spec.Listed != 2 || !strings.Contains(plan.Header.Environment.Go, "GOMAXPROCS=") || plan.Header.Environment.Redis == "" {
		t.Errorf("%d payloads listed, %q, Redis %q", spec.Listed, plan.Header.Environment.Go, plan.Header.Environment.Redis)
	}
	want := []record.Model{
		{Name: "prefork", Knobs: map[string]string{"max-jobs-per-child": "0", "max-memory-per-child": "0"}},
		{Name: "limited", Model: "prefork", Knobs: map[string]string{
			"max-jobs-per-child": "10", "max-memory-per-child": "0", "warm": strings.Join(spec.Warm, ","),
		}},
	}
	if diff := cmp.Diff(want, spec.Models); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
	if !namesWarming(&spec, "prefork") {
		t.Error("nobody is said to have named a warm-up")
	}
}
