package workload

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// oracle finds the first rule that matches with package regexp, one rule at a
// time.
type oracle struct {
	search []*regexp.Regexp // anywhere in the text
	match  []*regexp.Regexp // the whole text
}

func newOracle(t testing.TB, expressions []string) oracle {
	t.Helper()
	var o oracle
	for _, e := range expressions {
		re, err := regexp.Compile(e)
		if err != nil {
			t.Fatal(err)
		}
		o.search = append(o.search, re)
		o.match = append(o.match, regexp.MustCompile(`\A(?:`+e+`)\z`))
	}
	return o
}

func first(rules []*regexp.Regexp, text string) int {
	for i, re := range rules {
		if re.MatchString(text) {
			return i
		}
	}
	return -1
}

// newAutomaton compiles expressions by way of the flat form.
func newAutomaton(t testing.TB, expressions []string, search bool) automaton {
	t.Helper()
	mem, err := compileAutomaton([]byte("before"), expressions, search)
	if err != nil {
		t.Fatal(err)
	}
	a, rest, err := openAutomaton(append(mem[len("before"):], "after"...), len(expressions))
	if err != nil {
		t.Fatal(err)
	}
	if string(rest) != "after" {
		t.Fatalf("%d bytes follow the automaton", len(rest))
	}
	return a
}

func (o oracle) check(t testing.TB, search, match automaton, text string) {
	t.Helper()
	got, end := search.find(text)
	if want := first(o.search, text); got != want {
		t.Errorf("find(%q) = %d, want %d", text, got, want)
	}
	if got >= 0 {
		// The end is the first at which the rule matches.
		for i := range len(text) + 1 {
			if o.search[got].MatchString(text[:i]) {
				if i != end {
					t.Errorf("find(%q) ends at %d, want %d", text, end, i)
				}
				break
			}
		}
	}
	if got, want := match.match(text), first(o.match, text); got != want {
		t.Errorf("match(%q) = %d, want %d", text, got, want)
	}
}

func TestAutomaton(t *testing.T) {
	for _, expressions := range [][]string{
		{"a"},
		{""},
		{"x*"},
		{"abc", "b", "abcd", "[a-c]+"},
		{"(?:a|ab)(?:c|bcd)", "a.c", "[^/]+/x"},
		{"a{2,4}", "b{3}", "(?:ab?){2}", "c+?d"},
		{"(?i:select) [a-z]+", `\d+(?:\.\d+)?`, `\(\w+\)`},
		{"[^a]b", "(?s:.)c", "é?"},
	} {
		o := newOracle(t, expressions)
		search, match := newAutomaton(t, expressions, true), newAutomaton(t, expressions, false)
		for _, text := range []string{
			"", "a", "b", "ab", "abc", "abcd", "abcbcd", "aabbab", "aaaaaa", "bbbb", "cccd", "ccd",
			"SeLeCt all", "1.25", "x12.", "(ok)", "a/x", "//x", "xb", "ab\n", "\nc", "xxx", "ababab",
		} {
			o.check(t, search, match, text)
		}
	}
}

func TestCompileAutomatonErrors(t *testing.T) {
	for _, test := range []struct{ expression, want string }{
		{"^a", "assertions are not supported"},
		{`a\b`, "assertions are not supported"},
		{"a(", "missing closing )"},
		{"(?:a|b)*a(?:a|b){17}", "more than 65535 states"},
	} {
		_, err := compileAutomaton(nil, []string{"ok", test.expression}, false)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want in it: %s", test.expression, err, test.want)
		}
	}
}

// FuzzAutomaton compares automata for two expressions with package regexp.
func FuzzAutomaton(f *testing.F) {
	f.Add("a(b|c)*d", "[a-c]{2,3}", "xabcbd")
	f.Add("(?i)k", "[^\\n/]+", "K/k")
	f.Add("", ".", "\n")
	f.Fuzz(func(t *testing.T, e1, e2, text string) {
		const limit = 12 // states grow exponentially with the expression, in the worst case
		if len(e1) > limit || len(e2) > limit || len(text) > 100 || !isASCII(e1+e2+text) {
			t.Skip("too long, or not ASCII")
		}
		for _, e := range []string{e1, e2} {
			if _, err := regexp.Compile(e); err != nil || strings.ContainsAny(e, "^$bBAz{") {
				t.Skip("not an expression, or one with assertions or large counts")
			}
		}
		expressions := []string{e1, e2}
		o := newOracle(t, expressions)
		o.check(t, newAutomaton(t, expressions, true), newAutomaton(t, expressions, false), text)
	})
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

// TestRules compares the tables of record_event with package regexp, on what
// the made-up events say and on pieces of it.
func TestRules(t *testing.T) {
	r, err := compileRules()
	if err != nil {
		t.Fatal(err)
	}
	var oracles [ruleTableCount]oracle
	for i, t0 := range ruleTables {
		var expressions []string
		for _, line := range table(t0.title) {
			_, e := t0.read(line)
			expressions = append(expressions, e)
		}
		if len(expressions) < 20 {
			t.Errorf("%s: %d rules", t0.title, len(expressions))
		}
		oracles[i] = newOracle(t, expressions)
	}
	found := [ruleTableCount]map[string]bool{{}, {}, {}, {}}
	for id := range uint64(150) {
		var args []struct {
			Properties struct {
				Agent string `json:"user_agent"`
				URL   string
			} `json:"additional_properties"`
		}
		if err := json.Unmarshal(event(2, id), &args); err != nil {
			t.Fatal(err)
		}
		agent := args[0].Properties.Agent
		path, _, _ := strings.Cut(strings.TrimPrefix(args[0].Properties.URL, "https://bi.example.org"), "?")
		for i, t0 := range ruleTables {
			text := agent
			if i == routes {
				text = path
			}
			for _, text := range []string{text, text[:len(text)/2], text[len(text)/3:]} {
				name, rest := r.lookup(i, text)
				if !strings.HasSuffix(text, rest) {
					t.Errorf("%s: %q leaves %q", t0.title, text, rest)
				}
				rules := oracles[i].search
				if !t0.search {
					rules = oracles[i].match
				}
				want := ""
				if n := first(rules, text); n >= 0 {
					want, _ = t0.read(table(t0.title)[n])
				}
				if name != want {
					t.Errorf("%s: %q is %q, want %q", t0.title, text, name, want)
				}
				found[i][name] = true
			}
		}
	}
	for i, t0 := range ruleTables {
		if len(found[i]) < 8 {
			t.Errorf("%s: the events only reach %v", t0.title, found[i])
		}
	}
}

func TestVersion(t *testing.T) {
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
		if got := version(rest); got != want {
			t.Errorf("version(%q) = %q, want %q", rest, got, want)
		}
	}
	re := regexp.MustCompile(`^[/ ]v?(\d+(?:\.\d+){0,3})`)
	for id := range uint64(200) {
		_, rest, _ := strings.Cut(inventAgent(random(drawEvent, 1, id)), "Chrome")
		want := ""
		if m := re.FindStringSubmatch(rest); m != nil {
			want = m[1]
		}
		if got := version(rest); got != want {
			t.Errorf("version(%q) = %q, want %q", rest, got, want)
		}
	}
}
