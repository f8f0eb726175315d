package capture

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/redis/go-redis/v9"
)

// The keys of kombu's Redis transport.
const (
	kombuSep     = "\x06\x16"        // between a queue's name and its priority step, unless set otherwise
	kombuBinding = "_kombu.binding." // and the name of an exchange: a set with its queues
	kombuUnacked = "unacked"         // a hash of what workers hold, of all queues
)

// mostSep is how long a separator may be that is looked for, in bytes; mostAlike
// bounds how many keys are looked at more closely.
const (
	mostSep   = 8
	mostAlike = 1000
)

// lookCelery finds the lists of a queue: one for each priority step, the one with
// the bare name is for step 0. Steps are 0, 3, 6 and 9 unless set otherwise.
func (s *Survey) lookCelery(ctx context.Context) error {
	var bindings []string
	shapes := make(map[string]shape) // of keys that may be the queue's
	err := s.scan(ctx, func(key string) {
		if strings.Contains(key, kombuBinding) && len(bindings) < mostAlike {
			bindings = append(bindings, key)
		} else if at, ok := shapeOf(key, s.Queue.Name); ok && len(shapes) < mostAlike {
			shapes[key] = at
		}
	})
	if err != nil {
		return err
	}
	bindings = append(bindings, s.Queue.KeyPrefix+kombuBinding+s.Queue.Name) // the usual one, however large the database
	slices.Sort(bindings)
	bound, err := s.bound(ctx, slices.Compact(bindings))
	if err != nil {
		return err
	}
	prefix, seps := s.Queue.KeyPrefix, []string{kombuSep}
	own := make(map[string]bool) // keys that are queues of their own
	for _, b := range bound {
		own[b.prefix+b.queue] = true
		if b.prefix+b.queue == s.Queue.KeyPrefix+s.Queue.Name {
			s.known, prefix = true, b.prefix
			seps = append(seps, b.sep)
		}
		if s.others = append(s.others, string(Celery)+":"+b.prefix+b.queue); b.prefix != "" && b.prefix == s.Queue.KeyPrefix {
			s.others[len(s.others)-1] = string(Celery) + ":" + b.queue
		}
	}
	slices.Sort(s.others)
	s.others = slices.Compact(s.others)
	if s.Queue.Sep != "" {
		seps = []string{s.Queue.Sep}
	}
	lengths, err := s.lists(ctx, slices.Collect(maps.Keys(shapes)))
	if err != nil {
		return err
	}
	if err := s.celeryLists(ctx, seps, shapes, lengths); err != nil {
		return err
	}
	if err := s.celeryAlike(ctx, seps, own, shapes, lengths); err != nil {
		return err
	}
	return s.celeryHeld(ctx, prefix, bound)
}

// celeryLists finds the lists to read.
func (s *Survey) celeryLists(ctx context.Context, seps []string, shapes map[string]shape, lengths map[string]int) error {
	name := s.Queue.KeyPrefix + s.Queue.Name
	type step struct {
		key string
		n   int
	}
	steps := []step{{name, 0}}
	for _, sep := range seps {
		if s.Queue.Steps != nil {
			for _, n := range s.Queue.Steps {
				steps = append(steps, step{name + sep + strconv.Itoa(n), n})
			}
			continue
		}
		for n := range 9 {
			steps = append(steps, step{name + sep + strconv.Itoa(n+1), n + 1})
		}
		for key, at := range shapes {
			if at.prefix == s.Queue.KeyPrefix && at.sep == sep && lengths[key] > 0 {
				steps = append(steps, step{key, at.step})
			}
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Or(a.n-b.n, strings.Compare(a.key, b.key)) })
	steps = slices.Compact(steps)
	keys := make([]string, len(steps))
	for i, at := range steps {
		keys[i] = at.key
	}
	if _, err := count(ctx, s.client, name); err != nil {
		return err
	}
	found, err := s.lists(ctx, keys) // a step that is something else is none
	if err != nil {
		return err
	}
	for _, key := range keys {
		if n := found[key]; n > 0 {
			s.Lists, s.Waiting = append(s.Lists, key), s.Waiting+n
		}
	}
	return nil
}

