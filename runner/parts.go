package runner

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"forkbench/models"
	"forkbench/record"
)

// A round of a model may be made in parts, between which others take their turns, so
// that what the machine does meanwhile hits all models alike, and a slow model is known
// from several measurements when it has run each job once. Each part has its processes
// booted anew; that makes no difference to jobs that have a process of their own each
// (models.JobsApart).
const (
	// Slots are idle at a part's end, as at a round's. With so many jobs for each, that
	// is one in fifty of its time at most.
	partJobs = 25
	maxParts = 8
)

// partsOf is in how many parts so many jobs are run; 1 is in one go.
func partsOf(e models.Executor, jobs, workers int) int {
	if !models.JobsApart(e) {
		return 1
	}
	return min(max(jobs/(partJobs*max(workers, 1)), 1), maxParts)
}

// A gathering is a round that is made in parts, as long as it is. It is a sink for
// their lines, which it passes on as lines of one round, whose clock stands still
// between the parts.
type gathering struct {
	sink  record.Sink
	parts int // that there are to be
	whole record.Round

	mu    sync.Mutex
	base  int // processes of the parts that have ended
	most  int // the number of the last process
	shift time.Duration
	used  time.Duration // the last sample's, with that of parts before
	spent time.Duration // that of parts before
	done  int           // jobs, of this part
}

var _ record.Sink = (*gathering)(nil)

func newGathering(sink record.Sink, parts int) *gathering {
	return &gathering{sink: sink, parts: parts}
}

// Write passes on a line of the part that goes on.
func (g *gathering) Write(l record.Line) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch l := l.(type) {
	case *record.Job:
		if l.Status == models.Done {
			g.done++
		}
		j := *l
		if j.Process != 0 {
			j.Process += g.base
		}
		j.DequeuedNS += g.shift
		g.later(&j.StartedNS, &j.FinishedNS, &j.SettledNS)
		return g.sink.Write(&j)
	case *record.Process:
		p := *l
		p.ID += g.base
		g.most = max(g.most, p.ID)
		if p.Parent != 0 {
			p.Parent += g.base
		}
		p.ForkNS += g.shift
		g.later(&p.ReadyNS, &p.EndNS, &p.ReapNS)
		return g.sink.Write(&p)
	case *record.Sample:
		s := *l
		s.AtNS += g.shift
		s.CPUNS += g.spent
		g.used = max(g.used, s.CPUNS)
		return g.sink.Write(&s)
	}
	return fmt.Errorf("a line of kind %T in a part of a round", l)
}

// later moves times to where they are in the round; zero is none.
func (g *gathering) later(times ...*time.Duration) {
	for _, t := range times {
		if *t != 0 {
			*t += g.shift
		}
	}
}

