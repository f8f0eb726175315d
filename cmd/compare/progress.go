package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"forkbench/internal/format"
	"forkbench/internal/stats"
	"forkbench/models"
	"forkbench/record"
	"forkbench/runner"
)

const (
	redrawEvery = 100 * time.Millisecond // of the line on a terminal
	lineEvery   = 10 * time.Second       // elsewhere, while a turn goes on
	cpuSpan     = time.Second            // what the CPU in use is averaged over
)

// Progress shows how far a comparison is: on a terminal one line that changes,
// elsewhere a line at the end of each model's turn and now and then in between,
// without control codes. It sees the comparison as a sink of its records, and
// is safe for concurrent use. A record of a job costs it an atomic addition: the
// printing is a goroutine's, from newProgress to close.
type progress struct {
	out   io.Writer
	live  bool       // one line that changes
	width func() int // of the terminal
	quiet bool

	settled atomic.Int64 // jobs of this turn
	unwell  atomic.Int64 // of which did not end as done

	mu      sync.Mutex
	plan    plan
	stage   string        // what is being done outside of turns
	watched func() string // says what is being done, in place of stage; nil for nobody
	turn    *turn         // nil between turns
	ended   []turn
	begun   map[string]settled // rounds that are made in parts, of which some are to come
	told    time.Time          // when it was said what is known; zero if it was not
	drawn   bool               // the line is on the screen
	stopped bool               // an early end was asked for

	done     chan struct{}
	printing sync.WaitGroup
}

// A plan is what a comparison is going to do.
type plan struct {
	models       []string
	rounds, jobs int
	open         bool // it goes on for as long as it has to, after so many rounds

	// Where it is open: how many turns each model takes at least, and how many of them
	// make a round.
	least, parts map[string]int
}

// settled is how many jobs of a round were, and how many of them not as done.
type settled struct{ all, unwell int64 }

// A turn is one model's turn at a round.
type turn struct {
	model   string
	round   int
	began   time.Time
	working time.Time // when work began; zero as long as it has not
	took    time.Duration
	jobs    int             // that it is at
	before  int64           // settled in the round's parts before it
	samples []record.Sample // of the last cpuSpan, and one before
}

var _ record.Sink = (*progress)(nil)

func newProgress(out io.Writer, live bool, width func() int, quiet bool) *progress {
	p := &progress{out: out, live: live, width: width, quiet: quiet, done: make(chan struct{})}
	if quiet {
		return p
	}
	every := lineEvery
	if live {
		every = redrawEvery
	}
	p.printing.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.print()
			case <-p.done:
				return
			}
		}
	})
	return p
}

// close ends the printing and leaves no line behind.
func (p *progress) close() {
	close(p.done)
	p.printing.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// doing says what is being done outside of turns.
func (p *progress) doing(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage, p.turn, p.watched = what, nil, nil
	if p.live && !p.quiet {
		p.draw()
	}
}

// watch has the status asked for from now on, until there is something else to
// say: for what has no turns.
func (p *progress) watch(status func() string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watched, p.turn = status, nil
}

// step says which of many steps is being done.
func (p *progress) step(what string) { p.watch(func() string { return what }) }

// begin tells it what is to come.
func (p *progress) begin(plan plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan, p.ended, p.begun = plan, nil, make(map[string]settled)
}

// take begins a model's turn at a round, or at a part of one. It has the signature of
// runner.Plan.Began.
func (p *progress) take(round int, model string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.turn != nil && p.plan.parts[p.turn.model] > 1 { // the round goes on later
		p.begun[p.turn.model] = settled{p.settled.Load(), p.unwell.Load()}
		p.leave()
	}
	before := p.begun[model]
	p.settled.Store(before.all)
	p.unwell.Store(before.unwell)
	p.turn = &turn{
		model: model, round: round, began: time.Now(),
		jobs: p.plan.jobs / max(p.plan.parts[model], 1), before: before.all,
	}
}

// leave ends the turn.
func (p *progress) leave() turn {
	t := *p.turn
	t.took, t.samples = time.Since(t.began), nil
	p.ended = append(p.ended, t)
	p.turn, p.stage = nil, "between two turns"
	return t
}

// soFar says what is known, between two turns: when each model has had one, and every
// ten seconds from then on.
func (p *progress) soFar(known func() string) {
	p.mu.Lock()
	turns := p.leastEnded()
	// The interval of two turns is no use to anybody.
	due := turns > 0 && p.told.IsZero() || turns > 2 && time.Since(p.told) >= lineEvery
	if due = due && p.plan.open && !p.quiet; due {
		p.told = time.Now()
	}
	p.mu.Unlock()
	if !due {
		return
	}
	if text := known(); text != "" {
		p.say("so far: " + text)
	}
}

// leastEnded is how many turns each model has had.
func (p *progress) leastEnded() int {
	ended := make(map[string]int)
	for _, t := range p.ended {
		ended[t.model]++
	}
	least := math.MaxInt
	for _, name := range p.plan.models {
		least = min(least, ended[name])
	}
	return least
}

// stopping notes that an early end was asked for.
func (p *progress) stopping() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
}

