package live

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"forkbench/workload"
)

// Go runs jobs in processes of this very binary, executed again. A Go process
// cannot fork (golang/go#77032): Fork executes the binary once more and hands it
// what the workload's Snapshot wrote, in a sealed memory file that it maps.
//
// The program must call [Main] first.
type Go struct{}

var _ Runtime = Go{}

// Name is "go".
func (Go) Name() string { return "go" }

// ForkPrimitive names exec.
func (Go) ForkPrimitive() string {
	return "exec of this Go binary, no copy-on-write"
}

// childVar marks an execution of the binary as a process of a host. Its value is
// serveOrder, or a onceOrder.
const (
	childVar   = "FORKBENCH_CHILD"
	serveOrder = "serve"
)

func (Go) check(w workload.Workload) error {
	if _, ok := w.(workload.Go); !ok {
		return fmt.Errorf("workload %s does not run in a Go process: it needs Python", w.Name())
	}
	return nil
}

func (Go) environment() []string { return []string{childVar + "=" + serveOrder} }

func (Go) boot(p *process) error {
	if err := p.host.openOutput(p); err != nil {
		return err
	}
	if err := p.host.openSeats(p); err != nil {
		return err
	}
	return execute(p, nil, nil)
}

func (Go) fork(p *process, job *fusedJob) error {
	state, err := p.maker.warmState()
	if err != nil {
		return err
	}
	return execute(p, state, job)
}

// once executes the binary for one job: all it needs is in its environment and in
// its seat.
func (Go) once(p *process, job workload.Job) (e exit, made bool, err error) {
	state, err := p.maker.warmState()
	if err != nil {
		return exit{}, false, err
	}
	path, err := os.Executable()
	if err != nil {
		return exit{}, false, fmt.Errorf("find this program's file: %w", err)
	}
	files := []*os.File{p.seat.of.file}
	if state != nil {
		files = append(files, state)
	}
	order := onceOrder{p.seat.number, job.ID, state != nil, p.host.m.Workload.Name()}
	p.seat.lay(job.Payload)
	args := []string{"forkbench:" + p.host.r.Model}
	if err := p.host.launch(p, path, args, []string{childVar + "=" + order.String()}, files); err != nil {
		return exit{}, false, err
	}
	p.ready = monotonic()
	p.seat.begin(p.ready)
	p.await()
	p.end = p.own.at
	return p.own.exit(), true, nil
}

// execute starts the binary as p, with the maker's warm state if there is one,
// and a job in the same breath if there is one.
func execute(p *process, state *os.File, job *fusedJob) error {
	path, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program's file: %w", err)
	}
	var extra []*os.File
	if state != nil {
		extra = append(extra, state)
	}
	if err := p.host.spawn(p, path, []string{"forkbench:" + p.host.r.Model}, extra...); err != nil {
		return err
	}
	return p.load(bootOrder{Workload: p.host.m.Workload.Name(), Life: p.life, Snapshot: state != nil}, job)
}

// warmState is a file with what the process has done once and its children need
// not do again, or nil if it has run nothing yet or its workload cannot tell.
// It stays the process's.
func (p *process) warmState() (*os.File, error) {
	p.snapshotting.Lock()
	defer p.snapshotting.Unlock()
	if p.snapshot != nil || !p.warm && p.ran.Load() == 0 {
		return p.snapshot, nil
	}
	r := p.ask(&waiter{answers: kindState}, p.host.m.BootTimeout, func(b []byte) []byte {
		return appendHeader(b, kindSnapshot, 0)
	})
	if r.err != nil {
		return nil, fmt.Errorf("take a snapshot of process %d: %w", p.pid, r.err)
	}
	if r.file < 0 {
		if len(r.body) > 0 {
			return nil, fmt.Errorf("take a snapshot of process %d: %s", p.pid, r.body)
		}
		return nil, nil
	}
	p.snapshot = os.NewFile(uintptr(r.file), "snapshot")
	return p.snapshot, nil
}

// mapped returns a snapshot's content, mapped read-only and shared.
func mapped(fd int) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("stat the snapshot: %w", err)
	}
	if st.Size == 0 {
		return nil, nil
	}
	mem, err := unix.Mmap(fd, 0, int(st.Size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the snapshot: %w", err)
	}
	return mem, unix.Close(fd)
}

// goVersion is the version this program was built with.
func goVersion() string { return runtime.Version() }
