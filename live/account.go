package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"forkbench/record"
	"forkbench/stream"
)

// A window is what had been used at one moment: two of them enclose the work.
type window struct {
	clocks
	supervisor record.CPU
	measuring  record.CPU
	waits      int64 // of the supervisor
	redis      stream.Stats
	redisKnown bool
}

// serverPatience bounds the question after the Redis server's CPU.
const serverPatience = 5 * time.Second

// window reads it, with the clocks of what the host does not know as strays has them.
func (h *Host) window(strays func(known map[int]bool) time.Duration) window {
	var w window
	if h.m.Server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), serverPatience)
		defer cancel()
		stats, err := h.m.Server.Stats(ctx)
		if err != nil {
			h.warn("the Redis server's CPU is not known: %v", err)
		} else if !stats.CPUKnown {
			h.warn("the Redis server does not tell its CPU: the part of Redis is missing in the totals")
		}
		w.redis, w.redisKnown = stats, err == nil
	}
	w.supervisor, w.waits = ownCPU(), ownWaits()
	w.measuring = h.meter.used()
	w.clocks = h.clocks(strays)
	return w
}

// beginWork is called by the gate when all slots are ready.
func (h *Host) beginWork() {
	h.beginServices()
	pacer().Start()
	h.noise.Start()
	h.reapOrphans()
	h.begin = h.window(h.lookEarly)
}

// endWork is called by the gate when the last slot has no job any more.
func (h *Host) endWork() {
	strays := h.grouped
	if h.cgroup.dir == nil {
		strays = h.everywhere
	}
	w := h.window(strays)
	h.finish = &w
	h.noise.End()
	h.endServices()
}

// summary makes the round's record after everything has ended.
func (h *Host) summary(ctx context.Context, cause error) *record.Round {
	r := &record.Round{
		Model: h.r.Model, Round: h.r.Number,
		Enqueued: h.r.Jobs, Taken: h.feed.count(), Duplicated: h.settle.duplicated,
		Wait4NS: h.total, Strays: h.killed, Warnings: h.warnings, Hazards: h.hazards, Unfit: unfit(h.hazards), Undone: h.undone,
	}
	if cause != nil && !errors.Is(cause, errInterrupted) {
		r.Error = cause.Error()
	}
	select {
	case <-h.r.Stop: // nil blocks for ever, which default is for
		r.Interrupted = true
	default:
		r.Interrupted = ctx.Err() != nil
	}
	h.countJobs(ctx, cause != nil, r)
	r.AwayNS = h.away()
	r.CgroupNS = h.cgroup.usage()

	all := clocks{children: h.reaped.children.Total(), parents: h.reaped.parents.Total(), strays: h.reaped.strays.Total()}
	r.BookedNS = all.total()
	if !h.gate.isOpen() {
		r.StartupNS = h.gone - h.born - h.apart
		return r
	}
	zero := h.gate.zero
	r.StartupNS = zero - h.born - h.apart
	end := h.settle.last
	if end == 0 {
		end = h.gone // not one job was settled
	}
	r.WorkNS = end - zero
	r.ShutdownNS = max(h.gone-end, 0)

	b, f := h.begin, h.begin
	if h.finish != nil { // else cancelled before any slot came out of Jobs
		f = *h.finish
	}
	b.clocks, f.clocks = b.settled(), f.concluded()
	h.inherit(&b.clocks)
	own := f.cgroup - b.cgroup // until the noise was measured: strays go on
	if h.cgroup.dir == nil {
		own = f.total() - b.total()
	}
	// What jobs have left behind is work until it has ended.
	f.strays = all.strays
	r.Strayed = split(f.strays-b.strays, h.reaped.strays, record.CPU{})
	r.Children = split(f.children-b.children, h.reaped.children, record.CPU{}).Add(r.Strayed)
	r.Parents = split(f.parents-b.parents, h.reaped.parents, h.startup)
	// Held against the control group: what that had when work began, what the table
	// says of work, and what processes that the host knows used after it.
	before := b.cgroup
	if before == 0 {
		before = b.total()
	}
	after := all.children + all.parents - f.children - f.parents
	r.BookedNS = before + r.Children.Total() + r.Parents.Total() + after
	r.Measuring = f.measuring.Sub(b.measuring)
	r.Supervisor = f.supervisor.Sub(b.supervisor).Sub(r.Measuring)
	r.SupervisorWaits = f.waits - b.waits
	if b.redisKnown && f.redisKnown {
		r.Redis = f.redis.CPU.Sub(b.redis.CPU)
		r.RedisCommands = f.redis.Commands - b.redis.Commands
	}
	own += r.Supervisor.Total() + r.Measuring.Total()
	r.Services = h.bookServices()
	r.Warnings = h.warnings
	own += r.ServiceCPU().Total()
	if h.m.Server != nil && h.m.Server.Private() {
		own += r.Redis.Total() // a server of the user's may run on another machine
	}
	r.Noise = h.noise.Stop(own)
	pace, piece, slow := pacer().Pace()
	r.Noise.Pace, r.Noise.PieceNS = pace, piece
	if slow != "" && r.Noise.Contaminated != "" {
		r.Noise.Contaminated += " and "
	}
	r.Noise.Contaminated += slow
	if r.AwayNS > 0 {
		if r.Noise.Contaminated != "" {
			r.Noise.Contaminated += " and "
		}
		r.Noise.Contaminated += fmt.Sprintf("Redis was away for %v", r.AwayNS.Round(time.Millisecond))
	}
	return r
}

// away is how long Redis was waited for so far.
func (h *Host) away() time.Duration {
	if h.m.Server == nil {
		return 0
	}
	return h.m.Server.Away() - h.awayBefore
}

// split divides an exact total between user and system in the proportion that
// wait4 gives for the processes' whole lives less their start-up. For children
// that live for less than a tick that proportion is right only summed over many.
func split(total time.Duration, all, startup record.CPU) record.CPU {
	all = all.Sub(startup)
	all.User, all.System = max(all.User, 0), max(all.System, 0)
	if all.Total() == 0 {
		return record.CPU{User: total}
	}
	system := time.Duration(float64(total) * float64(all.System) / float64(all.Total()))
	return record.CPU{User: total - system, System: system}
}

// countJobs says what became of every job that was enqueued. What was settled, the
// stream has to say as well; what was not, is what the stream still holds, or lost
// with it.
func (h *Host) countJobs(ctx context.Context, failed bool, r *record.Round) {
	s := h.settle
	r.Settled, r.Unacknowledged, r.CutOff = s.settled, s.unheard, s.cutOff
	r.NotRun = r.Enqueued - r.Taken + s.notRun
	if failed {
		r.NotRun += len(s.held) // the executor gave up with them in hand
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), serverPatience)
	defer cancel()
	counts, err := h.r.Group.Count(ctx)
	switch {
	case errors.Is(err, stream.ErrLost):
		r.NotRun = 0 // gone, with the outcomes of those that were settled
	case err != nil:
		h.warn("the stream could not be asked what it holds: %v", err)
		r.Warnings = h.warnings
	default:
		// More than is known here are acknowledgements that were not heard. Fewer are
		// some that a restarted server has forgotten.
		if settled := counts.Settled - h.r.Former.Settled; settled < r.Settled {
			r.Unacknowledged += r.Settled - settled
			r.Settled = settled
		}
		r.Dead = counts.Dead - h.r.Former.Dead
	}
	r.Lost = max(r.Enqueued-r.Settled-r.Unacknowledged-r.CutOff-r.NotRun-r.Dead, 0)
}
