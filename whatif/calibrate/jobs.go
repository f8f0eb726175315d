package calibrate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/record"
	"forkbench/sim"
)

// A class is what is measured of one kind of job, in milliseconds.
type class struct {
	count      int
	settled    bool   // there are late ones
	later      sample // CPU of those that are not their class's first in a process, late ones if there are enough
	cold, warm sample // CPU of those that are, in children of cold and of warm parents
	laterWait  []float64
	warmWait   []float64
	idleUse    float64 // the use of the cores in the last round that laterWait is from
	warmUse    float64 // the same of warmWait
}

// youngJobs is the number of jobs after its first during which a process still runs
// slower: caches, branch predictors and the interpreter's inline caches (PEP 659) have
// yet to fill. Only the jobs after these tell what a job costs.
const youngJobs = 20

// idle is the utilization up to which a job's wall time is its own.
const idle = 0.6

// jobs measures the classes, the one-time work and the first job's penalty.
func (c *calibration) jobs() {
	names, all := c.classes()
	first := penaltiesOf(all)
	c.late = make(map[string]float64)
	for i, name := range names {
		c.late[name] = first.later[i]
	}
	pages := c.private(first.most, first.warm)
	c.oneTime(first.cold, first.warm, first.coldCount, first.warmCount, pages)
	c.firstJob(first.warm, first.warmCount, pages, all)
	c.writeClasses(names, all, &first)
	c.sourceClasses(names, all, &first)
}

// classes sorts the jobs of all rounds into their classes, by name.
func (c *calibration) classes() (names []string, all []*class) {
	byName := make(map[string]*class)
	for _, r := range c.byUse() {
		own := classesOf(&r.Header.Spec)
		byIndex := make([]*class, len(own.names))
		for i, name := range own.names {
			if byName[name] == nil {
				byName[name] = new(class)
				names = append(names, name)
				all = append(all, byName[name])
			}
			byIndex[i] = byName[name]
		}
		c.sort(r, own, byIndex)
	}
	return names, all
}

// penalties are what the first job of a class in a process takes beyond a later one.
type penalties struct {
	later []float64 // of each class, the CPU of a later job
	own   []float64 // of each class, the penalty in a child of a cold parent

	most       float64 // the largest of them
	cold, warm float64 // of the class that has it, in children of cold and of warm parents

	coldCount, warmCount, laterCount int // jobs that they are from
}

// penaltiesOf compares the classes' first jobs with later ones. Where one of the two
// kinds of parents was not measured, the other stands for it; without later jobs the
// first ones do, and there is no penalty.
func penaltiesOf(all []*class) penalties {
	p := penalties{later: make([]float64, len(all)), own: make([]float64, len(all))}
	most := -1.0
	for i, k := range all {
		p.later[i] = k.later.centre()
		if k.later.empty() {
			p.later[i] = cmp.Or(k.warm.centre(), k.cold.centre())
		}
		cold, warm := k.cold.centre()-p.later[i], k.warm.centre()-p.later[i]
		if k.cold.empty() {
			cold = warm
		}
		if k.warm.empty() {
			warm = 0
		}
		p.own[i] = max(cold, warm, 0)
		p.coldCount, p.warmCount, p.laterCount = p.coldCount+len(k.cold.all), p.warmCount+len(k.warm.all), p.laterCount+len(k.later.all)
		if p.own[i] > most {
			most, p.cold, p.warm = p.own[i], max(cold, 0), max(warm, 0)
		}
	}
	p.most = most
	return p
}

