package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"forkbench/report"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "",
		"é × 日本, two\nlines\tand tabs": "é × 日本, two\nlines\tand tabs",
		"user \u202egnp.exe\u202c":     `user \u202egnp.exe\u202c`,
		"\u2066a\u2069 b\u200fc\ufeff": `\u2066a\u2069 b\u200fc\ufeff`,
		"\x1b[31mred\x07\r\u009b\x7f":  `\u001b[31mred\u0007\u000d\u009b\u007f`,
		"tag \U000e0041":               `tag \U000e0041`,
		"می\u200cخواهم 👩\u200d🔧":       "می\u200cخواهم 👩\u200d🔧",
		"bad \xff UTF-8":               "bad \xff UTF-8",
	} {
		if got := report.Visible(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// Wherever a text from outside stands in a report, it cannot turn or hide words.
func TestHiddenCharacters(t *testing.T) {
	const hostile = "a\u202eb\x1b[2Jc\U000e0041"
	r := &report.Report{
		Verdict: hostile, Caption: hostile, Notes: []string{hostile}, Warnings: []string{hostile},
		Tables: []report.Table{{Title: hostile, Head: []string{hostile, hostile}, Rows: [][]string{{hostile, "1"}, {"b", "22"}}}},
	}
	var text, markdown, data bytes.Buffer
	if err := r.WriteText(&text, report.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteMarkdown(&markdown); err != nil {
		t.Fatal(err)
	}
	if err := report.WriteJSON(&data, r); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{"text": text.String(), "Markdown": markdown.String(), "JSON": data.String()} {
		if strings.ContainsAny(got, "\u202e\x1b\U000e0041") {
			t.Errorf("%s has hidden characters: %q", name, got)
		}
		if n := strings.Count(got, `\u202e`); n != 8 {
			t.Errorf("%s spells them %d times, want 8:\n%s", name, n, got)
		}
	}
	for line := range strings.Lines(text.String()) {
		if strings.HasPrefix(line, "b ") && !strings.HasSuffix(line, " 22\n") {
			t.Errorf("columns are not in line:\n%s", text.String())
		}
	}
	var back report.Report
	if err := json.Unmarshal(data.Bytes(), &back); err != nil || back.Verdict != hostile {
		t.Errorf("read again: %q, %v", back.Verdict, err)
	}
}
