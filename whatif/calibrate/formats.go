package calibrate

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// ReportVersion is the version of the JSON form of a Report.
const ReportVersion = 1

// A Report is predictions beside measurements.
type Report struct {
	Version  int       `json:"version"`
	Profile  string    `json:"profile"` // its name
	From     string    `json:"from"`    // where the profile came from, in a sentence
	Rows     []Row     `json:"settings"`
	Summary  []Summary `json:"summary"`
	Excluded []string  `json:"excluded"` // rounds, each with the reason
	Warnings []string  `json:"warnings"`
}

// percent is an error with its sign.
func percent(x float64) string { return fmt.Sprintf("%+.1f %%", x) }

func settings(n int) string {
	if n == 1 {
		return "1 setting"
	}
	return strconv.Itoa(n) + " settings"
}

// significant has four digits.
func significant(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

// cells are a row's cells: predicted, measured and error of each metric.
func (r *Row) cells() []string {
	cells := []string{r.Model, strconv.Itoa(r.Workers), strconv.Itoa(r.Rounds)}
	for _, name := range metricNames() {
		cell := "-"
		for _, m := range r.Metrics {
			if m.Name == name {
				cell = significant(m.Predicted) + " / " + significant(m.Measured) + "  " + percent(m.Error)
			}
		}
		cells = append(cells, cell)
	}
	return cells
}

func metricNames() []string { return []string{Throughput, CPUPerJob, P50, P95, PeakPSS} }

func titles() []string {
	return []string{
		"model", "workers", "rounds", "throughput, jobs/s", "CPU, ms/job", "p50, ms", "p95, ms", "peak PSS, MB",
	}
}

// WriteText writes the report as a table for people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Predicted / measured, and the prediction's error.\nProfile: %s (%s)\n\n", r.Profile, r.From)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	lines := []string{strings.Join(titles(), "\t")}
	for i := range r.Rows {
		lines = append(lines, strings.Join(r.Rows[i].cells(), "\t"))
	}
	if _, err := io.WriteString(t, strings.Join(lines, "\n")+"\n"); err != nil {
		return err
	}
	if err := t.Flush(); err != nil {
		return err
	}
	b.WriteByte('\n')
	for _, s := range r.Summary {
		fmt.Fprintf(&b, "%s: median absolute error %.1f %%, worst %s (%s), %s\n", s.Metric, s.Median, percent(s.Worst), s.Where, settings(s.Settings))
	}
	r.remarks(&b, "")
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) remarks(b *strings.Builder, bullet string) {
	for _, e := range r.Excluded {
		fmt.Fprintf(b, "%sleft out: %s\n", bullet, e)
	}
	for i := range r.Rows {
		for _, d := range r.Rows[i].Doubts {
			fmt.Fprintf(b, "%swarning: %s, %d workers, predicted: %s\n", bullet, r.Rows[i].Model, r.Rows[i].Workers, d)
		}
	}
	for _, x := range r.Warnings {
		fmt.Fprintf(b, "%swarning: %s\n", bullet, x)
	}
}

// WriteMarkdown writes the report for a document.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Predicted / measured, and the prediction's error. Profile: %s (%s).\n\n", r.Profile, r.From)
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(titles(), " | "), strings.Repeat("---|", len(titles())))
	for i := range r.Rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(r.Rows[i].cells(), " | "))
	}
	b.WriteByte('\n')
	for _, s := range r.Summary {
		fmt.Fprintf(&b, "- %s: median absolute error %.1f %%, worst %s (%s), %s\n", s.Metric, s.Median, percent(s.Worst), s.Where, settings(s.Settings))
	}
	r.remarks(&b, "- ")
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteCSV writes a line for each number.
func (r *Report) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	lines := [][]string{{"workload", "model", "workers", "jobs", "arrivals", "rounds", "metric", "unit", "predicted", "measured", "error_pct"}}
	full := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	for _, row := range r.Rows {
		for _, m := range row.Metrics {
			lines = append(lines, []string{
				row.Workload, row.Model, strconv.Itoa(row.Workers), strconv.Itoa(row.Jobs), row.Arrivals, strconv.Itoa(row.Rounds),
				m.Name, m.Unit, full(m.Predicted), full(m.Measured), full(m.Error),
			})
		}
	}
	return c.WriteAll(lines)
}

// WriteJSON writes everything.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
