package format_test

import (
	"testing"

	"forkbench/internal/format"
)

func TestGroup(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "0": "0", "999": "999", "1000": "1,000", "123456": "123,456",
		"1234567.8901": "1,234,567.8901", "-123": "−123", "-1234567": "−1,234,567", "10000000": "10,000,000", "-1234.5": "−1,234.5",
	} {
		if got := format.Group(text); got != want {
			t.Errorf("%q becomes %q; want %q", text, got, want)
		}
	}
}

func TestPlural(t *testing.T) {
	for _, c := range []struct {
		n          int
		noun, want string
	}{
		{0, "job", "0 jobs"},
		{1, "job", "1 job"},
		{1000, "job", "1,000 jobs"},
		{1, "process", "1 process"},
		{2, "process", "2 processes"},
	} {
		if got := format.Plural(c.n, c.noun); got != c.want {
			t.Errorf("%d and %s give %q; want %q", c.n, c.noun, got, c.want)
		}
	}
}

func TestBrief(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0.00", 0.004: "0.00", 9.994: "9.99", 9.996: "10.0", 99.94: "99.9", 99.96: "100", 12345: "12345", -99.96: "-100", -1.5: "-1.50",
	} {
		if got := format.Brief(x); got != want {
			t.Errorf("%v is written %q; want %q", x, got, want)
		}
	}
}
