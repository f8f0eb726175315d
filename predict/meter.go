package predict

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

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
	// longest is the longest latency that is told from longer ones.
	longest = 100 * 24 * time.Hour
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
	steps   [cuttable + 1]*hdrhistogram.Histogram
	total   float64
	settled int
	max     time.Duration
	peak    int64
}

var _ record.Sink = (*meter)(nil)

// reset makes a meter ready for a run.
func (m *meter) reset(next record.Sink, steady bool, jobs int) {
	m.next, m.steady, m.jobs = next, steady, jobs
	m.total, m.settled, m.max, m.peak = 0, 0, 0, 0
	for _, h := range m.steps {
		if h != nil {
			h.Reset()
		}
	}
	m.size = mserBatch * max(1, int(math.Ceil(float64(jobs)/(mserBatch*mostBatches))))
	m.step = max(1, (jobs+2*cuttable-1)/(2*cuttable))
	if n := jobs / m.size; cap(m.sums) < n {
		m.sums = make([]float64, n)
	} else {
		m.sums = m.sums[:n]
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
	m.max = max(m.max, latency)
	ms := millis(latency)
	m.total += ms
	i := 0
	if m.steady {
		i = min(int(j.ID)/m.step, cuttable)
		if b := int(j.ID) / m.size; b < len(m.sums) {
			m.sums[b] += ms
		}
	}
	if m.steps[i] == nil {
		m.steps[i] = hdrhistogram.New(1, int64(longest), 3)
	}
	// Within the range there is no error.
	_ = m.steps[i].RecordValue(int64(min(latency, longest)))
}

// run is what the meter saw.
func (m *meter) replication(number int, r *record.Round) Replication {
	settled := float64(max(r.Settled, 1))
	out := Replication{
		Number: number, Round: *r,
		Max: millis(m.max), PeakPSS: float64(m.peak) / 1e6, Settled: true,
	}
	if r.WorkNS > 0 {
		out.Throughput = float64(r.Settled) / r.WorkNS.Seconds()
	}
	cpu := r.Children.Add(r.Parents).Add(r.Supervisor).Add(r.Redis)
	out.CPU = millis(cpu.Total()) / settled
	out.Mean = m.total / float64(max(m.settled, 1))

	first := 0 // step that counts
	if m.steady {
		first = m.cut(&out)
	}
	var rest *hdrhistogram.Histogram
	for _, h := range m.steps[first:] {
		switch {
		case h == nil || h.TotalCount() == 0:
		case rest == nil:
			rest = h
		default:
			rest.Merge(h) // of the same shape: nothing is dropped
		}
	}
	if rest != nil {
		quantile := func(q float64) float64 { return millis(min(time.Duration(rest.ValueAtQuantile(q)), m.max)) }
		out.P50, out.P95, out.P99 = quantile(50), quantile(95), quantile(99)
	}
	return out
}

// cut finds the warm-up and leaves it out of the run's mean. It returns the
// first step that counts.
func (m *meter) cut(out *Replication) (first int) {
	means := make([]float64, len(m.sums))
	for i, sum := range m.sums {
		means[i] = sum / float64(m.size)
	}
	batches, ok := mser(means)
	out.Settled = ok
	// To the end of the step, so that mean and quantiles are of the same jobs.
	first = min((batches*m.size+m.step-1)/m.step, cuttable)
	out.Cut = min(first*m.step, m.jobs)
	from := (out.Cut + m.size - 1) / m.size
	if from >= len(means) {
		return first
	}
	sum := 0.0
	for _, x := range means[from:] {
		sum += x
	}
	out.Mean = sum / float64(len(means)-from)
	if n := (len(means) - from) / batchCount; n > 0 {
		for b := range batchCount {
			sum := 0.0
			for _, x := range means[from+b*n : from+(b+1)*n] {
				sum += x
			}
			out.batch = append(out.batch, sum/float64(n))
		}
	}
	return first
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
