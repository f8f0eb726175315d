package runner

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"forkbench/internal/format"
)

// A table is what text and Markdown show: metrics as rows, models as columns.
type table struct {
	models []string
	rows   []row
	legend []string // what the marks in it mean
}

type row struct {
	label string
	cells []cell
}

type cell struct {
	value    string // "–" where there is none
	interval string // "[790, 830]" or ""
	ratio    string // to the first model, with its mark, or ""
	why      string // there is no value; or ""
}

const (
	absent      = "–"
	markUntold  = "~"
	markSame    = "="
	markUnsure  = "?"
	markUnequal = "≠"
	markUnclean = "!"
	markWrong   = "!!"
)

// tableOf lays out what was measured. Rows in which no model has anything to say
// are left out.
func tableOf(s *Summary) *table {
	t := new(table)
	for _, m := range s.Models {
		name := m.Model
		if m.Contaminated > 0 {
			name += " " + markUnclean
		}
		if m.Simulation != nil && !m.Simulation.Converged {
			name += " " + markUnclean
		}
		t.models = append(t.models, name)
	}
	short := s.short()
	if short { // how much was done comes before how fast
		t.addJobs(s)
	}
	perSecond, cpu, perJob := "jobs per second", "CPU per job, ms", "per job"
	if short {
		perSecond, cpu, perJob = "jobs done per second", "CPU per job done, ms", "per job settled"
	}
	t.add(s, perSecond, always(func(m *ModelSummary) cell { return withInterval(m.DonePerS) }), MetricDone)
	t.add(s, "work, s", plainly(func(m *ModelSummary) float64 { return m.ElapsedS }), "")
	t.add(s, "start-up before it, s", plainly(func(m *ModelSummary) float64 { return m.StartupS }), "")
	t.add(s, cpu, because(noJobDone, s, always(func(m *ModelSummary) cell {
		if m.CPUDone == nil {
			return cell{value: absent}
		}
		return withInterval(m.CPUDone.Interval)
	})), MetricCPUDone)
	part := func(of func(*CPU) float64) func(*ModelSummary) cell { return because(noJobDone, s, ofDoneCPU(of)) }
	t.add(s, "  its processes", part(func(c *CPU) float64 { return c.Children }), "")
	t.add(s, "    of which parents", part(func(c *CPU) float64 { return c.Parents }), "")
	t.add(s, "    of which left behind", part(func(c *CPU) float64 { return c.Strayed }), "")
	t.add(s, "  supervisor", part(func(c *CPU) float64 { return c.Supervisor }), "")
	t.add(s, "  Redis", part(func(c *CPU) float64 { return c.Redis }), "")
	t.add(s, "  "+serviceLabel(s), part(func(c *CPU) float64 { return c.Services }), "")
	t.add(s, "CPU of a "+s.turn()+", user, s", plainly(func(m *ModelSummary) float64 { return m.UserS }), "")
	t.add(s, "  system", plainly(func(m *ModelSummary) float64 { return m.SystemS }), "")
	quantile := func(of func(*Quantiles) float64, interval func(*Simulation) Interval) func(*ModelSummary) cell {
		return because(noLatency, s, latency(of, interval))
	}
	t.add(s, "latency p50, ms", quantile(func(q *Quantiles) float64 { return q.P50 }, func(x *Simulation) Interval { return x.P50 }), "")
	t.add(s, "  p95", quantile(func(q *Quantiles) float64 { return q.P95 }, func(x *Simulation) Interval { return x.P95 }), MetricLatency)
	t.add(s, "  p99", quantile(func(q *Quantiles) float64 { return q.P99 }, func(x *Simulation) Interval { return x.P99 }), "")
	t.add(s, "  left out as warm-up, jobs", counted(func(m *ModelSummary) int {
		if m.Simulation == nil {
			return 0
		}
		return m.Simulation.WarmUp
	}), "")
	t.add(s, "  max", quantile(func(q *Quantiles) float64 { return q.Max }, nil), "")
	t.add(s, "phases: fork, ms", plainly(func(m *ModelSummary) float64 { return m.Phases.Fork }), "")
	t.add(s, "  first job, extra", because(noLaterJob, s, known(func(m *ModelSummary) *float64 { return m.Phases.FirstJobPenalty })), "")
	t.add(s, "  run", plainly(func(m *ModelSummary) float64 { return m.Phases.Run }), "")
	t.add(s, "  exit", plainly(func(m *ModelSummary) float64 { return m.Phases.Exit }), "")
	t.add(s, "peak memory (PSS), MB", because(noMemory, s, known(func(m *ModelSummary) *float64 { return m.Memory.PeakPSS })), "")
	t.add(s, "  a worker's own (USS)", because(noUSS, s, known(func(m *ModelSummary) *float64 { return m.Memory.USSPerWorker })), "")
	t.add(s, "minor faults "+perJob, plainly(func(m *ModelSummary) float64 { return m.FaultsPerJob }), "")
	t.add(s, "Redis commands "+perJob, because(noCommands, s, known(func(m *ModelSummary) *float64 { return m.CommandsPerJob })), "")
	t.add(s, "processes made", always(func(m *ModelSummary) cell { return cell{value: format.Count(m.Processes)} }), "")
	t.add(s, "cgroup residual, %", because(noResidual, s, residual(known(func(m *ModelSummary) *float64 { return m.ResidualPercent }))), "")
	if !short {
		t.addJobs(s)
	}
	if slices.ContainsFunc(s.Models, func(m ModelSummary) bool { return m.Rounds != s.Spec.Rounds }) {
		t.add(s, s.turns()+" that count", counted(func(m *ModelSummary) int { return m.Rounds }), "")
	}
	reasons := t.explainAbsent(s)
	t.legend = append(legend(s, t), reasons...)
	return t
}

