package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"forkbench/page"
	"forkbench/plots"
	"forkbench/report"
	"forkbench/runner"
	"forkbench/sim"
	"forkbench/whatif/calibrate"
	"forkbench/whatif/query"
)

// mostCalibrated is the size of the largest records that a profile is made of while the
// page is written, in bytes: of larger ones it takes more than some seconds.
const mostCalibrated = 64 << 20

// Of a replication that the page's simulator makes; a run's own jobs if they are fewer.
const mostAsked = 2000

// interactive is what the scripts of a page show: what the plots are drawn of, and what
// the simulator needs to be asked about this run, with its profile, or else why it cannot
// be.
func interactive(ctx context.Context, dir string, a *runner.Analysis) (d *page.Data, profile *sim.Profile, why string) {
	s := &a.Summary
	d = &page.Data{Simulated: s.Spec.Simulated}
	for i := range s.Models {
		d.Models = append(d.Models, report.Visible(s.Models[i].Model))
	}
	if s.Environment.Race {
		return d, nil, "The simulator cannot be asked about this run: it was measured by a program built with -race, whose numbers do not count."
	}
	d.LifeCycle = plots.Life(a)
	if !sampled(s) {
		d.Latency = latencies(a)
	}
	profile, file, err := profileOf(ctx, dir, s)
	if err == nil {
		d.WhatIf, err = whatIf(s, profile, file)
	}
	if err != nil {
		return d, nil, fmt.Sprintf("The simulator cannot be asked about this run: %v.", err)
	}
	return d, profile, ""
}

// latencies are the distributions of the models that have one.
func latencies(a *runner.Analysis) []page.Latency {
	var all []page.Latency
	for i := range a.Series {
		l := page.Latency{Model: i}
		for _, point := range a.Series[i].Latency {
			l.Points = append(l.Points, [2]float64{point.Millis, point.Share})
		}
		if l.Points != nil {
			all = append(all, l)
		}
	}
	return all
}

// profileOf is the profile of a run, and what it is called in a command: the one that a
// simulation was made with, or one made of what was measured.
func profileOf(ctx context.Context, dir string, s *runner.Summary) (p *sim.Profile, file string, err error) {
	if x := s.Spec.Simulation; x != nil {
		if p, err = readProfile(x.From); err != nil {
			return nil, "", fmt.Errorf("its profile, %s, cannot be read: %w", x.From, err)
		}
		if p.Name != x.Profile {
			return nil, "", fmt.Errorf("its profile, %s, has become another one: %s", x.From, p.Name)
		}
		return p, x.From, nil
	}
	path := filepath.Join(dir, recordsName)
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", pathCause(err)
	}
	if info.Size() > mostCalibrated {
		return nil, "", fmt.Errorf("its records have %.3g MB, of which a profile takes long to make: `compare calibrate %s -o %s` and then `compare simulate --profile=%[3]s` tell",
			float64(info.Size())/1e6, dir, profileName)
	}
	rounds, _, err := roundsIn(dir)
	if err != nil {
		return nil, "", err
	}
	made, err := calibrate.Profile(ctx, rounds, calibrate.Options{Executor: executorOf, Least: leastRounds})
	if err != nil {
		return nil, "", err
	}
	return made.Profile, profileName, nil
}

// whatIf is what the simulator is asked about: the run as it was, and its profile.
func whatIf(s *runner.Summary, profile *sim.Profile, file string) (*page.WhatIf, error) {
	x := &s.Spec
	base := &query.Base{
		Profile: profile, Workers: x.Workers, Cores: s.Environment.Cores, Jobs: min(max(x.Jobs, 1), mostAsked),
		Seed: x.Seed, Arrivals: x.Arrivals, Timeout: x.TimeoutNS,
	}
	w := &page.WhatIf{Base: base, File: file, Profile: report.Visible(profile.Name), JobMS: meanJob(profile)}
	if x.Simulation != nil {
		base.Cores = x.Simulation.Cores
	}
	if !query.Plain(base.Arrivals) {
		w.Notes = append(w.Notes, fmt.Sprintf("The run's jobs came by %s, which is not in this file: here they are all due at once, or come at random.", report.Visible(x.Arrivals)))
		base.Arrivals = "burst"
	}
	if base.Jobs < x.Jobs {
		w.Notes = append(w.Notes, fmt.Sprintf("A replication has %d jobs, where the run had %d: what is one-time work weighs more.", base.Jobs, x.Jobs))
	}
	for i := range s.Models {
		m := &s.Models[i]
		as := x.Model(m.Model)
		if as == nil {
			continue
		}
		e, err := executorOf(*as)
		if err != nil {
			w.Notes = append(w.Notes, report.Visible(fmt.Sprintf("%s is not here: %v.", m.Model, err)))
			continue
		}
		if asked, ok := query.ModelOf(m.Model, e); ok {
			base.Models, w.Models = append(base.Models, asked), append(w.Models, i)
			if x.Simulation == nil {
				w.Measured = append(w.Measured, page.Measured{Model: i, Values: measuredOf(m)})
			}
		}
	}
	if base.Models == nil {
		return nil, errors.New("it has no model that can be simulated")
	}
	return w, nil
}

// measuredOf is what was measured of a model, by the names of what is predicted.
func measuredOf(m *runner.ModelSummary) map[string]float64 {
	all := make(map[string]float64)
	if m.Rounds == 0 {
		return all
	}
	all["jobs_done_per_s"] = m.DonePerS.Median
	if m.CPUDone != nil {
		all["cpu_ms_per_job_done"] = m.CPUDone.Median
	}
	if !m.Latency.Unknown {
		all["p50_ms"], all["p95_ms"], all["p99_ms"] = m.Latency.P50, m.Latency.P95, m.Latency.P99
	}
	if m.Memory.PeakPSS != nil {
		all["peak_pss_mb"] = *m.Memory.PeakPSS
	}
	return all
}

// meanJob is the mean CPU time of a profile's jobs, in milliseconds.
func meanJob(p *sim.Profile) float64 {
	sum, weight := 0.0, 0.0
	for i := range p.Jobs {
		sum += p.Jobs[i].Weight * p.Jobs[i].CPU.Mean()
		weight += p.Jobs[i].Weight
	}
	return sum / max(weight, 1e-9)
}
