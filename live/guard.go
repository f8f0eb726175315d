package live

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Guard cleans up after this program if it is killed: it is a process of its
// own that waits for the program's end and then kills all that the program's
// runs have started (told by the run's cgroups, and by an environment variable that
// every one of them inherits), and removes the private directory and the cgroups.
//
// Processes also end by themselves when their host is gone, even if the guard was
// killed with it; the guard is for those that cannot: a hung job, whose template was killed as well, a Redis
// server, a daemon that a job left behind.
type Guard struct {
	run    string
	dir    string
	groups string // the directory of this run's cgroups; empty if none can be made
	reason string // then why
	pipe   *os.File
	cmd    *exec.Cmd
}

// guardVar marks an execution of the binary as a guard; its value is a
// guardOrder as JSON.
const guardVar = "FORKBENCH_GUARD"

type guardOrder struct {
	Run    string `json:"run"`
	Dir    string `json:"dir"`
	Groups string `json:"groups"`
}

// StartGuard makes a private directory for sockets and the like, and starts a
// guard over it. The program must have called Main first, and must Close the
// guard.
func StartGuard() (*Guard, error) {
	if os.Getenv(guardVar) != "" || os.Getenv(childVar) != "" {
		// Without Main each would start the next.
		return nil, errors.New("this program does not call live.Main first in its main (in tests: in TestMain)")
	}
	dir, err := os.MkdirTemp("", "forkbench-")
	if err != nil {
		return nil, fmt.Errorf("make a private directory (TMPDIR says where): %w", err)
	}
	if err := os.Mkdir(filepath.Join(dir, temporaryName), 0o700); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	g := &Guard{run: rand.Text(), dir: dir}
	if root, err := cgroupRoot(); err != nil {
		g.reason = err.Error()
	} else if c := makeCgroup(root, "forkbench-"+g.run); c.dir == nil {
		g.reason = c.reason
	} else {
		g.groups = c.dir.Name()
		_ = c.dir.Close()
	}
	if err := g.start(); err != nil {
		g.clean()
		return nil, fmt.Errorf("start the guard process: %w", err)
	}
	// Inherited by all that this program starts, wherever it starts it.
	return g, os.Setenv(markVar, g.run)
}

func (g *Guard) start() error {
	order, err := json.Marshal(guardOrder{g.run, g.dir, g.groups})
	if err != nil {
		return err
	}
	path, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	g.cmd = exec.Command(path, "forkbench:guard")
	g.cmd.Env = append(os.Environ(), guardVar+"="+string(order), markVar+"=")
	g.cmd.Stdin = r
	g.cmd.Stderr = os.Stderr
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := g.cmd.Start(); err != nil {
		return errors.Join(err, w.Close())
	}
	g.pipe = w
	return nil
}

// Dir is the private directory, removed by Close.
func (g *Guard) Dir() string { return g.dir }

// directory is the same, also of no guard: then the system's for temporary files.
func (g *Guard) directory() string {
	if g == nil {
		return ""
	}
	return g.dir
}

// temporary is where the processes of a round put their temporary files, so that
// even those of a killed job are removed.
func (g *Guard) temporary() []string {
	if g == nil {
		return nil
	}
	return []string{"TMPDIR=" + filepath.Join(g.dir, temporaryName)}
}

const temporaryName = "tmp"

// Cgroup says where the CPU cross-check is made, or why it is not.
func (g *Guard) Cgroup() string {
	if g == nil {
		return "none: there is no guard that would remove a control group"
	}
	if g.groups == "" {
		return "none: " + g.reason
	}
	return "version 2"
}

// Close removes what the guard would have removed, and ends it.
func (g *Guard) Close() error {
	// An orderly end: nothing left to do. If somebody has killed the guard, there
	// is nobody to tell.
	_, _ = g.pipe.Write([]byte{'.'})
	_, _ = g.pipe.Close(), g.cmd.Wait()
	err := os.Unsetenv(markVar)
	g.clean()
	return err
}

func (g *Guard) clean() {
	if g.groups != "" {
		_ = killCgroup(g.groups) // none, unless a round could not end
		_ = removeCgroup(g.groups)
	}
	_ = os.RemoveAll(g.dir)
}

// id is the run's name in the mark of its processes.
func (g *Guard) id() string {
	if g == nil {
		return fmt.Sprintf("unguarded-%d", os.Getpid())
	}
	return g.run
}

// cgroup makes a group for a round.
func (g *Guard) cgroup(name string) *cgroup {
	switch {
	case g == nil:
		return noCgroup("no guard")
	case g.groups == "":
		return noCgroup(g.reason)
	}
	return makeCgroup(g.groups, name)
}

// guardMain is the guard's process. It does not return if this is one.
func guardMain() {
	text := os.Getenv(guardVar)
	if text == "" {
		return
	}
	var order guardOrder
	if err := json.Unmarshal([]byte(text), &order); err != nil {
		fmt.Fprintf(os.Stderr, "forkbench guard: %s: %v\n", guardVar, err)
		os.Exit(70) // EX_SOFTWARE
	}
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGPIPE)
	word, _ := io.ReadAll(os.Stdin)
	if len(word) > 0 {
		os.Exit(0)
	}
	// What is killed may have been starting something else: look again until
	// nothing is left.
	for range 100 {
		some := order.Groups != "" && killCgroup(order.Groups)
		left := marked(order.Run)
		for _, pid := range left {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		if !some && len(left) == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if order.Groups != "" {
		_ = removeCgroup(order.Groups)
	}
	if filepath.IsAbs(order.Dir) {
		_ = os.RemoveAll(order.Dir)
	}
	os.Exit(0)
}
