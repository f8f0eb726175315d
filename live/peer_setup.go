package live

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

// newPeer prepares a directory with all that the peer's processes need.
func (h *Host) newPeer(s peers.System) (_ *peer, err error) {
	python, ok := h.m.Runtime.(Python)
	w, isPython := h.m.Workload.(workload.Python)
	if !ok || !isPython {
		return nil, fmt.Errorf("%s runs Python jobs: choose another --workload, or leave it out of --model", s.Name)
	}
	if h.m.Server == nil {
		return nil, fmt.Errorf("%s needs a Redis server", s.Name)
	}
	lists, err := h.m.Server.Lists()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	p := &peer{
		host: h, system: s, python: python, lists: lists,
		base: "forkbench:" + rand.Text(), kids: make(map[int]*kid), estates: make(map[*process]*estate), buf: make([]byte, 64<<10),
	}
	p.prefix = s.Prefix(p.base)
	if !p.apart() && !h.m.Server.Private() {
		return nil, fmt.Errorf("%s cannot keep its keys apart from others (%s:*), and runs on a private server only", s.Name, p.prefix)
	}
	p.live, p.held = s.Key(p.prefix, peerQueue), p.base+":held"
	if p.dir, err = os.MkdirTemp(h.m.Guard.directory(), s.Name+"-"); err != nil {
		return nil, fmt.Errorf("make a directory for %s: %w", s.Name, err)
	}
	if err := p.write(w.PythonFunction()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(p.dir))
	}
	return p, nil
}

// apart reports whether the peer's keys are below a prefix of this round.
func (p *peer) apart() bool { return strings.HasPrefix(p.prefix, p.base) }

// An order is what the peer's processes are told, as order.json.
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
func (p *peer) write(f workload.PythonFunction) error {
	files := p.system.Files()
	warm := []string{}
	if p.system.Warm {
		given := slices.Concat(f.Warm, p.python.Warm)
		if workload.Undoes(given) {
			return fmt.Errorf("--warm=%s…: %s's workers give up nothing before they fork: leave it to hybrid, or name a function that connects and closes", workload.WarmUndo, p.system.Name)
		}
		f = f.WithWarm(given)
		warm = append(warm, f.Warm...)
		if slices.Contains(warm, workload.WarmJob) {
			return fmt.Errorf("--warm=%s: %s's workers run no job before they fork: leave it to hybrid, or name what is to be done before", workload.WarmJob, p.system.Name)
		}
	}
	for name, source := range workload.WithApplication(f.Sources) {
		files[name+".py"] = source
	}
	text, err := json.Marshal(order{
		Redis:  redisOrder(p.lists.Address()),
		Prefix: p.prefix, Queue: peerQueue,
		Setup: append([]string{}, p.python.Setup...), Function: f.Module + ":" + f.Function, Warm: warm,
		Workers: p.host.Workers(), Timeout: p.host.m.Timeout.Seconds(), Settings: p.system.Settings,
	})
	if err != nil {
		return err
	}
	files["order.json"] = string(text)
	files["forkbench_held.py"] = heldSource
	files["path"] = strings.Join(p.python.Path, "\n")
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	fifo := filepath.Join(p.dir, "pipe")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	// Open for writing as well, so that it never ends.
	fd, err := unix.Open(fifo, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a pipe: %w", err)
	}
	_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, peerBacklog) // a smaller one makes the peer wait, no more
	p.pipe = os.NewFile(uintptr(fd), fifo)
	return nil
}

// remove takes the peer's keys and files away.
func (p *peer) remove(ctx context.Context) error {
	_ = p.pipe.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*peerPatience)
	defer cancel()
	err := p.lists.Remove(ctx, p.base+":")
	if err == nil && !p.apart() {
		err = p.lists.Remove(ctx, p.prefix+":")
	}
	if err != nil {
		err = fmt.Errorf("remove the keys of %s (%s:*): %w", p.system.Name, p.base, err)
	}
	if e := os.RemoveAll(p.dir); e != nil {
		err = errors.Join(err, e)
	}
	if errors.Is(err, stream.ErrLost) {
		return nil // with the server, and it is known already
	}
	return err
}

// enqueue has the peer's own code put the round's jobs into its queue, and takes
// the queue away before there is anybody to serve it.
func (p *peer) enqueue(ctx context.Context) error {
	file, err := os.OpenFile(filepath.Join(p.dir, "jobs.jsonl"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(file)
	for {
		job, ok := p.host.feed.pop(ctx)
		if !ok {
			break
		}
		p.jobs = append(p.jobs, job)
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
	p.fates, p.left = make([]fate, len(p.jobs)), len(p.jobs)
	if err := p.drive(ctx, "enqueue", nil); err != nil {
		return err
	}
	if err := p.lists.Move(ctx, p.live, p.held); err != nil {
		return err
	}
	n, err := p.lists.Len(ctx, p.held)
	if err == nil && n != len(p.jobs) {
		err = fmt.Errorf("%d jobs were to be enqueued, and its list has %d", len(p.jobs), n)
	}
	if err != nil {
		return err
	}
	return p.lists.Expire(ctx, p.base+":")
}