// writeClasses puts the classes into the profile. A class is spared of the one-time
// work what its own penalty is short of the largest one.
func (c *calibration) writeClasses(names []string, all []*class, first *penalties) {
	total := 0
	for _, k := range all {
		total += k.count
	}
	for i, k := range all {
		s := k.later
		if s.empty() {
			s = k.warm
			if s.empty() {
				s = k.cold
			}
		}
		j := sim.Class{
			Name:   names[i],
			Weight: rounded(float64(k.count) / float64(total)),
			CPU:    s.distribution(), Wait: k.wait(), System: systemShare, Elastic: c.elastic[names[i]],
		}
		if first.most > 0 {
			j.Spared = 1 - rounded(min(max(first.own[i]/first.most, 0), 1))
			if j.Spared > 0.98 {
				j.Spared = 1
			}
		}
		c.profile.Jobs = append(c.profile.Jobs, j)
	}
}

// sourceClasses says where the classes' figures come from.
func (c *calibration) sourceClasses(names []string, all []*class, first *penalties) {
	text := ""
	if len(all) > 1 {
		text = "; classes as the workload makes them: " + strings.Join(names, ", ")
	}
	if first.laterCount > 0 {
		c.source("jobs", "%d jobs that are not their process's first%s", first.laterCount, text)
	} else {
		c.lacking("jobs", "no process ran a second job: %d first jobs of children of warm parents, or else %d of cold ones, stand for them%s",
			first.warmCount, first.coldCount, text)
	}
	for i, k := range all {
		path := fmt.Sprintf("jobs[%d].", i)
		if k.idleUse < idle {
			c.source(path+"wait_ms", "wall time less CPU of %d of these jobs, in rounds in which at most %.0f %% of the cores were used",
				len(k.laterWait), 100*idle)
		} else {
			c.source(path+"wait_ms", "no round had cores to spare: the first decile of wall time less CPU, if it is more than a tenth of the CPU")
		}
		c.source(path+"system_share", "assumed: the kernel splits the CPU of short processes by ticks, which is right only summed over all of them")
		c.source(path+"elastic", "1 if the CPU of these jobs follows the pace of the cores, by rounds with different ones, else 0")
		c.source(path+"touched_pages", "taken as none: jobs of one kind write to the same pages again, and the first one's are in first_job and one_time")
		c.source(path+"memory_mb", "not told apart from the pages that are written to: taken as none")
		c.source(path+"retained_mb", "as memory_mb")
		c.source(path+"spared", "1 less this class's first-job penalty over the largest of all classes")
	}
}

// systemShare is what is assumed of a job's CPU.
const systemShare = 0.1

// sort adds the round's jobs to their classes.
func (c *calibration) sort(r *Round, kinds classes, to []*class) {
	warmed := make(map[int]bool) // by process: its parent was warm
	odd := make(map[int]bool)    // its parent had run jobs
	parents := make(map[int]*record.Process)
	for i := range r.parents {
		parents[r.parents[i].ID] = &r.parents[i]
	}
	for i := range r.children {
		p := &r.children[i]
		if parent := parents[p.Parent]; parent != nil {
			warmed[p.ID] = parent.Warmed
		} else {
			odd[p.ID] = true
		}
	}
	first := r.firsts(kinds)
	type values struct{ later, late, cold, warm, laterWait, warmWait []float64 }
	found := make([]values, len(to))
	for _, j := range r.jobs {
		i := kinds.of(j.id)
		v := &found[i]
		to[i].count++
		cpu, wait := format.Millis(j.cpu), format.Millis(j.finished-j.started-j.took)
		cpu = c.warmed(r, cpu, turns(cpu))
		switch isFirst := first[place{j.process, i}] == j.seq; {
		case !isFirst:
			v.later = append(v.later, cpu)
			if j.seq > 1+youngJobs {
				v.late = append(v.late, cpu)
			}
			v.laterWait = append(v.laterWait, wait)
		case odd[j.process]:
		case warmed[j.process]:
			v.warm = append(v.warm, cpu)
			v.warmWait = append(v.warmWait, wait)
		default:
			v.cold = append(v.cold, cpu)
			if len(v.laterWait) == 0 {
				v.warmWait = append(v.warmWait, wait)
			}
		}
	}
	use := r.use
	for i := range found {
		k, v := to[i], &found[i]
		k.addLater(v.later, v.late)
		k.cold.add(v.cold)
		k.warm.add(v.warm)
		// Rounds come with the idlest first.
		if len(k.laterWait) == 0 || use < idle {
			if len(v.laterWait) > 0 {
				k.laterWait, k.idleUse = append(k.laterWait, v.laterWait...), use
			}
		}
		if len(k.warmWait) == 0 || use < idle {
			k.warmWait, k.warmUse = append(k.warmWait, v.warmWait...), use
		}
	}
}

