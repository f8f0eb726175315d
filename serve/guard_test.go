package serve_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"forkbench/serve"
)

// DNS rebinding: a page of evil.example has its own name lead to this machine.
func TestForeignHostIsRefused(t *testing.T) {
	x := begin(t, serve.Options{Runs: true, Hosts: []string{"bench.example.org"}})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(x.url, "http://"))
	for host, want := range map[string]int{
		"127.0.0.1:" + port: 200, "localhost:" + port: 200, "LOCALHOST:" + port: 200, "[::1]:" + port: 200, "bench.example.org": 200, "bench.example.org:" + port: 200,
		"evil.example": 421, "evil.example:" + port: 421, "localhost.evil.example:" + port: 421, "localhost:1": 421, "localhost": 421,
		"xbench.example.org": 421, "bench.example.org.evil.example": 421, "127.0.0.1.nip.io:" + port: 421,
	} {
		for _, method := range []string{"GET", "POST", "DELETE", "PUT", "OPTIONS"} {
			a := x.do(method, "/api/v1/runs", quick, "Host: "+host, isJSON)
			if (a.status == 421) != (want == 421) {
				t.Errorf("%s of host %q: %d", method, host, a.status)
			}
		}
	}
}

// A page of another site can have a browser send requests; none may change anything.
func TestCrossSiteRequestsAreRefused(t *testing.T) {
	x := begin(t, serve.Options{Runs: true})
	name := x.start(quick)
	x.until(name, serve.Done)
	form := "Content-Type: application/x-www-form-urlencoded"
	for _, c := range []struct{ method, path, body, kind string }{
		{"POST", "/api/v1/runs", quick, isJSON},
		{"POST", "/api/v1/runs", quick, "Content-Type: text/plain"},
		{"POST", "/start", "kind=comparison&workload=noop", form},
		{"POST", "/runs/" + name + "/delete", "", form},
		{"POST", "/api/v1/runs/" + name + "/cancel", "", form},
		{"DELETE", "/api/v1/runs/" + name, "", isJSON},
		{"POST", "/login", "token=x", form},
	} {
		for _, from := range [][]string{
			{"Sec-Fetch-Site: cross-site"}, {"Sec-Fetch-Site: same-site"}, {"Origin: https://evil.example"}, {"Origin: null"}, {"Origin: http://127.0.0.1:1"},
		} {
			if a := x.do(c.method, c.path, c.body, append(from, c.kind)...); a.status != http.StatusForbidden {
				t.Errorf("%s %s from %s: %d", c.method, c.path, from, a.status)
			}
		}
	}
	if s := x.run(name).State; s != serve.Done {
		t.Errorf("the run is %s", s)
	}
	// No site is told that it may read.
	if a := x.do("GET", "/api/v1/runs", "", "Origin: https://evil.example"); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", a.header)
	}
	if a := x.do("POST", "/api/v1/runs", quick, "Content-Type: text/plain"); a.status != http.StatusUnsupportedMediaType {
		t.Errorf("a form's text is taken for JSON: %d", a.status)
	}
}

