package sim_test

import (
	"fmt"
	"math"
	"testing"

	"forkbench/models/prefork"
	"forkbench/record"
	"forkbench/sim"
)

// The simulator against closed forms. Each queue is built from the prefork
// executor: with as many workers as cores, a job has a core to itself and the
// rest wait in the stream (first come, first served); with hundreds of workers
// all jobs share the cores.

const meanService = 10.0 // ms

// services are distributions with the mean above and a squared coefficient of
// variation of 0, 1 and 3.
func services() []service {
	return []service{
		{"constant", sim.Constant(10), 0},
		{"exponential", sim.Exponential(10), 1},
		{"hyperexponential", sim.Hyperexponential([]float64{0.8, 0.2}, []float64{5, 30}), 3},
	}
}

type service struct {
	name string
	dist sim.Dist
	scv  float64
}

// times sums what the closed forms speak of, in ms.
type times struct {
	n, waited      int
	wait, response float64
	service        float64
	square         float64 // of the service times
	last           float64 // arrival
}

func (s *times) Write(l record.Line) error {
	if j, ok := l.(*record.Job); ok {
		s.n++
		// One tick passes between the opening of the gate and the first job.
		if j.StartedNS > j.DueNS+1 {
			s.waited++
		}
		s.wait += float64(j.StartedNS-j.DueNS) / 1e6
		s.response += float64(j.FinishedNS-j.DueNS) / 1e6
		cpu := float64(j.CPUNS) / 1e6
		s.service += cpu
		s.square += cpu * cpu
		s.last = max(s.last, float64(j.DueNS)/1e6)
	}
	return nil
}

// result is the means of a run, and the rates and moments that its random
// numbers came to. The closed forms are evaluated at those: it is the queue's
// behaviour that is tested, not the luck of the draw, which at a load of 0.9
// makes most of the difference (a control variate, in simulation's terms).
type result struct {
	wait, response, waiting float64
	mean, second            float64 // of the service time
	rate, load              float64
}

// queue runs n jobs that come at random through workers and cores, at a load of
// the cores.
func queue(t *testing.T, workers, cores int, load float64, d sim.Dist, n int) result {
	t.Helper()
	s := new(times)
	rate := load * float64(cores) / meanService * 1000
	m := &sim.Machine{Workers: workers, Cores: cores, Profile: bare(d), Seed: 3}
	_, err := m.Run(t.Context(), prefork.Model{}, sim.Round{
		Model: "prefork", Jobs: jobs(t, fmt.Sprintf("poisson:%g", rate), 11, n), Total: n, Sink: s,
	})
	if err != nil {
		t.Fatal(err)
	}
	all := float64(s.n)
	r := result{
		wait: s.wait / all, response: s.response / all, waiting: float64(s.waited) / all,
		mean: s.service / all, second: s.square / all, rate: all / s.last,
	}
	if slack := 10 / math.Sqrt(all); math.Abs(r.mean/meanService-1) > slack || math.Abs(r.rate*meanService/(load*float64(cores))-1) > slack {
		t.Errorf("service took %.3f ms at %.5f jobs/ms; want %v at %.5f", r.mean, r.rate, meanService, load*float64(cores)/meanService)
	}
	r.load = r.rate * r.mean / float64(cores)
	return r
}

// erlangC is the probability that a job has to wait in M/M/c with an offered
// load of a (Erlang 1917), by the recurrence for Erlang B.
func erlangC(c int, a float64) float64 {
	b := 1.0
	for i := 1; i <= c; i++ {
		b = a * b / (float64(i) + a*b)
	}
	return b / (1 - a/float64(c)*(1-b))
}

