package recordevent

import (
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// An oracle finds the first rule that matches with package regexp, one rule at a
// time.
type oracle struct {
	rules []rule
	some  []*regexp.Regexp // anywhere in the text
	whole []*regexp.Regexp
}

func newOracle(t *testing.T, table int, rules []rule) oracle {
	t.Helper()
	o := oracle{rules: rules}
	for _, r := range rules {
		some, err := regexp.Compile(r.expression(table))
		if err != nil {
			t.Fatal(err)
		}
		o.some = append(o.some, some)
		o.whole = append(o.whole, regexp.MustCompile(`\A(?:`+r.expression(table)+`)\z`))
	}
	return o
}

func (o oracle) find(text string) (name, rest string) {
	for i, re := range o.some {
		if at := re.FindStringIndex(text); at != nil {
			return o.rules[i].name, text[at[1]:]
		}
	}
	return "", ""
}

func (o oracle) fit(text string) string {
	for i, re := range o.whole {
		if re.MatchString(text) {
			return o.rules[i].name
		}
	}
	return ""
}

// TestRules compares the tables of record_event with package regexp, on what
// the made-up events say and on pieces of it.
func TestRules(t *testing.T) {
	r, err := compileRules()
	if err != nil {
		t.Fatal(err)
	}
	var found [versions]map[string]bool
	var oracles [versions]oracle
	for i := range oracles {
		if n := len(r.tables[i]); n < 20 {
			t.Errorf("table %d: %d rules", i, n)
		}
		oracles[i], found[i] = newOracle(t, i, r.tables[i]), map[string]bool{}
	}
	for id := range uint64(150) {
		var args []struct {
			Properties struct {
				Agent string `json:"user_agent"`
				URL   string
			} `json:"additional_properties"`
		}
		if err := json.Unmarshal(job(2, id), &args); err != nil {
			t.Fatal(err)
		}
		agent := args[0].Properties.Agent
		path, _, _ := strings.Cut(strings.TrimPrefix(args[0].Properties.URL, "https://bi.example.org"), "?")
		for i, o := range oracles {
			text := agent
			if i == routes {
				text = path
			}
			for _, text := range []string{text, text[:len(text)/2], text[len(text)/3:]} {
				name, rest := r.find(i, text)
				wantName, wantRest := o.find(text)
				if name != wantName || rest != wantRest {
					t.Errorf("table %d: find(%q) = %q, %q; want %q, %q", i, text, name, rest, wantName, wantRest)
				}
				if got, want := r.fit(i, text), o.fit(text); got != want {
					t.Errorf("table %d: fit(%q) = %q, want %q", i, text, got, want)
				}
				found[i][name] = true
			}
		}
	}
	for i := range found {
		if len(found[i]) < 8 {
			t.Errorf("table %d: the events only reach %v", i, found[i])
		}
	}
}

func TestVersion(t *testing.T) {
	r, err := compileRules()
	if err != nil {
		t.Fatal(err)
	}
	for rest, want := range map[string]string{
		"":             "",
		"/1":           "1",
		"/1.2.3.4.5":   "1.2.3.4",
		"/v2.10 (x)":   "2.10",
		" 7.0;":        "7.0",
		"/":            "",
		"/v":           "",
		"/vv1":         "",
		"/1.":          "1",
		"/1..2":        "1",
		"/.5":          "",
		"-bot/2":       "",
		"/120.0.1 Saf": "120.0.1",
	} {
		if got := r.version(rest); got != want {
			t.Errorf("version(%q) = %q, want %q", rest, got, want)
		}
	}
	re := regexp.MustCompile(`^[/ ]v?(\d+(?:\.\d+){0,3})`)
	for id := range uint64(200) {
		_, rest, _ := strings.Cut(inventAgent(rand.New(rand.NewPCG(1, id))), "Chrome")
		want := ""
		if m := re.FindStringSubmatch(rest); m != nil {
			want = m[1]
		}
		if got := r.version(rest); got != want {
			t.Errorf("version(%q) = %q, want %q", rest, got, want)
		}
	}
}
