package plots

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"forkbench/internal/format"
	"forkbench/whatif/calibrate"
)

// ValidateNames are the stems of the files that WriteValidate writes.
func ValidateNames() []string { return []string{"validate"} }

// WriteValidate draws the plot of a validation into dir, as Write does those of a
// comparison.
func WriteValidate(dir string, r *calibrate.Validation) ([]string, error) {
	return writeAll(dir, []drawing{{ValidateNames()[0], func(w io.Writer, f Format) error { return validatePicture(r).draw(w, f) }}})
}

func validatePicture(r *calibrate.Validation) *picture {
	var c chart = &errorChart{rows: r.Rows}
	if len(r.Rows) == 0 {
		c = noData("no setting was predicted")
	}
	return &picture{
		name: ValidateNames()[0], title: "Predicted against measured",
		conditions: "profile " + muted.shorten(clean(r.Profile), 330) + " · " + muted.shorten(clean(r.From), 330),
		caption: "How far each prediction is from the median of the measured rounds, in percent of it: a row is a setting, a mark is a metric, " +
			"the vertical line is a perfect prediction, and the bands are errors of up to 5 and up to 15 %. A mark at the edge is beyond it.",
		chart: c,
	}
}

// errorMost is the largest error that has a place of its own, in percent.
const errorMost = 40.0

// errorMetrics are the metrics with a mark, and how it looks.
var errorMetrics = []struct {
	name, label string
	style       modelStyle
}{
	{calibrate.Throughput, "throughput", modelStyles[0]},
	{calibrate.CPUPerJob, "CPU per job", modelStyles[1]},
	{calibrate.P50, "p50", modelStyles[2]},
	{calibrate.P95, "p95", modelStyles[3]},
	{calibrate.PeakPSS, "peak PSS", modelStyles[4]},
}

// An errorChart has a row for each setting, with a mark for each metric.
type errorChart struct{ rows []calibrate.Row }

var _ chart = (*errorChart)(nil)

const errorRow = vg.Length(16)

func (e *errorChart) height() vg.Length {
	return errorRow*vg.Length(len(e.rows)) + xAxisHeight + 8
}

func (e *errorChart) keys() []key {
	var keys []key
	for _, m := range errorMetrics {
		keys = append(keys, key{m.label, func(c draw.Canvas, r vg.Rectangle) {
			m.style.glyph.draw(c, vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}, 3.4, m.style.color, white)
		}})
	}
	return keys
}

func (e *errorChart) notes() []string {
	var notes []string
	for _, s := range calibrate.Summarize(e.rows) {
		notes = append(notes, fmt.Sprintf("%s: median absolute error %.1f %%, worst %+.1f %%", strings.ReplaceAll(s.Metric, "_", " "), s.Median, s.Worst))
	}
	return []string{strings.Join(notes, "; ") + "."}
}

// label names a row's setting.
func (e *errorChart) label(i int) string {
	r := &e.rows[i]
	text := fmt.Sprintf("%s, %s", clean(r.Model), format.Plural(r.Workers, "worker"))
	for j := range e.rows {
		if e.rows[j].Workload != r.Workload {
			return clean(r.Workload) + ", " + text
		}
	}
	return text
}

func (e *errorChart) draw(c draw.Canvas) {
	const most = 300
	left := vg.Length(0)
	labels := make([]string, len(e.rows))
	for i := range e.rows {
		labels[i] = small.shorten(e.label(i), most)
		left = max(left, small.width(labels[i]))
	}
	f := &frame{
		Canvas: draw.Crop(c, left+10, -12, xAxisHeight, -8),
		x: axis{linearScale{-errorMost, errorMost}, linearTicks(-errorMost, errorMost, 9),
			"error of the prediction (%)"},
		y: axis{linearScale{float64(len(e.rows)), 0}, nil, ""},
	}
	for _, b := range []struct {
		within float64
		color  color.NRGBA
	}{{15, pale(sky)}, {5, color.NRGBA{R: sky.R, G: sky.G, B: sky.B, A: 0x60}}} {
		c.SetColor(b.color)
		low, high := f.point(-b.within, 0), f.point(b.within, 0)
		c.Fill(boxPath(vg.Rectangle{Min: vg.Point{X: low.X, Y: f.Min.Y}, Max: vg.Point{X: high.X, Y: f.Max.Y}}))
	}
	f.drawX()
	zero := f.point(0, 0).X
	f.StrokeLine2(draw.LineStyle{Color: ink, Width: 1}, zero, f.Min.Y, zero, f.Max.Y)
	for i := range e.rows {
		y := f.point(0, float64(i)+0.5).Y
		f.StrokeLine2(draw.LineStyle{Color: gridline, Width: 0.4}, f.Min.X, y, f.Max.X, y)
		small.drawMid(c, f.Min.X-6, y, alignRight, labels[i])
		for _, m := range errorMetrics {
			for _, x := range e.rows[i].Metrics {
				if x.Name != m.name || !finite(x.Error) {
					continue
				}
				at := f.point(math.Max(-errorMost, math.Min(errorMost, x.Error)), float64(i)+0.5)
				m.style.glyph.draw(c, at, 3.4, m.style.color, white)
			}
		}
	}
}
