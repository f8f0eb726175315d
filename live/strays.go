package live

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"forkbench/record"
)

// markVar is the environment variable by which the processes of a run can be
// told, whatever became of their parents. Its value is the run, or run/round.
const markVar = "FORKBENCH_RUN"

// mark is the variable for a round's processes.
func (h *Host) mark() string {
	return fmt.Sprintf("%s=%s/%s-%d-%d", markVar, h.m.Guard.id(), h.r.Model, h.r.Number, h.born)
}

// marked lists the living processes whose mark is the given one or one below
// it. A process that cleared its environment by exec is not found.
func marked(mark string) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || len(text) == 0 {
			continue // gone, a zombie, or somebody else's
		}
		for entry := range bytes.SplitSeq(text, []byte{0}) {
			value, ok := strings.CutPrefix(string(entry), markVar+"=")
			if ok && (value == mark || strings.HasPrefix(value, mark+"/")) {
				pid, err := strconv.Atoi(strings.Split(file, "/")[2])
				if err == nil && pid != os.Getpid() {
					found = append(found, pid)
				}
				break
			}
		}
	}
	return found, nil
}

// sweep kills what jobs have left behind, waits for what the kernel has given to
// this program as the orphans' reaper, and returns how many were still alive.
func (h *Host) sweep() int {
	found := h.killMarked()
	for _, pid := range h.zombies() {
		h.reapOrphan(pid)
	}
	if found > 0 {
		h.warn("the application left %d processes behind: they were killed", found)
	}
	return found
}

// killMarked ends every process that has the round's mark, and returns how many
// there were.
func (h *Host) killMarked() int {
	_, mark, _ := strings.Cut(h.mark(), "=")
	found := make(map[int]bool)
	for range 100 {
		left, err := marked(mark)
		if err != nil || len(left) == 0 {
			break
		}
		for _, pid := range left {
			found[pid] = true
			_ = unix.Kill(pid, unix.SIGKILL)
			h.reapOrphan(pid)
		}
	}
	return len(found)
}

// reapOrphan waits for a killed process if it is this program's to wait for.
func (h *Host) reapOrphan(pid int) {
	var ru unix.Rusage
	for {
		got, err := unix.Wait4(pid, nil, 0, &ru)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || got != pid: // somebody else's: it is gone in a moment
			time.Sleep(time.Millisecond)
			return
		}
		used := record.CPU{User: time.Duration(ru.Utime.Nano()), System: time.Duration(ru.Stime.Nano())}
		h.mu.Lock()
		h.reaped.children = h.reaped.children.Add(used)
		h.total += used.Total()
		h.mu.Unlock()
		return
	}
}

// zombies lists orphans that ended by themselves: children of this program that
// it did not start, in the group of one of the round's booted processes.
func (h *Host) zombies() []int {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	var found []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		// pid (comm) state ppid pgrp …, and comm may hold anything
		rest := string(text[bytes.LastIndexByte(text, ')')+1:])
		fields := strings.Fields(rest)
		if len(fields) < 3 || fields[0] != "Z" || fields[1] != strconv.Itoa(os.Getpid()) {
			continue
		}
		group, err := strconv.Atoi(fields[2])
		if pid, perr := strconv.Atoi(strings.Split(file, "/")[2]); err == nil && perr == nil && h.booted[group] && pid != group {
			found = append(found, pid)
		}
	}
	return found
}
