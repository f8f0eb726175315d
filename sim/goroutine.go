//go:build !js

package sim

import (
	"bytes"
	"runtime"
	"strconv"
)

// goroutine is the number that stack traces give a goroutine.
type goroutine uint64

func thisGoroutine() goroutine {
	var buf [64]byte
	text := buf[:runtime.Stack(buf[:], false)] // "goroutine 18 [running]:..."
	text = bytes.TrimPrefix(text, []byte("goroutine "))
	if i := bytes.IndexByte(text, ' '); i > 0 {
		text = text[:i]
	}
	n, _ := strconv.ParseUint(string(text), 10, 64) // 0 for all, should the form change: then nobody is a stranger
	return goroutine(n)
}
