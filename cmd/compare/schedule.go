package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"forkbench/workload"
)

// longSchedule is how long jobs may take to come, over all rounds and models,
// without --max-duration.
const longSchedule = 10 * time.Minute

// maxSchedule bounds --max-duration: a plan's times end after a year.
const maxSchedule = 366 * 24 * time.Hour

// maxDurationFlag is the flag that allows a long schedule.
const maxDurationFlag = "max-duration"

func (o *options) setMaxDuration(text string) error {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return errors.New("not a duration: a number and a unit (s, m, h), as in 2h")
	case d <= 0:
		return errors.New("must be more than 0, as in 2h")
	case d > maxSchedule:
		return fmt.Errorf("must be at most %.0fh", maxSchedule.Hours())
	}
	o.maxDuration = d
	return nil
}

// duration is how long the jobs take to come in so many turns, as far as it can
// be told, and in words. What is short needs none.
func (o *options) duration(turns int) (total time.Duration, s workload.Schedule, text string) {
	s = workload.ScheduleOf(o.arrivals, o.seed, o.jobs)
	if total = times(s.Length, turns); total <= longSchedule {
		return total, s, ""
	}
	return total, s, fmt.Sprintf("the jobs come over %s in each round of each model, %s in all", lasting(s.Length), lasting(total))
}

// times is a product that ends at the longest duration.
func times(d time.Duration, n int) time.Duration {
	if float64(d)*float64(n) >= math.MaxInt64 {
		return math.MaxInt64
	}
	return d * time.Duration(n)
}

// checkDuration refuses a schedule that takes long, if that was not asked for.
func (o *options) checkDuration() []string { return o.checkTurns(o.rounds * len(o.contestants)) }

func (o *options) checkTurns(turns int) []string {
	if o.arrivals == nil || o.jobs == 0 || turns == 0 {
		return nil // a flag is wrong itself
	}
	total, s, text := o.duration(turns)
	switch {
	case text == "" && o.maxDuration == 0, total <= o.maxDuration:
		return nil
	case o.maxDuration > 0:
		text = fmt.Sprintf("--%s=%s: --arrivals=%s: %s", maxDurationFlag, o.texts[maxDurationFlag], shorten(o.arrivals.String(), 80), text)
	default:
		text = fmt.Sprintf("--arrivals=%s: %s", shorten(o.arrivals.String(), 80), text)
	}
	if 2*s.Gap > s.Length {
		text += fmt.Sprintf("; %s of it are one wait, before job %d: leave out what stands alone", lasting(s.Gap), s.Before+1)
	}
	text += "; fewer --jobs, --rounds or models take less, --arrivals=burst takes none"
	if total > maxSchedule {
		return []string{text}
	}
	return []string{text + fmt.Sprintf("; or allow it with --%s=%.0fh", maxDurationFlag, math.Ceil(total.Hours()))}
}

// durationNotice announces a schedule that takes long.
func (o *options) durationNotice() string {
	if _, _, text := o.duration(o.rounds * len(o.contestants)); text != "" {
		return "notice: " + text
	}
	return ""
}

// lasting writes a duration in its two largest units: 330 days 4 h, 12 min 30 s.
func lasting(d time.Duration) string {
	if d == math.MaxInt64 {
		return "centuries"
	}
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "days"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	for i, u := range units[:len(units)-1] {
		if d < u.size {
			continue
		}
		if d >= 1000*24*time.Hour {
			return fmt.Sprintf("%d days", d/u.size)
		}
		small := units[i+1]
		rest := (d % u.size) / small.size
		name := u.name
		if d/u.size == 1 && i == 0 {
			name = "day"
		}
		if rest == 0 {
			return fmt.Sprintf("%d %s", d/u.size, name)
		}
		return fmt.Sprintf("%d %s %d %s", d/u.size, name, rest, small.name)
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}
