package live

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"reflect"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"forkbench/models"
)

func TestDoneRoundTrip(t *testing.T) {
	want := doneReply{
		id: 1<<64 - 1, status: models.Failed, started: time.Hour, finished: 1<<63 - 1, cpu: -1, detail: []byte("why"),
	}
	frame := appendDone(nil, want)
	k, size, err := parseHeader(frame, maxBody)
	if err != nil || k != kindDone || size != len(frame)-headerSize {
		t.Fatalf("parseHeader = %q, %d, %v; want D, %d", k, size, err, len(frame)-headerSize)
	}
	if got, err := parseDone(frame[headerSize:]); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("parseDone = %+v, %v; want %+v", got, err, want)
	}
}

// TestSplitFrames: frames arrive in any pieces.
func TestSplitFrames(t *testing.T) {
	var sent []byte
	var bodies [][]byte
	for _, n := range []int{0, 1, 4091, 4092, 70000, 3} {
		body := bytes.Repeat([]byte{byte(n)}, n)
		bodies = append(bodies, body)
		sent = append(appendHeader(sent, kindDone, n), body...)
	}
	for _, piece := range []int{1, 7, 4096, len(sent)} {
		c, other := pair(t)
		go func() {
			defer unix.Close(other)
			for rest := sent; len(rest) > 0; {
				n, err := unix.Write(other, rest[:min(piece, len(rest))])
				if err != nil {
					return // the reader sees the frames end early
				}
				rest = rest[n:]
			}
		}()
		for i, want := range bodies {
			if k, got, err := c.receive(); err != nil || k != kindDone || !bytes.Equal(got, want) {
				t.Fatalf("pieces of %d: frame %d is %q with %d bytes, %v; want D with %d", piece, i, k, len(got), err, len(want))
			}
		}
		if _, _, err := c.receive(); err != io.EOF {
			t.Errorf("pieces of %d: after the last frame: %v; want EOF", piece, err)
		}
	}
}

// TestPayload: a payload laid into a seat is found there, whatever its size.
func TestPayload(t *testing.T) {
	s, err := newSeats(2)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for _, n := range []int{0, 1, 4096 - seatSaid, 4097 - seatSaid, 100000, seatSize - seatSaid} {
		at := s.take()
		want := bytes.Repeat([]byte{'x'}, n)
		at.lay(want)
		fd, err := unix.Dup(int(s.file.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		own, err := mapSeat(fd, at.number)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := own.payload(); err != nil || !bytes.Equal(got, want) {
			t.Errorf("read %d bytes, %v; want %d", len(got), err, n)
		}
		if err := unix.Munmap(own.mem); err != nil {
			t.Error(err)
		}
		s.give(at)
	}
}

func pair(t testing.TB) (*conn, int) {
	t.Helper()
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	c, err := newConn(ours, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c, theirs
}

// FuzzHost sends the host what a broken process might: it must not panic, hang,
// or take memory that was only announced.
func FuzzHost(f *testing.F) {
	f.Add(appendDone(nil, doneReply{id: 1, status: models.Done}))
	f.Add(appendDone(nil, doneReply{id: 1, status: models.Done, dropped: true, detail: []byte("not JSON: set")}))
	f.Add(appendDone(nil, doneReply{id: 1, status: models.Done, dropped: true}))
	f.Add(appendHeader(nil, kindForked, 0))
	f.Add(append(appendHeader(nil, kindForked, 21), make([]byte, 21)...))
	f.Add(append(appendHeader(nil, kindReaped, 48), make([]byte, 48)...))
	f.Add(append(appendHeader(nil, kindEnded, 68), bytes.Repeat([]byte{1}, 68)...))
	f.Add(append(appendHeader(nil, kindEnded, 23), append(make([]byte, 20), "why"...)...))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 'D'})
	f.Add([]byte(`nonsense`))
	f.Fuzz(func(t *testing.T, sent []byte) {
		c, other := pair(t)
		go func() {
			defer unix.Close(other)
			for len(sent) > 0 {
				n, err := unix.Write(other, sent)
				if err != nil {
					return // the host has hung up on us
				}
				sent = sent[n:]
			}
		}()
		defer func() {
			if len(c.buf) > 2*maxBody {
				t.Errorf("the buffer grew to %d bytes", len(c.buf))
			}
		}()
		for {
			k, body, err := c.receive()
			if err != nil {
				return
			}
			switch k {
			case kindDone:
				if r, err := parseDone(body); err == nil && !bytes.Equal(appendDone(nil, r)[headerSize:], body) {
					t.Errorf("D does not survive a round trip: %x", body)
				}
			case kindForked:
				if r, err := parseForked(body); err == nil && r.pid == 0 && r.refusal == "" {
					t.Errorf("F without a child or a reason was accepted: %x", body)
				}
			case kindReaped:
				if _, err := parseReaped(body); err == nil && len(body) != 48 {
					t.Errorf("P of %d bytes was accepted", len(body))
				}
			case kindEnded:
				if r, err := parseEnded(body); err == nil && r.returned == 0 && r.refusal == "" {
					t.Errorf("O without a child or a reason was accepted: %x", body)
				}
			case kindReady:
				var r readyReply
				_ = json.Unmarshal(body, &r)
			default:
			}
		}
	})
}

// FuzzSeat leaves in a seat what a broken child might.
func FuzzSeat(f *testing.F) {
	done := appendDone(nil, doneReply{id: 1, status: models.Done, detail: []byte(`[1]`)})[headerSize:]
	f.Add(uint32(len(done)), done)
	f.Add(uint32(1<<32-1), []byte(nil))
	f.Add(uint32(seatSize), []byte(`nonsense`))
	f.Fuzz(func(t *testing.T, length uint32, left []byte) {
		s := seat{mem: make([]byte, seatSize)}
		binary.NativeEndian.PutUint32(s.mem[seatLength:], length)
		copy(s.mem[seatSaid:], left)
		r, ok, err := s.said(true)
		if ok && (err != nil || !bytes.Equal(appendDone(nil, r)[headerSize:], s.mem[seatSaid:seatSaid+length])) {
			t.Errorf("%d bytes beginning with %x were accepted, %v", length, left, err)
		}
		if !ok && err == nil && length != 0 {
			t.Errorf("%d bytes were overlooked", length)
		}
	})
}

// FuzzOnceOrder reads orders that no host has given.
func FuzzOnceOrder(f *testing.F) {
	f.Add(onceOrder{3, 1<<64 - 1, true, "90%cpu:1ms,10%cpu:50 ms"}.String())
	f.Add("once 1 2 true")
	f.Add("once -1 2 true go:noop")
	f.Add("serve")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := parseOnceOrder(text)
		if err != nil {
			return
		}
		if again, err := parseOnceOrder(o.String()); err != nil || again != o || o.seat < 0 {
			t.Errorf("%q is %+v, which is %+v, %v", text, o, again, err)
		}
	})
}

