package modelstest_test

import (
	"testing"

	"forkbench/live/livetest"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/modelstest"
)

// In a test of your own model, where TestMain has called live.Main.
func Example() {
	_ = func(t *testing.T) {
		modelstest.Run(t, livetest.New(t), func() models.Executor { return forkperjob.Model{} })
	}
}
