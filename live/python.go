package live

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"

	"forkbench/workload"
)

//go:embed template.py
var template string

// A Runtime makes processes of one kind: [Python] or [Go].
type Runtime interface {
	// Name is "python" or "go".
	Name() string

	// ForkPrimitive says in a few words what Fork is, for the reader of a
	// result.
	ForkPrimitive() string

	// check reports what is wrong with the runtime or the workload before
	// anything is started.
	check(w workload.Workload) error
	// environment is what its processes get besides this program's own.
	environment() []string
	boot(p *process) error
	fork(p *process, job *fusedJob) error
	// once makes the process at its seat, has it run the job, and waits for its
	// end. If an error says that its maker failed, it may have been made
	// nevertheless.
	once(p *process, job workload.Job) (e exit, made bool, err error)
}

// Python runs jobs in processes forked by a Python template: fork(2) proper,
// with copy-on-write and page tables, as Celery's and RQ's.
type Python struct {
	Interpreter  string   // a program name or path; "python3" if empty
	Path         []string // directories for sys.path, before all others
	Setup        []string // MODULE:NAME to call or to enter in each booted process, first of all; docs/jobs.md has the rule
	Warm         []string // MODULE:FUNCTION to call in Process.Warm, after the workload's own
	AllowThreads bool     // fork even if the process has several threads
}

var _ Runtime = Python{}

// Name is "python".
func (Python) Name() string { return "python" }

// ForkPrimitive names os.fork.
func (Python) ForkPrimitive() string {
	return "os.fork of a Python template, copy-on-write"
}

// Program is the interpreter as it will be looked up.
func (r Python) Program() string {
	if r.Interpreter == "" {
		return "python3"
	}
	return r.Interpreter
}

func (r Python) check(w workload.Workload) error {
	if _, ok := w.(workload.Python); !ok {
		return fmt.Errorf("workload %s has no Python function: run it with the Go runtime", w.Name())
	}
	if _, err := exec.LookPath(r.Program()); err != nil {
		return &MissingError{
			What: r.Program() + " not found on PATH",
			How:  "install it, name another with --python, or use --workload=go:record_event",
		}
	}
	return nil
}

func (Python) environment() []string { return nil }

func (r Python) boot(p *process) error {
	file, err := memoryFile("forkbench-template.py", []byte(template))
	if err != nil {
		return err
	}
	defer file.Close()
	if err := p.host.openOutput(p); err != nil {
		return err
	}
	if err := p.host.openSeats(p); err != nil {
		return err
	}
	defer p.chairs.file.Close()
	// The last argument is for who reads the process list.
	args := []string{"-u", "/dev/fd/4", "forkbench:" + p.host.r.Model}
	if err := p.host.spawn(p, r.Program(), args, file, p.chairs.file); err != nil {
		return err
	}
	f := p.host.m.Workload.(workload.Python).PythonFunction()
	f = f.WithWarm(slices.Concat(f.Warm, r.Warm))
	order := bootOrder{
		Path:         r.Path,
		Sources:      workload.WithApplication(f.Sources),
		Setup:        append([]string{}, r.Setup...),
		Function:     f.Module + ":" + f.Function,
		Warm:         f.Warm,
		AllowThreads: r.AllowThreads,
	}
	if order.Path == nil {
		order.Path = []string{}
	}
	if order.Warm == nil {
		order.Warm = []string{}
	}
	return p.load(order, nil)
}

func (Python) fork(p *process, job *fusedJob) error {
	r := p.maker.ask(&waiter{answers: kindForked}, p.host.m.BootTimeout, func(b []byte) []byte {
		return appendFork(b, p.life, job)
	})
	if errors.Is(r.err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: none within %v, see --boot-timeout", errNoChild, p.host.m.BootTimeout)
	}
	if r.err != nil {
		return r.err
	}
	forked, err := parseForked(r.body)
	if err != nil {
		return err
	}
	if forked.pid == 0 {
		return p.maker.refused(forked.refusal)
	}
	if r.file < 0 {
		return errors.New("the child's socket did not come with the fork reply: this program has as many files open as it may (ulimit -n)")
	}
	p.conn, err = newConn(r.file, "child")
	if err != nil {
		return err
	}
	p.pid, p.forkBegan, p.ready = forked.pid, forked.began, forked.returned
	p.chairs = new(seats) // it has its maker's no more, and makes its own if it is promoted
	p.setState(running)
	p.host.register(p)
	return nil
}

func (Python) once(p *process, job workload.Job) (e exit, made bool, err error) {
	p.host.register(p)
	w := &waiter{answers: kindEnded, which: p.seat.number}
	r := p.maker.ask(w, 0, func(b []byte) []byte { return appendOnce(b, p.seat.number, job.ID, job.Payload) })
	p.end = monotonic()
	if r.err != nil {
		return p.waitOrphan(), true, r.err
	}
	ended, err := parseEnded(r.body)
	if err != nil {
		return p.waitOrphan(), true, err
	}
	if ended.refusal != "" {
		return exit{}, false, p.maker.refused(ended.refusal)
	}
	p.pid, p.forkBegan, p.ready = ended.pid, ended.began, ended.returned
	return p.exitOf(ended.reapedReply), true, nil
}
