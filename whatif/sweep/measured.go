package sweep

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"forkbench/models"
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
	done := make(map[key]int)
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
			if l.Status == models.Done {
				done[k]++
			}
		case *record.Sample:
			k := key{l.Model, l.Round}
			peaks[k] = max(peaks[k], l.PSS)
		case *record.Round:
			k := key{l.Model, l.Round}
			a := answers[l.Model]
			if v, ok := values(l, latencies[k], done[k], peaks[k]); ok {
				a.Replications = append(a.Replications, v)
			}
			if done[k] < l.Enqueued && !l.Interrupted {
				a.Doubts = append(a.Doubts, fmt.Sprintf("in round %d, %d of %d jobs were done", l.Round+1, done[k], l.Enqueued))
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

// values are those of one round; false if it was cut short, or
// nothing was done.
func values(r *record.Round, latencies []time.Duration, done int, peak int64) (Values, bool) {
	if r.Interrupted || r.Error != "" || done == 0 || r.WorkNS <= 0 || len(latencies) == 0 {
		return Values{}, false
	}
	slices.Sort(latencies)
	quantile := func(q float64) float64 {
		return float64(latencies[int(q*float64(len(latencies)-1)+0.5)]) / 1e6
	}
	jobs := float64(done)
	cpu := r.CPU().Total()
	return Values{
		CPU: float64(cpu) / 1e6 / jobs, Throughput: jobs / r.WorkNS.Seconds(),
		P50: quantile(0.5), P95: quantile(0.95), P99: quantile(0.99), PeakPSS: float64(peak) / 1e6,
		CPUSettled: float64(cpu) / 1e6 / float64(max(r.Settled, 1)), Settled: float64(r.Settled) / r.WorkNS.Seconds(),
	}, true
}
