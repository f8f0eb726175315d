package runner

import (
	"math"

	"forkbench/internal/format"
)

// number writes a measured value for people: to three significant digits, or to two
// below 0.1, where the third would be of microseconds that no clock tells.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a < 1e-9:
		return "0"
	case a < 0.1:
		return format.Significant(v, 2)
	}
	return format.Significant(v, 3)
}
