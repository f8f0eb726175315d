package main

import (
	"os"
	"testing"

	"forkbench/live"
	"forkbench/live/livetest"
	"forkbench/models"
	"forkbench/models/modelstest"
)

func TestMain(m *testing.M) {
	live.Main()
	os.Exit(m.Run())
}

// TestConformance runs the pool on real processes, through everything that an
// executor must stand.
func TestConformance(t *testing.T) {
	modelstest.Run(t, livetest.New(t), func() models.Executor { return Pool{} })
}