// size is how many jobs a closed form is tried on, and how far the mean response
// time may be off: 1 %, and more where fewer jobs or a fuller queue allow no
// better. The standard error of M/M/1 is about 2/((1-load) sqrt(n)) of the mean
// (Whitt 1989, "Planning queueing simulations").
func size(load float64) (n int, tolerance float64) {
	switch {
	case testing.Short():
		n = 20_000
	case load <= 0.5:
		n = 500_000
	default:
		n = 2_000_000
	}
	standardError := 2 / ((1 - load) * math.Sqrt(float64(n)))
	if !testing.Short() && load <= 0.9 {
		return n, 0.01
	}
	return n, 3 * standardError
}

func TestMMcAgainstErlangC(t *testing.T) {
	for _, c := range []int{1, 2, 4, 64} {
		for _, load := range []float64{0.3, 0.5, 0.8, 0.9, 0.95} {
			t.Run(fmt.Sprintf("c=%d load=%v", c, load), func(t *testing.T) {
				t.Parallel()
				n, tolerance := size(load)
				r := queue(t, c, c, load, sim.Exponential(meanService), n)
				wantWaiting := erlangC(c, r.load*float64(c))
				wantWait := wantWaiting * r.mean / (float64(c) * (1 - r.load))
				compareResponse(t, r.response, wantWait+r.mean, tolerance)
				if math.Abs(r.waiting-wantWaiting) > tolerance {
					t.Errorf("%.4f of the jobs waited; want %.4f", r.waiting, wantWaiting)
				}
				if math.Abs(r.wait-wantWait) > tolerance*(wantWait+r.mean) {
					t.Errorf("mean wait is %.4f ms; want %.4f", r.wait, wantWait)
				}
			})
		}
	}
}

func TestMG1AgainstPollaczekKhinchine(t *testing.T) {
	for _, s := range services() {
		for _, load := range []float64{0.5, 0.8} {
			t.Run(fmt.Sprintf("%s load=%v", s.name, load), func(t *testing.T) {
				t.Parallel()
				n, tolerance := size(load)
				r := queue(t, 1, 1, load, s.dist, n)
				if scv := r.second/(r.mean*r.mean) - 1; math.Abs(scv-s.scv) > 20/math.Sqrt(float64(n))*(1+s.scv) {
					t.Errorf("the squared coefficient of variation is %.3f; want %v", scv, s.scv)
				}
				want := r.rate*r.second/(2*(1-r.load)) + r.mean
				compareResponse(t, r.response, want, tolerance*max(1, (1+s.scv)/2))
			})
		}
	}
}

// TestProcessorSharingIsInsensitive: the mean response time of M/G/1-PS depends
// on the service time's mean only (Kleinrock 1967; Sakata, Noguchi and Oizumi
// 1969).
func TestProcessorSharingIsInsensitive(t *testing.T) {
	for _, s := range services() {
		for _, load := range []float64{0.5, 0.8} {
			t.Run(fmt.Sprintf("%s load=%v", s.name, load), func(t *testing.T) {
				t.Parallel()
				n, tolerance := size(load)
				n /= 2
				r := queue(t, 300, 1, load, s.dist, n)
				compareResponse(t, r.response, r.mean/(1-r.load), tolerance*max(1, (1+s.scv)/2))
			})
		}
	}
}

// TestSharedCores: with exponential service the number in M/M/c-PS is that in
// M/M/c, so the mean response time is Erlang's too.
func TestSharedCores(t *testing.T) {
	t.Parallel()
	const c, load = 4, 0.8
	n, tolerance := size(load)
	r := queue(t, 300, c, load, sim.Exponential(meanService), n)
	want := erlangC(c, r.load*c)*r.mean/(c*(1-r.load)) + r.mean
	compareResponse(t, r.response, want, tolerance)
}

func compareResponse(t *testing.T, got, want, tolerance float64) {
	t.Helper()
	off := got/want - 1
	t.Logf("mean response %.4f ms, in theory %.4f: %+.2f %%", got, want, 100*off)
	if math.Abs(off) > tolerance {
		t.Errorf("mean response is %.4f ms; want %.4f within %.2f %%", got, want, 100*tolerance)
	}
}
