package sim

import (
	"math/rand/v2"
	"testing"
)

// queues are for tests: what was hot stays for 500 ns, a slice is 4000 ns, and an
// idle core takes 10 ns to wake up.
func queues(cores int) *runqueues {
	return newRunqueues(cores, &Cores{HotMS: 500e-6, SliceMS: 4000e-6}, func() int64 { return 10 })
}

// until works off what is due up to a time, and returns when each actor came to its
// end.
func (r *runqueues) until(t int64, ends map[*actor]int64) {
	for r.due() <= t {
		at := r.due()
		if a := r.next(at); a != nil {
			ends[a] = at
		}
	}
}

// TestPlacing follows what wakes up, by hand.
func TestPlacing(t *testing.T) {
	r := queues(2)
	var process, other, parent thread
	x, y, z, w := new(actor), new(actor), new(actor), new(actor)
	// ends works off what comes until an actor ends, at that time.
	ends := func(a *actor, want int64) {
		t.Helper()
		for {
			at := r.due()
			if at == never {
				t.Fatal("it never ends")
			}
			switch r.next(at) {
			case a:
				if at != want {
					t.Errorf("it ends at %d; want %d", at, want)
				}
				return
			case nil:
			default:
				t.Fatalf("another one ends before it, at %d", at)
			}
		}
	}

	r.add(x, &process, 0, 100) // on a core that has to wake up
	first := x.run.core
	ends(x, 110)
	r.add(y, &other, 110, 500) // x is still there, and another core idle
	if y.run.core == first {
		t.Error("it began on the core of what has woken it, and another one was idle")
	}
	r.add(x, &process, 110, 50) // it goes on at the same moment
	if x.run.core != first || x.run.lead != 0 {
		t.Error("what goes on did not do so on its core, without waking up")
	}
	ends(x, 160)
	r.next(160) // time goes on: the core is idle
	r.add(x, &process, 200, 1000)
	if x.run.core != first || x.run.lead != 10 {
		t.Error("its core was idle, and it began on another one, or without waking up")
	}

	// Both cores are busy: what a message wakes waits where that came from; what
	// the end of a process wakes, where it ran last.
	parent = thread{last: first, until: 100}
	z.run.core, w.run.core, w.run.exits = y.run.core, y.run.core, true
	r.add(z, &thread{last: first}, 300, 20)
	r.add(w, &parent, 310, 20)
	if z.run.core != y.run.core || w.run.core != first {
		t.Errorf("what a message wakes waits on the right core: %v; what an exit wakes: %v", z.run.core == y.run.core, w.run.core == first)
	}
	ends(y, 620)
	ends(z, 640)
	// And the core that is idle now takes over what has not run there for long.
	ends(w, 660)
	ends(x, 1210)
}

// TestHot: an idle core takes over what waits elsewhere, unless it ran there a
// moment ago.
func TestHot(t *testing.T) {
	for _, test := range []struct {
		name  string
		until int64 // when what waits ran last; the other core becomes idle at 1000
		moves bool
	}{
		{"just ran", 900, false},
		{"ran long ago", 400, true},
	} {
		r := queues(2)
		ends := make(map[*actor]int64)
		var a, b thread
		x, y, z := new(actor), new(actor), new(actor)
		r.add(x, &a, 0, 3990)
		r.add(y, &b, 0, 990)
		c := thread{last: x.run.core, until: test.until}
		z.run.core = x.run.core
		r.add(z, &c, 950, 100)
		r.until(10_000, ends)
		want := int64(4000 + 100)
		if test.moves {
			want = 1000 + 100
		}
		if ends[z] != want {
			t.Errorf("%s: what waits ends at %d; want %d", test.name, ends[z], want)
		}
	}
}

// TestPacking: where cores are packed, an idle one is left alone as long as nobody
// waits on the one where something wakes up or is made.
func TestPacking(t *testing.T) {
	for _, test := range []struct {
		name                 string
		packs                bool
		before               int64 // what the parent waits for, ns of another one
		wakes                bool  // something wakes up meanwhile that ran on this core
		wokenHere, childHere bool
	}{
		{"not packed", false, 0, true, false, false},
		{"nobody waits", true, 0, false, false, true},
		{"something wakes up, and waits", true, 0, true, true, false},
		{"the parent has not waited for long", true, 50_000, false, false, true},
		{"the parent has waited", true, 500_000, false, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRunqueues(2, &Cores{HotMS: 0.5, SliceMS: 4, Packs: test.packs}, func() int64 { return 0 })
			run := func(until *actor) {
				for r.next(r.due()) != until {
					if r.due() == never {
						t.Fatal("it never ends")
					}
				}
			}
			before, slot, woken := new(actor), new(actor), new(actor)
			now := int64(0)
			here := r.anIdle()
			if test.before > 0 {
				before.run.core = here
				r.add(before, &thread{last: here}, 0, test.before)
				slot.run.core, now = here, test.before
			}
			r.add(slot, &thread{last: here}, 0, 1000) // the parent forks
			if slot.run.core != here {
				t.Fatal("the parent is not where it was")
			}
			if test.wakes {
				woken.run.core = here
				r.add(woken, &thread{last: here}, now+500, 100)
				if (woken.run.core == here) != test.wokenHere {
					t.Errorf("what wakes up is on the parent's core: %v; want %v", woken.run.core == here, test.wokenHere)
				}
				if !test.wokenHere {
					run(woken)
				}
			}
			run(slot)
			r.add(slot, new(thread), now+1000, 1000) // and the child begins
			if (slot.run.core == here) != test.childHere {
				t.Errorf("the child is on its parent's core: %v; want %v", slot.run.core == here, test.childHere)
			}
		})
	}
}

