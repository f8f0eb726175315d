package runner

import (
	"cmp"
	"slices"
	"strings"

	"forkbench/internal/spelling"
)

// A unit is what a metric is measured in.
type unit string

const (
	unitCount   unit = ""
	unitSecond  unit = "s"
	unitMilli   unit = "ms"
	unitRate    unit = "/s"
	unitMB      unit = "MB"
	unitPercent unit = "%"
)

// A metric is one number of a ModelSummary, as thresholds and CSV files name it.
type metric struct {
	name string
	unit unit
	// value is nil where the model has none; it is asked only of models with a
	// measured round, unless the metric counts jobs.
	value func(m *ModelSummary) *float64
	jobs  bool
}

// metrics lists them all, in the order in which CSV files hold them.
func metrics() []metric {
	of := func(name string, u unit, value func(m *ModelSummary) float64) metric {
		return metric{name, u, func(m *ModelSummary) *float64 { v := value(m); return &v }, false}
	}
	maybe := func(name string, u unit, value func(m *ModelSummary) *float64) metric {
		return metric{name, u, value, false}
	}
	latency := func(name string, value func(q *Quantiles) *float64) metric {
		return maybe(name, unitMilli, func(m *ModelSummary) *float64 {
			if m.Latency.Unknown {
				return nil
			}
			return value(&m.Latency)
		})
	}
	done := func(name string, value func(c *CPU) *float64) metric {
		return maybe(name, unitMilli, func(m *ModelSummary) *float64 {
			if m.CPUDone == nil {
				return nil
			}
			return value(m.CPUDone)
		})
	}
	jobs := func(name string, value func(j *Jobs) int) metric {
		return metric{name, unitCount, func(m *ModelSummary) *float64 { v := float64(value(&m.Jobs)); return &v }, true}
	}
	return []metric{
		of("startup_s", unitSecond, func(m *ModelSummary) float64 { return m.StartupS }),
		of("elapsed_s", unitSecond, func(m *ModelSummary) float64 { return m.ElapsedS }),
		of(MetricDone, unitRate, func(m *ModelSummary) float64 { return m.DonePerS.Median }),
		maybe(MetricDone+"_low", unitRate, func(m *ModelSummary) *float64 { return m.DonePerS.Low }),
		maybe(MetricDone+"_high", unitRate, func(m *ModelSummary) *float64 { return m.DonePerS.High }),
		done(MetricCPUDone, func(c *CPU) *float64 { return &c.Median }),
		done(MetricCPUDone+"_low", func(c *CPU) *float64 { return c.Low }),
		done(MetricCPUDone+"_high", func(c *CPU) *float64 { return c.High }),
		of(MetricThroughput, unitRate, func(m *ModelSummary) float64 { return m.Throughput.Median }),
		maybe("throughput_low", unitRate, func(m *ModelSummary) *float64 { return m.Throughput.Low }),
		maybe("throughput_high", unitRate, func(m *ModelSummary) *float64 { return m.Throughput.High }),
		of(MetricCPU, unitMilli, func(m *ModelSummary) float64 { return m.CPU.Median }),
		maybe("cpu_ms_per_job_low", unitMilli, func(m *ModelSummary) *float64 { return m.CPU.Low }),
		maybe("cpu_ms_per_job_high", unitMilli, func(m *ModelSummary) *float64 { return m.CPU.High }),
		of("cpu_children", unitMilli, func(m *ModelSummary) float64 { return m.CPU.Children }),
		of("cpu_parents", unitMilli, func(m *ModelSummary) float64 { return m.CPU.Parents }),
		of("cpu_strayed", unitMilli, func(m *ModelSummary) float64 { return m.CPU.Strayed }),
		of("cpu_supervisor", unitMilli, func(m *ModelSummary) float64 { return m.CPU.Supervisor }),
		of("cpu_redis", unitMilli, func(m *ModelSummary) float64 { return m.CPU.Redis }),
		of("cpu_services", unitMilli, func(m *ModelSummary) float64 { return m.CPU.Services }),
		of("user_s", unitSecond, func(m *ModelSummary) float64 { return m.UserS }),
		of("system_s", unitSecond, func(m *ModelSummary) float64 { return m.SystemS }),
		latency("p50", func(q *Quantiles) *float64 { return &q.P50 }),
		latency("p95", func(q *Quantiles) *float64 { return &q.P95 }),
		latency("p99", func(q *Quantiles) *float64 { return &q.P99 }),
		latency("max", func(q *Quantiles) *float64 { return &q.Max }),
		of("fork", unitMilli, func(m *ModelSummary) float64 { return m.Phases.Fork }),
		maybe("first_job_penalty", unitMilli, func(m *ModelSummary) *float64 { return m.Phases.FirstJobPenalty }),
		of("run", unitMilli, func(m *ModelSummary) float64 { return m.Phases.Run }),
		of("exit", unitMilli, func(m *ModelSummary) float64 { return m.Phases.Exit }),
		maybe("peak_pss", unitMB, func(m *ModelSummary) *float64 { return m.Memory.PeakPSS }),
		maybe("uss_per_worker", unitMB, func(m *ModelSummary) *float64 { return m.Memory.USSPerWorker }),
		of("faults_per_job", unitCount, func(m *ModelSummary) float64 { return m.FaultsPerJob }),
		maybe("redis_commands_per_job", unitCount, func(m *ModelSummary) *float64 { return m.CommandsPerJob }),
		of("processes", unitCount, func(m *ModelSummary) float64 { return float64(m.Processes) }),
		maybe("cgroup_residual_percent", unitPercent, func(m *ModelSummary) *float64 { return m.ResidualPercent }),
		of("contaminated_rounds", unitCount, func(m *ModelSummary) float64 { return float64(m.Contaminated) }),
		jobs("enqueued", func(j *Jobs) int { return j.Enqueued }),
		jobs("settled", func(j *Jobs) int { return j.Settled }),
		jobs("done", func(j *Jobs) int { return j.Done }),
		jobs("undone", func(j *Jobs) int { return j.Undone }),
		jobs("failed", func(j *Jobs) int { return j.Failed }),
		jobs("crashed", func(j *Jobs) int { return j.Crashed }),
		jobs("timed_out", func(j *Jobs) int { return j.TimedOut }),
		jobs("not_run", func(j *Jobs) int { return j.NotRun }),
		jobs("lost", func(j *Jobs) int { return j.Lost }),
		jobs("unacknowledged", func(j *Jobs) int { return j.Unacknowledged }),
		jobs("cut_off", func(j *Jobs) int { return j.CutOff }),
		jobs("dead", func(j *Jobs) int { return j.Dead }),
		jobs("duplicated", func(j *Jobs) int { return j.Duplicated }),
		{"hazards", unitCount, func(m *ModelSummary) *float64 { v := float64(len(m.Unfit)); return &v }, true},
	}
}

// of is the metric's value for a model, or nil if it has none.
func (x *metric) of(m *ModelSummary) *float64 {
	if m.Rounds == 0 && !x.jobs {
		return nil
	}
	return x.value(m)
}

// Metrics lists the names that [ParseThreshold] knows.
func Metrics() []string {
	var names []string
	for _, m := range metrics() {
		names = append(names, m.name)
	}
	return names
}

func metricNamed(name string) (metric, bool) {
	all := metrics()
	i := slices.IndexFunc(all, func(m metric) bool { return m.name == name })
	if i < 0 {
		return metric{}, false
	}
	return all[i], true
}

// closest is the name most like the given one, or "" if none is much like it.
func closest(name string, names []string) string {
	name = strings.ToLower(name)
	best := slices.MinFunc(names, func(a, b string) int {
		return cmp.Compare(spelling.Distance(name, a), spelling.Distance(name, b))
	})
	if spelling.Distance(name, best) > max(2, len(name)/3) {
		return ""
	}
	return best
}
