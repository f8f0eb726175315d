package peers_test

import (
	"testing"

	"forkbench/live"
	"forkbench/live/livetest"
	"forkbench/models"
	"forkbench/peers/celery"
	"forkbench/peers/peerstest"
	"forkbench/peers/rq"
	"forkbench/record"
)

const returning = `
import datetime, os
from contextlib import contextmanager

current = 0

@contextmanager
def context():
    global current
    current = os.getpid()
    yield
    current = -1

async def answer(number):
    import asyncio
    await asyncio.sleep(0)
    assert current > 0 and current != os.getpid()
    if number == 3:
        return datetime.datetime(2026, 1, 1)
    if number == 4:
        return ["x" * 3_000_000]
    if number == 5:
        return object()
    if number == 6:
        raise ValueError("six")
    return [number, current]
`

// The one rule holds in the systems of others, too: a coroutine is awaited, what
// is not JSON is dropped and not a failure, and the application is set up once, in
// the process that forks.
func TestJobsByTheRule(t *testing.T) {
	peerstest.Need(t, celery.Requirement())
	peerstest.Need(t, rq.Requirement())
	for _, e := range []models.Executor{celery.Model{}, celery.Model{MaxTasksPerChild: 2}, rq.Model{}, rq.Model{Warm: true}} {
		t.Run(e.Name(), func(t *testing.T) {
			_, sink, err := peerstest.Script(t.Context(), livetest.New(t), e, returning, "answer", 8, 0,
				func(m *live.Machine, _ *live.Round) {
					m.Runtime = live.Python{Setup: []string{"jobs_of_a_test:context"}}
				})
			if err != nil {
				t.Fatal(err)
			}
			if len(sink.Jobs) != 8 {
				t.Errorf("%d jobs are on record, want 8", len(sink.Jobs))
			}
			set := make(map[int]bool)
			for _, j := range sink.Jobs {
				want := models.Done
				if j.ID == 6 {
					want = models.Failed
				}
				dropped := map[uint64]string{3: "not JSON: datetime", 4: "above 1 MiB: list", 5: "not JSON: object"}[j.ID]
				if j.Status != want || j.Dropped != dropped {
					t.Errorf("job %d: %v, dropped for %q; want %v and %q: %s", j.ID, j.Status, j.Dropped, want, dropped, j.Detail)
				}
				if r := sink.Results[j.ID]; want == models.Done && dropped == "" {
					if len(r) != 2 || r[0] != int(j.ID) {
						t.Errorf("job %d returned %v", j.ID, r)
					} else {
						set[r[1]] = true
					}
				}
			}
			for _, p := range sink.Processes {
				if p.Role == record.RoleParent {
					delete(set, p.PID)
				}
			}
			if len(set) > 0 {
				t.Errorf("set up by %v, which are no parents of the round", set)
			}
		})
	}
}
