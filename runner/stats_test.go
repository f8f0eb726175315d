package runner

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"forkbench/internal/stats"
)

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-5*max(math.Abs(a), math.Abs(b)) }

// The quantiles of Student's t are from the usual tables.
func TestInterval(t *testing.T) {
	logNormal := func(n int, quantile float64) (xs []float64, low, high float64) {
		// Values e^1 … e^n: their logarithms have a mean of (n+1)/2 and a
		// variance of n(n+1)/12.
		for i := range n {
			xs = append(xs, math.Exp(float64(i+1)))
		}
		f := float64(n)
		half := quantile * math.Sqrt(f*(f+1)/12) / math.Sqrt(f)
		return xs, math.Exp((f+1)/2 - half), math.Exp((f+1)/2 + half)
	}
	for n, quantile := range map[int]float64{2: 12.70620474, 3: 4.30265273, 4: 3.18244631, 5: 2.77644511} {
		xs, low, high := logNormal(n, quantile)
		got := interval(xs)
		if got.Low == nil || got.High == nil || !near(*got.Low, low) || !near(*got.High, high) {
			t.Errorf("%d rounds: %+v, want [%v, %v]", n, got, low, high)
		}
	}
	// Six rounds: all of them, by order statistics. Nine: the 2nd to the 8th.
	for _, c := range []struct {
		n         int
		low, high float64
	}{{6, 1, 6}, {9, 2, 8}} {
		var xs []float64
		for i := range c.n {
			xs = append(xs, float64(c.n-i))
		}
		got := interval(xs)
		if got.Low == nil || got.High == nil || *got.Low != c.low || *got.High != c.high {
			t.Errorf("%d rounds: %+v, want [%v, %v]", c.n, got, c.low, c.high)
		}
	}
}

func TestIntervalThatDoesNotExist(t *testing.T) {
	for _, xs := range [][]float64{nil, {5}, {0, 1, 2}, {-1, 1}, {math.SmallestNonzeroFloat64, math.MaxFloat64}} {
		if got := interval(xs); got.Low != nil || got.High != nil || math.IsNaN(got.Median) {
			t.Errorf("interval(%v) = %+v", xs, got)
		}
	}
}

func TestIdenticalRounds(t *testing.T) {
	for n := 2; n < 8; n++ {
		xs := slices.Repeat([]float64{0.1}, n)
		got := interval(xs)
		if got.Median != 0.1 || got.Low == nil || !near(*got.Low, 0.1) || !near(*got.High, 0.1) {
			t.Errorf("%d identical rounds: %+v", n, got)
		}
		if r, low, high, p := parts(ratio(xs, xs, stats.Median[float64])); r != 1 || low == nil || *low != 1 || *high != 1 || *p != 1 {
			t.Errorf("%d rounds against themselves: %v [%v, %v], p %v", n, r, low, high, p)
		}
		twice := slices.Repeat([]float64{0.2}, n)
		if r, low, high, p := parts(ratio(twice, xs, stats.Median[float64])); r != 2 || !near(*low, 2) || !near(*high, 2) || *p > 1e-6 {
			t.Errorf("%d rounds against half of them: %v [%v, %v], p %v", n, r, *low, *high, *p)
		}
	}
}

// parts are those of a difference.
func parts(d difference) (r float64, low, high, p *float64) { return d.ratio, d.low, d.high, d.p }

func TestRatio(t *testing.T) {
	// Logarithms of the ratios: ln 2 and ln 8, mean ln 4, deviation ln 4 / √2,
	// so t = 2 with one degree of freedom: p = 1 - 2/π·atan 2 = 0.2952.
	r, low, high, p := parts(ratio([]float64{2, 8}, []float64{1, 1}, stats.Median[float64]))
	half := 12.70620474 * math.Log(4) / 2
	if r != 5 || !near(*low, 4*math.Exp(-half)) || !near(*high, 4*math.Exp(half)) || !near(*p, 1-2/math.Pi*math.Atan(2)) {
		t.Errorf("ratio %v [%v, %v], p %v", r, *low, *high, *p)
	}
	if r, low, high, p := parts(ratio([]float64{6}, []float64{2}, stats.Median[float64])); r != 3 || low != nil || high != nil || p != nil {
		t.Errorf("one round: %v [%v, %v], p %v", r, low, high, p)
	}
	// Simulated, the centre is the middle of the interval.
	if r, _, _, _ := parts(ratio([]float64{2, 8}, []float64{1, 1}, geometricMean)); !near(r, 4) {
		t.Errorf("geometric mean of 2 and 8: %v", r)
	}
	// Pairing takes out what rounds have in common.
	if _, _, _, p := parts(ratio([]float64{100, 300, 900}, []float64{91, 270, 830}, stats.Median[float64])); *p >= 0.01 {
		t.Errorf("a steady 10 %% between unsteady rounds: p %v", *p)
	}
}

