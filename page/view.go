package page

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"forkbench/record"
	"forkbench/report"
	"forkbench/runner"
)

// A view is a page as the template reads it. Its texts are [report.Visible].
type view struct {
	Policy     string
	Style      template.CSS
	Workload   string
	Simulated  bool
	Caption    string
	Verdict    string
	Errors     []string
	Warnings   []string
	Notes      []string
	Table      tableView
	Pictures   []imageView
	Graphs     []imageView
	Models     []modelView
	Figures    tableView
	Conditions []pair
	Files      []fileView
	Missing    []string
	Scripts    *scripted
	WhatIf     bool   // the simulator can be asked
	NoWhatIf   string // or why not
}

type tableView struct {
	Models []string
	Rows   []rowView
	Legend []string
}

type rowView struct {
	Label string
	Depth int // of its indent: 1 is a part of the row above, 2 a part of that
	Cells []runner.SheetCell
}

type imageView struct {
	ID, Title, Caption string
	Name               string // of the plot, by which scripts find it
	Kind               string // plot or graph
	Source             template.URL
}

type fileView struct {
	Name, About, Size string
	Link              template.URL
}

type modelView struct {
	Name    string
	About   []pair
	Unfit   []string
	Hazards []string
	Causes  []pair // how jobs ended, and their words
}

type pair struct{ Name, Value string }

// budget is how many bytes are left.
type budget int

// take takes what encoded bytes need, if there is room.
func (b *budget) take(data []byte) bool {
	need := base64.StdEncoding.EncodedLen(len(data))
	if need > int(*b) {
		return false
	}
	*b -= budget(need)
	return true
}

func (p *Page) view() *view {
	s := p.Summary
	sheet := runner.NewSheet(s)
	v := &view{
		Style:      template.CSS(allStyle()),
		Workload:   report.Visible(cmp.Or(s.Spec.Workload, "nothing")),
		Simulated:  s.Spec.Simulated,
		Caption:    report.Visible(sheet.Caption),
		Verdict:    report.Visible(s.Verdict),
		Errors:     visible(s.Errors),
		Warnings:   visible(s.Warnings),
		Notes:      visible(s.Notes),
		Table:      tableOf(&sheet),
		Figures:    figuresOf(&sheet),
		Conditions: conditions(s),
		Missing:    visible(p.Missing),
	}
	for i := range s.Models {
		v.Models = append(v.Models, modelOf(&s.Models[i], &s.Spec))
	}
	p.embed(v)
	v.Policy = policy(v.Scripts)
	v.NoWhatIf = report.Visible(p.NoWhatIf)
	v.WhatIf = v.Scripts != nil && v.Scripts.Simulator != ""
	return v
}

// embed puts the pictures and files in, the most useful first, and says what there
// was no room for.
func (p *Page) embed(v *view) {
	left := budget(Most - mostWords)
	full := func(what string) {
		v.Missing = append(v.Missing, report.Visible(what)+" is not in this file, to keep it small.")
	}
	file := func(f *File) {
		if !left.take(f.Data) {
			full(f.Name)
			return
		}
		v.Files = append(v.Files, fileView{report.Visible(f.Name), report.Visible(f.About), size(len(f.Data)), dataURL(f.Type, f.Data)})
	}
	image := func(to *[]imageView, kind string, pic *Picture) {
		if !left.take(pic.Data) {
			full("The picture “" + pic.Title + "”")
			return
		}
		*to = append(*to, imageView{
			ID: kind + "-" + strconv.Itoa(len(*to)+1), Kind: kind,
			Name: pic.Name, Title: report.Visible(pic.Title), Caption: report.Visible(pic.Caption), Source: dataURL(pic.Type, pic.Data),
		})
	}
	for i := range p.Pictures {
		image(&v.Pictures, "plot", &p.Pictures[i])
	}
	for i := range p.Files {
		file(&p.Files[i])
	}
	var missing string
	if v.Scripts, missing = p.scripts(&left); missing != "" {
		v.Missing = append(v.Missing, missing)
	}
	for i := range p.Graphs {
		image(&v.Graphs, "graph", &p.Graphs[i])
	}
}

// dataURL is a URL that holds what it names. It is made of an alphabet that means
// nothing in HTML.
func dataURL(mediaType string, data []byte) template.URL {
	return template.URL("data:" + mediaType + ";base64," + base64.StdEncoding.EncodeToString(data))
}

