package plots

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/models"
	"forkbench/record"
	"forkbench/runner"
)

// A phase is a part of a process's life.
type phase uint8

const (
	phaseBoot phase = iota
	phaseWarm
	phaseFork
	phasePenalty
	phaseRun
	phaseExit
	phases // how many there are
)

func (p phase) String() string {
	return [...]string{"boot", "warm", "fork", "first-job penalty", "run", "exit"}[p]
}

func (p phase) fill() fill {
	return [...]fill{fillBoot, fillWarm, fillFork, fillPenalty, fillRun, fillExit}[p]
}

// A lifePanel is the beginning of one model's first round. Times are
// milliseconds since the start of work.
type lifePanel struct {
	model string
	note  string
	lanes []lane

	slots, shown int
	begin        float64 // the first process's birth
	end          float64 // up to where there is something to draw
	wanted       float64 // how much work it takes to see what the model does
	own          float64 // the time shown when the panel has its own scale
	window       float64 // the time shown
	complete     float64 // the records hold every job finished until then
	orphans      bool    // not every process that ran a job is in the records

	finished, forked, booted []float64 // jobs and processes of all slots
}

// A lane is one row: a parent, or the children of one slot.
type lane struct {
	label  string
	parent bool
	bodies []span // the lives of its processes
	blocks []block
	known  float64 // the records hold everything in this lane until then
}

// A block is one phase of one process.
type block struct {
	span
	phase phase
	bad   bool        // the job in it failed, crashed or timed out
	job   *record.Job // nil for what belongs to no job
}

// A life is a process with its jobs.
type life struct {
	*record.Process
	jobs []*record.Job
}

// newLifePanel arranges the beginning of a model's first round in lanes of at
// most the given number of slots.
func newLifePanel(s *runner.Series, ph *runner.Phases, workers, limit int) lifePanel {
	m := laneMaker{limit: limit, children: map[int][]*life{}}
	m.splitter.run = positive(ph.Run)
	if ph.FirstJobPenalty != nil {
		m.splitter.penalty = positive(*ph.FirstJobPenalty)
	}
	m.all = len(s.Rounds) > 0 && len(s.Jobs) >= s.Rounds[0].Measure.Settled

	p := lifePanel{complete: math.Inf(1)}
	lives, strays := livesOf(s)
	for _, l := range lives {
		if l.Role == record.RoleParent {
			m.parents = append(m.parents, l)
			p.booted = append(p.booted, format.Millis(l.ForkNS))
		} else {
			m.children[l.Slot] = append(m.children[l.Slot], l)
			p.forked = append(p.forked, format.Millis(l.ForkNS))
		}
	}
	m.strays = strays
	p.orphans = len(strays) > 0
	for _, j := range strays {
		if _, ok := m.children[j.Slot]; !ok {
			m.children[j.Slot] = nil
		}
	}
	m.slots = slices.Sorted(maps.Keys(m.children))
	p.slots, p.shown = max(len(m.slots), workers), min(len(m.slots), limit)
	m.slots = m.slots[:p.shown]
	for i := range s.Jobs {
		p.finished = append(p.finished, format.Millis(s.Jobs[i].FinishedNS))
	}
	if !m.all && len(p.finished) > 0 {
		p.complete = slices.Max(p.finished)
	}
	p.lanes = m.lanes()
	p.measure(m.all)
	return p
}

// livesOf joins processes and their jobs, in order of birth. Strays are jobs
// whose process is not among the first.
func livesOf(s *runner.Series) (lives []*life, strays []*record.Job) {
	byID := map[int]*life{}
	for i := range s.Processes {
		l := &life{Process: &s.Processes[i]}
		lives = append(lives, l)
		byID[l.ID] = l
	}
	for i := range s.Jobs {
		j := &s.Jobs[i]
		if l, ok := byID[j.Process]; ok && j.Process != 0 {
			l.jobs = append(l.jobs, j)
		} else {
			strays = append(strays, j)
		}
	}
	slices.SortStableFunc(lives, func(a, b *life) int {
		return cmp.Or(cmp.Compare(a.ForkNS, b.ForkNS), cmp.Compare(a.ID, b.ID))
	})
	for _, l := range lives {
		slices.SortStableFunc(l.jobs, func(a, b *record.Job) int { return cmp.Compare(a.FinishedNS, b.FinishedNS) })
	}
	return lives, strays
}

