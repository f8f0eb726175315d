package live

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"forkbench/internal/proc"
	"forkbench/models"
	"forkbench/workload"
)

// hostOf returns a host that runs nothing yet and has no control group.
func hostOf(t *testing.T) *Host {
	t.Helper()
	if err := adoptOrphans(); err != nil {
		t.Fatal(err)
	}
	m := Machine{Workers: 1, Runtime: Go{}}
	h := newHost(m.withDefaults(), Round{Model: "test", Sink: discard{}})
	h.cancel = func(error) {}
	return h
}

// start starts a program as one that a job of the round's has left. The test ends it.
func start(t *testing.T, h *Host, name string, args ...string) (pid int, output io.ReadCloser) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), h.mark())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = output.Close()
		h.killStrays(h.strays(true))
		h.orphans()
	})
	return cmd.Process.Pid, output
}

// finish ends a process that was started, and waits for it.
func finish(pid int) {
	_ = unix.Kill(pid, unix.SIGKILL)
	_, _ = unix.Wait4(pid, nil, 0, nil)
}

// nobody kills no process, as kill(2) does that is not permitted, or of one that is
// frozen.
func nobody([]int) {}

// TestEndlessOrphan: an orphan that does not end although it was killed is given up,
// and named.
func TestEndlessOrphan(t *testing.T) {
	h := hostOf(t)
	h.limit = 20 * time.Millisecond
	pid, _ := start(t, h, "sleep", "1000")
	defer finish(pid)
	if e := h.endOrphan(pid, 0, func() {}); e.known {
		t.Errorf("it ended: %v", e)
	}
	want := fmt.Sprintf("process %d (sleep) was killed and has not ended within 20ms", pid)
	if len(h.warnings) != 1 || !strings.Contains(h.warnings[0], want) {
		t.Errorf("warnings %q; want %q", h.warnings, want)
	}
}

// TestEndlessProcess: so is a process of the host's own, and what would wait for it
// at the end of the round does not.
func TestEndlessProcess(t *testing.T) {
	h := hostOf(t)
	h.limit = 20 * time.Millisecond
	pid, _ := start(t, h, "sleep", "1000")
	defer finish(pid)
	p := h.newProcess(roleParent, 0, nil)
	p.pid, p.state = pid, running
	p.own = &spawned{exited: make(chan struct{}), gone: true} // so that a kill reaches nobody
	p.conn, _ = connected(t)
	h.register(p)
	h.waits.Go(func() { <-p.own.exited })
	if e := p.reap(0); e.known {
		t.Errorf("it ended: %v", e)
	}
	h.closeShared()
	if len(h.warnings) != 1 || !strings.Contains(h.warnings[0], "(sleep) was killed and has not ended") {
		t.Errorf("warnings %q; want one that names it", h.warnings)
	}
	close(p.own.exited)
	h.waits.Wait()
}

// TestEndlessMaker: a job whose parent neither forks nor ends has an outcome.
func TestEndlessMaker(t *testing.T) {
	h := hostOf(t)
	h.m.Runtime, h.m.Workers = Python{}, 1
	h.m.BootTimeout, h.m.Grace, h.limit = time.Millisecond, time.Millisecond, 20*time.Millisecond
	pid, _ := start(t, h, "sleep", "1000")
	defer finish(pid)
	maker := h.newProcess(roleParent, 0, nil)
	maker.pid, maker.state = pid, running
	maker.own = &spawned{exited: make(chan struct{}), gone: true} // so that a kill reaches nobody
	maker.conn, _ = connected(t)
	if err := errors.Join(h.openOutput(maker), h.openSeats(maker)); err != nil {
		t.Fatal(err)
	}
	child, job := h.newProcess(roleChild, 0, maker), workload.Job{Payload: []byte("[]")}
	child.life = 1
	if !child.sit(job) {
		t.Fatal("it has no seat")
	}
	if o := child.once(job, models.Outcome{}); o.Status != models.Crashed {
		t.Errorf("%v: %s; want a crash", o.Status, o.Detail)
	}
	if len(h.warnings) != 1 || !strings.Contains(h.warnings[0], "(sleep) was killed and has not ended") {
		t.Errorf("warnings %q; want one that names its parent", h.warnings)
	}
	h.closeShared()
}

