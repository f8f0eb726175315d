package runner

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"forkbench/internal/format"
)

// A Threshold is a limit that a comparison must not cross, as written after
// --fail-if:
//
//	p95 > 50ms                                  any model's
//	forkperjob.throughput < 500                 one model's
//	hybrid.cpu_ms_per_job > 1.1*prefork.cpu_ms_per_job
//	p99 > 3*p50                                 the same model's
//	hybrid(refork=20).throughput < 2*hybrid.throughput
//	failed > 0
//	hybrid.cpu > 1.1*baseline                  a former run's, of the same model
//
// [Metrics] lists the names. A time or a size needs a unit, unless the metric's
// name says which (startup_s) or it is 0.
//
// Only what is done counts here: throughput is short for jobs_done_per_s, and
// cpu_ms_per_job, or cpu, for cpu_ms_per_job_done.
type Threshold struct {
	left  reference
	op    string // ">", ">=", "<" or "<="
	limit float64

	// Where right is set, the limit is limit times its value.
	right *reference

	// The value is that of the same metric and model in the gate's baseline; right is
	// then nil.
	baseline bool
}

// BaselineName is what stands for the same metric and model of a former run.
const BaselineName = "baseline"

// Baseline reports whether the threshold compares with a former run.
func (t Threshold) Baseline() bool { return t.baseline }

// A reference names a metric of a model: of any if model is empty on the left, of
// the same if it is empty on the right.
type reference struct {
	model  string
	metric metric
}

func (r reference) String() string {
	if r.model == "" {
		return r.metric.name
	}
	return r.model + "." + r.metric.name
}

// String is the threshold as [ParseThreshold] reads it.
func (t Threshold) String() string {
	text := fmt.Sprintf("%v %s ", t.left, t.op)
	limit := strconv.FormatFloat(t.limit, 'g', -1, 64)
	switch {
	case t.baseline:
		return text + limit + "*" + BaselineName
	case t.right != nil:
		return text + limit + "*" + t.right.String()
	}
	return text + limit + string(t.left.metric.unit)
}

// Models lists the models that the threshold names.
func (t Threshold) Models() []string {
	var names []string
	if t.left.model != "" {
		names = append(names, t.left.model)
	}
	if t.right != nil && t.right.model != "" && t.right.model != t.left.model {
		names = append(names, t.right.model)
	}
	return names
}

// unitFactors is how many of a metric's own unit each spelling is.
var unitFactors = map[unit]map[string]float64{
	unitCount:   {},
	unitSecond:  {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600},
	unitMilli:   {"us": 1e-3, "µs": 1e-3, "ms": 1, "s": 1e3, "m": 60e3, "h": 3600e3},
	unitRate:    {"/s": 1},
	unitMB:      {"B": 1e-6, "kB": 1e-3, "MB": 1, "GB": 1e3, "KiB": 1024e-6, "MiB": 1.048576, "GiB": 1073.741824},
	unitPercent: {"%": 1},
}

var (
	quantity = regexp.MustCompile(`^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?\s*([A-Za-zµ/%]*)$`)
	multiple = regexp.MustCompile(`^([0-9.]+(?:[eE][-+]?[0-9]+)?)\s*\*\s*(.*)$`)
	named    = regexp.MustCompile(`^(?:([^\s<>=*()]+(?:\([^<>()]*\))?)\.)?([^\s.<>=*()]+)$`)
)

// ParseThreshold reads a threshold. Its errors name what is wrong and what would
// be right.
func ParseThreshold(text string) (Threshold, error) {
	t, err := parseThreshold(text)
	if err != nil {
		return Threshold{}, fmt.Errorf("%q: %w", text, err)
	}
	return t, nil
}

func parseThreshold(text string) (t Threshold, err error) {
	at := strings.IndexAny(text, "<>")
	if at < 0 {
		return t, errors.New("has no < or >; a threshold looks like p95>50ms or hybrid.p95 > 1.1*prefork.p95")
	}
	t.op = text[at : at+1]
	left, right := strings.TrimSpace(text[:at]), text[at+1:]
	if rest, ok := strings.CutPrefix(right, "="); ok {
		t.op, right = t.op+"=", rest
	}
	right = strings.TrimSpace(right)
	if t.left, err = parseReference(left); err != nil {
		return t, err
	}
	if q := quantity.FindStringSubmatch(right); q != nil {
		t.limit, err = t.left.metric.parse(q[1]+q[2], q[3])
		return t, err
	}
	t.limit = 1
	if m := multiple.FindStringSubmatch(right); m != nil {
		if t.limit, err = finite(m[1]); err != nil {
			return t, err
		}
		right = m[2]
	}
	if right == BaselineName {
		t.baseline = true
		return t, nil
	}
	r, err := parseReference(right)
	if err != nil {
		return t, err
	}
	if r.metric.unit != t.left.metric.unit {
		return t, fmt.Errorf("%s is in %s and %s in %s", t.left.metric.name, t.left.metric.unit.describe(), r.metric.name, r.metric.unit.describe())
	}
	t.right = &r
	return t, nil
}

// ofDone is what a threshold means by the names of metrics that count jobs
// settled: a gate that lets failing fast pass is none.
var ofDone = map[string]string{
	MetricThroughput:    MetricDone,
	"throughput_low":    MetricDone + "_low",
	"throughput_high":   MetricDone + "_high",
	MetricCPU:           MetricCPUDone,
	"cpu":               MetricCPUDone,
	MetricCPU + "_low":  MetricCPUDone + "_low",
	MetricCPU + "_high": MetricCPUDone + "_high",
}

