// Lazypool shows how to compare an execution model of your own: pool.go is the
// model, this file puts it beside two of forkbench's, on the same jobs.
//
//	go run ./examples/lazypool
package main

import (
	"context"
	"fmt"
	"os"

	"forkbench/live"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/prefork"
	"forkbench/report"
	"forkbench/runner"
)

func main() {
	live.Main() // first of all: this program is its own guard, and more
	found, err := runner.Live(context.Background(), runner.Options{
		Models:   []models.Executor{Pool{}, prefork.Model{}, forkperjob.Model{}},
		Arrivals: "poisson:100", Jobs: 200,
	})
	if err == nil {
		err = runner.WriteText(os.Stdout, &found.Summary, report.TextOptions{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lazypool:", err)
		os.Exit(1)
	}
}
