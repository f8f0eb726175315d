package plots

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"forkbench/models"
	"forkbench/record"
	"forkbench/runner"
)

var approx = cmpopts.EquateApprox(1e-9, 1e-12)

func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	opts := []cmp.Option{approx, cmp.AllowUnexported(xy{}, band{}, span{}, dot{}, tick{}, segment{}, fill{}, linearScale{})}
	if d := cmp.Diff(want, got, opts...); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestThroughputNumbers(t *testing.T) {
	round := func(done int, s float64, contaminated string, interrupted bool) runner.RoundSeries {
		return runner.RoundSeries{JobsDone: done, Measure: record.Round{Settled: done + 7, WorkNS: time.Duration(s * 1e9), Interrupted: interrupted,
			Noise: record.Noise{Contaminated: contaminated}}}
	}
	stopped := round(100, 1, "", false)
	stopped.Measure.Error = "the parent died"
	a := &runner.Analysis{
		Summary: runner.Summary{Models: []runner.ModelSummary{
			{Model: "a", DonePerS: runner.Interval{Median: 500, Low: new(450.0), High: new(520.0)}, Throughput: runner.Interval{Median: 900},
				Jobs: runner.Jobs{Settled: 3000, Done: 2997, Undone: 3, Failed: 2, Crashed: 1}},
			{Model: "b", DonePerS: runner.Interval{Median: 250}},
			{Model: "c"},
			{Model: "d", Stopped: "in round 1: the parent died", Jobs: runner.Jobs{Done: 100, Undone: 900}},
		}},
		Series: []runner.Series{
			// Not in the summary's order, and one too few: found by name.
			{Model: "b", Rounds: []runner.RoundSeries{round(1000, 4, "", false)}},
			{Model: "a", Rounds: []runner.RoundSeries{
				round(1000, 2, "", false), round(1000, 2.5, "load", false), round(100, 1, "load", true), round(0, 1, "", false), round(5, 0, "", false),
			}},
			{Model: "d", Rounds: []runner.RoundSeries{stopped}},
		},
	}
	rc := throughputChart(a).(*rowChart)
	diff(t, "dots", []dot{{500, dotCounted}, {400, dotContaminated}, {100, dotIncomplete}}, rc.rows[0].dots)
	diff(t, "interval", &span{450, 520}, rc.rows[0].interval)
	diff(t, "bar", 500.0, rc.rows[0].sum())
	diff(t, "axis", 520.0, rc.max())
	diff(t, "label", "500 [450, 520] jobs/s", rc.rows[0].label)
	diff(t, "remark", "did 2,997 of 3,000 jobs", rc.rows[0].remark)
	diff(t, "dots of b", []dot{{250, dotCounted}}, rc.rows[1].dots)
	diff(t, "label of b", "250 jobs/s", rc.rows[1].label)
	diff(t, "c", "no job was done", rc.rows[2].missing)
	diff(t, "d", "it could not go on", rc.rows[3].missing)
	diff(t, "legend", 4, len(rc.legend)) // interval and three kinds of rounds
}

func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		model runner.ModelSummary
		want  string
	}{
		{runner.ModelSummary{Jobs: runner.Jobs{Settled: 10, Done: 10}}, ""},
		{runner.ModelSummary{Jobs: runner.Jobs{Settled: 10, Done: 9, Undone: 1, Failed: 1}}, "did 9 of 10 jobs"},
		{runner.ModelSummary{Jobs: runner.Jobs{Settled: 10, Undone: 10, Failed: 4, Crashed: 3, TimedOut: 3}}, "did 0 of 10 jobs"},
		{runner.ModelSummary{Jobs: runner.Jobs{Done: 3, Undone: 7, NotRun: 7}, Stopped: "in round 1: killed"}, "did 3 of 10 jobs, could not go on"},
	} {
		diff(t, "outcomes", c.want, outcomes(&c.model))
	}
}

// Every picture says it before all else where jobs were not done.
func TestPicturesSayWhatWasNotDone(t *testing.T) {
	a := threeModels()
	m := &a.Summary.Models[0]
	m.Jobs.Done, m.Jobs.Undone, m.Jobs.Failed = 300, 2700, 2700
	m.Causes = []runner.Cause{{Status: models.Failed, Jobs: 2700, Text: "RuntimeError: no"}}
	for _, p := range All() {
		want := "Not every job was done: prefork did 300 of 3,000 jobs, 2,700 failed: RuntimeError: no; forkperjob and hybrid did all 3,000."
		diff(t, p.Name, want, p.picture(a).outcome)
		diff(t, p.Name, "", p.picture(threeModels()).outcome)
	}
}

