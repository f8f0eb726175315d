package explain

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"forkbench/internal/format"
	"forkbench/report"
)

// inTable is how long a name may be in a table: whole, it is in explain.json, and what
// is to be pasted in the notes.
const inTable = 60

// pageSize turns page faults into memory. It is the kernel's smallest.
const pageSize = 4096

// Report is the result for people.
func (r *Result) Report() *report.Report {
	rep := &report.Report{
		Verdict: r.Verdict, Caption: r.caption(),
		Tables: []report.Table{r.findingsTable(), r.shareTable(), r.hoistTable(), r.savingsTable(), r.warmUpsTable()},
		Notes:  append([]string{}, r.Notes...), Warnings: slices.Clone(r.Warnings),
	}
	if r.After != nil {
		rest := r.After.Report()
		for i := range rest.Tables {
			rest.Tables[i].Title = "After the warm-ups as given: " + rest.Tables[i].Title
		}
		rep.Tables = append(rep.Tables, rest.Tables...)
		for _, note := range r.After.Notes {
			rep.Notes = append(rep.Notes, "After the warm-ups as given: "+note)
		}
		for _, w := range r.After.Warnings {
			rep.Warnings = append(rep.Warnings, "after the warm-ups as given: "+w)
		}
	}
	rep.Notes = append(rep.Notes, r.legend())
	return rep
}

func (r *Result) caption() string {
	with := ""
	if r.Python != "" {
		with = " with " + r.Python
	}
	return fmt.Sprintf("%s%s: a job takes %s in a fresh fork of a cold parent, and %s in a process that has run others; "+
		"the difference, each job compared to itself, is %s by the clock and %s of CPU.",
		r.Workload, with, span(r.FirstJob.Wall), span(r.LaterJob.Wall), span(r.OneTime.Wall), span(r.OneTime.CPU)) + r.share()
}

func (r *Result) findingsTable() report.Table {
	t := report.Table{
		Title: "One-time work that every fork repeats",
		Head:  []string{"call", "called from", "wall ms", "CPU ms", "of the job", "dirties", "times"},
		Left:  []int{1},
	}
	for _, it := range r.Findings {
		pages := ""
		if it.Pages > 0 {
			pages = bytes(it.Pages * pageSize)
		}
		t.Rows = append(t.Rows, []string{
			it.label(), it.CalledFrom, it.about(it.CallMS), it.about(it.CallCPU), format.Percent(it.Job, 0), pages, strconv.Itoa(it.Repeated),
		})
	}
	return t
}

func (r *Result) hoistTable() report.Table {
	t := report.Table{
		Title: "Whether it can be done in the parent, before the fork",
		Head:  []string{"call", "before the fork"}, Left: []int{1},
	}
	for _, it := range r.Findings {
		t.Rows = append(t.Rows, []string{it.label(), it.hoist()})
	}
	return t
}

// about is a time of a finding, marked where it is from the profile.
func (it *Item) about(ms float64) string {
	if it.Timed {
		return format.Brief(ms)
	}
	return "~" + format.Brief(ms)
}

// shareTable says how much of the difference is named, and what the rest is.
func (r *Result) shareTable() report.Table {
	t := report.Table{
		Title: "How much of the difference that is",
		Head:  []string{"", "wall ms", "CPU ms", "places", "most of all"}, Left: []int{4},
	}
	if len(r.Findings) == 0 || r.Named == nil {
		return t
	}
	t.Rows = append(t.Rows, []string{"named above", format.Brief(r.Named.WallMS), format.Brief(r.Named.CPUMS), strconv.Itoa(r.Named.Places), ""})
	for _, k := range r.Rest {
		t.Rows = append(t.Rows, []string{k.Kind, "~" + format.Brief(k.WallMS), "~" + format.Brief(k.CPUMS), strconv.Itoa(k.Places), abridged(k.Most, 44)})
	}
	return t
}

// label is a finding's name for a table.
func (it *Item) label() string {
	label := abridged(it.name(), inTable)
	switch {
	case it.Collection:
		return "a collection of garbage, in " + abridged(it.Call, inTable)
	case it.Kind == "own" && len(it.WarmUp) == 0:
		return abridged(it.Call, inTable) + " (its own code)"
	case it.PartOf != "":
		return "└ " + label
	}
	return label
}

