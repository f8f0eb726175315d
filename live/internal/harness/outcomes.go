package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"forkbench/internal/proc"
	"forkbench/models"
	"forkbench/record"
	"forkbench/stream"
)

const (
	// settleBatch bounds a round trip to Redis.
	settleBatch = 256
	// tailSize is how much of what the driver prints is kept, to explain its death.
	tailSize = 4 << 10
)

// drive runs one of the driver's functions in a process of its own, which is no
// part of what is measured, and gives what it prints to read.
func (r *run) drive(ctx context.Context, verb string, read func(io.Reader) error) error {
	cmd := exec.CommandContext(ctx, r.Program, filepath.Join(r.dir, "run.py"), r.system.Module(), verb)
	cmd.Env = r.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this program
	said := proc.NewTail(tailSize)
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	if read != nil {
		err = read(out)
	}
	_, _ = io.Copy(io.Discard, out) // what is of no interest, or came after an error
	if e := cmd.Wait(); e != nil {
		err = fmt.Errorf("%w: %s", e, said)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// A verdict is what the system has stored of a job.
type verdict struct {
	ID     uint64          `json:"id"`
	Status string          `json:"status"` // empty if there is none
	Detail string          `json:"detail"`
	Result json.RawMessage `json:"result"`
	// Dropped is why the result was not kept; else empty.
	Dropped string `json:"dropped"`
}

// An outcome is a job's, for the stream and for the records.
type outcome struct {
	stream.Settlement
	record record.Job
}

// settle asks the system's store what became of each job, passes it on to the
// stream and writes the records. Work has ended before: that the stream is told
// costs the system nothing.
func (r *run) settle(ctx context.Context) error {
	settled := 0
	var batch []outcome
	flush := func() error {
		if err := r.commit(ctx, batch); err != nil {
			return err
		}
		settled += len(batch)
		batch = batch[:0]
		return nil
	}
	err := r.drive(ctx, "collect", func(text io.Reader) error {
		for lines := json.NewDecoder(text); ; {
			var v verdict
			err := lines.Decode(&v)
			if errors.Is(err, io.EOF) {
				return flush()
			}
			if err != nil {
				return fmt.Errorf("%s says of its jobs: %w", r.system.Name, err)
			}
			if v.Status == "" {
				continue
			}
			if v.ID >= uint64(len(r.times)) {
				return fmt.Errorf("%s has an outcome for job %d of %d", r.system.Name, v.ID, len(r.times))
			}
			o, err := r.outcome(v)
			if err != nil {
				return err
			}
			if batch = append(batch, o); len(batch) == settleBatch {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	})
	taken := len(r.jobs)
	if r.isStopped() { // what nobody had begun is left where it was
		taken = settled
	}
	if err != nil { // of the others nothing is known
		taken = settled
		err = fmt.Errorf("collect the outcomes of %s: %w", r.system.Name, err)
	}
	r.machine.Taken(taken)
	return err
}

// outcome puts together what the system's store and its stamps say of a job.
func (r *run) outcome(v verdict) (outcome, error) {
	job, t := r.jobs[v.ID], r.times[v.ID]
	var status models.Status
	if err := status.UnmarshalText([]byte(v.Status)); err != nil {
		return outcome{}, fmt.Errorf("%s says of job %d: %w", r.system.Name, v.ID, err)
	}
	kept := t.kept
	if kept == 0 {
		kept = t.over
	}
	if kept == 0 {
		kept = r.stopped // it was stored, and nobody was left to say when
	}
	if t.finished == 0 {
		t.finished = kept
	}
	kept = max(kept, t.finished)
	if t.process == 0 {
		t.seq = 0
	}
	if t.taken == 0 {
		t.taken = t.started // Celery's main process takes jobs long before a child has one in hand
	}
	if t.taken == 0 {
		t.taken = t.finished
	}
	if string(v.Result) == "null" {
		v.Result = nil
	}
	j := record.Job{
		Model: r.Model, Round: r.Number,
		ID: v.ID, Slot: t.slot, Process: t.process, Seq: t.seq, Attempt: job.Attempt,
		Status: status, Detail: v.Detail, Dropped: v.Dropped,
		DueNS: job.Due, DequeuedNS: t.taken - r.zero, FinishedNS: t.finished - r.zero, SettledNS: kept - r.zero, CPUNS: t.cpu,
	}
	if t.started != 0 {
		j.StartedNS = t.started - r.zero
	}
	return outcome{stream.Settlement{ID: v.ID, Status: status, Detail: v.Detail, Result: v.Result}, j}, nil
}

// commit tells the stream of a batch and writes its records.
func (r *run) commit(ctx context.Context, batch []outcome) error {
	settlements := make([]stream.Settlement, len(batch))
	var last time.Duration
	for i := range batch {
		settlements[i] = batch[i].Settlement
		last = max(last, batch[i].record.SettledNS)
	}
	if err := r.Group.Settle(ctx, settlements); err != nil {
		return err
	}
	if len(batch) > 0 {
		r.machine.Settled(len(batch), r.zero+last)
	}
	for i := range batch {
		if err := r.Sink.Write(&batch[i].record); err != nil {
			return fmt.Errorf("write a record: %w", err)
		}
	}
	return nil
}