// TestEndlessStrays: what is left behind and does not end is named, the first few of
// it, and counted.
func TestEndlessStrays(t *testing.T) {
	h := hostOf(t)
	h.limit = 20 * time.Millisecond
	const n = namedStrays + 2
	for range n {
		start(t, h, "sleep", "1000")
	}
	if got := h.endStrays(h.strays(true), nobody); got != n {
		t.Errorf("%d were killed; want %d", got, n)
	}
	if len(h.warnings) != 1 || strings.Count(h.warnings[0], "(sleep)") != namedStrays || !strings.HasSuffix(h.warnings[0], ", and 2 more") {
		t.Errorf("warnings %q; want one that names %d and counts 2 more", h.warnings, namedStrays)
	}
	if got := h.endStrays(h.strays(true), h.killStrays); got != n {
		t.Errorf("%d were killed in the end; want %d", got, n)
	}
	if left := h.strays(true); len(left) > 0 {
		t.Errorf("%d are left", len(left))
	}
}

// chain is a process that forks and exits, again and again, for a while: there is
// always one of them, and each has lost its parent as soon as it is looked for.
const chain = `
import os, time
end = time.monotonic() + 2
n = 0
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
    n += 1
    if n == 3:
        os.write(1, b"x")
os.write(1, b"by itself")
`

// startChain starts one in the group of a process that the host had started. Its output
// is open as long as one of it is alive.
func startChain(t *testing.T, h *Host) io.Reader {
	t.Helper()
	pid, output := start(t, h, "python3", "-S", "-c", chain)
	if _, err := io.ReadFull(output, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Wait4(pid, nil, 0, nil); err != nil { // the first of it has forked
		t.Fatal(err)
	}
	h.lineage.spawn(pid)
	h.lineage.waited(pid)
	return output
}

// TestOrphansOfOrphans: what an orphan leaves as it ends is seen by the look that
// waits for it.
func TestOrphansOfOrphans(t *testing.T) {
	h := hostOf(t)
	output := startChain(t, h)
	for looks := 0; ; looks++ {
		alive := h.orphans()
		// It hangs up as soon as nobody can write to it.
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(output.(*os.File).Fd())}}, 0)
		if n > 0 {
			break
		}
		if len(alive) == 0 && err == nil {
			t.Errorf("look %d saw none, and one was alive", looks)
			break
		}
	}
	h.endStrays(nil, h.killStrays)
}

// TestChainIsEnded: what is left behind is killed with what it starts meanwhile, also
// without a control group: its process group goes at once.
func TestChainIsEnded(t *testing.T) {
	h := hostOf(t)
	output := startChain(t, h)
	h.killStrays(h.strays(true))
	if rest, err := io.ReadAll(output); err != nil || len(rest) > 0 { // to its end, when none is alive
		t.Errorf("it ended %q, %v; want it killed", rest, err)
	}
	h.orphans()
}

