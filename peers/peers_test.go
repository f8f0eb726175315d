package peers_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"forkbench/live"
	"forkbench/live/livetest"
	"forkbench/models"
	"forkbench/models/modelstest"
	"forkbench/peers"
	"forkbench/peers/celery"
	"forkbench/peers/peerstest"
	"forkbench/peers/rq"
	"forkbench/sim"
	"forkbench/sim/simtest"
)

func TestMain(m *testing.M) {
	live.Main()
	os.Exit(m.Run())
}

func need(t *testing.T) {
	t.Helper()
	peerstest.Need(t, celery.Requirement())
	peerstest.Need(t, rq.Requirement())
}

// systems is all of them.
var systems = []models.Executor{celery.Model{}, rq.Model{}}

// slow makes a file when it begins, for the test to see.
const slow = `
import os, time

def slow(number):
    open(os.path.join(%q, str(number)), "w").close()
    time.sleep(0.2)
`

// whenBegun calls do when the n-th job of a slow script has begun.
func whenBegun(t *testing.T, n int, do func()) (text string) {
	t.Helper()
	dir := t.TempDir()
	ended := make(chan struct{})
	ctx := t.Context()
	go func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) >= n {
				do()
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	t.Cleanup(func() { <-ended })
	return strings.Replace(slow, "%q", `"`+dir+`"`, 1)
}

func TestStop(t *testing.T) {
	need(t)
	m := livetest.New(t)
	for _, e := range systems {
		t.Run(e.Name(), func(t *testing.T) {
			stop := make(chan struct{})
			text := whenBegun(t, 3, func() { close(stop) })
			round, sink, err := peerstest.Script(t.Context(), m, e, text, "slow", 100, 0, func(_ *live.Machine, r *live.Round) { r.Stop = stop })
			if err != nil {
				t.Fatal(err)
			}
			if !round.Interrupted || round.NotRun == 0 || round.Lost != 0 || round.Settled < 3 || round.Strays != 0 {
				t.Errorf("interrupted %v, not run %d, lost %d, settled %d, strays %d; want true, some, 0, 3 or more, 0",
					round.Interrupted, round.NotRun, round.Lost, round.Settled, round.Strays)
			}
			for _, j := range sink.Jobs {
				if j.Status != models.Done {
					t.Errorf("job %d: %v: %s", j.ID, j.Status, j.Detail)
				}
			}
		})
	}
}

func TestCancel(t *testing.T) {
	need(t)
	m := livetest.New(t)
	for _, e := range systems {
		t.Run(e.Name(), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			text := whenBegun(t, 3, cancel)
			round, sink, err := peerstest.Script(ctx, m, e, text, "slow", 100, 0, nil)
			if err == nil {
				t.Error("it does not say that it was cancelled")
			}
			if round.Strays != 0 {
				t.Errorf("%d strays", round.Strays)
			}
			gone(t, sink)
		})
	}
}

// gone checks that no process on record is left.
func gone(t *testing.T, sink *peerstest.Sink) {
	t.Helper()
	if len(sink.Processes) == 0 {
		t.Error("no process is on record")
	}
	for _, p := range sink.Processes {
		if err := syscall.Kill(p.PID, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d of role %s is still there (%v)", p.PID, p.Role, err)
		}
	}
}

// A worker that dies is the end of the round, with its last words.
func TestWorkerDies(t *testing.T) {
	need(t)
	m := livetest.New(t)
	const text = `
import os, signal, sys

main = os.getpid()

def kill(number):
    if number == 3:
        os.kill(main, signal.SIGKILL)
        signal.pause()
`
	for _, e := range systems {
		t.Run(e.Name(), func(t *testing.T) {
			round, sink, err := peerstest.Script(t.Context(), m, e, text, "kill", 20, 0, nil)
			if err == nil || !strings.Contains(err.Error(), "ended by itself: signal: killed") {
				t.Errorf("the error is %v", err)
			}
			if round.Strays != 0 {
				t.Errorf("%d strays", round.Strays)
			}
			gone(t, sink)
		})
	}
}

