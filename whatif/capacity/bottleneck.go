package capacity

import (
	"context"
	"sync"
	"time"

	"forkbench/record"
	"forkbench/whatif/predict"
)

// A Bottleneck is what keeps a machine from doing more.
type Bottleneck struct {
	Name  string  `json:"name"`
	Share float64 `json:"busy"` // of the time, at saturation
	Note  string  `json:"note"` // in a sentence
}

// busy is how much of the time a part has to work for it to be what is short.
const busy = 0.9

// FindBottleneck runs a batch of jobs through one model on the question's machine
// and looks which part works all the time (the utilization law; Denning and
// Buzen 1978, "The operational analysis of queueing network models").
func FindBottleneck(ctx context.Context, q predict.Question) (Bottleneck, error) {
	sink := &usage{}
	q.Arrivals, q.Replications, q.Until = nil, 1, 0
	q.Sink = func(string, int) record.Sink { return sink }
	if _, err := predict.Run(ctx, q); err != nil {
		return Bottleneck{}, err
	}
	return sink.bottleneck(q.Cores, q.Profile.Supervisor.Threads(q.Cores)), nil
}

// usage adds up who was busy.
type usage struct {
	mu     sync.Mutex
	parent time.Duration // of the busiest process that forks, during work
	forks  map[int]bool  // processes that have forked
	cpu    map[int]time.Duration
	round  record.Round
}

var _ record.Sink = (*usage)(nil)

func (u *usage) Write(l record.Line) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch l := l.(type) {
	case *record.Process:
		if u.forks == nil {
			u.forks, u.cpu = make(map[int]bool), make(map[int]time.Duration)
		}
		u.forks[l.Parent] = true
		if l.Role == record.RoleParent || l.Refork {
			u.cpu[l.ID] = l.UserNS + l.SystemNS - l.StartupUserNS - l.StartupSysNS
		}
	case *record.Round:
		u.round = *l
		for id, cpu := range u.cpu {
			if u.forks[id] {
				u.parent = max(u.parent, cpu)
			}
		}
	}
	return nil
}

func (u *usage) bottleneck(cores, threads int) Bottleneck {
	r := &u.round
	work := float64(max(r.WorkNS, 1))
	all := r.CPU().Total()
	// In this order: who is short of cores has no more of the others, either.
	for _, b := range []Bottleneck{
		{"cores", float64(all) / work / float64(cores), "it runs out of cores (--cores-max)"},
		{"Redis", float64(r.Redis.Total()) / work, "Redis has one thread, which is busy all the time however large the machine is"},
		{"the parent", float64(u.parent) / work, "its one parent forks and reaps one child at a time, and is busy all the time" +
			" however large the machine is: let each child run more jobs"},
		{"the supervisor", float64(r.Supervisor.Total()) / work / float64(threads), "the supervisor's threads are busy all the time"},
	} {
		if b.Share >= busy {
			b.Share = min(b.Share, 1)
			return b
		}
	}
	return Bottleneck{"workers", 1, "it runs out of workers (--workers-max)"}
}