func TestToken(t *testing.T) {
	const token = "0123456789abcdef0123"
	x := begin(t, serve.Options{Runs: true, Token: token})
	for _, path := range []string{"/", "/start", "/docs", "/diff", "/metrics", "/runs/x", "/api/v1/runs", "/api/v1/runs/x", "/api/v1/runs/x/events", "/api/v1/diff", "/api/v1/openapi.json", "/nothing"} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"} {
			if a := x.do(method, path, ""); a.status != http.StatusUnauthorized {
				t.Errorf("%s %s without a token: %d", method, path, a.status)
			}
			if path != "/api/v1/runs" {
				continue
			}
			for _, with := range []string{"Authorization: Bearer ", "Authorization: Bearer " + token[:19], "Authorization: Bearer " + token + "x", "Authorization: Basic " + token, "Cookie: forkbench=" + token, "Cookie: forkbench="} {
				if a := x.do(method, path, "", with); a.status != http.StatusUnauthorized {
					t.Errorf("%s %s with %s: %d", method, path, with, a.status)
				}
			}
		}
	}
	if a := x.do("GET", "/api/v1/runs?token="+token, ""); a.status != http.StatusUnauthorized {
		t.Errorf("a token in the query: %d", a.status)
	}
	if a := x.do("GET", "/healthz", ""); a.status != 200 {
		t.Errorf("healthz: %d", a.status)
	}
	if a := x.do("GET", "/api/v1/runs", "", "Authorization: Bearer "+token); a.status != 200 {
		t.Errorf("with the token: %d", a.status)
	}
	if a := x.do("GET", "/", "", "Accept: text/html"); a.status != http.StatusSeeOther || a.header.Get("Location") != "/login" {
		t.Errorf("a browser is not sent to the way in: %d %v", a.status, a.header)
	}
	form := "Content-Type: application/x-www-form-urlencoded"
	if a := x.do("POST", "/login", "token=wrong", form); a.status != http.StatusUnauthorized || a.header.Get("Set-Cookie") != "" {
		t.Errorf("%d %v", a.status, a.header)
	}
	a := x.do("POST", "/login", "token="+url.QueryEscape(token), form)
	cookie := a.header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
		if a.status != http.StatusSeeOther || !strings.Contains(cookie, want) {
			t.Errorf("%d, cookie %q lacks %s", a.status, cookie, want)
		}
	}
	value, _, _ := strings.Cut(cookie, ";")
	if strings.Contains(value, token) {
		t.Error("the cookie is the token")
	}
	if a := x.do("GET", "/", "", "Cookie: "+value); a.status != 200 {
		t.Errorf("with the cookie: %d", a.status)
	}
	if _, err := serve.New(serve.Options{Dir: t.TempDir(), Token: "short"}); err == nil {
		t.Error("a token of 5 characters is taken")
	}
}

func TestHeaders(t *testing.T) {
	x := begin(t, serve.Options{})
	for _, path := range []string{"/", "/docs", "/nothing", "/api/v1/runs", "/static/style.css"} {
		h := x.do("GET", path, "").header
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: the policy is %q", path, csp)
		}
	}
}