// A laneMaker arranges processes in lanes.
type laneMaker struct {
	splitter splitter
	parents  []*life
	children map[int][]*life // by slot
	strays   []*record.Job
	slots    []int // that are shown
	limit    int   // of slots
	all      bool  // the records hold every job
}

// lanes are parents above the children that they forked. Parents without a
// child in a slot that is shown are left out.
func (m *laneMaker) lanes() []lane {
	var lanes []lane
	placed := map[int]bool{}
	add := func(parent *life) {
		if !placed[parent.ID] {
			placed[parent.ID] = true
			lanes = append(lanes, m.parentLane(parent))
		}
	}
	for _, parent := range m.parents {
		if len(parent.jobs) > 0 && len(lanes) < m.limit {
			add(parent)
		}
	}
	for _, slot := range m.slots {
		for _, child := range m.children[slot] {
			for _, parent := range m.parents {
				if parent.ID == child.Parent {
					add(parent)
				}
			}
		}
		lanes = append(lanes, m.slotLanes(slot)...)
	}
	return lanes
}

// parentLane holds one booted process and the time it takes to fork the
// children that are shown. One that runs jobs itself looks like a child.
func (m *laneMaker) parentLane(parent *life) lane {
	l := lane{label: "parent", parent: true, known: math.Inf(1)}
	l.add(parent, m.splitter)
	if len(parent.jobs) > 0 {
		l.label, l.parent = "process", false
		if known := l.lastKnown(); !m.all && known < l.bodies[0].hi {
			l.known = known
		}
	}
	for _, slot := range m.slots {
		for _, child := range m.children[slot] {
			if child.Parent == parent.ID {
				l.block(phaseFork, forkSpan(child.Process))
			}
		}
	}
	return l
}

// slotLanes holds the children of one slot.
func (m *laneMaker) slotLanes(slot int) []lane {
	lanes := childLanes(m.children[slot], m.splitter)
	lanes[0].label = fmt.Sprintf("slot %d", slot)
	for _, j := range m.strays {
		if j.Slot == slot && len(m.children[slot]) == 0 { // no process is known
			lanes[0].blocks = append(lanes[0].blocks, m.splitter.job(j)...)
		}
	}
	known := 0.0
	for i := range lanes {
		known = math.Max(known, lanes[i].lastKnown())
	}
	if m.all {
		known = math.Inf(1)
	}
	for i := range lanes {
		lanes[i].known = known
	}
	return lanes
}

// childLanes lays the children of a slot out in as few lanes as it takes for
// none to overlap: one, unless children are forked ahead of need.
func childLanes(children []*life, sp splitter) []lane {
	const most = 3
	lanes := []lane{{}}
	free := []float64{math.Inf(-1)} // when each lane is
	for _, c := range children {
		from, to := format.Millis(c.ForkNS), bodySpan(c.Process).hi
		k := slices.IndexFunc(free, func(t float64) bool { return t <= from })
		switch {
		case k >= 0:
		case len(lanes) < most:
			k, lanes, free = len(lanes), append(lanes, lane{}), append(free, 0)
		default:
			k = most - 1
		}
		lanes[k].add(c, sp)
		free[k] = to
	}
	return lanes
}

// add puts a process and all its phases into the lane.
func (l *lane) add(p *life, sp splitter) {
	body := bodySpan(p.Process)
	l.bodies = append(l.bodies, body)
	birth := span{format.Millis(p.ForkNS), format.Millis(p.ReadyNS)}
	if p.Role == record.RoleParent {
		l.block(phaseBoot, birth)
	} else {
		birth = forkSpan(p.Process)
		if len(p.jobs) > 0 && p.jobs[0].Seq <= 1 && p.jobs[0].DequeuedNS <= p.ForkNS && p.jobs[0].StartedNS > p.ForkNS {
			// Forked for this very job: the fork ends with the job's beginning.
			birth.hi = format.Millis(p.jobs[0].StartedNS)
		}
		l.block(phaseFork, birth)
	}
	if p.WarmNS > 0 {
		l.block(phaseWarm, span{birth.hi, birth.hi + format.Millis(p.WarmNS)})
	}
	for _, j := range p.jobs {
		l.blocks = append(l.blocks, sp.job(j)...)
	}
	end := format.Millis(p.EndNS)
	if n := len(p.jobs); n > 0 && n >= p.Jobs {
		end = math.Max(end, format.Millis(p.jobs[n-1].FinishedNS))
	}
	if p.EndNS != 0 {
		l.block(phaseExit, span{end, body.hi})
	}
}