// For whatever was measured: the median lies within, nothing is NaN, and the
// interval of a ratio says the same as its p-value.
func TestIntervalProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		n := 2 + random.IntN(12)
		as, bs := make([]float64, n), make([]float64, n)
		for i := range as {
			as[i] = math.Exp(5 * random.NormFloat64())
			bs[i] = as[i] * math.Exp(random.NormFloat64()+0.5)
			if random.IntN(4) == 0 { // one far out
				as[i] *= 1000
			}
		}
		i := interval(as)
		if i.Low != nil && (*i.Low > i.Median || *i.High < i.Median || math.IsNaN(*i.Low+*i.High)) {
			t.Fatalf("interval(%v) = %v [%v, %v]", as, i.Median, *i.Low, *i.High)
		}
		r, low, high, p := parts(ratio(as, bs, stats.Median[float64]))
		if p == nil || math.IsNaN(*p) || *p < 0 || *p > 1 {
			t.Fatalf("ratio(%v, %v): p %v", as, bs, p)
		}
		if low == nil {
			continue
		}
		if *low > r || *high < r {
			t.Fatalf("ratio(%v, %v) = %v [%v, %v]", as, bs, r, *low, *high)
		}
		if differs := *low > 1 || *high < 1; differs && *p >= alpha {
			t.Fatalf("ratio(%v, %v): [%v, %v], but p %v", as, bs, *low, *high, *p)
		}
	}
}

