package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"forkbench/internal/spelling"
	"forkbench/workload"
)

// whole is the parser of a whole number between two bounds.
func whole(to *int, least, most int, why string) func(string) error {
	return func(text string) error {
		n, err := strconv.ParseInt(text, 10, 64)
		switch {
		case errors.Is(err, strconv.ErrRange):
			n = int64(most) + 1
			if strings.HasPrefix(text, "-") {
				n = int64(least) - 1
			}
		case err != nil:
			return fmt.Errorf("not a whole number, as in %d", max(least, 1))
		}
		switch {
		case n < int64(least):
			return fmt.Errorf("must be at least %d", least)
		case n > int64(most):
			return fmt.Errorf("must be at most %d%s", most, why)
		}
		*to = int(n)
		return nil
	}
}

// seed is the parser of any 64-bit number.
func seed(to *uint64) func(string) error {
	return func(text string) error {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return errors.New("not a whole number from 0 to 18446744073709551615")
		}
		*to = n
		return nil
	}
}

const maxTime = 24 * time.Hour

// span is the parser of a duration; zero, where it is allowed, says what it
// means.
func span(to *time.Duration, example, zero string) func(string) error {
	return func(text string) error {
		d, err := time.ParseDuration(text)
		switch {
		case err != nil && text != "0":
			return fmt.Errorf("not a duration: a number and a unit (ms, s, m, h), as in %s", example)
		case d < 0 && zero != "":
			return fmt.Errorf("must not be negative; 0 is for %s", zero)
		case d <= 0 && zero == "":
			return fmt.Errorf("must be more than 0, as in %s", example)
		case d > maxTime && zero != "":
			return fmt.Errorf("must be at most %s; 0 is for %s", brief(maxTime), zero)
		case d > maxTime:
			return fmt.Errorf("must be at most %s", brief(maxTime))
		}
		*to = d
		return nil
	}
}

// brief writes a duration without the zeros at its end: 1m, not 1m0s.
func brief(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

const maxBytes = 1 << 50

// size is the parser of a number of bytes; 0 is allowed.
func size(to *int64) func(string) error {
	return func(text string) error {
		n, ok := workload.ParseSize(text)
		switch {
		case !ok || n < 0:
			return errors.New("not a size: a number and a unit (KB, MB, GB, or K, M, G for powers of 1024), as in 200MB")
		case n > maxBytes:
			return errors.New("must be at most 1048576G")
		}
		*to = int64(n)
		return nil
	}
}

// fraction reads a part of something: 2%, or 0.02.
func fraction(text string) (x float64, ok bool) {
	number, percent := strings.CutSuffix(text, "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		x /= 100
	}
	// ParseFloat knows more: hexadecimal, Inf, NaN.
	return x, err == nil && strings.Trim(number, "0123456789. -") == ""
}

// share is the parser of a part of something: 2%, or 0.02.
func share(to *float64) func(string) error {
	return func(text string) error {
		x, ok := fraction(text)
		switch {
		case !ok:
			return errors.New("not a share, as in 2% or 0.02")
		case x <= 0 || x >= 1:
			return errors.New("must be more than 0 and less than 100%, as in 2%")
		}
		*to = x
		return nil
	}
}

// part is the parser of a part of something that may be nothing or all of it: 0,
// 5%, 0.05 or 100%.
func part(to *float64) func(string) error {
	return func(text string) error {
		x, ok := fraction(text)
		switch {
		case !ok:
			return errors.New("not a share, as in 5% or 0.05")
		case x < 0 || x > 1:
			return errors.New("must be from 0 to 1, or from 0% to 100%, as in 5% or 0.05")
		}
		*to = x
		return nil
	}
}

// oneOf is the parser of a word from a list.
func oneOf(to *string, words ...string) func(string) error {
	return func(text string) error {
		if !slices.Contains(words, text) {
			return unknown(text, words)
		}
		*to = text
		return nil
	}
}

// text is the parser of anything that is not empty.
func text(to *string, example string) func(string) error {
	return func(text string) error {
		if text == "" {
			return fmt.Errorf("must not be empty, as in %s", example)
		}
		*to = text
		return nil
	}
}

// yes is the parser of a switch.
func yes(to *bool) func(string) error {
	return func(text string) (err error) {
		if *to, err = strconv.ParseBool(text); err != nil {
			return errors.New("takes true or false, or no value")
		}
		return nil
	}
}

// unknown is the error for a word that is not on a list.
func unknown(word string, words []string) error {
	if similar := closest(word, words); similar != "" {
		return fmt.Errorf("not known; did you mean %s?", similar)
	}
	return fmt.Errorf("not known: one of %s", strings.Join(words, ", "))
}

// closest is the word that the given one was probably meant to be, or "".
func closest(word string, words []string) string {
	if len(word) > 64 || len(words) == 0 {
		return ""
	}
	word = strings.ToLower(word)
	best := slices.MinFunc(words, func(a, b string) int { return cmp.Compare(spelling.Distance(word, a), spelling.Distance(word, b)) })
	if d := spelling.Distance(word, best); d <= max(2, len(word)/3) && d < len(best) {
		return best
	}
	return ""
}
