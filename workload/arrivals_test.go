package workload

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// due is the first n due times of a plan.
func due(a Arrivals, seed uint64, n int) []time.Duration {
	var list []time.Duration
	for d := range a.Due(seed) {
		if len(list) == n {
			break
		}
		list = append(list, d)
	}
	return list
}

func mustParseArrivals(t testing.TB, spec string) Arrivals {
	t.Helper()
	a, err := ParseArrivals(spec)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestParseArrivals(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	path := filepath.Join(t.TempDir(), "a:b.txt")
	if err := os.WriteFile(path, []byte("1\n2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		spec string
		want []time.Duration
	}{
		{"burst", []time.Duration{0, 0, 0, 0}},
		{"rate:200", []time.Duration{0, 5 * ms, 10 * ms, 15 * ms}},
		{"rate:200/s", []time.Duration{0, 5 * ms, 10 * ms, 15 * ms}},
		{"rate:12/m", []time.Duration{0, 5 * s, 10 * s, 15 * s}},
		{"rate:1/h", []time.Duration{0, time.Hour, 2 * time.Hour, 3 * time.Hour}},
		{"rate:0.5", []time.Duration{0, 2 * s, 4 * s, 6 * s}},
		{"rate:1e7/s", []time.Duration{0, 100, 200, 300}},
		{" rate:3 ", []time.Duration{0, 333333333, 666666667, s}},
		{"trace:" + path, []time.Duration{s, 2 * s, 3 * s, 4 * s}},
	} {
		a := mustParseArrivals(t, test.spec)
		equal(t, test.spec, due(a, 1, 4), test.want)
		equal(t, test.spec+" with another seed", due(a, 2, 4), test.want)
		if got := a.String(); got != strings.TrimSpace(test.spec) {
			t.Errorf("%q is written %q", test.spec, got)
		}
	}
}

func TestParseArrivalsErrors(t *testing.T) {
	for _, test := range []struct{ spec, want string }{
		{"", `unknown plan ""; the plans are burst, rate:N, poisson:N, trace:FILE`},
		{"poison:3", `arrivals "poison:3": unknown plan "poison"; did you mean poisson:N?`},
		{"Burst", `did you mean burst?`},
		{"burst:3", `burst takes nothing after its name`},
		{"rate", `"" is not a rate: give a number of jobs per s, m or h, as in rate:200/s`},
		{"rate:fast", `"fast" is not a rate`},
		{"rate:3/d", `"3/d" is not a rate`},
		{"rate:3/", `"3/" is not a rate`},
		{"rate:inf", `"inf" is not a rate`},
		{"rate:NaN/s", `is not a rate`},
		{"poisson:0x10", `is not a rate: give a number of jobs per s, m or h, as in poisson:200/s`},
		{"poisson:0", `a rate of 0: must be more than 0, as in poisson:200/s`},
		{"rate:-5/m", `a rate of -5/m: must be more than 0`},
		{"rate:0.9/h", `a rate of 0.9/h: must be at least 1/h`},
		{"rate:1e-400", `must be more than 0`},
		{"rate:1e8", `a rate of 1e8: must be at most 10000000/s, as in rate:200/s; burst is for all at once`},
		{"rate:1e999", `must be at most 10000000/s`},
		{"trace", `needs the name of a file, as in trace:arrivals.txt`},
		{"trace:/no/such/file", `/no/such/file: no such file or directory`},
		{"trace:/", `is a directory`},
		{"rate:" + strings.Repeat("1", 5000), `longer than 4096 bytes`},
	} {
		a, err := ParseArrivals(test.spec)
		if err == nil {
			t.Errorf("ParseArrivals(%q) = %v, want an error", test.spec, a)
			continue
		}
		if a != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("ParseArrivals(%q): %v\nwant in it: %s", test.spec, err, test.want)
		}
	}
	if _, err := ParseArrivals("trace:/no/such/file"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v does not wrap %v", err, fs.ErrNotExist)
	}
}

// TestRateDoesNotDrift looks at a job a day into a run.
func TestRateDoesNotDrift(t *testing.T) {
	a := mustParseArrivals(t, "rate:7/s")
	const n = 7 * 86400
	if got := due(a, 1, n+1)[n]; got != 24*time.Hour {
		t.Errorf("job %d is due at %v, want 24h", n, got)
	}
}

// TestPoisson checks the distribution of the gaps at one seed: mean, variance
// and independence, at five standard errors.
func TestPoisson(t *testing.T) {
	const n, mean = 200_000, 0.005
	for _, seed := range []uint64{0, 1, 2} {
		a := mustParseArrivals(t, "poisson:200/s")
		times := due(a, seed, n)
		if !slices.IsSorted(times) || times[0] <= 0 {
			t.Fatalf("seed %d: the times begin %v and do not ascend", seed, times[:5])
		}
		equal(t, "the same seed again", due(a, seed, 100), times[:100])
		if slices.Equal(due(a, seed+1, 100), times[:100]) {
			t.Errorf("seeds %d and %d have the same times", seed, seed+1)
		}
		var sum, squares, products, last float64
		before := time.Duration(0)
		for _, d := range times {
			gap := (d-before).Seconds()/mean - 1
			sum, squares, products = sum+gap, squares+gap*gap, products+gap*last
			before, last = d, gap
		}
		// In units of the mean an exponential gap has variance 1, and its square
		// deviation has variance 8.
		root := math.Sqrt(n)
		for what, z := range map[string]float64{
			"mean":            sum / root,
			"variance":        (squares - n) / (root * math.Sqrt(8)),
			"autocorrelation": products / root,
		} {
			if math.Abs(z) > 5 {
				t.Errorf("seed %d: the %s of the gaps is %.1f standard errors off", seed, what, z)
			}
		}
	}
}

func TestReadTrace(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	for _, test := range []struct {
		name, file string
		want       []time.Duration
	}{
		{"seconds", "0\n0.25\n1\n1e1\n", []time.Duration{0, 250 * ms, s, 10 * s}},
		{"durations", "0s\n250ms\n1m30s\n2h\n", []time.Duration{0, 250 * ms, 90 * s, 2 * time.Hour}},
		{"both, comments, blanks", "# start\n\n  0.5 \r\n#\n500ms\n1s", []time.Duration{500 * ms, 500 * ms, s}},
		{"repeated at its rate", "0\n1\n2\n", []time.Duration{0, s, 2 * s, 3 * s, 4 * s, 5 * s, 6 * s}},
		{"repeated without its start", "10\n11\n", []time.Duration{10 * s, 11 * s, 12 * s, 13 * s, 14 * s}},
		{"one time", "3\n", []time.Duration{3 * s, 3 * s, 3 * s}},
		{"one moment", "3\n3\n3\n", []time.Duration{3 * s, 3 * s, 3 * s, 3 * s}},
		{"to the nanosecond", "0.000000001\n1.9999999999\n", []time.Duration{1, 2 * s}},
		{"a year", "8784h\n", []time.Duration{maxTraceLater}},
	} {
		a, err := ReadTrace(strings.NewReader(test.file), "f")
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		equal(t, test.name, due(a, 1, len(test.want)), test.want)
	}
}

// TestTraceGoesOn repeats a trace until the durations run out.
func TestTraceGoesOn(t *testing.T) {
	a, err := ReadTrace(strings.NewReader("0\n8784h\n"), "f")
	if err != nil {
		t.Fatal(err)
	}
	times := due(a, 1, 1000)
	if last := times[len(times)-1]; !slices.IsSorted(times) || last != math.MaxInt64 {
		t.Errorf("the last of them is %v; ascending: %t", last, slices.IsSorted(times))
	}
}

func TestReadTraceErrors(t *testing.T) {
	for _, test := range []struct{ file, want string }{
		{"", "f: no time in the file: it needs one on each line, as in 0.25 or 250ms"},
		{"# nothing\n\n", "f: no time in the file"},
		{"1\n\nsoon\n", `f:3: "soon" is not a time: give seconds or a duration, as in 0.25 or 250ms`},
		{"nan\n", `f:1: "nan" is not a time`},
		{"0x10\n", `f:1: "0x10" is not a time`},
		{"1\n-1\n", `f:2: -1 is before the start of work: a time is at least 0`},
		{"-1ms\n", `f:1: -1ms is before the start of work`},
		{"-1e-30\n", `f:1: -1e-30 is before the start of work`},
		{"1\n# a comment\n999ms\n", `f:3: 999ms is before the line above it (1s): the times must ascend`},
		{"8785h\n", `f:1: 8785h is later than a year: a time is at most 31622400s`},
		{"1e300\n", `f:1: 1e300 is later than a year`},
		{"1e999\n", `f:1: 1e999 is later than a year`},
		{strings.Repeat("1", 2000), `f:1: the line is longer than 1024 bytes`},
	} {
		a, err := ReadTrace(strings.NewReader(test.file), "f")
		if err == nil {
			t.Errorf("ReadTrace(%q) = %v, want an error", test.file, a)
			continue
		}
		if a != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("ReadTrace(%q): %v\nwant in it: %s", test.file, err, test.want)
		}
	}
	if _, err := ReadTrace(strings.NewReader(""), "f"); !errors.Is(err, ErrNoTrace) {
		t.Errorf("%v does not wrap %v", err, ErrNoTrace)
	}
}

