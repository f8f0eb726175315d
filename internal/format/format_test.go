package format_test

import (
	"math"
	"testing"
	"time"

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

func TestList(t *testing.T) {
	for want, names := range map[string][]string{"": nil, "a": {"a"}, "a and b": {"a", "b"}, "a, b and c": {"a", "b", "c"}} {
		if got := format.List(names); got != want {
			t.Errorf("%q: got %q; want %q", names, got, want)
		}
	}
}

func TestSignificant(t *testing.T) {
	for _, c := range []struct {
		x                float64
		digits           int
		written, trimmed string
	}{
		{0, 3, "0", "0"},
		{0.04125, 2, "0.041", "0.041"},
		{0.5, 3, "0.500", "0.5"},
		{9.994, 3, "9.99", "9.99"},
		{9.996, 3, "10.0", "10"},
		{0.09996, 3, "0.100", "0.1"},
		{99.96, 3, "100", "100"},
		{999.6, 3, "1,000", "1,000"},
		{41234.5, 3, "41,234", "41,234"},
		{12.5, 4, "12.50", "12.5"},
		{-1.5, 3, "−1.50", "−1.5"},
		{1e-12, 3, "0.00000000000100", "0.000000000001"},
		{math.NaN(), 3, "NaN", "NaN"},
	} {
		if got := format.Significant(c.x, c.digits); got != c.written {
			t.Errorf("%v to %d digits is written %q; want %q", c.x, c.digits, got, c.written)
		}
		if got := format.Trimmed(c.x, c.digits); got != c.trimmed {
			t.Errorf("%v to %d digits is trimmed to %q; want %q", c.x, c.digits, got, c.trimmed)
		}
	}
}

func TestPercent(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{format.Percent(0.126, 0), "13 %"},
		{format.Percent(-0.126, 1), "−12.6 %"},
		{format.Percent(12, 0), "1,200 %"},
		{format.TrimmedPercent(0.05), "5 %"},
		{format.TrimmedPercent(0.1254), "12.5 %"},
		{format.Signed(format.Percent(0.05, 1)), "+5.0 %"},
		{format.Signed(format.Percent(-0.05, 1)), "−5.0 %"},
	} {
		if c.got != c.want {
			t.Errorf("got %q; want %q", c.got, c.want)
		}
	}
}

func TestTime(t *testing.T) {
	for ms, want := range map[float64]string{
		0.5: "500 µs", 0.9994: "999 µs", 0.9996: "1 ms", 1.2345: "1.23 ms", 999.4: "999 ms", 999.6: "1 s", 1500: "1.5 s", -2000: "−2 s",
	} {
		if got := format.Time(ms); got != want {
			t.Errorf("%v ms is written %q; want %q", ms, got, want)
		}
	}
	if got := format.Millis(1500 * time.Microsecond); got != 1.5 {
		t.Errorf("1500 µs is %v ms", got)
	}
}
