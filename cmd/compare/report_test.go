package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkbench/plots"
	"forkbench/record"
	"forkbench/report"
	"forkbench/runner"
)

// smallRun is the directory of a small run that is stored in the repository.
const smallRun = "../../testdata/runs/small"

func storedRun(t *testing.T) (dir string, a *runner.Analysis) {
	t.Helper()
	dir, err := filepath.Abs(smallRun)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, recordsName))
	if err != nil {
		t.Fatal(err)
	}
	if a, err = runner.Analyze(record.Read(bytes.NewReader(text))); err != nil {
		t.Fatal(err)
	}
	return dir, advised(a)
}

func TestReport(t *testing.T) {
	dir, a := storedRun(t)
	b := newBench(t)
	for format, write := range map[string]func(io.Writer, *runner.Summary) error{
		formatText:     func(w io.Writer, s *runner.Summary) error { return runner.WriteText(w, s, report.TextOptions{}) },
		formatJSON:     runner.WriteJSON,
		formatCSV:      runner.WriteCSV,
		formatMarkdown: runner.WriteMarkdown,
	} {
		var want bytes.Buffer
		if err := write(&want, &a.Summary); err != nil {
			t.Fatal(err)
		}
		for _, arg := range []string{dir, filepath.Join(dir, recordsName)} {
			r := b.run("report", arg, "--format="+format)
			r.want(t, exitDone)
			if diff := cmp.Diff(want.String(), r.stdout); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", format, diff)
			}
		}
	}
	r := b.run("report", dir)
	for _, m := range builtInModels() {
		if !strings.Contains(r.stdout, m.name) {
			t.Errorf("the report does not name %s:\n%s", m.name, r.stdout)
		}
	}
}

// Records that end in the middle of a line are those of a run that was killed, or
// whose disk was full: what is there counts. Other damage is an error that says where.
func TestReportOfDamagedRecords(t *testing.T) {
	dir, _ := storedRun(t)
	whole, err := os.ReadFile(filepath.Join(dir, recordsName))
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	for _, c := range []struct {
		name  string
		text  string
		code  exitCode
		err   string
		table string
	}{
		{"cut", string(whole[:len(whole)*2/3]), exitDone, "", "the run was killed, or could not write them (a full disk)"},
		{"empty", "", exitFailed, "records.jsonl: line 1: the file is empty", ""},
		{"no header", string(whole[bytes.IndexByte(whole, '\n')+1:]), exitFailed, "records.jsonl: line 1: the header must be the first line", ""},
		{"a bad line", strings.Replace(string(whole), "\n{", "\n{{", 1), exitFailed, "records.jsonl: line 2: ", ""},
		{"another version", strings.Replace(string(whole), `"version":1`, `"version":99`, 1), exitFailed, "version 99", ""},
	} {
		if err := os.WriteFile(recordsName, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"report", "."}, {"plot", ".", "--out=plots"}} {
			r := b.run(args...)
			if r.code != c.code || !strings.Contains(r.stderr, c.err) {
				t.Errorf("%s, %s: exit code %d, standard error %q", c.name, args[0], r.code, r.stderr)
			}
			// Lines are wrapped.
			if words := strings.Join(strings.Fields(r.stdout), " "); args[0] == "report" && !strings.Contains(words, c.table) {
				t.Errorf("%s: %q is not in\n%s", c.name, c.table, r.stdout)
			}
		}
	}
}

// Records that contradict themselves end with an error, after the report.
func TestReportOfImpossibleRecords(t *testing.T) {
	dir, _ := storedRun(t)
	text, err := os.ReadFile(filepath.Join(dir, recordsName))
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	damaged := strings.ReplaceAll(string(text), `"duplicated":0`, `"duplicated":1`)
	if err := os.WriteFile(recordsName, []byte(damaged), 0o644); err != nil {
		t.Fatal(err)
	}
	r := b.run("report", ".", "--fail-if=done > 1")
	r.want(t, exitFailed, "the comparison has errors: ", "more, see the report")
	if !strings.HasPrefix(r.stdout, "Do not use these numbers") {
		t.Errorf("the verdict: %s", firstLine(r.stdout))
	}
}

func TestPlot(t *testing.T) {
	dir, _ := storedRun(t)
	before := names(t, dir)
	b := newBench(t)
	b.draw = plots.Write
	b.run("plot", dir, "--out=deep/plots").want(t, exitDone)
	var want []string
	for _, p := range plots.All() {
		for _, f := range plots.Formats() {
			want = append(want, p.Name+"."+string(f))
		}
	}
	wantFiles(t, "deep/plots", want)
	if diff := cmp.Diff(before, names(t, dir)); diff != "" {
		t.Errorf("the run's own directory changed:\n%s", diff)
	}
	// Without --out they go beside the records.
	if err := os.MkdirAll("run", 0o755); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, recordsName))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("run", recordsName), text, 0o644); err != nil {
		t.Fatal(err)
	}
	drawn := ""
	b.draw = func(dir string, a *runner.Analysis) ([]string, error) {
		drawn = dir
		return []string{"throughput.svg", "throughput.png"}, nil
	}
	r := b.run("plot", "run")
	r.want(t, exitDone)
	if drawn != "run" {
		t.Errorf("drawn into %q", drawn)
	}
	if !strings.Contains(r.stdout, "throughput") || !strings.Contains(r.stdout, "results in run/") {
		t.Errorf("standard output: %q", r.stdout)
	}
	b.run("plot", "run", "--out=/proc/plots").want(t, exitUsage, "--out=/proc/plots: ")
}

// A reader that has seen enough is not a failure, a full disk is.
func TestOutputErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		fine bool
	}{
		{nil, true},
		{syscall.EPIPE, true},
		{&os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}, true},
		{&os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}, false},
	} {
		if got := outputError(c.err); (got == nil) != c.fine {
			t.Errorf("outputError(%v) = %v", c.err, got)
		}
	}
	dir, _ := storedRun(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	p := &program{stdout: full, stderr: io.Discard, getenv: os.Getenv, giveUp: func() {}}
	for _, args := range [][]string{{"report", dir}, {"workloads"}, {"version"}} {
		if err := p.run(t.Context(), args); codeOf(err) != exitFailed || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("%s on a full disk: %v", args[0], err)
		}
	}
}
