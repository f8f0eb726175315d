package plots

import (
	"strings"
	"testing"
	"time"

	"forkbench/record"
)

// Rounds that are too short for more than a few samples make a line together: there is
// no time that all of them reach.
func TestMemoryOfShortRounds(t *testing.T) {
	a := simulate(24, 100, 4, 8, prefork, hybrid)
	for i := range a.Series[0].Rounds {
		r := &a.Series[0].Rounds[i]
		r.Measure.WorkNS, r.Memory = 240*time.Millisecond, nil
		for at := time.Duration(i) * 100 * time.Microsecond; at < r.Measure.WorkNS; at += 100 * time.Millisecond {
			r.Memory = append(r.Memory, record.Sample{AtNS: at, PSS: 10e6 + int64(at)/10})
		}
	}
	lc, ok := memoryChart(a).(*lineChart)
	if !ok {
		t.Fatal("no lines are drawn")
	}
	l := lc.lines[0]
	if first, last := l.points[0], l.points[len(l.points)-1]; len(l.points) < 5 || first.x > 10 || last.x < 190 || last.y < first.y+15 {
		t.Errorf("the line is %v", l.points)
	}
	if len(l.marks) < 20 || l.band != nil || len(lc.lines[1].marks) != 0 {
		t.Errorf("%d and %d marks", len(l.marks), len(lc.lines[1].marks))
	}
	if n := len(lc.remarks); n == 0 || !strings.Contains(lc.remarks[n-1], "rounds of prefork are too short") {
		t.Errorf("remarks %q", lc.remarks)
	}
}