// TestNewOnBusyCores: a new process stays with its parent, unless another core has
// had clearly less to run of late.
func TestNewOnBusyCores(t *testing.T) {
	for _, test := range []struct {
		name       string
		mine, less int // actors on the parent's core besides it, and on the other one
		here       bool
	}{
		{"as much elsewhere", 1, 2, true},
		{"less elsewhere", 2, 1, false},
	} {
		r := newRunqueues(2, &Cores{HotMS: 1e6, SliceMS: 4}, func() int64 { return 0 })
		one, two := r.anIdle(), (*core)(nil)
		fill := func(c *core, n int) {
			for range n {
				a := &actor{run: run{core: c, exits: true}}
				r.add(a, &thread{last: c, until: 0}, 0, 1e9)
			}
		}
		slot := &actor{run: run{core: one}}
		r.add(slot, &thread{last: one}, 0, 80e6)
		two = r.anIdle()
		fill(two, test.less)
		fill(one, test.mine)
		at := int64(0)
		for r.due() <= 300e6 && r.running(slot) {
			at = r.due()
			r.next(at)
		}
		r.add(slot, new(thread), at, 1000)
		if (slot.run.core == one) != test.here {
			t.Errorf("%s: it is on its parent's core: %v; want %v", test.name, slot.run.core == one, test.here)
		}
	}
}

// running reports whether an actor has not got its demand.
func (r *runqueues) running(a *actor) bool { return a.run.left > 0 }

// TestSlices: what is to run for long takes turns, on all cores.
func TestSlices(t *testing.T) {
	r := queues(2)
	ends := make(map[*actor]int64)
	last := int64(0)
	for range 4 {
		r.add(new(actor), new(thread), 0, 40_000)
	}
	r.until(never-1, ends)
	least := int64(never)
	for _, at := range ends {
		last, least = max(last, at), min(least, at)
	}
	if len(ends) != 4 || last != 80_010 || least < 70_000 {
		t.Errorf("%d ended, from %d to %d; want 4, all of them within the last turns before 80010", len(ends), least, last)
	}
}

// TestQueuesConserve runs threads at random, some of which are taken off, and holds
// every core to the laws that a round is held to.
func TestQueuesConserve(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		r := queues(1 + rnd.IntN(4))
		type task struct {
			a      *actor
			t      *thread
			here   bool
			demand int64
		}
		tasks := make([]task, 1+rnd.IntN(12))
		for i := range tasks {
			tasks[i] = task{a: new(actor), t: new(thread)}
		}
		here := 0
		ended := func(a *actor) *task {
			for i := range tasks {
				if tasks[i].a == a {
					return &tasks[i]
				}
			}
			return nil
		}
		now := int64(0)
		for range 3000 {
			now += rnd.Int64N(300)
			for r.due() <= now {
				if a := r.next(r.due()); a != nil {
					x := ended(a)
					if !x.here || a.run.left != 0 {
						t.Fatalf("an actor that was not there ended, or with %d left", a.run.left)
					}
					x.here = false
					here--
				}
			}
			x := &tasks[rnd.IntN(len(tasks))]
			switch {
			case !x.here:
				x.here, x.demand = true, 1+rnd.Int64N(9000)
				x.a.run.exits = rnd.IntN(2) == 0
				r.add(x.a, x.t, now, x.demand)
				here++
			case rnd.IntN(8) == 0:
				if got := r.remove(x.a, now); got < 0 || got > x.demand {
					t.Fatalf("one that was taken off got %d of %d", got, x.demand)
				}
				x.here = false
				here--
			}
			n := 0
			for _, c := range r.cores {
				n += c.n()
				if c.idle >= 0 && (c.n() > 0 || c.held != nil) {
					t.Fatal("an idle core has something to run")
				}
			}
			if n != here {
				t.Fatalf("the cores have %d actors; want %d", n, here)
			}
			for i := 1; i < len(r.order); i++ {
				if r.order[i].due < r.order[(i-1)/2].due {
					t.Fatal("the cores are out of order")
				}
			}
		}
		for here > 0 {
			if r.next(r.due()) != nil {
				here--
			}
		}
		for r.due() != never {
			r.next(r.due())
		}
		if len(r.idle) != len(r.cores) || r.waiting != 0 {
			t.Fatalf("%d of %d cores are idle in the end, and %d wait", len(r.idle), len(r.cores), r.waiting)
		}
		for _, c := range r.cores {
			c.verify(t.Errorf)
		}
	}
}
