package runner

import (
	"fmt"
	"time"

	"forkbench/internal/format"
	"forkbench/models"
	"forkbench/record"
)

// clockSlack is how far two times of one job may seem to run backwards: they are
// taken in two processes and rounded apart.
const clockSlack = time.Microsecond

// littleSlack is how far Little's law may seem violated, by rounding alone: its
// terms come from the same clock.
const littleSlack = 0.001

// The checks of each job and each process.
const (
	earlyStart  = iota // a job started before it was due, so latency < service time
	backwards          // a job's phases run backwards
	outsideWork        // a job was taken before work began
	oddProcess         // a process's phases run backwards
	blunderKinds
)

var blunderNames = [blunderKinds]string{
	earlyStart:  "a job started before it was due",
	backwards:   "a job's times run backwards",
	outsideWork: "a job was taken before work began",
	oddProcess:  "a process's times run backwards",
}

// blunders counts what did not pass a check, by kind, with the first of each.
type blunders [blunderKinds]struct {
	count   int
	round   int
	id      uint64
	example string
}

func (b *blunders) add(kind, round int, id uint64, format string, args ...any) {
	k := &b[kind]
	if k.count == 0 || id < k.id {
		k.round, k.id, k.example = round, id, fmt.Sprintf(format, args...)
	}
	k.count++
}

// merge counts another round's blunders, too.
func (b *blunders) merge(other *blunders) {
	for kind := range b {
		all := b[kind].count + other[kind].count
		if o := &other[kind]; b[kind].count == 0 || o.count > 0 && o.round < b[kind].round {
			b[kind] = *o
		}
		b[kind].count = all
	}
}

// forget drops those of a kind.
func (b *blunders) forget(kind int) { clear(b[kind : kind+1]) }

func (b *blunders) errors() []string {
	var errs []string
	for kind, k := range b {
		switch k.count {
		case 0:
		case 1:
			errs = append(errs, fmt.Sprintf("%s (round %d, %s)", blunderNames[kind], k.round+1, k.example))
		default:
			errs = append(errs, fmt.Sprintf("%s, %s times (first in round %d, %s)", blunderNames[kind], format.Count(k.count), k.round+1, k.example))
		}
	}
	return errs
}

func (r *roundState) checkJob(j *record.Job) {
	if j.DequeuedNS < -clockSlack {
		r.blunders.add(outsideWork, r.number, j.ID, "job %d: %v before", j.ID, -j.DequeuedNS)
	}
	if j.StartedNS != 0 && j.StartedNS < j.DueNS-clockSlack {
		r.blunders.add(earlyStart, r.number, j.ID, "job %d: due %v, started %v", j.ID, j.DueNS, j.StartedNS)
	}
	started := j.StartedNS
	if started == 0 {
		started = j.DequeuedNS
	}
	if started < j.DequeuedNS-clockSlack || j.FinishedNS < started-clockSlack || j.SettledNS < j.FinishedNS-clockSlack {
		r.blunders.add(backwards, r.number, j.ID, "job %d: dequeued %v, started %v, finished %v, settled %v",
			j.ID, j.DequeuedNS, j.StartedNS, j.FinishedNS, j.SettledNS)
	}
}

// sampled reports whether the records hold only some of the lines.
func sampled(spec *record.Spec) bool { return spec.Simulation != nil && spec.Simulation.Sampled > 0 }

func (r *roundState) checkProcess(p *record.Process) {
	ready := p.ReadyNS != 0 && p.ReadyNS < p.ForkNS-clockSlack
	end := p.EndNS != 0 && p.EndNS < p.ForkNS-clockSlack
	reap := p.ReapNS != 0 && p.ReapNS < max(p.EndNS, p.ForkNS)-clockSlack
	if ready || end || reap {
		r.blunders.add(oddProcess, r.number, uint64(p.ID), "process %d: forked %v, ready %v, ended %v, reaped %v",
			p.ID, p.ForkNS, p.ReadyNS, p.EndNS, p.ReapNS)
	}
}

func (r *roundState) checkBirth(id int, b birth) {
	if b.started < b.fork-clockSlack {
		r.blunders.add(oddProcess, r.number, uint64(id), "process %d: forked %v, its first job started %v", id, b.fork, b.started)
	}
}

