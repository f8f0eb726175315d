package runner_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"forkbench/models"
	"forkbench/record"
	"forkbench/runner"
)

// Whatever the number of jobs, rounds keep a bounded amount.
func TestBoundedMemory(t *testing.T) {
	retained := func(jobs int) (uint64, *runner.Analysis) {
		a := runner.NewAggregator()
		h := header(jobs, 1, "m")
		if err := a.Write(h); err != nil {
			t.Fatal(err)
		}
		j := record.Job{Model: "m", Status: models.Failed, Detail: strings.Repeat("x", 10_000)}
		p := record.Process{Model: "m", Role: record.RoleChild, Jobs: 1}
		s := record.Sample{Model: "m"}
		random := rand.New(rand.NewPCG(1, 1))
		for i := range jobs {
			at := time.Duration(i) * ms
			j.ID, j.Process, j.Seq = uint64(i), i+1, 1
			j.DequeuedNS, j.StartedNS, j.FinishedNS, j.SettledNS = at, at, at+time.Duration(random.IntN(1e9)), at
			p.ID, p.ForkNS, p.EndNS, p.ReapNS = i+1, at, at, at
			s.AtNS, s.PSS = at, int64(random.IntN(1e9))
			for _, l := range []record.Line{&j, &p, &s} {
				if err := a.Write(l); err != nil {
					t.Fatal(err)
				}
			}
		}
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		if err := a.Write(&record.Round{Model: "m", Enqueued: jobs, Settled: jobs, WorkNS: time.Duration(jobs) * ms}); err != nil {
			t.Fatal(err)
		}
		return m.HeapAlloc, a.Analysis()
	}
	few, _ := retained(2_000)
	many, analysis := retained(100_000)
	if many > few+256<<10 {
		t.Errorf("%d kB kept of 100,000 jobs, %d kB of 2,000", many>>10, few>>10)
	}
	s := analysis.Series[0]
	r := s.Rounds[0]
	if len(r.Settled) > 256 || len(r.Settled) < 128 || len(r.Memory) > 512 || len(r.Memory) < 256 ||
		len(s.Processes) != 256 || len(s.Jobs) != 256 || len(s.Latency) > 200 || len(s.Latency) < 100 {
		t.Errorf("%d buckets, %d samples, %d processes, %d jobs, %d points of latency",
			len(r.Settled), len(r.Memory), len(s.Processes), len(s.Jobs), len(s.Latency))
	}
	if len(s.Jobs[0].Detail) > 1024 {
		t.Errorf("a detail of %d bytes was kept", len(s.Jobs[0].Detail))
	}
	total := 0
	for _, n := range r.Settled {
		total += n
	}
	if total != 100_000 {
		t.Errorf("the buckets hold %d jobs", total)
	}
	peak, last := int64(0), time.Duration(-1)
	for _, sample := range r.Memory {
		if sample.AtNS <= last {
			t.Fatalf("samples out of order: %v after %v", sample.AtNS, last)
		}
		peak, last = max(peak, sample.PSS), sample.AtNS
	}
	if got := *analysis.Summary.Models[0].Memory.PeakPSS; float64(peak)/1e6 != got {
		t.Errorf("the samples' peak is %v MB, the summary's %v", float64(peak)/1e6, got)
	}
	for i, p := range s.Latency[1:] {
		if p.Millis <= s.Latency[i].Millis || p.Share <= s.Latency[i].Share {
			t.Fatalf("the latencies do not ascend: %v, %v", s.Latency[i], p)
		}
	}
	if end := s.Latency[len(s.Latency)-1]; end.Share != 1 || end.Millis != analysis.Summary.Models[0].Latency.Max {
		t.Errorf("the latencies end at %v, the maximum is %v", end, analysis.Summary.Models[0].Latency.Max)
	}
}

// Values from a broken or hostile file must not make the aggregator hang or
// fail: the results must still be JSON.
func TestAbsurdValues(t *testing.T) {
	for _, v := range []time.Duration{math.MinInt64, -1, 0, 1, math.MaxInt64} {
		for _, work := range []time.Duration{math.MinInt64, 0, 1, math.MaxInt64} {
			a, err := runner.Analyze(sequence(header(1, 1, "m"),
				&record.Job{Model: "m", Status: models.Done, Process: 1, Seq: 1, DueNS: -v, DequeuedNS: v, StartedNS: -v, FinishedNS: v, SettledNS: v},
				&record.Process{Model: "m", ID: 1, Role: record.RoleChild, Jobs: 1, ForkNS: v, ReadyNS: -v, EndNS: v, ReapNS: -v},
				&record.Sample{Model: "m", PSS: int64(v), ChildUSS: int64(v)},
				&record.Round{Model: "m", Enqueued: 1, Settled: 1, WorkNS: work, Children: record.CPU{User: v, System: v}, CgroupNS: v, Wait4NS: -v},
			))
			if err != nil {
				t.Fatal(err)
			}
			if err := runner.WriteJSON(new(bytes.Buffer), &a.Summary); err != nil {
				t.Errorf("times %d, work %d: %v", v, work, err)
			}
		}
	}
}

func BenchmarkAggregatorJob(b *testing.B) {
	a := runner.NewAggregator()
	if err := a.Write(header(b.N, 1, "m")); err != nil {
		b.Fatal(err)
	}
	j := record.Job{Model: "m", Status: models.Done}
	for i := 0; b.Loop(); i++ {
		at := time.Duration(i) * 20 * µs
		j.ID, j.Process, j.Seq = uint64(i), i/10, i%10+1
		j.DequeuedNS, j.StartedNS, j.FinishedNS, j.SettledNS = at, at+10*µs, at+50*µs, at+60*µs
		if err := a.Write(&j); err != nil {
			b.Fatal(err)
		}
	}
}
