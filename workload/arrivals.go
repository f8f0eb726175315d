package workload

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"strings"
	"time"
)

// Arrivals is a plan of when jobs are due. [ParseArrivals] and [ReadTrace] make
// the built-in ones.
type Arrivals interface {
	// String is the plan as it is written after --arrivals.
	String() string

	// Due yields the due times of job 0, 1, and so on, counted from the start of
	// work, in ascending order and without an end: the caller stops. The same
	// seed gives the same times. It reads no clock and may be called by several
	// goroutines at once.
	Due(seed uint64) iter.Seq[time.Duration]
}

// Bounds on a rate, in jobs per second.
const (
	minRate = 1.0 / 3600
	maxRate = 1e7
)

// Steady are arrivals that go on at one mean rate.
type Steady interface {
	Arrivals

	// Rate is how many jobs come per second, on average over all time: some of
	// them may come a little faster or slower.
	Rate() float64
}

// ParseArrivals reads an arrival plan, as the --arrivals flag takes it:
//
//	burst         all jobs are due at once
//	rate:200/s    one every 5 ms; the unit is s, m or h, and s if it is left out
//	poisson:200/s as many on average, independent of each other
//	trace:FILE    at the times in a file; see ReadTrace
//	jobs:FILE     when the jobs of a job file were enqueued; see ReadCalls
func ParseArrivals(spec string) (Arrivals, error) {
	spec = strings.TrimSpace(spec)
	if len(spec) > maxSpec {
		return nil, fmt.Errorf("arrivals %q...: longer than %d bytes", spec[:64], maxSpec)
	}
	a, err := parseArrivals(spec)
	if err != nil {
		return nil, fmt.Errorf("arrivals %q: %w", spec, err)
	}
	return a, nil
}

func parseArrivals(spec string) (Arrivals, error) {
	name, arg, hasArg := strings.Cut(spec, ":")
	switch name {
	case "burst":
		if hasArg {
			return nil, errors.New("burst takes nothing after its name")
		}
		return burst{}, nil
	case "rate":
		r, err := parseRate(arg, "rate:200/s")
		return constant{spec, r}, err
	case "poisson":
		r, err := parseRate(arg, "poisson:200/s")
		return poisson{spec, r}, err
	case "trace":
		if arg == "" {
			return nil, errors.New("needs the name of a file, as in trace:arrivals.txt")
		}
		f, err := os.Open(arg)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return ReadTrace(f, arg)
	case "jobs":
		return parseRecorded(arg)
	}
	forms := []string{"burst", "rate:N", "poisson:N", "trace:FILE", "jobs:FILE"}
	if i := nearest(name, []string{"burst", "rate", "poisson", "trace", "jobs"}); i >= 0 {
		return nil, fmt.Errorf("unknown plan %q; did you mean %s?", name, forms[i])
	}
	return nil, fmt.Errorf("unknown plan %q; the plans are %s", name, strings.Join(forms, ", "))
}

// parseRate reads 200, 200/s or 12/m as jobs per second.
func parseRate(s, example string) (float64, error) {
	number, unit, hasUnit := strings.Cut(s, "/")
	seconds, known := map[string]float64{"s": 1, "m": 60, "h": 3600}[unit]
	if !hasUnit {
		seconds, known = 1, true
	}
	rate, err := parseNumber(number)
	rate /= seconds
	switch {
	case err != nil || !known:
		return 0, fmt.Errorf("%q is not a rate: give a number of jobs per s, m or h, as in %s", s, example)
	case rate <= 0:
		return 0, fmt.Errorf("a rate of %s: must be more than 0, as in %s", s, example)
	case rate < minRate:
		return 0, fmt.Errorf("a rate of %s: must be at least 1/h, as in %s", s, example)
	case rate > maxRate:
		return 0, fmt.Errorf("a rate of %s: must be at most %.0f/s, as in %s; burst is for all at once", s, maxRate, example)
	}
	return rate, nil
}

type burst struct{}

var _ Arrivals = burst{}

func (burst) String() string { return "burst" }

func (burst) Due(uint64) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		for yield(0) {
		}
	}
}

// constant has one job every 1/rate seconds, the first at 0.
type constant struct {
	spec string
	rate float64
}

var _ Steady = constant{}

func (c constant) String() string { return c.spec }

func (c constant) Rate() float64 { return c.rate }

func (c constant) Due(uint64) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		// A product, not a sum: it does not drift.
		for i := 0.0; yield(seconds(i / c.rate)); i++ {
		}
	}
}

// poisson has independent, exponentially distributed gaps with a mean of 1/rate
// seconds, one before the first job too.
type poisson struct {
	spec string
	rate float64
}

var _ Steady = poisson{}

func (p poisson) String() string { return p.spec }

func (p poisson) Rate() float64 { return p.rate }

func (p poisson) Due(seed uint64) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		r := random(drawArrivals, seed, 0)
		for t := r.ExpFloat64(); yield(seconds(t / p.rate)); t += r.ExpFloat64() {
		}
	}
}

// seconds is s as a duration; the longest one for what is longer.
func seconds(s float64) time.Duration {
	if ns := math.Round(s * 1e9); ns < math.MaxInt64 {
		return time.Duration(ns)
	}
	return math.MaxInt64
}
