package capture

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/redis/go-redis/v9"
)

// Sizes of what is asked for at once: the server answers one client at a time,
// and an answer is in memory twice.
const (
	firstPiece  = 32
	mostItems   = 1000
	targetBytes = 1 << 20
)

// nextPiece is how many items to ask for after so many had so many bytes.
func nextPiece(items, bytes int) int {
	if items == 0 {
		return firstPiece
	}
	mean := max(bytes/items, 1)
	return max(1, min(targetBytes/mean, mostItems, 4*items)) // what comes next may be larger
}

// A list is a Redis list that others may take from, and add to, while it is read.
type list struct {
	client redis.UniversalClient
	key    string
	tail   bool // the next to be taken is at the tail, as Celery has it
}

// window returns the items that are from and to places (the last one excluded)
// behind the one to be taken next.
func (l list) window(ctx context.Context, from, to int) ([]string, error) {
	if !l.tail {
		return l.client.LRange(ctx, l.key, int64(from), int64(to)-1).Result()
	}
	items, err := l.client.LRange(ctx, l.key, -int64(to), -int64(from)-1).Result()
	slices.Reverse(items)
	return items, err
}

// slack is how far the items may move between two pieces without another search.
const slack = 32

// pieces yields the items in their order, some at a time. Items that are taken
// meanwhile move all others forward: so each piece is asked for with the last item
// of the one before it, and begins behind that.
func (l list) pieces(ctx context.Context) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		last, at := "", -1 // the last item, and where it was
		for size := firstPiece; ; {
			from := max(at-slack, 0)
			items, err := l.window(ctx, from, at+1+size)
			if err == nil && at >= 0 {
				i := nearest(items, last, at-from)
				if i < 0 {
					if at, err = l.find(ctx, last, from); err == nil {
						continue
					}
				}
				at, items = from+i, items[i+1:]
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if len(items) == 0 {
				return
			}
			bytes := 0
			for _, item := range items {
				bytes += len(item)
			}
			last, at, size = items[len(items)-1], at+len(items), nextPiece(len(items), bytes)
			if !yield(items, nil) {
				return
			}
		}
	}
}

// nearest is where an item is, looked for from a place forward and then back; -1
// if it is not there.
func nearest(items []string, item string, place int) int {
	for i := min(place, len(items)-1); i >= 0; i-- {
		if items[i] == item {
			return i
		}
	}
	return slices.Index(items, item)
}

// find is where an item is that has moved forward from beyond a place; -1 if it
// was taken, and with it all that were before it.
func (l list) find(ctx context.Context, item string, place int) (int, error) {
	for place > 0 {
		from := max(place-mostItems, 0)
		items, err := l.window(ctx, from, place)
		if err != nil {
			return 0, err
		}
		if i := nearest(items, item, len(items)-1); i >= 0 {
			return from + i, nil
		}
		place = from
	}
	return -1, nil
}

// count is how long a list is; 0 if there is none. It is an error if the key holds
// something else.
func count(ctx context.Context, client redis.UniversalClient, key string) (int, error) {
	kind, err := client.Type(ctx, key).Result()
	if err != nil {
		return 0, err
	}
	switch kind {
	case "none":
		return 0, nil
	case "list":
		n, err := client.LLen(ctx, key).Result()
		return int(n), err
	}
	return 0, fmt.Errorf("%q is no queue: the key holds a %s, and a queue is a list", key, kind)
}
