package live

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"forkbench/peers"
	"forkbench/stream"
	"forkbench/workload"
)

const (
	// peerQueue is the peer's name of the queue that the jobs are in.
	peerQueue = "jobs"
	// peerGrace is how long a peer may take to end its workers when it has no job:
	// RQ joins a thread for a second, Celery its pool.
	peerGrace = 10 * time.Second
	// peerPatience bounds a question to Redis while the peer works.
	peerPatience = 5 * time.Second
	// peerBacklog is the size of the pipe that the peer's stamps come through:
	// about ten thousand lines, so that nobody waits for this program.
	peerBacklog = 1 << 20
)

// A peer is a system of others in the hands of a host, for one round. All of it
// runs in the goroutine of RunPeer, but for release.
type peer struct {
	host   *Host
	system peers.System
	python Python
	lists  *stream.Lists
	jobs   []workload.Job

	dir  string   // of its files and pipe, private to this user
	pipe *os.File // its stamps
	base string   // what all of its keys begin with

	prefix, live, held string // the prefix as it gets it, and the lists that jobs are taken from and held back in

	mains   []*process
	kids    map[int]*kid // by pid: the mains, and what they have forked and not yet reaped
	ready   int          // mains that have said so
	born    int          // children that could take a job
	fates   []fate       // by job ID
	left    int          // jobs that are not over
	running int          // that have begun and are not over
	stopped time.Duration
	heard   time.Duration // when the last line came
	buf     []byte        // what is read into
	rest    []byte        // of a line that has not come whole
}

var _ peers.Host = (*Host)(nil)

// RunPeer runs a job system of others: see peers.Host.
func (h *Host) RunPeer(ctx context.Context, s peers.System) (err error) {
	began := monotonic()
	p, err := h.newPeer(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.remove(ctx)) }()
	if err := p.enqueue(ctx); err != nil {
		return fmt.Errorf("enqueue the jobs for %s: %w", s.Name, err)
	}
	h.apart = monotonic() - began

	err = p.start(ctx)
	if err == nil {
		err = p.work(ctx)
	}
	p.stop(ctx)
	h.gone = monotonic()
	if err == nil && ctx.Err() == nil {
		err = p.settle(ctx)
	}
	return err
}

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
		base: "forkbench:" + rand.Text(), kids: make(map[int]*kid), buf: make([]byte, 64<<10),
	}
	p.prefix = s.Prefix(p.base)
	p.live, p.held = s.Key(p.prefix, peerQueue), p.base+":held"
	if p.dir, err = os.MkdirTemp(h.m.Guard.directory(), s.Name+"-"); err != nil {
		return nil, fmt.Errorf("make a directory for %s: %w", s.Name, err)
	}
	if err := p.write(w.PythonFunction()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(p.dir))
	}
	return p, nil
}

// An order is what the peer's processes are told, as order.json.
type order struct {
	Redis    redisOrder     `json:"redis"`
	Prefix   string         `json:"prefix"`
	Queue    string         `json:"queue"`
	Function string         `json:"function"`
	Warm     []string       `json:"warm"`
	Workers  int            `json:"workers"`
	Timeout  float64        `json:"timeout"` // seconds; 0 is none
	Settings map[string]any `json:"settings"`
}

type redisOrder struct {
	Socket   string `json:"socket"`
	Host     string `json:"host"`
	Port     string `json:"port"`
	Username string `json:"username"`
	Password string `json:"password"`
	DB       int    `json:"db"`
	TLS      bool   `json:"tls"`
	Verify   bool   `json:"verify"`
}

