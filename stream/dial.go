package stream

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Dial connects to the user's own server, by an address as Connect takes it, for other
// purposes than a job stream: any version will do, and nothing is asked of it but
// an answer to PING. [Server.Client] is how to talk to it.
func Dial(ctx context.Context, text string) (*Server, error) {
	return connect(ctx, text, func(s *Server, ctx context.Context) error { return s.explain(s.client.Ping(ctx).Err()) })
}

// Client sends commands to the server. It is closed with the server.
func (s *Server) Client() redis.UniversalClient { return s.client }

// Explain names the server in an error of its client, and adds what to do about
// it. It never shows a password.
func (s *Server) Explain(err error) error { return s.explain(err) }
