package stream

import (
	"fmt"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"forkbench/internal/proc"

	"go.uber.org/zap"
)

// grace is how long a private server may take to end before it is killed. There
// is nothing that it could save meanwhile.
const grace = time.Second

// tailBytes is how much of what a server prints is kept, to explain its death.
const tailBytes = 2 << 10

// A process is a private server's process and the goroutine that waits for it.
type process struct {
	name string
	cmd  *exec.Cmd
	ask  func() // asks it to end
	out  *proc.Tail
	log  *zap.Logger

	done  chan struct{} // closed when it has been reaped
	state string        // how it ended; valid after done

	mu    sync.Mutex
	ended bool // we ended it
}

// startProcess starts cmd, whose standard output and error it keeps the end of.
func startProcess(name string, cmd *exec.Cmd, ask func(), log *zap.Logger) (*process, error) {
	p := &process{name: name, cmd: cmd, ask: ask, log: log, out: proc.NewTail(tailBytes), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.out, p.out
	cmd.WaitDelay = grace // should a child of its own hold on to the output
	started := make(chan error, 1)
	go func() {
		// A parent-death signal (Pdeathsig) is sent when the thread that started
		// the process ends, golang/go#27505: this one stays until it was reaped.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // ProcessState says more
		p.state = cmd.ProcessState.String()
		p.mu.Lock()
		if !p.ended {
			log.Warn(name+" died", zap.String("state", p.state), zap.String("output", p.out.String()))
		}
		p.mu.Unlock()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// stop ends the process and waits until it is gone. It may be called again.
func (p *process) stop() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.ask()
	select {
	case <-p.done:
	case <-time.After(grace):
		p.log.Warn(p.name+" did not end in time, killing it", zap.Duration("after", grace))
		_ = p.cmd.Process.Kill() // it can only have ended meanwhile
		<-p.done
	}
}

// postMortem says how the process died by itself, or "" if it did not. A lost
// connection is often the first that is seen of a death: it waits for the rest.
func (p *process) postMortem() string {
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	if ended {
		return ""
	}
	select {
	case <-p.done:
		return p.obituary()
	case <-time.After(time.Second):
		return ""
	}
}

// obituary is for when done is closed.
func (p *process) obituary() string {
	s := fmt.Sprintf("%s died (%s)", p.name, p.state)
	if out := p.out.String(); out != "" {
		s += ", its last output:\n" + out
	}
	return s
}

// exited reports whether the process is gone.
func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// terminate is the usual way to ask.
func terminate(cmd *exec.Cmd) func() {
	return func() { _ = cmd.Process.Signal(syscall.SIGTERM) } // it can only have ended
}
