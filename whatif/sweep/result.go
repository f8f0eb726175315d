package sweep

import (
	"fmt"
	"math"
	"slices"
)

// ResultVersion is the version of a result's JSON. It changes when a reader of
// the old form would misread the new one.
const ResultVersion = 1

// A Result is what a sweep has found. Values of the parameter are whole numbers,
// milliseconds, megabytes, or events per second.
type Result struct {
	Version int    `json:"version"`
	Verdict string `json:"verdict"`
	Spec    Spec   `json:"spec"`

	Curves     []Curve     `json:"curves"`      // one for each model; the first is the reference
	BreakEvens []BreakEven `json:"break_evens"` // one for each other model that can have one

	Interrupted bool     `json:"interrupted,omitempty"`
	Notes       []string `json:"notes,omitempty"`
	Warnings    []string `json:"warnings,omitempty"`
}

// A Spec is what was asked.
type Spec struct {
	Parameter   string  `json:"parameter"` // as on the command line
	Unit        string  `json:"unit,omitempty"`
	From        float64 `json:"from"`
	To          float64 `json:"to"`
	Logarithmic bool    `json:"logarithmic"`
	Metric      string  `json:"metric"` // what was compared
	Within      float64 `json:"within"` // a share: 0.1 is 10 %
	Reference   string  `json:"reference"`
	Setting     Setting `json:"setting"`

	parameter *Parameter
	metric    Metric
}

// A Setting is what was the same at all points, as far as the parameter leaves
// it.
type Setting struct {
	Profile      string `json:"profile"`      // what the simulation took things to cost: a name or a file
	ProfileName  string `json:"profile_name"` // what it calls itself
	Workload     string `json:"workload,omitempty"`
	Jobs         int    `json:"jobs"`
	Arrivals     string `json:"arrivals"`
	Workers      int    `json:"workers,omitempty"`
	Cores        int    `json:"cores,omitempty"`
	Seed         uint64 `json:"seed"`
	Replications int    `json:"replications"`
	LiveRounds   int    `json:"live_rounds,omitempty"`

	Caveats []string `json:"-"` // what is to be known of the profile: the first of the result's warnings
}

// A Curve is one model's.
type Curve struct {
	Model  string  `json:"model"`
	Level  bool    `json:"level"` // the parameter makes no difference to it: it has one point
	Points []Point `json:"points"`
	Live   []Point `json:"live,omitempty"` // of real processes
}

// A Point is one value of the parameter.
type Point struct {
	X      float64             `json:"x"`
	Values map[string]Estimate `json:"values"`         // by the metric's name
	Over   *Estimate           `json:"over,omitempty"` // cost over the reference: 1.1 is 10 % more
	Doubts []string            `json:"doubts,omitempty"`
}

// Value is the point's value of a metric; false if it has none.
func (p *Point) Value(metric string) (Estimate, bool) {
	e, ok := p.Values[metric]
	return e, ok
}

// A BreakEven says where a model costs at most so much more than the reference.
type BreakEven struct {
	Model   string    `json:"model"`
	Regions []Region  `json:"regions"` // none: nowhere in the range; one without ends: everywhere
	First   *Estimate `json:"first"`   // its cost over the reference at the beginning of the range; nil: it cannot keep up
	Last    *Estimate `json:"last"`    // and at the end
	Phrase  string    `json:"phrase"`  // in few words: "from 18 jobs per child on"
}

// Result is what has been found so far.
func (s *Sweep) Result(setting Setting) *Result {
	s.prepare()
	p := s.Range.Parameter
	r := &Result{
		Version: ResultVersion,
		Spec: Spec{
			Parameter: p.Name, Unit: p.Kind.Unit(), From: s.Range.From, To: s.Range.To,
			Logarithmic: s.Range.Logarithmic(), Metric: s.Metric.String(), Within: s.Within,
			Reference: s.Contestants[0].Name, Setting: setting, parameter: p, metric: s.Metric,
		},
		Interrupted: s.cutShort, Warnings: slices.Clone(setting.Caveats),
	}
	for i, c := range s.Contestants {
		curve := Curve{Model: c.Name, Level: !c.Varies}
		xs := s.xs()
		if curve.Level {
			xs = []float64{s.Range.From}
		}
		for _, x := range xs {
			if a, ok := s.at(i, x); ok {
				pt := s.point(x, a)
				if over, ok := s.ratioAt(i, x); ok && i > 0 {
					pt.Over = &over
				}
				curve.Points = append(curve.Points, pt)
			}
		}
		for x, a := range s.live[i] {
			pt := s.point(x, a)
			if b, ok := s.liveReference(x); ok && i > 0 {
				if over, ok := s.Metric.ratio(a, b); ok {
					pt.Over = &over
				}
			}
			curve.Live = append(curve.Live, pt)
		}
		slices.SortFunc(curve.Live, func(a, b Point) int {
			if a.X < b.X {
				return -1
			}
			return 1
		})
		r.Curves = append(r.Curves, curve)
		if over := s.over(i); len(over) > 0 {
			b := BreakEven{Model: c.Name, Regions: s.regions(i), First: over[0].estimate(), Last: over[len(over)-1].estimate()}
			b.Phrase = s.phrase(&b)
			r.BreakEvens = append(r.BreakEvens, b)
		}
	}
	r.Verdict = s.verdict(r)
	s.note(r)
	return r
}

func (s sample) estimate() *Estimate {
	if math.IsInf(s.over, 1) {
		return nil
	}
	return &Estimate{s.over, &s.low, &s.high}
}

func (s *Sweep) point(x float64, a Answer) Point {
	pt := Point{X: x, Values: make(map[string]Estimate), Doubts: a.Doubts}
	for _, m := range Metrics() {
		if e, ok := m.estimate(a); ok {
			pt.Values[m.String()] = e
		}
	}
	return pt
}

// liveReference is the reference as measured at a point.
func (s *Sweep) liveReference(x float64) (Answer, bool) {
	if !s.Contestants[0].Varies {
		x = s.Range.From
	}
	a, ok := s.live[0][x]
	return a, ok
}

// ParameterLabel is what was varied, in words.
func (s *Spec) ParameterLabel() string { return s.parameter.Label }

// Tick writes a value of the parameter, as a mark on an axis or in a table.
func (s *Spec) Tick(x float64) string { return s.parameter.Kind.Format(x) }

// Each is a value of the parameter in a sentence: 18 jobs per child.
func (s *Spec) Each(x float64) string { return fmt.Sprintf(s.parameter.Each, s.Tick(x)) }

// Bound is a break-even with its interval, in a sentence: 18 jobs per child [16, 21].
func (s *Spec) Bound(b *Bound) string {
	text, low, high := s.Each(b.At), s.Tick(s.From)+" or less", s.Tick(s.To)+" or more"
	if b.Low != nil {
		low = s.Tick(*b.Low)
	}
	if b.High != nil {
		high = s.Tick(*b.High)
	}
	return fmt.Sprintf("%s [%s, %s]", text, low, high)
}

// MetricLabel is what was compared.
func (s *Spec) MetricLabel() string { return s.metric.Label() }

// MetricUnit is the unit of the metric.
func (s *Spec) MetricUnit() string { return s.metric.Unit() }

// MetricCost is the cost that the metric tells of: of throughput, time per job.
func (s *Spec) MetricCost() string { return metricTexts[s.metric].cost }

// Inverse reports whether less of the metric is a higher cost.
func (s *Spec) Inverse() bool { return s.metric == Throughput }
