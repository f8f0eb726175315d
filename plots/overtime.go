package plots

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"forkbench/internal/stats"
)

// spread is the difference between the longest and the shortest run above which
// runs are drawn against their own lengths, lest the short ones be a stroke at
// the left edge.
const spread = 20

// timeAxis is the axis of the time since work began, in the unit that suits it.
func timeAxis(lo, hi float64) (axis, timeUnit) {
	u := unitFor(math.Max(-lo, hi))
	lo, hi = lo/u.millis, hi/u.millis
	return axis{linearScale{lo, hi}, linearTicks(lo, hi, 8), "time since the start of work (" + u.name + ")"}, u
}

var ownTimeAxis = axis{
	scale: linearScale{0, 100},
	ticks: linearTicks(0, 100, 5),
	label: "share of the model's own run (%)",
}

// setTime gives the chart its time axis and brings its lines, which are in
// milliseconds, to it. lengths are the lines' ends of work.
func (lc *lineChart) setTime(lengths []float64) {
	shortest, longest := slices.Min(lengths), slices.Max(lengths)
	if longest > spread*shortest {
		lc.x, lc.zero = ownTimeAxis, false
		var note strings.Builder
		note.WriteString("Each line is drawn against the length of its own run:")
		for i := range lc.lines {
			lc.lines[i].rescale(lengths[i] / 100)
			lc.lines[i].from(0)
			note.WriteString(" " + small.shorten(lc.lines[i].model, 220) + " " + millis(lengths[i]) + ",")
		}
		lc.remarks = append(lc.remarks, note.String()[:len(note.String())-1]+".")
		return
	}
	for i := range lc.lines {
		lc.lines[i].from(-longest) // at most as much start-up as work
	}
	x, _ := lc.bounds()
	var u timeUnit
	lc.x, u = timeAxis(math.Min(x.lo, 0), math.Max(x.hi, longest))
	lc.zero = x.lo < 0
	for i := range lc.lines {
		lc.lines[i].rescale(u.millis)
	}
}

// rescale divides the line's x values.
func (l *line) rescale(by float64) {
	for i := range l.points {
		l.points[i].x /= by
	}
	for i := range l.band {
		l.band[i].x /= by
	}
	for i := range l.marks {
		l.marks[i].x /= by
	}
}

// from drops what is before x, unless that is everything.
func (l *line) from(x float64) {
	if len(l.points) == 0 || l.points[len(l.points)-1].x < x {
		return
	}
	l.points = slices.DeleteFunc(l.points, func(p xy) bool { return p.x < x })
	l.band = slices.DeleteFunc(l.band, func(b band) bool { return b.x < x })
	l.marks = slices.DeleteFunc(l.marks, func(p xy) bool { return p.x < x })
}

// merge is the median of the curves and their range, on a grid of times from
// where at least half of them have begun to where half of them have ended. It is
// empty where no curve reaches there: two curves of a point each, say.
func merge(curves [][]xy) ([]xy, []band) {
	if len(curves) == 1 {
		return thin(slices.Clone(curves[0]), maxPoints), nil
	}
	var starts, ends []float64
	for _, c := range curves {
		starts, ends = append(starts, c[0].x), append(ends, c[len(c)-1].x)
	}
	const steps = 200
	lo, hi := stats.Median(starts), stats.Median(ends)
	var pts []xy
	var bands []band
	for i := range steps + 1 {
		x := lo + (hi-lo)*float64(i)/steps
		var ys []float64
		for _, c := range curves {
			if y, ok := interpolate(c, x); ok {
				ys = append(ys, y)
			}
		}
		if len(ys) == 0 {
			continue
		}
		pts = append(pts, xy{x, stats.Median(ys)})
		bands = append(bands, band{x, slices.Min(ys), slices.Max(ys)})
		if hi <= lo {
			break
		}
	}
	if len(pts) < 2 {
		bands = nil
	}
	return pts, bands
}

// fewPoints is up to how many points a curve has few: what is between them is not known,
// and of two such curves there is no time that both reach.
const fewPoints = 4

// few reports whether most of the curves have few points.
func few(curves [][]xy) bool {
	var lengths []float64
	for _, c := range curves {
		lengths = append(lengths, float64(len(c)))
	}
	return stats.Median(lengths) <= fewPoints
}

// pool is the points of all curves, and a line through the medians of those that are
// next to each other.
func pool(curves [][]xy) (line, all []xy) {
	all = slices.Concat(curves...)
	slices.SortStableFunc(all, func(a, b xy) int { return cmp.Compare(a.x, b.x) })
	const most = 12
	groups := min(max(len(all)/5, min(len(all), 2)), most)
	for g := range groups {
		var xs, ys []float64
		for _, p := range all[len(all)*g/groups : len(all)*(g+1)/groups] {
			xs, ys = append(xs, p.x), append(ys, p.y)
		}
		line = append(line, xy{stats.Median(xs), stats.Median(ys)})
	}
	return line, thin(all, 60)
}

// interpolate reads a curve at x, if it reaches there.
func interpolate(c []xy, x float64) (float64, bool) {
	i, exact := slices.BinarySearchFunc(c, x, func(p xy, x float64) int {
		switch {
		case p.x < x:
			return -1
		case p.x > x:
			return 1
		}
		return 0
	})
	switch {
	case exact:
		return c[i].y, true
	case i == 0 || i == len(c):
		return 0, false
	}
	f := (x - c[i-1].x) / (c[i].x - c[i-1].x)
	return c[i-1].y + f*(c[i].y-c[i-1].y), true
}
