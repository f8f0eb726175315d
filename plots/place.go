package plots

import (
	"math"

	"gonum.org/v1/plot/vg"
)

// A label is a text with its place, beside the path of an index.
type label struct {
	path int
	text string
	box  vg.Rectangle
}

const labelPad = vg.Length(1.5)

// placeLabels puts a name beside each path within area, so that no name lies
// on a path or on another name, and none is nearer to another path than to its
// own. The i-th obstacle belongs to the i-th path, whose name may lie on it. A path
// without points gets no label. It returns nil if there is no room for all names.
func placeLabels(area vg.Rectangle, paths, obstacles [][]vg.Point, names []string, t textStyle) []label {
	placed := make([]label, 0, len(names))
	for i, name := range names {
		if len(paths[i]) == 0 {
			continue
		}
		best, ok := bestPlace(area, paths, obstacles, i, t.width(name)+2*labelPad, t.size+2*labelPad, placed)
		if !ok {
			return nil
		}
		placed = append(placed, label{i, name, best})
	}
	return placed
}

// bestPlace tries places beside a number of points along line i and takes the
// one with the most air, near the line's middle.
func bestPlace(area vg.Rectangle, paths, obstacles [][]vg.Point, i int, w, h vg.Length, placed []label) (vg.Rectangle, bool) {
	const (
		tries    = 48
		distance = vg.Length(5)  // from the line
		air      = vg.Length(9)  // from other lines, at least
		plenty   = vg.Length(26) // more is no better
	)
	var best vg.Rectangle
	bestScore := math.Inf(-1)
	for k := range tries {
		along := (float64(k) + 0.5) / tries
		pt := pointAlong(paths[i], along)
		for side := range 8 {
			box := beside(pt, w, h, distance, side)
			if !inside(area, box) || touches(paths[i], grow(box, 1)) {
				continue
			}
			gap := plenty
			for j := range obstacles {
				if j != i && touches(obstacles[j], box) {
					gap = 0
				}
			}
			for j := range paths {
				for j != i && gap >= air && touches(paths[j], grow(box, gap)) {
					gap -= 3
				}
			}
			for _, p := range placed {
				for gap >= air && overlap(grow(p.box, gap/2), box) {
					gap -= 3
				}
			}
			if gap < air {
				continue
			}
			score := float64(gap) - 30*math.Abs(along-0.55)
			if score > bestScore {
				best, bestScore = box, score
			}
		}
	}
	return best, !math.IsInf(bestScore, -1)
}

// beside is the box of the given size at one of eight sides of a point.
func beside(pt vg.Point, w, h, d vg.Length, side int) vg.Rectangle {
	dx := [...]vg.Length{d, -d - w, d, -d - w, d, -d - w, -w / 2, -w / 2}[side]
	dy := [...]vg.Length{-h / 2, -h / 2, d, d, -d - h, -d - h, d, -d - h}[side]
	at := pt.Add(vg.Point{X: dx, Y: dy})
	return vg.Rectangle{Min: at, Max: at.Add(vg.Point{X: w, Y: h})}
}

// pointAlong is the point at a share of a path's length, or the origin if the
// path has no points.
func pointAlong(path []vg.Point, share float64) vg.Point {
	if len(path) == 0 {
		return vg.Point{}
	}
	var total float64
	for i := 1; i < len(path); i++ {
		total += dist(path[i-1], path[i])
	}
	left := share * total
	for i := 1; i < len(path); i++ {
		d := dist(path[i-1], path[i])
		if d > 0 && left <= d {
			f := vg.Length(left / d)
			return path[i-1].Add(path[i].Sub(path[i-1]).Scale(f))
		}
		left -= d
	}
	return path[len(path)-1]
}

func dist(a, b vg.Point) float64 { return math.Hypot(float64(a.X-b.X), float64(a.Y-b.Y)) }

func grow(r vg.Rectangle, d vg.Length) vg.Rectangle {
	v := vg.Point{X: d, Y: d}
	return vg.Rectangle{Min: r.Min.Sub(v), Max: r.Max.Add(v)}
}

func inside(area, r vg.Rectangle) bool {
	return r.Min.X >= area.Min.X && r.Max.X <= area.Max.X && r.Min.Y >= area.Min.Y && r.Max.Y <= area.Max.Y
}

func overlap(a, b vg.Rectangle) bool {
	return a.Min.X < b.Max.X && b.Min.X < a.Max.X && a.Min.Y < b.Max.Y && b.Min.Y < a.Max.Y
}

// touches reports whether a path runs through r.
func touches(path []vg.Point, r vg.Rectangle) bool {
	if len(path) == 1 { // a glyph
		return overlap(r, grow(vg.Rectangle{Min: path[0], Max: path[0]}, 3.5))
	}
	for i := 1; i < len(path); i++ {
		if crosses(path[i-1], path[i], r) {
			return true
		}
	}
	return false
}

// crosses reports whether a segment runs through r (Liang and Barsky, 1984).
func crosses(a, b vg.Point, r vg.Rectangle) bool {
	t0, t1 := 0.0, 1.0
	clip := func(p, q float64) bool {
		switch {
		case p == 0:
			return q >= 0
		case p < 0:
			t0 = math.Max(t0, q/p)
		default:
			t1 = math.Min(t1, q/p)
		}
		return t0 <= t1
	}
	dx, dy := float64(b.X-a.X), float64(b.Y-a.Y)
	return clip(-dx, float64(a.X-r.Min.X)) && clip(dx, float64(r.Max.X-a.X)) &&
		clip(-dy, float64(a.Y-r.Min.Y)) && clip(dy, float64(r.Max.Y-a.Y))
}
