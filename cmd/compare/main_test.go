package main

import (
	"bytes"
	"context"
	"encoding/json"
	goflag "flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"forkbench/live"
	"forkbench/runner"
)

var update = goflag.Bool("update", false, "write the golden files anew")

// commandVar makes the test binary the command: as it is, or without plots.
const (
	commandVar     = "COMPARE_TEST_COMMAND"
	commandIsWhole = "whole"
	commandIsQuick = "quick"
)

// noPlots stands in for drawing, which would take longer than all else.
func noPlots(string, *runner.Analysis) ([]string, error) { return nil, nil }

func TestMain(m *testing.M) {
	live.Main()
	switch os.Getenv(commandVar) {
	case commandIsWhole:
		main()
	case commandIsQuick:
		os.Exit(int(execute(noPlots)))
	}
	goleak.VerifyTestMain(m)
}

// A result is how a command ended.
type result struct {
	code           exitCode
	stdout, stderr string
}

// A bench is where a test runs commands: an empty working directory, and a
// directory for temporary files of its own.
type bench struct {
	t         *testing.T
	temporary string
	testdata  string // the path of that directory
	signals   chan os.Signal
	create    func(path string) (io.WriteCloser, error)
	draw      func(dir string, a *runner.Analysis) ([]string, error)
}

// newBench makes a bench, for commands that draw no plots unless told to. At its
// end nothing temporary may be left.
func newBench(t *testing.T) *bench {
	t.Helper()
	data, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{
		t: t, temporary: shortDir(t), testdata: data, signals: make(chan os.Signal, 3),
		create: func(path string) (io.WriteCloser, error) { return os.Create(path) },
		draw:   noPlots,
	}
	t.Chdir(t.TempDir())
	t.Setenv("TMPDIR", b.temporary)
	t.Cleanup(func() {
		if left := names(t, b.temporary); len(left) > 0 && !t.Failed() {
			t.Errorf("left in the directory for temporary files: %q", left)
		}
	})
	return b
}

// shortDir is a temporary directory whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "compare")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// run runs a command in this process.
func (b *bench) run(args ...string) result {
	b.t.Helper()
	var stdout, stderr bytes.Buffer
	p := &program{
		stdout: &stdout, stderr: &stderr,
		getenv:  func(string) string { return "" },
		now:     func() time.Time { return time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC) },
		signals: b.signals,
		giveUp:  func() {},
		create:  b.create,
		draw:    b.draw,
	}
	code := finish(p.run(b.t.Context(), args), &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// want fails the test if the command did not end with the code and with all of
// the texts on standard error.
func (r result) want(t *testing.T, code exitCode, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, text := range texts {
		if !strings.Contains(r.stderr, text) {
			t.Errorf("standard error lacks %q", text)
		}
	}
	if t.Failed() {
		t.Fatalf("standard output:\n%s\nstandard error:\n%s", r.stdout, r.stderr)
	}
}

// A command is one in a process of its own.
type command struct {
	t              *testing.T
	cmd            *exec.Cmd
	mark           string // in the environment of all that it starts
	temporary      string // its directory for temporary files
	stdout, stderr *watched
	ended          chan struct{}
}

// start runs a command in a process of its own, which the test's end kills.
func (b *bench) start(args ...string) *command {
	b.t.Helper()
	return b.startWith(func(*command) {}, args...)
}

// startWith starts a command that was prepared.
func (b *bench) startWith(prepare func(*command), args ...string) *command {
	b.t.Helper()
	c := &command{
		t: b.t, temporary: b.temporary, mark: fmt.Sprintf("COMPARE_TEST_MARK=%d-%d", os.Getpid(), time.Now().UnixNano()),
		stdout: new(watched), stderr: new(watched), ended: make(chan struct{}),
	}
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	c.cmd = exec.Command(self, args...)
	c.cmd.Env = append(os.Environ(), commandVar+"="+commandIsQuick, c.mark)
	c.cmd.Stdout, c.cmd.Stderr = c.stdout, c.stderr
	c.cmd.WaitDelay = 5 * time.Second
	prepare(c)
	if err := c.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() {
		_ = c.cmd.Wait() // how it ended is in ProcessState
		close(c.ended)
	}()
	b.t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // it has ended, if all went well
		<-c.ended
		c.eventually("no process is left", func() bool { return len(c.processes()) == 0 })
	})
	return c
}

// signal sends a signal to the command's process.
func (c *command) signal(s os.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

// wait waits for the end of the command's process.
func (c *command) wait() result {
	c.t.Helper()
	select {
	case <-c.ended:
	case <-time.After(patience):
		c.t.Fatalf("did not end; standard error:\n%s", c.stderr)
	}
	return result{exitCode(c.cmd.ProcessState.ExitCode()), c.stdout.String(), c.stderr.String()}
}

// patience bounds the waiting for what must happen. It is for a loaded machine:
// nothing takes as long.
const patience = time.Minute

// eventually waits until something holds.
func (c *command) eventually(what string, holds func() bool) {
	c.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-end:
			c.t.Fatalf("not so within %v: %s; standard error:\n%s", patience, what, c.stderr)
		}
	}
}

// processes lists the living processes that the command has started, and its own.
// Redis writes over its environment, but lives in the temporary directory.
func (c *command) processes() (pids []string) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, dir := range dirs {
		environment, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil {
			continue // it has just ended
		}
		cwd, err := os.Readlink(filepath.Join(dir, "cwd"))
		if err == nil && strings.HasPrefix(cwd, c.temporary) || slices.Contains(strings.Split(string(environment), "\x00"), c.mark) {
			pids = append(pids, filepath.Base(dir))
		}
	}
	return pids
}

// A watched is a buffer that can be read while it is written.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// names lists a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// golden compares a text with a file in testdata.
func (b *bench) golden(name, got string) {
	t := b.t
	t.Helper()
	file := filepath.Join(b.testdata, name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("not as in %s (-want +got); go test -update writes it anew:\n%s", file, diff)
	}
}

// summaryIn reads the summary in a results directory.
func summaryIn(t *testing.T, dir string) *runner.Summary {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, summaryName))
	if err != nil {
		t.Fatal(err)
	}
	s := new(runner.Summary)
	if err := json.Unmarshal(text, s); err != nil {
		t.Fatal(err)
	}
	return s
}

// lookPath finds a program that the test needs.
func lookPath(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

// textNames lists what a comparison writes besides plots.
func textNames() []string { return []string{recordsName, summaryName, reportName, pageName} }

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

var controlCodes = regexp.MustCompile(`[\x00-\x09\x0b-\x1f\x7f]`)

func TestEveryErrorHasItsCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want exitCode
	}{
		{nil, exitDone},
		{io.ErrUnexpectedEOF, exitFailed},
		{context.Canceled, exitFailed},
		{usagef("compare", "wrong"), exitUsage},
		{fmt.Errorf("start: %w", &live.MissingError{What: "python3", How: "install it"}), exitLacking},
		{&tooOldError{&live.MissingError{What: "python3", How: "install it"}}, exitLacking},
		{exitWith(exitCrossed, io.EOF), exitCrossed},
		{fmt.Errorf("more: %w", exitWith(exitInterrupted, io.EOF)), exitInterrupted},
		{exitWith(exitFailed, usagef("compare", "wrong")), exitFailed},
	} {
		var stderr bytes.Buffer
		if got := finish(c.err, &stderr); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
		if c.err != nil && !strings.Contains(stderr.String(), c.err.Error()) {
			t.Errorf("%v: standard error %q does not say so", c.err, stderr.String())
		}
	}
}
