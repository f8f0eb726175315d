package plots

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/models"
	"forkbench/record"
	"forkbench/runner"
)

// A policy is what a synthetic model does. Times are in milliseconds.
type policy struct {
	name         string
	perSlot      bool // a parent for each slot, booted in it; else one parent
	jobsPerChild int  // 0: children live as long as the run
	boot, warm   float64
	fork, exit   float64
	penalty, run float64
	memory       float64 // MB of the tree at work
}

// The three models as they are with jobs of 1.5 ms that do 60 ms of one-time
// work behind the back of whoever wrote them.
var (
	prefork    = policy{name: "prefork", boot: 620, fork: 1.1, exit: 0.9, penalty: 60, run: 1.5, memory: 96}
	forkperjob = policy{name: "forkperjob", perSlot: true, jobsPerChild: 1, boot: 650, fork: 1.2, exit: 1.0, penalty: 60, run: 1.6, memory: 71}
	hybrid     = policy{name: "hybrid", jobsPerChild: 1, boot: 620, warm: 62, fork: 1.6, exit: 1.2, penalty: 0.2, run: 1.6, memory: 58}
)

func threeModels() *runner.Analysis { return simulate(3, 1000, 4, 64, prefork, forkperjob, hybrid) }

// simulate makes an analysis as a run of the policies would leave it, with the
// first keep processes and jobs for the life-cycle chart.
func simulate(rounds, jobs, workers, keep int, policies ...policy) *runner.Analysis {
	rng := rand.New(rand.NewPCG(1, 2))
	a := &runner.Analysis{}
	a.Summary.Spec = record.Spec{
		Jobs: jobs, Workers: workers, Rounds: rounds, Workload: "record_event", Runtime: "python", Arrivals: "burst",
	}
	a.Summary.Environment = record.Environment{Cores: 2, ForkPrimitive: "os.fork of a Python template, copy-on-write"}
	for _, p := range policies {
		s := runner.Series{Model: p.name}
		a.Summary.Spec.Models = append(a.Summary.Spec.Models, record.Model{Name: p.name})
		var latencies []float64
		for r := range rounds {
			round, processes, js := p.play(r, jobs, workers, rng)
			s.Rounds = append(s.Rounds, round)
			for _, j := range js {
				latencies = append(latencies, format.Millis(j.FinishedNS-j.DueNS))
			}
			if r == 0 {
				s.Processes = processes[:min(keep, len(processes))]
				s.Jobs = js[:min(keep, len(js))]
			}
		}
		slices.Sort(latencies)
		for i := range 200 {
			share := float64(i+1) / 200
			k := max(1, int(math.Ceil(share*float64(len(latencies)))))
			s.Latency = append(s.Latency, runner.CDFPoint{Millis: latencies[k-1], Share: share})
		}
		a.Series = append(a.Series, s)
		a.Summary.Models = append(a.Summary.Models, p.summarise(&s, latencies, jobs*rounds))
	}
	return a
}