// A place is a class of jobs in one process.
type place struct{ process, class int }

// firsts is the least seq of the jobs at each place.
func (r *Round) firsts(kinds classes) map[place]int {
	first := make(map[place]int)
	for _, j := range r.jobs {
		k := place{j.process, kinds.of(j.id)}
		if seq, ok := first[k]; !ok || j.seq < seq {
			first[k] = j.seq
		}
	}
	return first
}

// addLater takes one round's later jobs: the late ones only, once there are any.
func (k *class) addLater(later, late []float64) {
	switch {
	case len(late) >= enough && !k.settled:
		k.settled = true
		k.later = sample{}
		k.later.add(late)
	case k.settled:
		if len(late) >= enough {
			k.later.add(late)
		}
	default:
		k.later.add(later)
	}
}

// wait is the class's waiting, in which no CPU is used.
func (k *class) wait() sim.Dist {
	values := k.laterWait
	if len(values) == 0 {
		values = k.warmWait
		if len(values) == 0 {
			return sim.Constant(0)
		}
		k.idleUse = idle
	}
	cpu := stats.Mean(k.later.all)
	if len(k.laterWait) > 0 && k.idleUse < idle && stats.Median(values) > max(0.1*cpu, 0.05) {
		s := sample{all: values}
		return s.distribution()
	}
	low := lower(values)
	if low < max(0.1*cpu, 0.05) {
		return sim.Constant(0)
	}
	return sim.Constant(rounded(low))
}

// pages are those that a child has of its own.
type pages struct {
	cold, warm float64 // a child of a cold and of a warm parent
	faults     float64 // that a child of one job takes; the larger of the two
	known      bool
}

// private measures the children's own pages, by samples of their private memory:
// of the faults, which are counted exactly, many are of pages that are given back
// at once. The penalties are those of a first job, in a child of a cold and of a warm
// parent.
func (c *calibration) private(coldest, warmest float64) pages {
	var cold, warm, faults []float64
	for _, r := range c.rounds {
		var own []float64
		for _, s := range r.samples {
			if s.ChildUSS > 0 {
				own = append(own, float64(s.ChildUSS)/pageBytes)
			}
		}
		for i := range r.children {
			if p := &r.children[i]; p.Jobs == 1 {
				faults = append(faults, float64(p.Faults))
			}
		}
		switch {
		case len(own) == 0:
		case r.warm():
			warm = append(warm, largest(own))
		default:
			cold = append(cold, largest(own))
		}
	}
	found := pages{cold: stats.Median(cold), warm: stats.Median(warm), faults: stats.Median(faults), known: len(cold)+len(warm) > 0}
	if len(cold) == 0 {
		found.cold = found.warm
	}
	if len(warm) == 0 {
		found.warm = found.cold
	}
	m := &c.profile.Memory
	m.Copy, m.Fresh = defaultCopy, defaultCopy/2
	bounded := func(penalty, n float64, whose string) {
		if n > 0 && penalty > 0 && m.Copy*n > penalty {
			m.Copy = rounded(penalty / n)
			m.Fresh = min(m.Fresh, m.Copy)
			c.source("memory.copy_ms", "at most the first job's penalty over the %.0f pages that are a child's own, of %s parent; the default is %v", n, whose, defaultCopy)
		}
	}
	bounded(coldest, max(found.cold, found.warm), "a cold")
	bounded(warmest, found.warm, "a warm")
	if m.Copy == defaultCopy {
		c.source("memory.copy_ms", "not told apart from other CPU of a first job, which is less by as much: 0.6 ms per MB, a page at a time, as measured elsewhere")
	}
	c.source("memory.fresh_ms", "as copy_ms: half of it, a page that is cleared and not copied")
	return found
}

