package live_test

import (
	"context"
	"fmt"
	"os"

	"forkbench/live"
	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/stream"
	"forkbench/workload"
)

// One round of one model: a hundred jobs through a pool of real processes. The
// program must have called live.Main first in its main.
func ExampleMachine() {
	ctx := context.Background()
	guard, err := live.StartGuard()
	check(err)
	defer func() { check(guard.Close()) }()
	server, err := stream.Start(ctx, guard.Dir(), nil)
	check(err)
	defer func() { check(server.Close()) }()

	work, err := workload.Parse("noop")
	check(err)
	arrivals, err := workload.ParseArrivals("burst")
	check(err)
	jobs, err := server.Create(ctx, "example")
	check(err)
	n, err := jobs.Enqueue(ctx, workload.Jobs(work, arrivals, 1, 100))
	check(err)
	group, err := jobs.Group(ctx, "prefork")
	check(err)

	machine := live.Machine{Workers: 2, Workload: work, Runtime: live.Python{}, Server: server, Guard: guard}
	round, err := machine.Run(ctx, prefork.Model{}, live.Round{
		Model: "prefork", Jobs: n, Group: group, Sink: record.NewWriter(os.Stderr),
	})
	check(err)
	fmt.Println(round.Settled, "settled,", round.Lost, "lost")
	// Output: 100 settled, 0 lost
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
