package conditions

import (
	"strings"
	"testing"
	"time"
)

func TestPacerDoesTheWork(t *testing.T) {
	p := NewPacer()
	p.Start()
	if pace, piece, why := p.Pace(); pace != 0 || piece != 0 || why != "" {
		t.Errorf("without a look: pace %v, %v, %q; want 0 and nothing", pace, piece, why)
	}
	p.Look()
	if pace, _, _ := p.Pace(); pace < 1 {
		t.Errorf("pace %v: the fastest is 1", pace)
	}
}

func TestPaceIsRelativeToTheFastest(t *testing.T) {
	p := new(Pacer)
	p.add(100*time.Microsecond, 0)
	p.Start()
	p.add(100*time.Microsecond, 0)
	p.add(140*time.Microsecond, 0)
	if pace, piece, why := p.Pace(); pace != 1.2 || piece != 120*time.Microsecond || why != "" {
		t.Errorf("pace %v, %v, %q; want 1.2 and 120µs, which is within the limit", pace, piece, why)
	}
	p.Start()
	p.add(150*time.Microsecond, 0)
	if pace, _, why := p.Pace(); pace != 1.5 || !strings.Contains(why, "50 % more CPU time") {
		t.Errorf("pace %v, %q; want 1.5 and why", pace, why)
	}
	p.Start()
	p.add(80*time.Microsecond, 0) // faster than ever
	if pace, _, why := p.Pace(); pace != 1 || why != "" {
		t.Errorf("pace %v, %q; want 1 and nothing", pace, why)
	}
}
