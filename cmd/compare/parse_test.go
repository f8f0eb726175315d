package main

import (
	"strings"
	"testing"
	"time"
)

func TestParsers(t *testing.T) {
	var (
		n     int
		u     uint64
		d     time.Duration
		bytes int64
	)
	number := whole(&n, 1, 100, ": too many")
	for _, c := range []struct {
		parse func(string) error
		text  string
		got   func() any
		want  any    // where it is right
		err   string // where it is wrong
	}{
		{number, "1", func() any { return n }, 1, ""},
		{number, "100", func() any { return n }, 100, ""},
		{number, "0", nil, nil, "must be at least 1"},
		{number, "-99999999999999999999", nil, nil, "must be at least 1"},
		{number, "101", nil, nil, "must be at most 100: too many"},
		{number, "99999999999999999999", nil, nil, "must be at most 100"},
		{number, "1.0", nil, nil, "not a whole number"},
		{number, "", nil, nil, "not a whole number"},
		{seed(&u), "18446744073709551615", func() any { return u }, uint64(18446744073709551615), ""},
		{seed(&u), "0", func() any { return u }, uint64(0), ""},
		{seed(&u), "18446744073709551616", nil, nil, "not a whole number"},
		{span(&d, "3m", "none"), "0", func() any { return d }, time.Duration(0), ""},
		{span(&d, "3m", "none"), "24h", func() any { return d }, 24 * time.Hour, ""},
		{span(&d, "3m", "none"), "25h", nil, nil, "must be at most 24h; 0 is for none"},
		{span(&d, "3m", "none"), "-1s", nil, nil, "must not be negative"},
		{span(&d, "3m", ""), "0s", nil, nil, "must be more than 0"},
		{span(&d, "3m", ""), "90", nil, nil, "not a duration"},
		{size(&bytes), "0", func() any { return bytes }, int64(0), ""},
		{size(&bytes), "1.5MB", func() any { return bytes }, int64(1_500_000), ""},
		{size(&bytes), "200M", func() any { return bytes }, int64(200 << 20), ""},
		{size(&bytes), "1KiB", func() any { return bytes }, int64(1024), ""},
		{size(&bytes), "7B", func() any { return bytes }, int64(7), ""},
		{size(&bytes), "7", nil, nil, "not a size"},
		{size(&bytes), "-1MB", nil, nil, "not a size"},
		{size(&bytes), "InfMB", nil, nil, "not a size"},
		{size(&bytes), "MB", nil, nil, "not a size"},
		{size(&bytes), strings.Repeat("9", 400) + "MB", nil, nil, "must be at most"},
	} {
		err := c.parse(c.text)
		switch {
		case c.err == "" && err != nil:
			t.Errorf("%s: %v", c.text, err)
		case c.err == "" && c.got() != c.want:
			t.Errorf("%s: got %v, want %v", c.text, c.got(), c.want)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: error %v, want %q", c.text, err, c.err)
		}
	}
}

func FuzzParsers(f *testing.F) {
	for _, s := range []string{"1", "0", "-1", "1e9", "5MB", "9.9GiB", "3m", "1h", "nan", "0x1", "1_000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var (
			n     int
			d     time.Duration
			bytes int64
		)
		if whole(&n, 1, 100, "")(text) == nil && (n < 1 || n > 100) {
			t.Errorf("%q: %d is out of bounds", text, n)
		}
		if span(&d, "1s", "none")(text) == nil && (d < 0 || d > maxTime) {
			t.Errorf("%q: %v is out of bounds", text, d)
		}
		if size(&bytes)(text) == nil && (bytes < 0 || bytes > maxBytes) {
			t.Errorf("%q: %d is out of bounds", text, bytes)
		}
	})
}

func TestClosest(t *testing.T) {
	words := []string{"prefork", "forkperjob", "hybrid", "all"}
	for word, want := range map[string]string{
		"preforc": "prefork", "pre-fork": "prefork", "Prefork": "prefork", "perfork": "prefork",
		"hybird": "hybrid", "forkperjobs": "forkperjob", "al": "all", "x": "", "": "", "threads": "",
		strings.Repeat("prefork", 100): "",
	} {
		if got := closest(word, words); got != want {
			t.Errorf("closest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestBrief(t *testing.T) {
	for d, want := range map[time.Duration]string{
		24 * time.Hour: "24h", time.Minute: "1m", 90 * time.Second: "1m30s", 10 * time.Second: "10s", 0: "0s",
	} {
		if got := brief(d); got != want {
			t.Errorf("brief(%d) = %s, want %s", d, got, want)
		}
	}
}

func TestHangs(t *testing.T) {
	for spec, want := range map[string]bool{
		"hang:1": true, "noop": false, "99%noop,1%hang:0.5": true, "10%hang:5%,90%noop": true, "py:hang:hang": false,
	} {
		if got := hangs(spec); got != want {
			t.Errorf("hangs(%q) = %t, want %t", spec, got, want)
		}
	}
}
