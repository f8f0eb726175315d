package live_test

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// The Go counterparts of testdata/bare.py.

const bareVar = "FORKBENCH_BARE"

// bareMain is the child of a bare loop. It returns in all other processes.
func bareMain() {
	switch os.Getenv(bareVar) {
	case "exec":
		os.Exit(0)
	case "pingpong":
		end := os.NewFile(3, "socket")
		for {
			frame, err := readFrame(end)
			if err != nil {
				os.Exit(0)
			}
			var job struct{ ID int }
			if json.Unmarshal(frame, &job) != nil {
				os.Exit(1)
			}
			if writeFrame(end, struct {
				ID     int
				Status string
			}{job.ID, "done"}) != nil {
				os.Exit(0)
			}
		}
	}
}

func readFrame(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(length[:]))
	_, err := io.ReadFull(r, body)
	return body, err
}

func writeFrame(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	return err
}

// bareCommand is this binary as the child of a bare loop.
func bareCommand(b *testing.B, mode string, files ...*os.File) *exec.Cmd {
	b.Helper()
	path, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), bareVar+"="+mode)
	cmd.ExtraFiles = files
	return cmd
}

// goExec executes this binary again and again, on all workers at once.
func goExec(b *testing.B, jobs int) float64 {
	b.Helper()
	return rateOf(b, jobs, func(int) error { return bareCommand(b, "exec").Run() })
}

// goPingPong plays ping-pong with a process of this binary for each worker.
func goPingPong(b *testing.B, jobs int) float64 {
	b.Helper()
	ends := make([]*os.File, benchWorkers)
	for i := range ends {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			b.Fatal(err)
		}
		if err := unix.SetNonblock(fds[0], true); err != nil {
			b.Fatal(err)
		}
		ends[i] = os.NewFile(uintptr(fds[0]), "ours")
		theirs := os.NewFile(uintptr(fds[1]), "theirs")
		cmd := bareCommand(b, "pingpong", theirs)
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		_ = theirs.Close()
		b.Cleanup(func() {
			_ = ends[i].Close()
			if err := cmd.Wait(); err != nil {
				b.Error(err)
			}
		})
	}
	return rateOf(b, jobs, func(worker int) error {
		if err := writeFrame(ends[worker], map[string]any{"id": 1, "args": []int{1}}); err != nil {
			return err
		}
		_, err := readFrame(ends[worker])
		return err
	})
}

// rateOf shares the jobs between the workers and returns jobs per second.
func rateOf(b *testing.B, jobs int, do func(worker int) error) float64 {
	b.Helper()
	var g errgroup.Group
	began := time.Now()
	for worker := range benchWorkers {
		g.Go(func() error {
			for range jobs / benchWorkers {
				if err := do(worker); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	return float64(jobs) / time.Since(began).Seconds()
}