func FuzzParseArrivals(f *testing.F) {
	for _, spec := range []string{"burst", "rate:200/s", "poisson:12/m", "rate:1e-3", "poisson:0x1p-1"} {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		if strings.HasPrefix(strings.TrimSpace(spec), "trace:") {
			t.Skip("files are for FuzzReadTrace")
		}
		a, err := ParseArrivals(spec)
		if (a == nil) == (err == nil) {
			t.Fatalf("ParseArrivals(%q) = %v, %v", spec, a, err)
		}
		if err == nil {
			checkPlan(t, a)
			if _, err := ParseArrivals(a.String()); err != nil {
				t.Errorf("ParseArrivals(%q), a plan's own string: %v", a, err)
			}
		}
	})
}

func FuzzReadTrace(f *testing.F) {
	f.Add("0\n0.5\n1s\n")
	f.Add("# x\n\n1e3\r\n8784h")
	f.Fuzz(func(t *testing.T, file string) {
		a, err := ReadTrace(strings.NewReader(file), "f")
		if (a == nil) == (err == nil) {
			t.Fatalf("%v, %v", a, err)
		}
		if err == nil {
			checkPlan(t, a)
		}
	})
}

// checkPlan checks what holds for every plan.
func checkPlan(t *testing.T, a Arrivals) {
	t.Helper()
	times := due(a, 1, 50)
	if len(times) != 50 || times[0] < 0 || !slices.IsSorted(times) {
		t.Errorf("%v: the times are %v", a, times)
	}
}