// add ends a part, with its own record.
func (g *gathering) add(r *record.Round) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w := &g.whole
	n := len(w.Parts)
	part := record.Part{
		Block: r.Block, Settled: r.Settled, Done: g.done, StartupNS: r.StartupNS, WorkNS: r.WorkNS, CPU: r.CPU(), Contaminated: r.Noise.Contaminated,
	}
	before := *w
	*w = *r
	w.Parts = slices.Concat(before.Parts, []record.Part{part})
	g.done, g.base, g.shift, g.spent = 0, g.most, g.shift+r.WorkNS, g.used
	if n == 0 {
		w.Noise.Contaminated = disturbed(w.Parts)
		return
	}
	for _, sum := range []struct{ to, add *int }{
		{&w.Enqueued, &before.Enqueued}, {&w.Taken, &before.Taken}, {&w.Settled, &before.Settled}, {&w.Duplicated, &before.Duplicated},
		{&w.Lost, &before.Lost}, {&w.NotRun, &before.NotRun}, {&w.Dead, &before.Dead}, {&w.Strays, &before.Strays},
		{&w.Unacknowledged, &before.Unacknowledged}, {&w.CutOff, &before.CutOff},
	} {
		*sum.to += *sum.add
	}
	for _, sum := range []struct{ to, add *time.Duration }{
		{&w.WorkNS, &before.WorkNS}, {&w.ShutdownNS, &before.ShutdownNS},
		{&w.BookedNS, &before.BookedNS}, {&w.Wait4NS, &before.Wait4NS}, {&w.AwayNS, &before.AwayNS},
		{&w.Noise.ForeignNS, &before.Noise.ForeignNS}, {&w.Noise.StealNS, &before.Noise.StealNS},
	} {
		*sum.to += *sum.add
	}
	for _, sum := range []struct{ to, add *record.CPU }{
		{&w.Children, &before.Children}, {&w.Parents, &before.Parents}, {&w.Supervisor, &before.Supervisor}, {&w.Redis, &before.Redis},
		{&w.Strayed, &before.Strayed}, {&w.Measuring, &before.Measuring},
	} {
		*sum.to = sum.to.Add(*sum.add)
	}
	if w.CgroupNS += before.CgroupNS; before.CgroupNS == 0 || r.CgroupNS == 0 {
		w.CgroupNS = 0 // a part had no group: there is no check
	}
	w.SupervisorWaits += before.SupervisorWaits
	w.RedisCommands += before.RedisCommands
	w.Services = sumServices(before.Services, r.Services)
	w.StartupNS = (before.StartupNS*time.Duration(n) + r.StartupNS) / time.Duration(n+1)
	w.Noise.StallNS = sumKnown(before.Noise.StallNS, r.Noise.StallNS)
	w.Noise.Load1 = before.Noise.Load1
	w.Noise.Pace, w.Noise.PieceNS = weighed(&before, r)
	w.Noise.Contaminated = disturbed(w.Parts)
	w.Warnings = union(before.Warnings, r.Warnings)
	w.Hazards = union(before.Hazards, r.Hazards)
	w.Unfit = union(before.Unfit, r.Unfit)
	if before.Undone != nil {
		w.Undone = before.Undone // of the first part, as the first round's stands for all
	}
}

// ended reports whether no part is to come.
func (g *gathering) ended() bool {
	return len(g.whole.Parts) >= g.parts || g.whole.Interrupted || g.whole.Error != ""
}

// round is the round as it is, of so many jobs; cut short if parts are to come.
func (g *gathering) round(jobs int) *record.Round {
	r := g.whole
	if len(r.Parts) < g.parts {
		r.Interrupted = r.Interrupted || r.Error == ""
		r.NotRun += jobs - r.Enqueued
	}
	r.Enqueued = jobs
	return &r
}

// disturbed says how many parts were contaminated, and why the first of them.
func disturbed(parts []record.Part) string {
	n, why := 0, ""
	for _, p := range parts {
		if p.Contaminated != "" {
			if n++; n == 1 {
				why = p.Contaminated
			}
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d parts: %s", n, len(parts), why)
}

// weighed is the pace of two parts of a round, by their lengths; of one where nobody
// looked in the other.
func weighed(a, b *record.Round) (pace float64, piece time.Duration) {
	switch {
	case a.Noise.Pace == 0 || a.WorkNS <= 0:
		return b.Noise.Pace, b.Noise.PieceNS
	case b.Noise.Pace == 0 || b.WorkNS <= 0:
		return a.Noise.Pace, a.Noise.PieceNS
	}
	share := float64(a.WorkNS) / float64(a.WorkNS+b.WorkNS)
	return share*a.Noise.Pace + (1-share)*b.Noise.Pace,
		time.Duration(share*float64(a.Noise.PieceNS) + (1-share)*float64(b.Noise.PieceNS))
}

// sumKnown is a + b, or -1 if one of them is unknown.
func sumKnown(a, b time.Duration) time.Duration {
	if a < 0 || b < 0 {
		return -1
	}
	return a + b
}

func sumServices(a, b []record.Service) []record.Service {
	var all []record.Service
	for _, s := range slices.Concat(a, b) {
		if i := slices.IndexFunc(all, func(known record.Service) bool { return known.Name == s.Name }); i >= 0 {
			all[i].CPU = all[i].CPU.Add(s.CPU)
		} else {
			all = append(all, s)
		}
	}
	return all
}

// union is a with what else is in b.
func union[T comparable](a, b []T) []T {
	all := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(all, x) {
			all = append(all, x)
		}
	}
	return all
}
