package serve

import (
	"sync"
	"testing"
	"time"
)

// SetPatience is how long the server waits for clients that are slow to send.
func (s *Server) SetPatience(d time.Duration) { s.patience = d }

// SetBudget is how much CPU time the service may take while a comparison is measured, of
// each unit of time, and how much it has taken; nil is what it has.
func (s *Server) SetBudget(rate float64, spent func() time.Duration) {
	s.budget.rate, s.budget.hold = rate, time.Millisecond
	if spent != nil {
		s.budget.spent = spent
	}
}

// BudgetWaits are how long a budget of a rate has its askers wait, each of whom comes so
// much time after the one before, when so much CPU time more was spent.
func BudgetWaits(t *testing.T, rate float64, steps [][2]time.Duration) (waits []time.Duration) {
	t.Helper()
	now, spent := time.Unix(1, 0), time.Hour
	b := &budget{rate: rate, now: func() time.Time { return now }, spent: func() time.Duration { return spent }}
	for _, s := range steps {
		now, spent = now.Add(s[0]), spent+s[1]
		waits = append(waits, b.wait(true))
	}
	if w := b.wait(false); w != 0 {
		t.Errorf("%v to wait while nothing is measured", w)
	}
	spent += time.Hour
	if w := b.wait(true); w != 0 {
		t.Errorf("%v to wait for what was spent before", w)
	}
	return waits
}

// Reading is held while two runs are compared.
func (s *Server) Reading() sync.Locker { return &s.queue.reading }

// APIPatterns are the routes that openapi.json describes.
func APIPatterns() []string {
	var all []string
	for _, r := range new(Server).apiRoutes() {
		all = append(all, r.pattern)
	}
	return all
}

// Follow reads a run of a directory, so many bytes of its records each time.
func Follow(dir, run string) (next func(most int64) (*Progress, error), err error) {
	s, err := openStore(dir)
	if err != nil {
		return nil, err
	}
	return (&follower{store: s, run: run}).follow, nil
}
