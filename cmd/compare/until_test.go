package main

import (
	"strings"
	"testing"

	"forkbench/conditions"
)

// Without --rounds, a comparison goes on until it is sharp or its time is over; what
// it was asked for is on record, and so is which rounds came in a row.
func TestUntil(t *testing.T) {
	b := newBench(t)
	r := b.run("--model=prefork,forkperjob", "--workload=noop", "--jobs=40", "--workers=2", "--until=90%", "--max-time=5s", "--out=out")
	r.want(t, exitDone)
	if !conditions.Environment().Race && !strings.Contains(r.stderr, "\nso far: ") { // whatever it is on a busy machine
		t.Errorf("it was not said what was known before the end:\n%s", r.stderr)
	}
	s := summaryIn(t, "out")
	if u := s.Spec.Until; u == nil || u.HalfWidth != 0.9 || u.MostNS.Seconds() != 5 {
		t.Errorf("asked for until %+v", u)
	}
	for _, m := range s.Models {
		if m.Jobs.Done < 3*40 || m.Jobs.Done%40 != 0 {
			t.Errorf("%s did %d jobs", m.Model, m.Jobs.Done)
		}
	}
	again := b.run("report", "out")
	again.want(t, exitDone)
	if want := "3 rounds of each model at least, until ±90 %"; !strings.Contains(again.stdout, want) {
		t.Errorf("the report lacks %q:\n%s", want, again.stdout)
	}

	// A number of rounds is just that.
	b.run("--model=prefork,forkperjob", "--workload=noop", "--jobs=40", "--rounds=2", "--out=two").want(t, exitDone)
	if s := summaryIn(t, "two"); s.Spec.Until != nil || s.Models[0].Jobs.Done != 80 {
		t.Errorf("until %+v, %d jobs done", s.Spec.Until, s.Models[0].Jobs.Done)
	}
}

// Rounds of a model whose jobs have a process of their own each are made in parts: its
// records are those of whole rounds, and are read as such.
func TestUntilInParts(t *testing.T) {
	b := newBench(t)
	args := []string{"--model=prefork,forkperjob", "--workload=noop", "--jobs=90", "--workers=1", "--until=90%", "--max-time=1s"}
	r := b.run(append(args, "--out=out")...)
	r.want(t, exitDone)
	if strings.Contains(r.stdout, "error: ") {
		t.Errorf("it has errors:\n%s", r.stdout)
	}
	s := summaryIn(t, "out")
	if pool, forks := s.Spec.Models[0].Parts, s.Spec.Models[1].Parts; pool != 0 || forks != 3 {
		t.Errorf("rounds were to be made in %d and %d parts", pool, forks)
	}
	for _, m := range s.Models {
		if m.Jobs.Done < 90 || m.Jobs.Done%90 != 0 || m.Jobs.Settled != m.Jobs.Done {
			t.Errorf("%s did %d of %d jobs", m.Model, m.Jobs.Done, m.Jobs.Enqueued)
		}
	}
	again := b.run("report", "out")
	again.want(t, exitDone)
	if want := "3 rounds of each model at least, or one in 3 parts, until ±90 %"; !strings.Contains(again.stdout, want) {
		t.Errorf("the report lacks %q:\n%s", want, again.stdout)
	}

	// Whoever asks for rounds as well gets them, each in one go.
	b.run(append(args, "--rounds=2", "--out=whole")...).want(t, exitDone)
	if s := summaryIn(t, "whole"); s.Spec.Models[1].Parts != 0 || s.Models[1].Jobs.Done < 180 {
		t.Errorf("%d parts, %d jobs done", s.Spec.Models[1].Parts, s.Models[1].Jobs.Done)
	}
}

func TestUntilUsage(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--until=5%", "--arrivals=rate:10/s"}, "--until=5%: is for jobs that are all due at once, and those of --arrivals=rate:10/s come over time: give --rounds"},
		{[]string{"--max-time=5m", "--rounds=3"}, "--max-time=5m: is of no use with a fixed number of rounds: leave it out, or give --until"},
		{[]string{"--until=0"}, "--until=0: must be more than 0"},
		{[]string{"--max-time=-1s"}, "--max-time=-1s: must not be negative"},
	} {
		b.run(c.args...).want(t, exitUsage, c.want)
	}
}
