package predict

import (
	"math"
	"slices"
	"time"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/models"
	"forkbench/record"
)

const (
	// mserBatch is the 5 in MSER-5.
	mserBatch = 5
	// mostBatches bounds them: a longer run has larger batches, MSER-10 and so on.
	mostBatches = 10_000
	// cuttable is how many steps the first half of a run can be cut in: the cut is
	// at the end of the step that MSER's falls in. The latencies of each step are
	// counted apart, for the quantiles of the rest.
	cuttable = 20
)

// A meter is the sink that reduces a run to its numbers, in memory that does not
// grow with the number of jobs. It is used for one run at a time.
type meter struct {
	next   record.Sink // gets everything, too; may be nil
	steady bool
	jobs   int

	size    int       // of a batch, in jobs
	sums    []float64 // of the batches' latencies, ms; by job, in the order of their coming
	step    int       // jobs
	steps   [cuttable + 1]histogram
	total   float64
	settled int
	done    int
	max     time.Duration
	peak    int64
}

var _ record.Sink = (*meter)(nil)

// reset makes a meter ready for a run.
func (m *meter) reset(next record.Sink, steady bool, jobs int) {
	m.next, m.steady, m.jobs = next, steady, jobs
	m.total, m.settled, m.done, m.max, m.peak = 0, 0, 0, 0, 0
	for i := range m.steps {
		m.steps[i].reset()
	}
	m.sums = m.sums[:0]
	m.size = mserBatch * max(1, int(math.Ceil(float64(jobs)/(mserBatch*mostBatches))))
	m.step = max(1, (jobs+2*cuttable-1)/(2*cuttable))
	if steady {
		m.sums = slices.Grow(m.sums, jobs/m.size)[:jobs/m.size]
		clear(m.sums)
	}
}

// Write sees a record.
func (m *meter) Write(l record.Line) error {
	switch l := l.(type) {
	case *record.Job:
		m.see(l)
	case *record.Sample:
		m.peak = max(m.peak, l.PSS)
	}
	if m.next == nil {
		return nil
	}
	return m.next.Write(l)
}

func (m *meter) see(j *record.Job) {
	latency := max(j.FinishedNS-j.DueNS, 0)
	m.settled++
	if j.Status == models.Done {
		m.done++
	}
	m.max = max(m.max, latency)
	ms := format.Millis(latency)
	m.total += ms
	i := 0
	if m.steady {
		i = min(int(j.ID)/m.step, cuttable)
		if b := int(j.ID) / m.size; b < len(m.sums) {
			m.sums[b] += ms
		}
	}
	m.steps[i].add(int64(latency))
}

// replication is what the meter saw, but for the latencies: they wait for the
// warm-up to be known.
func (m *meter) replication(number int, r *record.Round) *Replication {
	out := &Replication{Number: number, Round: *r, Max: format.Millis(m.max), PeakPSS: float64(m.peak) / 1e6}
	out.Jobs = m.done
	if r.WorkNS > 0 {
		out.Throughput = float64(r.Settled) / r.WorkNS.Seconds()
		out.Done = float64(m.done) / r.WorkNS.Seconds()
	}
	cpu := r.CPU()
	out.CPU = format.Millis(cpu.Total()) / float64(max(r.Settled, 1))
	out.CPUDone = format.Millis(cpu.Total()) / float64(m.done) // +Inf if none was done
	out.seen = &latencies{mean: m.total / float64(max(m.settled, 1)), step: m.step, size: m.size}
	for i := range m.steps {
		out.seen.steps = append(out.seen.steps, m.steps[i].bins())
	}
	for _, sum := range m.sums {
		out.seen.batches = append(out.seen.batches, sum/float64(m.size))
	}
	return out
}

// latencies are those of one replication, in the parts that a cut may lie
// between.
type latencies struct {
	mean    float64   // of all, ms
	size    int       // of a batch, in jobs
	batches []float64 // mean latencies, ms; none where nothing is cut
	step    int       // jobs
	steps   [][]bin
}

// measure sets the latencies of the replication, without those of the jobs that
// the cut leaves out, and lets go of what they were counted in.
func (r *Replication) measure(cut int) {
	l := r.seen
	r.seen = nil
	r.Mean = l.mean
	first := cut / l.step // the cut is at the end of a step
	var rest histogram
	total := int64(0)
	for _, bins := range l.steps[first:] {
		for _, b := range bins {
			total += int64(b.count)
			rest.merge(b)
		}
	}
	r.P50, r.P95, r.P99 = rest.quantile(0.50, total), rest.quantile(0.95, total), rest.quantile(0.99, total)

	from := (cut + l.size - 1) / l.size
	if from >= len(l.batches) {
		return
	}
	r.Mean = stats.Mean(l.batches[from:])
	if n := (len(l.batches) - from) / batchCount; n > 0 {
		for b := range batchCount {
			r.batch = append(r.batch, stats.Mean(l.batches[from+b*n:from+(b+1)*n]))
		}
	}
}

// warmUp is how many jobs the replications' latencies are to leave out, and
// whether the warm-up was over in their first half. The rule is applied to the
// replications' average, in which the beginning shows and noise does not, as
// Hoad, Robinson and Davies do (2010, "Automating warm-up length estimation"). Of
// single replications it would cut off what happens to be busy, and so bias the
// rest.
func warmUp(runs []*Replication) (jobs int, over bool) {
	var sums []float64
	for _, r := range runs {
		if sums == nil {
			sums = make([]float64, len(r.seen.batches))
		}
		for i, x := range r.seen.batches {
			sums[i] += x
		}
	}
	if len(sums) == 0 {
		return 0, true
	}
	l := runs[0].seen
	batches, over := mser(sums)
	return min((batches*l.size+l.step-1)/l.step, cuttable) * l.step, over
}
