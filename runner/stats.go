package runner

import (
	"cmp"
	"errors"
	"math"
	"slices"

	moremath "github.com/aclements/go-moremath/stats"
	"golang.org/x/perf/benchmath"

	"forkbench/internal/stats"
)

const (
	confidence = 0.95
	alpha      = 1 - confidence // a p-value below it is a difference

	// Immaterial is the share up to which a difference between two models does not
	// matter.
	Immaterial = 0.05

	// enoughForRanks is the least number of rounds that gives a 95 % interval
	// for a median without assuming a distribution: 1 - 2/2^6 = 97 %.
	enoughForRanks = 6
)

// holm corrects the p-values of several tests, in their order, such that with no
// difference at all the chance that any is below alpha is alpha (Holm 1979, "A simple
// sequentially rejective multiple test procedure").
func holm(ps []float64) []float64 {
	order := make([]int, len(ps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(ps[i], ps[j]) })
	corrected := make([]float64, len(ps))
	most := 0.0
	for rank, i := range order {
		most = max(most, min(1, ps[i]*float64(len(ps)-rank)))
		corrected[i] = most
	}
	return corrected
}

// medianIfAny is the median of xs, or nil if there are none.
func medianIfAny(xs []float64) *float64 {
	if len(xs) == 0 {
		return nil
	}
	return new(stats.Median(xs))
}

// interval is the median of xs, a value for each round, with its 95 % confidence
// interval:
//
//   - 6 rounds and more: from order statistics, which assumes nothing about the
//     distribution (benchmath.AssumeNothing);
//   - 2 to 5 rounds, too few for that: Student's t on the logarithms, as what
//     disturbs a measurement multiplies it (benchmath.AssumeNormal). With so few,
//     the interval always holds the median too: t/√n is more than the one
//     standard deviation that a median can be from its mean;
//   - 1 round, or values that have no logarithm: no interval.
func interval(xs []float64) Interval {
	i := Interval{Median: stats.Median(xs)}
	if len(xs) < enoughForRanks {
		i.Low, i.High = logT(xs, i.Median)
		return i
	}
	sample := benchmath.NewSample(slices.Clone(xs), &benchmath.DefaultThresholds)
	s := benchmath.AssumeNothing.Summary(sample, confidence)
	i.Low, i.High = around(i.Median, s.Lo, s.Hi)
	return i
}

// meanInterval is the mean of xs with Student's t interval: for replications of
// a simulation, which are independent and the same but for their random numbers.
func meanInterval(xs []float64) Interval {
	if len(xs) == 0 {
		return Interval{}
	}
	mean, low, high := (&moremath.Sample{Xs: xs}).MeanCI(confidence)
	i := Interval{Median: mean}
	if len(xs) > 1 {
		i.Low, i.High = around(mean, low, high)
	}
	return i
}

// blockInterval is the geometric mean of xs, a value for each block, with its interval
// by Student's t on the logarithms: of a comparison whose ratios are those of such
// means, so that a table and its ratios agree.
func blockInterval(xs []float64) Interval {
	if len(xs) == 0 {
		return Interval{}
	}
	i := Interval{Median: blockMean(xs)}
	i.Low, i.High = logT(xs, i.Median)
	return i
}

// logT is the 95 % confidence interval of xs by Student's t on the logarithms,
// widened to hold center where rounding or skewness put it outside.
func logT(xs []float64, center float64) (low, high *float64) {
	if len(xs) < 2 {
		return nil, nil
	}
	sample := benchmath.NewSample(logs(xs), &benchmath.DefaultThresholds)
	s := benchmath.AssumeNormal.Summary(sample, confidence)
	return around(center, math.Exp(s.Lo), math.Exp(s.Hi))
}

// around is the interval as pointers, nil where it has no finite bounds.
func around(center, low, high float64) (*float64, *float64) {
	low, high = min(low, center), max(high, center)
	if math.IsNaN(low) || math.IsInf(low, 0) || math.IsNaN(high) || math.IsInf(high, 0) {
		return nil, nil
	}
	return &low, &high
}

func logs(xs []float64) []float64 {
	ls := make([]float64, len(xs))
	for i, x := range xs {
		ls[i] = math.Log(x)
	}
	return ls
}

// geometricMean is the mean of positive xs on the logarithms.
func geometricMean(xs []float64) float64 { return expMean(logs(xs)) }

// expMean is the geometric mean of what has these logarithms.
func expMean(logs []float64) float64 {
	sum := 0.0
	for _, l := range logs {
		sum += l
	}
	return math.Exp(sum / float64(len(logs)))
}

// ratio compares as with bs, which were measured in the same rounds: the centre
// of the rounds' ratios as/bs, with a 95 % interval and the p-value of a paired
// t-test, both on the logarithms. They agree: p < 0.05 is an interval without 1.
// (Rank tests cannot tell anything from the usual three rounds: Mann–Whitney's
// least p-value is then 0.1.) The centre is the median of what was measured, which
// an outlier does not move, and the geometric mean of what was simulated, whose
// interval it is the middle of.
//
// All values must be positive.
func ratio(as, bs []float64, centre func([]float64) float64) difference {
	ratios := make([]float64, len(as))
	for i := range as {
		ratios[i] = as[i] / bs[i]
	}
	d := difference{ratio: centre(ratios)}
	if len(ratios) < 2 {
		return d
	}
	d.low, d.high = logT(ratios, d.ratio)
	var value float64
	switch t, err := moremath.PairedTTest(logs(as), logs(bs), 0, moremath.LocationDiffers); {
	case err == nil:
		value = min(1, max(0, t.P)) // rounding can put it outside
	case errors.Is(err, moremath.ErrZeroVariance) && d.ratio == 1:
		value = 1 // no difference, in every round
	case errors.Is(err, moremath.ErrZeroVariance):
		value = 0 // the very same difference in every round
	}
	d.p = &value
	return d
}

// A difference is what two models are to each other in one metric.
type difference struct {
	ratio     float64
	low, high *float64 // its 95 % interval; nil where there is none
	p         *float64 // of "there is no difference"
}

// same reports whether there is found to be no difference that matters: the whole
// interval is within ±5 %. That is two one-sided tests, at 2.5 % each (Schuirmann
// 1987, "A comparison of the two one-sided tests procedure and the power approach for
// assessing the equivalence of average bioavailability").
func (d *difference) same() bool {
	return d.low != nil && d.high != nil && *d.low >= 1/(1+Immaterial) && *d.high <= 1+Immaterial
}

// quantileT is that of Student's t.
func quantileT(freedom, share float64) float64 {
	return moremath.InvCDF(moremath.TDist{V: freedom})(share)
}

// unpairedRatio compares models that were measured in blocks, each as often as was
// needed: the ratio of their geometric means, given the logarithms, with its interval
// and p-value (see welch).
func unpairedRatio(as, bs []float64) difference {
	w, ok := newWelch(as, bs, sequential)
	if !ok {
		return difference{ratio: math.Exp(moremath.Mean(as) - moremath.Mean(bs))}
	}
	d := difference{ratio: math.Exp(w.difference), p: &w.p}
	d.low, d.high = around(d.ratio, math.Exp(w.difference-w.half), math.Exp(w.difference+w.half))
	return d
}
