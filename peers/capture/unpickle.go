package capture

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"forkbench/workload"
)

//go:embed unpickle.py
var unpickleSource string

// Bounds on a Python process that runs whatever a pickle says.
const (
	answerWithin = 30 * time.Second
	maxAnswer    = 8 * maxBody // JSON takes more than a pickle
	mostDeaths   = 10
	stderrBytes  = 4096
)

// An Unpickler decodes pickled jobs in a Python process. A pickle can run any
// code: that process has the rights of this one.
type Unpickler struct {
	Interpreter string   // a program name or path
	Path        []string // directories to import from, before all others

	deaths int
	proc   *pythonProcess // nil before the first job, and after a death
}

// decode decodes the jobs that are pickled. The process stays for the next ones.
func (u *Unpickler) decode(ctx context.Context, jobs []Job) error {
	var pickled []*Job
	for i := range jobs {
		if jobs[i].Pickle != nil && jobs[i].Err == nil {
			pickled = append(pickled, &jobs[i])
		}
	}
	for len(pickled) > 0 {
		if u.proc == nil {
			proc, err := startPython(ctx, u.Interpreter, u.Path)
			if err != nil {
				return err
			}
			u.proc = proc
		}
		done, err := u.proc.decode(pickled)
		pickled = pickled[done:]
		if err == nil {
			continue
		}
		why := u.proc.end()
		u.proc = nil
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errBadAnswer):
			return fmt.Errorf("%s: %w%s", u.Interpreter, err, why)
		}
		if u.deaths++; u.deaths == mostDeaths {
			return fmt.Errorf("%s ended while it unpickled a job, for the %dth time; the last was %s%s", u.Interpreter, mostDeaths, pickled[0].ID, why)
		}
		pickled[0].Err = &UnreadableError{Reason: "unpickling it ended the interpreter", Detail: strings.TrimPrefix(why, ": ")}
		pickled = pickled[1:]
	}
	return nil
}

// Close ends the process.
func (u *Unpickler) Close() {
	if u.proc != nil {
		_ = u.proc.end() // it has answered everything
		u.proc = nil
	}
}

// A pythonProcess runs unpickle.py.
type pythonProcess struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	pipe   *os.File      // its standard output
	stdout *bufio.Reader // reads from pipe
	stderr tail

	ended chan struct{} // closed when it is gone, and all that it has started
	how   error         // then: how it ended
}

func startPython(ctx context.Context, interpreter string, path []string) (*pythonProcess, error) {
	p := &pythonProcess{
		cmd:   exec.CommandContext(ctx, interpreter, append([]string{"-c", unpickleSource}, path...)...),
		ended: make(chan struct{}),
	}
	p.cmd.Stderr = &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it starts is killed with it
	p.cmd.Cancel = p.kill
	p.cmd.WaitDelay = time.Second // for what has left the group, and holds standard error
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout = write
	p.pipe, p.stdout = read, bufio.NewReaderSize(read, 1<<16)
	err = p.cmd.Start()
	_ = write.Close() // its own end
	if err != nil {
		_ = read.Close()
		return nil, fmt.Errorf("%s: %w", interpreter, err)
	}
	go func() {
		defer close(p.ended)
		p.how = p.cmd.Wait()
		_ = p.kill() // those that it has left behind hold the pipes
	}()
	return p, nil
}

// kill ends the process and what it has started.
func (p *pythonProcess) kill() error {
	return syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
}

// giveUp ends the process and any reading from it and writing to it, even if
// somebody else holds the other ends.
func (p *pythonProcess) giveUp() {
	_ = p.kill() // it may be gone
	_, _ = p.stdin.Close(), p.pipe.Close()
}

// end ends the process and returns what it said at last, after a colon.
func (p *pythonProcess) end() string {
	_ = p.stdin.Close() // which is how it is asked to
	watchdog := time.AfterFunc(time.Second, p.giveUp)
	defer watchdog.Stop()
	<-p.ended
	_ = p.pipe.Close() // nothing more is read
	text := p.stderr.String()
	if text == "" && p.how != nil {
		text = p.how.Error()
	}
	if text == "" {
		return ""
	}
	return ": " + text
}

var errBadAnswer = errors.New("does not answer as it should")

// decode sends all jobs and takes the answers as they come. It returns how many
// were answered.
func (p *pythonProcess) decode(jobs []*Job) (done int, err error) {
	var sending sync.WaitGroup
	sending.Go(func() {
		w := bufio.NewWriterSize(p.stdin, 1<<16)
		for _, job := range jobs {
			system := byte('r')
			switch {
			case job.celery && isOwnTask(job.Call.Function):
				system = 'm'
			case job.celery:
				system = 'c'
			}
			_, _ = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(job.Pickle))), system))
			_, _ = w.Write(job.Pickle)
		}
		_ = w.Flush() // where it fails the process has ended, and the reader sees that
	})
	defer sending.Wait()
	watchdog := time.AfterFunc(answerWithin, p.giveUp)
	defer watchdog.Stop()
	for done < len(jobs) {
		answer, err := p.answer()
		if err == nil {
			err = jobs[done].unpickled(answer)
		}
		if err != nil {
			p.giveUp() // the sender may wait for it to read
			return done, err
		}
		watchdog.Reset(answerWithin)
		done++
	}
	return done, nil
}

func (p *pythonProcess) answer() ([]byte, error) {
	var header [4]byte
	if _, err := io.ReadFull(p.stdout, header[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(header[:])
	if n > maxAnswer {
		return nil, fmt.Errorf("%w: %d bytes announced", errBadAnswer, n)
	}
	answer := make([]byte, n)
	_, err := io.ReadFull(p.stdout, answer)
	return answer, err
}

// unpickled fills in what the process says of the job.
func (j *Job) unpickled(answer []byte) error {
	var a struct {
		Function *string         `json:"function"`
		Args     json.RawMessage `json:"args"`
		Kwargs   json.RawMessage `json:"kwargs"`
		Method   bool            `json:"method"`
		ETA      json.RawMessage `json:"eta"`
		Expires  json.RawMessage `json:"expires"`
		Follows  string          `json:"follows"`
		Reason   string          `json:"reason"`
		Detail   string          `json:"detail"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return fmt.Errorf("%w: %.80q", errBadAnswer, answer)
	}
	j.Pickle = nil
	switch {
	case a.Method:
		j.Err = errInstance
	case a.Reason != "":
		j.Err = &UnreadableError{Reason: a.Reason, Detail: a.Detail}
	default:
		c := workload.Call{Function: j.Call.Function, Args: a.Args, Kwargs: a.Kwargs}
		if a.Function != nil {
			c.Function = *a.Function
		}
		j.Call, j.Err = c, expired(a.Expires, time.Now())
		j.ETA, j.Follows = j.ETA || !isNull(a.ETA), a.Follows
	}
	return nil
}

// A tail keeps the last bytes that are written to it. One goroutine writes, and
// has ended when another reads.
type tail struct{ data []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if extra := len(t.data) - stderrBytes; extra > 0 {
		t.data = t.data[extra:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	lines := strings.Split(strings.TrimSpace(string(bytes.ToValidUTF8(t.data, []byte("?")))), "\n")
	return strings.TrimSpace(lines[len(lines)-1]) // of a traceback, the error
}