// celeryAlike finds lists that may be the queue's, and are not read.
func (s *Survey) celeryAlike(ctx context.Context, seps []string, own map[string]bool, shapes map[string]shape, lengths map[string]int) error {
	groups := make(map[string]*Alike)
	for _, key := range slices.Sorted(maps.Keys(lengths)) {
		at := shapes[key]
		a := Alike{}
		switch {
		case slices.Contains(s.Lists, key):
			continue
		case at.prefix != s.Queue.KeyPrefix:
			a = Alike{Flag: "--key-prefix=" + quoted(at.prefix), Other: true}
		case own[key]:
			continue // a queue of that name
		case slices.Contains(seps, at.sep):
			a = Alike{Flag: "--celery-priority-steps with " + strconv.Itoa(at.step) + " among them"}
		default:
			a = Alike{Flag: "--celery-sep=" + quoted(at.sep)}
		}
		if ok, err := s.isCelery(ctx, key); err != nil {
			return err
		} else if !ok {
			continue
		}
		if groups[a.Flag] == nil {
			groups[a.Flag] = &a
		}
		groups[a.Flag].Keys = append(groups[a.Flag].Keys, strconv.Quote(key))
		groups[a.Flag].Jobs += lengths[key]
	}
	for _, a := range groups {
		if !a.Other || a.Jobs > s.Waiting { // little is found
			s.Alike = append(s.Alike, *a)
		}
	}
	slices.SortFunc(s.Alike, func(a, b Alike) int { return cmp.Or(b.Jobs-a.Jobs, strings.Compare(a.Flag, b.Flag)) })
	return nil
}

// isCelery reports whether what is next in a list is a message of kombu's.
func (s *Survey) isCelery(ctx context.Context, key string) (bool, error) {
	text, err := s.client.LIndex(ctx, key, -1).Result()
	if err != nil && !isReply(err) && !errors.Is(err, redis.Nil) {
		return false, err
	}
	var m map[string]json.RawMessage
	_ = json.Unmarshal([]byte(text), &m) // what is not JSON is not a message
	return m["body"] != nil && m["properties"] != nil, nil
}

// quoted is a text as it can be typed in a shell.
func quoted(text string) string {
	for _, r := range text {
		if !unicode.IsGraphic(r) {
			q := strconv.Quote(text)
			return "$'" + strings.ReplaceAll(q[1:len(q)-1], "'", `\'`) + "'"
		}
	}
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:._/-") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// A shape is a key as a queue's name in it makes it: what stands before, and a
// separator and a number behind; without them, the step is 0.
type shape struct {
	prefix, sep string
	step        int
}

// shapeOf finds a queue's name in a key.
func shapeOf(key, name string) (shape, bool) {
	for from := 0; ; from++ {
		i := strings.Index(key[from:], name)
		if i < 0 {
			return shape{}, false
		}
		from += i
		at := shape{prefix: key[:from]}
		rest := key[from+len(name):]
		at.sep = strings.TrimRight(rest, "0123456789")
		number := rest[len(at.sep):]
		if at.prefix != "" && isWord(at.prefix[len(at.prefix)-1]) {
			continue // the end of another word
		}
		if rest == "" {
			return at, true
		}
		if n, err := strconv.Atoi(number); err == nil && n > 0 && isSep(at.sep) && number[0] != '0' {
			at.step = n
			return at, true
		}
	}
}

// isSep reports whether a text may stand between a name and a number.
func isSep(text string) bool {
	return text != "" && len(text) <= mostSep && !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

func isWord(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' }

// A binding is a queue that was declared: messages for the exchange that have the
// key are put into it.
type binding struct{ prefix, exchange, key, queue, sep string }

// bound reads bindings. An empty list is not a key; what was bound to it stays.
func (s *Survey) bound(ctx context.Context, keys []string) ([]binding, error) {
	sets := make([]*redis.StringSliceCmd, len(keys))
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range keys {
			sets[i] = p.SMembers(ctx, key)
		}
		return nil
	})
	if err != nil && !isReply(err) {
		return nil, err
	}
	var all []binding
	for i, key := range keys {
		prefix, exchange, _ := strings.Cut(key, kombuBinding)
		for _, member := range sets[i].Val() {
			queue, sep, ok := boundTo(member, s.Queue.Sep, strings.TrimPrefix(s.Queue.Name, prefix))
			// Workers have queues of their own, one each.
			if ok && !strings.HasPrefix(queue, "celeryev.") && !strings.HasSuffix(queue, ".celery.pidbox") {
				key, _, _ := strings.Cut(member, sep)
				all = append(all, binding{prefix, exchange, key, queue, sep})
			}
		}
	}
	return all, nil
}

// boundTo reads a binding: a routing key, a pattern that is mostly empty, and a
// queue, with separators between them. Which those are is told by their being
// two, of a kind, and by the name of the queue that is looked for.
func boundTo(member, given, name string) (queue, sep string, ok bool) {
	for _, sep := range []string{given, kombuSep} {
		if i := strings.LastIndex(member, sep); sep != "" && i >= 0 {
			return member[i+len(sep):], sep, true
		}
	}
	for n := 1; 2*n < len(member); n++ { // the routing key is the queue's name, as by default
		a, b, between := member[:n], member[len(member)-n:], member[n:len(member)-n]
		if half := between[:len(between)/2]; a == b && between == half+half && isSep(half) {
			return a, half, true
		}
	}
	if before, found := strings.CutSuffix(member, name); found {
		for n := 1; n <= mostSep && 2*n <= len(before); n++ {
			half := before[len(before)-n:]
			if strings.HasSuffix(before, half+half) && isSep(half) {
				return name, half, true
			}
		}
	}
	return "", "", false
}
