package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
// The text is an address as it stands in the settings of Celery, RQ or any user of
// redis-py or go-redis:
//
//	redis://user:password@host:6379/0      one server
//	rediss://...                           the same over TLS, also in the two below
//	unix:///path/to/socket?db=0            one server, on a Unix socket
//	redis+socket:///path?virtual_host=0    the same, as Celery writes it
//	redis+cluster://host:6379?addr=host2:6379
//	redis+sentinel://host:26379?master_name=NAME&addr=host2:26379
//	sentinel://host:26379;sentinel://host2:26379/0?master_name=NAME
//
// Without the suffix, a URL with master_name is taken for a Sentinel's and one
// with addr for a cluster's. What stands before a Sentinel's host is the user and
// the password of the Sentinel itself; with sentinel://, as Celery has it, those of
// the master. Of several addresses with semicolons between them, the first that
// answers is used.
//
// Options are those of go-redis ([redis.ParseURL] and its like), and of redis-py:
// db, virtual_host, username, password, ssl_cert_reqs, ssl_check_hostname,
// ssl_ca_certs, ssl_certfile, ssl_keyfile, socket_timeout,
// socket_connect_timeout; those that only a Python client has use for are
// ignored. The protocol is always RESP2. Errors name the address without its
// user and password.
func Connect(ctx context.Context, text string) (*Server, error) {
	return connect(ctx, text, (*Server).identify)
}

// connect connects to the first of a text's addresses that answers.
func connect(ctx context.Context, text string, greet func(*Server, context.Context) error) (*Server, error) {
	targets, err := parse(text)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, t := range targets {
		s := &Server{client: t.client(), where: t.where, name: "redis", security: t.security}
		err := greet(s, ctx)
		if err == nil {
			if len(targets) > 1 {
				s.where += fmt.Sprintf(" (of %d addresses the first that answers)", len(targets))
				s.chosen = true
			}
			return s, nil
		}
		failed = append(failed, errors.Join(err, s.Close()))
		if ctx.Err() != nil || isReply(err) {
			break // it is stopped, or this server has answered
		}
	}
	return nil, errors.Join(failed...)
}

// errNoMaster is what an address of Sentinels lacks.
var errNoMaster = errors.New("a Sentinel needs the name of the master: add ?master_name=NAME")

// NeedsMaster reports whether all that an address lacks is the name of the master
// that its Sentinels know.
func NeedsMaster(err error) bool { return errors.Is(err, errNoMaster) }

// Chosen is which of several addresses is used, and how many there are, without
// passwords; or "" where there was only one.
func (s *Server) Chosen() string {
	if !s.chosen {
		return ""
	}
	return s.where
}

// Check says what is wrong with an address, without connecting.
func Check(text string) error {
	_, err := parse(text)
	return err
}

// A target is a parsed address: one of the three kinds of options, and what to
// call it.
type target struct {
	single   *redis.Options
	cluster  *redis.ClusterOptions
	sentinel *redis.FailoverOptions
	security security
	where    string
}

