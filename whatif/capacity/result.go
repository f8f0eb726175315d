package capacity

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"forkbench/internal/format"
	"forkbench/report"
	"forkbench/whatif/predict"
)

// ResultVersion is the version of a result's JSON. It changes when a reader of
// the old form would misread the new one.
const ResultVersion = 1

// A Result is a plan for each model.
type Result struct {
	Version int      `json:"version"`
	Verdict string   `json:"verdict"`
	Spec    Spec     `json:"spec"`
	Models  []Sizing `json:"models"`

	Interrupted bool     `json:"interrupted,omitempty"`
	Warnings    []string `json:"warnings,omitempty"`
}

// A Spec is what was asked.
type Spec struct {
	Target
	Rate         float64 `json:"rate"` // jobs per second, at random
	WorkersMax   int     `json:"workers_max"`
	CoresMax     int     `json:"cores_max"`
	Profile      string  `json:"profile"`      // a name or a file
	ProfileName  string  `json:"profile_name"` // what it calls itself
	Jobs         int     `json:"jobs"`
	Replications int     `json:"replications"`
	Seed         uint64  `json:"seed"`
}

// A Sizing is one model's part of a plan.
type Sizing struct {
	Model   string  `json:"model"`
	Chosen  *Point  `json:"chosen"`            // the smallest size that holds the target; nil: there is none, or it was cut short
	Smaller []Point `json:"smaller,omitempty"` // what the next smaller ones do
	Cannot  *Cannot `json:"cannot,omitempty"`  // why no size holds it
	Trail   []Point `json:"trail"`             // all sizes that were tried, in that order
}

// A Cannot is why no size holds a target.
type Cannot struct {
	Best       Point       `json:"best"`                 // what the best size does
	Bottleneck *Bottleneck `json:"bottleneck,omitempty"` // if its capacity is below the load
}

// Size makes a sizing: it searches for the smallest size, and says what the next
// smaller ones do, or why there is none. After a cancellation it holds the sizes
// that were tried until then; that is not an error.
func (p *Plan) Size(ctx context.Context, model string, bottleneck func(context.Context, Size) (Bottleneck, error)) (Sizing, error) {
	s := Sizing{Model: model}
	err := p.size(ctx, &s, bottleneck)
	s.Trail = p.Trail()
	if errors.Is(err, ctx.Err()) {
		err = nil
	}
	return s, err
}

func (p *Plan) size(ctx context.Context, s *Sizing, bottleneck func(context.Context, Size) (Bottleneck, error)) error {
	pt, found, err := p.Find(ctx)
	switch {
	case err != nil:
		return err
	case found:
		s.Chosen = &pt
		s.Smaller, err = p.Smaller(ctx, pt.Size)
		return err
	}
	s.Cannot = &Cannot{Best: pt}
	if pt.Overloaded() {
		b, err := bottleneck(ctx, Size{p.WorkersMax, p.CoresMax})
		if err != nil {
			return err
		}
		s.Cannot.Bottleneck = &b
	}
	return nil
}

// Conclude writes the verdict and the warnings.
func (r *Result) Conclude() {
	r.Version = ResultVersion
	var parts, cannot, unknown []string
	for i := range r.Models {
		m := &r.Models[i]
		switch {
		case m.Chosen != nil:
			parts = append(parts, fmt.Sprintf("%s with %s, %s (%s %s)", m.Model, m.Chosen.Size, megabytes(m.Chosen.Memory), r.Spec.Quantile, milliseconds(m.Chosen.Latency)))
			for _, d := range m.Chosen.Doubts {
				r.Warnings = append(r.Warnings, fmt.Sprintf("%s with %s: %s", m.Model, m.Chosen.Size, d))
			}
		case m.Cannot != nil:
			cannot = append(cannot, fmt.Sprintf("%s at no size: %s", m.Model, r.why(m.Cannot)))
		default:
			unknown = append(unknown, m.Model)
		}
	}
	parts = append(parts, cannot...)
	r.Verdict = fmt.Sprintf("%s/s at a %s of %s or less: %s", format.Trimmed(r.Spec.Rate, 3), r.Spec.Quantile, format.Time(r.Spec.LimitMS), strings.Join(parts, "; "))
	if parts == nil {
		r.Verdict = "cut short before any model had a size"
	}
	if unknown != nil {
		r.Warnings = append(r.Warnings, "interrupted: no size was found for "+strings.Join(unknown, ", "))
	}
}

// why is the reason that no size holds the target.
func (r *Result) why(c *Cannot) string {
	if b := c.Bottleneck; b != nil {
		return fmt.Sprintf("up to %s it does %s/s at most: %s", Size{r.Spec.WorkersMax, r.Spec.CoresMax}, format.Trimmed(c.Best.Capacity, 3), b.Note)
	}
	return fmt.Sprintf("up to %s its %s is %s at best, with %s", Size{r.Spec.WorkersMax, r.Spec.CoresMax}, r.Spec.Quantile, milliseconds(c.Best.Latency), c.Best.Size)
}

