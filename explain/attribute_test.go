package explain

import (
	"testing"
	"time"

	"forkbench/internal/calltree"
)

// at makes a node of a tree: what it takes itself, and what it calls.
func at(name string, self time.Duration, children ...*calltree.Node) *calltree.Node {
	c := calltree.Cost{Wall: self * time.Microsecond, CPU: self * time.Microsecond}
	return &calltree.Node{
		Function: calltree.Function{Kind: calltree.Python, Name: name}, Calls: 1, Jobs: 1, Self: c, Least: c, Children: children,
	}
}

// TestAttribute holds the attribution to trees that show one thing each.
func TestAttribute(t *testing.T) {
	imports := func(name string, self time.Duration, children ...*calltree.Node) *calltree.Node {
		n := at(name, self, children...)
		n.Kind = calltree.Import
		return n
	}
	for _, c := range []struct {
		name         string
		first, later *calltree.Node
		want         []string
	}{
		{
			"the place where it is decided, not what is above or below",
			at("job", 10, at("Event", 5, at("check", 1, at("configure", 20, at("mapper", 900))))),
			at("job", 10, at("Event", 5, at("check", 1))),
			[]string{"configure"},
		},
		{
			"several, the most expensive first",
			at("job", 10, at("table", 200), at("connect", 700), at("work", 50)),
			at("job", 10, at("work", 50)),
			[]string{"connect", "table"},
		},
		{
			"the same call from two places is one",
			at("job", 10, at("a", 1, at("load", 300)), at("b", 1, at("load", 300)), at("once", 400)),
			at("job", 10, at("a", 1), at("b", 1)),
			[]string{"load", "once"},
		},
		{
			"a function that does it in its own code",
			at("job", 10, at("get", 800)), at("job", 10, at("get", 2)),
			[]string{"get (own)"},
		},
		{
			"an import that later jobs only ask for",
			at("job", 10, imports("heavy", 10, at("parts", 900))), at("job", 10, imports("heavy", 1)),
			[]string{"import heavy"},
		},
		{"slower code is no one-time work", at("job", 100, at("sum", 150)), at("job", 100, at("sum", 100)), nil},
		{"nothing at all", at("job", 100), at("job", 100), nil},
		{"faster", at("job", 50), at("job", 100), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, f := range attribute(c.first, c.later) {
				name := f.Call.String()
				if f.Own {
					name += " (own)"
				}
				got = append(got, name)
			}
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("got %q, want %q", got, c.want)
				}
			}
		})
	}
}

func TestHazards(t *testing.T) {
	seen := []observation{{
		LeftOpen: []string{"socket:[123]", "/var/lib/app.db", "/dev/null", "pipe:[7]", "anon_inode:[eventpoll]"}, Threads: 1,
		Events: [][2]string{{"socket.connect", "('127.0.0.1', 5432)"}, {"_thread.start_new_thread", "refresh"}},
	}}
	want := []string{
		"leaves a connection open to ('127.0.0.1', 5432)", "leaves the file /var/lib/app.db open", "leaves a pipe open",
		"leaves an eventpoll descriptor open", "starts a thread, for refresh",
	}
	got := hazards(seen)
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
	if hazards([]observation{{LeftOpen: []string{"/dev/null"}}}) != nil {
		t.Error("/dev/null is a hazard")
	}
}

// FuzzProfile: whatever a process wrote, reading it ends well or with an error,
// and what becomes Python source is one call.
func FuzzProfile(f *testing.F) {
	f.Add([]byte(`{"kind":"job","seq":1,"wall":5,"watched":[{"name":"a.b","ways":[{"module":"a","name":"b","args":["1"]}]}],
		"functions":[["python","a.b","a.py",1]],"nodes":[[-1,0,0,1,5,5]]}`))
	f.Add([]byte(`{"kind":"job","watched":[{"ways":[{"module":"os; os.abort()","name":"b","args":[]}]}]}`))
	f.Add([]byte(`{"kind":"job","watched":[{"ways":[{"module":"a","name":"b","args":["1\n2"]}]}]}`))
	f.Add([]byte(`{"kind":"other"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parseProfile(text)
		if err != nil {
			return
		}
		for _, o := range p.Watched {
			for _, w := range o.Ways {
				if !dotted.MatchString(w.Module) {
					t.Errorf("a module called %q", w.Module)
				}
			}
		}
		hazards(p.Watched)
		cautions(p.Watched)
		if tree, err := p.tree(); err == nil {
			attribute(tree, nil)
		}
	})
}

// TestTooFewForAnInterval: a median without bounds is not a proof of anything, but
// does not say either that there is nothing.
func TestTooFewForAnInterval(t *testing.T) {
	between := func(low, high float64) Interval { return Interval{Median: (low + high) / 2, Low: &low, High: &high} }
	for _, c := range []struct {
		interval Interval
		want     bool
	}{
		{between(-1, 2), true}, {between(1, 2), false}, {between(-2, -1), false}, {between(0, 2), true},
		{Interval{Median: 3}, false},
	} {
		if got := c.interval.spansZero(); got != c.want {
			t.Errorf("%s has 0 in it: %v, want %v", bounds(c.interval), got, c.want)
		}
	}
	r := &run{result: new(Result), measured: &measurements{}}
	r.result.FirstJob.Wall.Median = 10
	r.result.Together = []Try{{Measured: Saving{Wall: Interval{Median: 9}, CPU: Interval{Median: 9}}}}
	if !r.confirmed() {
		t.Error("9 of 10 ms saved, without an interval, were taken for nothing")
	}
	r.result.Together[0].Measured = Saving{Wall: between(-1, 19), CPU: between(-1, 19)}
	if r.confirmed() {
		t.Error("a saving that may be none was taken for one")
	}
}