func tableOf(x *runner.Sheet) tableView {
	t := tableView{Models: visible(x.Models), Legend: visible(x.Legend)}
	for _, r := range x.Rows {
		label := strings.TrimLeft(r.Label, " ")
		t.Rows = append(t.Rows, rowView{report.Visible(label), (len(r.Label) - len(label)) / 2, r.Cells})
	}
	return t
}

func figuresOf(x *runner.Sheet) tableView {
	t := tableView{Models: visible(x.Models)}
	for _, f := range x.Figures {
		label := f.Name
		if f.Unit != "" {
			label += ", " + f.Unit
		}
		r := rowView{Label: label}
		for _, text := range f.Values {
			r.Cells = append(r.Cells, runner.SheetCell{Value: text})
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}

func modelOf(m *runner.ModelSummary, spec *record.Spec) modelView {
	v := modelView{Name: report.Visible(m.Model), Unfit: visible(m.Unfit)}
	add := func(name, value string) { v.About = addPair(v.About, name, value) }
	if x := spec.Model(m.Model); x != nil {
		if kind := x.Kind(); kind != m.Model {
			add("model", kind)
		}
		add("knobs", strings.Join(x.Settings(), ", "))
	}
	j := &m.Jobs
	add("jobs", fmt.Sprintf("%d done of %d enqueued", j.Done, j.Enqueued))
	for _, x := range []struct {
		name string
		n    int
	}{{"failed", j.Failed}, {"crashed", j.Crashed}, {"timed out", j.TimedOut}, {"not run", j.NotRun}, {"lost", j.Lost}, {"run but not acknowledged", j.Unacknowledged}, {"cut off", j.CutOff},
		{"given up", j.Dead}, {"run twice", j.Duplicated}} {
		if x.n > 0 {
			add(x.name, strconv.Itoa(x.n))
		}
	}
	rounds := "rounds that count"
	if spec.Simulated {
		rounds = "replications that count"
	}
	add(rounds, strconv.Itoa(m.Rounds))
	if m.Contaminated > 0 {
		add("contaminated rounds", strconv.Itoa(m.Contaminated))
	}
	if m.WarmParent {
		add("parent", "warmed before it forked")
	}
	add("stopped", m.Stopped)
	for i := range m.Hazards {
		h := &m.Hazards[i]
		text := h.Clause()
		if h.Cure != "" {
			text += ": " + h.Cure
		}
		v.Hazards = append(v.Hazards, report.Visible(text))
	}
	for _, c := range m.Causes {
		v.Causes = addPair(v.Causes, fmt.Sprintf("%d × %s", c.Jobs, c.Status), c.Text)
	}
	return v
}

// conditions is what the numbers depend on.
func conditions(s *runner.Summary) []pair {
	var all []pair
	add := func(name, value string) { all = addPair(all, name, value) }
	whole := func(name string, n int) {
		if n > 0 {
			add(name, strconv.Itoa(n))
		}
	}
	x, e := &s.Spec, &s.Environment
	add("workload", x.Workload)
	add("runtime", x.Runtime)
	add("payloads", x.Payload)
	add("set up by", strings.Join(x.Setup, ", "))
	add("warmed by", strings.Join(x.Warm, ", "))
	add("variables", strings.Join(x.Env, " "))
	whole("jobs in a round", x.Jobs)
	whole("workers", x.Workers)
	add("arrivals", x.Arrivals)
	if x.TimeoutNS > 0 {
		add("time limit of a job", x.TimeoutNS.String())
	}
	add("seed", strconv.FormatUint(x.Seed, 10))
	if sim := x.Simulation; sim != nil {
		add("profile", sim.Profile+" ("+sim.From+")")
		whole("simulated cores", sim.Cores)
	}
	add("system", e.OS)
	add("kernel", e.Kernel)
	add("processor", e.CPU)
	whole("cores", e.Cores)
	if e.MemoryBytes > 0 {
		add("memory", size(int(e.MemoryBytes)))
	}
	add("huge pages", e.HugePages)
	add("cores packed", e.Packing)
	add("Go", e.Go)
	add("Python", e.Python)
	add("peers", e.Peers)
	add("Redis", e.Redis)
	add("fork", e.ForkPrimitive)
	add("control group", e.Cgroup)
	return all
}

// addPair appends what there is a value for.
func addPair(to []pair, name, value string) []pair {
	if value == "" {
		return to
	}
	return append(to, pair{report.Visible(name), report.Visible(value)})
}

func visible(texts []string) []string {
	var all []string
	for _, text := range texts {
		all = append(all, report.Visible(text))
	}
	return all
}

// size is a number of bytes for people.
func size(n int) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.3g GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.3g MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.3g kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}
