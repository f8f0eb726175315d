package live_test

import (
	"context"
	"sync"

	"forkbench/models"
	"forkbench/workload"
)

// A spied executor shows the outcomes that it settles.
type spied struct {
	models.Executor
	ran func(models.Outcome)
}

func (s spied) Execute(ctx context.Context, h models.Host) error {
	return s.Executor.Execute(ctx, &spy{Host: h, ran: s.ran})
}

// A spy is a host that shows what passes, one outcome at a time.
type spy struct {
	models.Host
	mu  sync.Mutex
	ran func(models.Outcome)
}

func (s *spy) Settle(job workload.Job, o models.Outcome) {
	s.mu.Lock()
	s.ran(o)
	s.mu.Unlock()
	s.Host.Settle(job, o)
}