const pageBytes = 4096

// largest is the ninth decile: that of children at the end of their lives.
func largest(xs []float64) float64 {
	return stats.Quantile(slices.Sorted(slices.Values(xs)), 0.9)
}

// defaultCopy is the CPU of copying a page: 0.6 ms for each MB, measured on a
// virtual machine with an AMD EPYC.
const defaultCopy = 0.0023

func (c *calibration) oneTime(cold, warm float64, coldCount, warmCount int, pg pages) {
	o := &c.profile.OneTime
	diff := cold - warm
	named := c.warmUp()
	switch {
	case coldCount == 0:
		spent, clock := c.warming()
		diff = spent
		c.lacking("one_time.cpu_ms", "no child of a cold parent: the median of what warm-ups took in their parents, %.3g ms %s, whatever of it jobs would do", spent, clock)
	case warmCount == 0:
		c.lacking("one_time.cpu_ms", "first jobs of %d children of cold parents less later jobs; without children of a warm parent, it is not known how much of it cannot be inherited", coldCount)
	case diff < max(0.03*cold, 0.05):
		diff = 0
		c.source("one_time.cpu_ms", "none: first jobs of %d children of cold parents take as much as those of %d of warm ones", coldCount, warmCount)
	default:
		c.source("one_time.cpu_ms", "first jobs of %d children of cold parents less those of %d children of warm ones", coldCount, warmCount)
	}
	o.Pages = int(max(pg.cold-pg.warm, 0))
	if diff == 0 {
		o.Pages = 0
	}
	diff = max(diff-c.profile.Memory.Copy*float64(o.Pages), 0)
	o.CPU, o.Wait = sim.Constant(rounded(diff)), sim.Constant(0)
	switch {
	case warmCount > 0:
		o.Warmable = 1
		c.source("one_time.warmable", "by definition: it is what children of warm parents do not do")
	case named:
		o.Warmable = 1
		c.lacking("one_time.warmable", "not measured: the workload names a warm-up, which is taken to do all of it")
	default:
		c.lacking("one_time.warmable", "not measured, and the workload names no warm-up: taken as none")
	}
	c.source("one_time.wait_ms", "taken as none: lazy initialisation computes")
	c.source("one_time.touched_pages", "private memory of children of cold parents less that of children of warm ones, ninth deciles of the samples")
}

func (c *calibration) firstJob(warm float64, warmCount int, pg pages, all []*class) {
	f := &c.profile.FirstJob
	f.Pages = int(pg.warm)
	f.CPU = sim.Constant(rounded(max(warm-c.profile.Memory.Copy*pg.warm, 0)))
	switch {
	case warmCount == 0:
		c.lacking("first_job.cpu_ms", "no child of a warm parent: taken as part of the one-time work")
	default:
		c.source("first_job.cpu_ms", "first jobs of %d children of warm parents less later jobs, less the faults", warmCount)
	}
	wait := 0.0
	for _, k := range all {
		if k.idleUse < idle && k.warmUse < idle && len(k.warmWait) >= enough && len(k.laterWait) >= enough {
			wait = max(wait, lower(k.warmWait)-lower(k.laterWait))
		}
	}
	if wait < 0.1 {
		wait = 0
	}
	f.Wait = sim.Constant(rounded(wait))
	c.source("first_job.wait_ms", "first deciles of wall time less CPU, first jobs less later ones, in rounds with idle cores; less than 0.1 ms is none")
	if pg.known {
		c.source("first_job.touched_pages", "private memory of children of a warm parent, ninth decile of the samples, the fork's pages included")
	} else {
		c.lacking("first_job.touched_pages", "no sample saw a child: taken as none")
	}
}
