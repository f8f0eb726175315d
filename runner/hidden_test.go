package runner_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"forkbench/models"
	"forkbench/record"
	"forkbench/report"
	"forkbench/runner"
)

// What a job says reaches reports spelt, and JSON as it was.
func TestHiddenCharacters(t *testing.T) {
	const said = "cannot open \u202egnp.exe\x1b[2J"
	s := summarize(t, newSynthetic(100, 1, prefork), everyJob(func(j *record.Job) {
		if j.ID == 5 {
			j.Status, j.Detail = models.Failed, said
		}
	}))
	var text, markdown, data bytes.Buffer
	if err := runner.WriteText(&text, s, report.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := runner.WriteMarkdown(&markdown, s); err != nil {
		t.Fatal(err)
	}
	if err := runner.WriteJSON(&data, s); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{"text": text.String(), "Markdown": markdown.String(), "JSON": data.String()} {
		if strings.ContainsAny(got, "\u202e\x1b") || !strings.Contains(got, `\u202egnp.exe`) {
			t.Errorf("%s: %q", name, got)
		}
	}
	var back runner.Summary
	if err := json.Unmarshal(data.Bytes(), &back); err != nil || back.Models[0].Causes[0].Text != said {
		t.Errorf("read again: %+v, %v", back.Models[0].Causes, err)
	}
}
