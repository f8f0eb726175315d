package stream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"sync"
	"syscall"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9/logging"
)

// miniredisEnv marks the process that is to serve miniredis; its value is the
// socket.
const miniredisEnv = "FORKBENCH_MINIREDIS"

const miniredisModule = "github.com/alicebob/miniredis/v2"

// Main must be called first in the main function of every program that calls
// [Start]. In the process that Start made to serve miniredis it does that, and
// exits. In every other it returns at once, having only told go-redis not to
// write to standard error: what it would write comes back as errors here.
func Main() {
	logging.Disable()
	socket, ok := os.LookupEnv(miniredisEnv)
	if !ok {
		return
	}
	if err := serveMiniredis(socket, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "miniredis:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// miniredisCommand runs this program again, to serve miniredis until its standard
// input ends: by our asking, or by our death.
func miniredisCommand(socket string) (*exec.Cmd, func(), error) {
	if _, ok := os.LookupEnv(miniredisEnv); ok {
		return nil, nil, errors.New("the program must call stream.Main first in its main function, it did not")
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("finding this program, to serve miniredis: %w", err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), miniredisEnv+"="+socket)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	return cmd, func() { _ = stdin.Close() }, nil // twice is no harm
}

// serveMiniredis serves on a Unix socket until stdin ends.
func serveMiniredis(socket string, stdin io.Reader) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	m := miniredis.NewMiniRedis()
	// It listens on TCP only. An in-memory connection starts it without.
	c, err := m.Dial()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer m.Close()
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			m.Server().ServeConn(c)
		}
	})
	_, err = io.Copy(io.Discard, stdin)
	err = errors.Join(err, c.Close(), l.Close()) // which removes the socket
	accepting.Wait()
	return err
}

// miniredisVersion is the version of the module in this program, or "".
func miniredisVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == miniredisModule {
			return m.Version
		}
	}
	return ""
}
