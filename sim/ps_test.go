package sim

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestSharing compares the virtual-time form of processor sharing with its
// definition: a small step at a time, everybody gets min(1, c/n) of it.
func TestSharing(t *testing.T) {
	type task struct {
		a            *actor
		arrives, end int64
		cancel       int64 // when it is taken off; never if it is not
		left         float64
		here         bool
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 8 {
		cores := 1 + r.IntN(4)
		tasks := make([]task, 1+r.IntN(12))
		for i := range tasks {
			tasks[i] = task{a: new(actor), arrives: r.Int64N(2000), left: float64(1 + r.Int64N(1000)), cancel: never}
			if r.IntN(4) == 0 {
				tasks[i].cancel = tasks[i].arrives + r.Int64N(500)
			}
		}
		demand := make([]float64, len(tasks))
		for i := range tasks {
			demand[i] = tasks[i].left
		}

		c := cpus{cores: float64(cores), rate: 1, due: never}
		ends := make([]int64, len(tasks))
		got := make([]int64, len(tasks))
		for now := range int64(20_000) {
			for c.due <= now {
				a := c.finish(now)
				for i := range tasks {
					if tasks[i].a == a {
						ends[i], got[i] = now, a.share.demand
					}
				}
			}
			for i := range tasks {
				switch x := &tasks[i]; {
				case x.cancel == now && x.arrives < now && ends[i] == 0:
					ends[i], got[i] = now, c.remove(x.a, now)
				case x.arrives == now:
					c.add(x.a, now, int64(demand[i]), uint64(i))
				}
			}
		}

		// The definition, in steps of a fiftieth.
		const steps = 50
		for now := range int64(20_000) {
			for i := range tasks {
				x := &tasks[i]
				if x.arrives == now {
					x.here = true
				}
				if x.cancel == now && x.here && x.arrives < now {
					x.here, x.end = false, now
				}
			}
			for range steps {
				n := 0
				for i := range tasks {
					if tasks[i].here {
						n++
					}
				}
				for i := range tasks {
					if x := &tasks[i]; x.here {
						x.left -= min(1, float64(cores)/float64(n)) / steps
						if x.left <= 0 {
							x.here, x.end = false, now+1
						}
					}
				}
			}
		}
		for i := range tasks {
			x := &tasks[i]
			if math.Abs(float64(ends[i]-x.end)) > 3 {
				t.Errorf("%d cores: task %d ended at %d; want %d", cores, i, ends[i], x.end)
			}
			if want := demand[i] - max(x.left, 0); math.Abs(float64(got[i])-want) > 3 {
				t.Errorf("%d cores: task %d got %d; want %.0f", cores, i, got[i], want)
			}
		}
		if c.n != 0 || c.area != c.stay || math.Abs(c.given-c.served) > float64(c.ops) {
			t.Errorf("%d tasks left; area %d, stay %d; given %.0f, served %.0f", c.n, c.area, c.stay, c.given, c.served)
		}
	}
}
