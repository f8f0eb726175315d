package runner

import (
	"fmt"
	"maps"
	"slices"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/models"
	"forkbench/record"
)

// enoughLater is the number of later jobs from which a model's own serve as the
// reference for its first ones.
const enoughLater = 20

// Analysis is what the lines so far say. It shares no memory with a.
func (a *Aggregator) Analysis() *Analysis {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := Summary{
		Version:     SummaryVersion,
		Models:      []ModelSummary{},
		Comparisons: []Comparison{},
		Shares:      []ShareTest{},
		Warnings:    []string{},
		Errors:      []string{},
	}
	if a.header == nil {
		s.Verdict = verdict(&s, nil, nil)
		return &Analysis{Summary: s}
	}
	s.Environment, s.Spec = a.header.Environment, a.header.Spec
	s.Spec.Models = slices.Clone(s.Spec.Models)
	for i, m := range s.Spec.Models {
		s.Spec.Models[i].Knobs = maps.Clone(m.Knobs)
	}
	s.Spec.Warm, s.Spec.Env = slices.Clone(s.Spec.Warm), slices.Clone(s.Spec.Env)
	s.Spec.Setup = slices.Clone(s.Spec.Setup)

	var later dist // of all models: they ran the same jobs
	for _, m := range a.models {
		_, d := m.counting()
		later.merge(&d.later)
	}
	analysis := new(Analysis)
	for _, m := range a.models {
		if s.Environment.Race {
			s.Models = append(s.Models, m.outcome())
			analysis.Series = append(analysis.Series, Series{Model: m.spec.Name})
			continue
		}
		s.Models = append(s.Models, m.summary(&later, s.Spec.Simulated))
		analysis.Series = append(analysis.Series, m.series())
	}
	s.Shares = shareTests(a.models)
	if !s.Environment.Race {
		s.Comparisons = append(s.Comparisons, a.comparisons(&s)...)
	}
	s.Services = a.services()
	stopped, impossible := a.stopped(), a.impossible()
	// What stopped a model comes first: the rest may follow from it.
	s.Errors = firstOf(append(s.Errors, slices.Concat(stopped, impossible)...), maxNotes)
	s.warn(a.warnings(&s)...)
	s.NoteDetails = atMost(a.remarks(), maxNotes)
	s.Notes = textsOf(s.NoteDetails)
	s.Advice = advise(&s)
	s.Verdict = verdict(&s, stopped, impossible)
	analysis.Summary = s
	return analysis
}

// outcome is what a summary has of the model without any figure of speed, CPU or
// memory: it holds however slow the program was that measured it.
func (m *modelState) outcome() ModelSummary {
	return ModelSummary{
		Model: m.spec.Name, Jobs: m.jobs(), Stopped: m.stopped(), Causes: m.causes(),
		Hazards: m.hazards(), Unfit: m.unfit(),
	}
}

func (m *modelState) summary(allLater *dist, simulated bool) ModelSummary {
	interval := interval
	rounds, d := m.counting()
	switch {
	case simulated:
		interval = meanInterval
	case slices.ContainsFunc(rounds, func(r *roundState) bool { return r.measure.Block > 0 }):
		interval = blockInterval
	}
	of := func(value func(*roundState) float64) []float64 {
		xs := make([]float64, len(rounds))
		for i, r := range rounds {
			xs[i] = value(r)
		}
		return xs
	}
	// Rounds of one block are not independent measurements, and parts of one are.
	blocks := func(value func(*roundState) float64) []float64 { return perBlock(rounds, value) }
	mid := func(value func(*roundState) float64) float64 { return stats.Median(of(value)) }
	s := m.outcome()
	s.Rounds = len(rounds)
	for _, r := range rounds {
		s.Parts += len(r.measure.Parts)
		s.ContaminatedParts += r.contaminatedParts()
	}
	s.StartupS = mid(func(r *roundState) float64 { return r.measure.StartupNS.Seconds() })
	s.ElapsedS = mid(func(r *roundState) float64 { return r.measure.WorkNS.Seconds() })
	s.DonePerS = interval(blocks((*roundState).donePerSecond))
	s.Throughput = interval(blocks((*roundState).throughput))
	s.UserS = mid(func(r *roundState) float64 { return r.cpu().User.Seconds() })
	s.SystemS = mid(func(r *roundState) float64 { return r.cpu().System.Seconds() })
	s.Latency = d.latency.quantiles()
	s.Phases = phases(d, allLater)
	s.FaultsPerJob = mid(func(r *roundState) float64 { return float64(r.faults) / float64(r.measure.Settled) })
	s.Processes = int(mid(func(r *roundState) float64 { return float64(r.processes) }))
	s.WarmParent = m.warmed()
	if c := cpuPer(rounds, func(r *roundState) int { return r.measure.Settled }, interval); c != nil {
		s.CPU = *c
	}
	s.CPUDone = cpuPer(rounds, (*roundState).done, interval)
	var peak int64
	var uss, commands, residual []float64
	for _, r := range rounds {
		peak = max(peak, r.samples.peak)
		for _, sample := range r.samples.kept {
			if sample.ChildUSS > 0 {
				uss = append(uss, float64(sample.ChildUSS)/1e6)
			}
		}
		if n := r.measure.RedisCommands; n > 0 {
			commands = append(commands, float64(n)/float64(r.measure.Settled))
		}
		if share, ok := r.residual(); ok {
			residual = append(residual, 100*share)
		}
		if r.measure.Noise.Contaminated != "" {
			s.Contaminated++
		}
	}
	if peak > 0 {
		s.Memory.PeakPSS = new(float64(peak) / 1e6)
	}
	s.Memory.USSPerWorker = medianIfAny(uss)
	s.CommandsPerJob = medianIfAny(commands)
	s.ResidualPercent = medianIfAny(residual)
	if simulated {
		m.simulation(&s, rounds)
	}
	return s
}

