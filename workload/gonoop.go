package workload

import "context"

// goNoop is the job that does nothing, in Go.
type goNoop struct{}

var _ Go = goNoop{}

func (goNoop) Name() string                                { return "go:noop" }
func (goNoop) Payload(_, _ uint64) []byte                  { return []byte("[]") }
func (goNoop) Run(context.Context, []byte) ([]byte, error) { return nil, nil }
