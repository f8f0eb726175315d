package sweep

// A Metric is what is measured at each point.
type Metric uint8

// The metrics.
const (
	CPU        Metric = iota // ms per job done, of all parts: processes, supervisor, Redis
	Throughput               // jobs done per second
	P50                      // of the latency, due to finished, in ms
	P95
	P99
	PeakPSS    // MB, of the whole tree
	CPUSettled // as CPU, per job settled, whatever became of it
	Settled    // jobs settled per second
	metrics
)

// Values are one replication's, by Metric.
type Values [metrics]float64

// metricTexts are the words for the metrics: the name, as `compare` has it in
// CSV files and thresholds; the axis; the unit; and what more of it is more of.
var metricTexts = [metrics]struct{ name, label, unit, cost string }{
	CPU:        {"cpu_ms_per_job_done", "CPU per job", "ms", "CPU per job"},
	Throughput: {"jobs_done_per_s", "throughput", "jobs/s", "time per job"},
	P50:        {"p50", "p50 latency", "ms", "median latency"},
	P95:        {"p95", "p95 latency", "ms", "p95 latency"},
	P99:        {"p99", "p99 latency", "ms", "p99 latency"},
	PeakPSS:    {"peak_pss", "peak memory (PSS)", "MB", "memory"},
	CPUSettled: {"cpu_ms_per_job", "CPU per job settled", "ms", "CPU per job settled"},
	Settled:    {"throughput", "jobs settled", "jobs/s", "time per job settled"},
}

// String is the metric's name on the command line and in files.
func (m Metric) String() string { return metricTexts[m].name }

// Label is what the metric is called on an axis.
func (m Metric) Label() string { return metricTexts[m].label }

// Unit is what it is measured in.
func (m Metric) Unit() string { return metricTexts[m].unit }

// Metrics lists all of them.
func Metrics() []Metric {
	return []Metric{CPU, Throughput, P50, P95, P99, PeakPSS, CPUSettled, Settled}
}

// Compared lists those that models can be compared by: what only counts jobs as
// settled is not a reason to prefer one.
func Compared() []Metric { return []Metric{CPU, Throughput, P50, P95, P99, PeakPSS} }

// estimate is the metric over an answer's replications.
func (m Metric) estimate(a Answer) (Estimate, bool) { return estimate(m.column(a)) }

func (m Metric) column(a Answer) []float64 {
	var values []float64
	for _, v := range a.Replications {
		values = append(values, v[m])
	}
	return values
}

// ratio is the cost of a over that of b: for throughput, whose inverse is a cost,
// b over a.
func (m Metric) ratio(a, b Answer) (Estimate, bool) {
	if m == Throughput || m == Settled {
		a, b = b, a
	}
	as, bs := m.column(a), m.column(b)
	n := min(len(as), len(bs)) // an answer may have needed more
	return ratio(as[:n], bs[:n])
}
