package runner_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"forkbench/live"
	"forkbench/models"
	pool "forkbench/models/prefork"
	"forkbench/record"
	"forkbench/runner"
)

// A turns is a machine that notes whose turn it was, and fails as it is told.
type turns struct {
	taken []string
	fails map[string]error
}

func (m *turns) Run(_ context.Context, _ models.Executor, t runner.Turn) (*record.Round, error) {
	m.taken = append(m.taken, fmt.Sprintf("%s %d", t.Model, t.Round))
	return &record.Round{Model: t.Model, Round: t.Round}, m.fails[t.Model]
}

type nowhere struct{}

func (nowhere) Write(record.Line) error { return nil }

// TestOneModelDies: the others take all their turns, and the error comes in the end.
// What concerns all of them ends the comparison.
func TestOneModelDies(t *testing.T) {
	death := &live.DeathError{Obituary: "the parent process 7 ended by itself"}
	refusal := &live.ForkError{Reason: "refused to fork"}
	server := errors.New("the server is gone")
	for _, test := range []struct {
		name  string
		cause error
		want  []string
	}{
		{"its parent dies", death, []string{"a 0", "b 0", "b 1", "b 2"}},
		{"its parent refuses to fork", fmt.Errorf("fork process 7: %w", refusal), []string{"a 0", "b 0", "b 1", "b 2"}},
		{"Redis is gone", server, []string{"a 0"}},
	} {
		m := &turns{fails: map[string]error{"a": test.cause}}
		plan := runner.Plan{Rounds: 3, Contestants: []runner.Contestant{
			{Name: "a", Executor: pool.Model{}, Machine: m}, {Name: "b", Executor: pool.Model{}, Machine: m},
		}}
		err := plan.Run(t.Context(), nil, nowhere{})
		if !errors.Is(err, test.cause) {
			t.Errorf("%s: %v; want %v", test.name, err, test.cause)
		}
		if !slices.Equal(m.taken, test.want) {
			t.Errorf("%s: the turns were %v; want %v", test.name, m.taken, test.want)
		}
	}
}
