package runner

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"forkbench/report"
)

// WriteJSON writes the summary as summary.json holds it: indented, its fields in
// a fixed order. The same summary gives the same bytes.
func WriteJSON(w io.Writer, s *Summary) error {
	return report.WriteJSON(w, s)
}

// WriteCSV writes one line for each model under a line of names: the model, its
// rounds and every metric of [Metrics], empty where there is no value.
func WriteCSV(w io.Writer, s *Summary) error {
	out := csv.NewWriter(w)
	all := metrics()
	line := []string{"model", "rounds"}
	for _, m := range all {
		line = append(line, m.name)
	}
	_ = out.Write(line) // Flush and Error tell
	for i := range s.Models {
		m := &s.Models[i]
		line = append(line[:0], m.Model, strconv.Itoa(m.Rounds))
		for _, metric := range all {
			text := ""
			if v := metric.of(m); v != nil {
				text = strconv.FormatFloat(*v, 'f', -1, 64)
			}
			line = append(line, text)
		}
		_ = out.Write(line)
	}
	out.Flush()
	return out.Error()
}

// WriteMarkdown writes the summary for a decision document or a pull request:
// the verdict, the table, errors and warnings, the machine.
func WriteMarkdown(w io.Writer, s *Summary) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "**%s**\n", markdown(s.Verdict))
	if text := caption(s); text != "" {
		fmt.Fprintf(&b, "\n%s\n", markdown(text))
	}
	if t := tableOf(s); len(t.rows) > 0 {
		b.WriteString("\n| |")
		for _, name := range t.models {
			fmt.Fprintf(&b, " %s |", markdown(name))
		}
		b.WriteString("\n|:--|" + strings.Repeat("--:|", len(t.models)) + "\n")
		for _, r := range t.rows {
			// Spaces at a cell's beginning are lost, so the indent is spelt.
			label := strings.TrimLeft(r.label, " ")
			indent := strings.Repeat("&nbsp;", len(r.label)-len(label))
			fmt.Fprintf(&b, "| %s%s |", indent, markdown(label))
			for _, c := range r.cells {
				fmt.Fprintf(&b, " %s |", markdown(strings.Join(strings.Fields(c.value+" "+c.interval+" "+c.ratio), " ")))
			}
			b.WriteString("\n")
		}
		if t.legend != nil {
			fmt.Fprintf(&b, "\n%s\n", markdown(strings.Join(t.legend, "; ")))
		}
	}
	for _, notes := range []struct {
		title string
		texts []string
	}{{"Errors", s.Errors}, {"Warnings", s.Warnings}, {"Notes", s.Notes}} {
		if len(notes.texts) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s:\n\n", notes.title)
		for _, text := range notes.texts {
			fmt.Fprintf(&b, "- %s\n", markdown(text))
		}
	}
	if text := machine(s); text != "" {
		fmt.Fprintf(&b, "\n%s\n", markdown(text))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// markdown keeps text from outside (a model's name, an exception) from being read
// as markup.
func markdown(text string) string { return report.Escape(text) }
