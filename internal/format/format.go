// Package format writes numbers and numbers of things for people. How many digits
// a table, a plot's axis or a sentence has is theirs to say; what they share is here.
package format

import (
	"strconv"
	"strings"
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
