package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
)

// A Dist is a distribution of times, in milliseconds. The zero value is the
// constant 0.
//
// All are sampled by inversion, one uniform number for each value, so that with
// the same seed a longer mean gives a longer time for every job.
//
// As JSON it is one of
//
//	4.2
//	{"exponential": {"mean": 4.2}}
//	{"lognormal": {"mean": 4.2, "cv": 0.5}}
//	{"hyperexponential": {"weights": [0.9, 0.1], "means": [1, 40]}}
//	{"quantiles": {"at": [0, 0.5, 0.99, 1], "ms": [1, 2, 9, 30]}}
type Dist struct {
	kind distKind
	a, b float64   // constant: a; exponential: mean a; lognormal: mean a, cv b
	x, y []float64 // hyperexponential: weights x, means y; quantiles: y at x

	mu, sigma float64   // lognormal: of the logarithm
	upTo      []float64 // hyperexponential: cumulated weights, the last one 1
}

type distKind uint8

const (
	constant distKind = iota
	exponential
	lognormal
	hyperexponential
	quantiles
)

var distNames = [...]string{
	constant: "constant", exponential: "exponential", lognormal: "lognormal",
	hyperexponential: "hyperexponential", quantiles: "quantiles",
}

// maxMS bounds every time and mean, in milliseconds: some three years.
const maxMS = 1e11

const maxNS = int64(maxMS * 1e6)

// Constant is always ms.
func Constant(ms float64) Dist { return Dist{a: ms} }

// Exponential has a coefficient of variation of 1.
func Exponential(mean float64) Dist { return Dist{kind: exponential, a: mean} }

// Lognormal has the given mean and coefficient of variation (standard deviation
// over mean).
func Lognormal(mean, cv float64) Dist {
	d := Dist{kind: lognormal, a: mean, b: cv}
	v := math.Log1p(cv * cv)
	d.mu, d.sigma = math.Log(mean)-v/2, math.Sqrt(v)
	return d
}

// Hyperexponential is exponential with one of the means, picked by weight. The
// weights need not sum to 1.
func Hyperexponential(weights, means []float64) Dist {
	d := Dist{kind: hyperexponential, x: slices.Clone(weights), y: slices.Clone(means)}
	total := 0.0
	for _, w := range weights {
		total += w
	}
	sum := 0.0
	for _, w := range weights {
		sum += w
		d.upTo = append(d.upTo, sum/total)
	}
	if n := len(d.upTo); n > 0 {
		d.upTo[n-1] = 1
	}
	return d
}

// Quantiles is an empirical distribution: ms[i] is not exceeded with
// probability at[i], and between them it is linear. at goes from 0 to 1.
func Quantiles(at, ms []float64) Dist {
	return Dist{kind: quantiles, x: slices.Clone(at), y: slices.Clone(ms)}
}

// Mean is the expected time in milliseconds.
func (d *Dist) Mean() float64 {
	switch d.kind {
	case hyperexponential:
		mean, from := 0.0, 0.0
		for i, to := range d.upTo {
			mean += (to - from) * d.y[i]
			from = to
		}
		return mean
	case quantiles:
		mean := 0.0
		for i := 1; i < len(d.x); i++ {
			mean += (d.x[i] - d.x[i-1]) * (d.y[i] + d.y[i-1]) / 2
		}
		return mean
	case constant, exponential, lognormal:
	}
	return d.a
}

// quantile is the inverse of the distribution function, in milliseconds.
func (d *Dist) quantile(u float64) float64 {
	switch d.kind {
	case exponential:
		return -d.a * log(1-u) // 1-u is exact: u is a multiple of 2^-53
	case lognormal:
		return math.Exp(d.mu + d.sigma*math.Sqrt2*math.Erfinv(2*u-1))
	case hyperexponential:
		i := 0
		for d.upTo[i] <= u { // the last one is 1
			i++
		}
		from := 0.0
		if i > 0 {
			from = d.upTo[i-1]
		}
		// What picked the branch is uniform within it.
		return -d.y[i] * log(1-(u-from)/(d.upTo[i]-from))
	case quantiles:
		i := max(sort.SearchFloat64s(d.x, u), 1)
		share := (u - d.x[i-1]) / (d.x[i] - d.x[i-1])
		return d.y[i-1] + share*(d.y[i]-d.y[i-1])
	case constant:
	}
	return d.a
}

// draw is a random time in nanoseconds.
func (d *Dist) draw(s *source) int64 {
	switch d.kind {
	case constant:
		return nanos(d.a)
	case exponential: // the most frequent one
		return nanos(-d.a * log(1-s.unit()))
	case lognormal, hyperexponential, quantiles:
	}
	return nanos(d.quantile(s.unit()))
}

