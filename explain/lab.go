package explain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"forkbench/internal/calltree"
	"forkbench/live"
	"forkbench/models"
	"forkbench/record"
	"forkbench/runner"
	"forkbench/workload"
)

// A lab runs a few jobs to look at them. What it runs enters no record.
type lab struct {
	machine *live.Machine
	jobs    func(n int) jobSequence
	dir     string   // for profiles; it need not exist
	base    []string // warm-ups that every parent does first
	looks   int

	// passedOn is what the parents of the last look would have passed on to their
	// forks, cautions left out.
	passedOn []record.Hazard
}

type jobSequence = func(yield func(workload.Job) bool)

// look runs n jobs and returns what was seen of them.
func (l *lab) look(ctx context.Context, e models.Executor, n int, s setup) ([]*profile, error) {
	e, s = l.from(e, s)
	l.looks++
	dir := filepath.Join(l.dir, fmt.Sprintf("profile-%d", l.looks))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	look := *s.look
	look.Directory = dir
	s.look = &look
	backlog, err := runner.Enqueue(ctx, l.machine.Server, l.jobs(n))
	if err != nil {
		return nil, err
	}
	sink := new(jobSink)
	round, err := backlog.Machine(s.machine(l.machine)).Run(ctx, e, runner.Turn{Model: e.Name(), Sink: sink})
	l.passedOn = nil
	if round != nil {
		l.passedOn = harmful(round.Hazards)
	}
	if err = errors.Join(err, backlog.Close()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := sink.problem(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return readProfiles(dir)
}

// lookQuietly is look for what may be refused, which is the report's to tell.
func (l *lab) lookQuietly(ctx context.Context, e models.Executor, n int, s setup) ([]*profile, error) {
	machine, was := *l.machine, l.machine
	machine.Log = nil
	l.machine = &machine
	defer func() { l.machine = was }()
	return l.look(ctx, e, n, s)
}

// A jobSink keeps the records of jobs, and passes all lines on.
type jobSink struct {
	next record.Sink // may be nil

	mu      sync.Mutex
	jobs    []record.Job
	rounds  []record.Round
	warming map[string][]time.Duration // of a contestant's parents, what it took
}

// Write takes a line.
func (s *jobSink) Write(l record.Line) error {
	s.mu.Lock()
	switch l := l.(type) {
	case *record.Job:
		s.jobs = append(s.jobs, *l)
	case *record.Round:
		s.rounds = append(s.rounds, *l)
	case *record.Process:
		if l.Warmed {
			if s.warming == nil {
				s.warming = make(map[string][]time.Duration)
			}
			s.warming[l.Model] = append(s.warming[l.Model], l.WarmNS)
		}
	}
	s.mu.Unlock()
	if s.next == nil {
		return nil
	}
	return s.next.Write(l)
}

// A JobError is a job that did not end well: what it did cannot be explained.
type JobError struct {
	Status models.Status
	Detail string
}

func (e *JobError) Error() string {
	return fmt.Sprintf("a job ended as %v, and what it did cannot be explained; "+
		"mend it, or choose other jobs with --payload:\n%s", e.Status, e.Detail)
}

// short is the error in a few words.
func (e *JobError) short() string {
	lines := strings.Split(strings.TrimSpace(e.Detail), "\n")
	if last := shortened(lines[len(lines)-1], 120); last != "" {
		return fmt.Sprintf("a job ended as %v (%s)", e.Status, last)
	}
	return fmt.Sprintf("a job ended as %v", e.Status)
}

// problem is an error if any job did not end as done.
func (s *jobSink) problem() error {
	for i := range s.jobs {
		if j := &s.jobs[i]; j.Status != models.Done {
			return &JobError{j.Status, j.Detail}
		}
	}
	return nil
}

// jobTrees splits the profiles of jobs: first jobs and later jobs of processes
// whose parents ran none, and first jobs of processes whose parents ran some.
func jobTrees(list []*profile) (t trees, err error) {
	var first, later, inherited []*calltree.Node
	for _, p := range list {
		if p.Kind != "job" {
			continue
		}
		tree, err := p.tree()
		if err != nil {
			return t, err
		}
		switch {
		case p.Inherited > 0 && p.Seq == 1:
			inherited = append(inherited, tree)
		case p.Seq == 1:
			first = append(first, tree)
		default:
			later = append(later, tree)
		}
	}
	return trees{first: calltree.Typical(first), later: calltree.Typical(later), inherited: calltree.Typical(inherited)}, nil
}

type trees struct {
	first, later, inherited *calltree.Node
	passedOn                []record.Hazard // of what has forks and has done nothing
}
