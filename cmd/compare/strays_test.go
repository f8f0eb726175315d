package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"forkbench/conditions"
	"forkbench/internal/proc"
)

// What jobs leave asleep is gone with the run, and so are the run's control groups,
// however the program ends.
func TestNoGroupIsLeft(t *testing.T) {
	for name, end := range map[string]func(c *command){
		"done":  func(*command) {},
		"asked": func(c *command) { c.signal(os.Interrupt) },
		"asked twice": func(c *command) {
			c.signal(os.Interrupt)
			c.eventually("the first signal is answered", func() bool { return strings.Contains(c.stderr.String(), sayStopping) })
			c.signal(os.Interrupt)
		},
		"killed": func(c *command) { c.signal(syscall.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			line := `["daemon"]`
			if name == "asked twice" || name == "killed" {
				line = `["daemon", true]`
			}
			payloads(t, line)
			c := b.start("--workload=py:faults:desert", "--path="+b.testdata, "--payload=payloads", "--model=prefork",
				"--workers=1", "--rounds=1", "--jobs=20", "--arrivals=rate:20/s", "--out=out")
			var pid int
			c.eventually("a job has left a daemon", func() bool {
				text, err := os.ReadFile("daemon")
				if err != nil {
					return false
				}
				pid, err = strconv.Atoi(string(text))
				return err == nil
			})
			group := groupOf(t, pid)
			end(c)
			<-c.ended
			c.eventually("the daemon is gone", func() bool {
				s, ok := proc.Stands(pid)
				return !ok || s.Exiting // if this process has adopted it, nobody waits for it
			})
			if group == "" {
				t.Log("no control group can be made here")
				return
			}
			c.eventually("the control group is gone", func() bool {
				_, err := os.Stat(group)
				return os.IsNotExist(err)
			})
		})
	}
}

// groupOf is the directory of the run's control group that a process is in; none if
// it is in no run's.
func groupOf(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		before, after, _ := strings.Cut(line, " - ")
		if !strings.HasPrefix(after, "cgroup2 ") {
			continue
		}
		_, path, _ := strings.Cut(string(text), "0::")
		path, _, _ = strings.Cut(path, "\n")
		if run, _, ok := strings.Cut(path, "/prefork-"); ok && strings.Contains(run, "/forkbench-") {
			return filepath.Join(strings.Fields(before)[4], run)
		}
	}
	return ""
}

// The table has a row for what jobs leave behind, and says so itself where CPU time
// is in none of its figures. With the race detector it has no figures.
func TestTableOfStrays(t *testing.T) {
	figures := !conditions.Environment().Race
	for function, want := range map[string]struct{ row, warning string }{
		"strand": {row: "of which left behind"},
		"disown": {row: "!!", warning: "is in none of the figures here"},
	} {
		t.Run(function, func(t *testing.T) {
			b := newBench(t)
			payloads(t, `[]`)
			r := b.run("--workload=py:faults:"+function, "--path="+b.testdata, "--payload=payloads", "--rounds=1", "--jobs=8", "--out=out")
			r.want(t, exitDone)
			if strings.Contains(r.stdout, want.row) != figures {
				t.Errorf("figures are published: %t; %q in the table:\n%s", figures, want.row, r.stdout)
			}
			sum := summaryIn(t, "out")
			if want.warning == "" {
				for _, m := range sum.Models {
					if figures && (m.CPU.Strayed < 50 || m.CPU.Children < m.CPU.Strayed) {
						t.Errorf("%s: %v ms of %v are booked on what jobs left behind; want 50 at least", m.Model, m.CPU.Strayed, m.CPU.Children)
					}
				}
				return
			}
			if sum.Models[0].ResidualPercent == nil {
				t.Log("no control group can be made here, or no figures")
				return
			}
			if text := strings.Join(sum.Warnings, "\n"); !strings.Contains(text, want.warning) {
				t.Errorf("the warnings lack %q:\n%s", want.warning, text)
			}
		})
	}
}
