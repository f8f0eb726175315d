package explain

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"forkbench/internal/calltree"
	"forkbench/internal/format"
	"forkbench/internal/hoist"
	"forkbench/internal/stats"
	"forkbench/live"
)

const (
	// maxFindings are reported, and only those with a share of at least minShare of the
	// one-time work.
	maxFindings = 8
	minShare    = 0.02

	// worthShare is the share of a worker's time for a job, with its fork and exit, below
	// which one-time work is not worth anybody's while.
	worthShare = 0.05
)

// conclude puts into the result what was found, predicted and measured.
func (r *run) conclude() {
	m, res := r.measured, r.result
	res.Python = r.Header.Environment.Python
	res.FirstJob, res.LaterJob, res.OneTime = m.typical(coldName), m.typical(laterName), m.saving(coldName, laterName)
	cold := 0
	for at := range m.jobs {
		if at.contestant == coldName {
			cold++
		}
	}
	res.Freezing = r.tried(frozen().name, "nothing, only frozen: gc.freeze()", coldName)
	r.limiting()
	r.together()
	r.judge()
	left := maxFindings
	for _, f := range r.findings {
		if r.share(f) < minShare || left == 0 {
			continue
		}
		left--
		it := r.item(f, cold)
		it.Refork = r.byRefork(f)
		if r.measured.unfit(onceJob().name) == nil {
			it.OneJob = r.sparedByOneJob(f)
		}
		res.Findings = append(res.Findings, it)
		for _, p := range (&run{findings: f.parts}).hoisted() {
			res.Findings[len(res.Findings)-1].InPart = true
			it := r.item(p, cold)
			it.PartOf = f.name()
			res.Findings = append(res.Findings, it)
		}
	}
	r.account()
	res.Profiling = r.profiling()
	r.trees()
	r.notes()
	if len(r.base) == 0 { // else it is in the files already
		res.Hoist = r.place()
	}
	if res.Hoist != nil {
		res.Notes = append(res.Notes, "Where it goes: "+strings.Join(hoist.Files(), ", ")+
			" are beside this report, with the call in its place: for RQ, Celery, gunicorn, and a pre-fork server of your own.")
	}
	res.Verdict = r.verdict()
	for _, text := range r.contradictions() {
		res.Warnings = append(res.Warnings, contradiction+text)
	}
}

// contradiction begins a warning of a report that is wrong about something.
const contradiction = "this report contradicts itself, which is an error of the report: "

// item tells a finding.
func (r *run) item(f *found, cold int) Item {
	s, path := r.shares(f), f.Paths[0]
	it := Item{
		Call: f.name(), Kind: string(f.Call.Kind), CalledFrom: r.calledFrom(path),
		Share: s.wall, ShareCPU: s.cpu,
		Calls: f.Calls, Repeated: int(float64(cold)*f.Jobs + 0.5),
		Hazards: hazards(f.seen), Cautions: cautions(f.seen), Tried: f.tried,
	}
	if len(it.Hazards) > 0 {
		it.undoing = opener(f, it.Hazards[0])
	}
	it.CallMS, it.CallCPU = r.cost(f)
	it.Timed = f.timed != nil
	if f.Own {
		it.Kind, it.Collection = "own", r.collected(f)
	}
	if f.group != "" {
		it.Kind = "several"
		it.Parts = f.largest()
	}
	switch {
	case f.spared != nil && f.spared.release != nil:
		it.By = f.spared.release.name()
	case f.spared != nil:
		it.By = f.spared.ways[0].String()
	}
	it.Undo, it.Draws = r.undo(f), f.draws
	if untried, part := f.mayDo(); len(untried) > 0 {
		it.Untried, it.Env, it.untriedPart = strings.Join(references(untried), ","), r.result.Env, part
	}
	if f.Call.File != "" && f.group == "" {
		it.Defined = fmt.Sprintf("%s:%d", f.Call.File, f.Call.Line)
	}
	if first := r.result.FirstJob.Wall.Median; first > 0 {
		it.Job = it.CallMS / first
	}
	for _, n := range path {
		it.Path = append(it.Path, n.Function.String())
	}
	it.Path = it.Path[max(0, len(it.Path)-maxPath):]
	if !f.Own && f.group == "" {
		it.Parts = parts(path[len(path)-1])
	}
	var faults []float64
	for _, o := range f.seen {
		faults = append(faults, float64(o.Faults))
	}
	it.Pages = stats.Median(faults)
	if len(f.ways) == 0 {
		return it
	}
	for _, w := range f.ways {
		it.WarmUp = append(it.WarmUp, w.String())
	}
	it.Flag, it.Env = strings.Join(references(f.ways), ","), r.result.Env
	it.Saved = r.attempt(f.alone().name, f.ways[0].String(), r.sparing(f.after))
	return it
}

