package stream

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// What a connection gets where the URL does not say otherwise.
const (
	dialTimeout = 5 * time.Second
	ioTimeout   = 10 * time.Second
	poolSize    = 8 // connections that may be busy at once: a few slots, one settler, and questions
	bufferBytes = 64 << 10
	maxPool     = 1024
)

// Connect uses the user's own server.
//
// The URL is one that go-redis understands ([redis.ParseURL],
// [redis.ParseClusterURL], [redis.ParseFailoverURL]), with what it leads to after
// the scheme where that is not a single server:
//
//	redis://user:password@host:6379/0      one server
//	rediss://...                           the same over TLS, also in the two below
//	unix:///path/to/socket?db=0            one server, on a Unix socket
//	redis+cluster://host:6379?addr=host2:6379
//	redis+sentinel://host:26379?master_name=NAME&addr=host2:26379
//
// Without the suffix, a URL with master_name is taken for a Sentinel's and one
// with addr for a cluster's. The protocol is always RESP2. Errors name the URL
// without its password.
func Connect(ctx context.Context, url string) (*Server, error) {
	t, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	s := &Server{client: t.client(), where: t.where, name: "redis"}
	if err := s.identify(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// A target is a parsed URL: one of the three kinds of options, and what to call
// it.
type target struct {
	single   *redis.Options
	cluster  *redis.ClusterOptions
	sentinel *redis.FailoverOptions
	where    string
}

func parseURL(raw string) (target, error) {
	fail := func(err error) (target, error) {
		return target{}, fmt.Errorf("redis URL %s: %w", redact(raw), err)
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return fail(errors.New("must begin with redis://, rediss:// or unix://"))
	}
	u, err := url.Parse(raw)
	if err != nil {
		// Its text holds pieces of the URL, of the password perhaps.
		return fail(errors.New("is not a URL: characters like / # ? % @ in a password must be written as %2F and so on"))
	}
	scheme, kind, _ := strings.Cut(scheme, "+")
	query := u.Query()
	switch {
	case kind != "":
	case query.Has("master_name"):
		kind = "sentinel"
	case query.Has("addr"):
		kind = "cluster"
	}
	plain := scheme + "://" + rest
	var t target
	switch {
	case scheme != "redis" && scheme != "rediss" && (scheme != "unix" || kind != ""):
		err = fmt.Errorf("scheme %q: must be redis, rediss or unix, or redis or rediss with +cluster or +sentinel", u.Scheme)
	case kind == "":
		t.single, err = redis.ParseURL(plain)
	case kind == "cluster":
		t.cluster, err = redis.ParseClusterURL(plain)
	case kind == "sentinel":
		t.sentinel, err = redis.ParseFailoverURL(plain)
	default:
		err = fmt.Errorf("scheme %q: after the + must come cluster or sentinel", u.Scheme)
	}
	if err == nil {
		err = t.complete()
	}
	if err != nil {
		return fail(err)
	}
	return t, nil
}

// complete sets what the URL left open, and refuses what go-redis would panic
// on.
func (t *target) complete() error {
	switch {
	case t.single != nil:
		o := t.single
		t.where = o.Addr
		o.Protocol, o.DisableIdentity, o.ContextTimeoutEnabled = 2, true, true
		o.DialerRetries, o.PipelinePoolSize = 1, -1
		o.ReadBufferSize, o.WriteBufferSize = bufferBytes, bufferBytes
		timeouts(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
		return pool(&o.PoolSize, o.MinIdleConns, o.MaxIdleConns, o.MaxActiveConns)
	case t.cluster != nil:
		o := t.cluster
		t.where = strings.Join(o.Addrs, ",") + " (cluster)"
		if o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
			return errors.New("read_only, route_by_latency and route_randomly read from replicas, the job stream needs the masters: leave them out")
		}
		o.Protocol, o.DisableIdentity, o.ContextTimeoutEnabled = 2, true, true
		o.DialerRetries, o.PipelinePoolSize = 1, -1
		o.ReadBufferSize, o.WriteBufferSize = bufferBytes, bufferBytes
		timeouts(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
		return pool(&o.PoolSize, o.MinIdleConns, o.MaxIdleConns, o.MaxActiveConns)
	default:
		o := t.sentinel
		t.where = fmt.Sprintf("%s (Sentinel, master %s)", strings.Join(o.SentinelAddrs, ","), o.MasterName)
		if o.MasterName == "" {
			return errors.New("a Sentinel needs the name of the master: add ?master_name=NAME")
		}
		if o.ReplicaOnly || o.RouteByLatency || o.RouteRandomly {
			return errors.New("replica_only, route_by_latency and route_randomly read from replicas, the job stream needs the master: leave them out")
		}
		o.Protocol, o.DisableIdentity, o.ContextTimeoutEnabled = 2, true, true
		o.DialerRetries, o.PipelinePoolSize = 1, -1
		o.ReadBufferSize, o.WriteBufferSize = bufferBytes, bufferBytes
		timeouts(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
		return pool(&o.PoolSize, o.MinIdleConns, o.MaxIdleConns, o.MaxActiveConns)
	}
}

// timeouts sets the ones that are not set. Negative means none, to go-redis.
func timeouts(dial, read, write *time.Duration) {
	for _, d := range []struct {
		set *time.Duration
		to  time.Duration
	}{{dial, dialTimeout}, {read, ioTimeout}, {write, ioTimeout}} {
		if *d.set == 0 {
			*d.set = d.to
		}
	}
}

// pool sets the pool's size and checks all of its sizes.
func pool(size *int, minIdle, maxIdle, maxActive int) error {
	if *size == 0 {
		*size = poolSize
	}
	for _, n := range []struct {
		name  string
		value int
	}{{"pool_size", *size}, {"min_idle_conns", minIdle}, {"max_idle_conns", maxIdle}, {"max_active_conns", maxActive}} {
		if n.value < 0 || n.value > maxPool {
			return fmt.Errorf("%s=%d: must be between 0 and %d", n.name, n.value, maxPool)
		}
	}
	return nil
}

func (t *target) client() redis.UniversalClient {
	switch {
	case t.single != nil:
		return redis.NewClient(t.single)
	case t.cluster != nil:
		return redis.NewClusterClient(t.cluster)
	default:
		return redis.NewFailoverClient(t.sentinel)
	}
}

// privateOptions are those for a private server's socket.
func privateOptions(socket string) *redis.Options {
	t := target{single: &redis.Options{Network: "unix", Addr: socket}}
	_ = t.complete() // nothing is set that it could refuse
	return t.single
}

var passwordOption = regexp.MustCompile(`(?i)(password=)[^&]*`)

// redact is the URL without its user and password, also where it is none. What
// stands before the last @ might be part of a password.
func redact(raw string) string {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		scheme, rest = "", raw
	} else {
		scheme += "://"
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = "***" + rest[i:]
	}
	return scheme + passwordOption.ReplaceAllString(rest, "$1***")
}
