package live

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"forkbench/internal/proc"

	"golang.org/x/sys/unix"
)

// A spawned process is the host's own child: started by exec, waited for by a
// goroutine that Host.wait joins.
type spawned struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed after the wait: then the rest and cmd.ProcessState are set
	at     time.Duration
	used   time.Duration // its own clock at its end; 0 if it could not be read

	killing sync.Mutex // held while it is killed, and while it is waited for
	gone    bool       // it has been waited for: its pid may be another's
}

// spawn starts a program as process p, with its socket as descriptor 3 and the
// extra files, if any, as 4 and on. It does not wait for the program to answer.
func (h *Host) spawn(p *process, path string, args []string, extra ...*os.File) error {
	ours, theirs, err := socketPair()
	if err != nil {
		return err
	}
	socket := os.NewFile(uintptr(theirs), "socket of a process")
	defer socket.Close()
	p.conn, err = newConn(ours, "process")
	if err != nil {
		return err
	}
	if err := h.launch(p, path, args, h.m.Runtime.environment(), append([]*os.File{socket}, extra...)); err != nil {
		p.conn.close()
		return err
	}
	h.waits.Go(func() {
		p.await()
		if p.role == roleParent && p.is(running) && !p.closing.Load() {
			h.fail(p.obituary())
		}
	})
	return nil
}

// launch executes a program as process p, with the files as descriptors from 3
// on. Somebody must await its end.
func (h *Host) launch(p *process, path string, args, env []string, files []*os.File) error {
	cmd := exec.Command(path, args...)
	cmd.Env = slices.Concat(os.Environ(), h.m.Guard.temporary(), h.m.Env, env, []string{h.mark()})
	cmd.ExtraFiles = files
	cmd.Stdout, cmd.Stderr = h.output(p).writer, h.output(p).writer
	// A group of its own, so that Ctrl-C in a terminal reaches only the host.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	h.cgroup.place(cmd.SysProcAttr)

	h.launching.RLock()
	defer h.launching.RUnlock()
	p.forkBegan = monotonic()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", path, err)
	}
	p.mu.Lock()
	p.pid = cmd.Process.Pid
	p.own = &spawned{cmd: cmd, exited: make(chan struct{})}
	p.state = running
	p.mu.Unlock()
	h.register(p)
	return nil
}

// await waits for a process that was launched.
func (p *process) await() {
	for unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	p.own.used, _ = proc.CPU(p.pid) // it has ended, and its clock is there until it is waited for
	p.own.killing.Lock()
	_ = p.own.cmd.Wait() // how it ended is in ProcessState
	p.own.gone = true
	p.own.killing.Unlock()
	p.own.at = monotonic()
	p.host.lineage.waited(p.pid)
	close(p.own.exited)
}

// memoryFile returns a sealed file in memory with the given content: nothing to
// clean up, and nobody can change it under a process that maps it.
func memoryFile(name string, content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make a memory file: %w", err)
	}
	file := os.NewFile(uintptr(fd), name)
	if _, err := file.Write(content); err != nil {
		return nil, errors.Join(fmt.Errorf("fill a memory file: %w", err), file.Close())
	}
	seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return nil, errors.Join(fmt.Errorf("seal a memory file: %w", err), file.Close())
	}
	return file, nil
}

// tailSize is how much of what processes print is kept, to explain a death.
const tailSize = 4 << 10

// An output drains what a booted process and all that it forked print, and
// keeps the end of it. A job may print a gigabyte: it costs time, not memory.
type output struct {
	writer *os.File
	reader *os.File
	end    *proc.Tail
}

func newOutput() (*output, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	return &output{writer: w, reader: r, end: proc.NewTail(tailSize)}, nil
}

// drain reads until close is called, or until the last process that holds the
// other end has exited.
func (o *output) drain() {
	_, _ = io.Copy(o.end, o.reader) // it ends with an error when close is called
}

// close ends drain. What a process prints after that is lost, and that process
// gets SIGPIPE: it is a stray.
func (o *output) close() {
	_ = o.writer.Close()
	_ = o.reader.Close()
}

func (o *output) tail() string { return o.end.String() }

// quoted is the tail as the end of an error's text, or nothing.
func (o *output) quoted() string {
	if t := o.tail(); t != "" {
		return "; its last output:\n" + t
	}
	return ""
}