func TestCPUNumbers(t *testing.T) {
	a := &runner.Analysis{Summary: runner.Summary{Models: []runner.ModelSummary{{
		Model: "a", UserS: 3, SystemS: 1,
		CPUDone: &runner.CPU{Interval: runner.Interval{Median: 8, Low: new(7.0), High: new(9.0)}, Children: 6, Parents: 1.5, Supervisor: 1.25, Redis: 0.75},
	}}}}
	parts := cpuChart(a, cpuParts).(*rowChart).rows[0]
	diff(t, "parts", []segment{
		{"children", fillChildren, 4.5}, {"parents", fillParents, 1.5}, {"supervisor", fillSupervisor, 1.25}, {"Redis", fillRedis, 0.75},
	}, parts.segments)
	diff(t, "detail", "children 4.50 · parents 1.50 · supervisor 1.25 · Redis 0.75 ms", parts.detail)
	modes := cpuChart(a, cpuModes).(*rowChart).rows[0]
	diff(t, "modes", []segment{{"user", fillUser, 6}, {"system", fillSystem, 2}}, modes.segments)
	diff(t, "label", parts.label, modes.label)
	diff(t, "length", parts.sum(), modes.sum())

	// What other programs do for jobs is a block where there are some.
	a.Summary.Services, a.Summary.Models[0].CPUDone.Services = []string{"postgres"}, 2
	served := cpuChart(a, partsOf(a)).(*rowChart)
	diff(t, "services", segment{"services", fillServices, 2}, served.rows[0].segments[len(parts.segments)])
	a.Summary.Services = nil
	diff(t, "without services", parts.segments, cpuChart(a, partsOf(a)).(*rowChart).rows[0].segments)

	// More for the parents than for all children is a rounding error.
	a.Summary.Models[0].CPUDone.Parents = 6.001
	diff(t, "children", 0.0, cpuChart(a, cpuParts).(*rowChart).rows[0].segments[0].value)
}

func TestPhasesNumbers(t *testing.T) {
	model := func(processes, settled int, processRecords []record.Process) *runner.Analysis {
		return &runner.Analysis{
			Summary: runner.Summary{Models: []runner.ModelSummary{{Model: "a", Processes: processes,
				Phases: runner.Phases{Fork: 2, FirstJobPenalty: new(60.0), Run: 1.5, Exit: 1}}}},
			Series: []runner.Series{{Model: "a", Processes: processRecords,
				Rounds: []runner.RoundSeries{{Measure: record.Round{Settled: settled}}, {}}}},
		}
	}
	parents := []record.Process{{Role: record.RoleParent}, {Role: record.RoleChild}, {Role: record.RoleChild}}
	for _, c := range []struct {
		name  string
		a     *runner.Analysis
		share float64
	}{
		{"a pool", model(5, 1000, parents), 0.004},
		{"a child for each job", model(1001, 1000, parents), 1},
		{"ten jobs for each child", model(101, 1000, parents), 0.1},
		{"more children than jobs", model(5000, 1000, parents), 1},
		{"unknown", model(0, 0, nil), 1},
	} {
		rc := phasesChart(c.a).(*rowChart)
		diff(t, c.name, []segment{
			{"fork", fillFork, 2 * c.share}, {"first-job penalty", fillPenalty, 60 * c.share}, {"run", fillRun, 1.5}, {"exit", fillExit, c.share},
		}, rc.rows[0].segments)
		diff(t, "remarks", 0, len(rc.remarks))
	}
	a := model(5, 1000, parents)
	a.Summary.Models[0].Phases.FirstJobPenalty = nil
	rc := phasesChart(a).(*rowChart)
	diff(t, "unknown penalty", 0.0, rc.rows[0].segments[1].value)
	diff(t, "remarks", 1, len(rc.remarks))
}

