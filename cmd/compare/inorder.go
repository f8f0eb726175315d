package main

import (
	"bytes"
	"io"
	"sync"

	"forkbench/record"
)

// An inOrder writes the records of turns that go on side by side to one file, one
// turn after another in the order in which they were begun: the file does not
// depend on how many go on at once. Turns that are ahead wait in memory.
type inOrder struct {
	out io.Writer

	mu    sync.Mutex
	turns []*fileTurn // begun and not written
	err   error       // the first of the writing
}

// A fileTurn is the sink of one turn. A turn ends with a *record.Round, or is a
// single *record.Header or *record.Prediction.
type fileTurn struct {
	owner *inOrder
	text  bytes.Buffer
	lines *record.Writer
	ended bool
}

var _ record.Sink = (*fileTurn)(nil)

// turn begins the next turn.
func (o *inOrder) turn() *fileTurn {
	t := &fileTurn{owner: o}
	t.lines = record.NewWriter(&t.text)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turns = append(o.turns, t)
	return t
}

// Write takes a line of the turn.
func (t *fileTurn) Write(l record.Line) error {
	if err := t.lines.Write(l); err != nil {
		return err
	}
	switch l.(type) {
	case *record.Round, *record.Header, *record.Prediction:
		return t.owner.end(t)
	}
	return nil
}

// end writes a turn that has ended, and those after it that have, if it is its
// turn.
func (o *inOrder) end(t *fileTurn) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	t.ended = true
	for len(o.turns) > 0 && o.turns[0].ended {
		o.write(o.turns[0])
		o.turns = o.turns[1:]
	}
	return o.err
}

func (o *inOrder) write(t *fileTurn) {
	if err := t.lines.Flush(); o.err == nil {
		o.err = err
	}
	if o.err == nil {
		_, o.err = o.out.Write(t.text.Bytes())
	}
	t.text.Reset()
}

// close writes what is left, turns that have not ended included.
func (o *inOrder) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, t := range o.turns {
		o.write(t)
	}
	o.turns = nil
	return o.err
}
