package plots

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/recorder"

	"forkbench/models"
	"forkbench/record"
	"forkbench/runner"
)

// analyses are the ordinary, the extreme and the broken, by name. Everything
// that holds for one plot of one of them must hold for all of all.
var analyses = sync.OnceValue(func() map[string]*runner.Analysis {
	all := map[string]*runner.Analysis{
		"empty":        {},
		"three models": threeModels(),
		"eight models": eightModels(),
		"far apart":    farApart(),
		"near": simulate(5, 1000, 4, 256,
			policy{name: "prefork", boot: 40, fork: 1, exit: 1, penalty: 4, run: 5, memory: 60},
			policy{name: "hybrid", jobsPerChild: 1, boot: 40, warm: 10, fork: 1.4, exit: 2, penalty: 0.5, run: 5, memory: 58}),
		"one model":    simulate(1, 2, 4, 64, prefork),
		"one job":      simulate(1, 1, 1, 64, forkperjob),
		"many workers": simulate(3, 1000, 64, 64, prefork, forkperjob),
		"spares":       spares(),
		"marred":       marred(),
	}
	edit := func(name string, f func(a *runner.Analysis)) {
		a := threeModels()
		f(a)
		all[name] = a
	}
	edit("no series", func(a *runner.Analysis) { a.Series = nil })
	edit("built with -race", func(a *runner.Analysis) { a.Summary.Environment.Race = true })
	edit("no samples", func(a *runner.Analysis) {
		for i := range a.Series {
			for j := range a.Series[i].Rounds {
				a.Series[i].Rounds[j].Memory = nil
			}
		}
	})
	edit("one sample", func(a *runner.Analysis) {
		for i := range a.Series {
			for j := range a.Series[i].Rounds {
				a.Series[i].Rounds[j].Memory = a.Series[i].Rounds[j].Memory[30:31]
			}
		}
	})
	apart := func(a *runner.Analysis, i int) {
		rounds := a.Series[i].Rounds[:2]
		for j := range rounds {
			rounds[j].Memory = rounds[j].Memory[30+j : 31+j]
		}
		a.Series[i].Rounds = rounds
	}
	edit("samples of no common time", func(a *runner.Analysis) {
		for i := range a.Series {
			apart(a, i)
		}
	})
	edit("samples of no common time in one model", func(a *runner.Analysis) { apart(a, 1) })
	edit("nothing settled", func(a *runner.Analysis) {
		for i := range a.Series {
			a.Series[i] = runner.Series{Model: a.Series[i].Model, Rounds: []runner.RoundSeries{{}}}
			a.Summary.Models[i] = runner.ModelSummary{Model: a.Summary.Models[i].Model}
		}
	})
	edit("one model of three settled nothing", func(a *runner.Analysis) {
		a.Series[1] = runner.Series{Model: "forkperjob"}
		a.Summary.Models[1] = runner.ModelSummary{Model: "forkperjob"}
	})
	edit("no intervals, no penalty", func(a *runner.Analysis) {
		for i := range a.Summary.Models {
			m := &a.Summary.Models[i]
			m.DonePerS.Low, m.DonePerS.High, m.CPUDone.Low, m.CPUDone.High = nil, nil, nil, nil
			m.Phases.FirstJobPenalty = nil
		}
	})
	edit("no processes", func(a *runner.Analysis) {
		for i := range a.Series {
			a.Series[i].Processes = nil
		}
	})
	edit("jobs in parents", func(a *runner.Analysis) {
		for i := range a.Series {
			for j := range a.Series[i].Processes {
				a.Series[i].Processes[j].Role = record.RoleParent
			}
		}
	})
	edit("millions", func(a *runner.Analysis) {
		a.Summary.Spec.Jobs = 250_000_000
		for i := range a.Summary.Models {
			m := &a.Summary.Models[i]
			m.DonePerS = runner.Interval{Median: 1.23e6, Low: new(1.2e6), High: new(1.3e6)}
			m.Jobs = runner.Jobs{Enqueued: 750e6, Settled: 750e6, Done: 737_654_322, Undone: 12_345_678, Failed: 12_345_678}
			m.Memory.PeakPSS = new(1.5e6)
			for j := range a.Series[i].Rounds {
				r := &a.Series[i].Rounds[j]
				r.Measure.Settled, r.JobsDone = 250_000_000, 240_000_000
				for k := range r.Done {
					r.Done[k] *= 1e6
				}
			}
		}
	})
	for name, v := range map[string]float64{
		"NaN": math.NaN(), "+Inf": math.Inf(1), "-Inf": math.Inf(-1), "negative": -3,
		"largest": math.MaxFloat64, "least": math.SmallestNonzeroFloat64,
	} {
		edit(name, func(a *runner.Analysis) { fill64(a, v) })
	}
	edit("times run backwards", func(a *runner.Analysis) { fillTimes(a, -time.Hour) })
	edit("times are zero", func(a *runner.Analysis) { fillTimes(a, 0) })
	edit("times are enormous", func(a *runner.Analysis) { fillTimes(a, math.MaxInt64) })
	for name, model := range map[string]string{
		"hostile name": "<b>&\"'\x00\x1b[31m\xff\n\tend", "empty name": "",
		"endless name": strings.Repeat("endless", 60), "wordy name": strings.Repeat("so many words ", 30),
		"other script": "予約 форк 🍴",
	} {
		edit(name, func(a *runner.Analysis) {
			for i := range a.Series {
				a.Series[i].Model, a.Summary.Models[i].Model = model, model
			}
			a.Summary.Spec.Workload, a.Summary.Environment.ForkPrimitive = model, model
		})
	}
	return all
})

