package runner

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"forkbench/internal/format"
	"forkbench/report"
)

// verdict is what changed, in one sentence or two: first what is no longer done, then
// what is faster or slower, then what is not, and at last what else is another one.
func (d *Diff) verdict() string {
	var broken, changed, same, untold []string
	for i := range d.Models {
		m := &d.Models[i]
		switch text, finding := m.headline(); {
		case m.Why != "":
			broken = append(broken, fmt.Sprintf("%s has no figures to compare: %s", m.Model, m.Why))
		case finding == Same:
			same = append(same, m.Model)
		case finding == Untold || finding == Unknown:
			untold = append(untold, text)
		default:
			changed = append(changed, text)
		}
	}
	clauses := slices.Concat(broken, changed)
	if same != nil {
		clauses = append(clauses, fmt.Sprintf("%s: the same within ±%g %%", format.List(same), 100*Immaterial))
	}
	clauses = append(clauses, untold...)
	text := strings.Join(clauses, "; ") + "."
	if others := d.others(); others != "" {
		text += " But " + others + "."
	}
	return text
}

// headline is what a model's change comes to, by those of its figures that the verdict
// is made of: what changed most surely comes first.
func (m *ModelDiff) headline() (string, Finding) {
	words := map[Finding]string{Better: "got better", Same: "is the same", Worse: "got worse", Untold: "was not told apart", Unknown: "may differ by chance only"}
	finding := Same
	var parts []string
	for _, f := range diffs() {
		i := slices.IndexFunc(m.Figures, func(x FigureDiff) bool { return x.Metric == f.metric })
		if !f.headline || i < 0 {
			continue
		}
		x := &m.Figures[i]
		name, _, _ := strings.Cut(f.label, ",")
		parts = append(parts, fmt.Sprintf("%s× %s%s", number(x.Ratio), name, bounds(x.Low, x.High)))
		switch {
		case x.Finding == Worse || finding == Worse:
			finding = Worse
		case x.Finding == Better || finding == Better:
			finding = Better
		case x.Finding != Same:
			finding = x.Finding
		}
	}
	if len(parts) == 0 {
		finding = Unknown
	}
	return fmt.Sprintf("%s %s (%s)", m.Model, words[finding], strings.Join(parts, ", ")), finding
}

// others names what else is another one, those first that decide most.
func (d *Diff) others() string {
	var clauses []string
	for _, kind := range []struct {
		is   Kind
		text string
	}{
		{DiffersMachine, "the machine is another one, and nothing above says that the code is why"},
		{DiffersPace, "the cores were not as fast"},
		{DiffersPython, "the Python is another one"},
		{DiffersSoftware, "other software is of another version"},
		{DiffersSettings, "the settings differ"},
	} {
		var what []string
		for _, x := range d.Differences {
			if x.Kind == kind.is {
				what = append(what, x.What)
			}
		}
		if what != nil {
			clauses = append(clauses, kind.text+" ("+format.List(what)+")")
		}
	}
	return strings.Join(clauses, "; ")
}

// report is the diff for people.
func (d *Diff) report() *report.Report {
	r := &report.Report{
		Verdict: d.Verdict, Caption: fmt.Sprintf("old: %s; new: %s", d.Old, d.New),
		Warnings: slices.Clone(d.Warnings),
	}
	for _, x := range d.Differences {
		r.Warnings = append(r.Warnings, x.String())
	}
	for _, m := range d.Models {
		t := report.Table{Title: m.Model + ":", Head: []string{"", "old", "new", "new/old", "95 % interval", "p", "found"}, Left: []int{6}}
		for _, f := range diffs() {
			i := slices.IndexFunc(m.Figures, func(x FigureDiff) bool { return x.Metric == f.metric })
			if i < 0 {
				continue
			}
			x := &m.Figures[i]
			p := absent
			if x.Corrected != nil {
				p = pValue(*x.Corrected)
			}
			interval := strings.TrimSpace(bounds(x.Low, x.High))
			if interval == "" {
				interval = absent
			}
			t.Rows = append(t.Rows, []string{f.label, number(x.Old), number(x.New), number(x.Ratio) + "×", interval, p, string(x.Finding)})
		}
		r.Tables = append(r.Tables, t)
		for _, reason := range m.Mended {
			r.Notes = append(r.Notes, fmt.Sprintf("%s: gone is what spoke against it, %s", m.Model, reason))
		}
		for _, reason := range m.Hazards {
			r.Notes = append(r.Notes, fmt.Sprintf("%s: new is what speaks against it, %s", m.Model, reason))
		}
	}
	for _, only := range []struct {
		run    string
		models []string
	}{{"old", d.OnlyOld}, {"new", d.OnlyNew}} {
		if len(only.models) > 0 {
			r.Notes = append(r.Notes, fmt.Sprintf("in the %s run only: %s", only.run, strings.Join(only.models, ", ")))
		}
	}
	if len(d.Models) > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("Values are geometric means over rounds; p is corrected for how many models there are; same is within ±%g %%.", 100*Immaterial))
	}
	return r
}

// pValue writes a p-value.
func pValue(p float64) string {
	if p < 0.001 {
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", p)
}

// WriteText writes the diff for a reader at a terminal.
func (d *Diff) WriteText(w io.Writer, o report.TextOptions) error { return d.report().WriteText(w, o) }

// WriteMarkdown writes the diff for a pull request.
func (d *Diff) WriteMarkdown(w io.Writer) error { return d.report().WriteMarkdown(w) }

// WriteJSON writes the diff as data. The same diff gives the same bytes.
func (d *Diff) WriteJSON(w io.Writer) error { return report.WriteJSON(w, d) }
