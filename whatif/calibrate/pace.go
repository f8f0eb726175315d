package calibrate

import (
	"math"
	"slices"
	"time"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/record"
	"forkbench/sim"
)

// Cores are slower at times, without a trace in the accounts, when other tenants
// of the machine share their caches and their units. Rounds tell how slow (see
// record.Noise.PieceNS), and CPU goes with it: so all rounds are brought to one pace
// before anything is taken from them, and a prediction is made for the pace of the
// rounds that it is held against.

// leastSpread is the standard deviation of the logarithm of the pace from which on
// rounds tell what depends on it.
const leastSpread = 0.02

// pace brings the rounds to their median pace.
func (c *calibration) pace() {
	var known []float64
	for _, r := range c.rounds {
		if r.Noise.PieceNS > 0 {
			known = append(known, format.Millis(r.Noise.PieceNS))
		}
	}
	c.elasticity()
	if len(known) < len(c.rounds) {
		c.source("pace_ms", "not in the records of all rounds: they are taken as they are")
		return
	}
	typical := stats.Median(known)
	c.profile.Pace = rounded(typical)
	c.source("pace_ms", "median of %d rounds; the CPU of each was brought to it, but for jobs that are not elastic", len(known))
	for i, r := range c.rounds {
		c.rounds[i] = c.atPace(r, typical)
	}
}

// elasticity finds the classes of jobs that do not depend on the pace: those that
// compute until a deadline.
func (c *calibration) elasticity() {
	c.elastic = make(map[string]float64)
	x, y := make(map[string][]float64), make(map[string][]float64)
	for _, r := range c.rounds {
		kinds := classesOf(&r.Header.Spec)
		took := make([][]float64, len(kinds.names))
		for _, j := range r.jobs {
			if j.seq > 1 {
				k := kinds.of(j.id)
				took[k] = append(took[k], format.Millis(j.took))
			}
		}
		for k, name := range kinds.names {
			c.elastic[name] = 1
			if m := stats.Mean(took[k]); len(took[k]) >= enough && m > 0 && r.Noise.PieceNS > 0 {
				x[name], y[name] = append(x[name], math.Log(format.Millis(r.Noise.PieceNS))), append(y[name], math.Log(m))
			}
		}
	}
	for name := range x {
		var s slope
		s.add(x[name], y[name])
		if s.xx > leastSpread*leastSpread*float64(len(x[name])) && s.value() < 0.5 {
			c.elastic[name] = 0
		}
	}
}

// atPace is the round as it would have been at another pace, as far as its CPU is
// concerned.
func (c *calibration) atPace(r *Round, pace float64) *Round {
	f := pace / format.Millis(r.Noise.PieceNS)
	scaled := *r
	scaled.jobs, scaled.children = nil, nil
	kinds := classesOf(&r.Header.Spec)
	fixed := make(map[int]time.Duration) // by process
	all := time.Duration(0)
	for _, j := range r.jobs {
		if c.elastic[kinds.names[kinds.of(j.id)]] == 1 {
			j.cpu = times(j.took, f)
		} else {
			fixed[j.process] += j.took
			all += j.took
		}
		scaled.jobs = append(scaled.jobs, j)
	}
	for _, p := range r.children {
		g := partly(f, fixed[p.ID], p.UserNS+p.SystemNS)
		p.UserNS, p.SystemNS = times(p.UserNS, g), times(p.SystemNS, g)
		p.ReadyNS = p.ForkNS + times(p.ReadyNS-p.ForkNS, f)
		scaled.children = append(scaled.children, p)
	}
	scaled.Children = cpuTimes(r.Children, partly(f, all, r.Children.Total()))
	scaled.Parents, scaled.Supervisor, scaled.Redis = cpuTimes(r.Parents, f), cpuTimes(r.Supervisor, f), cpuTimes(r.Redis, f)
	scaled.Services = slices.Clone(r.Services)
	for i := range scaled.Services {
		scaled.Services[i].CPU = cpuTimes(scaled.Services[i].CPU, f)
	}
	return &scaled
}

// partly is the factor of a whole of which a part stays as it is.
func partly(f float64, part, whole time.Duration) float64 {
	if whole <= 0 {
		return f
	}
	share := min(float64(part)/float64(whole), 1)
	return share + (1-share)*f
}

func times(d time.Duration, f float64) time.Duration { return time.Duration(float64(d) * f) }

func cpuTimes(c record.CPU, f float64) record.CPU {
	return record.CPU{User: times(c.User, f), System: times(c.System, f)}
}

// paced is the profile at the pace of rounds that are to be predicted.
func paced(p *sim.Profile, rounds []*Round) *sim.Profile {
	var known []float64
	for _, r := range rounds {
		if r.Noise.PieceNS > 0 {
			known = append(known, format.Millis(r.Noise.PieceNS))
		}
	}
	pace := stats.Median(known)
	if pace <= 0 || p.Pace <= 0 {
		return p
	}
	return p.Slowed(pace / p.Pace)
}