// Quantiles of a known distribution, and no p99 above the maximum.
func TestDist(t *testing.T) {
	var d, e, both dist
	if d.median() != 0 || d.count() != 0 || d.cumulative() != nil || d.quantiles() != (Quantiles{}) {
		t.Error("an empty distribution has values")
	}
	for i := range 1000 {
		v := time.Duration(i+1) * 12345 * time.Nanosecond
		if i%2 == 0 {
			d.add(v)
		} else {
			e.add(v)
		}
	}
	both.merge(&dist{})
	both.merge(&d)
	both.merge(&e)
	if d.count() != 500 || both.count() != 1000 {
		t.Errorf("%d and %d values, want 500 and 1000", d.count(), both.count())
	}
	q := both.quantiles()
	for _, c := range []struct{ got, want float64 }{{q.P50, 6.1725}, {q.P95, 11.72775}, {q.P99, 12.22155}} {
		if math.Abs(c.got-c.want) > 0.001*c.want {
			t.Errorf("quantile %v, want %v", c.got, c.want)
		}
	}
	if q.Max != 12.345 {
		t.Errorf("maximum %v, want 12.345 exactly", q.Max)
	}
	var one dist
	one.add(1_234_567)
	if q := one.quantiles(); q.P99 != 1.234567 || q.P50 != 1.234567 {
		t.Errorf("of one value: %+v", q)
	}
	one.add(100 * time.Hour)
	one.add(-time.Hour)
	if q := one.quantiles(); q.Max != 360e6 || math.Abs(q.P50-1.234567) > 0.001 || one.count() != 3 {
		t.Errorf("beyond the range: %+v", q)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1.00", 4.199: "4.20", 25.34: "25.3", 253.4: "253", 2534: "2,534", 25310: "25,310", 1234567.8: "1,234,568",
		0.468: "0.468", 0.0651: "0.065", 0.0012: "0.0012", 0.00004321: "0.000043", -0.0246: "−0.025", -1234: "−1,234",
		1e-12: "0", 1e-300: "0",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}

// Every model begins, and ends, equally often, and follows each other one.
func TestOrder(t *testing.T) {
	for models := 1; models <= 6; models++ {
		rounds := 2 * models
		place := make([][]int, models)
		for i := range place {
			place[i] = make([]int, models)
		}
		for round := range rounds {
			order := Order(models, round)
			sorted := slices.Sorted(slices.Values(order))
			for i, m := range sorted {
				if i != m {
					t.Fatalf("%d models, round %d: %v is no order", models, round, order)
				}
			}
			for at, m := range order {
				place[m][at]++
			}
		}
		for m, at := range place {
			for i, n := range at {
				if n != 2 {
					t.Errorf("%d models: model %d is in place %d in %d of %d rounds", models, m, i, n, rounds)
				}
			}
		}
	}
	// The usual three rounds of three models: each begins once.
	first := []int{Order(3, 0)[0], Order(3, 1)[0], Order(3, 2)[0]}
	if slices.Sort(first); !slices.Equal(first, []int{0, 1, 2}) {
		t.Errorf("first in three rounds: %v", first)
	}
	if got := [][]int{Order(2, 0), Order(2, 1), Order(2, 2), Order(2, 3)}; !slices.EqualFunc(got, [][]int{{0, 1}, {1, 0}, {1, 0}, {0, 1}}, slices.Equal) {
		t.Errorf("two models: %v, want ABBA", got)
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"two\nlines\tand  spaces ": "two lines and spaces",
		"\x1b[31mred\x1b[0m\x07":   "\x1b[31mred\x1b[0m\x07",
		"bad \xff\xfe UTF-8":       "bad \uFFFD\uFFFD UTF-8",
		"é × 日本":                   "é × 日本",
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
	if got := []rune(plain(string(make([]rune, 5000)))); len(got) != maxPlain {
		t.Errorf("%d characters of 5000, want %d", len(got), maxPlain)
	}
}

// TestTellsSame: no difference that matters is found, and not the want of a
// difference that is found.
func TestTellsSame(t *testing.T) {
	around := func(ratio, spread float64) []float64 {
		return []float64{ratio / spread, ratio, ratio * spread, ratio / spread, ratio, ratio * spread}
	}
	ones := slices.Repeat([]float64{1}, 6)
	for _, c := range []struct {
		name         string
		as           []float64
		same, differ bool
	}{
		{"equal", around(1, 1.01), true, false},
		{"a difference that is found, and does not matter", around(1.02, 1.005), true, false},
		{"a difference that matters", around(1.2, 1.01), false, true},
		{"nobody knows", around(1, 1.5), false, false},
		{"around what matters", around(1.04, 1.08), false, false},
	} {
		for how, d := range map[string]difference{"paired": ratio(c.as, ones, stats.Median[float64]), "in blocks": unpairedRatio(logs(c.as), logs(ones))} {
			all := []Comparison{{Metric: MetricDone}}
			all[0].set(d)
			correct(all)
			if x := &all[0]; x.Same != c.same || x.differs() != c.differ {
				t.Errorf("%s, %s: same %t, differs %t, want %t, %t: %+v", c.name, how, x.Same, x.differs(), c.same, c.differ, x)
			}
		}
	}
}

// TestCorrected: of several pairs, the least p-value counts for as many as there are.
func TestCorrected(t *testing.T) {
	all := []Comparison{
		{Metric: MetricDone, P: new(0.03)}, {Metric: MetricDone, P: new(0.01)}, {Metric: MetricDone, P: new(0.02)}, {Metric: MetricDone},
		{Metric: MetricCPU, P: new(0.04)},
	}
	correct(all)
	for i, want := range []float64{0.04, 0.03, 0.04, 0, 0.04} {
		got := 0.0
		if c := all[i].Corrected; c != nil {
			got = *c
		}
		if !near(got, want) {
			t.Errorf("p %v of %s is corrected to %v, want %v", all[i].P, all[i].Metric, got, want)
		}
	}
}

// TestMoreRounds: how many times as many would tell, by the square of how much
// narrower the interval has to be.
func TestMoreRounds(t *testing.T) {
	interval := func(ratio, half float64) *Comparison {
		return &Comparison{Ratio: ratio, Low: new(ratio / half), High: new(ratio * half)}
	}
	for _, c := range []struct {
		of   *Comparison
		want float64
	}{
		{interval(1.2, 1.44), 4},  // to tell a difference of 20 % from none
		{interval(1, 1.1025), 4},  // to tell that there is none that matters
		{interval(1.2, 1.201), 2}, // at least
		{&Comparison{Ratio: 1.2}, 0},
	} {
		if got := c.of.moreRounds(); got != c.want {
			t.Errorf("%v times as many, want %v", got, c.want)
		}
	}
}
