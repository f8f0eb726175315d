package runner_test

import (
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"forkbench/models"
	"forkbench/record"
)

const (
	µs = time.Microsecond
	ms = time.Millisecond
)

// A behaviour is what a synthetic model costs.
type behaviour struct {
	name        string
	perChild    int           // jobs that a child runs; 0: children are made before work and run them all
	startup     time.Duration // boot, until every slot is ready
	fork        time.Duration // until the child's first instruction
	oneTime     time.Duration // of the first job in a child that inherits nothing
	run         time.Duration // of a job's body
	exit        time.Duration
	warm        bool          // the parent is warmed, so that no child pays oneTime
	unreached   time.Duration // the part of oneTime that warming does not do
	parentEach  bool          // a parent for each slot
	pss, uss    int64
	faults      int64
	forkSysCPU  time.Duration // in the parent
	childSysCPU time.Duration // in each child
}

// The three models in the shape that Redash's account gives them: nearly all of a
// forked job is one-time work that a warm parent does once.
var (
	prefork = behaviour{name: "prefork", startup: 412 * ms, fork: 900 * µs, oneTime: 61 * ms, run: 4 * ms,
		exit: 400 * µs, pss: 61e6, uss: 9e6, faults: 2100, forkSysCPU: 300 * µs, childSysCPU: 500 * µs}
	forkperjob = behaviour{name: "forkperjob", perChild: 1, startup: 1480 * ms, fork: 900 * µs, oneTime: 61 * ms, run: 4 * ms,
		exit: 400 * µs, parentEach: true, pss: 97e6, uss: 11e6, faults: 1850, forkSysCPU: 300 * µs, childSysCPU: 500 * µs}
	hybrid = behaviour{name: "hybrid", perChild: 1, startup: 470 * ms, fork: 1100 * µs, oneTime: 61 * ms, run: 4 * ms,
		exit: 500 * µs, warm: true, pss: 55e6, uss: 2e6, faults: 310, forkSysCPU: 350 * µs, childSysCPU: 600 * µs}
)

// A synthetic run is a comparison whose every number follows from its fields:
// jobs go to the first free slot in the order in which they are due.
type synthetic struct {
	header     record.Header
	behaviours []behaviour
	noise      float64       // spread of each job's and each round's times, as a share
	every      time.Duration // between two jobs' due times; 0 is a burst

	// each may change a round's lines before they are handed on.
	each func(lines []record.Line, m *record.Round) []record.Line

	predictions func(model string) *record.Prediction // of a simulated run
}

func newSynthetic(jobs, rounds int, bs ...behaviour) *synthetic {
	s := &synthetic{behaviours: bs, noise: 0.02}
	s.header = record.Header{
		Version: record.Version,
		Started: time.Date(2026, 11, 5, 9, 30, 0, 0, time.UTC),
		Spec: record.Spec{
			Jobs: jobs, Workers: 4, Rounds: rounds, Seed: 1, Workload: "record_event", Runtime: "python",
			Warm: []string{"events:prepare"}, Arrivals: "burst",
		},
		Environment: record.Environment{
			OS: "linux/amd64", Kernel: "6.18.44", CPU: "AMD EPYC", Cores: 4, MemoryBytes: 24e9, HugePages: "madvise",
			Go: "go1.26.8", Python: "Python 3.11.2", Redis: "redis-server 7.0.15 (private)",
			ForkPrimitive: "os.fork of a Python template, copy-on-write", Cgroup: "version 2",
		},
	}
	for _, b := range bs {
		s.header.Spec.Models = append(s.header.Spec.Models, record.Model{Name: b.name})
	}
	return s
}

// lines is the whole run, the models' rounds in turn.
func (s *synthetic) lines() iter.Seq[record.Line] {
	return func(yield func(record.Line) bool) {
		if !yield(&s.header) {
			return
		}
		for round := range s.header.Spec.Rounds {
			for i := range s.behaviours {
				for _, l := range s.round(i, round) {
					if !yield(l) {
						return
					}
				}
			}
		}
		for i := range s.behaviours {
			if s.predictions != nil && !yield(s.predictions(s.behaviours[i].name)) {
				return
			}
		}
	}
}

