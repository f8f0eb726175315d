// Package sweep varies one thing of a comparison over a range, a knob of a model
// or a cost of the machine, and finds the break-even: from which job length, or
// how many jobs per child, one model costs less than so much over another.
//
// It knows nothing of how a point is evaluated. That is a function which the
// caller passes in: a simulation, or a run of real processes.
package sweep

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"forkbench/workload"
)

// A Parameter is what a sweep varies.
type Parameter struct {
	Name  string // as on the command line: jobs-per-child
	Label string // as in a sentence: jobs per child
	Each  string // what a value is, with %s for it: "%s jobs per child"
	Kind  Kind
	Least float64 // bounds, in the units of Kind
	Most  float64
}

// Kind is what a parameter is measured in, and how its values are written.
type Kind uint8

// The kinds.
const (
	Whole Kind = iota // a whole number: 12
	Time              // milliseconds: 1.5ms, 10s
	Size              // megabytes: 20MB, 2GB, 512K
	Rate              // events per second: 200/s, 12/m
)

// Unit is the unit of the numbers of a kind, as tables have it; empty for whole
// numbers.
func (k Kind) Unit() string {
	return [...]string{Whole: "", Time: "ms", Size: "MB", Rate: "/s"}[k]
}

// Format writes a value as Parse reads it, to three digits.
func (k Kind) Format(v float64) string {
	switch k {
	case Whole:
		return strconv.FormatFloat(math.Round(v), 'f', -1, 64)
	case Time:
		switch {
		case v == 0:
			return "0"
		case v < 0.9995:
			return digits(v*1e3) + "us"
		case v < 999.5:
			return digits(v) + "ms"
		case v < 59_950 || v < 119_900 && digits(v/1e3) != "60":
			return digits(v/1e3) + "s"
		}
		return digits(v/60e3) + "m"
	case Size:
		switch {
		case v == 0:
			return "0"
		case v < 0.9995:
			return digits(v*1e3) + "KB"
		case v < 999.5:
			return digits(v) + "MB"
		}
		return digits(v/1e3) + "GB"
	case Rate:
		if v > 0 && v < 0.1 {
			return digits(v*60) + "/m"
		}
		return digits(v) + "/s"
	}
	return ""
}

// digits writes a number that is not negative to three significant digits, without an
// exponent, and without commas: it is read again.
func digits(v float64) string {
	return strconv.FormatFloat(significant(v), 'f', -1, 64)
}

// significant rounds to three digits.
func significant(v float64) float64 {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return v
	}
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 2, 64), 64)
	if err != nil {
		return v
	}
	return r
}

// Parse reads one value of the parameter.
func (p *Parameter) Parse(text string) (float64, error) {
	v, err := p.Kind.parse(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w, as in %s", err, p.example())
	case v < p.Least:
		return 0, fmt.Errorf("must be at least %s", p.Kind.Format(p.Least))
	case v > p.Most:
		return 0, fmt.Errorf("must be at most %s", p.Kind.Format(p.Most))
	}
	return v, nil
}

// example is a value that can be typed.
func (p *Parameter) example() string {
	v := map[Kind]float64{Whole: 10, Time: 20, Size: 200, Rate: 200}[p.Kind]
	return p.Kind.Format(min(max(v, p.Least), p.Most))
}

// units of one kind, longest names first where one ends in another.
type unit struct {
	name  string
	value float64
}

var units = map[Kind][]unit{
	Whole: nil, // digits only
	Time:  {{"µs", 1e-3}, {"us", 1e-3}, {"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}},
	Size:  nil, // those of workloads
	Rate:  {{"/s", 1}, {"/m", 1. / 60}, {"/h", 1. / 3600}, {"", 1}},
}

func (k Kind) parse(text string) (float64, error) {
	if k == Whole {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s is not a whole number", quote(text))
		}
		return float64(n), nil
	}
	what := [...]string{Whole: "", Time: "a time with its unit (us, ms, s, m, h)",
		Size: "a size with its unit (KB, MB, GB, or K, M, G for powers of 1024)", Rate: "a rate (a number per s, m or h)"}[k]
	if text == "0" {
		return 0, nil
	}
	if bytes, ok := workload.ParseSize(text); ok && k == Size {
		return bytes / 1e6, nil
	}
	for _, u := range units[k] {
		number, found := strings.CutSuffix(text, u.name)
		if !found {
			continue
		}
		// ParseFloat knows more: hexadecimal, exponents, Inf and NaN.
		if number == "" || number[0] == '.' || strings.Trim(number, "0123456789.") != "" {
			continue
		}
		if v, err := strconv.ParseFloat(number, 64); err == nil && !math.IsInf(v*u.value, 0) {
			return v * u.value, nil
		}
	}
	return 0, fmt.Errorf("%s is not %s", quote(text), what)
}

// quote makes what was typed fit for a message.
func quote(text string) string {
	runes := []rune(text)
	if len(runes) > 40 {
		text = string(runes[:39]) + "…"
	}
	return strconv.Quote(text)
}
