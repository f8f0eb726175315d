// Package query asks package predict in JSON, for programs in other languages: a page
// whose simulator is this, compiled for browsers (cmd/whatif).
//
// A [Base] is what a page knows of its run, once; [Changes] are what somebody turns. The
// same changes give the same numbers as the command with the same settings and seed.
// Texts come from strangers' files: they are bounded and parsed, and name no code.
package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/hybrid"
	"forkbench/models/prefork"
	"forkbench/sim"
	"forkbench/whatif/predict"
	"forkbench/whatif/sweep"
	"forkbench/workload"
)

// A Base is the machine, the models and the load that changes are made to.
type Base struct {
	Profile  *sim.Profile  `json:"profile"`
	Models   []Model       `json:"models"`
	Workers  int           `json:"workers"`
	Cores    int           `json:"cores"`
	Jobs     int           `json:"jobs"`        // of one replication
	Seed     uint64        `json:"seed,string"` // above what a number of JavaScript holds
	Arrivals string        `json:"arrivals"`    // as after --arrivals, but for those in files
	Timeout  time.Duration `json:"timeout_ns"`

	capacities map[string]float64 // found so far, by what they depend on; see machine
}

// A Model is a contestant: a name, and the one executor that is not nil.
type Model struct {
	Name       string            `json:"name"`
	Prefork    *prefork.Model    `json:"prefork,omitempty"`
	ForkPerJob *forkperjob.Model `json:"forkperjob,omitempty"`
	Hybrid     *hybrid.Model     `json:"hybrid,omitempty"`
}

// ModelOf is an executor as a Model. It is false for one that has no form in JSON: a
// library user's own.
func ModelOf(name string, e models.Executor) (Model, bool) {
	m := Model{Name: name}
	switch e := e.(type) {
	case prefork.Model:
		m.Prefork = &e
	case forkperjob.Model:
		m.ForkPerJob = &e
	case hybrid.Model:
		m.Hybrid = &e
	default:
		return m, false
	}
	return m, true
}

// Own reports whether the model's name says how it is set, as in
// hybrid(jobs-per-child=10): then its knobs are not turned.
func (m *Model) own() bool {
	return m.Name != prefork.Model{}.Name() && m.Name != forkperjob.Model{}.Name() && m.Name != hybrid.Model{}.Name()
}

// executor is the model's, with its knobs turned.
func (m *Model) executor(knobs map[string]float64) (models.Executor, error) {
	turned := func(name string, value int) int {
		if x, ok := knobs[name]; ok && !m.own() {
			return int(x)
		}
		return value
	}
	switch {
	case m.Prefork != nil && m.ForkPerJob == nil && m.Hybrid == nil:
		e := *m.Prefork
		e.MaxJobsPerChild = turned(sweep.MaxJobsPerChild, e.MaxJobsPerChild)
		return e, nil
	case m.ForkPerJob != nil && m.Prefork == nil && m.Hybrid == nil:
		return *m.ForkPerJob, nil
	case m.Hybrid != nil && m.Prefork == nil && m.ForkPerJob == nil:
		e := *m.Hybrid
		e.JobsPerChild = turned(sweep.JobsPerChild, e.JobsPerChild)
		return e, nil
	}
	return nil, fmt.Errorf("model %q: one executor, and no other", m.Name)
}

// Changes are what is to be different.
type Changes struct {
	// Set holds values of the parameters of package sweep, by their names; that of the
	// arrival rate has jobs come at random.
	Set map[string]float64 `json:"set"`

	Burst        bool   `json:"burst"` // all jobs are due at once, whatever the base has
	Model        string `json:"model"` // the one to ask about
	Jobs         int    `json:"jobs"`  // of one replication; 0 for the base's
	Replications int    `json:"replications"`
}

// What a page may ask for, so that a mistake does not keep it busy for long.
const (
	mostJobs         = 1_000_000
	mostReplications = 100
	mostKept         = 1000 // capacities
)

// machine is what a capacity depends on, but for the base.
func (c *Changes) machine() string {
	var text strings.Builder
	text.WriteString(c.Model)
	for _, name := range slices.Sorted(maps.Keys(c.Set)) {
		if name != sweep.ArrivalRate {
			fmt.Fprintf(&text, "\x00%s=%v", name, c.Set[name])
		}
	}
	return text.String()
}

