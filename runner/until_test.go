package runner

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aclements/go-moremath/stats"

	"forkbench/models"
	"forkbench/record"
)

// A restless is a synthetic machine: its speed drifts, wavers for some seconds at a
// time, and falls where other programs run. All models share it. Its clock counts
// seconds.
type restless struct {
	rng   *rand.Rand
	now   float64
	speed []float64 // the logarithm of it, second by second
}

// A mood is how restless a machine is.
type mood struct {
	drift  float64 // standard deviation of a random walk, for each minute
	waver  float64 // standard deviation of what holds on for 15 s on the mean
	bursts float64 // for each minute, of 5 s on the mean, slowing it by up to depth
	depth  float64
}

func newRestless(seed uint64, m mood) *restless {
	r := &restless{rng: rand.New(rand.NewPCG(seed, 0))}
	const seconds = 1200
	kept := math.Exp(-1.0 / 15)
	walk, waver := 0.0, r.rng.NormFloat64()
	for range seconds {
		walk += m.drift / math.Sqrt(60) * r.rng.NormFloat64()
		waver = kept*waver + math.Sqrt(1-kept*kept)*r.rng.NormFloat64()
		r.speed = append(r.speed, walk+m.waver*waver)
	}
	if m.bursts > 0 {
		for at := r.rng.ExpFloat64() * 60 / m.bursts; at < seconds; at += r.rng.ExpFloat64() * 60 / m.bursts {
			depth := m.depth * r.rng.Float64()
			for end := at + 5*r.rng.ExpFloat64(); at <= end && at < seconds; at++ {
				r.speed[int(at)] -= depth
			}
		}
	}
	return r
}

// A contender is a synthetic model: the work is that of a round, start-up and noise are
// those of each of its parts.
type contender struct {
	startup, work, noise float64
	parts                int
}

// turn is how long one takes, and the jobs per second.
func (r *restless) turn(c contender) (seconds, value float64) {
	r.now += c.startup
	work := c.work / float64(c.parts)
	first := int(r.now)
	last := min(int(r.now+work), len(r.speed)-1)
	speed := stats.Mean(r.speed[first:last+1]) + c.noise*r.rng.NormFloat64()
	took := work * math.Exp(-speed)
	r.now += took
	return c.startup + took, math.Exp(speed) / c.work
}

