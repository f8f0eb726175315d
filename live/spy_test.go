package live_test

import (
	"context"

	"forkbench/models"
	"forkbench/workload"
)

// A spied executor shows the outcomes that it settles.
type spied struct {
	models.Executor
	ran func(models.Outcome)
}

func (s spied) Execute(ctx context.Context, h models.Host) error {
	return s.Executor.Execute(ctx, spy{h, s.ran})
}

// A spy is a host that shows what passes.
type spy struct {
	models.Host
	ran func(models.Outcome)
}

func (s spy) Settle(job workload.Job, o models.Outcome) {
	s.ran(o)
	s.Host.Settle(job, o)
}
