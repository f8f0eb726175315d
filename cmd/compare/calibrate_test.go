package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/sim"
	"forkbench/whatif/calibrate"
)

func TestCalibrateAndValidate(t *testing.T) {
	dir, _ := storedRun(t)
	b := newBench(t)
	out := t.TempDir()
	profile := filepath.Join(out, "profile.json")

	r := b.run("calibrate", dir, "-o", profile)
	r.want(t, exitDone)
	printed := b.run("calibrate", dir)
	printed.want(t, exitDone)
	written, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	if printed.stdout != string(written) {
		t.Error("the profile on standard output is another than the one in the file")
	}

	// Not with itself.
	r = b.run("validate", dir, "--profile="+profile, "--out="+out)
	r.want(t, exitFailed, "was made from "+dir)
	var own sim.Profile
	if err := json.Unmarshal(written, &own); err != nil || len(own.Runs) != 1 {
		t.Fatalf("the profile names the runs %v; want one (%v)", own.Runs, err)
	}
	own.Runs = []string{"2020-01-31T12:00:00Z"}
	if err := replaceFile(profile, own.Write); err != nil {
		t.Fatal(err)
	}

	// All three rounds with another run's profile, and one with a profile of the
	// other two.
	for _, test := range []struct {
		args   []string
		rounds int
		from   string
	}{
		{[]string{"validate", dir, "--profile=" + profile}, 3, profile},
		{[]string{"validate", dir}, 1, "made of the odd rounds, predicting the even ones"},
	} {
		r := b.run(append(test.args, "--out="+out, "--format=json")...)
		r.want(t, exitDone)
		var report calibrate.Validation
		if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
			t.Fatal(err)
		}
		if report.From != test.from || len(report.Rows) != 3 {
			t.Errorf("%v: from %q, %d settings", test.args, report.From, len(report.Rows))
		}
		for _, row := range report.Rows {
			if row.Rounds != test.rounds || len(row.Metrics) < 4 {
				t.Errorf("%v: %s has %d rounds and %d metrics", test.args, row.Model, row.Rounds, len(row.Metrics))
			}
		}
		if _, err := os.Stat(filepath.Join(out, "validate.png")); err != nil {
			t.Error(err)
		}
	}
	for format, part := range map[string]string{
		formatText: "median absolute error", formatMarkdown: "| model | workers |", formatCSV: "record_event,forkperjob,4,24,burst,1,throughput,/s,",
	} {
		r := b.run("validate", dir, "--out="+out, "--format="+format)
		r.want(t, exitDone)
		if !strings.Contains(r.stdout, part) {
			t.Errorf("--format=%s does not have %q:\n%s", format, part, r.stdout)
		}
	}
}

func TestCalibrateUsage(t *testing.T) {
	b := newBench(t)
	for _, args := range [][]string{
		{"calibrate"}, {"calibrate", "nowhere"}, {"validate"}, {"validate", "nowhere"}, {"validate", "nowhere", "--profile=nofile.json"},
	} {
		b.run(args...).want(t, exitUsage)
	}
}

// Too few rounds make no profile, and what can be done about it is said; marked ones
// are used if that is asked.
func TestCalibrateTooFew(t *testing.T) {
	dir, _ := storedRun(t)
	b := newBench(t)
	r := b.run("calibrate", dir, "--least-rounds=1000", "-o", "profile.json")
	r.want(t, exitFailed, "rounds can be used, and 1000 are needed", "--least-rounds=", "more --rounds")
	if _, err := os.Stat("profile.json"); err == nil {
		t.Error("it left a profile")
	}
	text, err := os.ReadFile(filepath.Join(dir, recordsName))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("marked", 0o755); err != nil {
		t.Fatal(err)
	}
	marked := regexp.MustCompile(`("noise":\{)("contaminated":"[^"]*",)?`).ReplaceAllString(string(text), `${1}"contaminated":"somebody else",`)
	if err := os.WriteFile(filepath.Join("marked", recordsName), []byte(marked), 0o600); err != nil {
		t.Fatal(err)
	}
	b.run("calibrate", "marked").want(t, exitFailed, "0 of ", "contaminated: somebody else", "--use-marked uses the marked ones, too", "--service=NAME")
	b.run("calibrate", "marked", "--use-marked", "-o", "profile.json").want(t, exitDone, "are marked as contaminated")
}

// What was simulated is not a measurement.
func TestCalibrateRefusesSimulations(t *testing.T) {
	b := newBench(t)
	b.run("simulate", "--model=prefork", "--jobs=50", "--out=simulated").want(t, exitDone)
	const want = "simulated: is a simulation: name a directory that a measured comparison wrote"
	b.run("calibrate", "simulated").want(t, exitUsage, want)
	b.run("validate", "simulated").want(t, exitUsage, want)
	b.run("sweep", "--jobs-per-child=1..4", "--with=simulated").want(t, exitUsage, "--with=simulated: is a simulation")
}

func TestCalibrateInterrupted(t *testing.T) {
	dir, _ := storedRun(t)
	b := newBench(t)
	b.signals <- syscall.SIGINT
	b.run("calibrate", dir, "-o", "profile.json").want(t, exitInterrupted, "interrupted before there was a profile")
	if _, err := os.Stat("profile.json"); err == nil {
		t.Error("it left a profile")
	}
	b.signals <- syscall.SIGINT
	b.run("validate", dir, "--out=.").want(t, exitInterrupted, "interrupted before the predictions were made")
}

func TestExecutorOfARecord(t *testing.T) {
	for _, test := range []struct {
		model record.Model
		want  any
	}{
		{record.Model{Name: "prefork", Knobs: map[string]string{"max-jobs-per-child": "0", "max-memory-per-child": "0"}}, prefork.Model{}},
		{record.Model{Name: "prefork(max-jobs-per-child=10,warm)", Model: "prefork", Knobs: map[string]string{"max-jobs-per-child": "10", "warm": "a:b"}},
			prefork.Model{MaxJobsPerChild: 10, Warm: true}},
		{record.Model{Name: "forkperjob"}, forkperjob.Model{}},
		{record.Model{Name: "hybrid", Knobs: map[string]string{"jobs-per-child": "7", "spares": "2", "refork": "0", "warm": ""}},
			hybrid.Model{JobsPerChild: 7, Spares: 2}},
	} {
		got, err := executorOf(test.model)
		if err != nil || got != test.want {
			t.Errorf("%s: %#v, %v; want %#v", test.model.Name, got, err, test.want)
		}
	}
	if _, err := executorOf(record.Model{Name: "celery"}); err == nil || !strings.Contains(err.Error(), "cannot be simulated") {
		t.Errorf("celery: %v", err)
	}
}