func (l *lane) block(ph phase, s span) {
	if s.hi > s.lo {
		l.blocks = append(l.blocks, block{span: s, phase: ph})
	}
}

// lastKnown is the end of the last job known in the lane, with the exit after
// it: what comes later is not in the records.
func (l *lane) lastKnown() float64 {
	last := 0.0
	for _, b := range l.blocks {
		if b.phase == phaseRun || b.phase == phasePenalty {
			last = math.Max(last, b.hi)
		}
	}
	for _, b := range l.blocks {
		if b.phase == phaseExit && b.lo <= last {
			last = math.Max(last, b.hi)
		}
	}
	return last
}

// bodySpan is a process's life; it does not end where its end is unknown.
func bodySpan(p *record.Process) span {
	s := span{format.Millis(p.ForkNS), format.Millis(p.ReapNS)}
	if p.ReapNS == 0 || s.hi <= s.lo {
		s.hi = math.Inf(1)
	}
	return s
}

func forkSpan(p *record.Process) span {
	return span{format.Millis(p.ForkNS), math.Max(format.Millis(p.ForkNS), format.Millis(p.ReadyNS))}
}

// dropLater leaves out the lanes of parents that were booted after the time shown: of
// later parts of the round.
func (p *lifePanel) dropLater() {
	p.lanes = slices.DeleteFunc(p.lanes, func(l lane) bool {
		return l.parent && !slices.ContainsFunc(l.bodies, func(s span) bool { return s.lo < p.window })
	})
}

// A splitter divides the time of a process's first job into the penalty and
// the run. In milliseconds.
type splitter struct {
	penalty float64 // 0 where it is unknown
	run     float64 // a later job
}

// job is the blocks of one job.
func (sp splitter) job(j *record.Job) []block {
	s := span{format.Millis(j.StartedNS), format.Millis(j.FinishedNS)}
	bad := j.Status != models.Done
	if j.StartedNS == 0 && bad { // it never started
		s.lo = s.hi
	}
	run := block{span: s, phase: phaseRun, bad: bad, job: j}
	if j.Seq != 1 || sp.penalty == 0 || s.hi-s.lo <= sp.run {
		return []block{run}
	}
	// By share, not by length: a first job that took twice the median did so in
	// both of its parts.
	run.lo += (s.hi - s.lo) * sp.penalty / (sp.penalty + sp.run)
	return []block{{span: span{s.lo, run.lo}, phase: phasePenalty, job: j}, run}
}

// measure finds how much time the panel needs.
func (p *lifePanel) measure(all bool) {
	var first, cycle float64
	for _, l := range p.lanes {
		var ends []float64
		for _, s := range l.bodies {
			p.begin = math.Min(p.begin, s.lo)
		}
		for _, b := range l.blocks {
			if b.phase == phaseRun {
				ends = append(ends, b.hi)
				p.end = math.Max(p.end, b.hi)
			}
		}
		if len(ends) == 0 {
			continue
		}
		slices.Sort(ends)
		first = math.Max(first, ends[0])
		var gaps []float64
		for i := 1; i < len(ends); i++ {
			gaps = append(gaps, ends[i]-ends[i-1])
		}
		if len(gaps) > 0 {
			cycle = math.Max(cycle, stats.Median(gaps))
		}
	}
	if p.end <= 0 {
		p.end = 1
	}
	// Two jobs and a bit show a cycle; a dozen show that it repeats.
	p.wanted = math.Max(1.1*first, 2.4*cycle)
	p.own = math.Max(1.3*first, 8*cycle)
	if all {
		p.wanted, p.own = math.Min(p.wanted, 1.05*p.end), math.Min(p.own, 1.05*p.end)
	}
	p.own = math.Min(p.own, math.Max(p.end, p.wanted))
	if p.wanted <= 0 {
		p.wanted, p.own = p.end, p.end
	}
}
