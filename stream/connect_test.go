package stream

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"forkbench/workload"
)

func TestParseURL(t *testing.T) {
	tests := []struct {
		url   string
		where string
		kind  string // of the options
		tls   bool
	}{
		{"redis://", "localhost:6379", "single", false},
		{"redis://u:p@h:1/2?read_timeout=3s", "h:1", "single", false},
		{"rediss://h", "h:6379", "single", true},
		{"unix:///tmp/r.sock?db=1", "/tmp/r.sock", "single", false},
		{"unix://u:p@/tmp/r.sock", "/tmp/r.sock", "single", false},
		{"redis://[::1]:7", "[::1]:7", "single", false},
		{"redis+cluster://h:1", "h:1 (cluster)", "cluster", false},
		{"rediss+cluster://h:1?addr=i:2", "h:1,i:2 (cluster)", "cluster", true},
		{"redis://h:1?addr=i:2&addr=j:3", "h:1,i:2,j:3 (cluster)", "cluster", false},
		{"redis+sentinel://h:1?master_name=m", "h:1 (Sentinel, master m)", "sentinel", false},
		{"rediss+sentinel://:p@h/2?master_name=m&addr=i:2", "h:6379,i:2 (Sentinel, master m)", "sentinel", true},
		{"redis://h:1?master_name=m&addr=i:2", "h:1,i:2 (Sentinel, master m)", "sentinel", false},
		// As Celery, RQ and redis-py write theirs.
		{"redis://:p@h:1//", "h:1", "single", false},
		{"REDIS://h", "h:6379", "single", false},
		{"valkeys://h", "h:6379", "single", true},
		{"redis://h/0?db=2&health_check_interval=30&socket_timeout=5&decode_responses=True&retry_on_timeout=True&max_connections=20", "h:6379", "single", false},
		{"rediss://:p@h:1/0?ssl_cert_reqs=CERT_NONE", "h:1", "single", true},
		{"redis://h?ssl_cert_reqs=required", "h:6379", "single", true},
		{"redis+socket:///tmp/r.sock?virtual_host=2", "/tmp/r.sock", "single", false},
		{"socket:///tmp/r.sock", "/tmp/r.sock", "single", false},
		{"redis+unix://:p@/tmp/r@1.sock", "/tmp/r@1.sock", "single", false},
		{"sentinel://:p@h:1;sentinel://i:2;sentinel://j?master_name=m", "h:1,i:2,j:26379 (Sentinel, master m)", "sentinel", false},
		{"sentinel://h/2?master_name=m", "h:26379 (Sentinel, master m)", "sentinel", false},
		{"redis+sentinel://h:1,i:2/m/0", "h:1,i:2 (Sentinel, master m)", "sentinel", false},
		{"redis+cluster://h:1,i:2", "h:1,i:2 (cluster)", "cluster", false},
		{"redis://:s%cret^pw{\"@h", "h:6379", "single", false},
	}
	for _, tt := range tests {
		all, err := parse(tt.url)
		if err != nil || len(all) != 1 {
			t.Errorf("%s: %d addresses, %v", tt.url, len(all), err)
			continue
		}
		got := all[0]
		var kind string
		var tls bool
		var protocol int
		switch {
		case got.single != nil:
			kind, tls, protocol = "single", got.single.TLSConfig != nil, got.single.Protocol
		case got.cluster != nil:
			kind, tls, protocol = "cluster", got.cluster.TLSConfig != nil, got.cluster.Protocol
		case got.sentinel != nil:
			kind, tls, protocol = "sentinel", got.sentinel.TLSConfig != nil, got.sentinel.Protocol
		}
		if got.where != tt.where || kind != tt.kind || tls != tt.tls || protocol != 2 {
			t.Errorf("%s: %s at %s, TLS %v, RESP%d; want %s at %s, TLS %v, RESP2", tt.url, kind, got.where, tls, protocol, tt.kind, tt.where, tt.tls)
		}
	}
	got, err := parse("redis://h?read_timeout=3s&pool_size=2&protocol=3")
	if err != nil {
		t.Fatal(err)
	}
	if o := got[0].single; o.ReadTimeout != 3*time.Second || o.WriteTimeout != ioTimeout || o.DialTimeout != dialTimeout || o.PoolSize != 2 {
		t.Errorf("options %+v: what the URL says must stand, the rest be filled in", o)
	}
}

