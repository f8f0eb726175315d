package harness

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"forkbench/peers"
	"forkbench/stream"
	"forkbench/workload"
)

// prepare makes a directory with all that the system's processes need.
func prepare(m Machine, s peers.System, round Round) (_ *run, err error) {
	r := &run{
		Round: round, machine: m, system: s, base: "forkbench:" + rand.Text(),
		processes: make(map[int]*process), holding: make(map[Main]bool), buf: make([]byte, 64<<10),
	}
	r.prefix = s.Prefix(r.base)
	if !r.apart() && !r.Private {
		return nil, fmt.Errorf("%s cannot keep its keys apart from others (%s:*), and runs on a private server only", s.Name, r.prefix)
	}
	r.live, r.held = s.Key(r.prefix, queue), r.base+":held"
	if r.dir, err = os.MkdirTemp(r.Dir, s.Name+"-"); err != nil {
		return nil, fmt.Errorf("make a directory for %s: %w", s.Name, err)
	}
	if err := r.write(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(r.dir))
	}
	return r, nil
}

// apart reports whether the system's keys are below a prefix of this round.
func (r *run) apart() bool { return strings.HasPrefix(r.prefix, r.base) }

// An order is what the system's processes are told, as order.json.
type order struct {
	Redis    redisOrder     `json:"redis"`
	Prefix   string         `json:"prefix"`
	Queue    string         `json:"queue"`
	Setup    []string       `json:"setup"`
	Function string         `json:"function"`
	Warm     []string       `json:"warm"`
	Workers  int            `json:"workers"`
	Timeout  float64        `json:"timeout"` // seconds; 0 is none
	Settings map[string]any `json:"settings"`
}

type redisOrder struct {
	Socket    string `json:"socket"`
	Host      string `json:"host"`
	Port      string `json:"port"`
	Username  string `json:"username"`
	Password  string `json:"password"`
	DB        int    `json:"db"`
	TLS       bool   `json:"tls"`
	Verify    bool   `json:"verify"`
	CheckName bool   `json:"check_name"`
	CAs       string `json:"cas"` // and below: files, or nothing
	Cert      string `json:"cert"`
	Key       string `json:"key"`
}

// write puts the files and the pipe into the directory.
func (r *run) write() error {
	f := r.Function
	files := r.system.Files()
	warm := []string{}
	if r.system.Warm {
		given := slices.Concat(f.Warm, r.Warm)
		if workload.Undoes(given) {
			return fmt.Errorf("--warm=%s…: %s's workers give up nothing before they fork: leave it to hybrid, or name a function that connects and closes", workload.WarmUndo, r.system.Name)
		}
		f = f.WithWarm(given)
		warm = append(warm, f.Warm...)
		if slices.Contains(warm, workload.WarmJob) {
			return fmt.Errorf("--warm=%s: %s's workers run no job before they fork: leave it to hybrid, or name what is to be done before", workload.WarmJob, r.system.Name)
		}
	}
	for name, source := range workload.WithApplication(f.Sources) {
		files[name+".py"] = source
	}
	text, err := json.Marshal(order{
		Redis:  redisOrder(r.Lists.Address()),
		Prefix: r.prefix, Queue: queue,
		Setup: append([]string{}, r.Setup...), Function: f.Module + ":" + f.Function, Warm: warm,
		Workers: r.Workers, Timeout: r.Timeout.Seconds(), Settings: r.system.Settings,
	})
	if err != nil {
		return err
	}
	files["order.json"] = string(text)
	files["forkbench_held.py"] = r.Inspector
	files["path"] = strings.Join(r.Path, "\n")
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	fifo := filepath.Join(r.dir, "pipe")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	// Open for writing as well, so that it never ends.
	fd, err := unix.Open(fifo, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a pipe: %w", err)
	}
	_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, backlog) // a smaller one makes the system wait, no more
	r.pipe = os.NewFile(uintptr(fd), fifo)
	return nil
}

// remove takes the system's keys and files away.
func (r *run) remove(ctx context.Context) error {
	_ = r.pipe.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*patience)
	defer cancel()
	err := r.Lists.Remove(ctx, r.base+":")
	if err == nil && !r.apart() {
		err = r.Lists.Remove(ctx, r.prefix+":")
	}
	if err != nil {
		err = fmt.Errorf("remove the keys of %s (%s:*): %w", r.system.Name, r.base, err)
	}
	if e := os.RemoveAll(r.dir); e != nil {
		err = errors.Join(err, e)
	}
	if errors.Is(err, stream.ErrLost) {
		return nil // with the server, and it is known already
	}
	return err
}

// enqueue has the system's own code put the round's jobs into its queue, and takes
// the queue away before there is anybody to serve it.
func (r *run) enqueue(ctx context.Context) error {
	file, err := os.OpenFile(filepath.Join(r.dir, "jobs.jsonl"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(file)
	for {
		job, ok := r.machine.Next(ctx)
		if !ok {
			break
		}
		r.jobs = append(r.jobs, job)
		err = lines.Encode(struct {
			ID      uint64 `json:"id"`
			Payload string `json:"payload"`
		}{job.ID, string(job.Payload)})
		if err != nil {
			return errors.Join(err, file.Close())
		}
	}
	if err := file.Close(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r.times, r.left = make([]times, len(r.jobs)), len(r.jobs)
	if err := r.drive(ctx, "enqueue", nil); err != nil {
		return err
	}
	if err := r.Lists.Move(ctx, r.live, r.held); err != nil {
		return err
	}
	n, err := r.Lists.Len(ctx, r.held)
	if err == nil && n != len(r.jobs) {
		err = fmt.Errorf("%d jobs were to be enqueued, and its list has %d", len(r.jobs), n)
	}
	if err != nil {
		return err
	}
	return r.Lists.Expire(ctx, r.base+":")
}
