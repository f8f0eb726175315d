// Package held tells what a process holds that its forks would share with it and
// with each other: connections, files whose offset is shared, event queues,
// databases. It looks from outside, through /proc, and costs the process nothing.
//
// What a process holds is not yet what its forks inherit: an application can
// close it around the fork. [Thing.In] looks into a fork.
package held

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"forkbench/record"
)

// A Thing is something open in a process.
type Thing struct {
	FD   int
	Link string // what /proc calls it: a path, "socket:[4711]"

	Kind    record.HazardKind
	What    string // in words, with its article: "a TCP connection to 127.0.0.1:5432"
	Caution bool   // shared without harm, mostly

	pid int
}

// Open lists what a process has open that its forks would share, in the order of
// the descriptors. It leaves out what is harmless to share (memory, terminals,
// directories), the three standard streams and their duplicates, what this
// program holds under the same number, and sockets that lead to this program.
//
// Sockets are looked up in the process's own network, and in this program's if
// they are Unix sockets. What cannot be looked up is left out.
func Open(pid int) ([]Thing, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []Thing
	var standard []string
	for _, entry := range entries {
		link, err := os.Readlink(filepath.Join(dir, entry.Name()))
		fd, numErr := strconv.Atoi(entry.Name())
		switch {
		case err != nil || numErr != nil: // closed meanwhile
		case fd <= 2:
			standard = append(standard, link)
		case link != ours(fd):
			list = append(list, Thing{FD: fd, Link: link, pid: pid})
		}
	}
	list = slices.DeleteFunc(list, func(t Thing) bool { return slices.Contains(standard, t.Link) })
	slices.SortFunc(list, func(a, b Thing) int { return a.FD - b.FD })
	sockets := &sockets{pid: pid}
	for i := range list {
		list[i].classify(sockets)
	}
	return slices.DeleteFunc(list, func(t Thing) bool { return t.Kind == "" }), nil
}

// ours is what this program has open under a number, and so may have handed to
// all that it starts.
func ours(fd int) string {
	link, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	return link
}

// In reports whether another process has the same thing: not only the same file,
// but the same opening of it, with one offset for both.
func (t *Thing) In(pid int) bool {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return false
	}
	for _, entry := range entries {
		if link, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, entry.Name())); err != nil || link != t.Link {
			continue
		}
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		switch same, err := sameOpening(t.pid, t.FD, pid, fd); {
		case err == nil && same:
			return true
		case err != nil && fd == t.FD: // the kernel does not tell: it is so, most probably
			return true
		}
	}
	return false
}

// sameOpening asks the kernel whether two descriptors are one open file.
func sameOpening(pid, fd, otherPID, otherFD int) (bool, error) {
	const file = 0 // KCMP_FILE
	r, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(pid), uintptr(otherPID), file, uintptr(fd), uintptr(otherFD), 0)
	if errno != 0 {
		return false, errno
	}
	return r == 0, nil
}

// classify says what a descriptor is, if it matters.
func (t *Thing) classify(sockets *sockets) {
	switch kind, _, _ := strings.Cut(t.Link, ":"); {
	case kind == "socket":
		t.Kind, t.What, t.Caution = sockets.describe(t.Link)
	case kind == "pipe":
		t.Kind, t.What, t.Caution = record.HazardPipe, "a pipe", true
	case kind == "anon_inode":
		t.anonymous()
	case strings.HasPrefix(t.Link, "/"):
		t.file()
	}
}

// anonymous classifies what the kernel has no file for.
func (t *Thing) anonymous() {
	switch strings.Trim(strings.TrimPrefix(t.Link, "anon_inode:"), "[]") {
	case "eventpoll":
		t.Kind, t.What = record.HazardEvents, "an epoll instance (an event loop's, say)"
	case "inotify":
		t.Kind, t.What = record.HazardEvents, "an inotify instance (a file watcher's)"
	case "fanotify":
		t.Kind, t.What = record.HazardEvents, "a fanotify instance"
	case "io_uring":
		t.Kind, t.What = record.HazardEvents, "an io_uring instance"
	case "eventfd":
		t.Kind, t.What, t.Caution = record.HazardPipe, "an eventfd", true
	case "timerfd":
		t.Kind, t.What, t.Caution = record.HazardPipe, "a timer's descriptor", true
	case "signalfd":
		t.Kind, t.What, t.Caution = record.HazardPipe, "a descriptor for signals", true
	}
}

// devices are those that keep a state of their own for who opened them: a driver's
// context does not survive a fork.
var devices = []string{"/dev/nvidia", "/dev/kfd", "/dev/dri/", "/dev/accel/", "/dev/infiniband/"}