func parseReference(text string) (reference, error) {
	if text == "" {
		return reference{}, errors.New("a metric is missing; a threshold looks like p95>50ms")
	}
	parts := named.FindStringSubmatch(text)
	if parts == nil {
		return reference{}, fmt.Errorf("%q is neither METRIC nor MODEL.METRIC", text)
	}
	m, ok := metricNamed(cmp.Or(ofDone[parts[2]], parts[2]))
	if !ok {
		names := Metrics()
		if similar := closest(parts[2], names); similar != "" {
			return reference{}, fmt.Errorf("unknown metric %q: did you mean %s?", parts[2], similar)
		}
		return reference{}, fmt.Errorf("unknown metric %q; known are %s", parts[2], strings.Join(names, ", "))
	}
	return reference{parts[1], m}, nil
}

// parse reads a value of the metric.
func (x *metric) parse(digits, suffix string) (float64, error) {
	v, err := finite(digits)
	if err != nil {
		return 0, err
	}
	if suffix == "" {
		if v != 0 && x.ambiguous() {
			return 0, fmt.Errorf("%s needs a unit: %s%s, say", x.name, digits, x.unit)
		}
		return v, nil
	}
	factor, ok := unitFactors[x.unit][suffix]
	if !ok {
		return 0, fmt.Errorf("%s is in %s: %s is no unit of it", x.name, x.unit.describe(), suffix)
	}
	if v *= factor; math.IsInf(v, 0) {
		return 0, fmt.Errorf("%s%s is out of range", digits, suffix)
	}
	return v, nil
}

// ambiguous reports whether a bare number could be meant in several units: the
// metric is a time or a size, and its name does not say in what.
func (x *metric) ambiguous() bool {
	return len(unitFactors[x.unit]) > 1 && !slices.Contains(strings.Split(x.name, "_"), string(x.unit))
}

func finite(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0, fmt.Errorf("%s is not a number", text)
	}
	return v, nil
}

func (u unit) describe() string {
	switch u {
	case unitCount:
		return "plain numbers"
	case unitRate:
		return "jobs per second"
	case unitSecond, unitMilli, unitMB, unitPercent:
	}
	return string(u)
}

// text is a value with its unit.
func (u unit) text(v float64) string {
	switch u {
	case unitCount:
		if v == math.Trunc(v) && v < 1e15 {
			return format.Count(int(v))
		}
		return number(v)
	case unitRate:
		return number(v) + string(u)
	case unitSecond, unitMilli, unitMB, unitPercent:
		return number(v) + " " + string(u)
	}
	return number(v)
}

// Crossed reports whether the summary crosses the threshold, and says how. What
// cannot be checked counts as crossed: a gate that has nothing to look at must
// not stay open. Nor must one that looks at a model with jobs undone; see [Gate].
func (t Threshold) Crossed(s *Summary) (crossed bool, why string) {
	return Gate{Thresholds: []Threshold{t}}.crossed(t, s)
}

func (g Gate) crossed(t Threshold, s *Summary) (crossed bool, why string) {
	if t.baseline {
		return g.crossedBaseline(t, s)
	}
	checked := false
	for i := range s.Models {
		m := &s.Models[i]
		if t.left.model != "" && t.left.model != m.Model {
			continue
		}
		value := t.left.metric.of(m)
		limit, of := t.limitFor(s, m)
		for _, held := range []*ModelSummary{m, of} {
			if held != nil && g.tooManyUndone(held, t.left.metric.jobs) {
				return true, fmt.Sprintf("%v does not pass: %s; --allow-failures=SHARE says how many are fine", t, held.outcomeOf([]string{held.Model}))
			}
		}
		if value == nil || limit == nil {
			continue
		}
		checked = true
		if t.holds(*value, *limit) {
			u := t.left.metric.unit
			return true, fmt.Sprintf("%s of %s is %s, which crosses %v (%s)",
				t.left.metric.name, m.Model, u.text(*value), t, u.text(*limit))
		}
	}
	if !checked {
		return true, fmt.Sprintf("%v cannot be checked: %s", t, t.missing(s))
	}
	return false, ""
}

// limitFor is the limit that a model is held to, or nil if there is no value for
// it, and the model whose value it is, if any.
func (t Threshold) limitFor(s *Summary, m *ModelSummary) (*float64, *ModelSummary) {
	if t.right == nil {
		return &t.limit, nil
	}
	if t.right.model != "" && t.right.model != m.Model {
		if m = s.model(t.right.model); m == nil {
			return nil, nil
		}
	}
	v := t.right.metric.of(m)
	if v == nil {
		return nil, nil
	}
	limit := t.limit * *v
	return &limit, m
}

func (t Threshold) holds(value, limit float64) bool {
	switch t.op {
	case ">":
		return value > limit
	case ">=":
		return value >= limit
	case "<":
		return value < limit
	default:
		return value <= limit
	}
}

// missing says why there was nothing to check.
func (t Threshold) missing(s *Summary) string {
	for _, name := range t.Models() {
		m := s.model(name)
		if m == nil {
			return name + " was not run"
		}
		if m.Rounds == 0 {
			return "no round of " + name + " was measured"
		}
	}
	return "nothing was measured for it"
}