// play runs one round of the policy.
func (p policy) play(round, jobs, workers int, rng *rand.Rand) (runner.RoundSeries, []record.Process, []record.Job) {
	var processes []record.Process
	var done []record.Job
	at := func(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
	vary := func(ms float64) float64 { return ms * math.Exp(0.18*rng.NormFloat64()) }
	add := func(q record.Process) *record.Process {
		q.Model, q.Round, q.ID = p.name, round, len(processes)+1
		processes = append(processes, q)
		return &processes[q.ID-1]
	}
	startup := p.boot + p.warm + 8*float64(workers)
	parents := 1
	if p.perSlot {
		parents = workers
	}
	for i := range parents {
		add(record.Process{Role: record.RoleParent, Slot: i, Before: true, Warmed: p.warm > 0,
			ForkNS: at(-startup + float64(i)), ReadyNS: at(-startup + p.boot*(0.9+0.1*rng.Float64())), WarmNS: at(p.warm)})
	}
	clock := slices.Repeat([]float64{0}, workers)
	child := slices.Repeat([]int{0}, workers) // process IDs
	fork := func(slot int, t float64) *record.Process {
		parent := 1
		if p.perSlot {
			parent = slot + 1
		}
		c := add(record.Process{Role: record.RoleChild, Slot: slot, Parent: parent, Before: t < 0,
			ForkNS: at(t), ReadyNS: at(t + vary(p.fork))})
		child[slot] = c.ID
		return c
	}
	if p.jobsPerChild == 0 {
		for slot := range workers {
			fork(slot, -6*float64(workers-slot))
		}
	}
	end := func(c *record.Process, t float64) float64 {
		c.EndNS, c.ReapNS = at(t), at(t+vary(p.exit))
		return format.Millis(c.ReapNS)
	}
	work := 0.0
	for id := range jobs {
		slot := 0
		for i := range clock {
			if clock[i] < clock[slot] {
				slot = i
			}
		}
		t := clock[slot]
		j := record.Job{Model: p.name, Round: round, ID: uint64(id), Slot: slot, Attempt: 1, Status: models.Done, DequeuedNS: at(t)}
		if child[slot] == 0 {
			t = format.Millis(fork(slot, t).ReadyNS) + 0.1
		}
		c := &processes[child[slot]-1]
		c.Jobs++
		j.Process, j.Seq, j.StartedNS = c.ID, c.Jobs, at(t+0.02)
		if c.Jobs == 1 {
			t += vary(p.penalty)
		}
		t += vary(p.run)
		j.FinishedNS, j.SettledNS = at(t), at(t+0.05)
		done = append(done, j)
		work = math.Max(work, t)
		if p.jobsPerChild > 0 && c.Jobs >= p.jobsPerChild {
			t, child[slot] = end(c, t), 0
		}
		clock[slot] = t + 0.03
	}
	for i := range processes {
		if processes[i].ReapNS == 0 {
			end(&processes[i], work+2)
		}
	}
	slices.SortFunc(done, func(a, b record.Job) int { return cmp.Compare(a.SettledNS, b.SettledNS) })
	s := runner.RoundSeries{Round: round, Bucket: at(work / 199.5)}
	s.Done = slices.Repeat([]int{0}, 200)
	for _, j := range done {
		s.Done[int(j.FinishedNS/s.Bucket)]++
	}
	for i := range 50 {
		t := -startup + (startup+work)*float64(i)/49
		mb := p.memory * math.Min(1, 0.2+0.8*(t+startup)/startup) * (1 + 0.03*rng.NormFloat64())
		s.Memory = append(s.Memory, record.Sample{Model: p.name, Round: round, AtNS: at(t), PSS: int64(mb * 1e6)})
	}
	s.JobsDone = jobs
	s.Measure = record.Round{Model: p.name, Round: round, Enqueued: jobs, Taken: jobs, Settled: jobs,
		StartupNS: at(startup), WorkNS: at(work)}
	return s, processes, done
}

func (p policy) summarise(s *runner.Series, latencies []float64, jobs int) runner.ModelSummary {
	var rates []float64
	for i := range s.Rounds {
		rates = append(rates, rate(&s.Rounds[i]))
	}
	about := func(v float64) runner.Interval {
		return runner.Interval{Median: v, Low: new(v * 0.965), High: new(v * 1.03)}
	}
	forks := 0.004
	processes := 5
	if p.jobsPerChild > 0 {
		forks = 1 / float64(p.jobsPerChild)
		processes = int(float64(jobs)/float64(len(s.Rounds))*forks) + 1
	}
	m := runner.ModelSummary{
		Model: p.name, Rounds: len(s.Rounds), StartupS: 0.7, DonePerS: about(stats.Median(rates)),
		Phases:    runner.Phases{Fork: p.fork, FirstJobPenalty: new(p.penalty), Run: p.run, Exit: p.exit},
		Memory:    runner.Memory{PeakPSS: new(p.memory * 1.04), USSPerWorker: new(9.0)},
		Processes: processes,
		Jobs:      runner.Jobs{Enqueued: jobs, Settled: jobs, Done: jobs},
	}
	children := 0.9*p.run + forks*(0.95*p.penalty+0.8)
	m.CPUDone = &runner.CPU{Children: children + 0.7*forks, Parents: 0.7 * forks, Supervisor: 0.08, Redis: 0.06}
	m.CPUDone.Interval = about(m.CPUDone.Children + m.CPUDone.Supervisor + m.CPUDone.Redis)
	m.UserS, m.SystemS = children*0.8, children*0.2+0.9*forks
	q := func(share float64) float64 { return latencies[int(share*float64(len(latencies)-1))] }
	m.Latency = runner.Quantiles{P50: q(.5), P95: q(.95), P99: q(.99), Max: q(1)}
	return m
}

// eightModels has names as long as knobs make them.
func eightModels() *runner.Analysis {
	ps := []policy{prefork, forkperjob, hybrid}
	for i, knobs := range []string{"max-jobs-per-child=10", "max-jobs-per-child=100"} {
		p := prefork
		p.name += " " + knobs
		p.jobsPerChild = []int{10, 100}[i]
		ps = append(ps, p)
	}
	for i, knobs := range []string{"jobs-per-child=10", "jobs-per-child=100 spares=8", "jobs-per-child=100 refork=true"} {
		p := hybrid
		p.name += " " + knobs
		p.jobsPerChild = []int{10, 100, 100}[i]
		p.memory += float64(9 * (i + 1))
		ps = append(ps, p)
	}
	return simulate(3, 1000, 4, 64, ps...)
}

// farApart is a comparison whose models differ by more than a hundred times.
func farApart() *runner.Analysis {
	fast := policy{name: "prefork", boot: 80, fork: 0.4, exit: 0.3, penalty: 0.1, run: 0.05, memory: 40}
	slow := policy{name: "forkperjob", perSlot: true, jobsPerChild: 1, boot: 14700, fork: 4, exit: 3, penalty: 380, run: 0.06, memory: 800}
	return simulate(3, 1000, 4, 64, fast, slow)
}
