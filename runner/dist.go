package runner

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"forkbench/internal/format"
)

// longest is the longest time that a dist tells from longer ones.
const longest = 24 * time.Hour

// A dist is a distribution of times in bounded memory (an HDR histogram, about
// 300 kB once something is in it): quantiles are within 0.1 %, the maximum is
// exact. The zero value is an empty one.
type dist struct {
	h   *hdrhistogram.Histogram
	max time.Duration
}

// add counts d; below zero it counts as zero, above longest as longest.
func (d *dist) add(v time.Duration) {
	if d.h == nil {
		d.h = hdrhistogram.New(1, int64(longest), 3)
	}
	d.max = max(d.max, v)
	// Within the range there is no error.
	_ = d.h.RecordValue(int64(min(max(v, 0), longest)))
}

// merge counts all of e, too.
func (d *dist) merge(e *dist) {
	switch {
	case e.h == nil:
		return
	case d.h == nil:
		d.h = e.h.Clone()
	default:
		d.h.Merge(e.h)
	}
	d.max = max(d.max, e.max)
}

func (d *dist) count() int64 {
	if d.h == nil {
		return 0
	}
	return d.h.TotalCount()
}

// quantile is the time within which the given share of all was, in milliseconds;
// 0 if there is none.
func (d *dist) quantile(share float64) float64 {
	if d.count() == 0 {
		return 0
	}
	// A bucket's end may lie beyond the exact maximum.
	return format.Millis(min(time.Duration(d.h.ValueAtQuantile(100*share)), d.max))
}

func (d *dist) median() float64 { return d.quantile(0.5) }

func (d *dist) quantiles() Quantiles {
	return Quantiles{P50: d.quantile(0.50), P95: d.quantile(0.95), P99: d.quantile(0.99), Max: format.Millis(d.max)}
}

// cdfPoints bounds what cumulative returns.
const cdfPoints = 200

// cumulative is the distribution function, at the values where it passes even
// shares and, closer together, at the end, where the slowest jobs are.
func (d *dist) cumulative() []CDFPoint {
	if d.count() == 0 {
		return nil
	}
	const even = cdfPoints - 4
	marks := make([]float64, 0, cdfPoints)
	for i := range even {
		marks = append(marks, float64(i+1)/float64(even+1))
	}
	marks = append(marks, 0.998, 0.999, 0.9999, 1)

	points := make([]CDFPoint, 0, cdfPoints)
	total, below := d.count(), int64(0)
	for _, bar := range d.h.Distribution() {
		below += bar.Count
		share := float64(below) / float64(total)
		if bar.Count == 0 || share < marks[0] {
			continue
		}
		points = append(points, CDFPoint{format.Millis(min(time.Duration(bar.To), d.max)), share})
		for len(marks) > 1 && marks[0] <= share {
			marks = marks[1:]
		}
	}
	points[len(points)-1].Millis = format.Millis(d.max)
	return points
}
