package calibrate

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"forkbench/internal/stats"
	"forkbench/sim"
	"forkbench/whatif/predict"
	"forkbench/workload"
)

// A Row is one setting, predicted and measured.
type Row struct {
	Workload string   `json:"workload"`
	Model    string   `json:"model"`
	Workers  int      `json:"workers"`
	Jobs     int      `json:"jobs"`
	Arrivals string   `json:"arrivals"`
	Rounds   int      `json:"rounds"` // measured
	Metrics  []Metric `json:"metrics"`

	// Doubts are why the prediction cannot be stood up for; empty if it can be.
	Doubts []string `json:"doubts,omitempty"`
}

// A Metric is one number of a setting.
type Metric struct {
	Name      string  `json:"name"` // as in runner.Metrics
	Unit      string  `json:"unit"`
	Predicted float64 `json:"predicted"`
	Measured  float64 `json:"measured"`  // median of the rounds
	Low, High float64 `json:"-"`         // least and largest round
	Error     float64 `json:"error_pct"` // of the prediction, in percent of the measured value
}

// The metrics of a Row, in its order.
const (
	Throughput = "jobs_done_per_s"
	CPUPerJob  = "cpu_ms_per_job_done"
	P50        = "p50"
	P95        = "p95"
	PeakPSS    = "peak_pss"

	// Of jobs settled, whatever became of them; not in tables.
	Settled       = "throughput"
	CPUPerSettled = "cpu_ms_per_job"
)

// replications is how many simulated rounds a prediction is the mean of.
const replications = 5

// Validate predicts each setting of the rounds and puts the prediction beside
// what was measured. Rounds that cannot be used are left out, as by Profile; the
// second result says which, and why.
func Validate(ctx context.Context, profile *sim.Profile, rounds []*Round, o Options) ([]Row, []string, error) {
	var excluded []string
	var order []Setting
	bySetting := make(map[Setting][]*Round)
	for _, r := range rounds {
		if why := r.unusable(o.UseMarked); why != "" {
			excluded = append(excluded, fmt.Sprintf("%s: %s", r.place(), why))
			continue
		}
		s := r.Setting()
		if bySetting[s] == nil {
			order = append(order, s)
		}
		bySetting[s] = append(bySetting[s], r)
	}
	if len(order) == 0 {
		return nil, excluded, suffice(rounds, 0, o)
	}
	var rows []Row
	for _, s := range order {
		row, err := predictRow(ctx, profile, s, bySetting[s], o)
		if err != nil {
			return rows, excluded, fmt.Errorf("predict %v: %w", s, err)
		}
		rows = append(rows, row)
	}
	return rows, excluded, nil
}

func predictRow(ctx context.Context, profile *sim.Profile, s Setting, rounds []*Round, o Options) (Row, error) {
	first := rounds[0]
	row := Row{
		Workload: first.Header.Spec.Workload, Model: s.Model, Workers: s.Workers, Jobs: s.Jobs,
		Arrivals: s.Arrivals, Rounds: len(rounds),
	}
	executor, err := o.Executor(first.Model)
	if err != nil {
		return row, err
	}
	arrivals, err := workload.ParseArrivals(s.Arrivals)
	if err != nil {
		return row, err
	}
	q := predict.Question{
		Models:  []predict.Model{{Name: s.Model, Executor: executor}},
		Profile: paced(profile, rounds), Workers: s.Workers, Cores: s.Cores, Jobs: s.Jobs, Seed: s.Seed,
		Class:   assigned(profile, &first.Header.Spec),
		Timeout: first.Header.Spec.TimeoutNS, Replications: replications,
	}
	if arrivals.String() != "burst" {
		q.Arrivals = arrivals
	}
	answer, err := predict.Run(ctx, q)
	if err == nil {
		err = ctx.Err() // what was cut short is not a prediction
	}
	if err != nil {
		return row, err
	}
	p := &answer.Models[0]
	row.Doubts = slices.Clone(p.Reasons)
	predicted, settled, measured := 0, 0, 0
	for i := range p.Runs {
		predicted += p.Runs[i].Jobs
	}
	for _, r := range rounds {
		settled, measured = settled+r.Settled, measured+len(r.jobs)
	}
	if measured < settled {
		row.Doubts = append(row.Doubts, fmt.Sprintf("%d of %d measured jobs were done, and %d of %d predicted ones",
			measured, settled, predicted, len(p.Runs)*s.Jobs))
	}
	// Where jobs keep coming, the prediction is without the warm-up, and so is what
	// it is held against.
	for _, m := range []struct {
		name, unit string
		predicted  predict.Estimate
		measured   func(r *Round) float64
	}{
		{Throughput, "/s", p.Done, (*Round).Done},
		{CPUPerJob, "ms", p.CPUDone, (*Round).CPUDone},
		{P50, "ms", p.P50, func(r *Round) float64 { return r.Latency(0.5, p.WarmUp) }},
		{P95, "ms", p.P95, func(r *Round) float64 { return r.Latency(0.95, p.WarmUp) }},
		{PeakPSS, "MB", p.PeakPSS, (*Round).PeakPSS},
		{Settled, "/s", p.Throughput, (*Round).Throughput},
		{CPUPerSettled, "ms", p.CPU, (*Round).CPU},
	} {
		var measured []float64
		for _, r := range rounds {
			measured = append(measured, m.measured(r))
		}
		x := Metric{
			Name: m.name, Unit: m.unit, Predicted: m.predicted.Value, Measured: stats.Median(measured),
			Low: slices.Min(measured), High: slices.Max(measured),
		}
		if !m.predicted.Known() || x.Measured == 0 {
			continue // nothing to compare
		}
		x.Error = 100 * (x.Predicted/x.Measured - 1)
		row.Metrics = append(row.Metrics, x)
	}
	return row, nil
}

// A Summary is how far off one metric's predictions are, in percent.
type Summary struct {
	Metric   string  `json:"metric"`
	Settings int     `json:"settings"`
	Median   float64 `json:"median_abs_error_pct"`
	Worst    float64 `json:"worst_error_pct"`
	Where    string  `json:"worst_setting"`
}

// Summarize sums up the rows, a metric each.
func Summarize(rows []Row) []Summary {
	var all []Summary
	for _, name := range []string{Throughput, CPUPerJob, P50, P95, PeakPSS} {
		s := Summary{Metric: name}
		var errs []float64
		for _, r := range rows {
			i := slices.IndexFunc(r.Metrics, func(m Metric) bool { return m.Name == name })
			if i < 0 {
				continue
			}
			e := r.Metrics[i].Error
			if math.IsNaN(e) || math.IsInf(e, 0) {
				continue
			}
			errs = append(errs, math.Abs(e))
			if s.Settings++; math.Abs(e) >= math.Abs(s.Worst) {
				s.Worst, s.Where = e, fmt.Sprintf("%s, %s, %d workers", r.Workload, r.Model, r.Workers)
			}
		}
		if s.Settings > 0 {
			s.Median = stats.Median(errs)
			all = append(all, s)
		}
	}
	return all
}

// Sort puts rows in the order in which a reader looks for them.
func Sort(rows []Row) {
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Workers, b.Workers))
	})
}
