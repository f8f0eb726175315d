package predict

import (
	"fmt"
	"math"
	"slices"

	"forkbench/internal/format"
)

// leastReplications is how many an interval wants: with 2, Student's t is
// thirteen standard deviations wide.
const leastReplications = 3

// relaxations is how many times as long as the queue takes to forget its
// beginning a replication is to be.
const relaxations = 10

// estimate sets the estimates from the runs.
func (p *Prediction) estimate(steady bool) {
	p.Done = across(p.Runs, func(r *Replication) float64 { return r.Done })
	p.CPUDone = Estimate{}
	if !slices.ContainsFunc(p.Runs, func(r Replication) bool { return r.Jobs == 0 }) {
		p.CPUDone = across(p.Runs, func(r *Replication) float64 { return r.CPUDone })
	}
	p.Throughput = across(p.Runs, func(r *Replication) float64 { return r.Throughput })
	p.CPU = across(p.Runs, func(r *Replication) float64 { return r.CPU })
	p.PeakPSS = across(p.Runs, func(r *Replication) float64 { return r.PeakPSS })
	p.Mean = across(p.Runs, func(r *Replication) float64 { return r.Mean })
	if steady {
		p.Mean = steadyMean(p.Runs)
	}
	p.P50 = across(p.Runs, func(r *Replication) float64 { return r.P50 })
	p.P95 = across(p.Runs, func(r *Replication) float64 { return r.P95 })
	p.P99 = across(p.Runs, func(r *Replication) float64 { return r.P99 })
}

// widest is the estimate that is known least well, and its relative half-width.
func (p *Prediction) widest() (name string, width float64) {
	for _, e := range []struct {
		name string
		Estimate
	}{
		{"throughput", p.Done},
		{"CPU per job", p.CPU}, // known even where none was done
		{"mean latency", p.Mean},
		{"p50", p.P50},
		{"p95", p.P95},
		{"p99", p.P99},
		{"peak PSS", p.PeakPSS},
	} {
		if w := e.HalfWidth(); name == "" || w > width {
			name, width = e.name, w
		}
	}
	return name, width
}

// conclude makes a prediction of the runs, and says what keeps it from being one.
func (q *Question) conclude(s *series, stopped bool) {
	p := &s.Prediction
	p.estimate(q.steady())
	fail := func(format string, args ...any) { p.Reasons = append(p.Reasons, fmt.Sprintf(format, args...)) }
	p.Unstable = q.steady() && p.Load >= full
	switch {
	case p.Unstable:
		fail("unstable: jobs come at %s/s, and %d workers on %d cores do %s/s at most: the queue grows without end, and latencies with it",
			format.Significant(p.Offered, 3), q.Workers, q.Cores, format.Significant(p.Capacity, 3))
		p.Mean, p.P50, p.P95, p.P99 = Estimate{}, Estimate{}, Estimate{}, Estimate{}
	case stopped:
		fail("stopped after %d of %d replications", len(p.Runs), q.replications())
	case len(p.Runs) < leastReplications:
		fail("too few replications for an interval: %d; make at least %d", len(p.Runs), leastReplications)
	}
	if !p.Unstable && q.steady() && len(p.Runs) > 0 {
		q.checkWarmUp(s, fail)
	}
	if name, width := p.widest(); !p.Unstable && !stopped && q.Until > 0 && width > q.Until {
		fail("not precise: after %d replications the half-width of %s is %s %% of it, and %s %% was asked for",
			len(p.Runs), name, format.Significant(100*width, 3), format.Significant(100*q.Until, 3))
	}
	p.Converged = p.Reasons == nil
}

func (q *Question) checkWarmUp(s *series, fail func(string, ...any)) {
	p := &s.Prediction
	if !s.over {
		fail("warm-up not over: MSER-5 would cut off more than half of the %d jobs; give more", q.Jobs)
		return
	}
	// The relaxation time of a queue is about 1/(1-√load)² of its mean service
	// time over the servers (Whitt 1989, "Planning queueing simulations"); in jobs
	// that come meanwhile it does not depend on the servers.
	relaxation := p.Load / math.Pow(1-math.Sqrt(p.Load), 2)
	if need := relaxations * relaxation; float64(q.Jobs) < need {
		fail("too short: at a load of %s the queue takes about %s jobs to forget its beginning, and %d are few; give at least %s",
			format.Significant(p.Load, 3), format.Significant(math.Ceil(relaxation), 3), q.Jobs, format.Significant(math.Ceil(need), 3))
	}
}