// Write sees a record. It never fails.
func (p *progress) Write(l record.Line) error {
	switch l := l.(type) {
	case *record.Job:
		p.settled.Add(1)
		if l.Status != models.Done {
			p.unwell.Add(1)
		}
	case *record.Sample:
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.turn != nil {
			p.turn.see(*l, time.Now())
		}
	case *record.Round:
		p.mu.Lock()
		defer p.mu.Unlock()
		p.endTurn(l)
	}
	return nil
}

func (t *turn) see(s record.Sample, now time.Time) {
	if t.working.IsZero() {
		t.working = now.Add(-s.AtNS)
	}
	for len(t.samples) > 1 && s.AtNS-t.samples[1].AtNS >= cpuSpan {
		t.samples = t.samples[1:]
	}
	t.samples = append(t.samples, s)
}

func (p *progress) endTurn(r *record.Round) {
	if p.turn == nil {
		return
	}
	t := p.leave()
	delete(p.begun, t.model)
	if p.live || p.quiet {
		return
	}
	text := p.place(&t) + fmt.Sprintf("  %d jobs in %s", r.Settled, seconds(r.WorkNS))
	if r.WorkNS > 0 && r.Settled > 0 {
		used := r.Children.Total() + r.Parents.Total()
		text += fmt.Sprintf("  %s jobs/s  %.1f cores", format.Brief(float64(r.Settled)/r.WorkNS.Seconds()), used.Seconds()/r.WorkNS.Seconds())
	}
	if n := p.unwell.Load(); n > 0 {
		text += fmt.Sprintf("  %d not done", n)
	}
	if r.Noise.Contaminated != "" {
		text += "  contaminated: " + r.Noise.Contaminated
	}
	p.line(text)
}

// say prints a line that stays.
func (p *progress) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line(text)
}

// writer is for others that print lines to the same place.
func (p *progress) writer() io.Writer { return sayer{p} }

type sayer struct{ p *progress }

func (s sayer) Write(b []byte) (int, error) {
	s.p.say(strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}

// line prints a line where the changing one was.
func (p *progress) line(text string) {
	p.clear()
	// Nobody can be told that nobody can be told.
	_, _ = io.WriteString(p.out, text+"\n")
}

// print is the goroutine's work at each tick.
func (p *progress) print() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.live:
		p.draw()
	case p.turn != nil:
		p.line(p.status(time.Now()))
	case p.watched != nil:
		p.line(p.watched())
	}
}

// Control codes (ECMA-48): to the line's beginning, and clear to its end.
const (
	lineStart = "\r"
	lineClear = "\x1b[K"
)

func (p *progress) draw() {
	text := p.stage
	switch {
	case p.turn != nil:
		text = p.status(time.Now())
	case p.watched != nil:
		text = p.watched()
	}
	if room := p.width() - 1; utf8.RuneCountInString(text) > room {
		text = string([]rune(text)[:max(room, 0)])
	}
	_, _ = io.WriteString(p.out, lineStart+text+lineClear)
	p.drawn = true
}

func (p *progress) clear() {
	if p.drawn {
		_, _ = io.WriteString(p.out, lineStart+lineClear)
		p.drawn = false
	}
}