// unstable reports whether the model, simulated, cannot keep up with its jobs.
func (m *modelState) unstable() bool { return m.prediction != nil && m.prediction.Unstable }

// simulation adds what only simulated models have.
func (m *modelState) simulation(s *ModelSummary, rounds []*roundState) {
	x := &Simulation{Reasons: []string{}}
	if p := m.prediction; p != nil {
		x.Converged, x.Reasons = p.Converged, append(x.Reasons, p.Reasons...)
		x.Offered, x.Capacity, x.Unstable = p.Offered, p.Capacity, p.Unstable
	}
	s.Simulation = x
	if x.Unstable {
		s.Latency = Quantiles{Unknown: true}
		return
	}
	over := func(value func(*roundState) float64) Interval {
		xs := make([]float64, len(rounds))
		for i, r := range rounds {
			xs[i] = value(r)
		}
		return meanInterval(xs)
	}
	x.P50 = over(func(r *roundState) float64 { return r.p50 })
	x.P95 = over(func(r *roundState) float64 { return r.p95 })
	x.P99 = over(func(r *roundState) float64 { return r.p99 })
	s.Latency.P50, s.Latency.P95, s.Latency.P99 = x.P50.Median, x.P95.Median, x.P99.Median
	for _, r := range rounds {
		if l := r.measure.Latency; l != nil {
			x.WarmUp = max(x.WarmUp, l.WarmUp)
		}
	}
}

// phases are the medians over jobs (run) and over processes (the others).
//
// The reference for first jobs is the model's own later jobs; where each process
// runs one job there are none, and the later jobs of the other models stand in:
// they are the same jobs. Run is the reference, so that a first job's time is Run
// and FirstJobPenalty together. Wall time is what a job waits for, and what the
// workers' contention for cores stretches, of first and later jobs alike.
//
// Fork counts processes made before work as 0: no job waited for them. So it is
// what the median process costs, not the average job. Time that a spare spent
// waiting for a job is not in it.
func phases(d *dists, allLater *dist) Phases {
	p := Phases{Fork: d.fork.median(), Exit: d.exit.median()}
	reference := allLater
	if d.later.count() >= enoughLater {
		reference = &d.later
	}
	switch {
	case d.first.count() > 0 && reference.count() > 0:
		p.Run = reference.median()
		penalty := d.first.median() - p.Run
		p.FirstJobPenalty = &penalty
	case d.later.count() > 0:
		p.Run = d.later.median()
	default:
		p.Run = d.first.median()
	}
	return p
}

// cpuPer is the rounds' CPU time for each of the jobs that a round is said to
// have; rounds without any are left out. It is nil if there are no others.
func cpuPer(rounds []*roundState, jobs func(*roundState) int, interval func([]float64) Interval) *CPU {
	rounds = slices.DeleteFunc(slices.Clone(rounds), func(r *roundState) bool { return jobs(r) == 0 })
	if len(rounds) == 0 {
		return nil
	}
	each := func(part func(*record.Round) record.CPU) []float64 {
		xs := make([]float64, len(rounds))
		for i, r := range rounds {
			xs[i] = format.Millis(part(&r.measure).Total()) / float64(jobs(r))
		}
		return xs
	}
	total := perBlock(rounds, func(r *roundState) float64 {
		if jobs(r) == 0 {
			return 0
		}
		return format.Millis(r.cpu().Total()) / float64(jobs(r))
	})
	return &CPU{
		Interval:   interval(total),
		Children:   stats.Median(each(func(l *record.Round) record.CPU { return l.Children.Add(l.Parents) })),
		Parents:    stats.Median(each(func(l *record.Round) record.CPU { return l.Parents })),
		Strayed:    stats.Median(each(func(l *record.Round) record.CPU { return l.Strayed })),
		Supervisor: stats.Median(each(func(l *record.Round) record.CPU { return l.Supervisor })),
		Redis:      stats.Median(each(func(l *record.Round) record.CPU { return l.Redis })),
		Services:   stats.Median(each((*record.Round).ServiceCPU)),
	}
}

// done is how many jobs were.
func (r *roundState) done() int { return r.statuses[models.Done] }

