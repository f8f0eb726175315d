package capture

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The keys of RQ behind its prefix, the same in all its versions.
const (
	rqQueues = ":queues" // a set of the keys of all queues that ever had a job
	rqQueue  = ":queue:" // and its name: a list of job IDs, the next one first
	rqJob    = ":job:"   // and its ID: a hash
)

// rqRegistries are where else a queue's jobs may be, by the beginnings of their
// keys. A job that has finished, or was cancelled, is none any more.
var rqRegistries = []struct{ key, what, why string }{
	{":scheduled:", "scheduled", "RQ's scheduler enqueues them when they are due"},
	{":deferred:", "deferred", "they wait for jobs that they depend on"},
	{":ready:", "ready", "what they depended on is done, and a worker is about to enqueue them"},
	{":wip:", "started", "a worker runs them, or has died of them"},
	{":failed:", "failed", "`rq requeue` enqueues them again"},
}

// rqScheduled is where the package rq-scheduler keeps the jobs of all queues.
const rqScheduled = "rq:scheduler:scheduled_jobs"

func (s *Survey) rqPrefix() string {
	if s.Queue.KeyPrefix != "" {
		return s.Queue.KeyPrefix
	}
	return "rq"
}

func (s *Survey) lookRQ(ctx context.Context) error {
	prefix, name := s.rqPrefix(), s.Queue.Name
	key := prefix + rqQueue + name
	n, err := count(ctx, s.client, key)
	if err != nil {
		return err
	}
	s.Lists, s.Waiting = []string{key}, n
	if err := s.rqBeside(ctx); err != nil || s.Waiting > 0 {
		return err
	}
	keys, err := s.client.SMembers(ctx, prefix+rqQueues).Result()
	if err != nil && !isReply(err) {
		return err
	}
	s.known = slices.Contains(keys, key)
	for _, key := range keys {
		s.others = append(s.others, string(RQ)+":"+strings.TrimPrefix(key, prefix+rqQueue))
	}
	slices.Sort(s.others)
	return s.rqAlike(ctx)
}

// rqBeside counts what of the queue does not wait.
func (s *Survey) rqBeside(ctx context.Context) error {
	sizes := make([]*redis.IntCmd, len(rqRegistries))
	var taken, scheduled *redis.IntCmd
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, r := range rqRegistries {
			sizes[i] = p.ZCard(ctx, s.rqPrefix()+r.key+s.Queue.Name)
		}
		taken = p.LLen(ctx, s.Lists[0]+":intermediate")
		scheduled = p.ZCard(ctx, rqScheduled)
		return nil
	})
	if err != nil && !isReply(err) {
		return err
	}
	add := func(n *redis.IntCmd, what, why string) {
		if n.Err() == nil && n.Val() > 0 { // else it is something else's key
			s.Beside = append(s.Beside, Beside{what, int(n.Val()), why})
		}
	}
	for i, r := range rqRegistries {
		add(sizes[i], r.what, r.why)
	}
	add(taken, "taken", "a worker is about to start them (intermediate)")
	add(scheduled, "in rq-scheduler", "it enqueues them when they are due, into whichever queue they are for")
	return nil
}

// rqAlike looks for the queue under other prefixes.
func (s *Survey) rqAlike(ctx context.Context) error {
	var keys []string
	err := s.scan(ctx, func(key string) {
		if before, found := strings.CutSuffix(key, rqQueue+s.Queue.Name); found && before != "" && before != s.rqPrefix() && len(keys) < mostAlike {
			keys = append(keys, key)
		}
	})
	if err != nil {
		return err
	}
	lengths, err := s.lists(ctx, keys)
	if err != nil {
		return err
	}
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		prefix := strings.TrimSuffix(key, rqQueue+s.Queue.Name)
		if n := lengths[key]; n > 0 {
			s.Alike = append(s.Alike, Alike{Keys: []string{key}, Jobs: n, Flag: fmt.Sprintf("--key-prefix=%s", prefix), Other: true})
		}
	}
	return nil
}