func TestBadURL(t *testing.T) {
	tests := []struct{ url, text string }{
		{"", "must begin with redis://"},
		{"secret", "must begin with redis://"},
		{"redis://:secret", "not a URL"},
		{"redis://:123/secret@h", "not a URL"},
		{"redis://:123?secret@h", "not a URL"},
		{"redis://:123?a=secret@h", "not a URL"},
		{"redis://:123#secret@h", "not a URL"},
		{"redis://:secret@h:99999", "not a URL"},
		{"redis://:secret@h?password=secret&colour=secret", "colour"},
		{"redis://:secret@h?db=two&password=secret", "number of a database"},
		{"redis://:secret@h,i", "redis+cluster://"},
		{"redis+socket://tmp/x?password=secret", "redis+socket:///PATH"},
		{"redis+socket:///tmp/x?ssl_cert_reqs=none", "no TLS"},
		{"sentinel://:secret@h;redis://:secret@i", "some are not"},
		{"sentinel://:secret@h:1;sentinel://i:2", "master_name"},
		{"redis-sentinel://:secret@h", "redis+sentinel://HOST"},
		{"rediss-cluster://:secret@h", "redis+cluster://HOST"},
		{"redis+ssl://:secret@h", "write rediss://"},
		{"amqp://guest:secret@h//", "not Redis"},
		{"rediss://:secret@h?ssl_cert_reqs=sometimes", "none, optional or required"},
		{"rediss://:secret@h?ssl_ca_certs=/nowhere/ca.pem", "ssl_ca_certs=/nowhere/ca.pem: no such file"},
		{"rediss://:secret@h?ssl_certfile=/nowhere/c.pem", "ssl_certfile=/nowhere/c.pem: no such file"},
		{"rediss://:secret@h?ssl_keyfile=/nowhere/c.pem", "needs ssl_certfile"},
		{"rediss://:secret@h?ssl_password=secret", "ssl_password= is not taken"},
		{"redis://:secret@h?credential_provider=secret.Provider", "FORKBENCH_REDIS_PASSWORD"},
		{"redis://:secret@h;redis://:secret@i?colour=1", "colour"},
		{"localhost:6379", "must begin with redis://"},
		{"user:secret@host", "must begin with redis://"},
		{"http://secret@h", `scheme "http"`},
		{"redis+http://h", `scheme "redis+http"`},
		{"unix+cluster:///tmp/x", `scheme "unix+cluster"`},
		{"unix://", "empty unix socket path"},
		{"redis://:secret@h/zero", "invalid database number"},
		{"redis://:secret@h:port", "not a URL"},
		{"redis://:sec/ret@h:1", "not a URL"},
		{"redis://:secret@h?colour=red", "colour"},
		{"redis://:secret@h?pool_size=1025", "pool_size=1025"},
		{"redis://:secret@h?pool_size=-1", "pool_size=-1"},
		{"redis://:secret@h?min_idle_conns=99999999999", "min_idle_conns=99999999999"},
		{"redis+cluster://:secret@h?pool_size=99999999999", "pool_size=99999999999"},
		{"redis+cluster://:secret@h?read_only=true", "read_only"},
		{"redis+cluster://:secret@h?addr=x", "addr param"},
		{"redis+sentinel://:secret@h", "master_name"},
		{"redis+sentinel://h?master_name=m&password=secret&route_randomly=1", "route_randomly"},
		{"redis+sentinel://h?master_name=m&password=secret&pool_size=-2", "pool_size=-2"},
	}
	for _, tt := range tests {
		_, err := Connect(t.Context(), tt.url)
		wantError(t, tt.url, err, nil, "redis URL", tt.text)
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the password: %v", tt.url, err)
		}
	}
}

