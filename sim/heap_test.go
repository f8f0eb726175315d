package sim

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestHeap compares the heap with a sort, ties included.
func TestHeap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var h heap
		var want []entry
		a := new(actor)
		for seq := range uint64(r.IntN(300)) {
			x := entry{key: r.Uint64N(50), seq: seq, who: a}
			h.push(x)
			want = append(want, x)
			if r.IntN(4) == 0 {
				slices.SortFunc(want, func(a, b entry) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.seq, b.seq)) })
				if got := h.pop(); got != want[0] {
					t.Fatalf("popped %v; want %v", got, want[0])
				}
				want = want[1:]
			}
		}
		slices.SortFunc(want, func(a, b entry) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.seq, b.seq)) })
		for _, x := range want {
			if got := h.pop(); got != x {
				t.Fatalf("popped %v; want %v", got, x)
			}
		}
		if len(h.list) != 0 {
			t.Fatalf("%d entries are left", len(h.list))
		}
	}
}

// TestQueue grows a queue while its head is anywhere, and leaves out those that
// were woken meanwhile.
func TestQueue(t *testing.T) {
	var q queue
	var want []*actor
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		if r.IntN(5) < 3 {
			a := new(actor)
			q.push(a)
			want = append(want, a)
			continue
		}
		if q.empty() != (len(want) == 0) {
			t.Fatal("empty is wrong")
		}
		if q.empty() {
			continue
		}
		first := want[0]
		if r.IntN(3) == 0 {
			first.gen++
			first = nil
		}
		if got := q.pop(); got != first {
			t.Fatal("popped another one")
		}
		want = want[1:]
	}
}