// hoist says whether a finding can be done in a parent, and how.
func (it *Item) hoist() string {
	switch {
	case it.Collection:
		return "gc.freeze() in the parent spares it"
	case it.unsafe() != "":
		return "no: made in the parent, " + it.unsafe()
	case it.Undo != nil && it.Undo.unsafe() == "":
		return fmt.Sprintf("not as it is: %s; made and given up in the parent (%s), %s of it is spared", it.Hazards[0], it.Undo.flags(), format.Percent(it.Undo.Spares, 0))
	case len(it.Hazards) > 0 && it.OneJob > 0:
		return fmt.Sprintf("not as it is: %s; connected and given up in the parent (--warm=job), %s of it is spared", it.Hazards[0], format.Percent(it.OneJob, 0))
	case len(it.Hazards) > 0 && it.Untried != "":
		return fmt.Sprintf("not as it is: %s; not tried: %s", it.Hazards[0], it.mayWarm())
	case len(it.Hazards) > 0:
		return "no: " + it.Hazards[0]
	case it.Flag != "" && it.Saved != nil && !it.Saved.saves() && len(it.paste()) > inLine:
		return "made in the parent, it was not seen to save anything"
	case it.Flag != "" && it.Saved != nil && !it.Saved.saves():
		return "made in the parent, it was not seen to save anything: " + it.paste()
	case it.Flag != "":
		text := short(it.paste())
		if len(it.Draws) > 0 {
			text += "; but it " + sharedDraws(it.Draws)
		}
		return text
	case len(it.WarmUp) > 0:
		return strings.Join(it.WarmUp, "; ")
	case it.By != "":
		return "done by " + abridged(it.By, inTable) + ", too"
	case it.InPart:
		return "not as a whole: a part is"
	case len(it.Cautions) > 0:
		return "not tried: " + it.Cautions[0]
	case it.Untried != "" && it.untriedPart:
		return "not tried: of its parts, " + it.mayWarm()
	case it.Untried != "":
		return "not tried: " + it.mayWarm()
	}
	switch {
	case it.Refork:
		return "not by a call of its own; with --refork it is"
	case it.OneJob > 1-gone:
		return "not by a call of its own; by one job (--warm=job) it is"
	}
	return "not by a call of its own"
}

// mayWarm is the warm-up that was not tried: where it is too long to be copied by
// hand, where it stands.
func (it *Item) mayWarm() string {
	if flags := it.flags(it.Untried); len(flags) <= inLine {
		return flags
	}
	return "its untried_warm in explain.json"
}

func (r *Result) savingsTable() report.Table {
	t := report.Table{
		Title: "What that saves of each job: ms by the clock and of CPU, measured without the profiler",
		Head:  []string{"done in the parent", "predicted", "measured", "CPU predicted", "CPU measured", "jobs/s"},
	}
	for _, s := range []*Try{r.Limiting, r.Freezing} {
		if s == nil {
			continue
		}
		t.Rows = append(t.Rows, []string{s.Name, "", bounds(s.Measured.Wall), "", bounds(s.Measured.CPU), format.Brief(s.Throughput) + "×"})
	}
	add := func(s *Try) {
		name := abridged(s.Name, inTable)
		if why := s.unsafe(); why != "" {
			name += " (unsafe: " + why + ")"
		}
		t.Rows = append(t.Rows, []string{
			name, format.Brief(s.PredictedMS), bounds(s.Measured.Wall), format.Brief(s.PredictedCPU), bounds(s.Measured.CPU),
			format.Brief(s.Throughput) + "×",
		})
	}
	for _, it := range r.Findings {
		if it.Saved != nil {
			add(it.Saved)
		}
		if it.Undo != nil && it.Undo.Saved != nil {
			add(it.Undo.Saved)
		}
	}
	for i := range r.Together {
		add(&r.Together[i])
	}
	return t
}

func (r *Result) warmUpsTable() report.Table {
	t := report.Table{
		Title: "The warm-ups that were given",
		Head:  []string{"warm-up", "takes ms", "saves ms", "what it does"}, Left: []int{3},
	}
	for _, w := range r.WarmUps {
		text := w.Verdict
		if len(w.Hazards) > 0 {
			text += "; it " + strings.Join(w.Hazards, ", and ")
		}
		if len(w.Draws) > 0 {
			text += "; it " + sharedDraws(w.Draws)
		}
		took, saves := "", ""
		switch {
		case w.TakesMS != nil:
			took = format.Brief(*w.TakesMS)
		case w.TookMS > 0: // else it broke the jobs, and nothing else is known of it
			took = format.Brief(w.TookMS) + ", profiled"
		}
		if w.Saved != nil {
			saves = bounds(w.Saved.Measured.Wall)
		}
		t.Rows = append(t.Rows, []string{abridged(w.Reference, inTable), took, saves, text})
	}
	return t
}

