package stream

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// An address is one of a text's addresses, in its parts. It is read as Celery and
// redis-py read theirs: a password may hold whatever does not end it, and a % that
// begins no escape stands for itself.
type address struct {
	scheme         string // in lower case
	user, password string // before the host
	hosts          []string
	path           string // with its first slash
	query          []option
}

// An option is one of those after the question mark.
type option struct{ name, value string }

// errNotURL holds no piece of the text: it might be one of a password.
var errNotURL = errors.New("is not a URL: characters like / # ? @ in a password must be written as %2F and so on")

var begin = regexp.MustCompile(`(?i);[a-z][a-z0-9+.-]*://`)

// apart is a text's addresses: Celery takes several, with semicolons between
// them.
func apart(text string) []string {
	var parts []string
	for {
		at := begin.FindStringIndex(text)
		if at == nil {
			return append(parts, text)
		}
		parts, text = append(parts, text[:at[0]]), text[at[0]+1:]
	}
}

func parseAddress(text string) (address, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return address{}, errors.New("must begin with redis://, rediss:// or unix://")
	}
	a := address{scheme: strings.ToLower(scheme)}
	rest, fragment, _ := strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	hosts, path, slash := strings.Cut(rest, "/")
	if slash {
		a.path = "/" + unescaped(path, false)
	}
	credentials := ""
	if i := strings.LastIndexByte(hosts, '@'); i >= 0 {
		credentials, hosts = hosts[:i], hosts[i+1:]
	}
	user, password, _ := strings.Cut(credentials, ":")
	a.user, a.password = unescaped(user, false), unescaped(password, false)
	for pair := range strings.SplitSeq(query, "&") {
		name, value, found := strings.Cut(pair, "=")
		if pair == "" {
			continue
		}
		if !found || !optionName.MatchString(name) {
			return a, errNotURL
		}
		a.query = append(a.query, option{name, unescaped(value, true)})
	}
	// An @ further on is the end of a password that was cut off.
	if strings.ContainsRune(fragment, '@') || !isSocket(a.scheme) && !database.MatchString(path) {
		return a, errNotURL
	}
	for _, o := range a.query {
		if strings.ContainsRune(o.value, '@') && !strings.Contains(o.name, "password") && !strings.Contains(o.name, "username") {
			return a, errNotURL
		}
	}
	for host := range strings.SplitSeq(hosts, ",") {
		host, err := hostPort(host)
		if err != nil {
			return a, err
		}
		if host != "" {
			a.hosts = append(a.hosts, host)
		}
	}
	return a, nil
}

// unescaped reads percent escapes as Python does: what is none stands for itself.
func unescaped(text string, plus bool) string {
	if plus {
		text = strings.ReplaceAll(text, "+", " ")
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if n, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

var (
	database   = regexp.MustCompile(`^[\pL\pN._/-]*$`) // or a master's name
	optionName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

	hostName = regexp.MustCompile(`^[\pL\pN._-]*$`)
	hostIP   = regexp.MustCompile(`^\[[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?\]$`)
)

// hostPort checks a host and its port, both of which may be left out.
func hostPort(text string) (string, error) {
	host, port := text, ""
	if i := strings.LastIndexByte(text, ':'); i >= 0 && !strings.HasSuffix(text, "]") {
		host, port = text[:i], text[i+1:]
	}
	if !hostName.MatchString(host) && !hostIP.MatchString(host) {
		return "", errNotURL
	}
	if port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", errNotURL
		}
	}
	return strings.TrimSuffix(text, ":"), nil
}

// withPort is a host with its port.
func withPort(host, port string) string {
	if h, p, err := net.SplitHostPort(host); err == nil {
		return net.JoinHostPort(orLocal(h), p)
	}
	return net.JoinHostPort(orLocal(strings.Trim(host, "[]")), port)
}

func orLocal(host string) string {
	if host == "" {
		return "localhost"
	}
	return host
}

// take removes options of a name, and returns the last one's value.
func (a *address) take(name string) (value string, found bool) {
	a.query = slices.DeleteFunc(a.query, func(o option) bool {
		if o.name == name {
			value, found = o.value, true
		}
		return o.name == name
	})
	return value, found
}

func (a *address) has(name string) bool {
	return slices.ContainsFunc(a.query, func(o option) bool { return o.name == name })
}

// url is what go-redis parses: without anything that is secret.
func (a *address) url(scheme string) string {
	q := make(url.Values)
	for _, o := range a.query {
		q.Add(o.name, o.value)
	}
	u := url.URL{Scheme: scheme, Path: a.path, RawQuery: q.Encode()}
	if len(a.hosts) > 0 {
		u.Host = a.hosts[0]
	}
	return u.String()
}

// shown are the options whose values cannot be secret.
var shown = regexp.MustCompile(`^(db|virtual_host|master_name|addr|protocol|ssl_cert_reqs|ssl_check_hostname|skip_verify|[a-z_]+_(timeout|interval|size|conns))$`)

var schemeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*$`)

// redact is the text without users and passwords. Of what cannot be read as
// addresses nothing is shown but how it begins: any of it may be a password.
func redact(text string) string {
	scheme, _, ok := strings.Cut(text, "://")
	if !ok || !schemeName.MatchString(scheme) {
		if host, err := hostPort(text); err == nil && strings.Contains(host, ":") {
			return text
		}
		return "***"
	}
	var parts []string
	for _, part := range apart(text) {
		a, err := parseAddress(part)
		if err != nil {
			return scheme + "://***"
		}
		parts = append(parts, a.String())
	}
	return strings.Join(parts, ";")
}

// String is the address without user and password.
func (a *address) String() string {
	var b strings.Builder
	b.WriteString(a.scheme + "://")
	if a.user != "" || a.password != "" {
		b.WriteString("***@")
	}
	b.WriteString(strings.Join(a.hosts, ",") + a.path)
	for i, o := range a.query {
		if !shown.MatchString(o.name) {
			o.value = "***"
		}
		fmt.Fprintf(&b, "%c%s=%s", "?&"[min(i, 1)], o.name, o.value)
	}
	return b.String()
}

func isSocket(scheme string) bool {
	return scheme == "unix" || scheme == "socket" || scheme == "redis+socket" || scheme == "redis+unix"
}

// refused says what to write in place of an address whose scheme is not taken.
func refused(scheme string) error {
	const take = "must be redis, rediss or unix, or one of redis+cluster, redis+sentinel, redis+socket, sentinel"
	switch scheme {
	case "amqp", "amqps", "pyamqp", "librabbitmq", "sqs", "memory", "filesystem", "mongodb", "kafka", "pulsar", "gcpubsub", "zookeeper", "sqla", "db":
		return fmt.Errorf("scheme %q: that broker is not Redis: only queues in Redis can be read", scheme)
	case "redis-sentinel", "rediss-sentinel", "redis+sentinels", "sentinels":
		return fmt.Errorf("scheme %q: write redis+sentinel://HOST:26379?master_name=NAME, or rediss+sentinel:// with TLS", scheme)
	case "redis-cluster", "rediss-cluster", "rediscluster":
		return fmt.Errorf("scheme %q: write redis+cluster://HOST:6379, or rediss+cluster:// with TLS", scheme)
	case "redis-socket", "redis+file", "file":
		return fmt.Errorf("scheme %q: write unix:///PATH?db=0", scheme)
	case "redis+ssl", "redis+tls", "redis-ssl", "tls":
		return fmt.Errorf("scheme %q: write rediss://", scheme)
	}
	return fmt.Errorf("scheme %q: %s", scheme, take)
}