// TestCoverage: what a comparison that stops when it knows enough says is ±10 %, with
// 95 % confidence, holds in 95 of 100. The unlike models are like those of the default
// comparison: 0.2, 20 and 3 s of work in a round, the latter in parts. To stop early
// by chance is likeliest with models that are alike, and noise that is neither much
// less than the interval is to be nor much more.
func TestCoverage(t *testing.T) {
	unlike := []contender{{0.4, 0.2, 0.12, 1}, {0.4, 20, 0.05, 8}, {0.4, 3, 0.08, 8}}
	whole := []contender{{0.4, 0.2, 0.12, 1}, {0.4, 20, 0.02, 1}, {0.5, 3, 0.04, 1}}
	alike := func(noise float64) []contender { return slices.Repeat([]contender{{0.3, 0.7, noise, 1}}, 2) }
	inParts := func(noise float64) []contender { return slices.Repeat([]contender{{0.3, 8, noise, 8}}, 2) }
	for _, c := range []struct {
		name       string
		mood       mood
		contenders []contender
		least      int
	}{
		{"quiet", mood{}, unlike, 3},
		{"drifting", mood{drift: 0.03}, unlike, 3},
		{"wavering", mood{waver: 0.05}, unlike, 3},
		{"shared with others", mood{bursts: 2, depth: 0.3}, unlike, 3},
		{"all at once", mood{drift: 0.02, waver: 0.03, bursts: 1, depth: 0.3}, unlike, 3},
		{"quiet, rounds in one go", mood{}, whole, 3},
		{"all at once, rounds in one go", mood{drift: 0.02, waver: 0.03, bursts: 1, depth: 0.3}, whole, 3},
		{"alike in parts, noise of 6 %", mood{}, inParts(0.06), 3},
		{"alike in parts, noise of 10 %", mood{}, inParts(0.10), 3},
		{"alike in parts, noise of 15 %", mood{waver: 0.03}, inParts(0.15), 3},
		{"alike, noise of 3 %", mood{}, alike(0.03), 3},
		{"alike, noise of 6 %", mood{}, alike(0.06), 3},
		{"alike, noise of 10 %", mood{}, alike(0.10), 3},
		{"alike, noise of 15 %", mood{}, alike(0.15), 3},
		{"alike, one round at least", mood{}, alike(0.10), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var least, parts []int
			for _, x := range c.contenders {
				parts = append(parts, x.parts)
				least = append(least, leastTurns(c.least, x.parts))
			}
			comparisons := 1000
			if testing.Short() {
				comparisons = 200
			}
			hits, pairs, seconds, longest, wide := 0, 0, 0.0, 0.0, 0
			for seed := range uint64(comparisons) {
				r := newRestless(seed, c.mood)
				p := newPacer(Until{HalfWidth: 0.10, Most: time.Minute}, least, parts)
				for i, _, ok := p.next(); ok; i, _, ok = p.next() {
					took, value := r.turn(c.contenders[i])
					p.took(i, took, value)
				}
				seconds += r.now
				longest = max(longest, r.now)
				for a := range c.contenders {
					for b := range a {
						w, ok := newWelch(p.models[a].means(), p.models[b].means(), sequential)
						if !ok {
							t.Fatalf("comparison %d: no interval", seed)
						}
						truth := math.Log(c.contenders[b].work / c.contenders[a].work)
						pairs++
						if math.Abs(w.difference-truth) <= w.half {
							hits++
						}
						if w.half > math.Log1p(0.10) {
							wide++
						}
					}
				}
			}
			covered := float64(hits) / float64(pairs)
			t.Logf("%.1f %% of %d intervals hold the truth; %.1f %% are wider than ±10 %%; %.0f s on the mean, %.0f s at most",
				100*covered, pairs, 100*float64(wide)/float64(pairs), seconds/float64(comparisons), longest)
			slack := 3 * math.Sqrt(0.05*0.95/float64(comparisons)) // the pairs of a comparison are dependent
			if covered < 0.95-slack {
				t.Errorf("%.1f %% of the intervals hold the truth; want 95", 100*covered)
			}
		})
	}
}

// A paced machine is one on which a model's turns take a time of their own, virtual
// as all of the test's, and more or less.
type paced struct {
	work   map[string]time.Duration
	spread map[string]float64
	rng    *rand.Rand
	taken  []string
}

func (m *paced) Run(_ context.Context, _ models.Executor, t Turn) (*record.Round, error) {
	m.taken = append(m.taken, t.Model)
	work := time.Duration(float64(m.work[t.Model]) * math.Exp(m.spread[t.Model]*m.rng.NormFloat64()))
	time.Sleep(work)
	for id := range uint64(10) {
		j := record.Job{Model: t.Model, Round: t.Round, ID: id, Status: models.Done, FinishedNS: work, SettledNS: work}
		if err := t.Sink.Write(&j); err != nil {
			return nil, err
		}
	}
	return &record.Round{Model: t.Model, Round: t.Round, Enqueued: 10, Taken: 10, Settled: 10, WorkNS: work}, nil
}

