package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"forkbench/record"
	"forkbench/whatif/sweep"
	"forkbench/workload"
)

// measurePoints measures points of a sweep on real processes and adds them. A
// sweep over a knob is one comparison, in which every value is a contestant; the
// others are one for each value.
func (p *program) measurePoints(
	ctx context.Context, in *interrupts, s *sweepOptions, w *sweep.Sweep, dir string, show *progress,
) error {
	xs := s.over.Points(s.livePoints)
	if name := s.over.Parameter.Name; !isKnob(name) {
		for _, x := range xs {
			o := *s.options
			o.out = filepath.Join(dir, "live-"+s.over.Parameter.Kind.Format(x))
			if err := s.setLive(&o, x); err != nil {
				return err
			}
			stopped, err := p.measureInto(ctx, in, &o, show)
			if err == nil {
				err = s.addRecords(w, o.out)
			}
			if err != nil || stopped {
				return err
			}
		}
		return nil
	}
	o := *s.options
	o.out = filepath.Join(dir, "live")
	o.contestants = nil
	for i := range s.contestants {
		c := s.contestants[i]
		if !s.varies(&c) {
			o.contestants = append(o.contestants, c)
			continue
		}
		for _, x := range xs {
			o.contestants = append(o.contestants, s.at(c, x))
		}
	}
	if _, err := p.measureInto(ctx, in, &o, show); err != nil {
		_ = s.addRecords(w, o.out) // what was measured until then, if anything
		return err
	}
	return s.addRecords(w, o.out)
}

// measureInto makes a comparison of real processes. It reports whether it was
// asked to stop.
func (p *program) measureInto(ctx context.Context, in *interrupts, o *options, show *progress) (bool, error) {
	m, err := p.measure(ctx, in, o, show)
	if m.analysis != nil && len(m.analysis.Summary.Errors) > 0 && err == nil {
		err = fmt.Errorf("measured: %s", m.analysis.Summary.Errors[0])
	}
	if in.came() && (errors.Is(err, context.Canceled) || ctx.Err() != nil) {
		err = nil // that is what was asked for
	}
	return in.came(), err
}

// setLive gives a comparison a value of a parameter that is not a knob.
func (s *sweepOptions) setLive(o *options, x float64) (err error) {
	if s.over.Parameter.Name == sweep.Workers {
		o.workers = int(x)
	} else {
		o.workload, err = workload.Parse("cpu:" + s.over.Parameter.Kind.Format(x))
	}
	o.contestants = append([]contestant(nil), s.contestants...)
	for i := range o.contestants {
		o.contestants[i].options.workers, o.contestants[i].options.workload = o.workers, o.workload
	}
	return err
}

// at is a contestant with a value of the knob that is varied, and a name that
// says so.
func (s *sweepOptions) at(c contestant, x float64) contestant {
	value := s.over.Parameter.Kind.Format(x)
	s.turn(&c, x)
	c.settings = append(append([]setting(nil), c.settings...), setting{knob: s.over.Parameter.Name, value: value})
	var texts []string
	for _, set := range c.settings {
		texts = append(texts, set.String())
	}
	c.name = fmt.Sprintf("%s(%s)", c.model.name, strings.Join(texts, ","))
	return c
}

// addRecords adds what former results have measured, as far as it is a point of
// this sweep: the same model with the same knobs, but for the parameter.
func (s *sweepOptions) addRecords(w *sweep.Sweep, dir string) error {
	f, err := recordsOf(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	h, answers, err := sweep.Measured(record.Read(f))
	if h == nil || err != nil && !errors.Is(err, record.ErrTruncated) {
		return fmt.Errorf("%s: %w", dir, err)
	}
	measured, added := 0, 0
	for _, m := range h.Spec.Models {
		a := answers[m.Name]
		if len(a.Replications) == 0 {
			continue // it was interrupted before a round had ended
		}
		measured++
		a.Doubts = append(a.Doubts, s.differences(h)...)
		if h.Environment.Race {
			a.Doubts = append(a.Doubts, "built with -race: the numbers do not count")
		}
		for i := range s.contestants {
			if x, fits := s.place(&s.contestants[i], &h.Spec, m); fits {
				w.AddLive(i, x, a)
				added++
			}
		}
	}
	if added == 0 && measured > 0 {
		return fmt.Errorf("--with=%s: has no point of this sweep: its models, knobs, or values are others", dir)
	}
	return nil
}

// differences are what former results were measured with and the curves are not
// simulated with: a point beside a curve then does not say how good the curve is.
func (s *sweepOptions) differences(h *record.Header) (texts []string) {
	add := func(differ bool, measured, simulated string) {
		if differ {
			texts = append(texts, fmt.Sprintf("it is of %s, and the curve of %s", measured, simulated))
		}
	}
	count := func(n int, what string) string { return fmt.Sprintf("%d %s", n, what) }
	add(h.Spec.Jobs != s.jobs, count(h.Spec.Jobs, "jobs"), count(s.jobs, "jobs"))
	add(h.Spec.Workers != s.workers && !s.varied(sweep.Workers), count(h.Spec.Workers, "workers"), count(s.workers, "workers"))
	add(h.Environment.Cores != s.cores && !s.varied(sweep.Cores), count(h.Environment.Cores, "cores"), count(s.cores, "cores"))
	add(h.Spec.Arrivals != s.arrivals.String() && !s.varied(sweep.ArrivalRate), "arrivals "+h.Spec.Arrivals, "arrivals "+s.arrivals.String())
	add(!s.varied(sweep.JobTime) && !s.live && !strings.Contains(s.profile.Name, h.Spec.Workload), h.Spec.Workload, s.profile.Name)
	return texts
}

// place is the value of the parameter at which a model was measured, if it is one
// of this contestant.
func (s *sweepOptions) place(c *contestant, spec *record.Spec, m record.Model) (float64, bool) {
	kind := m.Model
	if kind == "" {
		kind = m.Name
	}
	if kind != c.model.name {
		return 0, false
	}
	name := s.over.Parameter.Name
	varies := s.varies(c)
	own := c.knobs(nil)
	for _, knob := range c.model.knobs {
		if knob == warmKnob || knob == name && varies {
			continue
		}
		if own[knob] != m.Knobs[knob] {
			return 0, false
		}
	}
	if _, warmed := m.Knobs[warmKnob]; warmed != c.options.warms {
		return 0, false
	}
	var x float64
	var err error
	switch {
	case !varies:
		return s.over.From, true
	case isKnob(name):
		x, err = strconv.ParseFloat(m.Knobs[name], 64)
	case name == sweep.Workers:
		x = float64(spec.Workers)
	case name == sweep.JobTime:
		text, isCPU := strings.CutPrefix(spec.Workload, "cpu:")
		if !isCPU {
			return 0, false
		}
		x, err = s.over.Parameter.Parse(text)
	default:
		return 0, false
	}
	return x, err == nil && x >= s.over.From && x <= s.over.To
}
