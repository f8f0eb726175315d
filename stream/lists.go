package stream

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/redis/go-redis/v9"
)

// An Address is how another program reaches the server.
type Address struct {
	Socket             string // of a server on a Unix socket; then Host and Port are empty
	Host, Port         string
	Username, Password string
	DB                 int
	TLS, Verify        bool
	CheckName          bool   // verify whose the certificate is, too
	CAs, Cert, Key     string // files; empty for the system's, and for none
}

// Lists are a server's lists in the hands of somebody else's job system: what a
// host needs to hold its jobs back, to let them go, and to clean up after it.
type Lists struct {
	server *Server
	client *redis.Client
}

// Lists gives access to them. It takes a single server, and a real one.
func (s *Server) Lists() (*Lists, error) {
	client, ok := s.client.(*redis.Client)
	switch {
	case !ok || client.Options().Addr == "FailoverClient":
		return nil, fmt.Errorf("redis at %s: job systems of others need a single server, not a cluster or a Sentinel", s.where)
	case s.name == "miniredis":
		return nil, errors.New("job systems of others need a real Redis server: install redis-server or valkey-server, or name yours with --redis")
	}
	return &Lists{server: s, client: client}, nil
}

// Move gives a list another key. No list under the old key is not an error.
func (l *Lists) Move(ctx context.Context, from, to string) error {
	err := l.client.Rename(ctx, from, to).Err()
	if err != nil && redis.HasErrorPrefix(err, "no such key") {
		return nil
	}
	return l.server.explain(err)
}

// Pass moves n entries, one by one in their order: from the end of one list that
// is next to be taken (the last if nextIsLast) to the end of the other that is
// added to.
func (l *Lists) Pass(ctx context.Context, from, to string, nextIsLast bool, n int) error {
	take, add := "left", "right"
	if nextIsLast {
		take, add = add, take
	}
	pipe := l.client.Pipeline()
	for range n {
		pipe.LMove(ctx, from, to, take, add)
	}
	_, err := pipe.Exec(ctx)
	if errors.Is(err, redis.Nil) {
		err = nil
	}
	return l.server.explain(err)
}

// Len is how many entries a list has.
func (l *Lists) Len(ctx context.Context, key string) (int, error) {
	n, err := l.client.LLen(ctx, key).Result()
	return int(n), l.server.explain(err)
}

// ExpireOne has one key expire after KeptFor.
func (l *Lists) ExpireOne(ctx context.Context, key string) error {
	return l.server.explain(l.client.Expire(ctx, key, KeptFor).Err())
}

// Expire has all keys below a prefix expire after KeptFor, for the case that
// Remove is never called.
func (l *Lists) Expire(ctx context.Context, prefix string) error {
	return l.each(ctx, prefix, func(pipe redis.Pipeliner, key string) { pipe.Expire(ctx, key, KeptFor) })
}

// Remove deletes all keys below a prefix.
func (l *Lists) Remove(ctx context.Context, prefix string) error {
	return l.each(ctx, prefix, func(pipe redis.Pipeliner, key string) { pipe.Unlink(ctx, key) })
}

// each goes through the whole database: a prefix has no index. It asks for a
// thousand keys at a time, which keeps a server from others for about as long as
// one long command does.
func (l *Lists) each(ctx context.Context, prefix string, do func(redis.Pipeliner, string)) error {
	cursor := uint64(0)
	for {
		keys, next, err := l.client.Scan(ctx, cursor, prefix+"*", 1000).Result()
		if err != nil {
			return l.server.explain(err)
		}
		if len(keys) > 0 {
			pipe := l.client.Pipeline()
			for _, key := range keys {
				do(pipe, key)
			}
			if _, err := pipe.Exec(ctx); err != nil {
				return l.server.explain(err)
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// Address is where another program finds the server.
func (l *Lists) Address() Address {
	o := l.client.Options()
	a := Address{Username: o.Username, Password: o.Password, DB: o.DB}
	if o.Network == "unix" {
		a.Socket = o.Addr
		return a
	}
	if host, port, err := net.SplitHostPort(o.Addr); err == nil { // else it could not have been dialled
		a.Host, a.Port = host, port
	}
	if o.TLSConfig != nil {
		a.TLS, a.CheckName = true, !o.TLSConfig.InsecureSkipVerify
		a.Verify = a.CheckName || o.TLSConfig.VerifyConnection != nil
		a.CAs, a.Cert, a.Key = l.server.security.cas, l.server.security.cert, l.server.security.key
	}
	return a
}
