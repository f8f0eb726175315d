package runner

// A Sheet is what people are shown of a summary, for a layout other than those of
// [WriteText] and [WriteMarkdown]: the same table in words, and what is said around it.
// Texts from jobs are in it as they are.
type Sheet struct {
	Caption string // what was run
	Models  []string
	Rows    []SheetRow
	Legend  []string // what the marks in the table mean
	Figures []Figure // of all metrics, each in the order of Models
}

// A SheetRow is one line of the table.
type SheetRow struct {
	Label string // leading spaces say that it is a part of the one above
	Cells []SheetCell
}

// A SheetCell is one model's. Each part may be empty, but Value says "–" where there
// is none.
type SheetCell struct {
	Value, Interval, Ratio string
}

// A Figure is one metric of every model, as [Metrics] and the CSV name it.
type Figure struct {
	Name   string
	Unit   string   // "" for counts
	Values []string // "–" where a model has none
}

// NewSheet lays a summary out.
func NewSheet(s *Summary) Sheet {
	t := tableOf(s)
	x := Sheet{Caption: caption(s), Models: t.models, Legend: t.legend}
	for _, r := range t.rows {
		row := SheetRow{Label: r.label}
		for _, c := range r.cells {
			row.Cells = append(row.Cells, SheetCell{Value: c.value, Interval: c.interval, Ratio: c.ratio})
		}
		x.Rows = append(x.Rows, row)
	}
	for _, m := range metrics() {
		f := Figure{Name: m.name, Unit: string(m.unit)}
		for i := range s.Models {
			text := absent
			if v := m.of(&s.Models[i]); v != nil {
				text = number(*v)
			}
			f.Values = append(f.Values, text)
		}
		x.Figures = append(x.Figures, f)
	}
	return x
}
