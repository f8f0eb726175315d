package stream_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"

	"forkbench/models"
	"forkbench/stream"
	"forkbench/workload"
)

// Two models read the same jobs, each through its own group. In a program of
// your own, call stream.Main first in main.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := stream.Start(ctx, dir, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = readTwice(ctx, server, func(yield func(workload.Job) bool) {
		for id := range uint64(5) {
			if !yield(workload.Job{ID: id, Payload: fmt.Append(nil, "[", id, "]")}) {
				return
			}
		}
	})
	if err := errors.Join(err, server.Close(), os.RemoveAll(dir)); err != nil {
		fmt.Println(err)
	}

	// Output:
	// prefork[0] prefork[1] prefork[2] prefork[3] prefork[4] settled 5 of 5
	// hybrid[0] hybrid[1] hybrid[2] hybrid[3] hybrid[4] settled 5 of 5
}

func readTwice(ctx context.Context, server *stream.Server, plan iter.Seq[workload.Job]) error {
	jobs, err := server.Create(ctx, "forkbench:example:jobs")
	if err != nil {
		return err
	}
	if _, err := jobs.Enqueue(ctx, plan); err != nil {
		return err
	}
	for _, model := range []string{"prefork", "hybrid"} {
		group, err := jobs.Group(ctx, model)
		if err != nil {
			return err
		}
		for {
			batch, err := group.Read(ctx, 3)
			if err != nil {
				return err
			}
			if len(batch) == 0 {
				break
			}
			var outcomes []stream.Settlement
			for _, job := range batch {
				fmt.Printf("%s%s ", model, job.Payload)
				outcomes = append(outcomes, stream.Settlement{ID: job.ID, Status: models.Done})
			}
			if err := group.Settle(ctx, outcomes); err != nil {
				return err
			}
		}
		counts, err := group.Count(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("settled %d of %d\n", counts.Settled, counts.Enqueued)
	}
	return jobs.Delete(ctx)
}
