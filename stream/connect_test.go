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
	}
	for _, tt := range tests {
		got, err := parseURL(tt.url)
		if err != nil {
			t.Errorf("%s: %v", tt.url, err)
			continue
		}
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
	got, err := parseURL("redis://h?read_timeout=3s&pool_size=2&protocol=3")
	if err != nil {
		t.Fatal(err)
	}
	if o := got.single; o.ReadTimeout != 3*time.Second || o.WriteTimeout != ioTimeout || o.DialTimeout != dialTimeout || o.PoolSize != 2 {
		t.Errorf("options %+v: what the URL says must stand, the rest be filled in", o)
	}
}

func TestBadURL(t *testing.T) {
	tests := []struct{ url, text string }{
		{"", "must begin with redis://"},
		{"localhost:6379", "must begin with redis://"},
		{"user:secret@host", "must begin with redis://"},
		{"http://secret@h", `scheme "http"`},
		{"redis+http://h", `scheme "redis+http"`},
		{"unix+cluster:///tmp/x", `scheme "unix+cluster"`},
		{"unix://", "empty unix socket path"},
		{"redis://:secret@h/zero", "invalid database number"},
		{"redis://:secret@h:port", "not a URL"},
		{"redis://:sec/ret@h:1", "not a URL"},
		{"redis://:se%cret@h:1", "not a URL"},
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
		"unix:///x?db=1", "redis://h?pool_size=-5&min_idle_conns=9", "redis://:a/b@c", "redis://h?max_conn_age=-1&password=x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, url string) {
		got, err := parseURL(url)
		if err != nil {
			return
		}
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
	f.Fuzz(func(t *testing.T, user, password, host, query string) {
		// A mark around the secret tells it from the same letters elsewhere.
		const mark = "\x01"
		if strings.ContainsAny(user+host+query, mark+"@:") {
			return
		}
		for _, url := range []string{
			"redis://" + user + ":" + mark + password + mark + "@" + host + "?" + query,
			user + ":" + mark + password + mark + "@" + host,
			"redis+sentinel://" + host + "?password=" + mark + strings.NewReplacer("&", "", "@", "").Replace(password) + mark + "&" + query,
		} {
			if got := redact(url); strings.Contains(got, mark) {
				t.Errorf("redact(%q) = %q", url, got)
			}
		}
	})
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

	_, err = Connect(t.Context(), "rediss://127.0.0.1:"+tlsPort)
	wantError(t, "a certificate that nobody signed", err, nil, "certificate")
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
	_, err = Connect(t.Context(), "redis+sentinel://127.0.0.1:"+sentinelPort+"?master_name=other")
	wantError(t, "a master that it does not know", err, nil, "master other")
}

var _ redis.Error = replyError("")
