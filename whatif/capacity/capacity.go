// Package capacity sizes a fleet: the fewest cores, with them the fewest workers,
// and the memory, with which an execution model keeps a latency at a load. It
// says what the next smaller size would do, and why no size is enough where none
// is.
//
// A size holds a target if the whole 95 % interval of the latency is at or below
// it. More cores never make it worse; more workers do not either as long as
// there is a core for each, and beyond that they may. So the search brackets and
// bisects the cores, and within a number of cores the workers, from below: it
// goes on while more workers help. All sizes are simulated with the same random
// numbers, which keeps their order from being luck.
package capacity

import (
	"context"

	"forkbench/internal/format"
	"forkbench/whatif/predict"
)

// A Size is a machine's.
type Size struct {
	Workers int `json:"workers"`
	Cores   int `json:"cores"`
}

func (s Size) String() string {
	return format.Plural(s.Cores, "core") + " and " + format.Plural(s.Workers, "worker")
}

// A Target is a latency to hold.
type Target struct {
	Quantile string  `json:"quantile"` // p50, p95 or p99
	LimitMS  float64 `json:"limit_ms"`
}

// of is the quantile of a prediction.
func (t Target) of(p *predict.Prediction) predict.Estimate {
	switch t.Quantile {
	case "p50":
		return p.P50
	case "p99":
		return p.P99
	}
	return p.P95
}

// A Point is what a size does.
type Point struct {
	Size

	// Capacity is how many jobs per second it settles at most.
	Capacity float64 `json:"capacity"`

	// Latency is the target's quantile, in ms; unknown if the load is above
	// capacity. Memory is the peak PSS of the tree, in MB.
	Latency predict.Estimate `json:"latency_ms"`
	Memory  predict.Estimate `json:"peak_pss_mb"`

	Holds  bool     `json:"holds"`
	Doubts []string `json:"doubts,omitempty"`
}

// Overloaded reports whether jobs come faster than it can settle them.
func (p *Point) Overloaded() bool { return !p.Latency.Known() }

// A Plan is what to find out about one model.
type Plan struct {
	Target     Target
	WorkersMax int
	CoresMax   int

	// Predict is what a size does at the rate.
	Predict func(ctx context.Context, s Size) (*predict.Prediction, error)

	// Trying, if not nil, is told each size before it is tried.
	Trying func(s Size)

	tried map[Size]Point
	order []Size
}

// helps is by how much more workers have to lower a latency, or raise a capacity,
// to be a reason to try still more.
const helps = 0.01

// at tries a size, once.
func (p *Plan) at(ctx context.Context, s Size) (Point, error) {
	if pt, known := p.tried[s]; known {
		return pt, nil
	}
	if err := ctx.Err(); err != nil {
		return Point{}, err
	}
	if p.Trying != nil {
		p.Trying(s)
	}
	found, err := p.Predict(ctx, s)
	switch {
	case ctx.Err() != nil:
		return Point{}, ctx.Err() // what it found is cut short, too
	case err != nil:
		return Point{}, err
	}
	pt := Point{
		Size: s, Capacity: found.Capacity, Latency: p.Target.of(found), Memory: found.PeakPSS, Doubts: found.Reasons,
	}
	pt.Holds = !pt.Overloaded() && pt.Latency.High <= p.Target.LimitMS
	if pt.Overloaded() {
		pt.Memory, pt.Doubts = predict.Estimate{}, nil // the queue alone says nothing
	}
	if p.tried == nil {
		p.tried = make(map[Size]Point)
	}
	p.tried[s] = pt
	p.order = append(p.order, s)
	return pt, nil
}

// Find searches for the smallest size that holds the target. It reports false if
// there is none up to the greatest; the point is then the best one found there.
func (p *Plan) Find(ctx context.Context) (Point, bool, error) {
	// Upwards by doubling, until a number of cores is enough.
	low, high := 0, 1
	var best Point
	for {
		pt, err := p.withCores(ctx, high)
		if err != nil {
			return pt, false, err
		}
		best = pt
		if pt.Holds {
			break
		}
		if high == p.CoresMax {
			return best, false, nil
		}
		low, high = high, min(2*high, p.CoresMax)
	}
	for high-low > 1 {
		middle := (low + high) / 2
		pt, err := p.withCores(ctx, middle)
		if err != nil {
			return pt, false, err
		}
		if pt.Holds {
			high, best = middle, pt
		} else {
			low = middle
		}
	}
	return best, true, nil
}

// withCores finds the fewest workers that hold the target with so many cores, or
// the best that can be done with them.
func (p *Plan) withCores(ctx context.Context, cores int) (Point, error) {
	failed := 0
	var last Point
	for workers := 1; ; workers = min(2*workers, p.WorkersMax) {
		pt, err := p.at(ctx, Size{workers, cores})
		if err != nil {
			return pt, err
		}
		if pt.Holds {
			return p.fewest(ctx, failed, pt)
		}
		if workers > 1 && !p.better(pt, last) {
			return last, nil
		}
		if workers == p.WorkersMax {
			return pt, nil
		}
		failed, last = workers, pt
	}
}

// better reports whether more workers were worth trying.
func (p *Plan) better(more, fewer Point) bool {
	switch {
	case more.Overloaded():
		return fewer.Overloaded() && more.Capacity > (1+helps)*fewer.Capacity
	case fewer.Overloaded():
		return true
	}
	return more.Latency.Value < (1-helps)*fewer.Latency.Value
}

// fewest bisects the workers between a number that does not hold the target and a
// point that does.
func (p *Plan) fewest(ctx context.Context, failed int, holds Point) (Point, error) {
	for holds.Workers-failed > 1 {
		pt, err := p.at(ctx, Size{(failed + holds.Workers) / 2, holds.Cores})
		if err != nil {
			return pt, err
		}
		if pt.Holds {
			holds = pt
		} else {
			failed = pt.Workers
		}
	}
	return holds, nil
}

// Smaller are the sizes next below one that holds the target: a worker less, and
// a core less with as many workers as do best there.
func (p *Plan) Smaller(ctx context.Context, s Size) ([]Point, error) {
	var points []Point
	if s.Workers > 1 {
		pt, err := p.at(ctx, Size{s.Workers - 1, s.Cores})
		if err != nil {
			return points, err
		}
		points = append(points, pt)
	}
	if s.Cores > 1 {
		pt, err := p.withCores(ctx, s.Cores-1)
		if err != nil {
			return points, err
		}
		points = append(points, pt)
	}
	return points, nil
}

// Trail are the sizes that were tried, in that order.
func (p *Plan) Trail() []Point {
	var points []Point
	for _, s := range p.order {
		points = append(points, p.tried[s])
	}
	return points
}