func TestLatencyNumbers(t *testing.T) {
	got := distribution([]runner.CDFPoint{
		{Millis: 0, Share: 0.25}, {Millis: math.NaN(), Share: 0.3}, {Millis: 20, Share: 1}, {Millis: 10, Share: 0.5}, {Millis: 4, Share: 0}, {Millis: 30, Share: 1.5},
	})
	diff(t, "distribution", []xy{{0.001, 25}, {10, 50}, {20, 100}, {30, 100}}, got)
	diff(t, "steps", []xy{{0.001, 0}, {0.001, 25}, {10, 25}, {10, 50}, {20, 50}, {20, 100}, {30, 100}, {30, 100}}, steps(got))
	for share, want := range map[float64]float64{1: 0.001, 25: 0.001, 26: 10, 50: 10, 95: 20, 100: 20} {
		diff(t, "quantile", want, quantile(got, share))
	}

	lc := latencyChart(threeModels()).(*lineChart)
	for i, l := range lc.lines {
		last := l.points[len(l.points)-1]
		if last.y != 100 {
			t.Errorf("%s ends at %v %%", l.model, last.y)
		}
		want := threeModels().Summary.Models[i].Latency.P95
		if got := l.marks[1].x; math.Abs(got-want) > 0.02*want {
			t.Errorf("%s: the mark at 95 %% is at %v ms, the summary says %v", l.model, got, want)
		}
	}
}

func TestMemoryNumbers(t *testing.T) {
	sample := func(s float64, mb int64) record.Sample {
		return record.Sample{AtNS: time.Duration(s * 1e9), PSS: mb * 1e6}
	}
	r := &runner.RoundSeries{Memory: []record.Sample{sample(2, 30), sample(-1, 10), sample(1, 0), sample(1, 20)}}
	diff(t, "curve", []xy{{-1000, 10}, {1000, 20}, {2000, 30}}, memoryCurve(r))

	pts, bands := merge([][]xy{{{0, 10}, {1000, 10}}, {{0, 20}, {1000, 40}}, {{0, 90}, {1000, 30}}})
	diff(t, "first", xy{0, 20}, pts[0])
	diff(t, "last", xy{1000, 30}, pts[len(pts)-1])
	diff(t, "first band", band{0, 10, 90}, bands[0])
	diff(t, "last band", band{1000, 10, 40}, bands[len(bands)-1])

	if pts, bands := merge([][]xy{{{1, 10}}, {{2, 20}}}); len(pts) != 0 || len(bands) != 0 {
		t.Errorf("curves with nothing in common: %v, %v", pts, bands)
	}
	pts, bands = merge([][]xy{{{0, 10}, {1000, 10}}})
	diff(t, "one round", []xy{{0, 10}, {1000, 10}}, pts)
	diff(t, "band of one round", 0, len(bands))

	// Rounds of different lengths: the line ends with the median one.
	pts, _ = merge([][]xy{{{0, 1}, {500, 1}}, {{0, 2}, {700, 2}}, {{0, 3}, {900, 3}}})
	diff(t, "end", xy{700, 2.5}, pts[len(pts)-1])
}

func TestThroughputTimeNumbers(t *testing.T) {
	round := func(workMS int, done ...int) runner.RoundSeries {
		return runner.RoundSeries{Bucket: 10 * time.Millisecond, Done: done,
			Measure: record.Round{WorkNS: time.Duration(workMS) * time.Millisecond}}
	}
	// 16 jobs make four steps of a quarter of 40 ms.
	pts, bands, length := overTime([]runner.RoundSeries{round(40, 4, 4, 8, 0)})
	diff(t, "length", 40.0, length)
	diff(t, "steps", []xy{{0, 400}, {10, 400}, {10, 400}, {20, 400}, {20, 800}, {30, 800}, {30, 0}, {40, 0}}, pts)
	diff(t, "bands", 0, len(bands))

	// The last bucket ends with the round: 4 jobs in its 5 ms, and 3.75 ms of
	// the one before it.
	pts, _, length = overTime([]runner.RoundSeries{round(35, 4, 4, 4, 4)})
	diff(t, "length", 35.0, length)
	diff(t, "last", xy{35, (4 + 4*3.75/10) / 8.75 * 1000}, pts[len(pts)-1])

	// No job is lost or made up on the way, however the buckets lie.
	for _, rounds := range [][]runner.RoundSeries{
		{round(40, 4, 4, 8, 0)}, {round(35, 4, 4, 4, 4)}, {round(33, 1, 0, 7, 3)}, {round(30, 1, 0, 7, 3)}, {round(0, 5)}, {round(1, 100)},
		threeModels().Series[1].Rounds[:1],
	} {
		pts, _, _ := overTime(rounds)
		jobs, want := 0.0, 0.0
		for i := 0; i < len(pts); i += 2 {
			jobs += pts[i].y * (pts[i+1].x - pts[i].x) / 1000
		}
		for _, n := range rounds[0].Done {
			want += float64(n)
		}
		diff(t, "jobs", want, jobs)
	}

	// Three rounds: the median, and the range.
	pts, bands, _ = overTime([]runner.RoundSeries{round(10, 1), round(10, 3), round(10, 2)})
	diff(t, "median", []xy{{0, 200}, {10, 200}}, pts)
	diff(t, "range", []band{{0, 100, 300}, {10, 100, 300}}, bands)

	pts, _, _ = overTime([]runner.RoundSeries{round(10), round(10, 0, -4), {Done: []int{1}}})
	diff(t, "nothing", 0, len(pts))
}

