package plots

import (
	"math"

	"forkbench/record"
	"forkbench/runner"
)

func phasesPlot() Plot {
	return Plot{
		Name:  "phases",
		Title: "Where a job's time goes",
		Caption: "Milliseconds of wall time that a process spends on one job: medians, with what happens once in a " +
			"process (its fork, the first-job penalty, its exit) divided by the number of jobs that it runs.",
		build: phasesChart,
	}
}

func phasesChart(a *runner.Analysis) chart {
	rc := &rowChart{unit: "wall time per job (ms)"}
	unknown := false
	for i := range a.Summary.Models {
		m := &a.Summary.Models[i]
		share := perJob(a, i)
		var penalty float64
		if p := m.Phases.FirstJobPenalty; p != nil {
			penalty = positive(*p)
		} else {
			unknown = true
		}
		r := row{name: clean(m.Model), remark: outcomes(m), segments: []segment{
			{"fork", fillFork, positive(m.Phases.Fork) * share},
			{"first-job penalty", fillPenalty, penalty * share},
			{"run", fillRun, positive(m.Phases.Run)},
			{"exit", fillExit, positive(m.Phases.Exit) * share},
		}}
		if r.sum() > 0 {
			r.label = number(r.sum()) + " ms"
			r.detail = r.breakdown("ms")
		} else {
			r = row{name: r.name, missing: "no job ran to its end"}
		}
		rc.rows = append(rc.rows, r)
	}
	if rc.max() == 0 {
		return noData("no job ran to its end")
	}
	rc.legend = []key{
		fillFork.key("fork"), fillPenalty.key("first-job penalty"), fillRun.key("run"), fillExit.key("exit and reap"),
	}
	if unknown {
		rc.remarks = []string{"Where no process ran a second job, the first-job penalty is not known and part of run."}
	}
	return rc
}

// perJob is the number of children a model makes for one job, at most 1: 1
// where each job has a process of its own, near 0 in a pool.
func perJob(a *runner.Analysis, i int) float64 {
	jobs, rounds := 0, 0
	for _, r := range roundsOf(a, i) {
		if r.Measure.Settled > 0 {
			jobs += r.Measure.Settled
			rounds++
		}
	}
	processes := a.Summary.Models[i].Processes
	if s := seriesOf(a, i); s != nil {
		// Parents take no first job; they are among the first processes made.
		parents := 0
		for j := range s.Processes {
			if s.Processes[j].Role == record.RoleParent && s.Processes[j].Jobs == 0 {
				parents++
			}
		}
		if parents < processes {
			processes -= parents
		}
	}
	if jobs == 0 || processes <= 0 {
		return 1
	}
	return math.Min(1, float64(processes)*float64(rounds)/float64(jobs))
}
