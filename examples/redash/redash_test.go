// Package redash has the tests of an application in Python.
package redash

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/stream"
	"forkbench/workload"
)

func TestMain(m *testing.M) {
	live.Main()
	os.Exit(m.Run())
}

// insight runs `python -m insight` and returns what it prints.
func insight(t *testing.T, args ...string) (string, error) {
	t.Helper()
	if err := exec.Command("python3", "-c", "import sqlalchemy").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("python3 on PATH has no SQLAlchemy: %v", err)
		}
		t.Skip("python3 on PATH has no SQLAlchemy: run `make test`, which has its own Python")
	}
	out, err := exec.Command("python3", append([]string{"-m", "insight"}, args...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func mustInsight(t *testing.T, args ...string) string {
	t.Helper()
	out, err := insight(t, args...)
	if err != nil {
		t.Fatalf("python -m insight %v: %v\n%s", args, err, out)
	}
	return out
}

// TestShape checks that the application is as large as Redash was, and that a
// process that has only imported it has configured none of it.
func TestShape(t *testing.T) {
	got := mustInsight(t, "shape")
	want := `{"mapped_classes": 19, "columns": 162, "relationships": 60, "configured_on_first_use": true}`
	if got != want {
		t.Errorf("shape\n got %s\nwant %s", got, want)
	}
}

// TestEveryJobInsertsOneRow runs the events on real processes. A child that
// becomes the parent of others has a connection, and must not share it.
func TestEveryJobInsertsOneRow(t *testing.T) {
	t.Setenv("INSIGHT_DATABASE_URL", "sqlite:///"+filepath.Join(t.TempDir(), "insight.db"))
	mustInsight(t, "create")

	file, err := os.Open("events.jsonl")
	check(t, err)
	defer file.Close()
	events, err := workload.ReadPayloads(file, file.Name())
	check(t, err)
	events = events[:60]
	job, err := workload.Parse("py:insight.tasks:record_event")
	check(t, err)
	job = workload.WithPayloads(job, events)
	burst, err := workload.ParseArrivals("burst")
	check(t, err)

	ctx := context.Background()
	guard, err := live.StartGuard()
	check(t, err)
	defer func() { check(t, guard.Close()) }()
	server, err := stream.Start(ctx, guard.Dir(), nil)
	check(t, err)
	defer func() { check(t, server.Close()) }()
	jobs, err := server.Create(ctx, "redash")
	check(t, err)
	n, err := jobs.Enqueue(ctx, workload.Jobs(job, burst, 1, len(events)))
	check(t, err)
	here, err := filepath.Abs(".")
	check(t, err)
	machine := live.Machine{
		Workers: 3, Workload: job, Server: server, Guard: guard,
		Runtime: live.Python{Path: []string{here}, Warm: []string{"sqlalchemy.orm:configure_mappers"}},
	}
	rows := 0
	for name, model := range map[string]models.Executor{
		"prefork":    prefork.Model{MaxJobsPerChild: 10},
		"forkperjob": forkperjob.Model{},
		"hybrid":     hybrid.Model{},
		"refork":     hybrid.Model{Refork: 10},
	} {
		t.Run(name, func(t *testing.T) {
			group, err := jobs.Group(ctx, name)
			check(t, err)
			round, err := machine.Run(ctx, model, live.Round{Model: name, Jobs: n, Group: group, Sink: record.NewWriter(io.Discard)})
			check(t, err)
			if round.Settled != n {
				t.Errorf("%d jobs settled, want %d", round.Settled, n)
			}
			got, err := strconv.Atoi(mustInsight(t, "count"))
			check(t, err)
			if got -= rows; got != n {
				t.Errorf("%d rows for %d jobs", got, n)
			}
			rows += got
		})
	}
}

// TestEventsAreVaried guards the recorded payloads: jobs that are all alike would
// measure caches.
func TestEventsAreVaried(t *testing.T) {
	data, err := os.ReadFile("events.jsonl")
	check(t, err)
	actions := map[string]int{}
	for line := range strings.Lines(string(data)) {
		var payload struct {
			RawEvent struct {
				Action string `json:"action"`
			} `json:"raw_event"`
		}
		check(t, json.Unmarshal([]byte(line), &payload))
		actions[payload.RawEvent.Action]++
	}
	if len(actions) < 5 || actions[""] > 0 {
		t.Errorf("actions of the events: %v", actions)
	}
}

func TestDatabaseURL(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"mysql://localhost/insight", "must begin with postgresql:// or sqlite:///"},
		{"sqlite://", "must begin with postgresql:// or sqlite:///"},
		{"postgresql://me:secret@localhost/insight", "pip install 'psycopg[binary]'"},
		{"sqlite:////nowhere/insight.db", "make the database with `python -m insight create`"},
	} {
		t.Run(c.url, func(t *testing.T) {
			t.Setenv("INSIGHT_DATABASE_URL", c.url)
			out, err := insight(t, "count")
			if err == nil || !strings.Contains(out, c.want) || strings.Contains(out, "secret") {
				t.Errorf("%v, %s; want it to say %q", err, out, c.want)
			}
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
