package peers_test

import (
	"testing"
	"time"

	"forkbench/live"
	"forkbench/live/livetest"
	"forkbench/models"
	"forkbench/models/forkperjob"
	"forkbench/models/prefork"
	"forkbench/peers/celery"
	"forkbench/peers/peerstest"
	"forkbench/peers/rq"
	"forkbench/record"
	"forkbench/workload"
)

// BenchmarkNoop holds two models of ours against the systems that they are models
// of: the same jobs, which do nothing, from the same server, by turns. An
// operation is one round of each. What is wanted of prefork is 15 times the
// throughput of Celery, and a tenth of its CPU; of fork per job, 4 times the
// throughput of RQ.
func BenchmarkNoop(b *testing.B) {
	for name, pair := range map[string]struct {
		ours, theirs models.Executor
		jobs         int
	}{
		"prefork-celery": {prefork.Model{}, celery.Model{}, 2000},
		"forkperjob-rq":  {forkperjob.Model{}, rq.Model{}, 500},
	} {
		b.Run(name, func(b *testing.B) {
			peerstest.Need(b, celery.Requirement())
			peerstest.Need(b, rq.Requirement())
			m := livetest.New(b)
			noop, err := workload.Parse("noop")
			if err != nil {
				b.Fatal(err)
			}
			burst, err := workload.ParseArrivals("burst")
			if err != nil {
				b.Fatal(err)
			}
			run := func(e models.Executor) (rate, cpu float64) {
				machine := m.Live(noop, live.Python{}, 4)
				jobs := workload.Jobs(noop, burst, 1, pair.jobs)
				round, err := machine.Run(b.Context(), e, m.Round(e.Name(), jobs, new(peerstest.Sink)))
				if err != nil {
					b.Fatal(err)
				}
				return float64(round.Settled) / round.WorkNS.Seconds(), used(round).Seconds() / float64(round.Settled)
			}
			var rates, cpus [2]float64
			for range b.N {
				for i, e := range []models.Executor{pair.ours, pair.theirs} {
					rate, cpu := run(e)
					rates[i] += rate
					cpus[i] += cpu
				}
			}
			b.ReportMetric(rates[0]/rates[1], "×throughput")
			b.ReportMetric(cpus[0]/cpus[1], "×cpu")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// used is the CPU of a round's work, all parts.
func used(r *record.Round) time.Duration {
	return r.Children.Total() + r.Parents.Total() + r.Supervisor.Total() + r.Redis.Total()
}
