package runner

import (
	"math"
	"strconv"

	"forkbench/internal/format"
)

// number writes a measured value for people: three significant digits, two where
// it is below 0.1, thousands separated.
func number(v float64) string {
	if math.Abs(v) < 1e-9 { // less than a clock tells
		return "0"
	}
	magnitude := int(math.Floor(math.Log10(math.Abs(v))))
	decimals := 2 - magnitude
	if magnitude < -1 {
		decimals--
	}
	return format.Group(strconv.FormatFloat(v, 'f', max(decimals, 0), 64))
}
