package main

import (
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
)

// A model is an execution model as the command line knows it.
type model struct {
	name  string
	doc   string
	knobs []string // the flags that are for this model only
	build func(o *options) models.Executor
}

// knownModels lists all of them, in the order of tables and plots. A new model
// is added here, and its knobs to flagsOf.
func knownModels() []model {
	return []model{
		{
			name:  "prefork",
			doc:   "a pool of children, each running many jobs (Celery)",
			knobs: []string{"max-jobs-per-child", "max-memory-per-child"},
			build: func(o *options) models.Executor {
				return prefork.Model{MaxJobsPerChild: o.maxJobsPerChild, MaxMemoryPerChild: o.maxMemoryPerChild}
			},
		},
		{
			name:  "forkperjob",
			doc:   "a child for each job (RQ)",
			build: func(*options) models.Executor { return forkperjob.Model{} },
		},
		{
			name:  "hybrid",
			doc:   "a child for each job, forked from a warm parent",
			knobs: []string{"jobs-per-child", "spares", "refork", "warm"},
			build: func(o *options) models.Executor {
				return hybrid.Model{JobsPerChild: o.jobsPerChild, Spares: o.spares, Refork: o.refork}
			},
		},
	}
}

// allModels is the value of --model that stands for all of them.
const allModels = "all"

func modelNames(ms []model) []string {
	names := make([]string, len(ms))
	for i, m := range ms {
		names[i] = m.name
	}
	return names
}
