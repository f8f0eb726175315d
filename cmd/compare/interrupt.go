package main

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
)

// What the user is told on Ctrl-C.
const (
	sayStopping = "stopping: finishing the jobs that run; press Ctrl-C again to end at once"
	sayEnding   = "ending at once"
	sayKilling  = "ending at once: the jobs that run are not finished"
)

// Interrupts turns signals into an early end: the first asks for an orderly one,
// the second demands one at once, and the third is the system's to handle.
type interrupts struct {
	stop   chan struct{} // closed by the first signal
	cancel context.CancelFunc

	working atomic.Bool // there is something to finish in order
	done    chan struct{}
	serving sync.WaitGroup
}

// watchSignals begins to wait for signals. The returned context ends with the
// second one, or with the first one where nothing has begun that could be
// finished. Say tells the user; giveUp has further signals end the process. The
// caller closes it.
func watchSignals(
	ctx context.Context, signals <-chan os.Signal, say func(string), giveUp func(),
) (*interrupts, context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	in := &interrupts{stop: make(chan struct{}), cancel: cancel, done: make(chan struct{})}
	in.serving.Go(func() {
		select {
		case <-signals:
		case <-in.done:
			return
		}
		close(in.stop)
		if in.working.Load() {
			say(sayStopping)
			select {
			case <-signals:
			case <-in.done:
				return
			}
		}
		if in.working.Load() {
			say(sayKilling)
		} else {
			say(sayEnding)
		}
		giveUp()
		cancel()
	})
	return in, ctx
}

// begin says that from now on there is something to finish.
func (in *interrupts) begin() { in.working.Store(true) }

// end says that there is not any more.
func (in *interrupts) end() { in.working.Store(false) }

// came reports whether there was a signal.
func (in *interrupts) came() bool {
	select {
	case <-in.stop:
		return true
	default:
		return false
	}
}

// close ends the waiting.
func (in *interrupts) close() {
	close(in.done)
	in.serving.Wait()
	in.cancel()
}