func FuzzURL(f *testing.F) {
	for _, seed := range []string{
		"redis://u:p@h:1/2", "rediss+cluster://h?addr=i:2", "redis+sentinel://h?master_name=m&max_retries=-1",
		"unix:///x?db=1", "redis://h?pool_size=-5&min_idle_conns=9", "sentinel://:p@h:1;sentinel://i?master_name=m", "redis+socket:///x?virtual_host=1",
		"rediss://h?ssl_cert_reqs=none&ssl_check_hostname=false", "redis://[::1%25eth0]:1/1,2;redis://h", "redis://:a/b@c", "redis://h?max_conn_age=-1&password=x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, url string) {
		all, err := parse(url)
		if err != nil {
			return
		}
		got := all[0]
		// Idle connections would be dialed at once.
		switch {
		case got.single != nil:
			got.single.MinIdleConns = 0
		case got.cluster != nil:
			got.cluster.MinIdleConns = 0
		case got.sentinel != nil:
			got.sentinel.MinIdleConns = 0
		}
		if err := got.client().Close(); err != nil { // must not panic
			t.Errorf("%q: %v", url, err)
		}
	})
}

func FuzzRedact(f *testing.F) {
	f.Add("u", "p", "h:1", "")
	f.Add("u@", "p/@?#", "h", "master_name=m")
	f.Add("", "1?db=1", "h", "db=1")
	f.Add("", "1;redis://h?x=1&y", "h", "")
	f.Fuzz(func(t *testing.T, user, password, host, query string) {
		// A mark around the secret tells it from the same letters elsewhere.
		const mark = "\x01"
		if strings.ContainsAny(user+host+query, mark+"@:") {
			return
		}
		for _, url := range []string{
			"redis://" + user + ":" + mark + password + mark + "@" + host + "?" + query,
			user + ":" + mark + password + mark + "@" + host,
			"redis://" + user + ":" + mark + password + mark + "@" + host + ";redis://" + host,
			"sentinel://" + host + ";sentinel://" + user + ":" + mark + password + mark + "@" + host + "?" + query,
			"redis+sentinel://" + host + "?password=" + mark + strings.NewReplacer("&", "", "@", "").Replace(password) + mark + "&" + query,
		} {
			if got := redact(url); strings.Contains(got, mark) {
				t.Errorf("redact(%q) = %q", url, got)
			}
			if err := Check(url); err != nil && strings.Contains(err.Error(), mark) {
				t.Errorf("%q: %v", url, err)
			}
		}
	})
}

// What an address says of the login and the database, in every form.
func TestLogin(t *testing.T) {
	for _, tt := range []struct {
		url, user, password string
		db                  int
	}{
		{"redis://u:p@h/2", "u", "p", 2},
		{"redis://h/1?db=2&username=u&password=p%2B%26", "u", "p+&", 2},
		{"redis://:first@h?password=second", "", "first", 0},
		{"redis://u@h?password=p", "u", "p", 0},
		{"redis://:a%2Fb%40c+d%zz%@h", "", "a/b@c+d%zz%", 0},
		{"redis://:a@b@h", "", "a@b", 0},
		{"unix://u:p@/s?db=3", "u", "p", 3},
		{"redis+socket://:p@/s?virtual_host=/4", "", "p", 4},
		{"redis+socket:///s?db=5&virtual_host=4", "", "", 5},
		{"redis+socket:///s?virtual_host=%2F", "", "", 0},
	} {
		all, err := parse(tt.url)
		if err != nil {
			t.Errorf("%s: %v", tt.url, err)
			continue
		}
		if o := all[0].single; o.Username != tt.user || o.Password != tt.password || o.DB != tt.db {
			t.Errorf("%s: %q, %q, database %d", tt.url, o.Username, o.Password, o.DB)
		}
	}
	for _, tt := range []struct {
		url, sentinel, password string
		db                      int
	}{
		{"redis+sentinel://:s@h/1?master_name=m&password=p", "s", "p", 1},
		{"redis://:s@h?master_name=m", "s", "", 0},
		{"sentinel://:p@h/1;sentinel://i/2?master_name=m", "", "p", 1}, // as in Celery, the first one's
		{"sentinel://:p@h?master_name=m&sentinel_password=s", "s", "p", 0},
	} {
		all, err := parse(tt.url)
		if err != nil {
			t.Errorf("%s: %v", tt.url, err)
			continue
		}
		if o := all[0].sentinel; o.SentinelPassword != tt.sentinel || o.Password != tt.password || o.DB != tt.db {
			t.Errorf("%s: the Sentinel's %q, the master's %q, database %d", tt.url, o.SentinelPassword, o.Password, o.DB)
		}
	}
	for url, want := range map[string]string{
		"redis://h":                                 "redis://h?password=p%2Fw",
		"redis://u@h/0?db=1#x":                      "redis://u@h/0?db=1&password=p%2Fw",
		"redis://:mine@h":                           "redis://:mine@h",
		"redis://h?password=mine":                   "redis://h?password=mine",
		"redis://h;redis://:mine@i":                 "redis://h?password=p%2Fw;redis://:mine@i",
		"redis+sentinel://:s@h?master_name=m":       "redis+sentinel://:s@h?master_name=m&password=p%2Fw",
		"localhost:6379":                            "localhost:6379",
		"sentinel://h:1;sentinel://i?master_name=m": "sentinel://h:1?password=p%2Fw;sentinel://i?master_name=m&password=p%2Fw",
	} {
		if got := WithPassword(url, "p/w"); got != want {
			t.Errorf("WithPassword(%s) = %s, want %s", url, got, want)
		}
	}
	// What Celery keeps in broker_transport_options.
	all, err := parse(WithOptions("sentinel://:p@h:1;sentinel://i:2/3#x", "master_name=m&sentinel_password=q"))
	if err != nil {
		t.Fatal(err)
	}
	if o := all[0].sentinel; len(all) != 1 || all[0].where != "h:1,i:2 (Sentinel, master m)" || o.Password != "p" || o.SentinelPassword != "q" {
		t.Errorf("%s: %+v", all[0].where, o)
	}
	if err := Check("sentinel://h:1"); !NeedsMaster(err) {
		t.Errorf("a Sentinel without a master: %v", err)
	}
}