// TestStolenWait: a program that waits for all of its children, whoever is to, takes
// the host's away: what those used is not known, and no more.
func TestStolenWait(t *testing.T) {
	h := hostOf(t)
	p := h.newProcess(roleParent, 0, nil)
	if err := h.openOutput(p); err != nil {
		t.Fatal(err)
	}
	if err := h.launch(p, "true", nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Wait4(p.pid, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	p.await()
	p.conn, _ = connected(t)
	if e := p.reap(0); e.known || !strings.Contains(e.String(), "nobody could wait for it") {
		t.Errorf("it ended: %v", e)
	}
	h.closeShared()
}

// TestSpawnedIsNoOrphan: one of the host's own that is told as another's child, which
// is dead, is left to who waits for it.
func TestSpawnedIsNoOrphan(t *testing.T) {
	h := hostOf(t)
	p := h.newProcess(roleParent, 0, nil)
	if err := h.openOutput(p); err != nil {
		t.Fatal(err)
	}
	if err := h.launch(p, "sleep", []string{"1000"}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if e := h.endOrphan(p.pid, 0, func() { h.killChild(p.pid, 0) }); e.known {
		t.Errorf("it ended: %v", e)
	}
	h.waits.Go(p.await)
	p.kill()
	<-p.own.exited
	if e := p.own.exit(); !e.known || e.status.Signal() != unix.SIGKILL {
		t.Errorf("it ended: %v", e)
	}
	h.closeShared()
}

// TestReusedNumber: who has the number of a process that the host had started, and
// leads a group by it, is not of the round.
func TestReusedNumber(t *testing.T) {
	h := hostOf(t)
	other := exec.Command("sleep", "1000")
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = other.Process.Kill(), other.Wait() }()
	h.lineage.spawn(other.Process.Pid)
	h.lineage.waited(other.Process.Pid)
	h.killStrays([]int{other.Process.Pid})
	if left := h.strays(true); len(left) > 0 {
		t.Errorf("%v are of the round", left)
	}
	if pid, err := unix.Wait4(other.Process.Pid, nil, unix.WNOHANG, nil); pid != 0 || err != nil {
		t.Errorf("it was killed, or waited for: %d, %v", pid, err)
	}
}

// TestReadingHoldsNobodyUp: while a control group is read, which takes as long as it
// takes, processes begin and end. And it is read once as work begins.
func TestReadingHoldsNobodyUp(t *testing.T) {
	dir := t.TempDir()
	usage, members := filepath.Join(dir, "cpu.stat"), filepath.Join(dir, "cgroup.procs")
	if err := unix.Mkfifo(usage, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(members, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h := hostOf(t)
	file, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	h.cgroup = &cgroup{dir: file}
	opened, err := unix.InotifyInit()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(opened)
	if _, err := unix.InotifyAddWatch(opened, members, unix.IN_OPEN|unix.IN_CLOSE); err != nil {
		t.Fatal(err)
	}

	began := make(chan struct{})
	go func() {
		defer close(began)
		h.beginWork()
	}()
	in, err := os.OpenFile(usage, os.O_WRONLY, 0) // when it is about to be read
	if err != nil {
		t.Fatal(err)
	}
	if !h.mu.TryLock() {
		t.Error("who reads holds what everybody needs")
	} else {
		h.mu.Unlock()
	}
	if _, err := in.WriteString("usage_usec 7\n"); err != nil {
		t.Error(err)
	}
	_ = in.Close()
	<-began
	h.noise.Stop(0)
	if h.begin.cgroup != 7*time.Microsecond {
		t.Errorf("the group used %v; want what it says", h.begin.cgroup)
	}
	events := make([]byte, 4096)
	n, err := unix.Read(opened, events)
	if err != nil || n != 2*unix.SizeofInotifyEvent {
		t.Errorf("its list was opened and closed %d times: %v; want 2", n/unix.SizeofInotifyEvent, err)
	}
}

// TestLeftItsGroup: what has moved to another control group is still waited for, by
// its mark.
func TestLeftItsGroup(t *testing.T) {
	h := hostOf(t)
	dir := t.TempDir() // a group that nobody is in
	file, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	h.cgroup = &cgroup{dir: file}
	pid, _ := start(t, h, "sleep", "1000")
	if got := h.endStrays(h.strays(true), h.killStrays); got != 1 {
		t.Errorf("%d were killed; want 1", got)
	}
	if s, ok := proc.Stands(pid); ok {
		t.Errorf("it was not waited for: %+v", s)
		finish(pid)
	}
}