// addJobs appends what became of the jobs.
func (t *table) addJobs(s *Summary) {
	t.add(s, "jobs done, all "+s.turns(), counted(func(m *ModelSummary) int { return m.Jobs.Done }), "")
	t.add(s, "  failed", counted(func(m *ModelSummary) int { return m.Jobs.Failed }), "")
	t.add(s, "  crashed", counted(func(m *ModelSummary) int { return m.Jobs.Crashed }), "")
	t.add(s, "  timed out", counted(func(m *ModelSummary) int { return m.Jobs.TimedOut }), "")
	t.add(s, "  not run", counted(func(m *ModelSummary) int { return m.Jobs.NotRun }), "")
	t.add(s, "  lost", counted(func(m *ModelSummary) int { return m.Jobs.Lost }), "")
	for _, k := range []struct {
		label string
		of    func(m *ModelSummary) int
	}{
		{"  run but not acknowledged", func(m *ModelSummary) int { return m.Jobs.Unacknowledged }},
		{"  cut off", func(m *ModelSummary) int { return m.Jobs.CutOff }},
		{"  given up", func(m *ModelSummary) int { return m.Jobs.Dead }},
	} {
		if slices.ContainsFunc(s.Models, func(m ModelSummary) bool { return k.of(&m) > 0 }) {
			t.add(s, k.label, counted(k.of), "")
		}
	}
}

// short reports whether a model did not do all of its jobs.
func (s *Summary) short() bool {
	return slices.ContainsFunc(s.Models, func(m ModelSummary) bool { return m.Jobs.Undone > 0 })
}

// anyDone reports whether any job was.
func (s *Summary) anyDone() bool {
	return slices.ContainsFunc(s.Models, func(m ModelSummary) bool { return m.Jobs.Done > 0 })
}

// add appends a row, unless no model has a value for it. Where metric is given,
// the cells hold their ratio to the first model.
func (t *table) add(s *Summary, label string, of func(*ModelSummary) cell, metric string) {
	r := row{label: label}
	empty := true
	for i := range s.Models {
		m := &s.Models[i]
		c := of(m)
		empty = empty && (c.value == absent || c.value == "0")
		if metric != "" && i > 0 && c.value != absent {
			c.ratio = ratioTo(s, metric, m.Model)
		}
		r.cells = append(r.cells, c)
	}
	if !empty {
		t.rows = append(t.rows, r)
	}
}

