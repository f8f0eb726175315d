package workload

import (
	"context"

	"forkbench/workload/recordevent"
)

// goNoop is the job that does nothing, in Go.
type goNoop struct{}

var _ Go = goNoop{}

func (goNoop) Name() string                                { return "go:noop" }
func (goNoop) Payload(_, _ uint64) []byte                  { return []byte("[]") }
func (goNoop) Run(context.Context, []byte) ([]byte, error) { return nil, nil }

// goRecordEvent is record_event in Go.
type goRecordEvent struct{ recordevent.Application }

var (
	_ Go          = (*goRecordEvent)(nil)
	_ Warmer      = (*goRecordEvent)(nil)
	_ Snapshotter = (*goRecordEvent)(nil)
)

func (*goRecordEvent) Name() string                   { return DefaultGo }
func (*goRecordEvent) Payload(seed, id uint64) []byte { return event(seed, id) }

// event is the arguments of a record_event job.
func event(seed, id uint64) []byte { return recordevent.Event(random(drawEvent, seed, id), id) }

// recordEvent is record_event in Python.
var recordEvent = PythonFunction{
	Module:   recordevent.Module,
	Function: "record_event",
	Warm:     []string{recordevent.Module + ":warm_record_event"},
	Sources:  map[string]string{recordevent.Module: recordevent.Source},
}
