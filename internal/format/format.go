// Package format writes numbers and numbers of things for people. How many digits
// a table, a plot's axis or a sentence has is theirs to say; what they share is here.
package format

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Group sets the thousands of a decimal number apart, and gives it a minus sign in
// place of a hyphen: -1234567.5 becomes −1,234,567.5.
func Group(text string) string {
	sign := ""
	if rest, negative := strings.CutPrefix(text, "-"); negative {
		sign, text = "−", rest
	}
	whole, fraction, dotted := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if dotted {
		return sign + whole + "." + fraction
	}
	return sign + whole
}

// Count writes a whole number, with thousands set apart.
func Count(n int) string { return Group(strconv.Itoa(n)) }

// Plural is a number of things whose plural is regular: 1 job, 2 jobs, 2 processes.
func Plural(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "s"):
		return Count(n) + " " + noun + "es"
	}
	return Count(n) + " " + noun + "s"
}

// List is "a", "a and b" or "a, b and c".
func List(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// Brief writes x to three significant digits, and no more than two behind the point.
func Brief(x float64) string {
	decimals := 2
	switch a := max(x, -x); {
	case a >= 99.95:
		decimals = 0
	case a >= 9.995:
		decimals = 1
	}
	return strconv.FormatFloat(x, 'f', decimals, 64)
}

// Significant writes x to so many significant digits, zeros among them, and all of its
// whole part, with thousands set apart: 0.0412, 4.10, 10.0, 41,234. It is for numbers
// that stand below each other.
func Significant(x float64, digits int) string {
	return Group(strconv.FormatFloat(x, 'f', decimals(x, digits), 64))
}

// Trimmed is Significant without the zeros at its end: 4.1, 10, 41,234. It is for
// numbers in a sentence.
func Trimmed(x float64, digits int) string {
	text := Significant(x, digits)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// decimals is how many of the significant digits are behind the point once x is
// rounded to them: of three of 9.996 it is one.
func decimals(x float64, digits int) int {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return 0
	}
	_, exponent, _ := strings.Cut(strconv.FormatFloat(x, 'e', digits-1, 64), "e")
	magnitude, err := strconv.Atoi(exponent)
	if err != nil {
		return 0
	}
	return max(digits-1-magnitude, 0)
}

// Percent writes a share in percent, with so many digits behind the point: 12 %.
func Percent(share float64, decimals int) string {
	return Group(strconv.FormatFloat(100*share, 'f', decimals, 64)) + " %"
}

// TrimmedPercent writes a share in percent, to three digits without zeros at its end:
// 5 %, 12.5 %.
func TrimmedPercent(share float64) string { return Trimmed(100*share, 3) + " %" }

// Signed sets a plus before a number that is written without a sign.
func Signed(text string) string {
	if strings.HasPrefix(text, "−") {
		return text
	}
	return "+" + text
}

// Millis is a time in milliseconds, the unit that times of jobs are shown in.
func Millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// TimeUnit is the unit in which a time reads well, and how many milliseconds it has.
func TimeUnit(ms float64) (millis float64, name string) {
	switch a := max(ms, -ms); {
	case a < 0.9995:
		return 1e-3, "µs"
	case a < 999.5:
		return 1, "ms"
	}
	return 1000, "s"
}

// Time writes a time given in milliseconds, to three digits in the unit that suits it,
// without zeros at its end.
func Time(ms float64) string {
	millis, name := TimeUnit(ms)
	return Trimmed(ms/millis, 3) + " " + name
}