// parse reads all of a text's addresses.
func parse(text string) ([]target, error) {
	fail := func(err error) ([]target, error) {
		return nil, fmt.Errorf("redis URL %s: %w", redact(text), err)
	}
	var addresses []address
	for _, part := range apart(text) {
		a, err := parseAddress(part)
		if err != nil {
			return fail(err)
		}
		addresses = append(addresses, a)
	}
	addresses, err := sentinels(addresses)
	if err != nil {
		return fail(err)
	}
	var targets []target
	for i := range addresses {
		t, err := addresses[i].target()
		if err == nil {
			err = t.complete()
		}
		if err != nil {
			return fail(err)
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// sentinels makes one address of several of Sentinels: all of them know the
// master. As in Celery, user, password and database are the first one's.
func sentinels(all []address) ([]address, error) {
	isOne := func(a address) bool { return strings.HasSuffix(a.scheme, "sentinel") }
	if len(all) < 2 || !slices.ContainsFunc(all, isOne) {
		return all, nil
	}
	one := all[0]
	for _, a := range all[1:] {
		if a.scheme != one.scheme {
			return nil, errors.New("some of the addresses are Sentinels and some are not: name those of one kind")
		}
		one.hosts = append(one.hosts, a.hosts...)
		one.query = append(one.query, a.query...)
	}
	return []address{one}, nil
}

// kinds are the schemes that are taken, with what they lead to.
var kinds = map[string]struct {
	kind string
	tls  bool
}{
	"redis": {"", false}, "valkey": {"", false}, "rediss": {"", true}, "valkeys": {"", true},
	"unix": {"socket", false}, "socket": {"socket", false}, "redis+socket": {"socket", false}, "redis+unix": {"socket", false},
	"redis+cluster": {"cluster", false}, "rediss+cluster": {"cluster", true},
	"redis+sentinel": {"sentinel", false}, "rediss+sentinel": {"sentinel", true}, "sentinel": {"sentinel", false},
}

func (a *address) target() (t target, err error) {
	scheme, ok := kinds[a.scheme]
	if !ok {
		return t, refused(a.scheme)
	}
	kind := scheme.kind
	switch {
	case kind != "":
	case a.has("master_name"):
		kind = "sentinel"
	case a.has("addr"):
		kind = "cluster"
	}
	if len(a.hosts) > 1 && kind == "" {
		return t, errors.New("several hosts: write redis+cluster:// or redis+sentinel:// before them")
	}
	for i, host := range a.hosts {
		if i > 0 {
			a.query = append(a.query, option{"addr", withPort(host, map[string]string{"cluster": "6379", "sentinel": "26379"}[kind])})
		}
	}
	if len(a.hosts) > 0 && a.scheme == "sentinel" {
		a.hosts[0] = withPort(a.hosts[0], "26379")
	}
	if name, rest, _ := strings.Cut(strings.Trim(a.path, "/"), "/"); kind == "sentinel" && !a.has("master_name") && !isNumber(name) && name != "" {
		a.path = "/" + rest // as in redis+sentinel://host/master/0
		a.query = append(a.query, option{"master_name", name})
	}
	user, password := a.login()
	if err := a.plain(); err != nil {
		return t, err
	}
	security, err := a.security()
	if err != nil {
		return t, err
	}
	t.security = security
	protocol := "redis"
	if scheme.tls || security.asked {
		protocol = "rediss"
	}
	switch kind {
	case "socket":
		if len(a.hosts) > 0 {
			return t, fmt.Errorf("the path of a socket begins with a slash: %s:///PATH", a.scheme)
		}
		if t.single, err = redis.ParseURL(a.url("unix")); err == nil {
			t.single.Username, t.single.Password = user, password
		}
	case "":
		if t.single, err = redis.ParseURL(a.url(protocol)); err == nil {
			t.single.Username, t.single.Password = user, password
			err = security.complete(t.single.TLSConfig)
		}
	case "cluster":
		if t.cluster, err = redis.ParseClusterURL(a.url(protocol)); err == nil {
			t.cluster.Username, t.cluster.Password = user, password
			err = security.complete(t.cluster.TLSConfig)
		}
	default:
		sentinelUser, _ := a.take("sentinel_username")
		sentinelPassword, _ := a.take("sentinel_password")
		if t.sentinel, err = redis.ParseFailoverURL(a.url(protocol)); err == nil {
			o := t.sentinel
			o.Username, o.Password = user, password
			o.SentinelUsername, o.SentinelPassword = cmp.Or(sentinelUser, a.user), cmp.Or(sentinelPassword, a.password)
			err = security.complete(o.TLSConfig)
		}
	}
	return t, err
}

func isNumber(text string) bool { _, err := strconv.ParseUint(text, 10, 64); return err == nil }

// login is the user and the password of the server that holds the data. What is
// left in the address is a Sentinel's.
func (a *address) login() (user, password string) {
	user, _ = a.take("username")
	password, _ = a.take("password")
	if a.scheme == "redis+sentinel" || a.scheme == "rediss+sentinel" || a.has("master_name") && a.scheme != "sentinel" {
		return user, password
	}
	user, password = cmp.Or(a.user, user), cmp.Or(a.password, password)
	a.user, a.password = "", ""
	return user, password
}

// plain turns what redis-py and Celery call otherwise into the words of go-redis,
// and drops what only they have a use for.
func (a *address) plain() error {
	db, found := a.take("db")
	if host, isHost := a.take("virtual_host"); isHost && !found {
		db, found = cmp.Or(strings.Trim(host, "/"), "0"), true
	}
	if found {
		if _, err := strconv.ParseUint(db, 10, 16); err != nil {
			return errors.New("db= and virtual_host= must be the number of a database")
		}
		if isSocket(a.scheme) {
			a.query = append(a.query, option{"db", db})
		} else {
			a.path = "/" + db
		}
	}
	for _, t := range []struct {
		name string
		to   []string
	}{
		{"socket_timeout", []string{"read_timeout", "write_timeout"}}, {"socket_connect_timeout", []string{"dial_timeout"}},
	} {
		value, _ := a.take(t.name)
		seconds, err := strconv.ParseFloat(value, 64)
		if err != nil || !(seconds > 0 && seconds < 1e6) {
			continue // none, in Python's words
		}
		for _, name := range t.to {
			if !a.has(name) {
				a.query = append(a.query, option{name, time.Duration(seconds * float64(time.Second)).String()})
			}
		}
	}
	if a.has("credential_provider") {
		return errors.New("credential_provider: is Python code: give the password in the variable FORKBENCH_REDIS_PASSWORD")
	}
	a.query = slices.DeleteFunc(a.query, func(o option) bool { return slices.Contains(ofPython, o.name) })
	return nil
}

// ofPython are options of redis-py and kombu that change nothing of what a server
// answers.
var ofPython = []string{
	"health_check_interval", "socket_keepalive", "socket_keepalive_options", "socket_read_size", "retry_on_timeout", "retry_on_error",
	"max_connections", "timeout", "encoding", "encoding_errors", "decode_responses", "legacy_responses", "visibility_timeout", "heartbeat",
	"failover_strategy", "min_other_sentinels",
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
			return errNoMaster
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
