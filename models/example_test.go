package models_test

import (
	"context"
	"fmt"
	"iter"
	"time"

	"forkbench/models"
	"forkbench/workload"
)

// Inline runs every job in the process that loaded the application, one after
// another: the smallest executor there is.
type Inline struct{}

func (Inline) Name() string { return "inline" }

func (Inline) Execute(ctx context.Context, h models.Host) error {
	p, err := h.Boot(ctx)
	if err != nil {
		return err
	}
	defer p.Close(ctx)
	for job := range h.Jobs(ctx) {
		h.Settle(job, p.Run(ctx, job))
	}
	return nil
}

var _ models.Executor = Inline{}

// An executor sees a machine only as a Host. This one is made of paper; package
// live has the real one.
func Example() {
	if err := (Inline{}).Execute(context.Background(), paper{jobs: 3}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// boot
	// job 0: done
	// job 1: done
	// job 2: done
	// close
}

// A paper host has one slot and prints what is asked of it.
type paper struct{ jobs uint64 }

func (paper) Workers() int { return 1 }

func (paper) Boot(context.Context) (models.Process, error) {
	fmt.Println("boot")
	return sheet{}, nil
}

func (p paper) Jobs(context.Context) iter.Seq[workload.Job] {
	return func(yield func(workload.Job) bool) {
		for id := range p.jobs {
			if !yield(workload.Job{ID: id}) {
				return
			}
		}
	}
}

func (paper) Settle(job workload.Job, o models.Outcome) { fmt.Printf("job %d: %v\n", job.ID, o.Status) }

func (paper) Parallel(ctx context.Context, _ int, work func(context.Context, int) error) error {
	return work(ctx, 0)
}

func (paper) Sleep(context.Context, time.Duration) error { return nil }
func (paper) Now() time.Duration                         { return 0 }
func (paper) Backlog() int                               { return 0 }

func (paper) WithTimeout(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// A sheet is a process of a paper host.
type sheet struct{}

func (sheet) Warm(context.Context) error                        { return nil }
func (sheet) Fork(context.Context, int) (models.Process, error) { return sheet{}, nil }
func (sheet) Alive() bool                                       { return true }
func (sheet) Usage() models.Usage                               { return models.Usage{} }

func (sheet) Run(context.Context, workload.Job) models.Outcome {
	return models.Outcome{Status: models.Done}
}

func (sheet) Close(context.Context) error {
	fmt.Println("close")
	return nil
}
