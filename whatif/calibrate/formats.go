package calibrate

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"forkbench/internal/format"
	"forkbench/report"
)

// ValidationVersion is the version of the JSON form of a Validation.
const ValidationVersion = 1

// A Validation is predictions beside measurements.
type Validation struct {
	Version  int       `json:"version"`
	Profile  string    `json:"profile"` // its name
	From     string    `json:"from"`    // where the profile came from, in a sentence
	Rows     []Row     `json:"settings"`
	Summary  []Summary `json:"summary"`
	Excluded []string  `json:"excluded"` // rounds, each with the reason
	Warnings []string  `json:"warnings"`
}

// columns are the metrics of the table, in its order, and what they are called.
var columns = []struct{ metric, name, unit string }{
	{Throughput, "throughput", "jobs/s"},
	{CPUPerJob, "CPU", "ms/job"},
	{P50, "p50", "ms"},
	{P95, "p95", "ms"},
	{PeakPSS, "peak PSS", "MB"},
}

// nameOf is what the table calls a metric.
func nameOf(metric string) string {
	for _, c := range columns {
		if c.metric == metric {
			return c.name
		}
	}
	return metric
}

// percent writes an error that is in percent, with its sign.
func percent(x float64) string { return format.Signed(format.Percent(x/100, 1)) }

// digits of a value in the table: one more than elsewhere, as predictions are to be told
// from measurements.
const digits = 4

// Report is the validation for people.
func (v *Validation) Report() *report.Report {
	r := &report.Report{
		Verdict: v.verdict(),
		Caption: fmt.Sprintf("Predicted / measured, and the prediction's error. Profile: %s (%s).", v.Profile, v.From),
		Tables:  []report.Table{v.settings(), v.errors()},
	}
	for _, e := range v.Excluded {
		r.Notes = append(r.Notes, "left out: "+e)
	}
	for i := range v.Rows {
		for _, d := range v.Rows[i].Doubts {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s, %s, predicted: %s", v.Rows[i].Model, format.Plural(v.Rows[i].Workers, "worker"), d))
		}
	}
	r.Warnings = append(r.Warnings, v.Warnings...)
	return r
}

func (v *Validation) verdict() string {
	var parts []string
	for _, s := range v.Summary {
		parts = append(parts, fmt.Sprintf("%s %s", nameOf(s.Metric), format.Percent(s.Median/100, 1)))
	}
	if parts == nil {
		return "no setting was both predicted and measured"
	}
	return fmt.Sprintf("median absolute error over %s: %s", format.Plural(len(v.Rows), "setting"), strings.Join(parts, ", "))
}

func (v *Validation) settings() report.Table {
	t := report.Table{Head: []string{"model", "workers", "rounds"}}
	for _, c := range columns {
		t.Head = append(t.Head, c.name+", "+c.unit)
	}
	for i := range v.Rows {
		r := &v.Rows[i]
		cells := []string{r.Model, strconv.Itoa(r.Workers), strconv.Itoa(r.Rounds)}
		for _, c := range columns {
			cell := "–"
			for _, m := range r.Metrics {
				if m.Name == c.metric {
					cell = fmt.Sprintf("%s / %s %s", format.Trimmed(m.Predicted, digits), format.Trimmed(m.Measured, digits), percent(m.Error))
				}
			}
			cells = append(cells, cell)
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

func (v *Validation) errors() report.Table {
	t := report.Table{
		Title: "How far off the predictions are",
		Head:  []string{"", "settings", "median absolute error", "worst", "of"}, Left: []int{4},
	}
	for _, s := range v.Summary {
		t.Rows = append(t.Rows, []string{nameOf(s.Metric), strconv.Itoa(s.Settings), format.Percent(s.Median/100, 1), percent(s.Worst), s.Where})
	}
	return t
}

// WriteCSV writes a line for each number.
func (v *Validation) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	lines := [][]string{{"workload", "model", "workers", "jobs", "arrivals", "rounds", "metric", "unit", "predicted", "measured", "error_pct"}}
	full := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	for _, row := range v.Rows {
		for _, m := range row.Metrics {
			lines = append(lines, []string{
				row.Workload, row.Model, strconv.Itoa(row.Workers), strconv.Itoa(row.Jobs), row.Arrivals, strconv.Itoa(row.Rounds),
				m.Name, m.Unit, full(m.Predicted), full(m.Measured), full(m.Error),
			})
		}
	}
	return c.WriteAll(lines)
}
