package plots

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"gonum.org/v1/plot/vg"
)

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.00001: "1e-05", 0.0412: "0.0412", 0.9999: "1.00", 1: "1.00", 9.996: "10.0", 41.23: "41.2", 99.96: "100",
		412: "412", 999.6: "1,000", 1234.4: "1,234", 9999.4: "9,999", 9999.6: "10.0k", 12345: "12.3k", 999_900: "1.00M",
		1.25e6: "1.25M", 3e9: "3.00G", 7.5e12: "7.50T", 1e15: "1e+15", -41.23: "−41.2", math.Inf(1): "?",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
	if got := number(math.NaN()); got != "?" {
		t.Errorf("number(NaN) = %q", got)
	}
}

func TestSmallNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.0004: "<0.001", 0.0028: "0.0028", 0.08: "0.08", 0.997: "1", 1.5: "1.50", 59.2: "59.2"} {
		if got := brief(v); got != want {
			t.Errorf("brief(%v) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{0.5: "0.5", 20: "20", 5000: "5,000", 10_000: "10k", 2e6: "2M", 1e-6: "1e-06", 0.1 + 0.2: "0.3"} {
		if got := roundNumber(v); got != want {
			t.Errorf("roundNumber(%v) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{0.25: "250 µs", 1: "1.00 ms", 62.4: "62.4 ms", 999.4: "999 ms", 999.9: "1.00 s", 102_000: "102 s"} {
		if got := millis(v); got != want {
			t.Errorf("millis(%v) = %q, want %q", v, got, want)
		}
	}
}

func labels(ticks []tick) string {
	var s []string
	for _, t := range ticks {
		s = append(s, t.label)
	}
	return strings.Join(s, " ")
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		want   string
	}{
		{0, 1, "0 0.2 0.4 0.6 0.8 1.0"},
		{0, 61.9, "0 20 40 60"},
		{0, 2298, "0 500 1,000 1,500 2,000"},
		{0, 25_000, "0 5k 10k 15k 20k 25k"},
		{0, 1.3e6, "0 0.5M 1.0M"},
		{-700, 160, "−600 −400 −200 0"},
		{0, 0.0031, "0 0.001 0.002 0.003"},
		{0, 1e200, "0 2e+199 4e+199 6e+199 8e+199 1e+200"},
		{5, 5, ""},
		{0, math.NaN(), ""},
	} {
		if got := labels(linearTicks(c.lo, c.hi, 6)); got != c.want {
			t.Errorf("linearTicks(%v, %v) = %s, want %s", c.lo, c.hi, got, c.want)
		}
	}
	for _, c := range []struct {
		lo, hi float64
		want   string
	}{
		{8, 17_000, "10 ms 100 ms 1 s 10 s"},
		{8, 900, "10 ms 20 ms 50 ms 100 ms 200 ms 500 ms"},
		{36, 85, "40 ms 50 ms 60 ms 70 ms 80 ms"},
		{0.05, 3, "50 µs 100 µs 200 µs 500 µs 1 ms 2 ms"},
		{0.001, 1e9, "10 µs 1 ms 100 ms 10 s 1,000 s 100k s"},
	} {
		if got := labels(logTicks(c.lo, c.hi, shortMillis)); got != c.want {
			t.Errorf("logTicks(%v, %v) = %s, want %s", c.lo, c.hi, got, c.want)
		}
	}
}

func TestScales(t *testing.T) {
	log := logScale{1, 100}
	for v, want := range map[float64]float64{0: 0, -5: 0, 1: 0, 10: 0.5, 100: 1} {
		diff(t, "log", want, log.at(v))
	}
	lin := linearScale{-50, 50}
	for v, want := range map[float64]float64{-50: 0, 0: 0.5, 50: 1} {
		diff(t, "linear", want, lin.at(v))
	}
}

func TestWrap(t *testing.T) {
	for _, s := range []string{
		"prefork", "hybrid jobs-per-child=100 spares=8", strings.Repeat("x", 400), "", "  a   b ",
		strings.Repeat("MODULE:FUNCTION,", 40), "é" + strings.Repeat("日本", 100), strings.Repeat("two words ", 60),
	} {
		for _, limit := range []int{1, 2, 3, 100} {
			lines := normal.wrap(s, 100, limit)
			if len(lines) > limit {
				t.Errorf("%q in %d lines, limit %d", s, len(lines), limit)
			}
			for _, l := range lines {
				if w := normal.width(l); w > 100 {
					t.Errorf("line %q is %v wide", l, w)
				}
				if !utf8.ValidString(l) {
					t.Errorf("line %q is cut within a rune", l)
				}
			}
			if limit == 100 && strings.Join(strings.Fields(strings.Join(lines, "")), "") != strings.Join(strings.Fields(s), "") {
				t.Errorf("%q lost text: %q", s, lines)
			}
		}
	}
	diff(t, "at spaces", []string{"hybrid", "jobs-per-child=100"}, strong.wrap("hybrid jobs-per-child=100", 110, 3))
	diff(t, "after punctuation", []string{"hybrid-jobs-per-", "child=100"}, strong.wrap("hybrid-jobs-per-child=100", 90, 3))
	if got := normal.shorten("hybrid jobs-per-child=100", 80); !strings.HasPrefix(got, "hybrid") || !strings.HasSuffix(got, "=100") || !strings.Contains(got, "…") {
		t.Errorf("shortened to %q: want the beginning and the end", got)
	}
}

func TestClean(t *testing.T) {
	for s, want := range map[string]string{
		"plain": "plain", "a\t\nb  c": "a b c", "\x00\x1b": `\u0000\u001b`, "a\u202eb": `a\u202eb`, "\xff": "\ufffd", "\uffff": "\ufffd", "<&>": "<&>", "予約": "予約",
	} {
		if got := clean(s); got != want {
			t.Errorf("clean(%q) = %q, want %q", s, got, want)
		}
	}
}

// TestContrast holds coloured text to WCAG's contrast of 4.5:1.
func TestContrast(t *testing.T) {
	contrast := func(a, b float64) float64 { return (math.Max(a, b) + 0.05) / (math.Min(a, b) + 0.05) }
	for i := range modelStyles {
		if c := contrast(luminance(inkOf(styleOf(i).color)), 1); c < 4.5 {
			t.Errorf("name of model %d: contrast %v", i, c)
		}
	}
	for ph := range phases {
		ground := ph.fill().color
		if c := contrast(luminance(onTop(ground)), luminance(ground)); c < 4.5 {
			t.Errorf("%s on its block: contrast %v", ph, c)
		}
	}
}

func TestPlaceLabels(t *testing.T) {
	area := vg.Rectangle{Max: vg.Point{X: 400, Y: 200}}
	flat := func(y vg.Length) []vg.Point { return []vg.Point{{X: 0, Y: y}, {X: 400, Y: y}} }
	paths := [][]vg.Point{flat(50), flat(150)}
	got := placeLabels(area, paths, nil, []string{"low", "high"}, strong)
	if len(got) != 2 {
		t.Fatal("there is room for two names")
	}
	for i, l := range got {
		own, other := paths[i][0].Y, paths[1-i][0].Y
		mid := (l.box.Min.Y + l.box.Max.Y) / 2
		if math.Abs(float64(mid-own)) > math.Abs(float64(mid-other)) {
			t.Errorf("%s is nearer to the other line", l.text)
		}
		if touches(paths[0], l.box) || touches(paths[1], l.box) || !inside(area, l.box) {
			t.Errorf("%s is at %v", l.text, l.box)
		}
	}
	// An obstacle of one path keeps others' names off, but not its own.
	fence := flat(58)
	if got := placeLabels(area, paths, [][]vg.Point{fence, nil}, []string{"low", "high"}, strong); len(got) != 2 {
		t.Error("a path's own obstacle is in its way")
	}
	if got := placeLabels(vg.Rectangle{Max: vg.Point{X: 400, Y: 60}}, [][]vg.Point{flat(20), flat(30), flat(40)}, nil, []string{"a", "b", "c"}, strong); got != nil {
		t.Errorf("there is no room, yet %v", got)
	}
}

// A line without points has no place for its name, and takes none from others.
func TestPlaceLabelsOfEmptyPaths(t *testing.T) {
	area := vg.Rectangle{Max: vg.Point{X: 400, Y: 200}}
	flat := []vg.Point{{X: 0, Y: 100}, {X: 400, Y: 100}}
	got := placeLabels(area, [][]vg.Point{nil, flat, {}}, nil, []string{"none", "flat", "empty"}, strong)
	if len(got) != 1 || got[0].path != 1 || got[0].text != "flat" {
		t.Errorf("labels %v, want only that of path 1", got)
	}
	if got := placeLabels(area, [][]vg.Point{nil}, nil, []string{"none"}, strong); got == nil || len(got) != 0 {
		t.Errorf("labels %v: no path is no lack of room", got)
	}
	if got := pointAlong(nil, 0.5); got != (vg.Point{}) {
		t.Errorf("along nothing: %v", got)
	}
}
