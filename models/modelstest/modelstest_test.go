package modelstest_test

import (
	"os"
	"testing"

	"forkbench/live"
	"forkbench/live/livetest"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/modelstest"
	"forkbench/models/prefork"
)

func TestMain(m *testing.M) {
	live.Main()
	os.Exit(m.Run())
}

// TestModels holds the models of this project, with their knobs, to the suite.
func TestModels(t *testing.T) {
	for name, e := range map[string]models.Executor{
		"prefork":                    prefork.Model{},
		"prefork max-jobs-per-child": prefork.Model{MaxJobsPerChild: 3},
		"prefork max-memory":         prefork.Model{MaxMemoryPerChild: 1},
		"prefork warm":               prefork.Model{Warm: true},
		"forkperjob":                 forkperjob.Model{},
		"forkperjob warm":            forkperjob.Model{Warm: true},
		"hybrid":                     hybrid.Model{},
		"hybrid jobs-per-child":      hybrid.Model{JobsPerChild: 4},
		"hybrid spares":              hybrid.Model{Spares: 3},
		"hybrid refork":              hybrid.Model{JobsPerChild: 2, Spares: 2, Refork: 3},
	} {
		t.Run(name, func(t *testing.T) {
			modelstest.Run(t, livetest.New(t), func() models.Executor { return e })
		})
	}
}

// TestHost holds this computer to the contract of a host.
func TestHost(t *testing.T) { modelstest.Host(t, livetest.New(t)) }