// FuzzTemplate sends a template what a broken host might: it must exit, and
// leave no child behind.
func FuzzTemplate(f *testing.F) {
	run := appendRun(nil, 1, []byte(`[1]`))
	f.Add(run)
	f.Add(appendFork(nil, 0, nil))
	f.Add(appendFork(nil, 1, &fusedJob{2, []byte(`{"a":1}`)}))
	f.Add(append(appendFork(nil, 0, nil), appendReap(nil, 99)...))
	f.Add(appendOnce(nil, 0, 3, []byte(`[1]`)))
	f.Add(appendOnce(appendOnce(nil, 0, 3, nil), 1, 4, []byte(`{`)))
	f.Add(appendOnce(nil, 2, 3, []byte(`[1]`)))
	f.Add(appendHeader(nil, kindWarm, 0))
	f.Add(appendHeader(nil, kindSnapshot, 0))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 'r', 1, 2})
	f.Add([]byte("zzzzzzzzz"))
	python, err := exec.LookPath("python3")
	if err != nil {
		f.Fatal(err)
	}
	boot, err := json.Marshal(bootOrder{
		Path: []string{}, Function: "m:f", Warm: []string{},
		Sources: map[string]string{"m": "def f(*args, **kw):\n    return None\n"},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		file, err := memoryFile("template", []byte(template))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		shared, err := newSeats(2)
		if err != nil {
			t.Fatal(err)
		}
		defer shared.close()
		defer shared.file.Close()
		ours, theirs, err := socketPair()
		if err != nil {
			t.Fatal(err)
		}
		socket := os.NewFile(uintptr(theirs), "socket")
		cmd := exec.Command(python, "-S", "-u", "/dev/fd/4")
		cmd.ExtraFiles = []*os.File{socket, file, shared.file}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = socket.Close()
		host := os.NewFile(uintptr(ours), "host")
		frame := append(appendHeader(nil, kindBoot, len(boot)), boot...)
		if _, err := host.Write(append(frame, sent...)); err != nil && !errors.Is(err, unix.EPIPE) {
			t.Fatal(err)
		}
		_ = unix.Shutdown(ours, unix.SHUT_WR)
		go func() { _, _ = io.Copy(io.Discard, host) }()
		watchdog := time.AfterFunc(20*time.Second, func() { _ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) })
		err = cmd.Wait()
		_ = host.Close()
		if !watchdog.Stop() {
			t.Fatalf("the template hung on %x", sent)
		}
		if code := cmd.ProcessState.ExitCode(); code != 0 && code != 70 {
			t.Errorf("the template ended with %v on %x", err, sent)
		}
		if err := unix.Kill(-cmd.Process.Pid, 0); err != unix.ESRCH {
			t.Errorf("something of the template's group is left (%v) after %x", err, sent)
		}
	})
}

// FuzzWorker is FuzzTemplate for the Go side, in this process.
func FuzzWorker(f *testing.F) {
	f.Add(appendRun(nil, 1, []byte(`[1]`)))
	f.Add(binary.BigEndian.AppendUint32(nil, 9))
	f.Add(appendHeader(nil, kindBoot, 0))
	f.Add(appendHeader(nil, kindSnapshot, 0))
	f.Fuzz(func(t *testing.T, sent []byte) {
		ours, theirs, err := socketPair()
		if err != nil {
			t.Fatal(err)
		}
		host := os.NewFile(uintptr(ours), "host")
		defer host.Close()
		go func() {
			order := []byte(`{"workload":"go:noop"}`)
			frame := append(appendHeader(nil, kindBoot, len(order)), order...)
			_, _ = host.Write(append(frame, sent...))
			_ = unix.Shutdown(ours, unix.SHUT_WR)
			_, _ = io.Copy(io.Discard, host)
		}()
		if err := serve(theirs, nil); err == nil {
			t.Error("serve returned without a reason")
		}
	})
}