// place says where in the comparison a turn is, in columns.
func (p *progress) place(t *turn) string {
	width := 0
	for _, name := range p.plan.models {
		width = max(width, len(name))
	}
	if p.plan.open {
		return fmt.Sprintf("round %2d  %-*s", t.round+1, width, t.model)
	}
	digits := len(fmt.Sprint(p.plan.rounds))
	return fmt.Sprintf("round %*d/%d  %-*s", digits, t.round+1, p.plan.rounds, width, t.model)
}

// status is the line about the turn that goes on.
func (p *progress) status(now time.Time) string {
	t := p.turn
	text := p.place(t)
	if t.working.IsZero() {
		text += "  starting"
	} else {
		done := p.settled.Load()
		digits := len(fmt.Sprint(p.plan.jobs))
		text += fmt.Sprintf("  %*d/%d jobs", digits, done, p.plan.jobs)
		if worked := now.Sub(t.working).Seconds(); worked > 0 && done > 0 {
			text += fmt.Sprintf("  %5s/s", format.Brief(float64(done)/worked))
		}
		if cores, ok := t.cores(); ok {
			text += fmt.Sprintf("  %.1f cores", cores)
		}
		if n := len(t.samples); n > 0 {
			text += fmt.Sprintf("  %s MB", format.Brief(float64(t.samples[n-1].PSS)/1e6))
		}
	}
	switch left, ok := p.left(now); {
	case p.stopped:
		text += "  stopping"
	case ok && p.plan.open:
		text += "  " + clock(left) + " left at least"
	case ok:
		text += "  " + clock(left) + " left"
	}
	return text
}

// cores is the CPU in use, in cores.
func (t *turn) cores() (float64, bool) {
	if len(t.samples) < 2 {
		return 0, false
	}
	a, b := t.samples[0], t.samples[len(t.samples)-1]
	if b.AtNS <= a.AtNS {
		return 0, false
	}
	return max(0, float64(b.CPUNS-a.CPUNS)/float64(b.AtNS-a.AtNS)), true
}

// left estimates the time to the comparison's end: each model's turns take as
// long as its former ones, and one of a model that had none as long as those of
// the others on average.
func (p *progress) left(now time.Time) (time.Duration, bool) {
	if p.turn == nil {
		return 0, false
	}
	took := make(map[string][]time.Duration)
	for _, t := range p.ended {
		took[t.model] = append(took[t.model], t.took)
	}
	this, ok := p.leftOfTurn(now, stats.Mean(took[p.turn.model]))
	if !ok {
		return 0, false
	}
	if took[p.turn.model] == nil {
		took[p.turn.model] = []time.Duration{now.Sub(p.turn.began) + this}
	}
	var known []time.Duration
	for _, all := range took {
		known = append(known, stats.Mean(all))
	}
	left := this
	if p.plan.open { // as far as it is known: to the least number of turns
		ended := make(map[string]int)
		for _, t := range append(slices.Clone(p.ended), *p.turn) {
			ended[t.model]++
		}
		for _, name := range p.plan.models {
			each := stats.Mean(known)
			if took[name] != nil {
				each = stats.Mean(took[name])
			}
			left += each * time.Duration(max(0, p.plan.least[name]-ended[name]))
		}
		return left, true
	}
	for round := p.turn.round; round < p.plan.rounds; round++ {
		come := round > p.turn.round
		for _, i := range runner.Order(len(p.plan.models), round) {
			name := p.plan.models[i]
			switch {
			case !come:
				come = name == p.turn.model
			case took[name] != nil:
				left += stats.Mean(took[name])
			default:
				left += stats.Mean(known)
			}
		}
	}
	return left, true
}

// leftOfTurn goes by the jobs where some are done, else by what the model's turns
// usually take.
func (p *progress) leftOfTurn(now time.Time, usually time.Duration) (time.Duration, bool) {
	t := p.turn
	if done := p.settled.Load(); done > 0 && !t.working.IsZero() {
		ahead := max(0, int64(t.jobs)-(done-t.before))
		return time.Duration(float64(now.Sub(t.working)) * float64(ahead) / float64(done)), true
	}
	ahead := usually - now.Sub(t.began)
	return ahead, ahead > 0
}

func seconds(d time.Duration) string { return format.Brief(d.Seconds()) + " s" }

// clock writes a time left: 0:07, 12:30, 1:02:03.
func clock(d time.Duration) string {
	s := int(d.Round(time.Second) / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