// parts names what the most expensive calls are that a call consists of: below
// those that do nothing themselves but make one other call.
func parts(n *calltree.Node) (list []string) {
	all := cost(n.Total()).score()
	for {
		i := slices.IndexFunc(n.Children, func(c *calltree.Node) bool { return cost(c.Total()).score() >= 0.9*cost(n.Total()).score() })
		if i < 0 {
			break
		}
		n = n.Children[i]
	}
	for _, c := range n.Children {
		if part := cost(c.Total()).score() / all; all > 0 && part >= 0.15 {
			list = append(list, fmt.Sprintf("%s (%s of it)", c.Function, format.Percent(part, 0)))
		}
	}
	return list
}

// cost is what a finding takes of a first job in a cold fork, in milliseconds of
// wall and CPU time: its share of the job when it was timed at full speed; or,
// where that could not be, its share of the profile's difference.
func (r *run) cost(f *found) (wall, cpu float64) {
	if f.timed != nil {
		return f.timed.wall * r.result.FirstJob.Wall.Median, f.timed.cpu * r.result.FirstJob.CPU.Median
	}
	// The median of differences may be more than that of jobs, and no call takes more
	// than its job.
	s, all, first := r.shares(f), r.result.OneTime, r.result.FirstJob
	return min(s.wall*all.Wall.Median, first.Wall.Median), min(s.cpu*all.CPU.Median, first.CPU.Median)
}

// spares is what a finding takes of a first job in a fork of a frozen parent, which
// is what a parent can spare it.
func (r *run) spares(f *found) (wall, cpu float64) {
	if r.collected(f) {
		return 0, 0
	}
	if f.frozen != nil {
		first := r.measured.typical(frozen().name)
		return f.frozen.wall * first.Wall.Median, f.frozen.cpu * first.CPU.Median
	}
	// A later job pays for collections that a fork of a frozen parent does not.
	s, all, first := r.shares(f), r.result.OneTime, r.measured.typical(frozen().name)
	return s.wall * min(all.Wall.Median, first.Wall.Median), s.cpu * min(all.CPU.Median, first.CPU.Median)
}

// attempt compares what is predicted, of what a contestant spares the jobs, to what
// it measured.
func (r *run) attempt(contestant, name string, parts sparing) *Try {
	t := r.tried(contestant, name, frozen().name)
	if t == nil {
		return nil
	}
	var list []*found
	for _, f := range r.findings { // in their order: sums of floats depend on it
		if parts[f] > 0 {
			wall, cpu := r.spares(f)
			t.PredictedMS, t.PredictedCPU = t.PredictedMS+parts[f]*wall, t.PredictedCPU+parts[f]*cpu
			list = append(list, f)
		}
	}
	t.CopiedMS = r.copied(contestant, list)
	t.PredictedMS, t.PredictedCPU = t.PredictedMS-t.CopiedMS, t.PredictedCPU-t.CopiedMS
	return t
}

// tried compares a contestant to another and to cold forks; nil if it was not run.
func (r *run) tried(contestant, name, other string) *Try {
	t := &Try{Name: name, Measured: r.measured.saving(other, contestant), OverCold: r.measured.saving(coldName, contestant)}
	if t.OverCold.Wall == (Interval{}) {
		return nil
	}
	ratio := func(to string) float64 {
		if rate := r.measured.throughput(to); rate > 0 {
			return r.measured.throughput(contestant) / rate
		}
		return 0
	}
	t.Throughput, t.ThroughputCold = ratio(other), ratio(coldName)
	t.Unfit, t.refork = r.measured.unfit(contestant), contestant == refork().name
	t.oneJob = contestant == onceJob().name
	return t
}

// The names of what all calls at once save, and all warm-ups that were given.
const (
	allTogether = "all of these calls"
	asGiven     = "the warm-ups as given"
)

// together tells what several calls at once save.
func (r *run) together() {
	var after []*calltree.Node
	all := make(sparing)
	for _, f := range r.hoisted() {
		after = append(after, f.after)
	}
	for _, f := range r.releases() {
		after = append(after, f.release.after)
	}
	for _, f := range r.findings {
		all[f] = 1
	}
	for _, t := range []*Try{
		r.attempt(refork().name, fmt.Sprintf("all of it (--refork=%d)", reforkAfter), all),
		r.attempt(onceJob().name, "one job, and what it opened given up (--warm=job)", r.byOneJob()),
		r.attempt(warmed(allCalls, setup{}).name, allTogether, r.sparing(after...)),
		r.attempt(warmed(userWarm, setup{}).name, asGiven, r.credited()),
	} {
		if t != nil {
			r.result.Together = append(r.result.Together, *t)
		}
	}
}

