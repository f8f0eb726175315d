package stream

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// Dial connects to the user's own server, by a URL as Connect takes it, for other
// purposes than a job stream: any version will do, and nothing is asked of it but
// an answer to PING. [Server.Client] is how to talk to it.
func Dial(ctx context.Context, url string) (*Server, error) {
	t, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	s := &Server{client: t.client(), where: t.where, name: "redis"}
	if err := s.client.Ping(ctx).Err(); err != nil {
		return nil, errors.Join(s.explain(err), s.Close())
	}
	return s, nil
}

// Client sends commands to the server. It is closed with the server.
func (s *Server) Client() redis.UniversalClient { return s.client }

// Explain names the server in an error of its client, and adds what to do about
// it. It never shows a password.
func (s *Server) Explain(err error) error { return s.explain(err) }