// Of several addresses the first that answers is used, and one that answers with
// an error is not passed over.
func TestSeveralAddresses(t *testing.T) {
	ctx := t.Context()
	s := startRedis(t)
	nobody := "unix://" + filepath.Join(shortDir(t), "none.sock")
	c, err := Connect(ctx, nobody+";unix://"+s.socket+";"+nobody)
	if err != nil {
		t.Fatal(err)
	}
	defer wantClosed(t, c)
	if got := c.Describe(); !strings.HasSuffix(got, "at "+s.socket+" (of 3 addresses the first that answers) (yours)") {
		t.Errorf("Describe: %q", got)
	}
	if got := c.Chosen(); got != s.socket+" (of 3 addresses the first that answers)" {
		t.Errorf("Chosen: %q", got)
	}
	_, err = Connect(ctx, nobody+";"+nobody)
	wantError(t, "two that are not there", err, nil, "none.sock", "is it running?")
	if err := s.client.ConfigSet(ctx, "requirepass", "rightword").Err(); err != nil {
		t.Fatal(err)
	}
	_, err = Connect(ctx, "unix://:wrongword@"+s.socket+";"+nobody)
	wantError(t, "a wrong password at the first", err, nil, "check the user and the password")
	if err != nil && strings.Contains(err.Error(), "none.sock") {
		t.Errorf("the second was tried: %v", err)
	}
	c, err = Dial(ctx, WithPassword("redis+socket://"+s.socket+"?virtual_host=1", "rightword"))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Chosen(); got != "" {
		t.Errorf("Chosen of one: %q", got)
	}
	wantClosed(t, c)
}