// donePerSecond is jobs done per second of work.
func (r *roundState) donePerSecond() float64 {
	return float64(r.done()) / r.measure.WorkNS.Seconds()
}

// cpuPerDone is the CPU time of all parts, in milliseconds per job done, or 0 if
// none was.
func (r *roundState) cpuPerDone() float64 {
	if r.done() == 0 {
		return 0
	}
	return format.Millis(r.cpu().Total()) / float64(r.done())
}

// cpuPerDone is the CPU time of all parts for each job done, in milliseconds.
func (m *ModelSummary) cpuPerDone() float64 {
	if m.CPUDone == nil {
		return 0
	}
	return m.CPUDone.Median
}

// throughput is jobs settled per second of work.
func (r *roundState) throughput() float64 {
	return float64(r.measure.Settled) / r.measure.WorkNS.Seconds()
}

func (r *roundState) cpu() record.CPU { return r.measure.CPU() }

// cpuPerJob is the CPU time of all parts, in milliseconds per job settled.
func (r *roundState) cpuPerJob() float64 {
	return format.Millis(r.cpu().Total()) / float64(r.measure.Settled)
}

// residual is the share of the cgroup's CPU time that was not booked on a process.
func (r *roundState) residual() (share float64, ok bool) {
	if r.measure.CgroupNS <= 0 {
		return 0, false
	}
	booked := r.measure.BookedNS
	if booked == 0 {
		booked = r.measure.Wait4NS // all that older records have
	}
	return float64(r.measure.CgroupNS-booked) / float64(r.measure.CgroupNS), true
}

// jobs counts those of all closed rounds.
func (m *modelState) jobs() Jobs {
	var j Jobs
	rounds := m.rounds
	if len(rounds) == 0 && m.open != nil && m.open.measured() {
		rounds = []*roundState{m.open} // parts of it are to come
	}
	for _, r := range rounds {
		j.Enqueued += r.measure.Enqueued
		j.Settled += r.measure.Settled
		j.Done += r.done()
		j.Undone += r.undone()
		j.Failed += r.statuses[models.Failed]
		j.Crashed += r.statuses[models.Crashed]
		j.TimedOut += r.statuses[models.TimedOut]
		j.NotRun += r.measure.NotRun
		j.Lost += r.measure.Lost
		j.Unacknowledged += r.measure.Unacknowledged
		j.CutOff += r.measure.CutOff
		j.Dead += r.measure.Dead
		j.Duplicated += r.measure.Duplicated
		for _, n := range r.dropped {
			j.ResultsDropped += n
		}
	}
	return j
}

// undone is how many jobs the model had its turn at and did not do.
func (r *roundState) undone() int {
	asked := r.measure.Enqueued
	if r.measure.Interrupted {
		// They are nobody's fault.
		asked -= r.measure.NotRun + r.measure.CutOff + r.measure.Unacknowledged
	}
	return max(asked-r.done(), 0)
}

// stopped is why the model could not go on, the first time.
func (m *modelState) stopped() string {
	for _, r := range m.rounds {
		if r.measure.Error != "" {
			return fmt.Sprintf("in round %d: %s", r.number+1, plain(r.measure.Error))
		}
	}
	return ""
}

// unfit is why the model must not be recommended, each reason once.
func (m *modelState) unfit() []string {
	var all []string
	for _, r := range m.rounds {
		for _, reason := range r.measure.Unfit {
			if reason = plain(reason); !slices.Contains(all, reason) {
				all = append(all, reason)
			}
		}
	}
	return all
}

// services are the names of those that jobs of any round used.
func (a *Aggregator) services() []string {
	var names []string
	for _, m := range a.models {
		for _, r := range m.rounds {
			for _, s := range r.measure.Services {
				if s.CPU.Total() > 0 && !slices.Contains(names, s.Name) {
					names = append(names, s.Name)
				}
			}
		}
	}
	slices.Sort(names)
	return names
}

func (m *modelState) series() Series {
	_, d := m.counting()
	s := Series{Model: m.spec.Name}
	if !m.unstable() {
		s.Latency = d.latency.cumulative()
	}
	for _, r := range m.rounds {
		measure := r.measure
		measure.Warnings, measure.Unfit, measure.Hazards = slices.Clone(measure.Warnings), slices.Clone(measure.Unfit), slices.Clone(measure.Hazards)
		measure.Undone, measure.Parts = slices.Clone(measure.Undone), slices.Clone(measure.Parts)
		s.Rounds = append(s.Rounds, RoundSeries{
			Round:    r.number,
			Measure:  measure,
			Bucket:   r.settled.width,
			Settled:  slices.Clone(r.settled.counts),
			Done:     slices.Clone(r.settled.done),
			JobsDone: r.done(),
			Faults:   r.faults,
			Memory:   slices.Clone(r.samples.kept),
			P50:      r.p50, P95: r.p95, P99: r.p99,
		})
		if r.keep {
			s.Processes, s.Jobs = slices.Clone(r.procs.kept), slices.Clone(r.jobs.kept)
		}
	}
	return s
}
