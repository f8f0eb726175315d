package serve_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"forkbench/serve"
)

// document is openapi.json, as the service has it.
func document(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return v.(map[string]any)
}

// schemaOf compiles the part of the document that a pointer names.
func schemaOf(t *testing.T, pointer string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi.json", document(t)); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("openapi.json#" + pointer)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The document has each route of the API, and no other.
func TestDocumentHasEachRoute(t *testing.T) {
	var documented []string
	for path, item := range document(t)["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			if method != "parameters" {
				documented = append(documented, strings.ToUpper(method)+" "+path)
			}
		}
	}
	routes := serve.APIPatterns()
	slices.Sort(documented)
	slices.Sort(routes)
	if !slices.Equal(documented, routes) {
		t.Errorf("documented:\n%s\nanswered:\n%s", strings.Join(documented, "\n"), strings.Join(routes, "\n"))
	}
}

// What is answered is what the document says.
func TestAnswersAreAsDocumented(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "made"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := stored("../testdata/runs/small/records.jsonl", filepath.Join(dir, "made")); err != nil {
		t.Fatal(err)
	}
	x := begin(t, serve.Options{Dir: dir, Runs: true})
	run := x.until(x.start(quick), serve.Done).Name
	gone := x.until(x.start(quick), serve.Done).Name
	seen := make(map[string]bool)
	for _, c := range []struct {
		method, path, at, body string
		status                 string
	}{
		{"GET", "/api/v1/runs", "/api/v1/runs", "", "200"},
		{"GET", "/api/v1/runs", "/api/v1/runs?limit=1", "", "200"},
		{"GET", "/api/v1/runs", "/api/v1/runs?limit=x", "", "400"},
		{"POST", "/api/v1/runs", "/api/v1/runs", `{"kind":"simulation"}`, "202"},
		{"POST", "/api/v1/runs", "/api/v1/runs", `{}`, "422"},
		{"POST", "/api/v1/runs", "/api/v1/runs", `{"x":1}`, "400"},
		{"POST", "/api/v1/runs", "/api/v1/runs", `{"kind":"` + strings.Repeat("x", 1<<18) + `"}`, "413"},
		{"GET", "/api/v1/runs/{run}", "/api/v1/runs/" + run, "", "200"},
		{"GET", "/api/v1/runs/{run}", "/api/v1/runs/made", "", "200"},
		{"GET", "/api/v1/runs/{run}", "/api/v1/runs/none", "", "404"},
		{"DELETE", "/api/v1/runs/{run}", "/api/v1/runs/" + gone, "", "204"},
		{"DELETE", "/api/v1/runs/{run}", "/api/v1/runs/" + gone, "", "404"},
		{"POST", "/api/v1/runs/{run}/cancel", "/api/v1/runs/" + run + "/cancel", "", "409"},
		{"POST", "/api/v1/runs/{run}/cancel", "/api/v1/runs/none/cancel", "", "404"},
		{"GET", "/api/v1/runs/{run}/summary", "/api/v1/runs/made/summary", "", "200"},
		{"GET", "/api/v1/runs/{run}/summary", "/api/v1/runs/none/summary", "", "404"},
		{"GET", "/api/v1/runs/{run}/files/{file}", "/api/v1/runs/made/files/none.json", "", "404"},
		{"GET", "/api/v1/diff", "/api/v1/diff?old=made&new=" + run, "", "200"},
		{"GET", "/api/v1/diff", "/api/v1/diff", "", "400"},
		{"GET", "/api/v1/diff", "/api/v1/diff?old=made&new=none", "", "404"},
		{"GET", "/api/v1/workloads", "/api/v1/workloads", "", "200"},
		{"GET", "/api/v1/openapi.json", "/api/v1/openapi.json", "", "200"},
	} {
		a := x.do(c.method, c.at, c.body, isJSON)
		if got := http.StatusText(a.status); c.status[:1] != "2" && got == "" || c.status != itoa(a.status) {
			t.Errorf("%s %s: %d, want %s: %s", c.method, c.at, a.status, c.status, a.body)
			continue
		}
		answer := "/paths/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(c.path) + "/" + strings.ToLower(c.method) + "/responses/" + c.status
		seen[c.method+" "+c.path] = true
		kind := "application/json"
		switch c.status[:1] {
		case "2":
			if c.status == "204" {
				if a.body != "" {
					t.Errorf("%s %s: %q", c.method, c.at, a.body)
				}
				continue
			}
		default:
			// Each refers to the one form of problems.
			answer, kind = "/components/responses/Problem", "application/problem+json"
			if !documents(t, c.path, c.method, c.status) {
				t.Errorf("%s %s: %s is not documented", c.method, c.path, c.status)
			}
		}
		if got := a.header.Get("Content-Type"); got != kind {
			t.Errorf("%s %s: the type is %s, want %s", c.method, c.at, got, kind)
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(a.body))
		if err != nil {
			t.Errorf("%s %s: %v", c.method, c.at, err)
			continue
		}
		if err := schemaOf(t, answer+"/content/"+strings.ReplaceAll(kind, "/", "~1")+"/schema").Validate(v); err != nil {
			t.Errorf("%s %s: %v\n%s", c.method, c.at, err, a.body)
		}
	}
	for _, route := range serve.APIPatterns() {
		switch route {
		case "GET /healthz", "GET /metrics", "GET /api/v1/runs/{run}/events": // no JSON, or looked at below
		default:
			if !seen[route] {
				t.Errorf("%s was not asked", route)
			}
		}
	}
	next, _ := x.stream(run, "")
	e, ok := next()
	if !ok {
		t.Fatal("no event")
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(e.data))
	if err != nil {
		t.Fatal(err)
	}
	if err := schemaOf(t, "/components/schemas/Progress").Validate(v); err != nil {
		t.Error(err)
	}
}

func documents(t *testing.T, path, method, status string) bool {
	t.Helper()
	item := document(t)["paths"].(map[string]any)[path].(map[string]any)
	_, ok := item[strings.ToLower(method)].(map[string]any)["responses"].(map[string]any)[status]
	return ok
}

func itoa(n int) string {
	text, _ := json.Marshal(n)
	return string(text)
}

// What is not there, or not for this method, is a problem, too.
func TestProblems(t *testing.T) {
	x := begin(t, serve.Options{})
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/nothing", 404, ""},
		{"GET", "/api/v2/runs", 404, ""},
		{"PUT", "/api/v1/runs", 405, "GET, HEAD, POST"},
		{"PATCH", "/api/v1/runs/x", 405, "DELETE, GET, HEAD"},
		{"TRACE", "/", 405, "GET, HEAD"},
	} {
		a := x.do(c.method, c.path, "")
		if a.status != c.status || a.header.Get("Content-Type") != "application/problem+json" || a.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %d %v: %s", c.method, c.path, a.status, a.header, a.body)
		}
		if err := schemaOf(t, "/components/schemas/Problem").Validate(unmarshal(t, a.body)); err != nil {
			t.Error(err)
		}
	}
}

func unmarshal(t *testing.T, text string) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
