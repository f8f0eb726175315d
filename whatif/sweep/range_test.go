package sweep

import (
	"math"
	"slices"
	"strings"
	"testing"
)

var (
	jobs   = &Parameter{Name: "jobs-per-child", Label: "jobs per child", Kind: Whole, Least: 1, Most: 1e8}
	spares = &Parameter{Name: "spares", Label: "spares", Kind: Whole, Least: 0, Most: 1024}
	length = &Parameter{Name: "job-time", Label: "job time", Kind: Time, Least: 1e-3, Most: 86.4e6}
	memory = &Parameter{Name: "parent-memory", Label: "parent memory", Kind: Size, Least: 1, Most: 1e6}
	rate   = &Parameter{Name: "rate", Label: "arrival rate", Kind: Rate, Least: 1e-3, Most: 1e7}
)

func TestRange(t *testing.T) {
	for _, c := range []struct {
		p        *Parameter
		text     string
		from, to float64
		again    string
	}{
		{jobs, "1..1000", 1, 1000, "1..1000"},
		{spares, "0..8", 0, 8, "0..8"},
		{length, "1ms..10s", 1, 10_000, "1ms..10s"},
		{length, "500us..2m", 0.5, 120_000, "500us..2m"},
		{length, "1.5µs..1h", 0.0015, 3_600_000, "1.5us..60m"},
		{memory, "20MB..2GB", 20, 2000, "20MB..2GB"},
		{memory, "1M..1GiB", 1.048576, 1073.741824, "1.05MB..1.07GB"},
		{rate, "3/m..1000", 0.05, 1000, "3/m..1000/s"},
	} {
		r, err := c.p.Range(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if math.Abs(r.From-c.from) > 1e-12 || math.Abs(r.To-c.to) > 1e-9 {
			t.Errorf("%s: from %v to %v, want %v and %v", c.text, r.From, r.To, c.from, c.to)
		}
		if r.String() != c.again {
			t.Errorf("%s: written as %s, want %s", c.text, r, c.again)
		}
	}
}

func TestRangeRefuses(t *testing.T) {
	for _, c := range []struct {
		p    *Parameter
		text string
		want []string
	}{
		{jobs, "10..1", []string{"descends: write 1..10"}},
		{jobs, "0..10", []string{"its beginning must be at least 1"}},
		{jobs, "1..", []string{"the end is missing: a range has two ends, as in 1..100"}},
		{spares, "0..", []string{"the end is missing: a range has two ends, as in 1..100"}},
		{jobs, "..", []string{"the beginning is missing", "the end is missing"}},
		{jobs, "x..y", []string{`its beginning "x" is not a whole number, as in 10`, `its end "y" is not a whole number, as in 10`}},
		{jobs, "5..5", []string{"both ends are the same"}},
		{jobs, "1...5", []string{`its end ".5" is not a whole number`}},
		{jobs, "1..2..3", []string{`its end "2..3" is not a whole number`}},
		{jobs, "1..1000000000", []string{"its end must be at most 100000000"}},
		{jobs, "1", []string{"is one value: a range has two ends, as in 1..100"}},
		{length, "1..10s", []string{`its beginning "1" is not a time with its unit (us, ms, s, m, h), as in 20ms`}},
		{length, "1ms...5s", []string{`its end ".5s" is not a time`}},
		{length, "NaN..Infs", []string{`its beginning "NaN" is not a time`, `its end "Infs" is not a time`}},
		{length, "1e3s..2s", []string{`its beginning "1e3s" is not a time`}},
		{length, "-1s..1s", []string{`its beginning "-1s" is not a time`}},
		{memory, "20..2GB", []string{`its beginning "20" is not a size`, "as in 200MB"}},
		{rate, "0..5/d", []string{"its beginning must be at least", `its end "5/d" is not a rate (a number per s, m or h), as in 200/s`}},
	} {
		r, err := c.p.Range(c.text)
		if err == nil {
			t.Errorf("%s: taken as %v", c.text, r)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q lacks %q", c.text, err, want)
			}
		}
		if got := strings.Count(err.Error(), "\n") + 1; got != len(c.want) && c.p != memory {
			t.Errorf("%s: %d problems, want %d: %v", c.text, got, len(c.want), err)
		}
	}
}

func TestPoints(t *testing.T) {
	for _, c := range []struct {
		p    *Parameter
		text string
		n    int
		want []float64
	}{
		{jobs, "1..1000", 13, []float64{1, 2, 3, 6, 10, 18, 32, 56, 100, 178, 316, 562, 1000}},
		{jobs, "1..4", 13, []float64{1, 2, 3, 4}},
		{spares, "0..8", 13, []float64{0, 1, 2, 3, 4, 5, 6, 7, 8}},
		{length, "1ms..10s", 5, []float64{1, 10, 100, 1000, 10000}},
		{length, "1ms..10s", 2, []float64{1, 10000}},
		{memory, "20MB..2GB", 3, []float64{20, 200, 2000}},
	} {
		r, err := c.p.Range(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Points(c.n); !slices.Equal(got, c.want) {
			t.Errorf("%s in %d: %v, want %v", c.text, c.n, got, c.want)
		}
	}
}

// FuzzRange: whatever is typed is refused in words or gives points that ascend
// from one end to the other.
func FuzzRange(f *testing.F) {
	for _, text := range []string{"1..1000", "0..8", "1ms..10s", "20MB..2GB", "10..1", "..", "NaN..1", "1/s..2/h", "1us..2us", "0..500ms"} {
		f.Add(text, 13)
	}
	f.Fuzz(func(t *testing.T, text string, n int) {
		n = 2 + int(uint(n)%(MostPoints-1))
		for _, p := range []*Parameter{jobs, spares, length, memory, rate} {
			r, err := p.Range(text)
			if err != nil {
				if strings.TrimSpace(err.Error()) == "" {
					t.Fatalf("%s=%q: refused without a word", p.Name, text)
				}
				continue
			}
			points := r.Points(n)
			if len(points) < 2 || len(points) > n || points[0] != r.From || points[len(points)-1] != r.To {
				t.Fatalf("%s=%q in %d: %v", p.Name, text, n, points)
			}
			for i, v := range points {
				if math.IsNaN(v) || v < p.Least || v > p.Most || i > 0 && v <= points[i-1] {
					t.Fatalf("%s=%q in %d: %v", p.Name, text, n, points)
				}
				if p.Kind == Whole && v != math.Trunc(v) {
					t.Fatalf("%s=%q in %d: %v is not whole", p.Name, text, n, v)
				}
			}
		}
	})
}