// TestUntil: the model whose turns are short and unsteady takes more of them, between
// those of the other; the comparison ends when the ratio is known, and its records
// say the same.
func TestUntil(t *testing.T) {
	run := func(m *paced, until Until) *Summary {
		var s *Summary
		synctest.Test(t, func(t *testing.T) {
			sums := NewAggregator()
			h := record.Header{Spec: record.Spec{Jobs: 10, Workers: 1, Rounds: 3, Until: &record.Until{HalfWidth: until.HalfWidth, MostNS: until.Most}}}
			plan := Plan{Rounds: 3, Until: &until, Sums: sums}
			for _, name := range []string{"pool", "forks"} {
				h.Spec.Models = append(h.Spec.Models, record.Model{Name: name})
				plan.Contestants = append(plan.Contestants, Contestant{Name: name, Machine: m})
			}
			plan.Header = h
			if err := plan.Run(t.Context(), nil, sums); err != nil {
				t.Error(err)
			}
			s = &sums.Analysis().Summary
		})
		return s
	}
	m := &paced{
		work:   map[string]time.Duration{"pool": 500 * time.Millisecond, "forks": 20 * time.Second},
		spread: map[string]float64{"pool": 0.1, "forks": 0.01}, rng: rand.New(rand.NewPCG(1, 1)),
	}
	s := run(m, Until{HalfWidth: 0.05, Most: time.Minute})
	pool, forks := s.Models[0], s.Models[1]
	if pool.Rounds < 20 || forks.Rounds != 3 {
		t.Errorf("%d and %d rounds; want many of the pool and 3 of the forks", pool.Rounds, forks.Rounds)
	}
	if want := []string{"pool", "forks", "forks", "pool", "pool"}; !slices.Equal(m.taken[:5], want) {
		t.Errorf("the turns begin with %q, want %q", m.taken[:5], want)
	}
	if last := slices.Index(m.taken[3:], "forks"); last < 5 {
		t.Errorf("the turns do not alternate: %q", m.taken)
	}
	c, ok := s.comparison(MetricDone, "pool", "forks")
	if !ok || c.Low == nil || c.halfWidth() > 0.05 || *c.Low > 40 || *c.High < 40 || !c.differs() {
		t.Errorf("%+v; want 40 within ±5 %%", c)
	}
	if len(s.Warnings) > 0 && slices.ContainsFunc(s.Warnings, func(text string) bool { return strings.Contains(text, "was asked for") }) {
		t.Errorf("warnings %q", s.Warnings)
	}

	// There is a time to end, also where the ratio is not known as it was to be.
	m = &paced{work: m.work, spread: map[string]float64{"pool": 0.5, "forks": 0.5}, rng: rand.New(rand.NewPCG(2, 2))}
	s = run(m, Until{HalfWidth: 0.001, Most: time.Minute})
	if n := s.Models[1].Rounds; n < 4 || n > 7 {
		t.Errorf("%d rounds of 20 s; want the 3 and those of a minute", n)
	}
	if !slices.ContainsFunc(s.Warnings, func(text string) bool {
		return strings.Contains(text, "what pool is to forks is known to ±") && strings.Contains(text, "±0.1 % was asked for")
	}) {
		t.Errorf("warnings %q", s.Warnings)
	}
}

// TestUntilInterrupted: that an interval is wide is not for want of time where
// the comparison was interrupted before.
func TestUntilInterrupted(t *testing.T) {
	for _, interrupted := range []bool{false, true} {
		sums := NewAggregator()
		write := func(l record.Line) {
			t.Helper()
			if err := sums.Write(l); err != nil {
				t.Fatal(err)
			}
		}
		write(&record.Header{Spec: record.Spec{
			Jobs: 1, Workers: 1, Rounds: 3, Until: &record.Until{HalfWidth: 0.01, MostNS: time.Minute},
			Models: []record.Model{{Name: "pool"}, {Name: "forks"}},
		}})
		for round := range 3 {
			for _, model := range []string{"pool", "forks"} {
				work := time.Duration(round+1) * time.Second
				write(&record.Job{Model: model, Round: round, Status: models.Done, FinishedNS: work, SettledNS: work})
				write(&record.Round{Model: model, Round: round, Enqueued: 1, Taken: 1, Settled: 1, WorkNS: work})
			}
		}
		if interrupted {
			write(&record.Round{Model: "pool", Round: 3, Enqueued: 1, NotRun: 1, Interrupted: true})
		}
		s := &sums.Analysis().Summary
		if told := strings.Contains(strings.Join(s.Warnings, "\n"), "was asked for"); told == interrupted {
			t.Errorf("interrupted %v: warnings %q", interrupted, s.Warnings)
		}
	}
}

// TestLeastAfterADrop: a model that cannot go on takes nothing from the least of the
// others, which is spread over as many cycles as it was to have.
func TestLeastAfterADrop(t *testing.T) {
	for dropped := range 8 {
		p := newPacer(Until{HalfWidth: 0.9, Most: 0}, []int{8, 3}, []int{8, 1})
		var took [2]int
		for model, _, ok := p.next(); ok; model, _, ok = p.next() {
			if model == 0 && took[0] == dropped {
				p.drop(0)
				continue
			}
			took[model]++
			p.took(model, 10, 5)
		}
		if took != [2]int{dropped, 3} {
			t.Errorf("one that was out after %d turns, and another with 3 at least: they took %v", dropped, took)
		}
	}
}
