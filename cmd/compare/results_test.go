package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"forkbench/plots"
	"forkbench/workload"
)

// quickRun is a comparison that takes next to no time.
var quickRun = []string{"--workload=noop", "--model=prefork", "--jobs=10", "--rounds=1"}

func TestForceReplacesFormerResultsOnly(t *testing.T) {
	b := newBench(t)
	b.draw = plots.Write
	b.run(append(quickRun, "--out=deep/out")...).want(t, exitDone)
	if err := os.WriteFile("deep/out/notes.txt", []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.run(append(quickRun, "--out=deep/out")...).want(t, exitUsage, "--out=deep/out: is not empty")
	if err := os.Remove("deep/out/" + summaryName); err != nil {
		t.Fatal(err)
	}
	b.draw = noPlots
	b.run(append(quickRun, "--out=deep/out", "--force", "--jobs=11")...).want(t, exitDone)
	wantFiles(t, "deep/out", append(textNames(), "notes.txt"))
	if got := summaryIn(t, "deep/out").Spec.Jobs; got != 11 {
		t.Errorf("the summary is about %d jobs, want 11", got)
	}
}

func TestOutCannotBeMade(t *testing.T) {
	b := newBench(t)
	if err := os.WriteFile("file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	b.run(append(quickRun, "--out=/proc/results")...).want(t, exitUsage, "--out=/proc/results: ", "name a directory that you may write to")
	b.run(append(quickRun, "--out=file/out")...).want(t, exitUsage, "--out=file/out: not a directory")
	if err := os.WriteFile(resultsRoot, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	b.run(quickRun...).want(t, exitUsage, "name one that you may write to with --out")
}

// The device /dev/full is a disk without room.
// A pipe stands for a device, such as /dev/null: it is written to, and stays.
func TestDevicesAreNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	if err := replaceFile(path, func(w io.Writer) error { _, err := io.WriteString(w, "profile"); return err }); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().IsRegular() {
		t.Fatalf("the pipe was replaced (%v)", err)
	}
	got := make([]byte, len("profile"))
	if _, err := io.ReadFull(pipe, got); err != nil || string(got) != "profile" {
		t.Errorf("in the pipe is %q (%v)", got, err)
	}
}

func TestDiskFull(t *testing.T) {
	b := newBench(t)
	b.create = func(string) (io.WriteCloser, error) { return os.OpenFile("/dev/full", os.O_WRONLY, 0) }
	r := b.run(append(quickRun, "--rounds=3", "--out=out")...)
	r.want(t, exitFailed, "out/records.jsonl: no space left on device")
	if n := strings.Count(r.stderr, "no space left"); n != 1 {
		t.Errorf("it is said %d times:\n%s", n, r.stderr)
	}
	if !strings.Contains(r.stdout, "prefork") || firstLine(r.stdout) == "" {
		t.Errorf("the table is lost:\n%s", r.stdout)
	}
}

// failing is a file that cannot be closed without a loss.
type failing struct{ io.Writer }

func (failing) Close() error { return errors.New("lost on the way") }

func TestRecordsLostAtTheEnd(t *testing.T) {
	b := newBench(t)
	b.create = func(string) (io.WriteCloser, error) { return failing{io.Discard}, nil }
	b.run(append(quickRun, "--out=out")...).want(t, exitFailed, "write out/records.jsonl: lost on the way")
	b.create = func(path string) (io.WriteCloser, error) {
		return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrPermission}
	}
	b.run(append(quickRun, "--out=out", "--force")...).want(t, exitUsage, "out/records.jsonl: permission denied: name a directory")
}

// A job removes the results directory, or puts something in the way.
func TestResultsDisturbedDuringTheRun(t *testing.T) {
	for _, c := range []struct {
		name, function, payload string
		code                    exitCode
		want, kept              string
	}{
		{"removed", "remove", `["out"]`, exitFailed, "the raw records are lost", ""},
		{"occupied", "occupy", `["out/throughput.svg"]`, exitFailed, "draw the plots", pageName},
		// It can be made again from what there is.
		{"page", "occupy", `["out/report.html"]`, exitDone, "`compare report out --format=html` makes it again", summaryName},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.draw = plots.Write
			payloads(t, c.payload)
			r := b.run("--workload=py:faults:"+c.function, "--path="+b.testdata, "--payload=payloads", "--model=prefork", "--jobs=3", "--rounds=1", "--out=out")
			r.want(t, c.code, c.want)
			if !strings.Contains(r.stdout, "jobs done, all rounds") {
				t.Errorf("the table is lost:\n%s", r.stdout)
			}
			if c.kept != "" {
				if _, err := os.Stat("out/" + c.kept); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestSettings(t *testing.T) {
	arrivals := func(text string) workload.Arrivals {
		a, err := workload.ParseArrivals(text)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	models := func(text string) []contestant {
		list, err := parseContestants(text)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	for _, c := range []struct {
		o        options
		workload string
		want     string
	}{
		{options{contestants: models("all"), jobs: 1000, workers: 4, arrivals: arrivals("burst")}, "record_event",
			"2026-01-31T120000-record_event-1000jobs-4workers"},
		{options{contestants: models("prefork"), jobs: 7, workers: 1, arrivals: arrivals("poisson:200/s")}, "90%cpu:1ms,10%cpu:50ms",
			"2026-01-31T120000-90-cpu-1ms-10-cpu-50ms-prefork-7jobs-1workers-poisson-200-s"},
		{options{contestants: models("prefork,forkperjob"), jobs: 1, workers: 1, arrivals: arrivals("burst")}, "py:ä/../b:" + strings.Repeat("c", 300),
			"2026-01-31T120000-py---..-b-" + strings.Repeat("c", 50) + "-prefork+forkperjob-1jobs-1workers"},
		{options{contestants: models("hybrid(refork=20)"), jobs: 1, workers: 1, arrivals: arrivals("burst")}, "noop",
			"2026-01-31T120000-noop-hybrid-refork-20--1jobs-1workers"},
	} {
		if got := settings(&c.o, c.workload, now); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