func TestPathsStayInTheDirectory(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "runs")
	for _, d := range []string{dir, filepath.Join(top, "outside"), filepath.Join(dir, "run"), filepath.Join(dir, "notarun")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"outside/summary.json": "{}", "outside/secret.json": "s3cret", "runs/run/summary.json": "{}", "runs/secret.json": "s3cret", "runs/notarun/notes.md": "s3cret", "runs/run/.hidden.json": "s3cret"} {
		if err := os.WriteFile(filepath.Join(top, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{"runs/link": "../outside", "runs/run/secret.json": "../../outside/secret.json", "runs/run/passwd.log": "/etc/passwd"} {
		if err := os.Symlink(to, filepath.Join(top, from)); err != nil {
			t.Fatal(err)
		}
	}
	x := begin(t, serve.Options{Dir: dir})
	for _, run := range []string{"..", "%2e%2e", "..%2foutside", "%2e%2e%2foutside", "run%2f..%2f..%2foutside", "link", "notarun", ".", "%00", "run%00", "~", "", "/etc", "%2fetc", strings.Repeat("a", 300), ".serve.lock", "run%5c..", "%ff"} {
		for _, c := range [][2]string{{"GET", ""}, {"GET", "/summary"}, {"GET", "/events"}, {"GET", "/files/secret.json"}, {"DELETE", ""}, {"POST", "/cancel"}} {
			if a := x.do(c[0], "/api/v1/runs/"+run+c[1], ""); a.status < 400 && !(run == "" && c == [2]string{"GET", ""}) && a.status != 307 && a.status != 301 || strings.Contains(a.body, "s3cret") {
				t.Errorf("%s %s%s: %d: %s", c[0], run, c[1], a.status, a.body)
			}
		}
	}
	for _, file := range []string{"secret.json", "passwd.log", ".hidden.json", "..%2fsecret.json", "%2e%2e%2fsecret.json", "..%2f..%2foutside%2fsecret.json", "%2fetc%2fpasswd", "state.json%00.log", ""} {
		if a := x.do("GET", "/api/v1/runs/run/files/"+file, ""); a.status != http.StatusNotFound || strings.Contains(a.body, "s3cret") || strings.Contains(a.body, "root:") {
			t.Errorf("%s: %d: %s", file, a.status, a.body)
		}
	}
	for _, file := range []string{"..%2fserve.go", "list.html", "%2e%2e%2fopenapi.json", "style.css%00"} {
		if a := x.do("GET", "/static/"+file, ""); a.status != http.StatusNotFound {
			t.Errorf("%s: %d: %s", file, a.status, a.body)
		}
	}
	for _, name := range []string{"outside/secret.json", "runs/notarun/notes.md", "runs/run/summary.json", "runs/secret.json"} {
		if _, err := os.Stat(filepath.Join(top, name)); err != nil {
			t.Error(err)
		}
	}
}

// No request names code, a file, or another program's options.
func TestNoRequestNamesCode(t *testing.T) {
	allowed := serve.Target{Name: "mail", Args: []string{"--workload=py:app.tasks:send_mail", "--setup=app:create"}}
	x := begin(t, serve.Options{Runs: true, Targets: []serve.Target{allowed}})
	for _, request := range []string{
		`{"kind":"comparison","workload":"py:os:system"}`,
		`{"kind":"comparison","workload":"jobs:/etc/passwd"}`,
		`{"kind":"comparison","workload":"50%noop,50%py:os:system"}`,
		`{"kind":"comparison","workload":"touch:60GB"}`,
		`{"kind":"comparison","workload":"hang:1"}`,
		`{"kind":"comparison","workload":"noop --python=/bin/sh"}`,
		`{"kind":"comparison","workload":"noop\n--out=/tmp/x"}`,
		`{"kind":"comparison","workload":""}`,
		`{"kind":"comparison","workload":"noop","models":["hybrid(warm=os:system)"]}`,
		`{"kind":"comparison","workload":"noop","models":["--python=/bin/sh"]}`,
		`{"kind":"comparison","workload":"noop","arrivals":"trace:/etc/passwd"}`,
		`{"kind":"comparison","workload":"noop","arrivals":"jobs:/etc/passwd"}`,
		`{"kind":"comparison","workload":"noop","profile":"/etc/passwd"}`,
		`{"kind":"simulation","profile":"/etc/passwd"}`,
		`{"kind":"simulation","profile":"../../etc/passwd"}`,
		`{"kind":"simulation","workload":"noop"}`,
		`{"kind":"--help"}`,
		`{"kind":"comparison","workload":"noop","jobs":-1}`,
		`{"kind":"comparison","workload":"noop","jobs":100000000}`,
		`{"kind":"comparison","workload":"noop","workers":100000}`,
		`{"kind":"comparison","workload":"noop","rounds":100000}`,
		`{"kind":"comparison","workload":"noop","tags":["<script>"]}`,
		`{"kind":"comparison","workload":"noop","commit":"../.."}`,
	} {
		a := x.do("POST", "/api/v1/runs", request, isJSON)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `"errors"`) {
			t.Errorf("%s: %d: %s", request, a.status, a.body)
		}
	}
	for _, request := range []string{`{"kind":"comparison","workload":"noop","python":"/bin/sh"}`, `{"kind":"comparison","workload":"noop","args":["--python=x"]}`, `[]`, `{`, `{} {}`, ``, `{"jobs":"many"}`} {
		if a := x.do("POST", "/api/v1/runs", request, isJSON); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d: %s", request, a.status, a.body)
		}
	}
	var list serve.RunList
	if x.read(x.do("GET", "/api/v1/runs", ""), &list); len(list.Runs) > 0 {
		t.Errorf("there are runs: %+v", list)
	}

	// What is allowed runs by its name, with the operator's arguments.
	name := x.start(`{"kind":"comparison","workload":"mail","jobs":24,"workers":2,"rounds":2,"models":["prefork","hybrid"],"arrivals":"poisson:20/s","seed":7}`)
	d := x.until(name, serve.Done)
	if d.Workload != "mail" {
		t.Errorf("%+v", d.Run)
	}
	args, err := os.ReadFile(filepath.Join(x.dir, name, "args.json"))
	want := fmt.Sprintf(`["--workload=py:app.tasks:send_mail" "--setup=app:create" "--timeout=1m" "--max-duration=10m" "--jobs=24" "--workers=2" "--rounds=2" "--model=prefork,hybrid" "--arrivals=poisson:20/s" "--seed=7" "--out=%s" "--force" "--format=text"]`,
		filepath.Join(x.dir, name))
	if err != nil || string(args) != want {
		t.Errorf("%v: it was run as\n%s, want\n%s", err, args, want)
	}
}