// zero reports whether it is always 0, so that nothing need be done for it.
func (d *Dist) zero() bool { return d.kind == constant && d.a == 0 }

// nanos converts milliseconds; the tail of a distribution is cut at maxMS.
func nanos(ms float64) int64 {
	if ms > maxMS {
		ms = maxMS
	}
	return int64(ms*1e6 + 0.5)
}

// check says what is wrong with the parameters, if anything.
func (d *Dist) check() error {
	switch d.kind {
	case constant:
		return checkMS(d.a)
	case exponential:
		return within("mean", checkMS(d.a))
	case lognormal:
		if d.a == 0 {
			return errors.New("mean is 0: must be more, or the time a plain 0")
		}
		return errors.Join(within("mean", checkMS(d.a)), within("cv", checkNumber(d.b, 100)))
	case hyperexponential:
		return d.checkBranches()
	case quantiles:
		return d.checkQuantiles()
	}
	return nil
}

func (d *Dist) checkBranches() error {
	if len(d.x) == 0 || len(d.x) != len(d.y) {
		return fmt.Errorf("%d weights and %d means: must be as many, at least 1", len(d.x), len(d.y))
	}
	var errs []error
	for i := range d.x {
		errs = append(errs,
			within(fmt.Sprintf("means[%d]", i), checkMS(d.y[i])),
			within(fmt.Sprintf("weights[%d]", i), checkNumber(d.x[i], 1e9)))
		if d.x[i] == 0 {
			errs = append(errs, fmt.Errorf("weights[%d] is 0: must be more", i))
		}
	}
	return errors.Join(errs...)
}

func (d *Dist) checkQuantiles() error {
	n := len(d.x)
	if n < 2 || n != len(d.y) {
		return fmt.Errorf("%d probabilities and %d times: must be as many, at least 2", n, len(d.y))
	}
	var errs []error
	for i := range d.x {
		errs = append(errs,
			within(fmt.Sprintf("at[%d]", i), checkNumber(d.x[i], 1)),
			within(fmt.Sprintf("ms[%d]", i), checkMS(d.y[i])))
		if i > 0 && !(d.x[i] > d.x[i-1]) {
			errs = append(errs, fmt.Errorf("at[%d]=%v after %v: must ascend", i, d.x[i], d.x[i-1]))
		}
		if i > 0 && d.y[i] < d.y[i-1] {
			errs = append(errs, fmt.Errorf("ms[%d]=%v after %v: must not descend", i, d.y[i], d.y[i-1]))
		}
	}
	if d.x[0] != 0 || d.x[n-1] != 1 {
		errs = append(errs, fmt.Errorf("at goes from %v to %v: must go from 0 to 1", d.x[0], d.x[n-1]))
	}
	return errors.Join(errs...)
}

func checkMS(ms float64) error { return checkNumber(ms, maxMS) }

func checkNumber(x, most float64) error {
	switch {
	case math.IsNaN(x):
		return errors.New("is not a number")
	case x < 0:
		return fmt.Errorf("is %v: must not be negative", x)
	case x > most:
		return fmt.Errorf("is %v: must be at most %v", x, most)
	}
	return nil
}

func within(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %w", name, err)
}

// Parameters of the distributions as JSON has them.
type (
	meanJSON struct {
		Mean float64 `json:"mean"`
	}
	lognormalJSON struct {
		Mean float64 `json:"mean"`
		CV   float64 `json:"cv"`
	}
	branchesJSON struct {
		Weights []float64 `json:"weights"`
		Means   []float64 `json:"means"`
	}
	quantilesJSON struct {
		At []float64 `json:"at"`
		MS []float64 `json:"ms"`
	}
)

// MarshalJSON writes the form that ReadProfile reads.
func (d Dist) MarshalJSON() ([]byte, error) {
	var parameters any
	switch d.kind {
	case constant:
		return json.Marshal(d.a)
	case exponential:
		parameters = meanJSON{d.a}
	case lognormal:
		parameters = lognormalJSON{d.a, d.b}
	case hyperexponential:
		parameters = branchesJSON{d.x, d.y}
	case quantiles:
		parameters = quantilesJSON{d.x, d.y}
	}
	return json.Marshal(map[string]any{distNames[d.kind]: parameters})
}

// UnmarshalJSON is the inverse of MarshalJSON, as strict as ReadProfile.
func (d *Dist) UnmarshalJSON(text []byte) error {
	tree, err := parseTree(text)
	if err != nil {
		return err
	}
	var r reader
	if r.dist("", tree, d); len(r.problems) == 0 {
		if err := d.check(); err != nil {
			r.problem("", "%v", err)
		}
	}
	return r.err()
}
