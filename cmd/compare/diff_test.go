package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forkbench/conditions"
	"forkbench/runner"
)

// slowed writes the stored run again, as it would be had each round of a model taken
// so many times as long.
func slowed(t *testing.T, model string, by float64) (dir string) {
	t.Helper()
	stored, _ := storedRun(t)
	text, err := os.ReadFile(filepath.Join(stored, recordsName))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l["kind"] == "round" && l["model"] == model {
			l["work_ns"] = int64(l["work_ns"].(float64) * by)
			for _, part := range []string{"children", "parents", "supervisor", "redis"} {
				cpu := l[part].(map[string]any)
				cpu["user_ns"] = int64(cpu["user_ns"].(float64) * by)
				cpu["system_ns"] = int64(cpu["system_ns"].(float64) * by)
			}
		}
		encoded, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(encoded, '\n'))
	}
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, recordsName), []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDiffOfStoredRuns(t *testing.T) {
	stored, _ := storedRun(t)
	slow := slowed(t, "forkperjob", 3)
	b := newBench(t)
	r := b.run("diff", stored, slow)
	r.want(t, exitDone)
	if !strings.HasPrefix(r.stdout, "forkperjob got worse (0.333× jobs done per second") {
		t.Errorf("standard output:\n%s", r.stdout)
	}
	r = b.run("diff", stored, slow, "--format=json")
	r.want(t, exitDone)
	var d runner.Diff
	if err := json.Unmarshal([]byte(r.stdout), &d); err != nil || d.Version != runner.DiffVersion || len(d.Models) != 3 {
		t.Errorf("%v: %+v", err, d)
	}
	r = b.run("diff", stored, slow, "--format=markdown")
	r.want(t, exitDone)
	if !strings.HasPrefix(r.stdout, "**forkperjob got worse") || !strings.Contains(r.stdout, "| jobs done per second |") {
		t.Errorf("standard output:\n%s", r.stdout)
	}
	b.run("diff", stored, slow, "--fail-if=forkperjob.cpu > 1.1*baseline").want(t, exitCrossed, "cpu_ms_per_job_done of forkperjob is ", "crosses forkperjob.cpu_ms_per_job_done > 1.1*baseline")
	b.run("diff", stored, slow, "--fail-if=prefork.cpu > 1.1*baseline", "--fail-if=forkperjob.cpu > 4*baseline").want(t, exitDone)
	b.run("diff", slow, stored, "--fail-if=cpu > 1.1*baseline").want(t, exitDone)
}

func TestDiffRefusesOtherJobs(t *testing.T) {
	stored, _ := storedRun(t)
	b := newBench(t)
	b.run("--model=prefork", "--workload=noop", "--jobs=8", "--rounds=1", "--out=other", "--quiet").want(t, exitDone)
	r := b.run("diff", stored, "other")
	r.want(t, exitFailed, "cannot be compared: ")
	if !strings.HasPrefix(r.stdout, "These cannot be compared: ") || !strings.Contains(r.stdout, "other jobs: record_event and noop") {
		t.Errorf("standard output:\n%s", r.stdout)
	}
	b.run("diff", stored, "other", "--fail-if=cpu > 2*baseline").want(t, exitCrossed, "cannot be checked against ")
}

func TestDiffUsage(t *testing.T) {
	stored, _ := storedRun(t)
	b := newBench(t)
	b.run("diff").want(t, exitUsage, "0 directories: diff takes two, the old results and the new ones")
	b.run("diff", stored).want(t, exitUsage, "1 directories: ")
	b.run("diff", stored, "nowhere", "--format=csv").want(t, exitUsage, "nowhere: holds no records.jsonl", "--format=csv: not known")
}

// A baseline in a comparison, a report and a simulation.
func TestBaseline(t *testing.T) {
	stored, _ := storedRun(t)
	slow := slowed(t, "hybrid", 2)
	b := newBench(t)
	b.run("report", slow, "--baseline="+stored, "--fail-if=hybrid.cpu > 1.1*baseline").want(t, exitCrossed, "of hybrid is ")
	b.run("report", slow, "--baseline="+stored, "--fail-if=prefork.cpu > 1.1*baseline").want(t, exitDone)
	if err := os.WriteFile("summary.json", []byte(b.run("report", stored, "--format=json").stdout), 0o644); err != nil {
		t.Fatal(err)
	}
	b.run("report", slow, "--baseline=summary.json", "--fail-if=hybrid.cpu > 1.1*baseline").want(t, exitCrossed, "in summary.json")

	b.run(append(quickRun, "--out=first")...).want(t, exitDone)
	code := exitDone
	if conditions.Environment().Race {
		code = exitCrossed // nothing is published to compare
	}
	b.run(append(quickRun, "--out=second", "--baseline=first", "--fail-if=cpu > 1000*baseline")...).want(t, code)
	b.run(append(quickRun, "--out=third", "--baseline=first", "--workload=cpu:1ms", "--fail-if=cpu > 1000*baseline")...).want(t, exitCrossed, "cannot be checked against first: ")
	small := []string{"simulate", "--jobs=50", "--replications=3", "--model=hybrid"}
	b.run(append(small, "--out=simulated")...).want(t, exitDone)
	b.run(append(small, "--baseline=simulated", "--fail-if=cpu > 1.01*baseline")...).want(t, exitDone)

	b.run("--baseline=nowhere").want(t, exitUsage, "--baseline=nowhere: no such file or directory: name a directory that a comparison wrote")
	b.run("--baseline=first").want(t, exitUsage, "--baseline=first: is for --fail-if")
	b.run("--fail-if=cpu > baseline").want(t, exitUsage, "compares with a former run: name it by --baseline=DIR")
	b.run("report", stored, "--fail-if=cpu > baseline").want(t, exitUsage, "name it by --baseline=DIR")
	if err := os.WriteFile("wrong.json", []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.run("--baseline=wrong.json", "--fail-if=cpu > baseline").want(t, exitUsage, "is not a summary.json of this program")
}