// Without being allowed, nothing is run for real; a run that was allowed to wait is not
// made by a service that does not allow it.
func TestRunsMustBeAllowed(t *testing.T) {
	x := begin(t, serve.Options{})
	if a := x.do("POST", "/api/v1/runs", quick, isJSON); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "--allow-runs") {
		t.Errorf("%d: %s", a.status, a.body)
	}
	x.until(x.start(`{"kind":"simulation","jobs":24}`), serve.Done)
	x.stop()
	run := filepath.Join(x.dir, "waits")
	if err := os.Mkdir(run, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"state.json": `{"state":"queued"}`, "request.json": quick} {
		if err := os.WriteFile(filepath.Join(run, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	y := begin(t, serve.Options{Dir: x.dir})
	if d := y.until("waits", serve.Failed); !strings.Contains(d.Error, "--allow-runs") {
		t.Errorf("%+v", d.Run)
	}
}

func TestLargeRequestsAreRefused(t *testing.T) {
	x := begin(t, serve.Options{Runs: true})
	if a := x.do("POST", "/api/v1/runs", `{"kind":"`+strings.Repeat("x", 1<<20)+`"}`, isJSON); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("%d: %s", a.status, a.body)
	}
	if a := x.do("POST", "/start", "kind="+strings.Repeat("x", 1<<20), "Content-Type: application/x-www-form-urlencoded"); a.status < 400 || a.status >= 500 {
		t.Errorf("%d: %s", a.status, a.body)
	}
	if a := x.do("GET", "/", "", "X-Large: "+strings.Repeat("x", 1<<20)); a.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%d", a.status)
	}
}

// Whoever sends nothing, or slowly, is cut off, and hinders nobody else meanwhile.
func TestSlowClients(t *testing.T) {
	x := begin(t, serve.Options{Runs: true}, func(s *serve.Server) { s.SetPatience(200 * time.Millisecond) })
	for _, begins := range []string{
		"", "POST /api/v1/runs HTTP/1.1\r\nHost: local", "POST /api/v1/runs HTTP/1.1\r\nHost: " + strings.TrimPrefix(x.url, "http://") + "\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{",
	} {
		c, err := net.Dial("tcp", strings.TrimPrefix(x.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := c.Write([]byte(begins)); err != nil {
			t.Fatal(err)
		}
		if a := x.do("GET", "/healthz", ""); a.status != 200 {
			t.Errorf("%d", a.status)
		}
		if _, err := io.Copy(io.Discard, c); err != nil { // it ends when the server closes it
			t.Errorf("%q: %v", begins, err)
		}
	}
}

// What a job is called, and what it says, is data.
func TestTextOfJobsIsData(t *testing.T) {
	const attack = `<img src=x onerror=alert(1)>"'</script><script>alert(2)</script>`
	dir := t.TempDir()
	run := filepath.Join(dir, "attack")
	if err := os.Mkdir(run, 0o755); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("@", strings.ReplaceAll(attack, `"`, `\"`)).Replace(
		`{"version":1,"verdict":"@","environment":{"cpu":"@","python":"@","cores":2},"spec":{"workload":"@","jobs":1,"models":[{"name":"@"}]},"models":[{"model":"@","rounds":1,"jobs":{"done":1,"settled":1},"jobs_done_per_s":{"median":1}}],"errors":["@"],"warnings":["@"]}`)
	for name, content := range map[string]string{
		"summary.json": text, "state.json": `{"state":"failed","error":"` + strings.ReplaceAll(attack, `"`, `\"`) + `"}`,
		"request.json": `{"kind":"comparison","workload":"noop","tags":["` + strings.ReplaceAll(attack, `"`, `\"`) + `"]}`, "progress.log": attack + "\nso far: " + attack + "\n",
	} {
		if err := os.WriteFile(filepath.Join(run, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	x := begin(t, serve.Options{Dir: dir})
	for _, path := range []string{"/", "/runs/attack", "/diff", "/?workload=" + url.QueryEscape(attack), "/?tag=" + url.QueryEscape(attack), "/diff?old=" + url.QueryEscape(attack) + "&new=x", "/runs/" + url.PathEscape(attack)} {
		a := x.do("GET", path, "", "Accept: text/html")
		if strings.Contains(a.body, "<img") || strings.Contains(a.body, "<script>") || !strings.Contains(a.header.Get("Content-Type"), "html") {
			t.Errorf("%s: %d: %s", path, a.status, a.body)
		}
	}
	if a := x.do("GET", "/runs/attack", ""); !strings.Contains(a.body, "&lt;img") {
		t.Errorf("the text is not shown: %s", a.body)
	}
}
