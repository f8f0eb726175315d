package calltree_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"forkbench/internal/calltree"
)

// parse reads a list and returns its trees.
func parse(t testing.TB, text string) []*calltree.Node {
	t.Helper()
	var l calltree.List
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatal(err)
	}
	trees, err := l.Trees()
	if err != nil {
		t.Fatal(err)
	}
	return trees
}

const job = `{"functions": [["python","app.job","app.py",3],["import","heavy","",0],["c","builtins.len","",0]],
	"nodes": [[-1,0,0,1,100,90], [0,1,5,1,900,800], [0,2,6,4,40,40], [0,1,7,1,100,100]]}`

func TestTrees(t *testing.T) {
	trees := parse(t, job)
	if len(trees) != 1 {
		t.Fatalf("%d trees", len(trees))
	}
	top := trees[0]
	if got := top.Total(); got != (calltree.Cost{Wall: 1140, CPU: 1030}) {
		t.Errorf("total %v", got)
	}
	// Two nodes that call the same function from the same place are one.
	heavy := top.Child(calltree.Function{Kind: calltree.Import, Name: "heavy"})
	if heavy == nil || heavy.Calls != 2 || heavy.Self.Wall != 1000 || len(top.Children) != 2 {
		t.Errorf("import heavy: %+v of %d children", heavy, len(top.Children))
	}
	// Four calls of len and two imports cost 60, half of it booked on the job.
	clean := top.WithoutOverhead(calltree.Cost{Wall: 10, CPU: 10})
	if got := clean.Self.Wall; got != 100-30-5 {
		t.Errorf("the job itself took %v without the overhead of 3 of its calls and its own half", got)
	}
}

// TestTypical: a disturbed job does not count, and what half the jobs do counts
// half.
func TestTypical(t *testing.T) {
	f := calltree.Function{Kind: calltree.Python, Name: "f"}
	g := calltree.Function{Kind: calltree.Python, Name: "g"}
	make1 := func(self time.Duration, child bool) *calltree.Node {
		n := &calltree.Node{Function: f, Calls: 1, Jobs: 1, Self: calltree.Cost{Wall: self}}
		if child {
			n.Children = []*calltree.Node{{Function: g, Calls: 2, Jobs: 1, Self: calltree.Cost{Wall: 50}}}
		}
		return n
	}
	tree := calltree.Typical([]*calltree.Node{make1(10, true), make1(1_000_000, false), make1(12, true), make1(11, false)})
	if tree.Self.Wall != 11 || tree.Least.Wall != 10 || tree.Jobs != 1 {
		t.Errorf("%+v", tree)
	}
	if c := tree.Child(g); c == nil || c.Jobs != 0.5 || c.Calls != 1 || c.Self.Wall != 25 {
		t.Errorf("%+v", c)
	}
	if empty := calltree.Typical(nil); empty.Total() != (calltree.Cost{}) || empty.Child(g) != nil {
		t.Errorf("of nothing: %+v", empty)
	}
}

func FuzzTrees(f *testing.F) {
	f.Add([]byte(job))
	for _, bad := range []string{
		`{"functions":[["python","f","",0]],"nodes":[[0,0,0,1,1,1]]}`, `{"functions":[],"nodes":[[-1,0,0,1,1,1]]}`,
		`{"functions":[["python","f","",0]],"nodes":[[-1,0,0,1,-1,1]]}`, `{"functions":[["python"]]}`, `{"functions":[["rust","f","",0]]}`,
	} {
		f.Add([]byte(bad))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var l calltree.List
		if json.Unmarshal(text, &l) != nil {
			return
		}
		trees, err := l.Trees()
		if err != nil {
			return
		}
		var self int64
		for _, row := range l.Nodes {
			self += row[4]
		}
		var total int64
		for _, n := range trees {
			total += int64(n.Total().Wall)
		}
		if self != total {
			t.Errorf("the nodes' times sum up to %d, the trees' to %d", self, total)
		}
		calltree.Typical(trees)
	})
}

func Example() {
	var l calltree.List
	if err := json.Unmarshal([]byte(job), &l); err != nil {
		fmt.Println(err)
		return
	}
	trees, err := l.Trees()
	if err != nil {
		fmt.Println(err)
		return
	}
	trees[0].Walk(func(path []*calltree.Node) bool {
		n := path[len(path)-1]
		fmt.Println(len(path), n.Function, n.Total().Wall)
		return true
	})
	// Output:
	// 1 app.job 1.14µs
	// 2 import heavy 1µs
	// 2 builtins.len 40ns
}
