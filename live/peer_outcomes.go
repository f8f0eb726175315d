package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"

	"forkbench/internal/proc"
	"forkbench/models"
	"forkbench/record"
	"forkbench/stream"
)

// drive runs one of the driver's functions in a process of its own, which is no
// part of what is measured, and gives what it prints to read.
func (p *peer) drive(ctx context.Context, verb string, read func(io.Reader) error) error {
	cmd := exec.CommandContext(ctx, p.python.Program(), filepath.Join(p.dir, "run.py"), p.system.Module(), verb)
	cmd.Env = slices.Concat(os.Environ(), p.host.m.Guard.temporary(), p.host.m.Env)
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

// A verdict is what the peer has stored of a job.
type verdict struct {
	ID     uint64          `json:"id"`
	Status string          `json:"status"` // empty if there is none
	Detail string          `json:"detail"`
	Result json.RawMessage `json:"result"`
	// Dropped is why the result was not kept; else empty.
	Dropped string `json:"dropped"`
}

// settle asks the peer's store what became of each job, passes it on to the
// stream and writes the records. Work has ended before: that the stream is told
// costs the peer nothing.
func (p *peer) settle(ctx context.Context) error {
	h := p.host
	settled := 0
	var batch []settlement
	flush := func() error {
		if err := p.commit(ctx, batch); err != nil {
			return err
		}
		settled += len(batch)
		batch = batch[:0]
		return nil
	}
	err := p.drive(ctx, "collect", func(r io.Reader) error {
		for lines := json.NewDecoder(r); ; {
			var v verdict
			err := lines.Decode(&v)
			if errors.Is(err, io.EOF) {
				return flush()
			}
			if err != nil {
				return fmt.Errorf("%s says of its jobs: %w", p.system.Name, err)
			}
			if v.Status == "" {
				continue
			}
			if v.ID >= uint64(len(p.fates)) {
				return fmt.Errorf("%s has an outcome for job %d of %d", p.system.Name, v.ID, len(p.fates))
			}
			s, err := p.settlement(v)
			if err != nil {
				return err
			}
			if batch = append(batch, s); len(batch) == settleBatch {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	})
	taken := len(p.jobs)
	select {
	case <-h.r.Stop: // what nobody had begun is left where it was
		taken = settled
	default:
	}
	if err != nil { // of the others nothing is known
		taken = settled
		err = fmt.Errorf("collect the outcomes of %s: %w", p.system.Name, err)
	}
	h.feed.mu.Lock()
	h.feed.taken = taken
	h.feed.mu.Unlock()
	return err
}

// settlement puts together what the peer's store and its stamps say of a job.
func (p *peer) settlement(v verdict) (settlement, error) {
	h, job, f := p.host, p.jobs[v.ID], p.fates[v.ID]
	var status models.Status
	if err := status.UnmarshalText([]byte(v.Status)); err != nil {
		return settlement{}, fmt.Errorf("%s says of job %d: %w", p.system.Name, v.ID, err)
	}
	kept := f.kept
	if kept == 0 {
		kept = f.over
	}
	if kept == 0 {
		kept = p.stopped // it was stored, and nobody was left to say when
	}
	if f.finished == 0 {
		f.finished = kept
	}
	kept = max(kept, f.finished)
	if f.process == 0 {
		f.seq = 0
	}
	if f.taken == 0 {
		f.taken = f.started // Celery's main process takes jobs long before a child has one in hand
	}
	if f.taken == 0 {
		f.taken = f.finished
	}
	if string(v.Result) == "null" {
		v.Result = nil
	}
	return settlement{
		stream.Settlement{ID: v.ID, Status: status, Detail: v.Detail, Result: v.Result},
		record.Job{
			Model: h.r.Model, Round: h.r.Number,
			ID: v.ID, Slot: f.slot, Process: f.process, Seq: f.seq, Attempt: job.Attempt,
			Status: status, Detail: v.Detail, Dropped: v.Dropped,
			DueNS: job.Due, DequeuedNS: f.taken, StartedNS: f.started, FinishedNS: f.finished, SettledNS: kept, CPUNS: f.cpu,
		},
	}, nil
}

// commit tells the stream of a batch and writes its records.
func (p *peer) commit(ctx context.Context, batch []settlement) error {
	h := p.host
	outcomes := make([]stream.Settlement, len(batch))
	for i := range batch {
		outcomes[i] = batch[i].Settlement
	}
	if err := h.r.Group.Settle(ctx, outcomes); err != nil {
		return err
	}
	zero := h.gate.zero
	for i := range batch {
		r := &batch[i].record
		h.settle.mu.Lock()
		h.settle.settled++
		h.settle.last = max(h.settle.last, r.SettledNS)
		h.settle.mu.Unlock()
		r.DequeuedNS -= zero
		r.FinishedNS -= zero
		r.SettledNS -= zero
		if r.StartedNS != 0 {
			r.StartedNS -= zero
		}
		if err := h.r.Sink.Write(r); err != nil {
			return fmt.Errorf("write a record: %w", err)
		}
	}
	return nil
}
