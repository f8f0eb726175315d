//go:build !(js && wasm)

// Command whatif is the simulator for browsers, and does nothing elsewhere.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "whatif: it is for browsers, in WebAssembly: `make web` builds it, and `compare simulate` is the same here")
	os.Exit(2)
}
