package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"forkbench/models"
	"forkbench/stream"
	"forkbench/workload"
)

// Main must be the first call in main of every program that makes a [Machine]:
// the program executes itself for the processes that it needs (jobs of the Go
// runtime, the guard, a Redis server of last resort), and in those Main does
// not return. In all others it returns at once.
//
// Jobs of the Go runtime find their code by its name, among the given workloads
// and the built-in ones.
func Main(workloads ...workload.Go) {
	stream.Main()
	guardMain()
	child := os.Getenv(childVar)
	if child == "" {
		return
	}
	// A job's own children are not ours.
	_ = os.Unsetenv(childVar)
	if child != serveOrder {
		if err := runOnce(child, workloads); err != nil {
			fmt.Fprintln(os.Stderr, "forkbench process:", err)
			os.Exit(70) // EX_SOFTWARE
		}
		os.Exit(0)
	}
	unix.CloseOnExec(3)
	if err := serve(3, workloads); !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, "forkbench process:", err)
		os.Exit(70) // EX_SOFTWARE
	}
	os.Exit(0)
}

// A worker is the Go counterpart of template.py: this process, serving a host.
type worker struct {
	conn *conn
	work workload.Go
	life int

	warmed time.Duration // CPU of the warm-ups
}

// serve answers the host until it goes, and returns why: io.EOF if the host has
// hung up.
func serve(fd int, workloads []workload.Go) error {
	c, err := newBlockingConn(fd, "host")
	if err != nil {
		return err
	}
	c.limit = 1 << 30 // payloads are the host's to bound
	w := worker{conn: c}
	for {
		k, body, err := c.receive()
		if err != nil {
			return err
		}
		switch k {
		case kindBoot:
			err = w.ready(w.boot(body, workloads))
		case kindWarm:
			err = w.ready(w.warm())
		case kindRun:
			err = w.run(body)
		case kindSnapshot:
			err = w.snapshot()
		default:
			err = fmt.Errorf("unknown message %q from the host", byte(k))
		}
		if err != nil {
			return err
		}
	}
}

func (w *worker) boot(body []byte, workloads []workload.Go) error {
	var order bootOrder
	if err := json.Unmarshal(body, &order); err != nil {
		return err
	}
	w.life = order.Life
	return w.load(order.Workload, order.Snapshot, workloads)
}

// load finds the workload and restores the snapshot, if there is one.
func (w *worker) load(name string, snapshot bool, workloads []workload.Go) error {
	found, err := find(name, workloads)
	if err != nil {
		return err
	}
	w.work = found
	if !snapshot {
		return nil
	}
	state, ok := found.(workload.Snapshotter)
	if !ok {
		return fmt.Errorf("workload %s got a snapshot and cannot restore one", found.Name())
	}
	mem, err := mapped(4)
	if err != nil {
		return err
	}
	return state.Restore(mem)
}

func find(name string, workloads []workload.Go) (workload.Go, error) {
	for _, w := range workloads {
		if w.Name() == name {
			return w, nil
		}
	}
	w, err := workload.Parse(name)
	if err != nil {
		return nil, err
	}
	g, ok := w.(workload.Go)
	if !ok {
		return nil, fmt.Errorf("workload %s does not run in a Go process", name)
	}
	return g, nil
}

func (w *worker) warm() error {
	if warmer, ok := w.work.(workload.Warmer); ok {
		before := ownCPU()
		defer func() { w.warmed = ownCPU().Sub(before).Total() }()
		return warmer.Warm(context.Background())
	}
	return nil
}

// ready says how boot or warm went.
func (w *worker) ready(cause error) error {
	var own, waited unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &own) // cannot fail with these arguments
	_ = unix.Getrusage(unix.RUSAGE_CHILDREN, &waited)
	answer := readyReply{
		Version: goVersion(),
		UserUS:  (own.Utime.Nano() + waited.Utime.Nano()) / 1000, SystemUS: (own.Stime.Nano() + waited.Stime.Nano()) / 1000,
		WaitedUS: (waited.Utime.Nano() + waited.Stime.Nano()) / 1000, WarmedUS: w.warmed.Microseconds(),
	}
	answer.Executable, _ = os.Executable()
	if cause != nil {
		answer.Error, answer.Kind = cause.Error(), "error"
	}
	return w.sendJSON(kindReady, answer)
}

func (w *worker) sendJSON(k kind, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.conn.send(time.Time{}, func(b []byte) []byte { return append(appendHeader(b, k, len(body)), body...) })
}

// run executes a job and reports it; it exits with the last one of this
// process's life.
func (w *worker) run(body []byte) error {
	id, payload, err := parseJob(body)
	if err != nil {
		return err
	}
	r := w.perform(id, payload)
	if err := w.conn.send(time.Time{}, func(b []byte) []byte { return appendDone(b, r) }); err != nil {
		return err
	}
	if w.life > 0 {
		if w.life--; w.life == 0 {
			os.Exit(0)
		}
	}
	return nil
}

// perform runs a job.
func (w *worker) perform(id uint64, payload []byte) doneReply {
	r := doneReply{id: id, status: models.Done}
	used := ownCPU()
	r.started = monotonic()
	result, err := w.call(payload)
	r.finished = monotonic()
	r.cpu = ownCPU().Sub(used).Total()
	switch {
	case err != nil:
		r.status, r.detail = models.Failed, []byte(err.Error())
	case len(result) > maxResult:
		r.dropped, r.detail = true, []byte("above 1 MiB: []byte")
	case result != nil && !json.Valid(result):
		r.dropped, r.detail = true, []byte("not JSON: []byte")
	default:
		r.detail = result
	}
	return r
}

// maxResult is the largest result that is kept, as in workload/application.py.
const maxResult = 1 << 20

// call runs the job's code. A panic is a failed job, as an exception is.
func (w *worker) call(payload []byte) (result []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return w.work.Run(context.Background(), payload)
}

// snapshot hands the warm state over, or an empty reply if there is none.
func (w *worker) snapshot() error {
	state, ok := w.work.(workload.Snapshotter)
	if !ok {
		return w.conn.send(time.Time{}, func(b []byte) []byte { return appendHeader(b, kindState, 0) })
	}
	content, err := state.Snapshot()
	if err == nil {
		var file *os.File
		if file, err = memoryFile("forkbench-snapshot", content); err == nil {
			defer file.Close()
			return w.conn.sendFile(appendHeader(nil, kindState, 0), int(file.Fd()))
		}
	}
	text := err.Error()
	return w.conn.send(time.Time{}, func(b []byte) []byte {
		return append(appendHeader(b, kindState, len(text)), text...)
	})
}
