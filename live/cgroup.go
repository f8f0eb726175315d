package live

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A cgroup is a version 2 control group that a round's processes are started
// in. Whatever they become, they and all that they start stay in it: its cpu.stat
// counts every one of them, also those that nobody waited for (the check on wait4),
// its list tells which are alive, and it can be killed as a whole. It needs no
// controller, but a writable hierarchy.
type cgroup struct {
	dir    *os.File // nil if none could be made
	reason string   // then why
}

func noCgroup(reason string) *cgroup { return &cgroup{reason: reason} }

// cgroupRoot is this program's own directory in the version 2 hierarchy.
func cgroupRoot() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	mount := ""
	for line := range strings.Lines(string(mounts)) {
		// ID parent major:minor root mountpoint options… - type source options
		before, after, ok := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if ok && strings.HasPrefix(after, "cgroup2 ") && len(fields) >= 5 && fields[3] == "/" {
			mount = fields[4]
		}
	}
	if mount == "" {
		return "", errors.New("no cgroup version 2 hierarchy is mounted")
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	s := bufio.NewScanner(bytes.NewReader(own))
	for s.Scan() {
		if path, ok := strings.CutPrefix(s.Text(), "0::"); ok {
			return filepath.Join(mount, path), nil
		}
	}
	return "", errors.New("this program is in no cgroup of version 2")
}

// makeCgroup makes a group below parent, which exists.
func makeCgroup(parent, name string) *cgroup {
	path := filepath.Join(parent, strings.ReplaceAll(name, "/", "_"))
	if err := os.Mkdir(path, 0o755); err != nil {
		return noCgroup(err.Error())
	}
	dir, err := os.Open(path)
	if err != nil {
		return noCgroup(errors.Join(err, os.Remove(path)).Error())
	}
	return &cgroup{dir: dir}
}

// place has a process start in the group.
func (c *cgroup) place(attr *syscall.SysProcAttr) {
	if c.dir != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, int(c.dir.Fd())
	}
}

// usage is the CPU of all processes that ever were in the group; 0 if there is
// no group.
func (c *cgroup) usage() time.Duration {
	if c.dir == nil {
		return 0
	}
	text, err := os.ReadFile(filepath.Join(c.dir.Name(), "cpu.stat"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "usage_usec "); ok {
			us, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
			if err != nil {
				return 0
			}
			return time.Duration(us) * time.Microsecond
		}
	}
	return 0
}

// processes lists those that are alive in the group, and in groups below it.
// Those that have ended and were not waited for are not among them.
func (c *cgroup) processes() []int {
	if c.dir == nil {
		return nil
	}
	return membersOf(c.dir.Name())
}

func membersOf(path string) []int {
	var found []int
	text, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
	for line := range strings.Lines(string(text)) {
		// 0 is a process outside of this program's namespace.
		if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid > 0 {
			found = append(found, pid)
		}
	}
	below, _ := filepath.Glob(filepath.Join(path, "*", "cgroup.procs"))
	for _, procs := range below {
		found = append(found, membersOf(filepath.Dir(procs))...)
	}
	return found
}

// holds reports whether a process is in the group or below it, or was when it
// ended.
func (c *cgroup) holds(pid int) bool {
	if c.dir == nil {
		return false
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return false
	}
	// The run's group and the round's, whatever the hierarchy's root is called here.
	run, round := filepath.Split(c.dir.Name())
	own := "/" + filepath.Base(run) + "/" + round
	for line := range strings.Lines(string(text)) {
		path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::")
		if !ok {
			continue
		}
		_, rest, ok := strings.Cut(path, own)
		return ok && (rest == "" || rest[0] == '/' || rest[0] == ' ') // " (deleted)"
	}
	return false
}

// kill ends all processes of the group and of those below it.
func (c *cgroup) kill() {
	if c.dir != nil {
		killCgroup(c.dir.Name())
	}
}

// killCgroup ends all processes of a group, and reports whether there were some.
// Linux before 5.14 cannot do it at once: then what is being started meanwhile is
// left, and the call is to be repeated.
func killCgroup(path string) bool {
	members := membersOf(path)
	if err := os.WriteFile(filepath.Join(path, "cgroup.kill"), []byte("1"), 0); err != nil {
		for _, pid := range members {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	return len(members) > 0
}

// remove removes the group, which is empty by now.
func (c *cgroup) remove() {
	if c.dir == nil {
		return
	}
	_ = c.dir.Close()
	_ = removeCgroup(c.dir.Name())
}

// removeCgroup removes a group and those below it. The kernel gives up a dead
// process's place a moment after it has been waited for.
func removeCgroup(path string) error {
	below, _ := filepath.Glob(filepath.Join(path, "*", "cgroup.procs"))
	for _, procs := range below {
		_ = removeCgroup(filepath.Dir(procs))
	}
	var err error
	for range 50 {
		if err = unix.Rmdir(path); err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	return fmt.Errorf("remove cgroup %s: %w", path, err)
}
