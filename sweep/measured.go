package sweep

import (
	"iter"
	"slices"
	"time"

	"forkbench/record"
)

// Measured reads the answers of the models in the records of a comparison: each
// round that went to its end is a replication. They are by the models' names, with
// the comparison's header.
func Measured(lines iter.Seq2[record.Line, error]) (*record.Header, map[string]Answer, error) {
	type key struct {
		model string
		round int
	}
	var header *record.Header
	latencies := make(map[key][]time.Duration)
	peaks := make(map[key]int64)
	answers := make(map[string]Answer)
	for l, err := range lines {
		if err != nil {
			return header, answers, err
		}
		switch l := l.(type) {
		case *record.Header:
			header = l
		case *record.Job:
			k := key{l.Model, l.Round}
			latencies[k] = append(latencies[k], l.FinishedNS-l.DueNS)
		case *record.Sample:
			k := key{l.Model, l.Round}
			peaks[k] = max(peaks[k], l.PSS)
		case *record.Round:
			k := key{l.Model, l.Round}
			a := answers[l.Model]
			if v, ok := values(l, latencies[k], peaks[k]); ok {
				a.Replications = append(a.Replications, v)
			}
			if l.Noise.Contaminated != "" {
				a.Doubts = append(a.Doubts, "a round was contaminated: "+l.Noise.Contaminated)
			}
			answers[l.Model] = a
			delete(latencies, k)
		}
	}
	return header, answers, nil
}

// values are those of one round; false if it was cut short.
func values(r *record.Round, latencies []time.Duration, peak int64) (Values, bool) {
	if r.Interrupted || r.Error != "" || r.Settled == 0 || r.WorkNS <= 0 || len(latencies) == 0 {
		return Values{}, false
	}
	slices.Sort(latencies)
	quantile := func(q float64) float64 {
		return float64(latencies[int(q*float64(len(latencies)-1)+0.5)]) / 1e6
	}
	jobs := float64(r.Settled)
	cpu := r.Children.Add(r.Parents).Add(r.Supervisor).Add(r.Redis).Total()
	return Values{
		CPU: float64(cpu) / 1e6 / jobs, Throughput: jobs / r.WorkNS.Seconds(),
		P50: quantile(0.5), P95: quantile(0.95), P99: quantile(0.99), PeakPSS: float64(peak) / 1e6,
	}, true
}