func TestNeverReady(t *testing.T) {
	need(t)
	m := livetest.New(t)
	const text = `
import sys, time
print("about to think", file=sys.stderr)
time.sleep(60)

def never():
    pass
`
	for _, e := range systems {
		t.Run(e.Name(), func(t *testing.T) {
			for limit := 2 * time.Second; ; limit *= 2 { // until it is enough to come to the import, on a busy machine
				_, sink, err := peerstest.Script(t.Context(), m, e, text, "never", 3, 0, func(m *live.Machine, _ *live.Round) { m.BootTimeout = limit })
				gone(t, sink)
				if err == nil || !strings.Contains(err.Error(), "--boot-timeout") {
					t.Fatalf("the error is %v", err)
				}
				if strings.Contains(err.Error(), "about to think") {
					break
				}
				if limit > 20*time.Second {
					t.Fatalf("its last words are not in the error %v", err)
				}
			}
		})
	}
}

func TestRedisDies(t *testing.T) {
	need(t)
	for _, e := range systems {
		t.Run(e.Name(), func(t *testing.T) {
			m := livetest.New(t)
			text := whenBegun(t, 3, func() {
				if err := syscall.Kill(m.Server.Pid(), syscall.SIGKILL); err != nil {
					t.Error(err)
				}
			})
			_, sink, err := peerstest.Script(t.Context(), m, e, text, "slow", 100, 0, nil)
			if err == nil || !strings.Contains(err.Error(), "redis-server") {
				t.Errorf("the error is %v", err)
			}
			gone(t, sink)
		})
	}
}

func TestNotSimulated(t *testing.T) {
	simulated := simtest.Machine{Cores: 1, Profile: &sim.Profile{
		Version: sim.ProfileVersion, Memory: sim.Memory{PageKB: 4}, Jobs: []sim.Class{{Weight: 1, CPU: sim.Constant(1)}},
	}}
	for _, e := range systems {
		_, err := simulated.Run(t.Context(), e, modelstest.Scenario{Workers: 1, Sink: new(peerstest.Sink)})
		if err == nil || !strings.Contains(err.Error(), e.Name()+" runs only on real machines") {
			t.Errorf("%s: the error is %v", e.Name(), err)
		}
	}
}

func TestVersions(t *testing.T) {
	need(t)
	text, err := peers.Versions(t.Context(), "python3", nil, celery.Requirement())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text, "celery ") || !strings.Contains(text, ", kombu ") || strings.Contains(text, "transport") {
		t.Errorf("the versions are %q", text)
	}
	_, err = peers.Versions(t.Context(), "python3", nil, peers.Requirement{Modules: []string{"rq", "no_such_module"}, Install: "such"})
	missing, ok := errors.AsType[*peers.MissingError](err)
	if !ok || missing.Module != "no_such_module" || !strings.HasSuffix(err.Error(), "-m pip install such") {
		t.Errorf("the error is %v", err)
	}
}

// Jobs with due times are released one by one, in their order.
func TestArrivals(t *testing.T) {
	need(t)
	m := livetest.New(t)
	for _, e := range systems {
		t.Run(e.Name(), func(t *testing.T) {
			const text = "def noop(number):\n    pass\n"
			round, sink, err := peerstest.Script(t.Context(), m, e, text, "noop", 20, 20*time.Millisecond, nil)
			if err != nil || round.Settled != 20 {
				t.Fatalf("settled %d of 20: %v", round.Settled, err)
			}
			for _, j := range sink.Jobs {
				if j.DueNS != time.Duration(j.ID)*20*time.Millisecond || j.StartedNS < j.DueNS {
					t.Errorf("job %d: due %v, started %v", j.ID, j.DueNS, j.StartedNS)
				}
			}
		})
	}
}

// What jobs leave running is booked on the system that ran them, in whatever way it
// was left, and held against the control group.
func TestLeftBehind(t *testing.T) {
	need(t)
	m := livetest.New(t)
	const jobs = 8
	for _, way := range livetest.Ways() {
		for _, e := range systems {
			t.Run(way.Name+"/"+e.Name(), func(t *testing.T) {
				// A copy of one of Celery's pool processes that comes out of a job goes on
				// beside it until it is killed, and jobs are lost between the two.
				spoilt := way.Name == "both" && e.Name() == "celery"
				round, sink, err := peerstest.Script(t.Context(), m, e, livetest.Leaving, way.Name, jobs, 0, func(m *live.Machine, _ *live.Round) {
					if spoilt {
						m.BootTimeout = 20 * time.Second // also for lost jobs, which are waited for
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				livetest.Booked(t, round, way, round.Settled)
				if !spoilt {
					livetest.LetFinish(t, round)
					if round.Settled != jobs {
						t.Errorf("%d jobs of %d settled: %q", round.Settled, jobs, round.Warnings)
					}
				}
				gone(t, sink)
			})
		}
	}
}
