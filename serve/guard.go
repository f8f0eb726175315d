package serve

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"strings"
)

// What keeps others out, outermost first: which host was asked for (a page of another
// site cannot make a browser ask for ours by a name of its own, which is DNS rebinding),
// the token, whether another site's page asks for a change, and how much is sent.

// allowHosts says which hosts may be asked for at an address: those of loopback, the
// address itself, which is no name that could lead elsewhere, and the ones that the
// operator named, with the port or, where it is the default one, without.
func (s *Server) allowHosts(addr net.Addr) {
	own, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return // it has no port: a pipe, of a test
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	hosts := append([]string{"localhost", "127.0.0.1", "[::1]"}, s.options.Hosts...)
	if ip := net.ParseIP(own); ip != nil && !ip.IsUnspecified() {
		if ip.To4() == nil {
			own = "[" + own + "]"
		}
		hosts = append(hosts, own)
	}
	for _, host := range hosts {
		host = strings.ToLower(host)
		s.hosts[host+":"+port] = true
		if port == "80" || port == "443" {
			s.hosts[host] = true
		}
	}
	for _, host := range s.options.Hosts { // behind a proxy, or on a port of its own
		s.hosts[strings.ToLower(host)] = true
	}
}

func (s *Server) hostAllowed(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hosts[strings.ToLower(host)]
}

// policy lets a page load nothing but what this service has, and be in no other's frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// guarded puts everything around the service that keeps others out.
func (s *Server) guarded(h http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, &httpError{http.StatusForbidden, "the page of another site asked for this"})
	}))
	inner := cross.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		h.ServeHTTP(w, r)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("X-Frame-Options", "DENY")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cross-Origin-Opener-Policy", "same-origin")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		switch {
		case !s.hostAllowed(r.Host):
			writeProblem(w, Problem{Title: http.StatusText(http.StatusMisdirectedRequest), Status: http.StatusMisdirectedRequest,
				Detail: "this host is not one of this service's: whoever starts it allows a name by --host"})
		case !s.login.passes(r) && !s.open(r):
			s.refuse(w, r)
		default:
			inner.ServeHTTP(w, r)
		}
	})
}

// open reports whether a request needs no token: what the way in needs, and whether
// the service lives.
func (s *Server) open(r *http.Request) bool {
	return r.URL.Path == "/login" || r.URL.Path == "/healthz" || strings.HasPrefix(r.URL.Path, "/static/")
}

// refuse sends people to the way in, and tells programs what is missing.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	s.fail(w, r, &httpError{http.StatusUnauthorized, "a token is missing, or is another one: Authorization: Bearer TOKEN"})
}

const (
	leastToken = 16 // characters
	cookieName = "forkbench"
)

// A login knows who has the token: programs send it with each request, and browsers
// have a cookie for it, which another service cannot use and which ends with this one.
type login struct {
	token   [sha256.Size]byte
	cookie  string
	without bool // there is no token
}

func newLogin(token string) *login {
	mac := hmac.New(sha256.New, []byte(rand.Text()))
	mac.Write([]byte(token))
	return &login{token: sha256.Sum256([]byte(token)), cookie: hex.EncodeToString(mac.Sum(nil)), without: token == ""}
}

// is reports whether it is the token, in a time that does not tell how much of it is.
func (l *login) is(token string) bool {
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(sum[:], l.token[:]) == 1
}

func (l *login) passes(r *http.Request) bool {
	if l.without {
		return true
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return l.is(token)
	}
	c, err := r.Cookie(cookieName)
	return err == nil && subtle.ConstantTimeCompare([]byte(c.Value), []byte(l.cookie)) == 1
}

// signIn takes the token from the page of the way in.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return &httpError{http.StatusBadRequest, err.Error()}
	}
	if !s.login.is(r.PostForm.Get("token")) || s.login.without {
		s.show(w, http.StatusUnauthorized, "login.html", view{Title: "Sign in", Wrong: true})
		return nil
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: s.login.cookie, Path: "/", HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}
