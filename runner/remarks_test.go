package runner_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkbench/record"
	"forkbench/runner"
)

// Warnings are values: a code, whom it is about, what is in the sentence. Advice is the
// program's that shows them, and in JSON both stand beside the sentences.
func TestWarningsAreValues(t *testing.T) {
	run := newSynthetic(99, 2, prefork, forkperjob)
	run.header.Environment.Redis = "miniredis v2.40.0 (private)"
	s := summarize(t, run, round(func(m *record.Round) { m.Strays = 2 }))
	want := []record.Remark{
		{Code: runner.WarnFewJobs, Args: map[string]any{"jobs": 99}, Text: "99 jobs in a round are few: one slow job moves every number"},
		{Code: runner.WarnFewRounds, Args: map[string]any{"rounds": 2, "enough": 3}, Text: "2 rounds give very wide intervals"},
		{Code: runner.WarnStandIn, Text: "the jobs went through miniredis, a stand-in that is slower than Redis"},
		{Code: runner.WarnStrays, Models: []string{"prefork", "forkperjob"}, Args: map[string]any{"processes": 4},
			Text: "jobs left 4 processes behind, killed at the end of the round"},
	}
	if diff := cmp.Diff(want, s.WarningDetails); diff != "" {
		t.Error(diff)
	}
	s.Advise(func(r *record.Remark) string {
		if r.Code == runner.WarnFewRounds {
			return "; run more"
		}
		return ""
	})
	texts := []string{
		want[0].Text, "2 rounds give very wide intervals; run more", want[2].Text,
		"prefork and forkperjob: jobs left 4 processes behind, killed at the end of the round",
	}
	if diff := cmp.Diff(texts, s.Warnings); diff != "" {
		t.Error(diff)
	}
	var b bytes.Buffer
	if err := runner.WriteJSON(&b, s); err != nil {
		t.Fatal(err)
	}
	var form struct {
		Warnings []string        `json:"warnings"`
		Details  []record.Remark `json:"warning_details"`
	}
	if err := json.Unmarshal(b.Bytes(), &form); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(texts, form.Warnings); diff != "" {
		t.Error(diff)
	}
	if len(form.Details) != 4 || form.Details[1].Advice != "; run more" || form.Details[1].Args["enough"] != 3.0 {
		t.Errorf("%+v", form.Details)
	}
	again, err := runner.ReadSummary(b.Bytes())
	if err != nil || !slices.Equal(again.Warnings, texts) || again.WarningDetails[3].String() != texts[3] {
		t.Errorf("read again: %v, %q", err, again.Warnings)
	}
}

// Every code stands in the documentation.
func TestCodesAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/warnings.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "remarks.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		c, ok := node.(*ast.ValueSpec)
		if !ok || len(c.Names) != 1 || len(c.Values) != 1 || !strings.HasPrefix(c.Names[0].Name, "Warn") && !strings.HasPrefix(c.Names[0].Name, "Note") {
			return true
		}
		code, err := strconv.Unquote(c.Values[0].(*ast.BasicLit).Value)
		if err != nil || !strings.Contains(string(doc), "`"+code+"`") {
			t.Errorf("docs/warnings.md does not have %s, %q: %v", c.Names[0].Name, code, err)
		}
		n++
		return true
	})
	if n < 30 {
		t.Errorf("%d codes were looked up", n)
	}
}
