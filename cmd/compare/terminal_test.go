package main

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal makes a pseudo-terminal of 60 columns, see pty(7). It returns the
// end for a process, and a function that closes it and returns all that was
// written there.
func openTerminal(t *testing.T) (terminal *os.File, screen func() string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() }) // nothing of it is needed any more
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 60}); err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	shown := make(chan string)
	go func() {
		var text strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			text.Write(buf[:n])
			if err != nil { // EIO: the last process has closed the other end
				shown <- text.String()
				return
			}
		}
	}()
	return terminal, func() string {
		t.Helper()
		if err := terminal.Close(); err != nil {
			t.Fatal(err)
		}
		return <-shown
	}
}
