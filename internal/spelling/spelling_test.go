package spelling_test

import (
	"testing"

	"forkbench/internal/spelling"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"noop", "noop", 0},
		{"", "abc", 3},
		{"nop", "noop", 1},      // insert
		{"nooop", "noop", 1},    // delete
		{"nuop", "noop", 1},     // replace
		{"hybird", "hybrid", 1}, // swap
		{"celery", "hybrid", 6},
	} {
		if got := spelling.Distance(c.a, c.b); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := spelling.Distance(c.b, c.a); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}
