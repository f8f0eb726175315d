package predict

import (
	"encoding/json"
	"math"
	"slices"

	"github.com/aclements/go-moremath/stats"
)

const confidence = 0.95

// An Estimate is a number with its 95 % confidence interval.
type Estimate struct {
	Value     float64
	Low, High float64 // the same as Value where N is less than 2
	N         int     // replications behind it; 0 if it is not known, and with 1 there is no interval
}

// Known reports whether there is a value.
func (e Estimate) Known() bool { return e.N > 0 }

// HalfWidth is half the interval's width as a share of the value, or +Inf where
// there is no interval.
func (e Estimate) HalfWidth() float64 {
	switch half := (e.High - e.Low) / 2; {
	case e.N < 2:
		return math.Inf(1)
	case half == 0:
		return 0
	default:
		return half / math.Abs(e.Value)
	}
}

// MarshalJSON writes {"value": 4.2, "low": 4.1, "high": 4.3, "n": 10}; low and
// high are null where there is no interval, and all is null where there is no
// value.
func (e Estimate) MarshalJSON() ([]byte, error) {
	if !e.Known() {
		return []byte("null"), nil
	}
	form := struct {
		Value float64  `json:"value"`
		Low   *float64 `json:"low"`
		High  *float64 `json:"high"`
		N     int      `json:"n"`
	}{Value: e.Value, N: e.N}
	if e.N > 1 {
		form.Low, form.High = &e.Low, &e.High
	}
	return json.Marshal(form)
}

// estimate is the mean of independent values with Student's t interval.
func estimate(xs []float64) Estimate {
	if len(xs) == 0 {
		return Estimate{}
	}
	if len(xs) == 1 {
		return Estimate{Value: xs[0], Low: xs[0], High: xs[0], N: 1}
	}
	mean, low, high := (&stats.Sample{Xs: xs}).MeanCI(confidence)
	// Equal values have no variance, and rounding must not put them outside.
	return Estimate{Value: mean, Low: min(low, mean), High: max(high, mean), N: len(xs)}
}

// across is the estimate of what each run says.
func across(runs []Replication, of func(*Replication) float64) Estimate {
	xs := make([]float64, len(runs))
	for i := range runs {
		xs[i] = of(&runs[i])
	}
	return estimate(xs)
}

// Paired is the ratio of a's value to b's, from the replications that both have.
// With common random numbers it is known much better than either value. The
// mean and the interval are those of the ratio's logarithm, so that the inverse
// is b to a; replications in which a value is not positive are left out.
func Paired(a, b *Prediction, of func(*Replication) float64) Estimate {
	var logs []float64
	for i := range a.Runs {
		ra := &a.Runs[i]
		j := slices.IndexFunc(b.Runs, func(r Replication) bool { return r.Number == ra.Number })
		if j < 0 {
			continue
		}
		if va, vb := of(ra), of(&b.Runs[j]); va > 0 && vb > 0 {
			logs = append(logs, math.Log(va/vb))
		}
	}
	e := estimate(logs)
	if e.Known() {
		e.Value, e.Low, e.High = math.Exp(e.Value), math.Exp(e.Low), math.Exp(e.High)
	}
	return e
}

// batchCount is how many batch means a replication is divided into (Schmeiser
// 1982, "Batch size effects in the analysis of simulation output": 10 to 30).
const batchCount = 30

// steadyMean is the mean latency in the steady state: the estimate across
// replications, or from the batch means within them, whichever is wider. Few
// replications, or ones whose lengths after the cut differ, make the first one
// unsteady; correlation between batches makes the second one too narrow.
func steadyMean(runs []Replication) Estimate {
	e := across(runs, func(r *Replication) float64 { return r.Mean })
	var within []float64
	for i := range runs {
		within = append(within, runs[i].batch...)
	}
	if b := estimate(within); e.N > 0 && b.N > 1 && (e.N == 1 || b.High-b.Low > e.High-e.Low) {
		half := (b.High - b.Low) / 2
		e.Low, e.High = e.Value-half, e.Value+half
		e.N = max(e.N, 2)
	}
	return e
}
