package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A child is a run that is being made, by a process of its own.
type child struct {
	name string
	kind string

	cancelled chan struct{} // closed by cancel
	once      sync.Once

	mu      sync.Mutex
	process *os.Process // nil before it was started, and when it has ended
	paused  bool
	ending  bool // it is not stopped any more
}

func newChild(name, kind string) *child {
	return &child{name: name, kind: kind, cancelled: make(chan struct{})}
}

// cancel asks for its end.
func (c *child) cancel() { c.once.Do(func() { close(c.cancelled) }) }

// pause stops the process, or has it go on.
func (c *child) pause(yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending || c.paused == yes {
		return
	}
	if c.paused = yes; c.process != nil {
		c.signalPause()
	}
}

func (c *child) signalPause() {
	s := syscall.SIGCONT
	if c.paused {
		s = syscall.SIGSTOP
	}
	_ = c.process.Signal(s) // it may have ended by itself
}

// The time that a process has to end in order, and then at once.
const (
	orderly = 20 * time.Second
	atOnce  = 10 * time.Second
)

// run runs the command to its end, which ctx and cancel bring about early: the first
// signal asks the command for an orderly end, a second one for one at once, and then
// it is killed. A command that is killed leaves no process behind: its own guard sees
// to that, so it is the only one that is signalled.
func (c *child) run(ctx context.Context, s *store, command, env []string) (State, *int, error) {
	name := path.Join(c.name, progressName)
	log, err := s.root.Create(name)
	if err != nil {
		return Failed, nil, err
	}
	defer log.Close()
	cmd := exec.Command(command[0], command[1:]...) //nolint:noctx // it is ended by signals, in their order
	cmd.Env, cmd.Stderr = env, log
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true,            // a terminal's Ctrl-C is for the service
		Pdeathsig: syscall.SIGTERM, // it ends in order, too, when the service is killed
	}
	if c.kind == Simulation {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL // it may stand still, and then heeds no other; it has no children
	}
	exited, err := start(cmd)
	if err != nil {
		return Failed, nil, err
	}
	c.mu.Lock()
	c.process = cmd.Process
	if c.paused {
		c.signalPause()
	}
	c.mu.Unlock()

	state := Done
	select {
	case err = <-exited:
	case <-c.cancelled:
		state, err = Cancelled, c.end(exited)
	case <-ctx.Done():
		state, err = Interrupted, c.end(exited)
	}
	c.mu.Lock()
	c.process = nil
	c.mu.Unlock()
	code := cmd.ProcessState.ExitCode()
	if state != Done {
		return state, &code, nil
	}
	if err != nil {
		return Failed, &code, fmt.Errorf("%w: %s", err, lastWords(s, name))
	}
	return Done, &code, nil
}

// start starts a command. The signal of a parent's death is one of the death of the
// thread that started it (golang/go#27505): a goroutine keeps that one until the
// command has ended.
func start(cmd *exec.Cmd) (<-chan error, error) {
	started, exited := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			exited <- cmd.Wait()
		}
	}()
	return exited, <-started
}

// end ends the process, and waits for it.
func (c *child) end(exited <-chan error) error {
	c.pause(false) // what is stopped ends nothing
	c.mu.Lock()
	c.ending = true
	c.mu.Unlock()
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGTERM, orderly}, {syscall.SIGTERM, atOnce}} {
		_ = c.process.Signal(step.signal) // it may have ended by itself
		timer := time.NewTimer(step.wait)
		select {
		case err := <-exited:
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
	_ = c.process.Kill() // likewise
	return <-exited
}

// lastWords is the end of what a command said.
func lastWords(s *store, name string) string {
	text, err := tail(s, name, 2<<10)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// tail is the last bytes of a file, at most so many.
func tail(s *store, name string, most int64) ([]byte, error) {
	f, err := s.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	begin := max(0, info.Size()-most)
	text := make([]byte, info.Size()-begin)
	n, err := f.ReadAt(text, begin)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	text = text[:n]
	if begin > 0 {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return text, nil
}
