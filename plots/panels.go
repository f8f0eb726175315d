package plots

import (
	"fmt"
	"math"
	"strings"

	"forkbench/internal/format"
	"forkbench/report"
	"forkbench/runner"
)

// mostSlots is how many slots of a model a [LifeCycle] has: all that there are, of the
// processes that records keep.
const mostSlots = 64

// A LifeCycle is what the plot of that name draws, as data for one that is drawn
// elsewhere and can be zoomed. Times are milliseconds since the start of work.
type LifeCycle struct {
	Phases []LifePhase `json:"phases"` // a block's phase is its place here
	Panels []LifeModel `json:"panels"`
}

// A LifePhase is a part of a process's life.
type LifePhase struct {
	Name  string `json:"name"`
	Color string `json:"color"` // #rrggbb, as in the plots
	Hatch string `json:"hatch"` // the lines that tell it in grey: a letter for each direction
}

// A LifeModel is the beginning of a model's first round.
type LifeModel struct {
	Model  int        `json:"model"`  // its place in the comparison
	Window float64    `json:"window"` // as much as shows what the model does
	Begin  float64    `json:"begin"`  // the first process's birth
	End    float64    `json:"end"`
	Lanes  []LifeLane `json:"lanes"`
}

// A LifeLane is a parent, or the children of one slot.
type LifeLane struct {
	Label  string       `json:"label"`
	Parent bool         `json:"parent"`
	Lives  [][2]float64 `json:"lives"` // of its processes: from and to; one that goes on ends with the panel
	Blocks []LifeBlock  `json:"blocks"`

	// Known is until when the records hold all that there was in the lane; null for all
	// of it.
	Known *float64 `json:"known,omitempty"`
}

// A LifeBlock is one phase of one process.
type LifeBlock struct {
	Phase int      `json:"phase"`
	From  float64  `json:"from"`
	To    float64  `json:"to"`
	Job   *LifeJob `json:"job,omitempty"` // the one that runs in it
}

// A LifeJob is what is known of a job in a block.
type LifeJob struct {
	ID       uint64  `json:"id"`
	Seq      int     `json:"seq"` // which of its process's jobs, from 1
	Due      float64 `json:"due"`
	Dequeued float64 `json:"dequeued"`
	Started  float64 `json:"started"`
	Finished float64 `json:"finished"`
	Settled  float64 `json:"settled"`
	CPU      float64 `json:"cpu"`
	Status   string  `json:"status"`
	Detail   string  `json:"detail,omitempty"` // its beginning
}

// mostDetail is how much of a job's detail there is, in characters.
const mostDetail = 200

// Life is the life cycle of each model as data.
func Life(a *runner.Analysis) LifeCycle {
	lc := LifeCycle{Phases: make([]LifePhase, phases), Panels: []LifeModel{}}
	for i := range lc.Phases {
		f := phase(i).fill()
		lc.Phases[i] = LifePhase{phase(i).String(), fmt.Sprintf("#%02x%02x%02x", f.color.R, f.color.G, f.color.B), f.hatch.letter()}
	}
	for i := range a.Summary.Models {
		s := seriesOf(a, i)
		if s == nil {
			continue
		}
		p := newLifePanel(s, &a.Summary.Models[i].Phases, a.Summary.Spec.Workers, mostSlots)
		p.window = p.end // more cannot be shown
		p.dropLater()
		if len(p.lanes) > 0 {
			lc.Panels = append(lc.Panels, p.data(i))
		}
	}
	return lc
}

// data is the panel without what is not a number.
func (p *lifePanel) data(model int) LifeModel {
	m := LifeModel{Model: model, Window: p.own, Begin: p.begin, End: p.end}
	for _, l := range p.lanes {
		for _, b := range l.blocks {
			m.End = math.Max(m.End, b.hi)
		}
		for _, s := range l.bodies {
			if !math.IsInf(s.hi, 1) {
				m.End = math.Max(m.End, s.hi)
			}
		}
	}
	for _, l := range p.lanes {
		lane := LifeLane{Label: strings.TrimSpace(l.label), Parent: l.parent, Lives: [][2]float64{}, Blocks: []LifeBlock{}}
		for _, s := range l.bodies {
			lane.Lives = append(lane.Lives, [2]float64{s.lo, math.Min(s.hi, m.End)})
		}
		if !math.IsInf(l.known, 1) {
			lane.Known = &l.known
		}
		for _, b := range l.blocks {
			lane.Blocks = append(lane.Blocks, b.data())
		}
		m.Lanes = append(m.Lanes, lane)
	}
	return m
}

func (b *block) data() LifeBlock {
	d := LifeBlock{Phase: int(b.phase), From: b.lo, To: b.hi}
	if j := b.job; j != nil {
		d.Job = &LifeJob{
			ID: j.ID, Seq: j.Seq, Status: j.Status.String(),
			Due: format.Millis(j.DueNS), Dequeued: format.Millis(j.DequeuedNS), Started: format.Millis(j.StartedNS),
			Finished: format.Millis(j.FinishedNS), Settled: format.Millis(j.SettledNS), CPU: format.Millis(j.CPUNS),
			Detail: beginning(j.Detail),
		}
	}
	return d
}

// beginning is that of a text from outside.
func beginning(text string) string {
	runes := []rune(text)
	if len(runes) > mostDetail {
		return report.Visible(string(runes[:mostDetail])) + "…"
	}
	return report.Visible(text)
}

// letter looks like the hatching.
func (h hatch) letter() string {
	return [...]string{plain: "", rising: "/", falling: `\`, upright: "|", level: "-"}[h]
}
