package rq_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"forkbench/live"
	"forkbench/live/livetest"
	"forkbench/models"
	"forkbench/peers/peerstest"
	"forkbench/peers/rq"
	"forkbench/record"
)

// old is where scripts/deps.sh has put old releases of RQ, one for each file in
// scripts/old.
func old(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../scripts/old/rq-*.txt")
	if err != nil || len(files) < 2 {
		t.Fatalf("%d old releases, %v", len(files), err)
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, file := range files {
		dir := filepath.Join(filepath.Dir(python), "../old", strings.TrimSuffix(filepath.Base(file), ".txt"))
		if _, err := os.Stat(dir); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skipf("%v: run scripts/deps.sh, with .venv/bin on PATH", err)
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

const mixed = `
import os, time

async def job(number):
    if number == 1:
        raise ValueError("one")
    if number == 2:
        os._exit(3)
    if number == 3:
        time.sleep(600)
    if number == 4:
        return {1, 2}
    return [number]
`

// The releases that people pin run on a server that is for nobody else: every
// outcome is told, each process is on record, and no key is left.
func TestOldReleases(t *testing.T) {
	peerstest.Need(t, rq.Requirement())
	for _, dir := range old(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			installed, err := rq.Ask(t.Context(), "python3", []string{dir})
			if err != nil || installed.Prefix || "rq-"+installed.Version != filepath.Base(dir) {
				t.Fatalf("%+v, %v", installed, err)
			}
			m := livetest.New(t)
			client := peerstest.Client(t, m)
			round, sink, err := peerstest.Script(t.Context(), m, rq.Model{Unprefixed: true}, mixed, "job", 8, 0,
				func(m *live.Machine, _ *live.Round) {
					m.Runtime = live.Python{Path: []string{dir}}
					m.Timeout = time.Second
				})
			if err != nil || round.Settled != 8 {
				t.Fatalf("settled %d of 8, %v", round.Settled, err)
			}
			for _, j := range sink.Jobs {
				want := models.Done
				switch j.ID {
				case 1:
					want = models.Failed
				case 2:
					want = models.Crashed
				case 3:
					want = models.TimedOut
				}
				if j.Status != want || (j.Dropped != "") != (j.ID == 4) {
					t.Errorf("job %d: %v, want %v, dropped for %q: %s", j.ID, j.Status, want, j.Dropped, j.Detail)
				}
				if got := sink.Results[j.ID]; want == models.Done && j.ID != 4 && (len(got) != 1 || got[0] != int(j.ID)) {
					t.Errorf("job %d returned %v", j.ID, got)
				}
			}
			children := 0
			for _, p := range sink.Processes {
				if p.Role == record.RoleChild {
					children++
					if p.UserNS+p.SystemNS == 0 {
						t.Errorf("process %d used no CPU: it was not waited for by wait4", p.ID)
					}
				}
			}
			if children != 8 {
				t.Errorf("%d processes were forked for 8 jobs", children)
			}
			if keys := client.Keys(t.Context(), "rq:*").Val(); len(keys) > 0 {
				t.Errorf("left on the server: %q", keys)
			}
		})
	}
}

// What an RQ cannot do is said with what it can.
func TestRefuse(t *testing.T) {
	for _, test := range []struct {
		installed rq.Installed
		model     rq.Model
		private   bool
		want      string
	}{
		{rq.Installed{Version: "1.16.1", Classes: []string{"Worker", "SimpleWorker"}}, rq.Model{}, true, ""},
		{rq.Installed{Version: "3.0.0", Prefix: true, Classes: rq.Classes()}, rq.Model{Class: rq.SpawnWorker}, false, ""},
		{rq.Installed{Version: "1.16.1", Classes: []string{"Worker", "SimpleWorker"}}, rq.Model{}, false, "rq 1.16.1 cannot keep its keys apart from others on a server of yours"},
		{rq.Installed{Version: "1.16.1", Classes: []string{"Worker", "SimpleWorker"}}, rq.Model{Class: rq.SpawnWorker}, true, "rq 1.16.1 has no SpawnWorker: it has Worker, SimpleWorker"},
		{rq.Installed{Version: "1.4.0", Old: true, Classes: []string{"Worker"}}, rq.Model{}, true, "rq 1.4.0 is too old: 1.10 is the oldest"},
	} {
		err := test.installed.Refuse(test.model, test.private)
		if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%+v: %v; want %q", test, err, test.want)
		}
	}
}