// Ask answers for one model. It is not safe for concurrent use.
func (b *Base) Ask(ctx context.Context, c *Changes) (*predict.Prediction, error) {
	q, err := b.question(c)
	if err != nil {
		return nil, err
	}
	machine := c.machine()
	q.Known = func(string) (float64, bool) {
		capacity, ok := b.capacities[machine]
		return capacity, ok
	}
	a, err := predict.Run(ctx, *q)
	if err != nil {
		return nil, err
	}
	p := &a.Models[0]
	if p.Capacity > 0 {
		if b.capacities == nil || len(b.capacities) >= mostKept {
			b.capacities = make(map[string]float64)
		}
		b.capacities[machine] = p.Capacity
	}
	return p, nil
}

func (b *Base) question(c *Changes) (*predict.Question, error) {
	i := slices.IndexFunc(b.Models, func(m Model) bool { return m.Name == c.Model })
	if i < 0 {
		return nil, fmt.Errorf("there is no model %q", c.Model)
	}
	e, err := b.Models[i].executor(c.Set)
	if err != nil {
		return nil, err
	}
	if b.Profile == nil {
		return nil, errors.New("there is no profile")
	}
	q := &predict.Question{
		Models:  []predict.Model{{Name: c.Model, Executor: e}},
		Profile: b.Profile, Workers: b.Workers, Cores: b.Cores, Timeout: b.Timeout,
		Jobs: b.Jobs, Seed: b.Seed, Replications: c.Replications,
	}
	if c.Jobs != 0 {
		q.Jobs = c.Jobs
	}
	if q.Jobs > mostJobs || q.Replications > mostReplications {
		return nil, fmt.Errorf("%d jobs in %d replications: %d and %d at most", q.Jobs, q.Replications, mostJobs, mostReplications)
	}
	if !c.Burst {
		if q.Arrivals, err = arrivals(b.Arrivals); err != nil {
			return nil, err
		}
	}
	for name, x := range c.Set {
		p := sweep.Named(name)
		if p == nil {
			return nil, fmt.Errorf("there is nothing called %q to set", name)
		}
		least := p.Least
		if name == sweep.MaxJobsPerChild {
			least = 0 // without end
		}
		if !(x >= least && x <= p.Most) || p.Kind == sweep.Whole && x != math.Trunc(x) {
			return nil, fmt.Errorf("%s=%v: from %v to %v", name, x, least, p.Most)
		}
		if name == sweep.ArrivalRate && c.Burst {
			continue
		}
		if err := p.Set(q, x); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// arrivals are those of a plan that names no file.
func arrivals(plan string) (workload.Arrivals, error) {
	if !Plain(plan) {
		return nil, fmt.Errorf("arrivals %.40q: a file cannot be read here", plan)
	}
	return workload.ParseArrivals(plan)
}

// Plain reports whether a plan of arrivals needs no file.
func Plain(plan string) bool {
	kind, _, _ := strings.Cut(plan, ":")
	return kind == "burst" || kind == "rate" || kind == "poisson"
}

// Asker answers texts with texts: a base first, and then changes to it.
type Asker struct{ base *Base }

// An answer is what a text is answered with: a prediction or an error.
type answer struct {
	Error      string              `json:"error,omitempty"`
	Prediction *predict.Prediction `json:"prediction,omitempty"`
	Caveats    []string            `json:"caveats,omitempty"` // of the profile
}

// Load takes a base, and answers with what the profile cannot be relied on for.
func (a *Asker) Load(text []byte) []byte {
	b := new(Base)
	err := json.Unmarshal(text, b)
	if err == nil && b.Profile == nil {
		err = errors.New("there is no profile")
	}
	if err == nil {
		err = b.Profile.Validate()
	}
	if err != nil {
		return write(&answer{Error: err.Error()})
	}
	a.base = b
	return write(&answer{Caveats: b.Profile.Caveats()})
}

// Ask answers changes to the base that was loaded last.
func (a *Asker) Ask(ctx context.Context, text []byte) []byte {
	c := new(Changes)
	err := json.Unmarshal(text, c)
	if err == nil && a.base == nil {
		err = errors.New("nothing has been loaded")
	}
	var p *predict.Prediction
	if err == nil {
		p, err = a.base.Ask(ctx, c)
	}
	if err != nil {
		return write(&answer{Error: err.Error()})
	}
	return write(&answer{Prediction: p})
}

// write writes an answer. What is not a number has no JSON, and is an error.
func write(a *answer) []byte {
	text, err := json.Marshal(a)
	if err != nil {
		text, _ = json.Marshal(&answer{Error: err.Error()}) // a text is always written
	}
	return text
}
