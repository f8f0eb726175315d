package runner_test

import (
	"context"
	"log"
	"math"
	"os"
	"strings"
	"testing"

	"forkbench/live"
	"forkbench/models"
	pool "forkbench/models/prefork"
	"forkbench/report"
	"forkbench/runner"
)

// A program compares models of its own like that; examples/lazypool is one.
func ExampleLive() {
	live.Main() // the first call of the program's main
	found, err := runner.Live(context.Background(), runner.Options{
		Models:   []models.Executor{pool.Model{}, runner.Named("renewed", pool.Model{MaxJobsPerChild: 10})},
		Workload: "py:app.tasks:send_mail", Payloads: [][]byte{[]byte(`["a@example.org"]`)},
		Runtime: live.Python{Path: []string{"."}},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := runner.WriteText(os.Stdout, &found.Summary, report.TextOptions{}); err != nil {
		log.Fatal(err)
	}
}

// TestLiveOptions: what cannot be compared is refused before anything is started.
func TestLiveOptions(t *testing.T) {
	for want, o := range map[string]runner.Options{
		"no models: at least one must be given":   {},
		"two models are called prefork":           {Models: []models.Executor{pool.Model{}, pool.Model{MaxJobsPerChild: 10}}},
		"-1 jobs, 4 workers, 3 rounds: each must": {Models: []models.Executor{pool.Model{}}, Jobs: -1},
		"until ±0: must be more than 0":           {Models: []models.Executor{pool.Model{}}, Until: &runner.Until{}},
		"until ±NaN: must be":                     {Models: []models.Executor{pool.Model{}}, Until: &runner.Until{HalfWidth: math.NaN()}},
		"those of poisson:5 come over time":       {Models: []models.Executor{pool.Model{}}, Until: &runner.Until{HalfWidth: 0.1}, Arrivals: "poisson:5"},
		"rate: ":                                  {Models: []models.Executor{pool.Model{}}, Arrivals: "rate:"},
		"did you mean record_event?":              {Models: []models.Executor{pool.Model{}}, Workload: "recordevent"},
	} {
		if _, err := runner.Live(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
}
