package plots

import (
	"math"
	"strconv"

	"forkbench/internal/format"
)

// number writes v with three significant digits: 0.0412, 41.2, 4,120, 41.2k. There is
// little room in a picture, so that large numbers have a suffix here, and only here.
func number(v float64) string {
	if !finite(v) {
		return "?"
	}
	switch a := math.Abs(v); {
	case v != 0 && a < 1e-4 || a >= 9.995e14:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case a >= 9999.5:
		for _, s := range siSuffixes {
			if a/s.value >= 0.9995 {
				return format.Significant(v/s.value, 3) + s.name
			}
		}
	}
	return format.Significant(v, 3)
}

var siSuffixes = [...]struct {
	value float64
	name  string
}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}}

// roundNumber writes a round number, as on a logarithmic axis: 0.5, 20, 5k. What is not
// quite round is so for how it was computed, and not shown.
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
	each, unit := format.TimeUnit(ms)
	return number(ms/each) + " " + unit
}

// A timeUnit is a unit that an axis can be in.
type timeUnit struct {
	name   string
	millis float64
}

// unitFor is the unit in which an axis up to ms milliseconds reads well. One up to
// 1,500 ms has more round marks than one up to 1.5 s, so seconds begin later than in
// format.TimeUnit.
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