// calledFrom is the place in the application from which a path leads to its last
// call, or the caller where no place on it is in the application.
func (r *run) calledFrom(path []*calltree.Node) string {
	if len(path) < 2 {
		return "the job itself"
	}
	at := len(path) - 2
	for i := at; i >= 0; i-- {
		if ofApplication(path[i].Function) {
			at = i
			break
		}
	}
	n, line := path[at], path[at+1].CallLine
	if n.File == "" {
		return n.Function.String()
	}
	return fmt.Sprintf("%s:%d", r.short(n.File), line)
}

// ofApplication reports whether a function is in code that was not installed.
func ofApplication(f calltree.Function) bool {
	return f.File != "" && !strings.HasPrefix(f.File, "<") &&
		!strings.Contains(f.File, "/site-packages/") && !strings.Contains(f.File, "/dist-packages/") && !strings.Contains(f.File, "/lib/python")
}

// short is a file's name below the folder that it was imported from, or its last
// two parts.
func (r *run) short(file string) string {
	if python, ok := r.Machine.Runtime.(live.Python); ok {
		for _, dir := range python.Path {
			if rel, err := filepath.Rel(dir, file); err == nil && !strings.HasPrefix(rel, "..") {
				return rel
			}
		}
	}
	if _, after, ok := strings.Cut(file, "-packages/"); ok {
		return after
	}
	parts := strings.Split(file, "/")
	return strings.Join(parts[max(0, len(parts)-2):], "/")
}

// profiling tells what looking cost.
func (r *run) profiling() Profiling {
	p := Profiling{Jobs: len(r.raw)}
	var walls, events []float64
	for _, one := range r.raw {
		p.OverheadNS = one.Overhead.WallNS
		if one.Seq == 1 {
			walls, events = append(walls, format.Millis(time.Duration(one.WallNS))), append(events, float64(one.Events))
		}
	}
	p.Events = stats.Median(events)
	if first := r.result.FirstJob.Wall.Median; first > 0 {
		p.Slowdown = stats.Median(walls) / first
	}
	if cpu := r.result.FirstJob.CPU.Median; cpu > 0 {
		p.Accounted = format.Millis(r.cold.first.Total().CPU) / cpu
	}
	return p
}

// trees are those of the models.
func (r *run) trees() {
	add := func(name, about string, tree *calltree.Node) {
		if tree != nil && tree.Total().Wall > 0 {
			r.result.Trees = append(r.result.Trees, Tree{name, about, r.result.Workload, tree})
		}
	}
	add(coldName, "a first job, in a fork of a cold parent", r.cold.first)
	add(laterName, "a later job, in a process that has run others", r.cold.later)
	if a := r.result.After; a != nil && len(a.Trees) > 0 {
		add(afterName, "a first job, in a fork of a parent with the warm-ups as given", a.Trees[0].calls)
	}
	add(warmName, "a first job, in a fork of a warm parent", r.warm)
}