// write puts the files and the pipe into the directory.
func (p *peer) write(f workload.PythonFunction) error {
	files := p.system.Files()
	for name, source := range f.Sources {
		files[name+".py"] = source
	}
	warm := []string{}
	if p.system.Warm {
		warm = append(append(warm, f.Warm...), p.python.Warm...)
	}
	text, err := json.Marshal(order{
		Redis:  redisOrder(p.lists.Address()),
		Prefix: p.prefix, Queue: peerQueue,
		Function: f.Module + ":" + f.Function, Warm: warm,
		Workers: p.host.Workers(), Timeout: p.host.m.Timeout.Seconds(), Settings: p.system.Settings,
	})
	if err != nil {
		return err
	}
	files["order.json"] = string(text)
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

// start starts the peer's processes and waits until all can take a job.
func (p *peer) start(ctx context.Context) error {
	h := p.host
	for slot := range p.system.Mains {
		main := h.newProcess(roleParent, slot, nil)
		if err := h.openOutput(main); err != nil {
			return err
		}
		args := []string{"-u", filepath.Join(p.dir, "run.py"), p.system.Module(), "work"}
		if err := h.spawn(main, p.python.Program(), args, nil); err != nil {
			return err
		}
		p.mains = append(p.mains, main)
		p.kids[main.pid] = &kid{process: main}
	}
	deadline := monotonic() + h.m.BootTimeout
	err := p.listen(ctx, func() (bool, error) {
		if p.ready == len(p.mains) && p.born >= p.system.Pool {
			return true, nil
		}
		if monotonic() > deadline {
			return false, fmt.Errorf("%s was not ready within %v: see --boot-timeout%s", p.system.Name, h.m.BootTimeout, p.quoted())
		}
		return false, nil
	})
	return err
}

// quoted is the last that the peer printed, as the end of an error's text.
func (p *peer) quoted() string {
	for _, main := range p.mains {
		if text := p.host.output(main).quoted(); text != "" {
			return text
		}
	}
	return ""
}

// work releases the jobs and waits until all are over, or none may be begun any
// more.
func (p *peer) work(ctx context.Context) error {
	h := p.host
	if !h.gate.enter(ctx, h.gate.root) {
		return context.Cause(ctx)
	}
	defer h.gate.leave()
	p.heard = monotonic()

	releasing, cancel := context.WithCancel(ctx)
	released := make(chan error, 1)
	go func() { released <- p.release(releasing) }()
	err := p.listen(ctx, p.over())
	cancel()
	if e := <-released; e != nil && err == nil && !errors.Is(e, context.Canceled) {
		err = e
	}
	return err
}

// release hands over the jobs as they become due.
func (p *peer) release(ctx context.Context) error {
	if len(p.jobs) == 0 {
		return nil
	}
	if p.jobs[len(p.jobs)-1].Due == 0 { // a burst
		return p.lists.Move(ctx, p.held, p.live)
	}
	for next := 0; next < len(p.jobs); {
		now := monotonic() - p.host.gate.zero
		due := next
		for due < len(p.jobs) && p.jobs[due].Due <= now {
			due++
		}
		if due == next {
			if err := p.host.Sleep(ctx, p.jobs[next].Due-now); err != nil {
				return err
			}
			continue
		}
		if err := p.lists.Pass(ctx, p.held, p.live, p.system.NextIsLast, due-next); err != nil {
			return err
		}
		next = due
	}
	return nil
}

// over says when there is nothing more to wait for. A job that was lost is not
// waited for longer than a process may take to boot.
func (p *peer) over() func() (bool, error) {
	h := p.host
	asked := monotonic()
	return func() (bool, error) {
		if p.left == 0 {
			return true, nil
		}
		select {
		case <-h.r.Stop: // nil blocks for ever, which default is for
			return true, nil
		default:
		}
		now := monotonic()
		if now-asked < time.Second {
			return false, nil
		}
		asked = now
		ctx, cancel := context.WithTimeout(context.Background(), peerPatience)
		defer cancel()
		waiting, err := p.lists.Len(ctx, p.live)
		if err != nil {
			return false, err
		}
		held, err := p.lists.Len(ctx, p.held)
		if err != nil {
			return false, err
		}
		if p.running == 0 && waiting == 0 && held == 0 && now-p.heard > h.m.BootTimeout {
			h.warn("%s has said nothing for %v, with %d jobs neither waiting nor running: they are lost", p.system.Name, h.m.BootTimeout, p.left)
			return true, nil
		}
		return false, nil
	}
}

// stop ends the peer's processes: asked first, which lets jobs that run end,
// killed after a grace, or at once when ctx has ended.
func (p *peer) stop(ctx context.Context) {
	p.stopped = monotonic()
	busy := p.left > 0 && ctx.Err() == nil
	if busy {
		// What has not been begun stays where it is.
		_ = p.lists.Move(ctx, p.live, p.held) // a server that is gone has nothing to give either
	}
	for _, main := range p.mains {
		main.closing.Store(true)
		main.end = p.stopped
		if ctx.Err() == nil {
			_ = unix.Kill(main.pid, unix.SIGTERM)
		}
	}
	_ = p.listen(ctx, func() (bool, error) { // an error says that ctx has ended
		patient := busy && p.running > 0
		return p.exited() || !patient && monotonic()-p.stopped > peerGrace, nil
	})
	killed := false
	for _, main := range p.mains {
		select {
		case <-main.own.exited:
		default:
			main.kill()
			<-main.own.exited
		}
		killed = killed || main.own.cmd.ProcessState.ExitCode() < 0
	}
	_ = p.drain(time.Now()) // all that could speak is dead
	p.bury()
	if killed { // before it could tell of its last fork, perhaps
		p.host.killMarked()
	}
	for _, main := range p.mains {
		main.reap(p.host.m.Grace)
	}
}

func (p *peer) exited() bool {
	for _, main := range p.mains {
		select {
		case <-main.own.exited:
		default:
			return false
		}
	}
	return true
}