func TestUnreachable(t *testing.T) {
	ctx := t.Context()
	port := freePort(t)
	missing := filepath.Join(shortDir(t), "none.sock")
	for _, tt := range []struct{ url, host string }{
		{"redis://:secret@127.0.0.1:" + port, "127.0.0.1:" + port},
		{"rediss://:secret@127.0.0.1:" + port, "127.0.0.1:" + port},
		{"unix://:secret@" + missing, missing},
		{"redis+cluster://:secret@127.0.0.1:" + port, "127.0.0.1:" + port},
		{"redis+sentinel://:secret@127.0.0.1:" + port + "?master_name=m", "127.0.0.1:" + port},
	} {
		_, err := Connect(ctx, tt.url)
		wantError(t, tt.url, err, nil, "redis at "+tt.host)
		if !strings.Contains(tt.url, "sentinel") {
			wantError(t, tt.url, err, nil, "is it running?")
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// The errors of a server that answers, but not as one would like.
func TestServerErrors(t *testing.T) {
	s := startRedis(t)
	ctx := t.Context()
	config := func(key, value string) {
		if err := s.client.ConfigSet(ctx, key, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	connect := func(user string) (*Server, error) {
		c, err := Connect(ctx, "unix://"+user+s.socket)
		if err == nil {
			t.Cleanup(func() { wantClosed(t, c) })
		}
		return c, err
	}

	st := enqueued(t, s, 10)
	g := group(t, st, "g")
	config("maxmemory", "1mb")
	_, err := st.Enqueue(ctx, slices.Values([]workload.Job{{ID: 10}}))
	wantError(t, "memory full", err, nil, "OOM", "maxmemory", "fewer jobs")
	config("maxmemory", "0")

	if err := s.client.SlaveOf(ctx, "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	_, err = g.Read(ctx, 1)
	wantError(t, "replica", err, nil, "READONLY", "needs its master")
	if err := s.client.SlaveOf(ctx, "no", "one").Err(); err != nil {
		t.Fatal(err)
	}
	read(t, g, 1)

	if err := s.client.Do(ctx, "acl", "setuser", "guest", "on", ">guestword", "~*", "+ping", "+info").Err(); err != nil {
		t.Fatal(err)
	}
	guest, err := connect("guest:guestword@")
	if err != nil {
		t.Fatal(err)
	}
	_, err = guest.Create(ctx, "x")
	wantError(t, "a user without rights", err, nil, "NOPERM", "may not")

	config("requirepass", "rightword")
	for _, user := range []string{"", ":wrongword@", "guest:wrongword@", "nobody:wrongword@"} {
		_, err := connect(user)
		wantError(t, "connecting as "+user, err, nil, s.socket, "check the user and the password")
		if err != nil && strings.Contains(err.Error(), "wrongword") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
	if _, err := connect(":rightword@"); err != nil {
		t.Errorf("with the right password: %v", err)
	}
}

func TestTLS(t *testing.T) {
	dir := shortDir(t)
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key)
	tlsPort := freePort(t)
	startRedis(t, "--tls-port", tlsPort, "--bind", "127.0.0.1",
		"--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
	s, err := Connect(t.Context(), "rediss://127.0.0.1:"+tlsPort+"?skip_verify=true")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	read(t, group(t, enqueued(t, s, 3), "g"), 3)

	for _, options := range []string{
		"?ssl_cert_reqs=CERT_NONE", "?ssl_cert_reqs=none", "?ssl_cert_reqs=required&ssl_check_hostname=false&ssl_ca_certs=" + cert,
		"?ssl_check_hostname=false&ssl_ca_certs=" + cert + "&ssl_certfile=" + cert + "&ssl_keyfile=" + key,
	} {
		for _, scheme := range []string{"rediss", "redis"} { // as in Celery, they are for TLS
			s, err := Dial(t.Context(), scheme+"://127.0.0.1:"+tlsPort+options)
			if err != nil {
				t.Errorf("%s: %v", options, err)
				continue
			}
			wantClosed(t, s)
		}
	}
	_, err = Connect(t.Context(), "rediss://127.0.0.1:"+tlsPort)
	wantError(t, "a certificate that nobody signed", err, nil, "certificate", "ssl_")
	_, err = Connect(t.Context(), "rediss://127.0.0.1:"+tlsPort+"?ssl_check_hostname=false")
	wantError(t, "a certificate that nobody signed", err, nil, "certificate")
	_, err = Connect(t.Context(), "rediss://127.0.0.1:"+tlsPort+"?ssl_ca_certs="+cert)
	wantError(t, "a certificate without a name", err, nil, "certificate", "ssl_check_hostname=false")
	_, err = Connect(t.Context(), "redis://127.0.0.1:"+tlsPort)
	wantError(t, "no TLS to a server with it", err, nil, "hung up", "rediss://")
}

func writeCertificate(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// In a cluster a pipeline works only if all its keys live in one slot.
func TestCluster(t *testing.T) {
	port := freePort(t)
	node := startRedis(t, "--port", port, "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-port", freePort(t),
		"--dir", shortDir(t))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := node.client.Do(ctx, "cluster", "addslotsrange", 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	// A node waits for two seconds before it takes a cluster to be whole.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		info, err := node.client.ClusterInfo(ctx).Result()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(info, "cluster_state:ok") {
			break
		}
		<-tick.C
	}
	s, err := Connect(ctx, "redis+cluster://127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Describe(); !strings.HasSuffix(got, "at 127.0.0.1:"+port+" (cluster) (yours)") {
		t.Errorf("Describe: %q", got)
	}
	st := enqueued(t, s, 1000)
	g := group(t, st, "g")
	for range 9 {
		if err := g.Settle(ctx, done(read(t, g, 100))); err != nil {
			t.Fatal(err)
		}
	}
	read(t, g, 100)
	if jobs, err := g.With(Config{MaxAttempts: -1}).Reclaim(ctx, 0, 1000); len(jobs) != 0 || err != nil {
		t.Errorf("Reclaim: %d jobs, %v", len(jobs), err)
	}
	wantCounts(t, g, Counts{Enqueued: 1000, Delivered: 1000, Settled: 900, Dead: 100})
	stats, err := s.Stats(ctx)
	if err != nil || !stats.CPUKnown || stats.CPU.Total() <= 0 || stats.Commands < 1000 {
		t.Errorf("Stats: %+v, %v", stats, err)
	}
	if err := st.Delete(ctx); err != nil {
		t.Error(err)
	}
	if n, err := node.client.DBSize(ctx).Result(); n != 0 || err != nil {
		t.Errorf("%d keys left, %v", n, err)
	}
}

func TestNoCluster(t *testing.T) {
	port := freePort(t)
	startRedis(t, "--port", port, "--bind", "127.0.0.1")
	_, err := Connect(t.Context(), "redis+cluster://127.0.0.1:"+port)
	wantError(t, "a server that is no cluster", err, nil, "begin the URL with redis://")
}

func TestSentinel(t *testing.T) {
	path := redisPath(t)
	port, sentinelPort := freePort(t), freePort(t)
	startRedis(t, "--port", port, "--bind", "127.0.0.1")
	conf := filepath.Join(shortDir(t), "sentinel.conf")
	if err := os.WriteFile(conf, []byte("sentinel monitor main 127.0.0.1 "+port+" 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	startServer(t, "sentinel", func(socket string) (*exec.Cmd, func(), error) {
		cmd := exec.Command(path, conf, "--sentinel", "--port", sentinelPort, "--bind", "127.0.0.1", "--unixsocket", socket)
		return cmd, terminate(cmd), nil
	})
	s, err := Connect(t.Context(), "redis+sentinel://127.0.0.1:"+sentinelPort+"?master_name=main")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, want := s.Describe(), fmt.Sprintf("at 127.0.0.1:%s (Sentinel, master main) (yours)", sentinelPort); !strings.HasSuffix(got, want) {
		t.Errorf("Describe: %q; want it to end in %q", got, want)
	}
	g := group(t, enqueued(t, s, 10), "g")
	if err := g.Settle(t.Context(), done(read(t, g, 10))); err != nil {
		t.Error(err)
	}
	wantCounts(t, g, Counts{Enqueued: 10, Delivered: 10, Settled: 10})
	stats, err := s.Stats(t.Context())
	if err != nil || !stats.CPUKnown || stats.Commands == 0 {
		t.Errorf("Stats: %+v, %v", stats, err)
	}
	// Several, as Celery has them, of which one is not there.
	c, err := Dial(t.Context(), "sentinel://127.0.0.1:"+freePort(t)+";sentinel://127.0.0.1:"+sentinelPort+"/1?master_name=main")
	if err != nil {
		t.Fatal(err)
	}
	wantClosed(t, c)
	_, err = Connect(t.Context(), "redis+sentinel://127.0.0.1:"+sentinelPort+"?master_name=other")
	wantError(t, "a master that it does not know", err, nil, "master other")
}

var _ redis.Error = replyError("")