// always is of for models that were measured.
func always(of func(*ModelSummary) cell) func(*ModelSummary) cell {
	return func(m *ModelSummary) cell {
		if m.Rounds == 0 {
			return cell{value: absent}
		}
		return of(m)
	}
}

func known(of func(*ModelSummary) *float64) func(*ModelSummary) cell {
	return always(func(m *ModelSummary) cell {
		v := of(m)
		if v == nil {
			return cell{value: absent}
		}
		return cell{value: number(*v)}
	})
}

func plainly(of func(*ModelSummary) float64) func(*ModelSummary) cell {
	return known(func(m *ModelSummary) *float64 { v := of(m); return &v })
}

// serviceLabel names the services that jobs use.
func serviceLabel(s *Summary) string {
	if len(s.Services) == 0 {
		return "services"
	}
	return plainUpTo("services: "+strings.Join(s.Services, ", "), 30)
}

// residual marks of where it says that the CPU per job is wrong.
func residual(of func(*ModelSummary) cell) func(*ModelSummary) cell {
	return func(m *ModelSummary) cell {
		c := of(m)
		if m.ResidualPercent != nil && math.Abs(*m.ResidualPercent) > 100*residualShare {
			c.value += " " + markWrong
		}
		return c
	}
}

// latency is a quantile; simulated, it has an interval.
func latency(of func(*Quantiles) float64, interval func(*Simulation) Interval) func(*ModelSummary) cell {
	return always(func(m *ModelSummary) cell {
		switch {
		case m.Latency.Unknown:
			return cell{value: absent}
		case m.Simulation != nil && interval != nil:
			return withInterval(interval(m.Simulation))
		}
		return cell{value: number(of(&m.Latency))}
	})
}

// ofDoneCPU is a part of the CPU time per job done.
func ofDoneCPU(of func(*CPU) float64) func(*ModelSummary) cell {
	return known(func(m *ModelSummary) *float64 {
		if m.CPUDone == nil {
			return nil
		}
		v := of(m.CPUDone)
		return &v
	})
}

// counted is for what is known of a model without a measured round, too.
func counted(of func(*ModelSummary) int) func(*ModelSummary) cell {
	return func(m *ModelSummary) cell { return cell{value: format.Count(of(m))} }
}

func withInterval(i Interval) cell {
	return cell{value: number(i.Median), interval: strings.TrimSpace(bounds(i.Low, i.High))}
}

// ratioTo is a model against the first one: "4.2×", "=1.02×" where there is no
// difference that matters, "~1.02×" where the two were not told apart, "?1.02×"
// where one round cannot tell.
func ratioTo(s *Summary, metric, model string) string {
	c, ok := s.comparison(metric, model, s.Models[0].Model)
	switch {
	case !ok && s.Models[0].Rounds > 0 && s.anyDone() && s.unequal(model, s.Models[0].Model):
		return markUnequal
	case !ok:
		return ""
	}
	text := number(c.Ratio) + "×"
	switch {
	case c.P == nil:
		return markUnsure + text
	case c.Same:
		return markSame + text
	case !c.differs():
		return markUntold + text
	}
	return text
}

