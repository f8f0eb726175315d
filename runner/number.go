package runner

import (
	"math"
	"strconv"
	"strings"
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
	text := strconv.FormatFloat(v, 'f', max(decimals, 0), 64)
	if v < 0 {
		return "−" + thousands(strings.TrimPrefix(text, "-"))
	}
	return thousands(text)
}

// thousands puts a comma before each third digit of the whole part.
func thousands(text string) string {
	whole, fraction, dotted := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if dotted {
		return whole + "." + fraction
	}
	return whole
}

// count writes a number of things.
func count(n int) string { return thousands(strconv.Itoa(n)) }