func (r *Result) legend() string {
	p, compared := r.Profiling, ""
	if r.Freezing != nil {
		compared = "What is done in the parent is compared to forks of a parent that is frozen (gc.collect, gc.freeze) and has done nothing; that one to cold forks. "
	}
	if r.Limiting != nil {
		compared += "Variables alone are compared to cold forks without them. "
	}
	return fmt.Sprintf("Times are of one job. […] 95 %% interval over %s of %s. %sPredicted: the call's time in such a fork, without a profiler, less that of copying the pages that it shares with all forks once it is done in the parent. "+
		"Profiled were %s, none of which is in a measurement; the profiler makes a first job %s× as long (%s calls and returns; %d ns for each call are taken out again, "+
		"and what is left is %s of the unprofiled CPU time). It sees the job's own thread only.",
		format.Plural(r.Rounds, "round"), format.Plural(r.Jobs, "job"), compared, format.Plural(p.Jobs, "job"), format.Brief(p.Slowdown),
		format.Group(strconv.FormatFloat(p.Events, 'f', 0, 64)), p.OverheadNS, format.Percent(p.Accounted, 0))
}

// WriteCSV writes a line for each finding, under a line of names.
func (r *Result) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{ // Flush and Error tell
		"call", "kind", "called_from", "wall_ms", "cpu_ms", "share_wall", "share_cpu", "share_of_job", "dirty_pages", "repeated",
		"warm_up", "hazards", "predicted_wall_ms", "measured_wall_ms", "measured_wall_ms_low", "measured_wall_ms_high",
		"predicted_cpu_ms", "measured_cpu_ms", "measured_cpu_ms_low", "measured_cpu_ms_high",
		"saved_wall_ms", "saved_wall_ms_low", "saved_wall_ms_high", "saved_cpu_ms", "saved_cpu_ms_low", "saved_cpu_ms_high",
	})
	exact := func(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
	maybe := func(x *float64) string {
		if x == nil {
			return ""
		}
		return exact(*x)
	}
	for i := range r.Findings {
		it := &r.Findings[i]
		line := []string{
			it.Call, it.Kind, it.CalledFrom, exact(it.CallMS), exact(it.CallCPU), exact(it.Share), exact(it.ShareCPU), exact(it.Job),
			exact(it.Pages), strconv.Itoa(it.Repeated), strings.Join(it.WarmUp, "; "), strings.Join(it.Hazards, "; "),
		}
		if s := it.Saved; s != nil {
			interval := func(i Interval) []string { return []string{exact(i.Median), maybe(i.Low), maybe(i.High)} }
			line = slices.Concat(line, []string{exact(s.PredictedMS)}, interval(s.OverCold.Wall), []string{exact(s.PredictedCPU)}, interval(s.OverCold.CPU),
				interval(s.Measured.Wall), interval(s.Measured.CPU))
		} else {
			line = append(line, make([]string, 14)...)
		}
		_ = out.Write(line)
	}
	out.Flush()
	return out.Error()
}

// abridged keeps both ends of a long name: what it belongs to, and what it is.
func abridged(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	head := most / 3
	return string(runes[:head]) + "…" + string(runes[len(runes)-(most-head-1):])
}

func were(n int) string {
	if n == 1 {
		return " was"
	}
	return " were"
}

func milliseconds(x float64) string { return format.Brief(x) + " ms" }

func bytes(x float64) string {
	if x < 1<<20 {
		return strconv.FormatFloat(x/(1<<10), 'f', 0, 64) + " KiB"
	}
	return format.Brief(x/(1<<20)) + " MiB"
}

func bounds(i Interval) string {
	if i.Low == nil {
		return format.Brief(i.Median)
	}
	return fmt.Sprintf("%s [%s, %s]", format.Brief(i.Median), format.Brief(*i.Low), format.Brief(*i.High))
}

func span(i Interval) string {
	if i.Low == nil {
		return milliseconds(i.Median)
	}
	return fmt.Sprintf("%s [%s, %s]", milliseconds(i.Median), format.Brief(*i.Low), format.Brief(*i.High))
}
