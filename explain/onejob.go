package explain

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"forkbench/internal/calltree"
	"forkbench/internal/format"
	"forkbench/live"
	"forkbench/models/hybrid"
	"forkbench/workload"
)

// What has no call of its own, and what leaves a connection, can be done in a
// parent all the same: by one of the jobs, whose connections are given up again
// before the first fork. It is what --warm=job does.

// onceJob is the parent that runs one job and undoes what that leaves open.
func onceJob() contestant {
	return warmed(workload.WarmJob, setup{warm: []string{workload.WarmJob}})
}

// A lesson is what was seen of a parent that ran one job.
type lesson struct {
	after  *calltree.Node // a first job of its children; nil where there are none
	undone []string       // what the job left open, and how that was given up
	why    string         // it is not to be had, or nothing
}

// profileOneJob has a parent run a job, where one that has run jobs is not to have
// forks as it is.
func (r *run) profileOneJob(ctx context.Context) error {
	if !r.Verify || r.noRefork() == "" {
		return nil
	}
	r.doing("trying a job in a parent")
	list, err := r.lookQuietly(ctx, hybrid.Model{}, profiledProcesses, setup{warm: []string{workload.WarmJob}, look: &settings{Jobs: 1}})
	if r.oneJob.why = r.refusal(err); r.oneJob.why != "" {
		return nil
	}
	if boot, ok := errors.AsType[*live.BootError](err); ok {
		r.oneJob.why = boot.Message
		return nil
	}
	if failed, ok := errors.AsType[*JobError](err); ok {
		r.oneJob.why = "it breaks the jobs: " + failed.short()
		return nil
	}
	if err != nil {
		return err
	}
	if r.oneJob.why = r.added(); r.oneJob.why != "" {
		return nil
	}
	for _, p := range list {
		r.oneJob.undone = append(r.oneJob.undone, p.Undone...)
	}
	t, err := jobTrees(list)
	r.oneJob.after = t.first
	return err
}

// sparedByOneJob is the share of a finding that the jobs are spared where their
// parent has run one; 0 where that is nothing worth telling.
func (r *run) sparedByOneJob(f *found) float64 {
	if r.oneJob.after == nil {
		return 0
	}
	part := r.sparing(r.oneJob.after)[f]
	if !f.Own && f.group == "" {
		part = r.notMade(f, r.oneJob.after)
	}
	if part >= partly {
		return part
	}
	return 0
}

// byOneJob is the share of each finding that jobs are spared so.
func (r *run) byOneJob() map[*found]float64 {
	parts := make(map[*found]float64)
	for _, f := range r.findings {
		parts[f] = r.sparedByOneJob(f)
	}
	return parts
}

// oneJobNotes say what a job in the parent does for findings that leave something
// open, and how it was undone.
func (r *run) oneJobNotes() (notes []string) {
	switch {
	case r.oneJob.why != "":
		return []string{fmt.Sprintf("One job in the parent (--warm=job) was not measured: %s.", shortened(r.oneJob.why, 400))}
	case r.oneJob.after == nil:
		return nil
	}
	if unfit := r.measured.unfit(onceJob().name); unfit != nil {
		return []string{fmt.Sprintf("One job in the parent (--warm=job) must not be: %s.", unfit[0])}
	}
	for _, f := range r.findings {
		part := r.sparedByOneJob(f)
		if part == 0 || len(hazards(f.seen)) == 0 || f.release != nil {
			continue
		}
		text := fmt.Sprintf("Of %s, %s is spared when one job has run in the parent and its connections are given up before the first fork (--warm=job)", f.Call, format.Percent(part, 0))
		saved, left := r.again(f, r.oneJob.after)
		if saved != nil {
			text += ": " + strings.Join(saved, ", ")
		}
		if left != nil {
			text += "; each job still does " + strings.Join(left, ", ")
		}
		notes = append(notes, text+".")
	}
	for _, u := range r.oneJob.undone {
		notes = append(notes, fmt.Sprintf("The job in the parent left open, and gave up before the fork: %s.", u))
	}
	return notes
}
