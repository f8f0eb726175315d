package celery_test

import (
	"os"
	"testing"

	"forkbench/live"
	"forkbench/live/livetest"
	"forkbench/models/modelstest"
	"forkbench/peers/celery"
	"forkbench/peers/peerstest"
)

func TestMain(m *testing.M) {
	live.Main()
	os.Exit(m.Run())
}

func TestDone(t *testing.T) {
	m := livetest.New(t)
	round, sink := peerstest.Run(t, m, celery.Model{}, modelstest.Scenario{Workers: 2, Acts: peerstest.Acts(40, modelstest.Done)})
	t.Logf("%+v", round)
	for _, p := range sink.Processes[:min(6, len(sink.Processes))] {
		t.Logf("%+v", p)
	}
	for _, p := range sink.Jobs[:6] {
		t.Logf("%+v", p)
	}
}
