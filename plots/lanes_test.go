package plots

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"forkbench/models"
	"forkbench/record"
	"forkbench/runner"
)

func ms(v float64) time.Duration { return time.Duration(v * float64(time.Millisecond)) }

// show writes lanes one a line: its name, the processes in it, and their phases.
func show(lanes []lane) string {
	var b strings.Builder
	for _, l := range lanes {
		fmt.Fprintf(&b, "%s:", l.label)
		for _, s := range l.bodies {
			fmt.Fprintf(&b, " [%g %g]", s.lo, s.hi)
		}
		for _, k := range l.blocks {
			fmt.Fprintf(&b, " %s %g-%g", k.phase, k.lo, k.hi)
			if k.bad {
				b.WriteString("!")
			}
		}
		if !math.IsInf(l.known, 1) {
			fmt.Fprintf(&b, " … %g", l.known)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func parent(id, slot int, fork, ready, warm float64) record.Process {
	return record.Process{ID: id, Role: record.RoleParent, Slot: slot, ForkNS: ms(fork), ReadyNS: ms(ready), WarmNS: ms(warm)}
}

func child(id, of, slot, jobs int, fork, ready, end, reap float64) record.Process {
	return record.Process{ID: id, Parent: of, Role: record.RoleChild, Slot: slot, Jobs: jobs,
		ForkNS: ms(fork), ReadyNS: ms(ready), EndNS: ms(end), ReapNS: ms(reap)}
}

func job(process, seq, slot int, dequeued, start, finish float64) record.Job {
	return record.Job{Process: process, Seq: seq, Slot: slot, Status: models.Done,
		DequeuedNS: ms(dequeued), StartedNS: ms(start), FinishedNS: ms(finish)}
}

func TestLanes(t *testing.T) {
	failed := job(2, 2, 0, 62, 62, 64)
	failed.Status = models.Failed
	never := record.Job{Process: 0, Slot: 1, Status: models.Crashed, FinishedNS: ms(9)}
	for _, c := range []struct {
		name    string
		s       runner.Series
		settled int // in the round
		penalty *float64
		limit   int
		want    string
	}{
		{
			name: "a pool: children made before work, a penalty once",
			s: runner.Series{
				Processes: []record.Process{parent(1, 0, -700, -50, 0), child(2, 1, 0, 2, -40, -38, 70, 71), child(3, 1, 1, 1, -30, -29, 70, 72)},
				Jobs:      []record.Job{job(2, 1, 0, 0, 1, 62), failed, job(3, 1, 1, 0, 1, 63)},
			},
			settled: 3, penalty: new(60.0), limit: 4,
			want: "parent: [-700 +Inf] boot -700--50 fork -40--38 fork -30--29\n" +
				"slot 0: [-40 71] fork -40--38 first-job penalty 1-60.03225806451613 run 60.03225806451613-62 run 62-64! exit 70-71\n" +
				"slot 1: [-30 72] fork -30--29 first-job penalty 1-61 run 61-63 exit 70-72\n",
		},
		{
			name: "a parent and a child for each job: forked with the job in hand",
			s: runner.Series{
				Processes: []record.Process{
					parent(1, 0, -700, -1, 0), parent(2, 1, -700, -2, 0),
					child(3, 1, 0, 1, 0, 1, 66, 67), child(4, 2, 1, 1, 0, 1, 64, 65), child(5, 1, 0, 1, 67, 68, 132, 133),
				},
				Jobs: []record.Job{job(4, 1, 1, 0, 2, 64), job(3, 1, 0, 0, 3, 66), job(5, 1, 0, 67, 70, 132)},
			},
			settled: 1000, penalty: new(60.0), limit: 4,
			want: "parent: [-700 +Inf] boot -700--1 fork 0-1 fork 67-68\n" +
				"slot 0: [0 67] [67 133] fork 0-3 first-job penalty 3-63.96774193548387 run 63.96774193548387-66 exit 66-67 fork 67-70 first-job penalty 70-130 run 130-132 exit 132-133 … 133\n" +
				"parent: [-700 +Inf] boot -700--2 fork 0-1\n" +
				"slot 1: [0 65] fork 0-2 first-job penalty 2-62 run 62-64 exit 64-65 … 65\n",
		},
		{
			name: "a warm parent; the penalty is not known",
			s: runner.Series{
				Processes: []record.Process{parent(1, 0, -700, -100, 60), child(2, 1, 0, 1, 0, 1, 5, 6)},
				Jobs:      []record.Job{job(2, 1, 0, 0, 2, 5)},
			},
			settled: 1, limit: 4,
			want: "parent: [-700 +Inf] boot -700--100 warm -100--40 fork 0-1\n" +
				"slot 0: [0 6] fork 0-2 run 2-5 exit 5-6\n",
		},
		{
			name: "spares: children of one slot that overlap get lanes of their own",
			s: runner.Series{
				Processes: []record.Process{parent(1, 0, -9, -8, 0), child(2, 1, 0, 1, 0, 1, 10, 11), child(3, 1, 0, 1, 5, 6, 20, 21), child(4, 1, 0, 1, 12, 13, 30, 31)},
				Jobs:      []record.Job{job(2, 1, 0, 2, 2, 10), job(3, 1, 0, 11, 11, 20), job(4, 1, 0, 21, 21, 30)},
			},
			settled: 3, limit: 4,
			want: "parent: [-9 +Inf] boot -9--8 fork 0-1 fork 5-6 fork 12-13\n" +
				"slot 0: [0 11] [12 31] fork 0-1 run 2-10 exit 10-11 fork 12-13 run 21-30 exit 30-31\n" +
				": [5 21] fork 5-6 run 11-20 exit 20-21\n",
		},
		{
			name: "more slots than lanes: parents of hidden slots are hidden too",
			s: runner.Series{
				Processes: []record.Process{parent(1, 0, -9, -8, 0), parent(2, 1, -9, -8, 0), child(3, 1, 0, 1, 0, 1, 5, 6), child(4, 2, 1, 1, 0, 1, 5, 6)},
				Jobs:      []record.Job{job(3, 1, 0, 0, 1, 5), job(4, 1, 1, 0, 1, 5)},
			},
			settled: 2, limit: 1,
			want: "parent: [-9 +Inf] boot -9--8 fork 0-1\n" +
				"slot 0: [0 6] fork 0-1 run 1-5 exit 5-6\n",
		},
		{
			name: "jobs in the booted process itself",
			s: runner.Series{
				Processes: []record.Process{parent(1, 0, -9, -8, 0)},
				Jobs:      []record.Job{job(1, 1, 0, 0, 1, 5), job(1, 2, 0, 5, 5, 7)},
			},
			settled: 2, penalty: new(1.0), limit: 4,
			want: "process: [-9 +Inf] boot -9--8 first-job penalty 1-2.333333333333333 run 2.333333333333333-5 run 5-7\n",
		},
		{
			name:    "no process is known: jobs are drawn bare, one that never started as a moment",
			s:       runner.Series{Jobs: []record.Job{job(7, 2, 0, 0, 1, 5), never}},
			settled: 2, limit: 4,
			want: "slot 0: run 1-5\nslot 1: run 9-9!\n",
		},
		{name: "nothing", limit: 4},
	} {
		c.s.Rounds = []runner.RoundSeries{{Measure: record.Round{Settled: c.settled}}}
		p := newLifePanel(&c.s, &runner.Phases{Run: 2, FirstJobPenalty: c.penalty}, 0, c.limit)
		if got := show(p.lanes); got != c.want {
			t.Errorf("%s:\n got\n%s want\n%s", c.name, got, c.want)
		}
	}
}

func TestSplitter(t *testing.T) {
	sp := splitter{penalty: 60, run: 2}
	for _, c := range []struct {
		name          string
		seq           int
		length, extra float64
	}{
		{"first, as long as both", 1, 62, 60},
		{"first, longer", 1, 80, 80 * 60.0 / 62},
		{"first, shorter", 1, 40, 40 * 60.0 / 62},
		{"first, no longer than any other", 1, 2, 0},
		{"first, shorter than any other", 1, 0.5, 0},
		{"second", 2, 62, 0},
	} {
		j := job(1, c.seq, 0, 0, 10, 10+c.length)
		blocks := sp.job(&j)
		got := 0.0
		for _, b := range blocks {
			if b.phase == phasePenalty {
				got += b.hi - b.lo
			}
		}
		diff(t, c.name, c.extra, got)
		diff(t, c.name+": whole", 10+c.length, blocks[len(blocks)-1].hi)
	}
}

// TestScaleChoice wants one time scale for all panels as long as each can be
// seen on it.
func TestScaleChoice(t *testing.T) {
	lc := lifecycleChart(threeModels()).(*lifeChart)
	diff(t, "three models share a scale", true, lc.shared)
	for _, p := range lc.panels {
		diff(t, p.model+" window", lc.panels[0].window, p.window)
	}
	// More than two jobs of the slowest model, and not all day.
	if w := lc.panels[0].window; w < 120 || w > 300 {
		t.Errorf("the window is %v ms, a job of forkperjob takes about 64", w)
	}
	if !strings.HasPrefix(lc.panels[1].note, "8 jobs in the first ") || !strings.HasSuffix(lc.panels[1].note, "children of 4 parents") {
		t.Errorf("forkperjob: %q", lc.panels[1].note)
	}

	lc = lifecycleChart(farApart()).(*lifeChart)
	diff(t, "models far apart have scales of their own", false, lc.shared)
	diff(t, "and the chart says so", 1, len(lc.remarks))
	if fast, slow := lc.panels[0].window, lc.panels[1].window; fast > 5 || slow < 500 {
		t.Errorf("windows %v and %v ms", fast, slow)
	}
}

// TestLaterParents: parents that were booted after what is shown have no lane, as a
// round in parts has some for each part.
func TestLaterParents(t *testing.T) {
	var series runner.Series
	for part, start := range []float64{0, 5000} {
		boot := 100 * (part + 1)
		series.Processes = append(series.Processes, parent(boot, 0, start-50, start-10, 0))
		for i := 1; i <= 12; i++ {
			at := start + 40*float64(i-1)
			series.Processes = append(series.Processes, child(boot+i, boot, 0, 1, at, at+1, at+38, at+39))
			series.Jobs = append(series.Jobs, job(boot+i, 1, 0, at, at+1, at+38))
		}
	}
	lc := lifeChart{panels: []lifePanel{newLifePanel(&series, &runner.Phases{}, 1, 4)}}
	if n := len(lc.panels[0].lanes); n != 3 {
		t.Fatalf("%d lanes of two parents and a slot; want 3", n)
	}
	lc.setScale()
	if got := show(lc.panels[0].lanes); lc.panels[0].window >= 5000 || strings.Count(got, "parent:") != 1 || strings.Count(got, "slot 0:") != 1 {
		t.Errorf("up to %v ms:\n%s", lc.panels[0].window, got)
	}
}

func TestLifeScale(t *testing.T) {
	split := lifeScale{startup: 700, window: 100}
	diff(t, "split", true, split.split())
	for ms, want := range map[float64]float64{-700: 0, 0: startupShare + startupGap, 100: 1} {
		diff(t, fmt.Sprint(ms), want, split.at(ms))
	}
	whole := lifeScale{startup: 20, window: 80}
	diff(t, "whole", false, whole.split())
	for ms, want := range map[float64]float64{-20: 0, 0: 0.2, 80: 1} {
		diff(t, fmt.Sprint(ms), want, whole.at(ms))
	}
}
