package sweep

import (
	"fmt"
	"slices"

	"forkbench/sim"
	"forkbench/whatif/predict"
	"forkbench/workload"
)

// The parameters, by the names of their flags. A model's knobs are turned by
// whoever makes its executor; the others change the machine, its costs, or the
// load, by Set.
const (
	JobsPerChild    = "jobs-per-child"
	MaxJobsPerChild = "max-jobs-per-child"
	Spares          = "spares"
	Refork          = "refork"
	JobTime         = "job-time"
	OneTime         = "one-time"
	ParentMemory    = "parent-memory"
	Workers         = "workers"
	Cores           = "cores"
	ArrivalRate     = "rate"
)

// Parameters lists all that a sweep can vary. The bounds are above what makes
// sense and below what a simulation cannot hold.
func Parameters() []*Parameter {
	const day = 24 * 3600 * 1000
	return []*Parameter{
		{Name: JobsPerChild, Label: "jobs per child", Each: "%s jobs per child", Kind: Whole, Least: 1, Most: 1e8},
		{Name: MaxJobsPerChild, Label: "jobs per child", Each: "%s jobs per child", Kind: Whole, Least: 1, Most: 1e8},
		{Name: Spares, Label: "spares", Each: "%s spares", Kind: Whole, Least: 0, Most: 1024},
		{Name: Refork, Label: "jobs before the refork", Each: "a refork after %s jobs", Kind: Whole, Least: 1, Most: 1e8},
		{Name: JobTime, Label: "CPU time of a job", Each: "a job time of %s", Kind: Time, Least: 1e-3, Most: day},
		{Name: OneTime, Label: "one-time work", Each: "%s of one-time work", Kind: Time, Least: 0, Most: day},
		{Name: ParentMemory, Label: "memory of the parent", Each: "a parent of %s", Kind: Size, Least: 1, Most: 1e6},
		{Name: Workers, Label: "workers", Each: "%s workers", Kind: Whole, Least: 1, Most: 10_000},
		{Name: Cores, Label: "cores", Each: "%s cores", Kind: Whole, Least: 1, Most: 10_000},
		{Name: ArrivalRate, Label: "arrival rate", Each: "%s", Kind: Rate, Least: 1e-3, Most: 1e6},
	}
}

// Named is the parameter of that name, or nil.
func Named(name string) *Parameter {
	all := Parameters()
	if i := slices.IndexFunc(all, func(p *Parameter) bool { return p.Name == name }); i >= 0 {
		return all[i]
	}
	return nil
}

// Set gives a question a value of the parameter. It does nothing for a knob.
// The question's profile is replaced where it changes, not written to.
func (p *Parameter) Set(q *predict.Question, x float64) error {
	switch p.Name {
	case Workers:
		q.Workers = int(x)
	case Cores:
		q.Cores = int(x)
	case ArrivalRate:
		plan, err := workload.ParseArrivals(fmt.Sprintf("poisson:%.9f/s", x))
		if err != nil {
			return err
		}
		q.Arrivals = plan
	case JobTime:
		changed := *q.Profile
		changed.Jobs = slices.Clone(changed.Jobs)
		setJobTime(changed.Jobs, x)
		q.Profile = &changed
	case OneTime:
		changed := *q.Profile
		if o := &changed.OneTime; o.CPU.Mean()+o.Wait.Mean() == 0 {
			o.Warmable = 1 // the profile had nothing to warm
		}
		changed.OneTime.CPU, changed.OneTime.Wait = sim.Constant(x), sim.Constant(0)
		q.Profile = &changed
	case ParentMemory:
		changed := *q.Profile
		changed.Memory.BootedMB = x * 1e6 / (1 << 20)
		changed.Memory.FileMB = min(changed.Memory.FileMB, changed.Memory.BootedMB)
		q.Profile = &changed
	}
	return nil
}

// setJobTime gives jobs the mean CPU time of ms, and leaves the shape of its
// distribution as it is.
func setJobTime(classes []sim.Class, ms float64) {
	mean, weight := 0.0, 0.0
	for i := range classes {
		mean += classes[i].Weight * classes[i].CPU.Mean()
		weight += classes[i].Weight
	}
	for i := range classes {
		if mean == 0 {
			classes[i].CPU = sim.Constant(ms)
		} else {
			classes[i].CPU = classes[i].CPU.Scaled(ms * weight / mean)
		}
	}
}
