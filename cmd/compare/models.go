package main

import (
	"slices"

	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/peers"
	"forkbench/peers/celery"
	"forkbench/peers/rq"
)

// A model is an execution model as the command line knows it.
type model struct {
	name  string
	doc   string
	knobs []string           // the flags that are for this model, or few
	warms bool               // it warms its parent without being told to
	needs *peers.Requirement // of a system of others, which is not part of all
	build func(o *options) models.Executor
}

// knownModels lists all of them, in the order of tables and plots. A new model
// is added here, and its knobs to flagsOf.
func knownModels() []model {
	return []model{
		{
			name:  "prefork",
			doc:   "a pool of children, each running many jobs (Celery)",
			knobs: []string{"max-jobs-per-child", "max-memory-per-child", warmKnob},
			build: func(o *options) models.Executor {
				return prefork.Model{MaxJobsPerChild: o.maxJobsPerChild, MaxMemoryPerChild: o.maxMemoryPerChild, Warm: o.warms}
			},
		},
		{
			name:  "forkperjob",
			doc:   "a child for each job (RQ)",
			knobs: []string{warmKnob},
			build: func(o *options) models.Executor { return forkperjob.Model{Warm: o.warms} },
		},
		{
			name:  "hybrid",
			doc:   "a child for each job, forked from a warm parent",
			knobs: []string{"jobs-per-child", "spares", "refork", warmKnob},
			warms: true,
			build: func(o *options) models.Executor {
				return hybrid.Model{JobsPerChild: o.jobsPerChild, Spares: o.spares, Refork: o.refork}
			},
		},
		{
			name:  "celery",
			doc:   "the real Celery with its prefork pool",
			knobs: []string{"max-tasks-per-child", warmKnob},
			needs: new(celery.Requirement()),
			build: func(o *options) models.Executor {
				return celery.Model{MaxTasksPerChild: o.maxTasksPerChild, Warm: o.warms}
			},
		},
		{
			name:  rqName,
			doc:   "the real RQ, a worker for each slot",
			knobs: []string{"rq-class", "rq-import", warmKnob},
			needs: new(rq.Requirement()),
			build: func(o *options) models.Executor { return rqModel(o) },
		},
	}
}

// rqName is the model that is RQ.
const rqName = "rq"

func rqModel(o *options) rq.Model {
	return rq.Model{Class: o.rqClass, Lazy: o.rqImport == importInJob, Warm: o.warms, Unprefixed: o.rqUnprefixed}
}

// warmKnob is the flag that names one-time work. Models that do not warm their
// parents by themselves do so where --model gives it to them: forkperjob(warm).
const warmKnob = "warm"

// allModels is the value of --model that stands for all of them but those that
// are not ours.
const allModels = "all"

// builtInModels is the models that allModels stands for.
func builtInModels() []model {
	return slices.DeleteFunc(knownModels(), func(m model) bool { return m.needs != nil })
}

// Where RQ imports the jobs' module.
const (
	importInWorker = "worker"
	importInJob    = "job"
)

func modelNames(ms []model) []string {
	names := make([]string, len(ms))
	for i, m := range ms {
		names[i] = m.name
	}
	return names
}
