package capture

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/redis/go-redis/v9"
)

// What of the messages that workers hold is read, to tell their queues.
const (
	mostHeld      = 10_000   // of them
	mostHeldBytes = 64 << 20 // of their text
	heldPiece     = 100      // at once
)

// celeryHeld counts the messages that workers hold: of the queue, and those of
// which it is not known whose they are.
func (s *Survey) celeryHeld(ctx context.Context, prefix string, bound []binding) error {
	const why = "they run, or were fetched ahead or with an eta (unacked)"
	key := prefix + kombuUnacked
	n, err := s.client.HLen(ctx, key).Result()
	if err != nil || n == 0 {
		if isReply(err) || errors.Is(err, redis.Nil) {
			err = nil // it is something else, or must not be read
		}
		return err
	}
	all := Beside{"held by workers, of all queues", int(n), why}
	if n > mostHeld {
		s.Beside = append(s.Beside, all)
		return nil
	}
	held := make(map[string]string) // the queue of each: a scan may find one twice
	var cursor uint64
	for bytes := 0; ; {
		fields, next, err := s.client.HScan(ctx, key, cursor, "", heldPiece).Result()
		forbidden := isReply(err)
		if err != nil && !forbidden {
			return err
		}
		for i := 0; i+1 < len(fields); i += 2 {
			bytes += len(fields[i+1])
			held[fields[i]] = s.queueOf(fields[i+1], prefix, bound)
		}
		if forbidden || bytes > mostHeldBytes {
			s.Beside = append(s.Beside, all)
			return nil
		}
		if cursor = next; cursor == 0 {
			break
		}
	}
	own, unknown := 0, 0
	for _, queue := range held {
		switch queue {
		case s.Queue.Name:
			own++
		case "":
			unknown++
		}
	}
	if own > 0 {
		s.Beside = append(s.Beside, Beside{"held by workers", own, why})
	}
	if unknown > 0 {
		s.Beside = append(s.Beside, Beside{"held by workers, of queues that are not known", unknown, why})
	}
	return nil
}

// queueOf is the queue that a message was in which a worker holds, or "" if that
// cannot be told: kombu keeps the message, the exchange that it was sent to, and
// its key. Without an exchange, the key is the queue's name.
func (s *Survey) queueOf(text, prefix string, bound []binding) string {
	var parts []json.RawMessage
	var exchange, key string
	if json.Unmarshal([]byte(text), &parts) != nil || len(parts) != 3 ||
		json.Unmarshal(parts[1], &exchange) != nil || json.Unmarshal(parts[2], &key) != nil {
		return ""
	}
	var queues []string
	for _, b := range bound {
		if b.prefix == prefix && b.exchange == exchange && b.key == key && !slices.Contains(queues, b.queue) {
			queues = append(queues, b.queue)
		}
	}
	switch {
	case len(queues) == 1:
		return queues[0]
	case len(queues) == 0 && exchange == "":
		return key
	}
	return "" // an exchange that sends by patterns, or to several
}