func legend(s *Summary, t *table) []string {
	var parts []string
	marked := func(has func(cell) bool) bool {
		return slices.ContainsFunc(t.rows, func(r row) bool { return slices.ContainsFunc(r.cells, has) })
	}
	if marked(func(c cell) bool { return c.interval != "" }) {
		parts = append(parts, "[…] 95 % interval")
	}
	if marked(func(c cell) bool { return strings.HasSuffix(c.ratio, "×") }) {
		parts = append(parts, "× against "+s.Models[0].Model)
	}
	if marked(func(c cell) bool { return strings.HasPrefix(c.ratio, markSame) }) {
		parts = append(parts, fmt.Sprintf("%s the same within ±%g %%", markSame, 100*Immaterial))
	}
	if marked(func(c cell) bool { return strings.HasPrefix(c.ratio, markUntold) }) {
		parts = append(parts, markUntold+" not told apart (p ≥ 0.05)")
	}
	if marked(func(c cell) bool { return strings.HasPrefix(c.ratio, markUnsure) }) {
		parts = append(parts, markUnsure+" of one "+s.turn()+", may be chance")
	}
	if marked(func(c cell) bool { return strings.HasSuffix(c.value, markWrong) }) {
		parts = append(parts, markWrong+" CPU per job is wrong by it, see the warnings")
	}
	if marked(func(c cell) bool { return c.ratio == markUnequal }) {
		parts = append(parts, markUnequal+" no ratio: not the same share of the jobs was done")
	}
	if s.short() && slices.ContainsFunc(t.rows, func(r row) bool { return strings.HasPrefix(r.label, "latency") }) {
		parts = append(parts, "latencies are those of all jobs settled, done or not")
	}
	if slices.ContainsFunc(s.Models, func(m ModelSummary) bool { return m.Contaminated > 0 }) {
		parts = append(parts, markUnclean+" contaminated rounds, see the warnings")
	}
	if slices.ContainsFunc(s.Models, func(m ModelSummary) bool { return m.Simulation != nil && !m.Simulation.Converged }) {
		parts = append(parts, markUnclean+" not converged, see the warnings")
	}
	if slices.ContainsFunc(s.Models, func(m ModelSummary) bool { return m.Simulation != nil && m.Simulation.WarmUp > 0 }) {
		parts = append(parts, "the max is of all jobs, warm-up included")
	}
	return parts
}

// caption says what was run.
func caption(s *Summary) string {
	if len(s.Spec.Models) == 0 {
		return ""
	}
	parts := []string{
		fmt.Sprintf("%s of %s (%s)", format.Plural(s.Spec.Jobs, "job"), plain(s.Spec.Workload), plain(s.Spec.Runtime)),
		arrivals(s.Spec.Arrivals),
		format.Plural(s.Spec.Workers, "worker"),
		format.Plural(s.Spec.Rounds, s.turn()) + " of each model",
	}
	if u := s.Spec.Until; u != nil {
		parts[3] += " at least"
		for _, m := range s.Spec.Models {
			if m.Parts >= enoughBlocks {
				parts[3] += fmt.Sprintf(", or one in %d parts", m.Parts)
				break
			}
		}
		parts[3] += fmt.Sprintf(", until ±%g %%", 100*u.HalfWidth)
	}
	if len(s.Spec.Env) > 0 {
		parts = append(parts, "with "+plain(strings.Join(s.Spec.Env, " ")))
	}
	if x := s.Spec.Simulation; x != nil {
		parts[0] = fmt.Sprintf("Simulated on %s: %s of the profile %s (%s)",
			format.Plural(x.Cores, "core"), format.Plural(s.Spec.Jobs, "job"), plain(x.From), plain(x.Profile))
		if x.Until > 0 {
			parts[3] = "replications of each model" + fmt.Sprintf(" until ±%s %%", number(100*x.Until))
		}
	}
	if len(s.Spec.Setup) > 0 {
		parts = append(parts, "set up by "+plain(strings.Join(s.Spec.Setup, ", ")))
	}
	return strings.Join(parts, ", ")
}

// turn is what a model's go at all jobs is called.
func (s *Summary) turn() string {
	if s.Spec.Simulated {
		return "replication"
	}
	return "round"
}

func (s *Summary) turns() string { return s.turn() + "s" }

func arrivals(plan string) string {
	if plan == "" || plan == "burst" {
		return "all due at once"
	}
	return "arrivals " + plain(plan)
}

// machine says what the numbers depend on, in one line.
func machine(s *Summary) string {
	e := &s.Environment
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+plain(value))
		}
	}
	add("", e.CPU)
	if e.Cores > 0 {
		parts = append(parts, format.Plural(e.Cores, "core"))
	}
	if e.MemoryBytes > 0 {
		parts = append(parts, number(float64(e.MemoryBytes)/1e9)+" GB")
	}
	add("kernel ", e.Kernel)
	add("cores packed: ", e.Packing)
	add("huge pages ", e.HugePages)
	add("", e.Python)
	add("", e.Peers)
	add("", e.Go)
	add("", e.Redis)
	add("fork: ", e.ForkPrimitive)
	add("cgroup: ", e.Cgroup)
	return strings.Join(parts, " · ")
}
