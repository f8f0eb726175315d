package stream

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"
)

func TestDescribe(t *testing.T) {
	each(t, func(t *testing.T, s *Server) {
		name := s.name
		if got := s.Describe(); !strings.HasPrefix(got, name) || !strings.HasSuffix(got, " (private)") || strings.Contains(got, "  ") {
			t.Errorf("Describe: %q", got)
		}
		if name == "redis-server" && s.version == "" {
			t.Error("no version")
		}
		if !s.Private() || s.Pid() <= 0 {
			t.Errorf("Private %v, Pid %d", s.Private(), s.Pid())
		}
		yours, err := Connect(t.Context(), "unix://"+s.socket)
		if err != nil {
			t.Fatal(err)
		}
		defer yours.Close()
		if got := yours.Describe(); !strings.HasPrefix(got, "redis ") || !strings.HasSuffix(got, "at "+s.socket+" (yours)") {
			t.Errorf("Describe: %q", got)
		}
		if yours.Private() || yours.Pid() != 0 {
			t.Errorf("Private %v, Pid %d", yours.Private(), yours.Pid())
		}
	})
}

// What Start chooses depends on what is on PATH.
func TestStartLooksOnPath(t *testing.T) {
	path := redisPath(t)
	fake := func(t *testing.T, dir, name, script string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	link := func(t *testing.T, target, dir, name string) {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name  string
		fill  func(t *testing.T, dir string)
		want  string
		error string
	}{
		{"both", func(t *testing.T, dir string) {
			link(t, path, dir, "redis-server")
			fake(t, dir, "valkey-server", "exit 9")
		}, "redis-server", ""},
		{"valkey", func(t *testing.T, dir string) { link(t, path, dir, "valkey-server") }, "valkey-server", ""},
		{"none", func(*testing.T, string) {}, "miniredis", ""},
		{"too old", func(t *testing.T, dir string) { link(t, os.Args[0], dir, "redis-server") }, "miniredis", ""},
		{"one too old", func(t *testing.T, dir string) {
			link(t, os.Args[0], dir, "redis-server")
			link(t, path, dir, "valkey-server")
		}, "valkey-server", ""},
		{"broken", func(t *testing.T, dir string) { fake(t, dir, "redis-server", "echo no such luck >&2; exit 3") }, "", "no such luck"},
		{"not executable", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "redis-server"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "miniredis", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			tt.fill(t, dir)
			t.Setenv("PATH", dir)
			core, logs := observer.New(zap.WarnLevel)
			s, err := Start(t.Context(), shortDir(t), zap.New(core))
			if tt.error != "" {
				wantError(t, "Start", err, nil, "redis-server died (exit status 3)", tt.error)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if s.name != tt.want {
				t.Errorf("started %s; want %s", s.Describe(), tt.want)
			}
			if got, want := logs.FilterMessageSnippet("not using").Len() > 0, strings.Contains(tt.name, "too old"); got != want {
				t.Errorf("logged %v; want word of the old server: %v", logs.All(), want)
			}
			enqueued(t, s, 1)
		})
	}
}

func TestOlderThan62(t *testing.T) {
	for version, want := range map[string]bool{
		"5.0.7": true, "6.0.16": true, "6.1.240": true, "6.2.0": false, "6.2": false,
		"7.0.15": false, "10.0.0": false, "": false, "unstable": false, "255.255.255": false,
	} {
		if got := olderThan62(version); got != want {
			t.Errorf("olderThan62(%q) = %v; want %v", version, got, want)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	dir := shortDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(dir, strings.Repeat("x", 100))
	used := filepath.Join(dir, "used")
	for _, d := range []string{long, used} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(used, socketName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ dir, text string }{
		{filepath.Join(dir, "none"), "no such file"},
		{file, "not a directory"},
		{long, "may have 107 bytes"},
		{used, "is another server running there?"},
	}
	for _, tt := range tests {
		_, err := start(t.Context(), tt.dir, zap.NewNop(), "miniredis", miniredisCommand)
		wantError(t, tt.dir, err, nil, tt.text)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := start(ctx, dir, zap.NewNop(), "miniredis", miniredisCommand)
	wantError(t, "cancelled", err, context.Canceled)
	t.Setenv(miniredisEnv, "x")
	_, err = start(t.Context(), dir, zap.NewNop(), "miniredis", miniredisCommand)
	wantError(t, "in a miniredis that does not call Main", err, nil, "stream.Main")
}

func TestRedisThatDiesAtItsStartIsQuoted(t *testing.T) {
	path := redisPath(t)
	_, err := start(t.Context(), shortDir(t), zap.NewNop(), "redis-server", func(socket string) (*exec.Cmd, func(), error) {
		cmd, ask, err := redisCommand(path)(socket)
		cmd.Args = append(cmd.Args, "--no-such-option", "1")
		return cmd, ask, err
	})
	wantError(t, "Start", err, nil, "redis-server died (exit status 1)", "no-such-option")
}

func TestCloseLeavesNothing(t *testing.T) {
	stopped := func(t *testing.T, s *Server) {
		// It cannot end when it is asked to: it has to be killed.
		if err := s.proc.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	killed := func(t *testing.T, s *Server) {
		if err := s.proc.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-s.proc.done
	}
	for name, before := range map[string]func(*testing.T, *Server){
		"running": func(*testing.T, *Server) {}, "stopped": stopped, "killed": killed,
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, s *Server) {
				pid := s.Pid()
				before(t, s)
				for range 2 {
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				}
				if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
					t.Errorf("process %d is still there: %v", pid, err)
				}
				left, err := os.ReadDir(filepath.Dir(s.socket))
				if len(left) != 0 || err != nil {
					t.Errorf("left behind: %v, %v", left, err)
				}
				if _, err := s.Create(t.Context(), "late"); err == nil || errors.Is(err, ErrLost) {
					t.Errorf("use after Close: error %v; want one that is not %v", err, ErrLost)
				}
			})
		})
	}
}

// Whatever happens to the program that started it, the server goes.
func TestServerGoesWithItsProgram(t *testing.T) {
	for name, path := range map[string]string{"redis-server": redisPath(t), "miniredis": ""} {
		t.Run(name, func(t *testing.T) {
			dir := shortDir(t)
			program := exec.Command(os.Args[0])
			program.Env = append(os.Environ(), orphanEnv+"="+dir+"\n"+path)
			program.Stderr = os.Stderr
			out, err := program.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := program.Start(); err != nil {
				t.Fatal(err)
			}
			line, readErr := bufio.NewReader(out).ReadString('\n')
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			var pidfd int
			if err == nil {
				pidfd, err = unix.PidfdOpen(pid, 0)
			}
			if err := program.Process.Kill(); err != nil {
				t.Error(err)
			}
			if err := program.Wait(); err == nil {
				t.Error("the program was not killed")
			}
			if err != nil {
				t.Fatal(err, readErr)
			}
			defer unix.Close(pidfd)
			waitGone(t, pidfd)
			if left, err := os.ReadDir(dir); len(left) != 0 || err != nil {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestDeathIsLogged(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	s, err := start(t.Context(), shortDir(t), zap.New(core), "miniredis", miniredisCommand)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.proc.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.proc.done
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	var got []string
	for _, e := range logs.All() {
		got = append(got, e.Message)
	}
	if len(got) != 2 || !strings.HasPrefix(got[0], "started miniredis") || got[1] != "miniredis died" {
		t.Errorf("logged %q", got)
	}
}