// spares has children forked before the ones before them have ended.
func spares() *runner.Analysis {
	a := simulate(3, 200, 2, 256, hybrid)
	for i := range a.Series[0].Processes {
		if p := &a.Series[0].Processes[i]; p.Role == record.RoleChild {
			p.ForkNS -= 4 * time.Millisecond
			p.ReadyNS -= 4 * time.Millisecond
		}
	}
	return a
}

// marred has a contaminated round, one cut short, and jobs that failed.
func marred() *runner.Analysis {
	a := threeModels()
	a.Series[0].Rounds[1].Measure.Noise.Contaminated = "other processes took 12 % of the CPU"
	a.Series[1].Rounds[2].Measure.Interrupted = true
	a.Series[1].Rounds[2].JobsDone = 400
	for i := range a.Series[2].Jobs {
		if i%7 == 3 {
			a.Series[2].Jobs[i].Status = models.Crashed
		}
	}
	a.Summary.Models[0].Jobs = runner.Jobs{Settled: 3000, Failed: 3000, Undone: 3000}
	a.Summary.Models[0].Causes = []runner.Cause{{Status: models.Failed, Jobs: 3000, Text: "RuntimeError: already initialised in this process"}}
	j := &a.Summary.Models[2].Jobs
	j.Done, j.Undone, j.Crashed = j.Done-320, 320, 320
	a.Summary.Models[2].Causes = []runner.Cause{{Status: models.Crashed, Jobs: 320, Text: "its process ended under it: signal: segmentation fault"}}
	a.Summary.Spec.Simulated = true
	return a
}

// fill64 sets every float of the analysis.
func fill64(a *runner.Analysis, v float64) {
	for i := range a.Summary.Models {
		iv := runner.Interval{Median: v, Low: &v, High: &v}
		a.Summary.Models[i] = runner.ModelSummary{
			Model: a.Summary.Models[i].Model, Rounds: 3, StartupS: v, ElapsedS: v, DonePerS: iv,
			CPUDone: &runner.CPU{Interval: iv, Children: v, Parents: v, Supervisor: v, Redis: v},
			UserS:   v, SystemS: v,
			Latency: runner.Quantiles{P50: v, P95: v, P99: v, Max: v},
			Phases:  runner.Phases{Fork: v, FirstJobPenalty: &v, Run: v, Exit: v},
			Memory:  runner.Memory{PeakPSS: &v, USSPerWorker: &v},
		}
		for j := range a.Series[i].Latency {
			if j%2 == 0 {
				a.Series[i].Latency[j].Millis = v
			} else if j%3 == 0 {
				a.Series[i].Latency[j].Share = v
			}
		}
	}
}

// fillTimes sets every time of the series.
func fillTimes(a *runner.Analysis, d time.Duration) {
	for i := range a.Series {
		s := &a.Series[i]
		for j := range s.Processes {
			p := &s.Processes[j]
			p.ForkNS, p.ReadyNS, p.WarmNS, p.EndNS, p.ReapNS = -d, d, d, d, d
		}
		for j := range s.Jobs {
			q := &s.Jobs[j]
			q.DueNS, q.DequeuedNS, q.StartedNS, q.FinishedNS, q.SettledNS = -d, -d, -d, d, d
		}
		for j := range s.Rounds {
			r := &s.Rounds[j]
			r.Bucket, r.Measure.WorkNS, r.Measure.StartupNS = d, d, d
			for k := range r.Memory {
				r.Memory[k].AtNS = d
			}
		}
	}
}

// A text is a string as drawn.
type text struct {
	string
	size vg.Length
	box  vg.Rectangle
}

// recordPage draws a page and returns its texts and paths.
func recordPage(p *picture) (*page, []text, []vg.Path) {
	pg := p.layOut()
	var rec recorder.Canvas
	pg.draw(draw.NewCanvas(&rec, pageWidth, pg.height))
	var texts []text
	var paths []vg.Path
	for _, act := range rec.Actions {
		switch act := act.(type) {
		case *recorder.FillString:
			f := fonts().Lookup(act.Font, act.Size)
			texts = append(texts, text{act.String, act.Size, vg.Rectangle{
				Min: act.Point.Add(vg.Point{Y: -0.2 * act.Size}),
				Max: act.Point.Add(vg.Point{X: f.Width(act.String), Y: 0.72 * act.Size}),
			}})
		case *recorder.Fill:
			paths = append(paths, act.Path)
		case *recorder.Stroke:
			paths = append(paths, act.Path)
		}
	}
	return pg, texts, paths
}