// file classifies what has a path.
func (t *Thing) file() {
	if strings.HasPrefix(t.Link, "/memfd:") || strings.HasPrefix(t.Link, "/dev/shm/") {
		return // shared memory, which is there to be shared
	}
	if strings.HasPrefix(t.Link, "/dev/") {
		if slices.ContainsFunc(devices, func(d string) bool { return strings.HasPrefix(t.Link, d) }) {
			t.Kind, t.What = record.HazardDevice, "the device "+t.Link
		}
		return
	}
	info, err := os.Stat(fmt.Sprintf("/proc/%d/fd/%d", t.pid, t.FD))
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	pos, flags, err := t.position()
	if err != nil || flags&unix.O_PATH != 0 {
		return
	}
	writes := flags&unix.O_ACCMODE != unix.O_RDONLY
	name := "the file " + t.Link
	if path, deleted := strings.CutSuffix(t.Link, " (deleted)"); deleted {
		name = "a deleted file of " + filepath.Dir(path) // its own name is another each time
	}
	switch {
	case t.isSQLite():
		t.Kind, t.What = record.HazardDatabase, "an SQLite connection to "+t.Link
	case pos == 0 && t.mapped(), pos == 0 && info.Size() == 0 && !writes:
		// Memory too, in a file's clothes; or there is nothing to read.
	case writes && flags&unix.O_APPEND != 0:
		t.Kind, t.What, t.Caution = record.HazardFile, name+", open for appending", true
	case writes:
		t.Kind, t.What = record.HazardFile, name+", open for writing"
		if flags&unix.O_ACCMODE == unix.O_RDWR {
			t.What = name + ", open for reading and writing"
		}
	default:
		t.Kind, t.What, t.Caution = record.HazardFile, name+", open for reading", true
	}
}

// position is a file's offset and flags.
func (t *Thing) position() (pos int64, flags int, err error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/fdinfo/%d", t.pid, t.FD))
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimSpace(value)
		switch name {
		case "pos":
			pos, err = strconv.ParseInt(value, 10, 64)
		case "flags":
			var octal int64
			octal, err = strconv.ParseInt(value, 8, 64)
			flags = int(octal)
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return pos, flags, lines.Err()
}

// isSQLite reports whether a file is a database of SQLite's, or belongs to one.
func (t *Thing) isSQLite() bool {
	path := strings.TrimSuffix(t.Link, " (deleted)")
	for _, suffix := range []string{"-wal", "-journal", "-shm"} {
		if _, found := strings.CutSuffix(path, suffix); found {
			return true
		}
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/fd/%d", t.pid, t.FD)) // an opening of our own: no offset moves
	if err != nil {
		return false
	}
	defer f.Close()
	const magic = "SQLite format 3\x00"
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(f, head); err != nil {
		return errors.Is(err, io.EOF) && t.library("sqlite") && slices.Contains([]string{".db", ".sqlite", ".sqlite3"}, filepath.Ext(path))
	}
	return string(head) == magic
}

// mapped reports whether the process has mapped the file, and shares the mapping.
func (t *Thing) mapped() bool {
	found := false
	_ = maps(t.pid, func(m mapping) bool {
		found = m.path == t.Link && m.shared
		return !found
	})
	return found
}

// library reports whether the process has loaded a library of that name.
func (t *Thing) library(name string) bool {
	found := false
	_ = maps(t.pid, func(m mapping) bool {
		found = strings.Contains(filepath.Base(m.path), name)
		return !found
	})
	return found
}

// A mapping is a line of /proc/PID/maps.
type mapping struct {
	from, to   uint64
	executable bool
	shared     bool
	path       string
}

// maps calls each with the mappings of a process until it returns false.
func maps(pid int, each func(mapping) bool) error {
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		m, ok := parseMapping(lines.Text())
		if ok && !each(m) {
			return nil
		}
	}
	return lines.Err()
}

// parseMapping reads "7f00-7f10 r-xp 00000000 fd:00 4711    /path of it".
func parseMapping(line string) (m mapping, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 5 || len(fields[1]) != 4 {
		return m, false
	}
	from, to, _ := strings.Cut(fields[0], "-")
	var err, toErr error
	m.from, err = strconv.ParseUint(from, 16, 64)
	m.to, toErr = strconv.ParseUint(to, 16, 64)
	m.executable, m.shared = fields[1][2] == 'x', fields[1][3] == 's'
	if i := strings.IndexByte(line, '/'); i >= 0 && len(fields) > 5 {
		m.path = line[i:]
	}
	return m, err == nil && toErr == nil
}