// round is one model's turn, the round's own line last.
func (s *synthetic) round(model, number int) []record.Line {
	b, spec := &s.behaviours[model], &s.header.Spec
	random := rand.New(rand.NewPCG(spec.Seed, uint64(model)<<32|uint64(number)))
	drift := 1 + s.noise*(2*random.Float64()-1)
	vary := func(d time.Duration) time.Duration {
		return time.Duration(float64(d) * drift * (1 + s.noise*random.Float64()))
	}
	m := &record.Round{
		Model: b.name, Round: number, Enqueued: spec.Jobs, Taken: spec.Jobs, Settled: spec.Jobs,
		StartupNS: vary(b.startup), Noise: record.Noise{Load1: 0.5, StallNS: 3 * ms},
	}
	var lines []record.Line
	id := 0
	process := func(role string, parent, slot int, fork, ready time.Duration) *record.Process {
		id++
		p := &record.Process{Model: b.name, Round: number, ID: id, Parent: parent, Role: role, Slot: slot,
			PID: 1000 + id, Exit: "exit status 0", ForkNS: fork, ReadyNS: ready, Before: fork < 0}
		if role == record.RoleChild {
			p.Faults, p.SystemNS = b.faults, b.childSysCPU
			m.Parents.System += b.forkSysCPU
		}
		return p
	}
	parents := make([]*record.Process, spec.Workers)
	for slot := range parents {
		if slot == 0 || b.parentEach {
			parents[slot] = process(record.RoleParent, 0, slot, -m.StartupNS, -50*ms)
			parents[slot].Warmed = b.warm
		} else {
			parents[slot] = parents[0]
		}
	}
	end := func(p *record.Process, at time.Duration) time.Duration {
		p.EndNS, p.ReapNS = at, at+vary(b.exit)
		m.Children.User += p.UserNS
		m.Children.System += p.SystemNS
		lines = append(lines, p)
		return p.ReapNS
	}
	children := make([]*record.Process, spec.Workers)
	if b.perChild == 0 {
		for slot := range children {
			children[slot] = process(record.RoleChild, parents[slot].ID, slot, -20*ms, -19*ms)
		}
	}
	free := make([]time.Duration, spec.Workers)
	for i := range spec.Jobs {
		slot := slices.Index(free, slices.Min(free))
		due := time.Duration(i) * s.every
		j := &record.Job{Model: b.name, Round: number, ID: uint64(i), Slot: slot, Attempt: 1, Status: models.Done,
			DueNS: due, DequeuedNS: max(free[slot], due)}
		j.StartedNS = j.DequeuedNS + 50*µs
		child := children[slot]
		if child == nil {
			child = process(record.RoleChild, parents[slot].ID, slot, j.DequeuedNS+10*µs, j.DequeuedNS+400*µs)
			children[slot] = child
			j.StartedNS = child.ForkNS + vary(b.fork)
		}
		child.Jobs++
		j.Process, j.Seq = child.ID, child.Jobs
		j.CPUNS = vary(b.run)
		lazy := b.oneTime
		if b.warm {
			lazy = b.unreached
		}
		if j.Seq == 1 && lazy > 0 {
			j.CPUNS += vary(lazy)
		}
		child.UserNS += j.CPUNS
		j.FinishedNS = j.StartedNS + j.CPUNS
		j.SettledNS = j.FinishedNS + 200*µs
		m.WorkNS = max(m.WorkNS, j.SettledNS)
		lines = append(lines, j)
		free[slot] = j.FinishedNS + 20*µs
		if child.Jobs == b.perChild {
			free[slot] = end(child, j.FinishedNS+10*µs)
			children[slot] = nil
		}
		if i%50 == 0 {
			lines = append(lines, &record.Sample{Model: b.name, Round: number, AtNS: j.DequeuedNS,
				Processes: spec.Workers + 1, PSS: b.pss + int64(i)*1000, RSS: 2 * b.pss, ChildUSS: b.uss + int64(i%7)*1000})
		}
	}
	for _, child := range children {
		if child != nil {
			end(child, m.WorkNS)
		}
	}
	for slot, p := range parents {
		if slot == 0 || b.parentEach {
			lines = append(lines, p)
			p.EndNS, p.ReapNS = m.WorkNS+ms, m.WorkNS+2*ms
		}
	}
	m.ShutdownNS = 2 * ms
	m.Supervisor = record.CPU{User: time.Duration(spec.Jobs) * 60 * µs, System: time.Duration(spec.Jobs) * 30 * µs}
	m.Redis = record.CPU{User: time.Duration(spec.Jobs) * 20 * µs, System: time.Duration(spec.Jobs) * 40 * µs}
	m.RedisCommands = int64(3 * spec.Jobs)
	m.Wait4NS = m.Children.Total() + m.Parents.Total()
	m.BookedNS = m.Wait4NS
	m.CgroupNS = m.Wait4NS + m.Wait4NS/2000
	if s.each != nil {
		lines = s.each(lines, m)
	}
	return append(lines, m)
}
