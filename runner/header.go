package runner

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"forkbench/conditions"
	"forkbench/live"
	"forkbench/models"
	"forkbench/record"
	"forkbench/workload"
)

// A Load is the jobs of a comparison: see workload.Jobs, which makes them.
type Load struct {
	Jobs     int
	Arrivals workload.Arrivals
	Seed     uint64
}

// Describe sets the plan's header: what is asked for, and where it is measured. The
// machine has its server and its guard by then, and the application is as Machine.Check
// found it, or zero where that is not known. What only the caller knows, such as the
// names of files, is for it to add.
func (p *Plan) Describe(m *live.Machine, app live.Application, l Load) {
	h := record.Header{Version: record.Version, Started: time.Now(), Environment: conditions.Environment()}
	e := &h.Environment
	e.Redis, e.ForkPrimitive, e.Cgroup = m.Server.Describe(), m.Runtime.ForkPrimitive(), m.Guard.Cgroup()
	h.Spec = record.Spec{
		Jobs: l.Jobs, Workers: m.Workers, Rounds: p.Rounds, Seed: l.Seed,
		Workload: m.Workload.Name(), Listed: workload.Listed(m.Workload), Runtime: m.Runtime.Name(),
		Arrivals: l.Arrivals.String(), TimeoutNS: m.Timeout,
	}
	if python, ok := m.Runtime.(live.Python); ok {
		if app.Version != "" {
			e.Python = fmt.Sprintf("Python %s (%s)", app.Version, app.Executable)
		}
		h.Spec.Setup, h.Spec.Warm = python.Setup, python.Warm
		if w, ok := m.Workload.(workload.Python); ok {
			h.Spec.Warm = slices.Concat(w.PythonFunction().Warm, python.Warm)
		}
	}
	if u := p.Until; u != nil {
		h.Spec.Until = &record.Until{HalfWidth: u.HalfWidth, MostNS: u.Most}
	}
	for i := range p.Contestants {
		h.Spec.Models = append(h.Spec.Models, p.Contestants[i].spec(h.Spec.Warm))
	}
	p.Header = h
}

// spec is the contestant as records have it, where parents do that one-time work.
func (c *Contestant) spec(warm []string) record.Model {
	own := record.Model{Name: c.Name}
	if e := original(c.Executor); e.Name() != c.Name {
		own.Model = e.Name()
	}
	if e, ok := original(c.Executor).(models.Configured); ok {
		own.Knobs = maps.Clone(e.Knobs())
		if _, warms := own.Knobs[models.WarmKnob]; warms {
			own.Knobs[models.WarmKnob] = strings.Join(warm, ",")
		}
	}
	return own
}

// original is the executor that has another name now: see Named.
func original(e models.Executor) models.Executor {
	for {
		n, ok := e.(renamed)
		if !ok {
			return e
		}
		e = n.Executor
	}
}