func (r *run) notes() {
	res := r.result
	for _, it := range res.Findings {
		if u := it.Undo; u != nil && u.unsafe() == "" {
			res.Notes = append(res.Notes, fmt.Sprintf("%s %s, which its forks must not share. Made in the parent and given up there before the first fork, %s. "+
				"There, it left open and gave up: %s.", it.Call, it.Hazards[0], u.parts(), cmp.Or(strings.Join(u.Undone, "; "), "nothing, once nobody had it")))
		}
		if it.Flag != "" && it.unsafe() == "" && len(it.paste()) > inLine {
			res.Notes = append(res.Notes, fmt.Sprintf("%s: a parent does it with %s", abridged(it.name(), inTable), it.paste()))
		}
		if why := it.unsafe(); why != "" {
			res.Notes = append(res.Notes, fmt.Sprintf("%s must not be made before a fork as it is: when it was made in a parent, %s.", it.name(), why))
		}
		if u := it.Undo; u != nil && u.unsafe() != "" {
			res.Notes = append(res.Notes, fmt.Sprintf("%s, made in a parent and given up there, must not be: %s.", u.Call, u.unsafe()))
		}
		if len(it.Hazards) > 0 && (it.Undo == nil || it.Undo.unsafe() != "") {
			res.Notes = append(res.Notes, fmt.Sprintf("%s must not be made before a fork as it is: it %s. "+
				"What it leaves would be in every child. Do it and undo it (%s) before the fork, or leave it to the jobs.",
				it.Call, strings.Join(it.Hazards, ", and "), it.undoing))
		}
		if len(it.Hazards) == 0 && len(it.Cautions) > 0 {
			res.Notes = append(res.Notes, fmt.Sprintf("%s was not tried in a parent, because it %s. Nothing of that is left open: it may be right there; name it with --warm to try it.",
				it.Call, strings.Join(it.Cautions, ", and ")))
		}
		if len(it.Draws) > 0 {
			res.Notes = append(res.Notes, drawsNote(it.name(), it.Draws))
		}
		for _, tried := range it.Tried {
			res.Notes = append(res.Notes, tried+".")
		}
		if len(it.WarmUp) > 0 && it.Kind == string(calltree.Python) && !strings.HasPrefix(it.name(), it.Call) {
			res.Notes = append(res.Notes, it.otherwise())
		}
		if parts := strings.Join(it.Parts, ", "); len(it.WarmUp) == 0 && parts != "" {
			res.Notes = append(res.Notes, fmt.Sprintf("%s consists of %s.", it.Call, parts))
		}
	}
	if overlap := r.overlap(); overlap != "" {
		res.Notes = append(res.Notes, overlap)
	}
	if res.NoRefork = r.noRefork(); res.NoRefork != "" {
		res.Notes = append(res.Notes, fmt.Sprintf("A parent that has run jobs (--refork) was not measured: %s.", res.NoRefork))
		if cure := r.cure(); cure != "" {
			res.Notes = append(res.Notes, cure)
		}
	}
	res.Notes = append(res.Notes, r.oneJobNotes()...)
	for _, p := range r.looked {
		if len(p.Handed) > 0 && res.NoRefork == "" {
			res.Warnings = append(res.Warnings, fmt.Sprintf("a process that has run a job hands %s to the children that it forks: with --refork, they all share it",
				strings.Join(p.Handed, ", ")))
			break
		}
	}
	res.Warnings = append(res.Warnings, r.sharedAnyway()...)
	displaced, cut := 0, 0
	for _, p := range r.raw {
		if p.Displaced {
			displaced++
		}
		if p.Cut > 0 {
			cut++
		}
	}
	if displaced > 0 {
		res.Warnings = append(res.Warnings, fmt.Sprintf("%d of %s set a profiler of their own (sys.setprofile, cProfile): "+
			"what they did after that was not seen, and is in no finding and no flame graph: take it out to have it explained", displaced, format.Plural(len(r.raw), "profiled job")))
	}
	if cut > 0 {
		res.Warnings = append(res.Warnings, fmt.Sprintf("%d of %s made calls in too many places, or too deep in one another: "+
			"the time of those is their callers'", cut, format.Plural(len(r.raw), "profiled job")))
	}
	contaminated := 0
	for _, round := range r.rounds {
		if round.Noise.Contaminated != "" {
			contaminated++
		}
	}
	if contaminated > 0 {
		res.Warnings = append(res.Warnings, fmt.Sprintf("%d of %s disturbed by other programs: times by the clock are too long, CPU times less so",
			contaminated, format.Plural(len(r.rounds), "measurement")+were(contaminated)))
	}
}

// name is what to call a finding: the call that does it, where there is one by
// another name than the function that was seen.
func (it *Item) name() string {
	switch more := len(it.WarmUp) - 1; {
	case more == 0:
		return it.WarmUp[0]
	case more > 0:
		return fmt.Sprintf("%s (and %d more)", it.WarmUp[0], more)
	}
	return it.Call
}

// otherwise says that a parent does a finding by another name than the jobs.
func (it *Item) otherwise() string {
	public := "public "
	if name, _, _ := strings.Cut(it.WarmUp[0], "("); strings.Contains(name, "._") {
		public = ""
	}
	kind, done := "call", "made"
	switch {
	case strings.HasPrefix(it.WarmUp[0], "import "):
		public, kind = "", "import"
	case !strings.HasSuffix(it.WarmUp[0], ")"):
		kind, done = "attribute", "read"
	}
	return fmt.Sprintf("%s is the %s%s that does what jobs do by %s (%s): %s in a parent, the jobs were seen not to do that any more.",
		it.name(), public, kind, it.Call, it.Defined, done)
}

// paste is what has a parent do it.
func (it *Item) paste() string { return it.flags(it.Flag) }

// flags are a warm-up, after the variables that it needs.
func (it *Item) flags(warm string) string {
	var flags []string
	for _, variable := range it.Env {
		flags = append(flags, "--env="+variable)
	}
	return strings.Join(append(flags, "--warm="+shellWord(warm)), " ")
}
