package stream

import (
	"slices"
	"testing"
)

// What is passed on keeps its order for whoever takes from either end, and what is
// below a prefix goes, and nothing else.
func TestLists(t *testing.T) {
	s := startRedis(t)
	ctx := t.Context()
	l, err := s.Lists()
	if err != nil {
		t.Fatal(err)
	}
	for _, nextIsLast := range []bool{false, true} {
		entries := []any{"1", "2", "3"} // the next to be taken first
		if nextIsLast {
			slices.Reverse(entries)
		}
		if err := l.client.RPush(ctx, "run:held", entries...).Err(); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 5} { // more than there are is not an error
			if err := l.Pass(ctx, "run:held", "run:live", nextIsLast, n); err != nil {
				t.Fatal(err)
			}
		}
		got, err := l.client.LRange(ctx, "run:live", 0, -1).Result()
		if nextIsLast {
			slices.Reverse(got)
		}
		if err != nil || !slices.Equal(got, []string{"1", "2", "3"}) {
			t.Errorf("next is last %v: passed on %q (%v)", nextIsLast, got, err)
		}
		if err := l.ExpireOne(ctx, "run:live"); err != nil {
			t.Fatal(err)
		}
		if left, err := l.client.TTL(ctx, "run:live").Result(); err != nil || left <= 0 || left > KeptFor {
			t.Errorf("what was passed on expires in %v (%v), want up to %v", left, err, KeptFor)
		}
		if err := l.Move(ctx, "run:live", "other"); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.client.Set(ctx, "run:job", "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := l.Remove(ctx, "run:"); err != nil {
		t.Fatal(err)
	}
	if keys, err := l.client.Keys(ctx, "*").Result(); err != nil || !slices.Equal(keys, []string{"other"}) {
		t.Errorf("left are %q (%v), want other", keys, err)
	}
}
