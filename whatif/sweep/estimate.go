package sweep

import (
	"math"
	"slices"

	"github.com/aclements/go-moremath/stats"
)

const confidence = 0.95

// An Estimate is a value with its 95 % interval.
type Estimate struct {
	Value float64  `json:"value"`
	Low   *float64 `json:"low"` // nil where there is no interval
	High  *float64 `json:"high"`
}

// bounds are the interval's, or the value itself where there is none.
func (e Estimate) bounds() (low, high float64) {
	low, high = e.Value, e.Value
	if e.Low != nil {
		low = *e.Low
	}
	if e.High != nil {
		high = *e.High
	}
	return low, high
}

// estimate is the centre of the values of several replications and its interval
// by Student's t. Both are taken on the logarithms, so that the centre of a ratio
// is the ratio of the centres, and what disturbs a measurement multiplies it;
// where a value has none (a 0), plainly.
func estimate(values []float64) (Estimate, bool) {
	if len(values) == 0 {
		return Estimate{}, false
	}
	logs := true
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return Estimate{}, false
		}
		logs = logs && v > 0
	}
	from := func(v float64) float64 { return v }
	if logs {
		from = math.Exp
		values = slices.Clone(values)
		for i, v := range values {
			values[i] = math.Log(v)
		}
	}
	if len(values) == 1 {
		return Estimate{Value: from(values[0])}, true
	}
	mean, low, high := (&stats.Sample{Xs: values}).MeanCI(confidence)
	// Equal values have no variance, and rounding must not put them outside.
	low, high = from(min(low, mean)), from(max(high, mean))
	return Estimate{from(mean), &low, &high}, true
}

// ratio is the estimate of as/bs, values of the same replications: the pairs
// share their random numbers, which therefore cancel out.
func ratio(as, bs []float64) (Estimate, bool) {
	if len(as) != len(bs) {
		return Estimate{}, false
	}
	ratios := make([]float64, len(as))
	for i := range as {
		if !(bs[i] > 0) {
			return Estimate{}, false
		}
		ratios[i] = as[i] / bs[i]
	}
	return estimate(ratios)
}
