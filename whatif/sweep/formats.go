package sweep

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"forkbench/internal/format"
	"forkbench/report"
)

// WriteCSV writes a line for each point of each model, under a line of names:
// the parameter's value, the model, whether real processes were measured, the
// cost over the reference, and every metric, each with its interval.
func (r *Result) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	line := []string{r.Spec.Parameter, "model", "source", "over", "over_low", "over_high"}
	for _, m := range Metrics() {
		line = append(line, m.String(), m.String()+"_low", m.String()+"_high")
	}
	_ = out.Write(line) // Flush and Error tell
	for i := range r.Curves {
		c := &r.Curves[i]
		for _, part := range []struct {
			source string
			points []Point
		}{{"simulated", c.Points}, {"measured", c.Live}} {
			for _, p := range part.points {
				x := plain(&p.X)
				if c.Level {
					x = "" // any
				}
				line = append(line[:0], x, c.Model, part.source)
				line = append(line, columns(p.Over)...)
				for _, m := range Metrics() {
					if e, ok := p.Value(m.String()); ok {
						line = append(line, columns(&e)...)
					} else {
						line = append(line, columns(nil)...)
					}
				}
				_ = out.Write(line)
			}
		}
	}
	out.Flush()
	return out.Error()
}

func columns(e *Estimate) []string {
	if e == nil {
		return []string{"", "", ""}
	}
	return []string{plain(&e.Value), plain(e.Low), plain(e.High)}
}

func plain(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

// Report is the result for people.
func (r *Result) Report() *report.Report {
	return &report.Report{
		Verdict: r.Verdict, Caption: r.caption(),
		Tables: []report.Table{r.table(), r.levels()},
		Notes:  append(slices.Clone(r.Notes), r.legend()), Warnings: r.Warnings,
	}
}

func (r *Result) caption() string {
	s := &r.Spec.Setting
	p := r.Spec.parameter
	parts := []string{
		fmt.Sprintf("%s over --%s=%s", r.Spec.metric.Label(), p.Name, Range{p, r.Spec.From, r.Spec.To}),
		"simulated from the profile " + s.Profile,
		fmt.Sprintf("%s jobs (%s)", format.Count(s.Jobs), s.Arrivals),
	}
	if p.Name != Workers {
		parts = append(parts, fmt.Sprintf("%d workers", s.Workers))
	}
	if p.Name != Cores {
		parts = append(parts, fmt.Sprintf("%d cores", s.Cores))
	}
	parts = append(parts, fmt.Sprintf("%d replications", s.Replications))
	if s.LiveRounds > 0 {
		parts = append(parts, fmt.Sprintf("measured: %s on this machine, %d rounds", s.Workload, s.LiveRounds))
	}
	return strings.Join(parts, ", ")
}

func (r *Result) legend() string {
	text := fmt.Sprintf("[…] 95 %% interval; × cost (%s) against %s", metricTexts[r.Spec.metric].cost, r.Spec.Reference)
	if slices.ContainsFunc(r.Curves, func(c Curve) bool { return len(c.Live) > 0 }) {
		text += "; measured: real processes"
	}
	return text
}

// table has a row for each value of the parameter, and columns for each model
// that it makes a difference to.
func (r *Result) table() report.Table {
	p, metric := r.Spec.parameter, r.Spec.metric
	t := report.Table{Head: []string{p.Label}}
	var xs []float64
	for i := range r.Curves {
		c := &r.Curves[i]
		if c.Level {
			continue
		}
		t.Head = append(t.Head, c.Model+", "+metric.Unit())
		if i > 0 {
			t.Head = append(t.Head, "×")
		}
		if c.Live != nil {
			t.Head = append(t.Head, "measured")
		}
		for _, pt := range c.Points {
			xs = append(xs, pt.X)
		}
	}
	slices.Sort(xs)
	for _, x := range slices.Compact(xs) {
		row := []string{p.Kind.Format(x)}
		for i := range r.Curves {
			c := &r.Curves[i]
			if c.Level {
				continue
			}
			pt := at(c.Points, x)
			row = append(row, cell(pt, metric))
			if i > 0 {
				row = append(row, timesCell(pt))
			}
			if c.Live != nil {
				row = append(row, cell(at(c.Live, x), metric))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// levels has a row for each model that the parameter makes no difference to.
func (r *Result) levels() report.Table {
	metric := r.Spec.metric
	t := report.Table{Title: "whatever the " + r.Spec.parameter.Label + ":", Head: []string{"", "simulated, " + metric.Unit(), "×"}}
	live := slices.ContainsFunc(r.Curves, func(c Curve) bool { return c.Level && c.Live != nil })
	if live {
		t.Head = append(t.Head, "measured")
	}
	for i := range r.Curves {
		c := &r.Curves[i]
		if !c.Level || len(c.Points) == 0 {
			continue
		}
		row := []string{c.Model, cell(&c.Points[0], metric), timesCell(&c.Points[0])}
		if i == 0 {
			row[2] = "1"
		}
		if live && len(c.Live) > 0 {
			row = append(row, cell(&c.Live[0], metric))
		} else if live {
			row = append(row, "")
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// at is the point at a value of the parameter, or nil.
func at(points []Point, x float64) *Point {
	for i := range points {
		if points[i].X == x {
			return &points[i]
		}
	}
	return nil
}

const absent = "–"

// column writes a number that stands among others.
func column(v float64) string {
	if math.Abs(v) < 1e-9 { // less than a clock tells
		return "0"
	}
	return format.Significant(v, 3)
}

func cell(p *Point, m Metric) string {
	if p == nil {
		return ""
	}
	e, ok := p.Value(m.String())
	if !ok {
		return absent
	}
	if e.Low == nil || e.High == nil {
		return column(e.Value)
	}
	return fmt.Sprintf("%s [%s, %s]", column(e.Value), column(*e.Low), column(*e.High))
}

func timesCell(p *Point) string {
	if p == nil || p.Over == nil {
		return absent
	}
	return column(p.Over.Value) + "×"
}
