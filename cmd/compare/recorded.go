package main

import (
	"fmt"
	"strings"
	"time"

	"forkbench/peers/capture"
)

// mostListed bounds the lists of what was recorded.
const mostListed = 10

// mostToRun is how many jobs to begin with: a fresh process for each takes a
// while.
const mostToRun = 1000

// text says what was recorded, what was not, and what to do next.
func (r *recording) text(o *recordOptions) string {
	var b strings.Builder
	s := &r.sum
	where := o.out
	if where == toStdout {
		where = "FILE"
	}
	b.WriteString(r.headline(o))
	if s.Timed > 1 {
		fmt.Fprintf(&b, ", enqueued within %s", s.Last.Sub(s.First).Round(time.Millisecond))
	}
	if o.out != toStdout {
		fmt.Fprintf(&b, ", in %s", o.out)
	}
	b.WriteString("\n")
	if r.server != "" {
		fmt.Fprintf(&b, "  read from %s\n", r.server)
	}
	for i, f := range s.Functions {
		if i == mostListed {
			fmt.Fprintf(&b, "  and %d other functions\n", len(s.Functions)-i)
			break
		}
		fmt.Fprintf(&b, "  %d  %s\n", f.Jobs, f.Function)
	}
	if s.Expanded > 0 {
		fmt.Fprintf(&b, "  %d of them are the calls of %s for map, starmap, chunks or a group\n", s.Expansions, counted(s.Expanded, "message"))
	}
	if s.ETA > 0 {
		fmt.Fprintf(&b, "  %d have a due time of their own (eta), which is not kept\n", s.ETA)
	}
	for _, f := range s.Follows {
		fmt.Fprintf(&b, "  %d would be followed by %s, which Celery sends when they have returned: not recorded\n", f.Jobs, f.Function)
	}
	b.WriteString(leftOut(s))
	b.WriteString(beside(r.survey))
	fmt.Fprintf(&b, "run them: compare --workload=jobs:%s --jobs=%d --path=.\n", where, min(s.Jobs, mostToRun))
	if s.Timed == s.Jobs {
		fmt.Fprintf(&b, "as they came: add --arrivals=jobs:%s\n", where)
	}
	return b.String()
}

// headline says how much of the queue was recorded. "N of N" is for all of it.
func (r *recording) headline(o *recordOptions) string {
	s := &r.sum
	read := s.Total() - s.Expansions + s.Expanded // of what waits, without what was made of it
	switch {
	case o.limit > 0 && read == o.limit && read < r.survey.Waiting:
		return fmt.Sprintf("recorded %d jobs of the first %d of %d that wait in %s", s.Jobs, read, r.survey.Waiting, o.queue)
	case !r.survey.Complete():
		return fmt.Sprintf("recorded %d of the %s read from %s, and perhaps not all was read", s.Jobs, counted(s.Total(), "job"), o.queue)
	case read < r.survey.Waiting:
		return fmt.Sprintf("recorded %d of %d jobs of %s, from which workers took %d meanwhile", s.Jobs, s.Total()+r.survey.Waiting-read, o.queue, r.survey.Waiting-read)
	}
	of := "of"
	if len(r.survey.Beside) > 0 {
		of = "waiting in" // there are more
	}
	return fmt.Sprintf("recorded %d of %d jobs %s %s", s.Jobs, s.Total(), of, o.queue)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// beside lists what belongs to the queue, or may, and was not read.
func beside(s *capture.Survey) string {
	var b strings.Builder
	for i, a := range s.Alike {
		if i == mostListed {
			fmt.Fprintf(&b, "  and %d other lists\n", len(s.Alike)-i)
			break
		}
		fmt.Fprintf(&b, "  %s\n", a)
	}
	if s.Unseen != "" {
		fmt.Fprintf(&b, "  %s\n", s.Unseen)
	}
	for i, n := range s.Beside {
		if i == 0 {
			b.WriteString("not waiting, so not recorded:\n")
		}
		fmt.Fprintf(&b, "  %s\n", n)
	}
	return b.String()
}

// leftOut lists the jobs that could not be recorded.
func leftOut(s *capture.Summary) string {
	var b strings.Builder
	for i, l := range s.LeftOut {
		if i == 0 {
			b.WriteString("left out:\n")
		}
		if i == mostListed {
			fmt.Fprintf(&b, "  and for %d other reasons\n", len(s.LeftOut)-i)
			break
		}
		fmt.Fprintf(&b, "  %d  %s", l.Jobs, l.Why.Reason)
		if l.Why.Detail != "" {
			fmt.Fprintf(&b, ": %s", shorten(l.Why.Detail, 200))
		}
		if l.ID != "" {
			fmt.Fprintf(&b, " (job %s)", shorten(l.ID, 80))
		}
		if l.Why.WayOut != "" {
			fmt.Fprintf(&b, ": %s", l.Why.WayOut)
		}
		b.WriteString("\n")
	}
	return b.String()
}