// check is what a closed round says that cannot be: jobs that do not add up, and
// more work than its time, its workers and its cores allow. A round that was cut
// short has to add up only: its clocks were read whenever it ended, some of them
// never, while its processes were still being ended.
func (r *roundState) check(spec *record.Spec, env *record.Environment) []string {
	var errs []string
	fail := func(format string, args ...any) { errs = append(errs, fmt.Sprintf(format, args...)) }
	m := &r.measure

	lines := 0
	for _, s := range models.Statuses() {
		lines += r.statuses[s]
	}
	if m.Lost != 0 {
		fail("%d of %d jobs lost: neither run nor left in the stream", m.Lost, m.Enqueued)
	}
	if m.Duplicated != 0 {
		fail("%s settled more than once", format.Plural(m.Duplicated, "job"))
	} else if lines != m.Settled && lines+r.unacknowledged != m.Settled+m.Unacknowledged && !sampled(spec) {
		fail("%d jobs are on record, but the stream counts %d as settled", lines, m.Settled)
	}
	if sum := m.Settled + m.Unacknowledged + m.CutOff + m.NotRun + m.Lost + m.Dead; sum != m.Enqueued {
		fail("of %d jobs enqueued, %d are accounted for: %d settled, %d run but not acknowledged, %d cut off, %d not run, %d lost, %d given up",
			m.Enqueued, sum, m.Settled, m.Unacknowledged, m.CutOff, m.NotRun, m.Lost, m.Dead)
	} else if r.ended() && m.NotRun != 0 {
		fail("%d of %d jobs never run, although the round went to its end", m.NotRun, m.Enqueued)
	}
	if m.Enqueued != spec.Jobs {
		fail("%d jobs were asked for and %d enqueued", spec.Jobs, m.Enqueued)
	}
	if !r.ended() {
		return errs
	}
	if m.StartupNS < 0 || m.WorkNS < 0 || m.ShutdownNS < 0 {
		fail("a phase of the round has a negative length: start-up %v, work %v, shutdown %v", m.StartupNS, m.WorkNS, m.ShutdownNS)
	}
	if r.last > m.WorkNS+clockSlack {
		fail("the last job was settled at %v, after the end of work at %v", r.last, m.WorkNS)
	}
	r.checkLittle(spec.Workers, lines, fail)
	for _, part := range []struct {
		name string
		cpu  record.CPU
	}{{"the children", m.Children}, {"the parents", m.Parents}, {"the supervisor", m.Supervisor}, {"Redis", m.Redis}} {
		if part.cpu.Total() < 0 {
			fail("the CPU time of %s is negative: %v", part.name, part.cpu.Total())
		}
	}
	// Redis may be on another machine; shutdown adds a little after the work.
	used := m.Children.Total() + m.Parents.Total() + m.Supervisor.Total()
	if could := time.Duration(env.Cores) * (m.WorkNS + m.ShutdownNS); env.Cores > 0 && float64(used) > 1.05*float64(could)+float64(100*time.Millisecond) {
		fail("%v of CPU time were used, more than %d cores have in %v", used, env.Cores, m.WorkNS+m.ShutdownNS)
	}
	return errs
}

// checkLittle holds the round against Little's law (Little 1961, "A proof for
// the queuing formula L = λW"): the rate that the stream counted, times the mean
// time that the job lines say a job held its slot, is the mean number of slots
// held, which cannot exceed the workers. Every job lies within the time of work,
// so there are no edges to allow for.
func (r *roundState) checkLittle(workers, lines int, fail func(string, ...any)) {
	switch {
	case lines == 0 || r.measure.Settled == 0:
		return
	case r.measure.WorkNS <= 0:
		fail("%d jobs were settled in no time", r.measure.Settled)
		return
	}
	rate := float64(r.measure.Settled) / r.measure.WorkNS.Seconds()
	held := float64(r.inSlots) / float64(lines) / 1e6
	// Each job adds what its two times are rounded by.
	slack := rate*clockSlack.Seconds() + littleSlack*float64(workers)
	if busy := rate * held; busy > float64(workers)+slack {
		fail("Little's law is violated: %s jobs/s, each in a slot for %s ms, make %.2f at once, but there were %d workers",
			number(rate), number(1000*held), busy, workers)
	}
}
