package calibrate

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/models"
	"forkbench/record"
)

// A Round is one contestant's turn at the jobs of a live run, with what package
// calibrate needs of its records.
type Round struct {
	Run    string // where the records are
	Header *record.Header
	Model  record.Model
	record.Round

	jobs     []job
	children []record.Process
	parents  []record.Process
	samples  []record.Sample
	batches  int     // settlements acknowledged together
	use      float64 // the share of the cores that was used
}

// A job is what is kept of a record.Job that was done.
type job struct {
	id                                     uint64
	process, seq                           int
	due, dequeued, started, finished, took time.Duration // the last is its CPU

	cpu time.Duration // the same, at the pace of the calibration
}

// Read reads the rounds of a run that have ended. What a killed run left is read
// up to its end. The name stands in sources and errors.
func Read(name string, lines iter.Seq2[record.Line, error]) ([]*Round, error) {
	var h *record.Header
	var ended []*Round
	type key struct {
		model string
		round int
	}
	open := make(map[key]*Round)
	at := func(model string, round int) *Round {
		k := key{model, round}
		if open[k] == nil {
			open[k] = &Round{Run: name, Header: h}
		}
		return open[k]
	}
	settled := make(map[*Round]map[time.Duration]bool)
	for l, err := range lines {
		if errors.Is(err, record.ErrTruncated) && h != nil {
			break
		}
		if err != nil {
			return nil, err
		}
		switch l := l.(type) {
		case *record.Header:
			h = l
		case *record.Job:
			r := at(l.Model, l.Round)
			if settled[r] == nil {
				settled[r] = make(map[time.Duration]bool)
			}
			settled[r][l.SettledNS] = true
			if l.Status == models.Done {
				r.jobs = append(r.jobs, job{
					l.ID, l.Process, l.Seq, l.DueNS, l.DequeuedNS, l.StartedNS, l.FinishedNS, l.CPUNS, l.CPUNS,
				})
			}
		case *record.Process:
			r := at(l.Model, l.Round)
			if l.Role == record.RoleChild {
				r.children = append(r.children, *l)
			} else {
				r.parents = append(r.parents, *l)
			}
		case *record.Sample:
			r := at(l.Model, l.Round)
			r.samples = append(r.samples, *l)
		case *record.Round:
			k := key{l.Model, l.Round}
			r := at(l.Model, l.Round)
			r.Round, r.batches = *l, len(settled[r])
			m := h.Spec.Model(l.Model)
			if m == nil {
				return nil, fmt.Errorf("model %q is not in the header", l.Model)
			}
			r.Model = *m
			r.use = r.CPU() * float64(r.Settled) / format.Millis(r.WorkNS) / float64(max(h.Environment.Cores, 1))
			ended = append(ended, r)
			delete(open, k)
			delete(settled, r)
		}
	}
	if h == nil {
		return nil, errors.New("no records")
	}
	return ended, nil
}

// A Setting is what rounds have in common that repeat each other.
type Setting struct {
	Workers  int
	Cores    int
	Jobs     int
	Arrivals string
	Seed     uint64
	Model    string // the contestant's name
}

func (s Setting) String() string {
	return fmt.Sprintf("%s, %d workers, %d jobs", s.Model, s.Workers, s.Jobs)
}

// Setting is the round's.
func (r *Round) Setting() Setting {
	s := &r.Header.Spec
	return Setting{s.Workers, r.Header.Environment.Cores, s.Jobs, s.Arrivals, s.Seed, r.Round.Model}
}

// ID is what a profile's Runs name the round's run by.
func (r *Round) ID() string { return r.Header.Started.UTC().Format(time.RFC3339Nano) }

// place is where the round stands.
func (r *Round) place() string {
	return fmt.Sprintf("%s, round %d, in %s", r.Round.Model, r.Round.Round+1, r.Run)
}

// unusable says why the round's numbers do not count, or nothing if they do. A
// contaminated round's can be made to.
func (r *Round) unusable(marked bool) string {
	switch {
	case r.Error != "":
		return "it failed: " + r.Error
	case r.Interrupted:
		return "it was interrupted"
	case r.Settled == 0 || r.WorkNS <= 0:
		return "nothing was settled"
	case len(r.jobs) == 0:
		return "no job was done: all of them failed, crashed or timed out"
	case r.Noise.Contaminated != "" && !marked:
		return "contaminated: " + r.Noise.Contaminated
	}
	return ""
}

// CPU is that of all parts, in milliseconds for each job settled.
func (r *Round) CPU() float64 {
	return format.Millis(r.Round.CPU().Total()) / float64(r.Settled)
}

// Throughput is jobs settled per second of work.
func (r *Round) Throughput() float64 { return float64(r.Settled) / r.WorkNS.Seconds() }

// CPUDone is CPU for each job done.
func (r *Round) CPUDone() float64 { return format.Millis(r.Round.CPU().Total()) / float64(len(r.jobs)) }

// Done is jobs done per second of work.
func (r *Round) Done() float64 { return float64(len(r.jobs)) / r.WorkNS.Seconds() }

// Latency is a quantile of the jobs' times from due to finished, in milliseconds,
// but for the first jobs, in the order in which they are due.
func (r *Round) Latency(q float64, first int) float64 {
	var all []float64
	for _, j := range r.jobs {
		if j.id >= uint64(first) {
			all = append(all, format.Millis(j.finished-j.due))
		}
	}
	slices.Sort(all)
	return stats.Quantile(all, q)
}

// PeakPSS is the largest sample of the tree's memory, in megabytes of 1e6 bytes;
// 0 if there was none.
func (r *Round) PeakPSS() float64 {
	if len(r.samples) == 0 {
		return 0
	}
	most := slices.MaxFunc(r.samples, func(a, b record.Sample) int { return cmp.Compare(a.PSS, b.PSS) })
	return float64(most.PSS) / 1e6
}

// trees is how many parents there were at once: each part of a round that was made in
// several has its own.
func (r *Round) trees() int { return len(r.parents) / max(len(r.Parts), 1) }

// forks is how many children were made during work.
func (r *Round) forks() int {
	n := 0
	for i := range r.children {
		if !r.children[i].Before {
			n++
		}
	}
	return n
}

// warm reports whether the parents had done the one-time work.
func (r *Round) warm() bool {
	return len(r.parents) > 0 && !slices.ContainsFunc(r.parents, func(p record.Process) bool { return !p.Warmed })
}