// drawsAlone skips what draws hundreds of pictures where the race detector makes each ten
// times as long.
func drawsAlone(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("one goroutine draws, and what it draws with is seen by the detector in the tests of Write")
	}
}

// TestLayout holds every plot of every analysis to what a page must be: texts
// that can be read, none on another and none off the page, numbers that are
// numbers, and no line of more points than can be seen.
func TestLayout(t *testing.T) {
	drawsAlone(t)
	for name, a := range analyses() {
		for _, p := range All() {
			t.Run(name+"/"+p.Name, func(t *testing.T) {
				checkPage(t, p.picture(a))
			})
		}
	}
}

func checkPage(t *testing.T, p *picture) {
	t.Helper()
	const slack = 0.5
	pg, texts, paths := recordPage(p)
	area := vg.Rectangle{Max: vg.Point{X: pageWidth, Y: pg.height}}
	for i, x := range texts {
		if x.size < smallSize {
			t.Errorf("%q is set in %v points", x.string, x.size)
		}
		if !inside(grow(area, slack), x.box) {
			t.Errorf("%q is off the page: %v", x.string, x.box)
		}
		if strings.Contains(x.string, "NaN") || strings.Contains(x.string, "Inf") {
			t.Errorf("text %q", x.string)
		}
		for _, y := range texts[:i] {
			if overlap(grow(x.box, -slack), grow(y.box, -slack)) {
				t.Errorf("%q lies on %q", x.string, y.string)
			}
		}
	}
	for _, path := range paths {
		if len(path) > 1000 {
			t.Errorf("a path has %d points", len(path))
		}
		for _, c := range path {
			if !finite(float64(c.Pos.X)) || !finite(float64(c.Pos.Y)) {
				t.Fatalf("a point at %v", c.Pos)
			}
			if !inside(grow(area, slack), vg.Rectangle{Min: c.Pos, Max: c.Pos}) {
				t.Fatalf("a point off the page: %v", c.Pos)
			}
		}
	}
}

// TestWellFormed parses the SVG of every plot of every analysis.
func TestWellFormed(t *testing.T) {
	drawsAlone(t)
	for name, a := range analyses() {
		for _, p := range All() {
			var b bytes.Buffer
			if err := p.Draw(&b, SVG, a); err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(b.Bytes(), []byte("<text ")); n != bytes.Count(b.Bytes(), []byte("textLength=")) ||
				n != bytes.Count(b.Bytes(), []byte("sans-serif;")) {
				t.Errorf("%s/%s: not every text has a width and a font to fall back on", name, p.Name)
			}
			d := xml.NewDecoder(&b)
			var err error
			for err == nil {
				_, err = d.Token()
			}
			if !errors.Is(err, io.EOF) {
				t.Errorf("%s/%s: %v", name, p.Name, err)
			}
		}
	}
}

// TestNoData says which plots have nothing to show, and that they say why.
func TestNoData(t *testing.T) {
	all := analyses()
	for _, c := range []struct {
		analysis string
		plots    string // of which nothing can be shown
	}{
		{"empty", "throughput lifecycle phases cpu cpu-mode latency memory throughput-time"},
		{"nothing settled", "throughput lifecycle phases cpu cpu-mode latency memory throughput-time"},
		{"built with -race", "throughput lifecycle phases cpu cpu-mode latency memory throughput-time"},
		{"NaN", "phases cpu cpu-mode"},
		{"no series", "lifecycle latency memory throughput-time"},
		{"no samples", "memory"},
		{"one sample", ""},
		{"one model of three settled nothing", ""},
		{"marred", ""},
		{"three models", ""},
	} {
		var got []string
		for _, p := range All() {
			ch := p.picture(all[c.analysis]).layOut().chart
			if why, ok := ch.(noData); ok {
				got = append(got, p.Name)
				if why == "" {
					t.Errorf("%s/%s: no reason given", c.analysis, p.Name)
				}
			}
		}
		if g := strings.Join(got, " "); g != c.plots {
			t.Errorf("%s: no data in %q, want %q", c.analysis, g, c.plots)
		}
	}
}

// TestMissingModel wants a model without data to be named in every plot.
func TestMissingModel(t *testing.T) {
	a := analyses()["one model of three settled nothing"]
	for _, p := range All() {
		_, texts, _ := recordPage(p.picture(a))
		named := false
		for _, x := range texts {
			s := strings.ToLower(x.string)
			named = named || strings.HasPrefix(s, "no data: ") || strings.HasPrefix(s, "no data for forkperjob: ")
		}
		if !named {
			t.Errorf("%s does not say that there is no data for forkperjob", p.Name)
		}
	}
}
