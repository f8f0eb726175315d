package calibrate

import (
	"errors"
	"fmt"
	"slices"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/workload"
)

// warmUp reports whether the workload or the run names a warm-up.
func (c *calibration) warmUp() bool {
	s := &c.rounds[0].Header.Spec
	if len(s.Warm) > 0 {
		return true
	}
	w, err := workload.Parse(s.Workload)
	if err != nil {
		return false
	}
	python, ok := w.(workload.Python)
	if !ok {
		_, ok = w.(workload.Warmer)
		return ok
	}
	return len(python.PythonFunction().Warm) > 0
}

// warming is the median of what the warm-ups of a parent took, in ms, and by which
// clock. It is a process's own CPU, for each parent does it, and several of them at a
// time: the time that passed is longer where they wait for cores, and it has the
// collection of garbage in it that follows a warm-up, which no job does. Older records
// have nothing else.
func (c *calibration) warming() (ms float64, clock string) {
	var spent, passed []float64
	for _, r := range c.rounds {
		for i := range r.parents {
			p := &r.parents[i]
			switch {
			case !p.Warmed:
			case p.BootCPUNS > 0:
				spent = append(spent, format.Millis(p.WarmCPUNS))
			default:
				passed = append(passed, format.Millis(p.WarmNS))
			}
		}
	}
	if len(spent) == 0 {
		return stats.Median(passed), "of wall time (older records have no other)"
	}
	return stats.Median(spent), "of their own CPU"
}

// tellApart is by how much more a first job may take, as a share, for two warm-ups to
// count as equally good; with less than alike, in ms, they always do.
const (
	tellApart = 0.1
	alike     = 0.1
)

// oneWarmUp leaves out the rounds whose parents were warmed by less than others: a
// profile has one warm-up, that after which first jobs take least, and the children of
// other parents would be taken for its. With too few rounds left it is a *TooFewError.
func (c *calibration) oneWarmUp(all []*Round) error {
	firsts := make(map[string][]float64)
	for _, r := range c.rounds {
		if !r.warm() {
			continue
		}
		least := make(map[int]job)
		for _, j := range r.jobs {
			if first, ok := least[j.process]; !ok || j.seq < first.seq {
				least[j.process] = j
			}
		}
		for _, j := range least {
			firsts[r.warmedBy()] = append(firsts[r.warmedBy()], format.Millis(j.cpu))
		}
	}
	if len(firsts) < 2 {
		return nil
	}
	before := len(c.rounds)
	best, least := "", 0.0
	for by, all := range firsts {
		if m := stats.Median(all); best == "" || m < least || m == least && by < best {
			best, least = by, m
		}
	}
	c.rounds = slices.DeleteFunc(c.rounds, func(r *Round) bool {
		if !r.warm() || r.warmedBy() == best || stats.Median(firsts[r.warmedBy()]) <= (1+tellApart)*least+alike {
			return false
		}
		c.Excluded = append(c.Excluded, fmt.Sprintf("%s: its parents were warmed by %s, which spares first jobs less than %s does, and a profile has one warm-up",
			r.place(), r.warmedBy(), best))
		return true
	})
	err := suffice(all, len(c.rounds), c.options)
	if few, ok := errors.AsType[*TooFewError](err); ok {
		few.Reasons = append(few.Reasons, fmt.Sprintf("%d × their parents were warmed by less than %s", before-len(c.rounds), best))
	}
	return err
}

// warmedBy names what the round's parents did before they forked.
func (r *Round) warmedBy() string {
	if by := r.Model.Knobs["warm"]; by != "" {
		return by
	}
	return "nothing"
}