// does is what a size does, in words.
func (r *Result) does(p *Point) string {
	if p.Overloaded() {
		return "only " + format.Trimmed(p.Capacity, 3) + "/s"
	}
	return milliseconds(p.Latency)
}

// WriteCSV writes a line for each size that was tried, under a line of names.
func (r *Result) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{
		"model", "cores", "workers", "chosen", "holds", "capacity",
		r.Spec.Quantile, r.Spec.Quantile + "_low", r.Spec.Quantile + "_high", "peak_pss", "peak_pss_low", "peak_pss_high",
	}) // Flush and Error tell
	for i := range r.Models {
		m := &r.Models[i]
		for j := range m.Trail {
			p := &m.Trail[j]
			line := []string{
				m.Model, strconv.Itoa(p.Cores), strconv.Itoa(p.Workers),
				strconv.FormatBool(m.Chosen != nil && m.Chosen.Size == p.Size), strconv.FormatBool(p.Holds), plain(p.Capacity),
			}
			for _, e := range []predict.Estimate{p.Latency, p.Memory} {
				if e.Known() {
					line = append(line, plain(e.Value), plain(e.Low), plain(e.High))
				} else {
					line = append(line, "", "", "")
				}
			}
			_ = out.Write(line)
		}
	}
	out.Flush()
	return out.Error()
}

func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

const absent = "–"

// Report is the result for people.
func (r *Result) Report() *report.Report {
	t := report.Table{
		Head: []string{"", "cores", "workers", "memory (PSS)", r.Spec.Quantile, "capacity", "a worker less", "a core less"},
		Left: []int{6, 7},
	}
	var notes []string
	for i := range r.Models {
		m := &r.Models[i]
		row := []string{m.Model, absent, absent, absent, absent, absent, absent, absent}
		switch {
		case m.Chosen != nil:
			c := m.Chosen
			copy(row[1:], []string{
				strconv.Itoa(c.Cores), strconv.Itoa(c.Workers), megabytes(c.Memory), milliseconds(c.Latency), format.Trimmed(c.Capacity, 3) + "/s",
			})
			for j := range m.Smaller {
				s := &m.Smaller[j]
				if s.Cores == c.Cores {
					row[6] = r.does(s)
				} else {
					row[7] = r.does(s)
				}
			}
		case m.Cannot != nil:
			row[4], row[5] = r.does(&m.Cannot.Best), format.Trimmed(m.Cannot.Best.Capacity, 3)+"/s"
		}
		t.Rows = append(t.Rows, row)
		notes = append(notes, m.Model+" tried "+m.trail())
	}
	notes = append(notes, "[…] 95 % interval; a size holds the target if the whole interval does; only N/s: it cannot settle more; * holds it with some number of workers, ! keeps up with none")
	return &report.Report{
		Verdict: r.Verdict,
		Caption: fmt.Sprintf("%s jobs come at random at %s/s, simulated from the profile %s, %d replications, up to %s",
			format.Count(r.Spec.Jobs), format.Trimmed(r.Spec.Rate, 3), r.Spec.Profile, r.Spec.Replications, Size{r.Spec.WorkersMax, r.Spec.CoresMax}),
		Tables: []report.Table{t}, Notes: notes, Warnings: r.Warnings,
	}
}

// trail is the numbers of cores that were tried, in few words; all sizes are in
// JSON and CSV.
func (s *Sizing) trail() string {
	var parts []string
	seen := make(map[int]bool)
	for i := range s.Trail {
		cores := s.Trail[i].Cores
		if seen[cores] {
			continue
		}
		seen[cores] = true
		mark := "!" // none keeps up
		for j := range s.Trail {
			switch p := &s.Trail[j]; {
			case p.Cores != cores:
			case p.Holds:
				mark = "*"
			case !p.Overloaded() && mark == "!":
				mark = ""
			}
		}
		parts = append(parts, strconv.Itoa(cores)+mark)
	}
	return fmt.Sprintf("%s, of so many cores: %s", format.Plural(len(s.Trail), "size"), strings.Join(parts, " "))
}

func milliseconds(e predict.Estimate) string {
	if !e.Known() {
		return absent
	}
	if e.N < 2 {
		return format.Time(e.Value)
	}
	unit, name := format.TimeUnit(e.Value)
	return fmt.Sprintf("%s [%s, %s] %s", format.Trimmed(e.Value/unit, 3), format.Trimmed(e.Low/unit, 3), format.Trimmed(e.High/unit, 3), name)
}

func megabytes(e predict.Estimate) string {
	if !e.Known() {
		return absent
	}
	if e.N < 2 || e.High-e.Low < 0.01*e.Value {
		return format.Trimmed(e.Value, 3) + " MB"
	}
	return fmt.Sprintf("%s [%s, %s] MB", format.Trimmed(e.Value, 3), format.Trimmed(e.Low, 3), format.Trimmed(e.High, 3))
}
