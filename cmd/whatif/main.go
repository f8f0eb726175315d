//go:build js && wasm

// Command whatif is the simulator for browsers, compiled to WebAssembly: it is in every
// report.html. See package query for what it takes and answers; `make web` builds it.
package main

import (
	"context"
	"syscall/js"

	"forkbench/whatif/query"
)

func main() {
	var asker query.Asker
	object := js.Global().Get("Object").New()
	object.Set("load", js.FuncOf(func(_ js.Value, args []js.Value) any {
		return string(asker.Load([]byte(args[0].String())))
	}))
	object.Set("ask", js.FuncOf(func(_ js.Value, args []js.Value) any {
		return string(asker.Ask(context.Background(), []byte(args[0].String())))
	}))
	js.Global().Set("forkbench", object)
	select {} // it is called from now on
}