func TestTimeAxis(t *testing.T) {
	chart := func(ends ...float64) *lineChart {
		lc := &lineChart{}
		for _, e := range ends {
			lc.lines = append(lc.lines, line{model: "m", points: []xy{{-e, 1}, {0, 1}, {e, 1}}})
		}
		lc.setTime(ends)
		return lc
	}
	near := chart(100, 1500)
	diff(t, "near", linearScale{-1500, 1500}, near.x.scale.(linearScale))
	diff(t, "start of work is marked", true, near.zero)
	diff(t, "near points", []xy{{-100, 1}, {0, 1}, {100, 1}}, near.lines[0].points)

	far := chart(100, 30_000)
	diff(t, "far", linearScale{0, 100}, far.x.scale.(linearScale))
	diff(t, "far points", []xy{{0, 1}, {100, 1}}, far.lines[1].points)
	if want := "m 100 ms, m 30.0 s."; !strings.HasSuffix(far.remarks[0], want) {
		t.Errorf("remark %q does not end in %q", far.remarks[0], want)
	}
}

// TestBounded feeds lines that are far too long.
func TestBounded(t *testing.T) {
	a := simulate(1, 100, 2, 64, prefork)
	s := &a.Series[0]
	s.Latency, s.Rounds[0].Memory, s.Rounds[0].Done = nil, nil, slices.Repeat([]int{3}, 20_000)
	for i := range 20_000 {
		s.Latency = append(s.Latency, runner.CDFPoint{Millis: float64(i + 1), Share: float64(i+1) / 20_000})
		s.Rounds[0].Memory = append(s.Rounds[0].Memory, record.Sample{AtNS: time.Duration(i), PSS: int64(i + 1)})
	}
	for _, p := range []Plot{latencyPlot(), memoryPlot(), throughputTimePlot()} {
		_, _, paths := recordPage(p.picture(a))
		for _, path := range paths {
			if len(path) > maxPoints {
				t.Errorf("%s: a path of %d points", p.Name, len(path))
			}
		}
	}
	lc := latencyChart(a).(*lineChart)
	diff(t, "first point", xy{1, 0}, lc.lines[0].points[0])
	diff(t, "last point", xy{20_000, 100}, lc.lines[0].points[len(lc.lines[0].points)-1])
}

// TestConsistentColours wants a model to look alike in every plot.
func TestConsistentColours(t *testing.T) {
	a := eightModels()
	seen := map[string]bool{}
	for i, m := range a.Summary.Models {
		want := styleOf(i)
		diff(t, "bar", want.color, throughputChart(a).(*rowChart).rows[i].segments[0].fill.color)
		for _, ch := range []chart{latencyChart(a), memoryChart(a), throughputTimeChart(a)} {
			l := ch.(*lineChart).lines[i]
			diff(t, "model", m.Model, l.model)
			diff(t, "colour", want.color, l.style.color)
			diff(t, "dashes", want.dashes, l.style.dashes)
		}
		look := number(luminance(want.color))
		if seen[look] {
			t.Errorf("%s has the luminance of another model", m.Model)
		}
		seen[look] = true
	}
}
