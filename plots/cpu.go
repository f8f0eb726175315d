package plots

import (
	"slices"

	"forkbench/runner"
)

func cpuPlot() Plot {
	return Plot{
		Name:  "cpu",
		Title: "CPU per job, by who used it",
		Caption: "Milliseconds of processor time per job done, start-up not included: the length of a bar is everything " +
			"that a model cost the machine for one job, its blocks say which processes used it, median over rounds.",
		simulated: "Milliseconds of processor time per job done, start-up not included: the number is everything that a model " +
			"cost the machine for one job, mean over replications, and the blocks of the bar say which processes used it, medians.",
		blocks: "Milliseconds of processor time per job done, start-up not included: the number is everything that a model " +
			"cost the machine for one job, the mean (geometric) of what it ran in a row, and the blocks of the bar say which processes used it, medians over rounds.",
		build: func(a *runner.Analysis) chart { return cpuChart(a, partsOf(a)) },
	}
}

func cpuModePlot() Plot {
	return Plot{
		Name:  "cpu-mode",
		Title: "CPU per job, user and system",
		Caption: "Milliseconds of processor time per job done, start-up not included: user is the time spent in programs, " +
			"system the time the kernel worked for them (forks, page faults, sockets), median over rounds.",
		simulated: "Milliseconds of processor time per job done, start-up not included: user is the time spent in programs, " +
			"system the time the kernel worked for them (forks, page faults, sockets), parts of the mean over replications.",
		blocks: "Milliseconds of processor time per job done, start-up not included: user is the time spent in programs, " +
			"system the time the kernel worked for them (forks, page faults, sockets), parts of the mean (geometric) of what a model ran in a row.",
		build: func(a *runner.Analysis) chart { return cpuChart(a, cpuModes) },
	}
}

// A cpuPart is a block of the bars: a share of a model's CPU per job.
type cpuPart struct {
	name  string // in the legend
	short string // under the bar
	fill  fill
	value func(*runner.ModelSummary) float64
}

var cpuParts = []cpuPart{
	{"children (forked)", "children", fillChildren, func(m *runner.ModelSummary) float64 {
		return positive(positive(m.CPUDone.Children) - positive(m.CPUDone.Parents))
	}},
	{"parents (fork and reap)", "parents", fillParents, func(m *runner.ModelSummary) float64 { return positive(m.CPUDone.Parents) }},
	{"supervisor", "supervisor", fillSupervisor, func(m *runner.ModelSummary) float64 { return positive(m.CPUDone.Supervisor) }},
	{"Redis", "Redis", fillRedis, func(m *runner.ModelSummary) float64 { return positive(m.CPUDone.Redis) }},
}

// servicesPart is a block where jobs use other programs of the machine.
var servicesPart = cpuPart{"services (used by jobs)", "services", fillServices, func(m *runner.ModelSummary) float64 { return positive(m.CPUDone.Services) }}

// partsOf are the blocks of an analysis's bars.
func partsOf(a *runner.Analysis) []cpuPart {
	if len(a.Summary.Services) == 0 {
		return cpuParts
	}
	return append(slices.Clone(cpuParts), servicesPart)
}

var cpuModes = []cpuPart{
	{"user", "user", fillUser, func(m *runner.ModelSummary) float64 { return modeShare(m, m.UserS) }},
	{"system", "system", fillSystem, func(m *runner.ModelSummary) float64 { return modeShare(m, m.SystemS) }},
}

// modeShare turns seconds of a mode over all work into its share of the CPU per
// job, so that both CPU plots have bars of one length.
func modeShare(m *runner.ModelSummary, seconds float64) float64 {
	total := positive(m.UserS) + positive(m.SystemS)
	if total == 0 {
		return 0
	}
	return positive(m.CPUDone.Median) * (positive(seconds) / total)
}

func cpuChart(a *runner.Analysis, parts []cpuPart) chart {
	rc := &rowChart{unit: "CPU per job done (ms)"}
	intervals := false
	for i := range a.Summary.Models {
		m := &a.Summary.Models[i]
		r := row{name: clean(m.Model), remark: outcomes(m)}
		if m.CPUDone != nil {
			for _, p := range parts {
				r.segments = append(r.segments, segment{p.short, p.fill, p.value(m)})
			}
		}
		if r.sum() > 0 {
			r.interval = interval(m.CPUDone.Interval)
			intervals = intervals || r.interval != nil
			total := positive(m.CPUDone.Median)
			if total == 0 {
				total = r.sum()
			}
			r.label = withInterval(total, r.interval, "ms")
			r.detail = r.breakdown("ms")
		} else {
			r = row{name: r.name, missing: noCPU(m)}
		}
		rc.rows = append(rc.rows, r)
	}
	if rc.max() == 0 {
		why := "no CPU time was measured"
		if len(a.Summary.Models) > 0 {
			why = noCPU(&a.Summary.Models[0])
		}
		return noData(why)
	}
	for _, p := range parts {
		rc.legend = append(rc.legend, p.fill.key(p.name))
	}
	if intervals {
		rc.legend = append(rc.legend, intervalKey(ink, &a.Summary))
	}
	return rc
}

// noCPU is why a model has no CPU time per job.
func noCPU(m *runner.ModelSummary) string {
	switch {
	case m.Stopped != "" && m.Rounds == 0:
		return "it could not go on"
	case m.Jobs.Undone > 0 && m.Jobs.Done == 0:
		return "no job was done"
	}
	return "no CPU time was measured"
}
