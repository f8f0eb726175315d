package main

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forkbench/internal/format"
	"forkbench/models"
	"forkbench/record"
)

// twoModels is a comparison of 100 jobs, in 2 rounds of 2 models.
var twoModels = plan{models: []string{"prefork", "forkperjob"}, rounds: 2, jobs: 100}

// pass lets the bubble's time pass, with n jobs settled evenly meanwhile.
func pass(p *progress, d time.Duration, n int) {
	for range n {
		time.Sleep(d / time.Duration(n))
		_ = p.Write(&record.Job{Status: models.Done}) // never fails
	}
	if n == 0 {
		time.Sleep(d)
	}
	synctest.Wait()
}

func sample(p *progress, at time.Duration, cpu time.Duration, pss int64) {
	_ = p.Write(&record.Sample{AtNS: at, CPUNS: cpu, PSS: pss}) // never fails
}

func endTurn(p *progress, settled int, work, cpu time.Duration, contaminated string) {
	_ = p.Write(&record.Round{ // never fails
		Settled: settled, WorkNS: work, Children: record.CPU{User: cpu}, Noise: record.Noise{Contaminated: contaminated},
	})
}

func TestProgressInLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out, false, nil, false)
		p.doing("starting")
		p.begin(twoModels)

		p.take(0, "prefork")
		sample(p, 0, 0, 20e6)
		pass(p, 2*time.Second, 100)
		endTurn(p, 100, 2*time.Second, 3*time.Second, "")

		p.take(0, "forkperjob") // 22 s: a line after 8 s and after 18 s
		pass(p, time.Second, 0)
		sample(p, 0, 0, 60e6)
		pass(p, 6*time.Second, 30)
		sample(p, 6*time.Second, 6*time.Second, 61e6)
		sample(p, 7*time.Second, 8*time.Second, 62e6)
		pass(p, 14*time.Second, 69)
		_ = p.Write(&record.Job{Status: models.Crashed}) // never fails
		pass(p, time.Second, 0)
		endTurn(p, 100, 21*time.Second, 10*time.Second, "other processes used 30 % of the CPU")

		p.say("warning: something")
		p.take(1, "forkperjob")
		p.stopping()
		pass(p, 10*time.Second, 0)
		p.close()

		want := strings.Join([]string{
			"round 1/2  prefork     100 jobs in 2.00 s  50.0 jobs/s  1.5 cores",
			"round 1/2  forkperjob   34/100 jobs   4.86/s  2.0 cores  62.0 MB  0:37 left",
			"round 1/2  forkperjob   84/100 jobs   4.94/s  2.0 cores  62.0 MB  0:26 left",
			"round 1/2  forkperjob  100 jobs in 21.0 s  4.76 jobs/s  0.5 cores  1 not done  contaminated: other processes used 30 % of the CPU",
			"warning: something",
			"round 2/2  forkperjob  starting  stopping",
			"",
		}, "\n")
		if got := out.String(); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	})
}

func TestProgressOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		var width atomic.Int64
		width.Store(80)
		p := newProgress(&out, true, func() int { return int(width.Load()) }, false)
		p.doing("starting")
		p.begin(plan{models: []string{"hybrid"}, rounds: 1, jobs: 10})
		p.take(0, "hybrid")
		sample(p, 0, 0, 1e6)
		pass(p, time.Second, 5)
		p.say("warning: something")
		width.Store(20)
		pass(p, 100*time.Millisecond, 0)
		p.close()

		drawn := strings.Split(out.String(), lineStart)[1:]
		// The first says what is being done; then ten in a second, one cleared for
		// the warning, one narrower, one cleared at the end.
		if n := len(drawn); n < 12 || n > 15 {
			t.Errorf("drawn %d times in 1.1 s: %q", n, drawn)
		}
		if drawn[0] != "starting"+lineClear {
			t.Errorf("first %q", drawn[0])
		}
		for _, want := range []string{
			"round 1/1  hybrid   4/10 jobs   4.44/s  1.00 MB  0:01 left" + lineClear, // after 0.9 s
			lineClear + "warning: something\n",
			"round 1/1  hybrid  " + lineClear, // 19 columns
		} {
			found := false
			for _, d := range drawn {
				found = found || d == want
			}
			if !found {
				t.Errorf("%q was not drawn: %q", want, drawn)
			}
		}
		if !strings.HasSuffix(out.String(), lineStart+lineClear) {
			t.Errorf("the line was not cleared at the end: %q", out.String())
		}
	})
}

func TestProgressQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, live := range []bool{true, false} {
			var out bytes.Buffer
			p := newProgress(&out, live, func() int { return 80 }, true)
			p.doing("starting")
			p.begin(twoModels)
			p.take(0, "prefork")
			pass(p, time.Minute, 100)
			endTurn(p, 100, time.Minute, 0, "")
			p.say("notice: python3 not found")
			p.close()
			if got := out.String(); got != "notice: python3 not found\n" {
				t.Errorf("terminal %t: %q", live, got)
			}
		}
	})
}

// The time left is right where every turn takes as long as the one before.
func TestTimeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgress(nil, false, nil, true)
		defer p.close()
		p.begin(plan{models: []string{"a", "b", "c"}, rounds: 3, jobs: 10})
		left := func() int {
			p.mu.Lock()
			defer p.mu.Unlock()
			d, ok := p.left(time.Now())
			if !ok {
				return -1
			}
			return int(d.Round(time.Second) / time.Second)
		}
		turn := func(round int, model string, each time.Duration, want ...int) {
			t.Helper()
			p.take(round, model)
			for _, w := range want {
				if got := left(); got != w {
					t.Errorf("round %d, %s, %d of 10 jobs: %d s left, want %d", round, model, p.settled.Load(), got, w)
				}
				sample(p, 0, 0, 0)
				p.mu.Lock()
				p.turn.working = p.turn.began
				p.mu.Unlock()
				pass(p, 5*each, 5)
			}
			endTurn(p, 10, 10*each, 0, "")
		}
		if got := left(); got != -1 {
			t.Errorf("before the first turn: %d s left", got)
		}
		// a takes 10 s, b 20 s, c 30 s: 180 s in all. What is not known yet is taken
		// for the mean of what is.
		turn(0, "a", time.Second, -1, 85)    // 5 + 8 turns of 10 s
		turn(0, "b", 2*time.Second, -1, 115) // 10 + 2*20 + 2*10 + 3 of 15 s
		turn(0, "c", 3*time.Second, -1, 135)
		turn(1, "c", 3*time.Second, 120, 105)
		turn(1, "b", 2*time.Second, 90, 80)
		turn(1, "a", time.Second, 70, 65)
		turn(2, "b", 2*time.Second, 60, 50)
		turn(2, "c", 3*time.Second, 40, 25)
		turn(2, "a", time.Second, 10, 5)
	})
}

func TestAmounts(t *testing.T) {
	for x, want := range map[float64]string{0: "0.00", 0.123: "0.12", 9.994: "9.99", 9.996: "10.0", 99.94: "99.9", 99.96: "100", 12345: "12345"} {
		if got := format.Brief(x); got != want {
			t.Errorf("format.Brief(%v) = %s, want %s", x, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0:00", 59600 * time.Millisecond: "1:00", 754 * time.Second: "12:34", 3723 * time.Second: "1:02:03"} {
		if got := clock(d); got != want {
			t.Errorf("clock(%v) = %s, want %s", d, got, want)
		}
	}
}

// A record costs the progress next to nothing.
func BenchmarkProgressJob(b *testing.B) {
	p := newProgress(nil, false, nil, true)
	defer p.close()
	p.take(0, "prefork")
	j := &record.Job{Status: models.Done}
	b.ReportAllocs()
	for b.Loop() {
		_ = p.Write(j) // never fails
	}
}
