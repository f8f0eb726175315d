package plots

import (
	"math"
	"strconv"
	"time"

	"forkbench/internal/format"
)

// number writes v with three significant digits: 0.0412, 41.2, 4,120, 41.2k.
func number(v float64) string {
	if !finite(v) {
		return "?"
	}
	if v < 0 {
		return "−" + number(-v)
	}
	switch {
	case v == 0:
		return "0"
	case v < 1e-4 || v >= 9.995e14:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case v < 9999.5:
		return format.Group(significant(v))
	}
	for _, s := range siSuffixes {
		if v/s.value >= 0.9995 {
			return significant(v/s.value) + s.name
		}
	}
	return significant(v)
}

var siSuffixes = [...]struct {
	value float64
	name  string
}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}}

// significant writes v > 0 to three significant digits, without an exponent.
func significant(v float64) string {
	digits := 2 - int(math.Floor(math.Log10(v)))
	s := strconv.FormatFloat(v, 'f', max(digits, 0), 64)
	if rounded, err := strconv.ParseFloat(s, 64); err == nil && rounded > 0 {
		// 9.996 has become 10.00: one digit too many.
		if d := 2 - int(math.Floor(math.Log10(rounded))); d < digits {
			s = strconv.FormatFloat(v, 'f', max(d, 0), 64)
		}
	}
	return s
}

// roundNumber writes a round number, as on a logarithmic axis: 0.5, 20, 5k.
func roundNumber(v float64) string {
	name := ""
	if v >= 9999.5 {
		for _, s := range siSuffixes {
			if v >= s.value*(1-1e-9) {
				v, name = v/s.value, s.name
				break
			}
		}
	}
	if v < 1e-4 || v >= 1e6 {
		return strconv.FormatFloat(v, 'g', 3, 64) + name
	}
	return format.Group(strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64)) + name
}

// brief writes one of several small values side by side: three digits, two
// below one, and none of what is next to nothing.
func brief(v float64) string {
	switch {
	case v > 0 && v < 0.001:
		return "<0.001"
	case v > 0 && v < 1:
		return strconv.FormatFloat(v, 'g', 2, 64)
	default:
		return number(v)
	}
}

// millis writes a time given in milliseconds in the unit that suits it.
func millis(ms float64) string {
	u := timeUnit{"s", 1000}
	switch {
	case math.Abs(ms) < 0.9995:
		u = timeUnit{"µs", 1e-3}
	case math.Abs(ms) < 999.5:
		u = timeUnit{"ms", 1}
	}
	return number(ms/u.millis) + " " + u.name
}

// A timeUnit is a unit that an axis can be in.
type timeUnit struct {
	name   string
	millis float64
}

// unitFor is the unit in which times up to ms milliseconds read well.
func unitFor(ms float64) timeUnit {
	switch ms = math.Abs(ms); {
	case ms < 1:
		return timeUnit{"µs", 1e-3}
	case ms < 2000:
		return timeUnit{"ms", 1}
	default:
		return timeUnit{"s", 1000}
	}
}

// toMillis is d in milliseconds.
func toMillis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
