package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forkbench/explain"
)

// TestExplain explains the application of the examples and checks what is
// printed, and that all files are there.
func TestExplain(t *testing.T) {
	b := newBench(t)
	b.copyTestdata()
	r := b.run("explain", "--workload=py:app.tasks:record_event", "--payload=events.jsonl", "--warm=app.tasks:warm_up",
		"--jobs=6", "--rounds=1", "--out=out", "--format=json")
	r.want(t, exitDone)
	var x explain.Result
	if err := json.Unmarshal([]byte(r.stdout), &x); err != nil {
		t.Fatalf("%v\n%s", err, r.stdout)
	}
	if x.Verdict == "" || len(x.WarmUps) != 1 || x.Profiling.Jobs == 0 {
		t.Errorf("%+v", x)
	}
	wantFiles(t, "out", explanationNames())

	// Profiled jobs are in no record.
	again := b.run("report", "out", "--format=csv")
	again.want(t, exitDone)
	if lines := strings.Count(again.stdout, "\n"); lines < 3 {
		t.Errorf("the report of the measurements has %d lines", lines)
	}
}

// TestExplainARun: --explain adds to a comparison, and leaves data alone.
func TestExplainARun(t *testing.T) {
	b := newBench(t)
	r := b.run("--workload=noop", "--model=forkperjob", "--jobs=5", "--rounds=1", "--out=out", "--explain", "--format=json")
	r.want(t, exitDone)
	if !json.Valid([]byte(r.stdout)) {
		t.Errorf("not one JSON document:\n%s", r.stdout)
	}
	text, err := os.ReadFile(filepath.Join("out", "explain", explanationName))
	if err != nil {
		t.Fatal(err)
	}
	var x explain.Result
	if err := json.Unmarshal(text, &x); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(x.Verdict, "nothing worth hoisting") {
		t.Errorf("of noop: %s", x.Verdict)
	}
}

func TestExplainFailingJobs(t *testing.T) {
	b := newBench(t)
	b.copyTestdata() // without a payload, an argument is missing
	// Without --out, a directory is named.
	r := b.run("explain", "--workload=py:app.tasks:record_event", "--jobs=6", "--rounds=1")
	r.want(t, exitFailed)
	if made, err := filepath.Glob(filepath.Join(resultsRoot, "*-explain-py-app.tasks-record_event-6jobs-1workers")); err != nil || len(made) != 1 {
		t.Errorf("directories: %q, %v", made, err)
	}
	if !strings.Contains(r.stderr, "a job ended as failed, and what it did cannot be explained") {
		t.Errorf("stderr:\n%s", r.stderr)
	}
}

func TestExplainTooFewJobs(t *testing.T) {
	b := newBench(t)
	r := b.run("explain", "--workload=noop", "--jobs=1", "--out=out")
	r.want(t, exitUsage)
	if !strings.Contains(r.stderr, "--jobs=1: must be at least 6: ") {
		t.Errorf("stderr:\n%s", r.stderr)
	}
}
